/* A fresh folder for the files of one test, removed with all it holds. */
#ifndef TEMP_FOLDER_H
#define TEMP_FOLDER_H

#include <check.h>
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char temp_folder[128];

static inline void temp_folder_make(void)
{
    const char *parent = getenv("TMPDIR");
    snprintf(temp_folder, sizeof temp_folder, "%s/libsae-test-XXXXXX", parent != NULL ? parent : P_tmpdir);
    ck_assert_ptr_nonnull(mkdtemp(temp_folder));
}

/* The path of a file in the folder; the result lives until the second next call. */
static inline const char *temp_path(const char *name)
{
    static char paths[2][256];
    static int turn;
    turn = !turn;
    snprintf(paths[turn], sizeof paths[turn], "%s/%s", temp_folder, name);
    return paths[turn];
}

static inline int temp_folder_entries(void)
{
    DIR *folder = opendir(temp_folder);
    ck_assert_ptr_nonnull(folder);
    int n = 0;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
        n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(folder);
    return n;
}

static inline void temp_folder_remove(void)
{
    DIR *folder = opendir(temp_folder);
    if (folder == NULL)
        return;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            unlinkat(dirfd(folder), entry->d_name, 0);
    closedir(folder);
    rmdir(temp_folder);
}

static inline void temp_write(const char *path, const void *bytes, size_t n)
{
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, n, file), n);
    ck_assert_int_eq(fclose(file), 0);
}

/* Reads a whole file; *n bytes, to be freed. */
static inline char *temp_read(const char *path, size_t *n)
{
    FILE *file = fopen(path, "rb");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fseek(file, 0, SEEK_END), 0);
    *n = (size_t)ftell(file);
    rewind(file);
    char *bytes = malloc(*n + 1);
    ck_assert_uint_eq(fread(bytes, 1, *n, file), *n);
    bytes[*n] = '\0';
    fclose(file);
    return bytes;
}

static inline void assert_file_holds(const char *path, const char *text)
{
    size_t n;
    char *bytes = temp_read(path, &n);
    ck_assert_str_eq(bytes, text);
    free(bytes);
}

#endif

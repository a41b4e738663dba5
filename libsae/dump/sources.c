#include "dump/sources.h"
#include "base/error.h"
#include "base/memory.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

/* Suffixes of one kind have one number. */
static const struct {
    const char *suffix;
    int kind;
} kinds[] = {{".h5", 0},  {".hdf5", 0}, {".npy", 1},    {".npz", 2}, {".safetensors", 3}, {".pt", 4},
             {".pth", 4}, {".bin", 5},  {".memmap", 5}, {".raw", 5}, {".dat", 5},         {".arrow", 6}};
static const char wildcards[] = "*?[";
enum { KIND_NPY = 1, KIND_TORCH = 4, KIND_RAW = 5, KIND_ARROW = 6 };

int saei_compare_names(const char *a, const char *b)
{
    while (*a != '\0' && *b != '\0') {
        if (isdigit((unsigned char)*a) && isdigit((unsigned char)*b)) {
            a += strspn(a, "0");
            b += strspn(b, "0");
            size_t n = strspn(a, "0123456789"), m = strspn(b, "0123456789");
            int order = n != m ? (n < m ? -1 : 1) : memcmp(a, b, n);
            if (order != 0)
                return order;
            a += n;
            b += m;
        } else if (*a != *b)
            break;
        else
            a++, b++;
    }
    return strcmp(a, b);
}

static int kind_of(const char *name)
{
    size_t n = strlen(name);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        size_t m = strlen(kinds[i].suffix);
        if (n > m && strcasecmp(name + n - m, kinds[i].suffix) == 0)
            return kinds[i].kind;
    }
    return -1;
}

static sae_status add_text(char ***list, size_t *n, size_t *room, sae_context *context, const char *text,
                           sae_error *err)
{
    if (*n == *room) {
        size_t wanted = *room > 0 ? 2 * *room : 16;
        sae_status status = saei_grow(list, context, *n, wanted, sizeof **list, err);
        if (status != SAE_OK)
            return status;
        *room = wanted;
    }
    sae_status status = saei_strdup(&(*list)[*n], context, text, err);
    *n += status == SAE_OK;
    return status;
}

static sae_status add_file(saei_sources *sources, const char *folder, const char *name, size_t store,
                           sae_error *err)
{
    if (sources->n_files == sources->files_room) {
        size_t wanted = sources->files_room > 0 ? 2 * sources->files_room : 16;
        sae_status status = saei_grow(&sources->files, sources->context, sources->n_files, wanted,
                                      sizeof *sources->files, err);
        if (status != SAE_OK)
            return status;
        sources->files_room = wanted;
    }
    saei_source *file = &sources->files[sources->n_files];
    size_t n = folder != NULL ? strlen(folder) : 0, slash = n > 0 && folder[n - 1] != '/';
    sae_status status = saei_alloc(&file->path, sources->context, n + slash + strlen(name) + 1, 1, err);
    if (status != SAE_OK)
        return status;
    if (n > 0)
        memcpy(file->path, folder, n);
    memcpy(file->path + n, "/", slash);
    strcpy(file->path + n + slash, name);
    file->store = store;
    sources->n_files++;
    return SAE_OK;
}

typedef struct listing {
    sae_context *context;
    char **names; /* sorted */
    size_t n, room;
} listing;

static int by_number(const void *a, const void *b)
{
    const char *x = *(char *const *)a, *y = *(char *const *)b;
    int order = saei_compare_names(x, y);
    return order != 0 ? order : strcmp(x, y);
}

static sae_status list_folder(listing *out, const char *folder, sae_error *err)
{
    DIR *directory = opendir(folder);
    if (directory == NULL)
        return saei_fail_errno(err, errno, "%s: cannot list", folder);
    sae_status status = SAE_OK;
    for (struct dirent *entry; status == SAE_OK && (entry = readdir(directory)) != NULL;)
        if (entry->d_name[0] != '.')
            status = add_text(&out->names, &out->n, &out->room, out->context, entry->d_name, err);
    closedir(directory);
    if (status == SAE_OK && out->n > 1)
        qsort(out->names, out->n, sizeof *out->names, by_number);
    return status;
}

static bool has_name(const listing *list, const char *name, size_t n)
{
    for (size_t i = 0; i < list->n; i++)
        if (strlen(list->names[i]) == n && memcmp(list->names[i], name, n) == 0)
            return true;
    return false;
}

/* NAME.COLUMN.npy beside NAME.npy. */
static bool is_column(const listing *list, const char *name)
{
    const char *last = strrchr(name, '.'), *before = last;
    while (before > name && *--before != '.')
        ;
    char whole[300];
    size_t stem = (size_t)(before - name);
    if (stem == 0 || stem + 5 > sizeof whole)
        return false;
    memcpy(whole, name, stem);
    memcpy(whole + stem, last, strlen(last) + 1);
    return has_name(list, whole, strlen(whole));
}

/* What a store keeps beside its shards. */
static bool is_companion(const char *name)
{
    static const char *const names[] = {"tokens.pt", "sequence_ranges.pt", "mean.pt", "std.pt"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

static bool is_shard(const listing *list, const char *name, int kind)
{
    return kind_of(name) == kind && !(kind == KIND_NPY && is_column(list, name)) &&
           !(kind == KIND_TORCH && is_companion(name));
}

/* The one kind of shards in the folder. */
static sae_status find_kind(int *out, const listing *list, const char *folder, sae_error *err)
{
    const char *first = NULL;
    *out = -1;
    for (size_t i = 0; i < list->n; i++) {
        const char *name = list->names[i];
        int kind = kind_of(name);
        if (kind < 0 || !is_shard(list, name, kind))
            continue;
        if (first != NULL && kind != *out)
            return saei_fail(err, SAE_E_ARGUMENT,
                             "%s: holds files of several kinds, %.80s and %.80s: name those that are meant, "
                             "such as '%s/*%s'",
                             folder, first, name, folder, strrchr(first, '.'));
        first = name;
        *out = kind;
    }
    if (first == NULL)
        return saei_fail(err, SAE_E_NOT_FOUND,
                         "%s: a folder without dumps (.h5, .npy, .npz, .safetensors, .pt, .memmap)%s%.80s",
                         folder, list->n > 0 ? "; it has " : "", list->n > 0 ? list->names[0] : "");
    if (*out == KIND_ARROW)
        return saei_fail(err, SAE_E_UNSUPPORTED,
                         "%s: a dataset of Arrow files, which libsae does not read; export it: python -c \""
                         "import datasets, numpy; numpy.save('acts.npy', datasets.load_from_disk('%.100s')"
                         ".with_format('numpy')['activations'])\"",
                         folder, folder);
    return SAE_OK;
}

static sae_status add_listed(saei_sources *sources, const listing *list, const char *folder, sae_error *err)
{
    int kind;
    sae_status status = find_kind(&kind, list, folder, err);
    bool is_store = has_name(list, "config.json", strlen("config.json")) && kind == KIND_RAW;
    if (status == SAE_OK && is_store)
        status = add_text(&sources->stores, &sources->n_stores, &sources->stores_room, sources->context,
                          folder, err);
    for (size_t i = 0; status == SAE_OK && i < list->n; i++)
        if (is_shard(list, list->names[i], kind))
            status = add_file(sources, folder, list->names[i], is_store ? sources->n_stores : 0, err);
    return status;
}

static sae_status add_folder(saei_sources *sources, const char *folder, sae_error *err)
{
    listing list = {.context = sources->context};
    sae_status status = list_folder(&list, folder, err);
    if (status == SAE_OK)
        status = add_listed(sources, &list, folder, err);
    for (size_t i = 0; i < list.n; i++)
        saei_free(sources->context, list.names[i]);
    saei_free(sources->context, list.names);
    return status;
}

/* One folder is looked through, not the disk: a study file from elsewhere may ask for any pattern. */
static bool is_in_one_folder(const char *pattern)
{
    const char *name = strrchr(pattern, '/');
    return name == NULL || strcspn(pattern, wildcards) > (size_t)(name - pattern);
}

static sae_status add_pattern(saei_sources *sources, const char *pattern, sae_error *err)
{
    if (!is_in_one_folder(pattern))
        return saei_fail(err, SAE_E_UNSUPPORTED,
                         "%s: no such file, and as a pattern it is for the names of files, not of folders: "
                         "give each folder",
                         pattern);
    glob_t found;
    int result = glob(pattern, GLOB_NOSORT, NULL, &found);
    if (result != 0)
        return result == GLOB_NOSPACE
                   ? saei_fail(err, SAE_E_MEMORY, "%s: no memory for the files it finds", pattern)
                   : saei_fail(err, SAE_E_NOT_FOUND, "%s: finds no file", pattern);
    qsort(found.gl_pathv, found.gl_pathc, sizeof *found.gl_pathv, by_number);
    sae_status status = SAE_OK;
    for (size_t i = 0; i < found.gl_pathc && status == SAE_OK; i++)
        status = add_file(sources, NULL, found.gl_pathv[i], 0, err);
    globfree(&found);
    return status;
}

sae_status saei_sources_expand(saei_sources *out, sae_context *context, const char *const *paths,
                               size_t n_paths, sae_error *err)
{
    *out = (saei_sources){.context = context};
    sae_status status = SAE_OK;
    for (size_t i = 0; i < n_paths && status == SAE_OK; i++) {
        struct stat info;
        bool there = stat(paths[i], &info) == 0;
        if (there && S_ISDIR(info.st_mode))
            status = add_folder(out, paths[i], err);
        else if (!there && strpbrk(paths[i], wildcards) != NULL)
            status = add_pattern(out, paths[i], err);
        else
            status = add_file(out, NULL, paths[i], 0, err);
    }
    return status;
}

void saei_sources_free(saei_sources *sources)
{
    for (size_t i = 0; i < sources->n_files; i++)
        saei_free(sources->context, sources->files[i].path);
    for (size_t i = 0; i < sources->n_stores; i++)
        saei_free(sources->context, sources->stores[i]);
    if (sources->context != NULL) {
        saei_free(sources->context, sources->files);
        saei_free(sources->context, sources->stores);
    }
    *sources = (saei_sources){0};
}

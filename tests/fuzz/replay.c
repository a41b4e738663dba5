/* Runs a fuzz target over files and folders of files, where there is no fuzzer: replay FILE|FOLDER... */
#include "fuzz_file.h"

#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

static unsigned replayed;

/* libhdf5 loses what it has allocated when a file is damaged. What libsae allocates its context counts. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libhdf5";
}

static void replay_file(const char *path, size_t size)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = malloc(size + 1);
    FUZZ_REQUIRE(file != NULL && data != NULL && fread(data, 1, size, file) == size);
    fclose(file);
    LLVMFuzzerTestOneInput(data, size);
    free(data);
    replayed++;
}

static void replay(const char *path)
{
    struct stat info;
    FUZZ_REQUIRE(stat(path, &info) == 0);
    if (S_ISREG(info.st_mode)) {
        replay_file(path, (size_t)info.st_size);
        return;
    }
    DIR *folder = opendir(path);
    FUZZ_REQUIRE(folder != NULL);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        char inner[4096];
        int n = snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name);
        if (entry->d_name[0] != '.' && n > 0 && (size_t)n < sizeof inner)
            replay(inner);
    }
    closedir(folder);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        replay(argv[i]);
    printf("%u inputs\n", replayed);
    return replayed > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#include "command.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* clang-format off */
const option dump_options[] = {
    {.name = "dataset", .type = OPTION_TEXT, FIELD(dump_args, dataset), .value = "NAME",
     .help = "activation dataset in the files; needed where there are several"},
    {.name = "where", .type = OPTION_TEXT, FIELD(dump_args, where), .value = "COND",
     .help = "only rows whose columns meet the condition, such as 'is_continuation=0 and position>0'"},
    {.name = "drop-nonfinite", .type = OPTION_FLAG, FIELD(dump_args, drop_nonfinite),
     .help = "leave rows with NaN or Inf out instead of refusing them"},
    {0},
};

const option output_options[] = {
    {.name = "output", .letter = 'o', .required = true, .type = OPTION_TEXT, FIELD(output_args, output),
     .value = "FILE", .help = "file to write"},
    {.name = "force", .letter = 'f', .type = OPTION_FLAG, FIELD(output_args, force),
     .help = "replace what exists"},
    {0},
};
/* clang-format on */

sae_status open_dump(sae_dump **out, session *s, const char *const *paths, size_t n_paths,
                     const dump_args *args, sae_error *err)
{
    sae_dump_options options;
    sae_dump_options_init(&options);
    options.dataset = args->dataset;
    options.where = args->where;
    options.drop_nonfinite = args->drop_nonfinite;
    sae_status status = sae_dump_open(out, s->context, paths, n_paths, &options, err);
    if (status == SAE_OK && sae_dump_rows_dropped(*out) > 0 && !s->progress.quiet) {
        progress_clear(&s->progress);
        complain("%s: %llu rows with NaN or Inf are left out", paths[0],
                 (unsigned long long)sae_dump_rows_dropped(*out));
    }
    return status;
}

bool file_exists(const char *path)
{
    struct stat info;
    return lstat(path, &info) == 0;
}

static bool folder_allowed(const char *path)
{
    char folder[4096] = ".";
    const char *slash = strrchr(path, '/');
    size_t length = slash == NULL ? 0 : slash == path ? 1 : (size_t)(slash - path);
    if (length >= sizeof folder) {
        complain("%s: the path is too long", path);
        return false;
    }
    if (length > 0) {
        memcpy(folder, path, length);
        folder[length] = '\0';
    }
    if (access(folder, W_OK | X_OK) == 0)
        return true;
    complain("%s: cannot be written: folder %s: %s", path, folder, strerror(errno));
    return false;
}

/* Whether path is a column NAME.COLUMN.npy of the input NAME.npy. */
static bool is_column_of(const char *path, const char *input)
{
    size_t n = strlen(input), length = strlen(path);
    return n > 4 && length > n && strcmp(input + n - 4, ".npy") == 0 && strncmp(path, input, n - 3) == 0 &&
           strcmp(path + length - 4, ".npy") == 0;
}

bool output_allowed(const char *path, bool force, const char *const *inputs, size_t n_inputs)
{
    struct stat out, in;
    if (stat(path, &out) != 0)
        return folder_allowed(path);
    if (!S_ISREG(out.st_mode)) {
        complain("%s: is not a regular file; name a file to write", path);
        return false;
    }
    for (size_t i = 0; i < n_inputs; i++)
        if (is_column_of(path, inputs[i]) ||
            (stat(inputs[i], &in) == 0 && in.st_dev == out.st_dev && in.st_ino == out.st_ino)) {
            complain("%s: is an input; name another output", path);
            return false;
        }
    if (!force) {
        complain("%s: exists already; --force replaces it", path);
        return false;
    }
    return folder_allowed(path);
}

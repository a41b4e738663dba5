/* Which columns a file has. */
#include "base/context.h"
#include "base/error.h"
#include "base/memory.h"
#include "dump/shard_open.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

sae_status saei_shard_add_column(saei_shard *shard, sae_context *context, const char *name,
                                 saei_column column, sae_error *err)
{
    size_t n = shard->n_columns;
    sae_status status = SAE_OK;
    if ((n & (n - 1)) == 0) /* room is the next power of two: a file may hold very many arrays */
        status = saei_grow(&shard->columns, context, n, n > 0 ? 2 * n : 1, sizeof *shard->columns, err);
    if (status == SAE_OK)
        status = saei_strdup(&column.name, context, name, err);
    if (status != SAE_OK) {
        saei_free(context, column.path);
        return status;
    }
    shard->columns[shard->n_columns++] = column;
    return SAE_OK;
}

static sae_status add_arrays(saei_shard *shard, sae_context *context, sae_error *err)
{
    sae_status status = SAE_OK;
    for (size_t i = 0; i < saei_reader_count(shard->reader) && status == SAE_OK; i++) {
        const saei_array_info *array = saei_reader_at(shard->reader, i);
        if (array != shard->array && saei_shard_fits_column(shard, array))
            status = saei_shard_add_column(shard, context, array->name,
                                           (saei_column){.source = SAEI_COLUMN_ARRAY, .array = array}, err);
    }
    return status;
}

static sae_status add_computed(saei_shard *shard, sae_context *context, sae_error *err)
{
    sae_status status = SAE_OK;
    if (shard->array->rank == 3 && saei_shard_column(shard, "sequence") == NULL)
        status = saei_shard_add_column(shard, context, "sequence",
                                       (saei_column){.source = SAEI_COLUMN_SEQUENCE}, err);
    if (status == SAE_OK && shard->array->rank == 3 && saei_shard_column(shard, "position") == NULL)
        status = saei_shard_add_column(shard, context, "position",
                                       (saei_column){.source = SAEI_COLUMN_POSITION}, err);
    return status;
}

static bool ends_in(const char *text, size_t n, const char *ending)
{
    size_t m = strlen(ending);
    return n >= m && memcmp(text + n - m, ending, m) == 0;
}

/* The COLUMN of a file name NAME.COLUMN.npy, without dots, as a copy; *out is NULL when it has another form.
 */
static sae_status column_of_file(char **out, sae_context *context, const char *file, const char *stem,
                                 size_t stem_length, sae_error *err)
{
    *out = NULL;
    const size_t suffix = strlen(".npy");
    size_t n = strlen(file);
    if (n <= stem_length + 1 + suffix || memcmp(file, stem, stem_length) != 0 || file[stem_length] != '.' ||
        !ends_in(file, n, ".npy"))
        return SAE_OK;
    const char *column = file + stem_length + 1;
    size_t length = n - stem_length - 1 - suffix;
    if (memchr(column, '.', length) != NULL)
        return SAE_OK;
    sae_status status = saei_alloc(out, context, length + 1, 1, err);
    if (status == SAE_OK)
        memcpy(*out, column, length);
    return status;
}

/* Adds the file as a column when it holds one number for each row. */
static sae_status add_file(saei_shard *shard, sae_context *context, const char *folder, size_t folder_length,
                           const char *file, const char *column, sae_error *err)
{
    char *path = NULL;
    size_t n = strlen(file);
    sae_status status = saei_alloc(&path, context, folder_length + n + 1, 1, err);
    if (status != SAE_OK)
        return status;
    memcpy(path, folder, folder_length);
    memcpy(path + folder_length, file, n);
    saei_reader *reader = NULL;
    sae_error why;
    status = saei_reader_open(&reader, context, path, &why);
    if (status == SAE_E_UNSUPPORTED) {
        /* Such as an array of strings: in HDF5 it would be no column either. */
        saei_log(context, "%s: no column: %s", shard->name, why.text);
        saei_free(context, path);
        return SAE_OK;
    }
    if (status != SAE_OK) {
        if (err != NULL)
            *err = why;
        saei_free(context, path);
        return status;
    }
    const saei_array_info *array = saei_reader_count(reader) == 1 ? saei_reader_at(reader, 0) : NULL;
    bool fits = array != NULL && saei_shard_fits_column(shard, array);
    if (array != NULL && array->rank == 1 && !fits)
        saei_log(context, "%s: no column: %" PRIu64 " entries, but %s has %" PRIu64 " rows", path,
                 array->shape[0], shard->name, shard->rows);
    saei_reader_free(reader);
    if (fits)
        return saei_shard_add_column(shard, context, column,
                                     (saei_column){.source = SAEI_COLUMN_FILE, .path = path}, err);
    saei_free(context, path);
    return SAE_OK;
}

static sae_status add_files(saei_shard *shard, sae_context *context, sae_error *err)
{
    const char *path = shard->name, *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path;
    size_t folder_length = (size_t)(name - path), name_length = strlen(name);
    if (!ends_in(name, name_length, ".npy"))
        return SAE_OK;
    char *folder = NULL;
    sae_status status = saei_alloc(&folder, context, folder_length + 2, 1, err);
    if (status != SAE_OK)
        return status;
    memcpy(folder, folder_length > 0 ? path : ".", folder_length > 0 ? folder_length : 1);
    DIR *directory = opendir(folder);
    if (directory == NULL)
        status = saei_fail_errno(err, errno, "%s: looking for columns beside %s", folder, name);
    saei_free(context, folder);
    if (directory == NULL)
        return status;
    for (struct dirent *entry; status == SAE_OK && (entry = readdir(directory)) != NULL;) {
        char *column;
        status = column_of_file(&column, context, entry->d_name, name, name_length - strlen(".npy"), err);
        if (status == SAE_OK && column != NULL)
            status = add_file(shard, context, path, folder_length, entry->d_name, column, err);
        saei_free(context, column);
    }
    closedir(directory);
    return status;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const saei_column *)a)->name, ((const saei_column *)b)->name);
}

void saei_shard_sort_columns(saei_shard *shard)
{
    if (shard->n_columns > 1)
        qsort(shard->columns, shard->n_columns, sizeof *shard->columns, by_name);
}

/* Other tools call them "tokens" or "input_ids"; what pairs two dumps looks for token_ids. */
static sae_status add_token_ids(saei_shard *shard, sae_context *context, sae_error *err)
{
    static const char *const names[] = {"tokens", "input_ids"};
    for (size_t i = 0; i < 2; i++) {
        const saei_column *column = saei_shard_column(shard, names[i]);
        if (saei_shard_column(shard, "token_ids") == NULL && column != NULL &&
            column->source == SAEI_COLUMN_ARRAY && !saei_dtype_is_float(column->array->dtype))
            return saei_shard_add_column(shard, context, "token_ids", *column, err);
    }
    return SAE_OK;
}

sae_status saei_shard_find_columns(saei_shard *shard, sae_context *context, sae_error *err)
{
    sae_status status = add_arrays(shard, context, err);
    if (status == SAE_OK && strcmp(saei_reader_format(shard->reader), "npy") == 0)
        status = add_files(shard, context, err);
    if (status == SAE_OK)
        status = add_computed(shard, context, err);
    if (status == SAE_OK)
        status = add_token_ids(shard, context, err);
    saei_shard_sort_columns(shard);
    return status;
}

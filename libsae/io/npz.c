/* NumPy's .npz: a ZIP archive of .npy arrays. */
#include "base/context.h"
#include "base/error.h"
#include "base/memory.h"
#include "io/archive.h"
#include "io/npy.h"

#include <jansson.h>
#include <string.h>

typedef struct npz_array {
    saei_byte_run run;
    saei_strided array;
} npz_array;

typedef struct npz_file {
    sae_context *context;
    saei_zip *zip;
    npz_array *arrays;
    size_t n_arrays;
} npz_file;

static sae_status read_entries(void *out, void *state, size_t array, uint64_t first, uint64_t count,
                               sae_error *err)
{
    const npz_file *file = state;
    return saei_strided_read(out, &file->arrays[array].array, &file->arrays[array].run, first, count, err);
}

static void close_file(void *state)
{
    npz_file *file = state;
    saei_zip_free(file->zip);
    saei_free(file->context, file->arrays);
    saei_free(file->context, file);
}

static sae_status check_rest(void *state, sae_error *err)
{
    const npz_file *file = state;
    return saei_zip_check(file->zip, err);
}

static const saei_format format = {
    .name = "npz", .read = read_entries, .close = close_file, .check_rest = check_rest};

/* NAME of NAME.npy as a copy; *out is NULL when the member has another name. */
static sae_status array_name(char **out, sae_context *context, const char *member, sae_error *err)
{
    const size_t suffix = strlen(".npy");
    size_t n = strlen(member);
    *out = NULL;
    if (n < suffix || strcmp(member + n - suffix, ".npy") != 0)
        return SAE_OK;
    sae_status status = saei_alloc(out, context, n - suffix + 1, 1, err);
    if (status == SAE_OK)
        memcpy(*out, member, n - suffix);
    return status;
}

/* What holds no numbers, such as an array of texts, is left out; it is no reason to refuse the others. */
static sae_status add_member(npz_file *file, saei_reader *reader, const saei_zip_member *member,
                             sae_error *err)
{
    char *name;
    sae_error why;
    npz_array *added = &file->arrays[file->n_arrays];
    sae_status status = array_name(&name, file->context, member->name, err);
    if (status != SAE_OK)
        return status;
    if (name == NULL) {
        saei_log(file->context, "%s: %s is no .npy array: left out", saei_reader_path(reader), member->name);
        return SAE_OK;
    }
    added->run = saei_zip_run(member);
    status = saei_npy_parse(&added->array, &added->run, &why);
    if (status == SAE_OK) {
        file->n_arrays++;
        status = saei_reader_add_strided(reader, name, &added->array, &added->run, err);
    } else if (status == SAE_E_UNSUPPORTED) {
        saei_log(file->context, "left out: %s", why.text);
        status = SAE_OK;
    } else if (err != NULL)
        *err = why;
    saei_free(file->context, name);
    return status;
}

/* A JSON object of texts in the comment of the archive, as libsae writes it, is its attributes; any other
   comment says nothing. */
static sae_status add_attributes(saei_reader *reader, const saei_zip *zip, sae_error *err)
{
    size_t bytes;
    const char *comment = saei_zip_comment(zip, &bytes), *key;
    json_t *object = comment != NULL ? json_loadb(comment, bytes, JSON_REJECT_DUPLICATES, NULL) : NULL,
           *value;
    sae_status status = SAE_OK;
    json_object_foreach(object, key, value) if (status == SAE_OK && json_is_string(value)) status =
        saei_reader_add_attribute(reader, key, json_string_value(value), err);
    json_decref(object);
    return status;
}

sae_status saei_npz_open(saei_reader *reader, saei_zip *zip, sae_error *err)
{
    npz_file *file;
    sae_context *context = saei_reader_context(reader);
    sae_status status = saei_alloc(&file, context, 1, sizeof *file, err);
    if (status != SAE_OK) {
        saei_zip_free(zip);
        return status;
    }
    file->context = context;
    file->zip = zip;
    saei_reader_set_format(reader, &format, file);
    status = saei_alloc(&file->arrays, context, saei_zip_count(zip), sizeof *file->arrays, err);
    for (size_t i = 0; status == SAE_OK && i < saei_zip_count(zip); i++)
        status = add_member(file, reader, saei_zip_at(zip, i), err);
    if (status == SAE_OK)
        status = add_attributes(reader, zip, err);
    if (status == SAE_OK && file->n_arrays == 0)
        status = saei_fail(err, SAE_E_UNSUPPORTED,
                           "%s: a ZIP archive without arrays of numbers: neither numpy.savez nor torch.save "
                           "wrote them",
                           saei_reader_path(reader));
    return status;
}

#include "io/flat_file.h"
#include "base/error.h"
#include "base/memory.h"
#include "io/crc32.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ARRAYS_MAX = 4096, NAME_BYTES_MAX = 1024, TEXT_BYTES_MAX = 65535, COPY_BYTES = 1 << 20 };

sae_status saei_flat_file_new(saei_flat_file **out, sae_context *context, saei_atomic_file *file,
                              const char *path, const saei_flat_format *format, sae_error *err)
{
    *out = NULL;
    saei_flat_file *flat;
    sae_status status = saei_alloc(&flat, context, 1, sizeof *flat, err);
    if (status != SAE_OK)
        return status;
    *flat = (saei_flat_file){.context = context, .file = file, .format = format};
    status = saei_strdup(&flat->path, context, path, err);
    if (status != SAE_OK) {
        saei_flat_file_free(flat);
        return status;
    }
    *out = flat;
    return SAE_OK;
}

void saei_flat_file_free(saei_flat_file *flat)
{
    if (flat == NULL)
        return;
    for (size_t i = 0; i < flat->n_arrays; i++) {
        saei_spool_free(flat->arrays[i].spool);
        saei_free(flat->context, flat->arrays[i].name);
    }
    for (size_t i = 0; i < flat->n_texts; i++) {
        saei_free(flat->context, (char *)flat->texts[i].key);
        saei_free(flat->context, (char *)flat->texts[i].value);
    }
    saei_free(flat->context, flat->order);
    saei_free(flat->context, flat->texts);
    saei_free(flat->context, flat->arrays);
    saei_free(flat->context, flat->path);
    saei_free(flat->context, flat);
}

sae_status saei_flat_file_text(saei_flat_file *flat, const char *name, const char *value, sae_error *err)
{
    if (flat->format->single)
        return SAE_OK;
    if (flat->order != NULL || strlen(value) > TEXT_BYTES_MAX)
        return saei_fail(err, SAE_E_ARGUMENT, "%s: the text %.80s is too long, or comes after rows",
                         flat->path, name);
    sae_status status = SAE_OK;
    if (flat->n_texts == flat->texts_room) {
        size_t room = flat->texts_room > 0 ? 2 * flat->texts_room : 8;
        status = saei_grow(&flat->texts, flat->context, flat->n_texts, room, sizeof *flat->texts, err);
        flat->texts_room = status == SAE_OK ? room : flat->texts_room;
    }
    char *key = NULL, *copy = NULL;
    if (status == SAE_OK)
        status = saei_strdup(&key, flat->context, name, err);
    if (status == SAE_OK)
        status = saei_strdup(&copy, flat->context, value, err);
    if (status == SAE_OK)
        flat->texts[flat->n_texts++] = (saei_metadata){key, copy};
    else
        saei_free(flat->context, key);
    return status;
}

static bool is_written(saei_dtype dtype)
{
    return dtype == SAEI_F16 || dtype == SAEI_BF16 || dtype == SAEI_F32 || dtype == SAEI_F64 ||
           dtype == SAEI_U32 || dtype == SAEI_U64;
}

static sae_status check_plan(const saei_flat_file *flat, const saei_array_plan *plan, sae_error *err)
{
    if (!is_written(plan->dtype))
        return saei_fail(err, SAE_E_ARGUMENT, "%s: array %.80s: %s is not written", flat->path, plan->name,
                         saei_dtype_name(plan->dtype));
    if (flat->order != NULL || flat->n_arrays == (flat->format->single ? 1 : ARRAYS_MAX))
        return saei_fail(err, SAE_E_ARGUMENT, "%s: array %.80s: too many arrays, or declared after rows",
                         flat->path, plan->name);
    if (plan->name[0] == '\0' || strlen(plan->name) > NAME_BYTES_MAX)
        return saei_fail(err, SAE_E_ARGUMENT, "%s: array \"%.40s…\": a name has 1 to %d bytes", flat->path,
                         plan->name, NAME_BYTES_MAX);
    uint64_t width = plan->columns > 0 ? plan->columns : 1,
             rows = plan->rows == SAEI_ROWS_OPEN ? 0 : plan->rows;
    if (width > UINT32_MAX / sizeof(double) || rows > INT64_MAX / (width * sizeof(double)))
        return saei_fail(err, SAE_E_ARGUMENT, "%s: array %.80s would be too large", flat->path, plan->name);
    for (size_t i = 0; i < flat->n_arrays; i++)
        if (strcmp(flat->arrays[i].name, plan->name) == 0)
            return saei_fail(err, SAE_E_ARGUMENT, "%s: two arrays called %.80s", flat->path, plan->name);
    return SAE_OK;
}

sae_status saei_flat_file_add(size_t *out, saei_flat_file *flat, const saei_array_plan *plan, sae_error *err)
{
    sae_status status = check_plan(flat, plan, err);
    if (status == SAE_OK && flat->n_arrays == flat->room) {
        size_t room = flat->room > 0 ? 2 * flat->room : 8;
        status = saei_grow(&flat->arrays, flat->context, flat->n_arrays, room, sizeof *flat->arrays, err);
        flat->room = status == SAE_OK ? room : flat->room;
    }
    saei_flat_array array = {.dtype = plan->dtype, .rows = plan->rows, .columns = plan->columns};
    array.row_bytes = saei_dtype_size(plan->dtype) * (plan->columns > 0 ? plan->columns : 1);
    if (status == SAE_OK)
        status = saei_strdup(&array.name, flat->context, plan->name, err);
    if (status != SAE_OK)
        return status;
    *out = flat->n_arrays;
    flat->arrays[flat->n_arrays++] = array;
    return SAE_OK;
}

/* Arrays that are open come last, for their sizes are known last. */
static int by_place(const void *a, const void *b)
{
    const saei_flat_array *x = *(saei_flat_array *const *)a, *y = *(saei_flat_array *const *)b;
    bool open_x = x->rows == SAEI_ROWS_OPEN, open_y = y->rows == SAEI_ROWS_OPEN;
    size_t wide_x = saei_dtype_size(x->dtype), wide_y = saei_dtype_size(y->dtype);
    if (open_x != open_y)
        return open_x ? 1 : -1;
    if (wide_x != wide_y)
        return wide_x > wide_y ? -1 : 1;
    return x < y ? -1 : 1;
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const saei_metadata *)a)->key, ((const saei_metadata *)b)->key);
}

static void place(saei_flat_file *flat, saei_flat_array *array)
{
    array->head = flat->end;
    array->data = array->head + (flat->format->head != NULL ? flat->format->head(flat, array) : 0);
    flat->end = array->data + saei_flat_bytes(array);
}

static sae_status open_spool(saei_flat_file *flat, saei_flat_array *array, sae_error *err)
{
    const char *temporary = saei_atomic_file_temporary(flat->file);
    size_t bytes = strlen(temporary) + 24;
    char *path;
    sae_status status = saei_alloc(&path, flat->context, bytes, 1, err);
    if (status != SAE_OK)
        return status;
    snprintf(path, bytes, "%s.%zu", temporary, (size_t)(array - flat->arrays));
    status = saei_spool_new(&array->spool, flat->context, path, flat->path, err);
    saei_free(flat->context, path);
    return status;
}

/* Gives every array its place or its temporary file. */
static sae_status begin(saei_flat_file *flat, sae_error *err)
{
    if (flat->order != NULL)
        return SAE_OK;
    sae_status status = saei_alloc(&flat->order, flat->context, flat->n_arrays, sizeof *flat->order, err);
    if (status != SAE_OK)
        return status;
    for (size_t i = 0; i < flat->n_arrays; i++)
        flat->order[i] = &flat->arrays[i];
    qsort(flat->order, flat->n_arrays, sizeof *flat->order, by_place);
    if (flat->n_texts > 0)
        qsort(flat->texts, flat->n_texts, sizeof *flat->texts, by_key);
    if (flat->format->front != NULL)
        status = flat->format->front(&flat->front, flat, err);
    flat->end = flat->front;
    for (size_t i = 0; i < flat->n_arrays && status == SAE_OK; i++) {
        if (flat->order[i]->rows == SAEI_ROWS_OPEN)
            status = open_spool(flat, flat->order[i], err);
        else
            place(flat, flat->order[i]);
    }
    return status;
}

static sae_status check_count(const saei_flat_file *flat, const saei_flat_array *array, uint64_t count,
                              sae_error *err)
{
    uint64_t total, bytes;
    if (__builtin_add_overflow(array->appended, count, &total) ||
        __builtin_mul_overflow(total, array->row_bytes, &bytes) || bytes > INT64_MAX || total > array->rows)
        return saei_fail(err, SAE_E_ARGUMENT, "%s: array %.80s: more rows than were declared", flat->path,
                         array->name);
    return SAE_OK;
}

sae_status saei_flat_file_append(saei_flat_file *flat, size_t index, const void *rows, uint64_t count,
                                 sae_error *err)
{
    saei_flat_array *array = &flat->arrays[index];
    sae_status status = begin(flat, err);
    if (status == SAE_OK)
        status = check_count(flat, array, count, err);
    size_t bytes = (size_t)(count * array->row_bytes);
    if (status == SAE_OK && array->spool != NULL)
        status = saei_spool_append(array->spool, rows, bytes, err);
    else if (status == SAE_OK)
        status = saei_atomic_file_write_at(flat->file, array->data + array->appended * array->row_bytes, rows,
                                           bytes, err);
    if (status != SAE_OK) {
        flat->failed = true;
        return status;
    }
    if (flat->format->crc && bytes > 0)
        array->crc = saei_crc32(array->crc, rows, bytes);
    array->appended += count;
    return SAE_OK;
}

/* From the temporary file, whose space is given back, to the place behind all others. */
static sae_status move_in(saei_flat_file *flat, saei_flat_array *array, void *block, sae_error *err)
{
    sae_status status = SAE_OK;
    array->rows = array->appended;
    place(flat, array);
    for (uint64_t done = 0, bytes = saei_flat_bytes(array); done < bytes && status == SAE_OK;) {
        size_t n = bytes - done < COPY_BYTES ? (size_t)(bytes - done) : COPY_BYTES;
        status = saei_spool_read(block, array->spool, done, n, err);
        if (status == SAE_OK)
            status = saei_atomic_file_write_at(flat->file, array->data + done, block, n, err);
        done += n;
    }
    saei_spool_free(array->spool);
    array->spool = NULL;
    return status;
}

static sae_status move_all(saei_flat_file *flat, sae_error *err)
{
    void *block;
    sae_status status = saei_alloc(&block, flat->context, COPY_BYTES, 1, err);
    for (size_t i = 0; i < flat->n_arrays && status == SAE_OK; i++) {
        saei_flat_array *array = flat->order[i];
        if (array->spool != NULL)
            status = move_in(flat, array, block, err);
        else if (array->appended != array->rows)
            status = saei_fail(err, SAE_E_ARGUMENT,
                               "%s: array %.80s has %" PRIu64 " of the %" PRIu64 " rows that were declared",
                               flat->path, array->name, array->appended, array->rows);
    }
    saei_free(flat->context, block);
    return status;
}

sae_status saei_flat_file_finish(saei_flat_file *flat, sae_error *err)
{
    if (flat->failed)
        return saei_fail(err, SAE_E_IO, "%s: not finished, since an earlier write failed", flat->path);
    sae_status status = begin(flat, err);
    if (status == SAE_OK)
        status = move_all(flat, err);
    return status == SAE_OK ? flat->format->finish(flat, err) : status;
}

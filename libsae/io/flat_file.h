/* A file in which arrays lie one behind the other, whatever stands around them: the writer of .npy, .npz, .pt
   and safetensors. Rows whose number is known go to their place at once; those of other arrays wait in a
   temporary file each and are copied behind them in the end. */
#ifndef SAEI_FLAT_FILE_H
#define SAEI_FLAT_FILE_H

#include "io/array_sink.h"
#include "io/safetensors.h"
#include "io/spool.h"

typedef struct saei_flat_array {
    char *name;
    saei_dtype dtype;
    uint64_t rows;    /* SAEI_ROWS_OPEN until all are there */
    uint64_t columns; /* 0: one-dimensional */
    uint64_t row_bytes;
    uint64_t appended; /* rows */
    uint64_t head;     /* where what stands before the data begins, and … */
    uint64_t data;     /* … where the data begin; both once it has a place */
    uint32_t crc;      /* of the rows, where the format wants it */
    saei_spool *spool; /* NULL: rows go to their place */
} saei_flat_array;

typedef struct saei_flat_format saei_flat_format;

typedef struct saei_flat_file {
    sae_context *context;
    saei_atomic_file *file;
    char *path; /* of the output, for messages */
    const saei_flat_format *format;
    saei_flat_array *arrays; /* as they were declared */
    size_t n_arrays, room;
    saei_flat_array **order; /* [n_arrays] as they lie in the file, from the first rows on */
    saei_metadata *texts;
    size_t n_texts, texts_room;
    uint64_t front, end; /* bytes before the first array; bytes so far */
    bool failed;
} saei_flat_file;

struct saei_flat_format {
    bool single; /* one array and no texts */
    bool crc;    /* of each array */
    /* Bytes before the first array, at least; NULL: none. All arrays are declared and in order. */
    sae_status (*front)(uint64_t *bytes, const saei_flat_file *flat, sae_error *err);
    /* Bytes before the data of an array whose number of rows is known; NULL: none. */
    size_t (*head)(const saei_flat_file *flat, const saei_flat_array *array);
    /* Writes all but the data, when these are in their places. */
    sae_status (*finish)(saei_flat_file *flat, sae_error *err);
};

extern const saei_flat_format saei_flat_npy, saei_flat_npz, saei_flat_torch, saei_flat_safetensors;

/* Borrows the file, which nobody else writes to. path: what errors call it. The functions do what those of
   the sink say. */
sae_status saei_flat_file_new(saei_flat_file **out, sae_context *context, saei_atomic_file *file,
                              const char *path, const saei_flat_format *format, sae_error *err);
void saei_flat_file_free(saei_flat_file *flat);
sae_status saei_flat_file_text(saei_flat_file *flat, const char *name, const char *value, sae_error *err);
sae_status saei_flat_file_add(size_t *out, saei_flat_file *flat, const saei_array_plan *plan, sae_error *err);
sae_status saei_flat_file_append(saei_flat_file *flat, size_t array, const void *rows, uint64_t count,
                                 sae_error *err);
sae_status saei_flat_file_finish(saei_flat_file *flat, sae_error *err);

/* For formats: the shape of an array, its rank, and its bytes without its head. */
static inline size_t saei_flat_rank(const saei_flat_array *array)
{
    return array->columns > 0 ? 2 : 1;
}

static inline uint64_t saei_flat_bytes(const saei_flat_array *array)
{
    return array->rows * array->row_bytes;
}

#endif

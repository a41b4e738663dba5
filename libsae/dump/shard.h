/* One file of a dump, rows in memory, or rows made of two other dumps: rows and columns before any selection.
 */
#ifndef SAEI_SHARD_H
#define SAEI_SHARD_H

#include "dump/sides.h"
#include "io/reader.h"

#include <pthread.h>

typedef enum saei_column_source {
    SAEI_COLUMN_ARRAY,     /* an array of the shard's file */
    SAEI_COLUMN_FILE,      /* a file beside the shard, opened for each pass: descriptors are scarce */
    SAEI_COLUMN_WHOLE,     /* the same, with the rows of all shards of a folder */
    SAEI_COLUMN_PROMPT,    /* the sequence of a row, as the ranges of the folder tell */
    SAEI_COLUMN_IN_PROMPT, /* its place in that sequence */
    SAEI_COLUMN_SEQUENCE,  /* row / rows_per_entry, counted on over the shards */
    SAEI_COLUMN_POSITION,  /* row % rows_per_entry */
    SAEI_COLUMN_MEMORY,
    SAEI_COLUMN_DUMP /* the column of that name of another dump, of the same rows */
} saei_column_source;

typedef struct saei_ranges saei_ranges;

typedef struct saei_column {
    char *name;
    saei_column_source source;
    const saei_array_info *array; /* SAEI_COLUMN_ARRAY */
    char *path;                   /* SAEI_COLUMN_FILE, _WHOLE */
    uint64_t first;               /* _WHOLE, _PROMPT, _IN_PROMPT: of the folder's rows, the shard's first */
    const saei_ranges *ranges;    /* _PROMPT, _IN_PROMPT */
    uint64_t first_prompt;        /* _PROMPT: prompts of the folders before */
    double *values;               /* SAEI_COLUMN_MEMORY: [rows] */
    const sae_dump *dump;         /* SAEI_COLUMN_DUMP */
} saei_column;

typedef struct saei_shard {
    const char *name;    /* path, for messages */
    sae_view view;       /* rows in memory; unused when there is a reader */
    saei_reader *reader; /* NULL: rows in memory, or made of two dumps */
    saei_sides *sides;   /* of two dumps */
    const saei_array_info *array;
    size_t d;
    uint64_t first, rows;    /* the shard holds rows first .. first + rows - 1 of the dump */
    uint64_t first_sequence; /* entries of the shards before */
    uint64_t rows_per_entry; /* positions of a 3-D array [sequence, position, d]; 1 for a 2-D array */
    uint64_t block_rows;     /* rows read together when only some are wanted: a multiple of rows_per_entry */
    bool any_run;            /* short of whole blocks, reading a run of rows costs no more than the run */
    saei_column *columns;
    size_t n_columns;
} saei_shard;

/* What the reads of a dump share: the block that was decoded last, for random reads would inflate a chunk
   once for every row otherwise, and work space for inflating. */
typedef struct saei_block_cache {
    pthread_mutex_t mutex;
    const saei_shard *shard; /* NULL: empty */
    uint64_t block;
    float *rows; /* [largest block_rows, d]; NULL: all shards are in memory, or it rests */
    saei_inflater *inflater;
    sae_context *context;
    size_t floats;
    uint64_t packed_bytes;
    bool rests; /* what it holds was given back; the next read takes it again */
} saei_block_cache;

/* floats: of the largest block; packed_bytes: of the largest chunk that is inflated. */
sae_status saei_block_cache_new(saei_block_cache **out, sae_context *context, size_t floats,
                                uint64_t packed_bytes, sae_error *err);
void saei_block_cache_free(saei_block_cache *cache);
/* Gives the memory back until the next read. Not while another thread reads. */
void saei_block_cache_rest(saei_block_cache *cache);

/* Reads rows first .. first + count - 1 of the shard as float32 into out [count, d]; *finite becomes false
   when one holds NaN or infinity. Allocates nothing but after a rest of the cache. */
sae_status saei_shard_read(float *out, bool *finite, const saei_shard *shard, saei_block_cache *cache,
                           uint64_t first, uint64_t count, const saei_lone_reader *alone, sae_error *err);

/* NULL: the shard has no such column. */
const saei_column *saei_shard_column(const saei_shard *shard, const char *name);

/* Whether the array has one number for each row: [rows], or [sequence, position] beside [sequence, position,
 * d]. */
bool saei_shard_fits_column(const saei_shard *shard, const saei_array_info *array);

/* An open column: several reads of one column open its file once. */
typedef struct saei_column_reader {
    const saei_shard *shard;
    const saei_column *column;
    saei_reader *own; /* of SAEI_COLUMN_FILE */
} saei_column_reader;

sae_status saei_column_open(saei_column_reader *out, sae_context *context, const saei_shard *shard,
                            const char *name, sae_error *err);
void saei_column_close(saei_column_reader *reader);
/* Rows first .. first + count - 1 of the shard; first must be a multiple of rows_per_entry, and so must count
   unless it reaches the end. */
sae_status saei_column_read(double *out, const saei_column_reader *reader, uint64_t first, uint64_t count,
                            sae_error *err);

/* Frees columns and reader; the struct itself belongs to the dump. */
void saei_shard_close(saei_shard *shard, sae_context *context);

#endif

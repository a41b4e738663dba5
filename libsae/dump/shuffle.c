/* An exact shuffle of a dump that may be larger than memory. Every row draws a random key, and the rows are
   written in the order of their keys: first they are scattered over buckets, ranges of keys, then each bucket
   is sorted in memory. The order follows from the seed and the number of rows, not from how many buckets
   there are. */
#include "base/context.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/options.h"
#include "base/rng.h"
#include "dump/handle.h"
#include "dump/dump_output.h"
#include "dump/stored_rows.h"
#include "dump/write_column.h"
#include "io/bucket_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXTENT_BYTES_MAX = 1 << 20, PIECE_BYTES_MAX = 16 << 20, BLOCK_BYTES = 1 << 20, BUCKETS_MAX = 1 << 20 };

/* Two keys are equal once in 2^128 pairs of rows; the earlier row then comes first. */
typedef struct row_key {
    uint64_t high, low, row;
} row_key;

typedef struct shuffle {
    sae_context *context;
    const sae_dump *dump;
    sae_shuffle_options options;
    saei_dump_output *output;
    saei_bucket_file *buckets;
    saei_dtype dtype;
    size_t n_columns, row_bytes, record_bytes, n_buckets;
    bool *counts; /* [n_columns] */
    saei_rng rng;
    uint64_t scattered; /* rows */
} shuffle;

/* A record: its key, the values of its columns, the row as stored. */
enum { KEY_BYTES = sizeof(row_key) };

static size_t columns_at(size_t column)
{
    return KEY_BYTES + column * sizeof(double);
}

void sae_shuffle_options_init(sae_shuffle_options *options)
{
    *options = (sae_shuffle_options){.size = sizeof *options};
}

static sae_status tell(const shuffle *s, const char *stage, uint64_t done, sae_error *err)
{
    const sae_shuffle_options *o = &s->options;
    if (o->progress != NULL && o->progress(o->progress_user, stage, done, sae_dump_rows(s->dump)) != 0)
        return saei_fail(err, SAE_STOPPED, "%s: stopped while %s", sae_dump_name(s->dump), stage);
    return SAE_OK;
}

/* Part of a shard while it is scattered. */
typedef struct piece {
    unsigned char *rows;
    double *values; /* [n_columns, most] */
    saei_column_reader *readers;
    size_t most; /* rows: a multiple of the block of the shard */
} piece;

static sae_status add_record(shuffle *s, const piece *p, size_t i, sae_error *err)
{
    row_key key = {saei_rng_next(&s->rng), saei_rng_next(&s->rng), s->scattered++};
    size_t bucket = (size_t)((key.high >> 32) * s->n_buckets >> 32);
    unsigned char *record;
    sae_status status = saei_bucket_file_add(&record, s->buckets, bucket, err);
    if (status != SAE_OK)
        return status;
    memcpy(record, &key, sizeof key);
    for (size_t c = 0; c < s->n_columns; c++) {
        const double *value = p->values + c * p->most + i;
        memcpy(record + columns_at(c), value, sizeof *value);
        s->counts[c] = s->counts[c] && saei_are_counts(value, 1);
    }
    memcpy(record + columns_at(s->n_columns), p->rows + i * s->row_bytes, s->row_bytes);
    return SAE_OK;
}

static sae_status scatter_piece(shuffle *s, const piece *p, const saei_shard *shard, uint64_t first, size_t n,
                                sae_error *err)
{
    sae_status status = saei_stored_rows_read(p->rows, s->dump, shard, s->dtype, first, n, err);
    for (size_t c = 0; c < s->n_columns && status == SAE_OK; c++)
        status = saei_column_read(p->values + c * p->most, &p->readers[c], first, n, err);
    uint64_t start = shard->first + first, end = start + n;
    const saei_selection *selection = &s->dump->selection;
    for (uint64_t row = saei_selection_next(selection, start); row < end && status == SAE_OK;
         row = saei_selection_next(selection, row + 1))
        status = add_record(s, p, (size_t)(row - start), err);
    return status == SAE_OK ? tell(s, "scattering rows", s->scattered, err) : status;
}

static sae_status allocate_piece(piece *p, const shuffle *s, const saei_shard *shard, sae_error *err)
{
    size_t unit = saei_add(s->row_bytes, s->n_columns * sizeof *p->values);
    uint64_t bytes = saei_memory_left(s->context) / 4, block = shard->block_rows;
    uint64_t blocks = (bytes < PIECE_BYTES_MAX ? bytes : PIECE_BYTES_MAX) / saei_mul(unit, (size_t)block);
    p->most = (size_t)((blocks > 0 ? blocks : 1) * block);
    sae_status status = saei_alloc(&p->rows, s->context, p->most, s->row_bytes, err);
    if (status == SAE_OK)
        status = saei_alloc(&p->values, s->context, saei_mul(p->most, s->n_columns), sizeof *p->values, err);
    if (status == SAE_OK)
        status = saei_alloc(&p->readers, s->context, s->n_columns, sizeof *p->readers, err);
    return status;
}

static sae_status scatter_shard(shuffle *s, const saei_shard *shard, sae_error *err)
{
    piece p = {0};
    size_t opened = 0;
    sae_status status = allocate_piece(&p, s, shard, err);
    for (; opened < s->n_columns && status == SAE_OK; opened += status == SAE_OK)
        status = saei_column_open(&p.readers[opened], s->context, shard,
                                  sae_dump_column_name(s->dump, opened), err);
    for (uint64_t first = 0; first < shard->rows && status == SAE_OK; first += p.most) {
        uint64_t left = shard->rows - first;
        status = scatter_piece(s, &p, shard, first, left < p.most ? (size_t)left : p.most, err);
    }
    while (opened > 0)
        saei_column_close(&p.readers[--opened]);
    saei_free(s->context, p.readers);
    saei_free(s->context, p.values);
    saei_free(s->context, p.rows);
    return status;
}

/* A record in the order of the keys. */
typedef struct entry {
    row_key key;
    size_t record;
} entry;

static int by_key(const void *a, const void *b)
{
    const row_key *x = &((const entry *)a)->key, *y = &((const entry *)b)->key;
    if (x->high != y->high)
        return x->high < y->high ? -1 : 1;
    if (x->low != y->low)
        return x->low < y->low ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

/* A bucket in memory, n records of it. */
typedef struct bucket {
    unsigned char *records, *block; /* block: [block_rows, row_bytes], rows in order */
    entry *order;
    double *values;
    size_t n, block_rows;
} bucket;

static sae_status sort_bucket(bucket *b, const shuffle *s, size_t index, sae_error *err)
{
    b->n = (size_t)saei_bucket_file_count(s->buckets, index);
    sae_status status = saei_bucket_file_read(b->records, s->buckets, index, err);
    if (status != SAE_OK)
        return status;
    for (size_t i = 0; i < b->n; i++) {
        memcpy(&b->order[i].key, b->records + i * s->record_bytes, sizeof b->order[i].key);
        b->order[i].record = i;
    }
    if (b->n > 1)
        qsort(b->order, b->n, sizeof *b->order, by_key);
    return SAE_OK;
}

static const unsigned char *field(const bucket *b, const shuffle *s, size_t i, size_t column)
{
    return b->records + b->order[i].record * s->record_bytes + columns_at(column);
}

static sae_status write_bucket(bucket *b, const shuffle *s, sae_error *err)
{
    sae_status status = SAE_OK;
    for (size_t first = 0; first < b->n && status == SAE_OK; first += b->block_rows) {
        size_t n = b->n - first < b->block_rows ? b->n - first : b->block_rows;
        for (size_t i = 0; i < n; i++)
            memcpy(b->block + i * s->row_bytes, field(b, s, first + i, s->n_columns), s->row_bytes);
        status = saei_dump_output_rows(s->output, b->block, n, err);
    }
    for (size_t c = 0; c < s->n_columns && status == SAE_OK; c++) {
        for (size_t i = 0; i < b->n; i++)
            memcpy(&b->values[i], field(b, s, i, c), sizeof *b->values);
        status = saei_dump_output_column(s->output, c, b->values, b->n, err);
    }
    return status;
}

static sae_status allocate_bucket(bucket *b, const shuffle *s, sae_error *err)
{
    uint64_t most = 0;
    for (size_t i = 0; i < s->n_buckets; i++)
        if (saei_bucket_file_count(s->buckets, i) > most)
            most = saei_bucket_file_count(s->buckets, i);
    uint64_t left = saei_memory_left(s->context) / 8;
    b->block_rows = (size_t)(left < BLOCK_BYTES ? left : BLOCK_BYTES) / s->row_bytes + 1;
    sae_status status = saei_alloc(&b->records, s->context, (size_t)most, s->record_bytes, err);
    if (status == SAE_OK)
        status = saei_alloc(&b->order, s->context, (size_t)most, sizeof *b->order, err);
    if (status == SAE_OK)
        status = saei_alloc(&b->values, s->context, (size_t)most, sizeof *b->values, err);
    if (status == SAE_OK)
        status = saei_alloc(&b->block, s->context, b->block_rows, s->row_bytes, err);
    return status;
}

static sae_status write_buckets(const shuffle *s, sae_error *err)
{
    bucket b = {0};
    uint64_t written = 0;
    sae_status status = allocate_bucket(&b, s, err);
    for (size_t i = 0; i < s->n_buckets && status == SAE_OK; i++) {
        status = tell(s, "writing rows", written, err);
        if (status == SAE_OK)
            status = sort_bucket(&b, s, i, err);
        if (status == SAE_OK)
            status = write_bucket(&b, s, err);
        written += b.n;
    }
    saei_free(s->context, b.block);
    saei_free(s->context, b.values);
    saei_free(s->context, b.order);
    saei_free(s->context, b.records);
    return status == SAE_OK ? tell(s, "writing rows", written, err) : status;
}

/* A quarter of the memory left holds a bucket and what sorting it takes; another quarter the extents while
   the buckets fill. */
static sae_status open_buckets(shuffle *s, sae_error *err)
{
    const size_t sorting = 2 * sizeof(entry) + sizeof(double);
    uint64_t quarter = saei_memory_left(s->context) / 4, rows = sae_dump_rows(s->dump);
    uint64_t per_bucket = quarter / (s->record_bytes + sorting);
    uint64_t n_buckets = per_bucket > 0 ? rows / per_bucket + 1 : UINT64_MAX;
    uint64_t extent = quarter / n_buckets < EXTENT_BYTES_MAX ? quarter / n_buckets : EXTENT_BYTES_MAX;
    if (n_buckets > BUCKETS_MAX || extent < s->record_bytes)
        return saei_fail(err, SAE_E_MEMORY, "%s: too large to be shuffled within %.1f MB; raise the limit",
                         sae_dump_name(s->dump), (double)sae_context_memory_limit(s->context) / 1e6);
    s->n_buckets = (size_t)n_buckets;
    const char *temporary = saei_dump_output_temporary(s->output);
    char *path;
    sae_status status = saei_alloc(&path, s->context, strlen(temporary) + sizeof ".rows", 1, err);
    if (status != SAE_OK)
        return status;
    sprintf(path, "%s.rows", temporary);
    status = saei_bucket_file_new(&s->buckets, s->context, path, s->n_buckets, s->record_bytes,
                                  (size_t)extent / s->record_bytes, err);
    saei_free(s->context, path);
    return status;
}

static sae_status prepare(shuffle *s, const char *path, sae_error *err)
{
    s->dtype = saei_stored_rows_dtype(s->dump);
    s->row_bytes = saei_mul(s->dump->d, saei_dtype_size(s->dtype));
    sae_status status = saei_dump_output_open(&s->output, s->dump, path, s->dtype, s->options.overwrite, err);
    if (status != SAE_OK)
        return status;
    s->n_columns = saei_dump_output_has_columns(s->output) ? sae_dump_columns(s->dump) : 0;
    s->record_bytes = saei_add(columns_at(s->n_columns), s->row_bytes);
    s->rng = saei_rng_new(s->options.seed, SAEI_STREAM_SHUFFLE, 0);
    status = saei_alloc(&s->counts, s->context, s->n_columns, sizeof *s->counts, err);
    for (size_t c = 0; c < s->n_columns && status == SAE_OK; c++)
        s->counts[c] = true;
    return status == SAE_OK ? open_buckets(s, err) : status;
}

static sae_status begin_output(const shuffle *s, sae_error *err)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, s->options.seed);
    sae_status status = saei_dump_output_attribute(s->output, "shuffle_seed", text, err);
    return status == SAE_OK ? saei_dump_output_begin(s->output, s->counts, err) : status;
}

static sae_status run(shuffle *s, const char *path, sae_error *err)
{
    sae_status status = prepare(s, path, err);
    for (size_t i = 0; i < s->dump->n_shards && status == SAE_OK; i++)
        status = scatter_shard(s, &s->dump->shards[i], err);
    if (status == SAE_OK)
        status = saei_bucket_file_flush(s->buckets, err);
    if (status == SAE_OK)
        status = begin_output(s, err);
    if (status == SAE_OK)
        status = write_buckets(s, err);
    if (status == SAE_OK)
        status = saei_dump_output_finish(&s->output, err);
    return status;
}

sae_status sae_dump_shuffle(const sae_dump *dump, const char *path, const sae_shuffle_options *options,
                            sae_error *err)
{
    shuffle s = {.context = dump->context, .dump = dump};
    sae_shuffle_options_init(&s.options);
    sae_status status = saei_options_read(&s.options, sizeof s.options, options, err);
    if (status == SAE_OK)
        status = run(&s, path, err);
    saei_bucket_file_free(s.buckets);
    saei_dump_output_discard(s.output);
    saei_free(s.context, s.counts);
    return status;
}

#include "dump/rewrite.h"
#include "base/context.h"
#include "base/error.h"
#include "base/memory.h"
#include "dump/dump_output.h"
#include "dump/stored_rows.h"
#include "dump/write_column.h"

#include <inttypes.h>
#include <string.h>

enum { PIECE_BYTES = 4 << 20 };

typedef struct rewrite {
    const saei_rewrite *how;
    const sae_dump *dump;
    saei_dump_output *output;
    saei_selection chosen; /* rows of the files that meet how->where, whether or not the dump selects them */
    saei_dtype dtype;
    size_t n_columns, row_bytes;
    bool *counts; /* [n_columns] */
    uint64_t written, changed;
} rewrite;

/* Part of a shard; the rows that the dump selects are moved to its front. */
typedef struct piece {
    unsigned char *rows;         /* [most, d] as stored */
    double *values;              /* [n_columns, most] */
    saei_column_reader *readers; /* [n_columns] */
    float *floats;               /* [most, d] the rows to be changed */
    size_t *place;               /* [most] where in `rows` each of these is */
    size_t most, n, n_changed;   /* most: a multiple of the block of the shard */
} piece;

static void choose_rows(void *arg, const unsigned char *holds, uint64_t first, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        if (holds[i])
            saei_selection_set(arg, first + i, true);
}

static bool is_in(const saei_selection *selection, uint64_t row)
{
    return saei_selection_run(selection, row, 1) == 1;
}

static sae_status choose(rewrite *r, sae_error *err)
{
    const sae_dump *dump = r->dump;
    r->chosen = saei_selection_all(sae_dump_rows_total(dump));
    if (r->how->where == NULL)
        return SAE_OK;
    sae_status status = saei_selection_allocate(&r->chosen, dump->context, false, err);
    if (status == SAE_OK)
        status = saei_dump_match_all(dump, r->how->where, choose_rows, &r->chosen, err);
    if (status != SAE_OK)
        return status;
    saei_selection_count(&r->chosen);
    uint64_t row = saei_selection_next(&r->chosen, 0);
    while (row < r->chosen.total && !is_in(&dump->selection, row))
        row = saei_selection_next(&r->chosen, row + 1);
    return row < r->chosen.total ? SAE_OK
                                 : saei_fail(err, SAE_E_ARGUMENT, "%s: no row matches --where '%.200s'",
                                             dump->name, r->how->where);
}

/* The type of a column is needed before its first value is written. */
static sae_status look_at_columns(rewrite *r, sae_error *err)
{
    sae_status status = saei_alloc(&r->counts, r->dump->context, r->n_columns, sizeof *r->counts, err);
    for (size_t c = 0; c < r->n_columns && status == SAE_OK; c++)
        status = saei_column_is_counts(&r->counts[c], r->dump, sae_dump_column_name(r->dump, c), err);
    return status;
}

static bool is_replaced(const saei_rewrite *how, const char *name)
{
    for (size_t i = 0; i < how->n_attributes; i++)
        if (strcmp(how->attributes[i].name, name) == 0)
            return true;
    return false;
}

static sae_status write_attributes(const rewrite *r, sae_error *err)
{
    const saei_reader *reader = r->dump->shards[0].reader;
    sae_status status = SAE_OK;
    for (size_t i = 0; reader != NULL && i < saei_reader_attributes(reader) && status == SAE_OK; i++) {
        const char *name = saei_reader_attribute_name(reader, i);
        if (!is_replaced(r->how, name))
            status = saei_dump_output_attribute(r->output, name, saei_reader_attribute_value(reader, i), err);
    }
    for (size_t i = 0; i < r->how->n_attributes && status == SAE_OK; i++)
        status = saei_dump_output_attribute(r->output, r->how->attributes[i].name,
                                            r->how->attributes[i].value, err);
    return status;
}

static sae_status begin(rewrite *r, const char *path, sae_error *err)
{
    r->dtype = saei_stored_rows_dtype(r->dump);
    r->row_bytes = saei_mul(r->dump->d, saei_dtype_size(r->dtype));
    sae_status status = saei_dump_output_open(&r->output, r->dump, path, r->dtype, r->how->overwrite, err);
    if (status == SAE_OK && r->how->change != NULL)
        status = choose(r, err);
    if (status != SAE_OK)
        return status;
    r->n_columns = saei_dump_output_has_columns(r->output) ? sae_dump_columns(r->dump) : 0;
    status = look_at_columns(r, err);
    if (status == SAE_OK)
        status = write_attributes(r, err);
    return status == SAE_OK ? saei_dump_output_begin(r->output, r->counts, err) : status;
}

/* Moves the selected rows, and what goes with them, to the front. */
static void keep_selected(piece *p, const rewrite *r, uint64_t start, uint64_t end)
{
    const saei_selection *selection = &r->dump->selection;
    p->n = p->n_changed = 0;
    for (uint64_t row = saei_selection_next(selection, start); row < end;
         row = saei_selection_next(selection, row + 1)) {
        size_t from = (size_t)(row - start), to = p->n++;
        if (from != to)
            memcpy(p->rows + to * r->row_bytes, p->rows + from * r->row_bytes, r->row_bytes);
        for (size_t c = 0; c < r->n_columns; c++)
            p->values[c * p->most + to] = p->values[c * p->most + from];
        if (r->how->change != NULL && is_in(&r->chosen, row))
            p->place[p->n_changed++] = to;
    }
}

/* row: as computed; afterwards as stored. */
static sae_status store_row(const rewrite *r, unsigned char *out, float *row, uint64_t index, sae_error *err)
{
    size_t d = r->dump->d;
    saei_dtype_from_f32(out, r->dtype, row, d);
    if (saei_dtype_to_f32(row, r->dtype, out, d))
        return SAE_OK;
    return saei_fail(err, SAE_E_NONFINITE,
                     "%s: selected row %" PRIu64
                     " would hold a number beyond %s; choose a lower strength, or write "
                     "from a float32 dump",
                     r->dump->name, index, saei_dtype_name(r->dtype));
}

static sae_status change_rows(rewrite *r, piece *p, sae_error *err)
{
    size_t d = r->dump->d;
    bool finite = true;
    for (size_t i = 0; i < p->n_changed; i++)
        finite &= saei_dtype_to_f32(p->floats + i * d, r->dtype, p->rows + p->place[i] * r->row_bytes, d);
    if (!finite)
        return saei_dump_fail_nonfinite(r->dump, err);
    sae_status status =
        p->n_changed > 0 ? r->how->change(r->how->user, p->floats, p->n_changed, err) : SAE_OK;
    for (size_t i = 0; i < p->n_changed && status == SAE_OK; i++)
        status = store_row(r, p->rows + p->place[i] * r->row_bytes, p->floats + i * d,
                           r->written + p->place[i], err);
    r->changed += p->n_changed;
    return status;
}

static sae_status rewrite_piece(rewrite *r, piece *p, const saei_shard *shard, uint64_t first, size_t n,
                                sae_error *err)
{
    sae_status status = saei_stored_rows_read(p->rows, r->dump, shard, r->dtype, first, n, err);
    for (size_t c = 0; c < r->n_columns && status == SAE_OK; c++)
        status = saei_column_read(p->values + c * p->most, &p->readers[c], first, n, err);
    if (status != SAE_OK)
        return status;
    keep_selected(p, r, shard->first + first, shard->first + first + n);
    status = change_rows(r, p, err);
    if (status == SAE_OK)
        status = saei_dump_output_rows(r->output, p->rows, p->n, err);
    for (size_t c = 0; c < r->n_columns && status == SAE_OK; c++)
        status = saei_dump_output_column(r->output, c, p->values + c * p->most, p->n, err);
    r->written += p->n;
    const saei_rewrite *how = r->how;
    if (status == SAE_OK && how->progress != NULL &&
        how->progress(how->progress_user, "writing rows", r->written, sae_dump_rows(r->dump)) != 0)
        return saei_fail(err, SAE_STOPPED, "%s: stopped while writing rows", r->dump->name);
    return status;
}

static sae_status allocate_piece(piece *p, const rewrite *r, const saei_shard *shard, sae_error *err)
{
    sae_context *context = r->dump->context;
    size_t d = r->dump->d, block = (size_t)shard->block_rows;
    size_t blocks = PIECE_BYTES / saei_mul(saei_mul(d, sizeof *p->floats), block);
    p->most = saei_mul(blocks > 0 ? blocks : 1, block);
    sae_status status = saei_alloc(&p->rows, context, p->most, r->row_bytes, err);
    if (status == SAE_OK)
        status = saei_alloc(&p->values, context, saei_mul(p->most, r->n_columns), sizeof *p->values, err);
    if (status == SAE_OK)
        status = saei_alloc(&p->readers, context, r->n_columns, sizeof *p->readers, err);
    if (status == SAE_OK)
        status = saei_alloc(&p->floats, context, saei_mul(p->most, d), sizeof *p->floats, err);
    if (status == SAE_OK)
        status = saei_alloc(&p->place, context, p->most, sizeof *p->place, err);
    return status;
}

static sae_status rewrite_shard(rewrite *r, const saei_shard *shard, sae_error *err)
{
    sae_context *context = r->dump->context;
    piece p = {0};
    size_t opened = 0;
    sae_status status = allocate_piece(&p, r, shard, err);
    for (; opened < r->n_columns && status == SAE_OK; opened += status == SAE_OK)
        status =
            saei_column_open(&p.readers[opened], context, shard, sae_dump_column_name(r->dump, opened), err);
    for (uint64_t first = 0; first < shard->rows && status == SAE_OK; first += p.most) {
        uint64_t left = shard->rows - first;
        status = rewrite_piece(r, &p, shard, first, left < p.most ? (size_t)left : p.most, err);
    }
    while (opened > 0)
        saei_column_close(&p.readers[--opened]);
    saei_free(context, p.place);
    saei_free(context, p.floats);
    saei_free(context, p.readers);
    saei_free(context, p.values);
    saei_free(context, p.rows);
    return status;
}

sae_status saei_dump_rewrite(uint64_t *changed, const sae_dump *dump, const char *path,
                             const saei_rewrite *how, sae_error *err)
{
    rewrite r = {.how = how, .dump = dump};
    sae_status status = begin(&r, path, err);
    for (size_t i = 0; i < dump->n_shards && status == SAE_OK; i++)
        status = rewrite_shard(&r, &dump->shards[i], err);
    if (status == SAE_OK)
        status = saei_dump_output_finish(&r.output, err);
    saei_dump_output_discard(r.output);
    saei_selection_free(&r.chosen, dump->context);
    saei_free(dump->context, r.counts);
    *changed = status == SAE_OK ? r.changed : 0;
    return status;
}

sae_status sae_dump_save(const sae_dump *dump, const char *path, bool overwrite, sae_progress_fn progress,
                         void *user, sae_error *err)
{
    uint64_t changed;
    const saei_rewrite how = {.overwrite = overwrite, .progress = progress, .progress_user = user};
    return saei_dump_rewrite(&changed, dump, path, &how, err);
}

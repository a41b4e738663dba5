/* The sparse codes of a dump, row after row, into any file that holds arrays: docs/FORMATS.md, "Codes". */
#include "base/error.h"
#include "base/memory.h"
#include "dump/dump.h"
#include "dump/write_column.h"
#include "report/report_sink.h"
#include "sae/report.h"

#include <stdio.h>
#include <string.h>

enum { BLOCK_ROWS = 2048, NAME_BYTES = 256 };

typedef struct column {
    size_t array;
    bool counts;
} column;

typedef struct codes_file {
    sae_context *context;
    const sae_model *model;
    const sae_dump *dump;
    saei_array_sink *sink;
    size_t shape, row_ptr, latent, value; /* numbers of the arrays */
    size_t row_shift, row_scale;          /* the same, where the model normalises rows */
    bool normalised;
    column *columns;  /* as those of the dump */
    uint64_t entries; /* written so far */
    float *rows;      /* [BLOCK_ROWS, d] */
    uint64_t *ends;   /* [BLOCK_ROWS] */
    sae_codes *codes;
} codes_file;

static sae_status write_texts(codes_file *f, sae_error *err)
{
    sae_params params = sae_model_params(f->model);
    sae_status status = saei_array_sink_text(f->sink, "format", "libsae-codes", err);
    if (status == SAE_OK)
        status = saei_array_sink_text(f->sink, "dump", sae_dump_name(f->dump), err);
    if (status == SAE_OK)
        status = saei_array_sink_text(f->sink, "activation", sae_activation_name(params.activation), err);
    if (status == SAE_OK && f->normalised)
        status = saei_array_sink_text(f->sink, "row_norm", sae_row_norm_name(params.row_norm), err);
    if (status == SAE_OK)
        status = saei_report_count(f->sink, "rows", sae_dump_rows(f->dump), err);
    if (status == SAE_OK)
        status = saei_report_count(f->sink, "d", sae_model_dim(f->model), err);
    if (status == SAE_OK)
        status = saei_report_count(f->sink, "n_latents", sae_model_latents(f->model), err);
    return status == SAE_OK ? saei_report_count(f->sink, "k", sae_model_k(f->model), err) : status;
}

/* A column that is called as one of our arrays goes elsewhere. */
static bool is_taken(const codes_file *f, const char *name)
{
    static const char *const ours[] = {"shape", "row_ptr", "latent", "value", "row_shift", "row_scale"};
    for (size_t i = 0; i < (f->normalised ? 6 : 4); i++)
        if (strcmp(name, ours[i]) == 0)
            return true;
    return false;
}

static sae_status declare_column(codes_file *f, size_t i, sae_error *err)
{
    const char *name = sae_dump_column_name(f->dump, i);
    char path[NAME_BYTES];
    if (snprintf(path, sizeof path, "%s%s", is_taken(f, name) ? "columns/" : "", name) >= (int)sizeof path)
        return saei_fail(err, SAE_E_UNSUPPORTED, "%s: the name of column '%.40s…' is too long",
                         sae_dump_name(f->dump), name);
    column *c = &f->columns[i];
    sae_status status = saei_column_is_counts(&c->counts, f->dump, name, err);
    const saei_array_plan plan = {path, saei_column_dtype(c->counts), sae_dump_rows(f->dump), 0, false};
    return status == SAE_OK ? saei_array_sink_add(&c->array, f->sink, &plan, err) : status;
}

static sae_status declare(codes_file *f, sae_error *err)
{
    const saei_array_plan shape = {"shape", SAEI_U64, 2, 0, false};
    const saei_array_plan row_ptr = {"row_ptr", SAEI_U64, sae_dump_rows(f->dump) + 1, 0, false};
    const saei_array_plan latent = {"latent", SAEI_U32, SAEI_ROWS_OPEN, 0, false};
    const saei_array_plan value = {"value", SAEI_F32, SAEI_ROWS_OPEN, 0, false};
    const saei_array_plan row_shift = {"row_shift", SAEI_F32, sae_dump_rows(f->dump), 0, false};
    const saei_array_plan row_scale = {"row_scale", SAEI_F32, sae_dump_rows(f->dump), 0, false};
    sae_status status = saei_array_sink_add(&f->shape, f->sink, &shape, err);
    if (status == SAE_OK)
        status = saei_array_sink_add(&f->row_ptr, f->sink, &row_ptr, err);
    if (status == SAE_OK)
        status = saei_array_sink_add(&f->latent, f->sink, &latent, err);
    if (status == SAE_OK)
        status = saei_array_sink_add(&f->value, f->sink, &value, err);
    if (status == SAE_OK && f->normalised)
        status = saei_array_sink_add(&f->row_shift, f->sink, &row_shift, err);
    if (status == SAE_OK && f->normalised)
        status = saei_array_sink_add(&f->row_scale, f->sink, &row_scale, err);
    for (size_t i = 0; i < sae_dump_columns(f->dump) && status == SAE_OK; i++)
        status = declare_column(f, i, err);
    return status;
}

static sae_status write_block(codes_file *f, uint64_t first, size_t n, sae_error *err)
{
    size_t d = sae_model_dim(f->model);
    sae_status status = sae_dump_read(f->rows, f->dump, first, n, err);
    if (status == SAE_OK)
        status = sae_model_encode(f->codes, f->model, (sae_view){f->rows, n, d, d}, err);
    if (status != SAE_OK)
        return status;
    sae_codes_view codes = sae_codes_get(f->codes);
    for (size_t i = 0; i < n; i++)
        f->ends[i] = f->entries + codes.row_ptr[i + 1];
    f->entries += codes.row_ptr[n];
    status = saei_array_sink_append(f->sink, f->row_ptr, f->ends, n, err);
    if (status == SAE_OK && f->normalised)
        status = saei_array_sink_append(f->sink, f->row_shift, codes.row_shift, n, err);
    if (status == SAE_OK && f->normalised)
        status = saei_array_sink_append(f->sink, f->row_scale, codes.row_scale, n, err);
    if (status == SAE_OK)
        status = saei_array_sink_append(f->sink, f->latent, codes.latent, codes.row_ptr[n], err);
    if (status == SAE_OK)
        status = saei_array_sink_append(f->sink, f->value, codes.value, codes.row_ptr[n], err);
    return status;
}

static sae_status write_codes(codes_file *f, sae_progress_fn progress, void *user, sae_error *err)
{
    const uint64_t start = 0, total = sae_dump_rows(f->dump), shape[2] = {total, sae_model_latents(f->model)};
    char stage[128];
    snprintf(stage, sizeof stage, "encoding %s", sae_dump_name(f->dump));
    sae_status status = saei_array_sink_append(f->sink, f->shape, shape, 2, err);
    if (status == SAE_OK)
        status = saei_array_sink_append(f->sink, f->row_ptr, &start, 1, err);
    for (uint64_t first = 0; first < total && status == SAE_OK; first += BLOCK_ROWS) {
        if (progress != NULL && progress(user, stage, first, total) != 0)
            return saei_fail(err, SAE_STOPPED, "%s: stopped", stage);
        status =
            write_block(f, first, (size_t)(total - first < BLOCK_ROWS ? total - first : BLOCK_ROWS), err);
    }
    if (status == SAE_OK && progress != NULL && progress(user, stage, total, total) != 0)
        return saei_fail(err, SAE_STOPPED, "%s: stopped", stage);
    return status;
}

static sae_status write_columns(codes_file *f, sae_error *err)
{
    sae_status status = SAE_OK;
    for (size_t i = 0; i < sae_dump_columns(f->dump) && status == SAE_OK; i++)
        status = saei_write_column(f->sink, f->columns[i].array, f->dump, sae_dump_column_name(f->dump, i),
                                   f->columns[i].counts, err);
    return status;
}

static sae_status prepare(codes_file *f, sae_error *err)
{
    sae_status status =
        saei_alloc(&f->rows, f->context, saei_mul(BLOCK_ROWS, sae_model_dim(f->model)), sizeof *f->rows, err);
    if (status == SAE_OK)
        status = saei_alloc(&f->ends, f->context, BLOCK_ROWS, sizeof *f->ends, err);
    if (status == SAE_OK)
        status = saei_alloc(&f->columns, f->context, sae_dump_columns(f->dump), sizeof *f->columns, err);
    if (status == SAE_OK)
        status = sae_codes_new(&f->codes, f->context, err);
    return status;
}

sae_status sae_codes_save(const sae_model *model, const sae_dump *dump, const char *path, bool overwrite,
                          sae_progress_fn progress, void *user, sae_error *err)
{
    if (sae_model_dim(model) != sae_dump_dim(dump))
        return saei_fail(err, SAE_E_MISMATCH, "%s: rows of width %zu, but the model takes %zu",
                         sae_dump_name(dump), sae_dump_dim(dump), sae_model_dim(model));
    codes_file f = {.context = saei_dump_context(dump),
                    .model = model,
                    .dump = dump,
                    .normalised = sae_model_params(model).row_norm != SAE_NO_ROW_NORM};
    sae_status status = saei_report_sink_open(&f.sink, f.context, path, overwrite, err);
    if (status == SAE_OK)
        status = prepare(&f, err);
    if (status == SAE_OK)
        status = write_texts(&f, err);
    if (status == SAE_OK)
        status = declare(&f, err);
    if (status == SAE_OK)
        status = write_codes(&f, progress, user, err);
    if (status == SAE_OK)
        status = write_columns(&f, err);
    if (status == SAE_OK)
        status = saei_array_sink_finish(&f.sink, err);
    saei_array_sink_discard(f.sink);
    sae_codes_free(f.codes);
    saei_free(f.context, f.columns);
    saei_free(f.context, f.ends);
    saei_free(f.context, f.rows);
    return status;
}

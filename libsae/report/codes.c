/* Sparse codes of a dump as an HDF5 file: see docs/FORMATS.md, "Codes". */
#include "base/error.h"
#include "base/memory.h"
#include "dump/dump.h"
#include "dump/write_column.h"
#include "io/atomic_file.h"
#include "io/hdf5_write.h"
#include "sae/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { BLOCK_ROWS = 2048 };

typedef struct codes_file {
    sae_context *context;
    const sae_model *model;
    const sae_dump *dump;
    saei_hdf5_writer *writer;
    size_t row_ptr, latent, value; /* numbers of the datasets */
    uint64_t entries;              /* written so far */
    float *rows;                   /* [BLOCK_ROWS, d] */
    uint64_t *ends;                /* [BLOCK_ROWS] */
    sae_codes *codes;
} codes_file;

static sae_status write_attributes(codes_file *f, sae_error *err)
{
    const struct {
        const char *name;
        uint64_t value;
    } numbers[] = {{"rows", sae_dump_rows(f->dump)},
                   {"d", sae_model_dim(f->model)},
                   {"n_latents", sae_model_latents(f->model)},
                   {"k", sae_model_k(f->model)}};
    sae_status status = saei_hdf5_writer_attribute(f->writer, "format", "libsae-codes", err);
    if (status == SAE_OK)
        status = saei_hdf5_writer_attribute(f->writer, "dump", sae_dump_name(f->dump), err);
    if (status == SAE_OK)
        status = saei_hdf5_writer_attribute(f->writer, "activation",
                                            sae_activation_name(sae_model_params(f->model).activation), err);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers && status == SAE_OK; i++) {
        char text[24];
        snprintf(text, sizeof text, "%" PRIu64, numbers[i].value);
        status = saei_hdf5_writer_attribute(f->writer, numbers[i].name, text, err);
    }
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
    status = saei_hdf5_writer_append(f->writer, f->row_ptr, f->ends, n, err);
    if (status == SAE_OK)
        status = saei_hdf5_writer_append(f->writer, f->latent, codes.latent, codes.row_ptr[n], err);
    if (status == SAE_OK)
        status = saei_hdf5_writer_append(f->writer, f->value, codes.value, codes.row_ptr[n], err);
    return status;
}

static sae_status write_codes(codes_file *f, sae_progress_fn progress, void *user, sae_error *err)
{
    const uint64_t start = 0, total = sae_dump_rows(f->dump);
    char stage[128];
    snprintf(stage, sizeof stage, "encoding %s", sae_dump_name(f->dump));
    sae_status status = saei_hdf5_writer_add(&f->row_ptr, f->writer, "row_ptr", SAEI_U64, 0, err);
    if (status == SAE_OK)
        status = saei_hdf5_writer_add(&f->latent, f->writer, "latent", SAEI_U32, 0, err);
    if (status == SAE_OK)
        status = saei_hdf5_writer_add(&f->value, f->writer, "value", SAEI_F32, 0, err);
    if (status == SAE_OK)
        status = saei_hdf5_writer_append(f->writer, f->row_ptr, &start, 1, err);
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

static sae_status write_column(codes_file *f, const char *name, double *values, sae_error *err)
{
    uint64_t rows = sae_dump_rows(f->dump);
    sae_status status = sae_dump_read_column(values, f->dump, name, err);
    if (status != SAE_OK)
        return status;
    char path[256];
    bool taken = strcmp(name, "row_ptr") == 0 || strcmp(name, "latent") == 0 || strcmp(name, "value") == 0;
    if (snprintf(path, sizeof path, "%s%s", taken ? "columns/" : "", name) >= (int)sizeof path)
        return saei_fail(err, SAE_E_UNSUPPORTED, "%s: the name of column '%.40s…' is too long",
                         sae_dump_name(f->dump), name);
    bool counts = saei_are_counts(values, (size_t)rows);
    size_t dataset;
    status = saei_hdf5_writer_add(&dataset, f->writer, path, counts ? SAEI_U64 : SAEI_F64, 0, err);
    return status == SAE_OK ? saei_append_column(f->writer, dataset, values, (size_t)rows, counts, err)
                            : status;
}

static sae_status write_columns(codes_file *f, sae_error *err)
{
    double *values = NULL;
    if (sae_dump_columns(f->dump) == 0)
        return SAE_OK;
    sae_status status = saei_alloc(&values, f->context, (size_t)sae_dump_rows(f->dump), sizeof *values, err);
    for (size_t i = 0; i < sae_dump_columns(f->dump) && status == SAE_OK; i++)
        status = write_column(f, sae_dump_column_name(f->dump, i), values, err);
    saei_free(f->context, values);
    return status;
}

static sae_status prepare(codes_file *f, sae_error *err)
{
    sae_status status =
        saei_alloc(&f->rows, f->context, saei_mul(BLOCK_ROWS, sae_model_dim(f->model)), sizeof *f->rows, err);
    if (status == SAE_OK)
        status = saei_alloc(&f->ends, f->context, BLOCK_ROWS, sizeof *f->ends, err);
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
    codes_file f = {.context = saei_dump_context(dump), .model = model, .dump = dump};
    saei_atomic_file *file = NULL;
    sae_status status =
        saei_atomic_file_open(&file, f.context, path, overwrite ? SAEI_OVERWRITE : SAEI_KEEP_EXISTING, err);
    if (status == SAE_OK)
        status = prepare(&f, err);
    if (status == SAE_OK)
        status = saei_hdf5_writer_open(&f.writer, f.context, saei_atomic_file_temporary(file), path, err);
    if (status == SAE_OK)
        status = write_attributes(&f, err);
    if (status == SAE_OK)
        status = write_codes(&f, progress, user, err);
    if (status == SAE_OK)
        status = write_columns(&f, err);
    if (status == SAE_OK)
        status = saei_hdf5_writer_finish(&f.writer, err);
    if (status == SAE_OK)
        status = saei_atomic_file_commit(&file, err);
    saei_hdf5_writer_discard(f.writer);
    saei_atomic_file_discard(file);
    sae_codes_free(f.codes);
    saei_free(f.context, f.ends);
    saei_free(f.context, f.rows);
    return status;
}

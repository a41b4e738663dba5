#include "apply/pass.h"
#include "base/error.h"
#include "base/memory.h"
#include "model/model.h"

#include <stdio.h>

enum { BLOCK_FLOATS = 1 << 22 };

static size_t block_rows(size_t d)
{
    size_t chunks = BLOCK_FLOATS / SAEI_CHUNK_ROWS / d;
    chunks = chunks < 1 ? 1 : chunks > SAEI_BLOCK_CHUNKS ? SAEI_BLOCK_CHUNKS : chunks;
    return chunks * SAEI_CHUNK_ROWS;
}

sae_status saei_pass_check(const sae_model *model, const sae_dump *dump, sae_error *err)
{
    size_t d = sae_model_dim(model), width = sae_dump_dim(dump);
    const char *name = sae_dump_name(dump);
    if (width != d)
        return saei_fail(err, SAE_E_MISMATCH, "%s: rows have %zu numbers, but the model takes %zu", name,
                         width, d);
    if (sae_dump_rows(dump) == 0)
        return saei_fail(err, SAE_E_ARGUMENT, "%s: no row is selected; widen the selection", name);
    return SAE_OK;
}

sae_status saei_observe(void *observers, const saei_block *block, sae_error *err)
{
    const saei_observers *all = observers;
    sae_status status = SAE_OK;
    for (size_t i = 0; status == SAE_OK && i < all->n; i++)
        status = all->item[i].observe(all->item[i].user, block, err);
    return status;
}

static sae_status run_block(const saei_pass *pass, uint64_t first, size_t rows, float *x, float *xhat,
                            sae_codes *codes, sae_error *err)
{
    size_t d = sae_model_dim(pass->model);
    saei_block block = {.first = first, .x = {x, rows, d, d}, .xhat = xhat};
    sae_status status = sae_dump_read(x, pass->dump, first, rows, err);
    if (status == SAE_OK)
        status = sae_model_encode(codes, pass->model, block.x, err);
    if (status != SAE_OK)
        return status;
    block.codes = sae_codes_get(codes);
    if (xhat != NULL)
        status = sae_model_decode(xhat, pass->model, block.codes, err);
    return status == SAE_OK ? pass->consume(pass->consume_user, &block, err) : status;
}

static sae_status report(const saei_pass *pass, uint64_t done, uint64_t total, sae_error *err)
{
    if (pass->progress == NULL)
        return SAE_OK;
    char stage[300];
    snprintf(stage, sizeof stage, "reading %s", sae_dump_name(pass->dump));
    if (pass->progress(pass->progress_user, stage, done, total) != 0)
        return saei_fail(err, SAE_STOPPED, "stopped while reading %s", sae_dump_name(pass->dump));
    return SAE_OK;
}

sae_status saei_pass_run(const saei_pass *pass, sae_error *err)
{
    sae_context *context = pass->model->context;
    float *x = NULL, *xhat = NULL;
    sae_codes *codes = NULL;
    sae_status status = saei_pass_check(pass->model, pass->dump, err);
    if (status != SAE_OK)
        return status;
    size_t d = sae_model_dim(pass->model), block = block_rows(d);
    uint64_t total = sae_dump_rows(pass->dump);
    if (block > total)
        block = (size_t)total;
    status = saei_alloc(&x, context, saei_mul(block, d), sizeof *x, err);
    if (status == SAE_OK && pass->reconstruct)
        status = saei_alloc(&xhat, context, saei_mul(block, d), sizeof *xhat, err);
    if (status == SAE_OK)
        status = sae_codes_new(&codes, context, err);
    for (uint64_t first = 0; status == SAE_OK && first < total; first += block) {
        size_t rows = total - first < block ? (size_t)(total - first) : block;
        status = run_block(pass, first, rows, x, xhat, codes, err);
        if (status == SAE_OK)
            status = report(pass, first + rows, total, err);
    }
    sae_codes_free(codes);
    saei_free(context, xhat);
    saei_free(context, x);
    return status;
}

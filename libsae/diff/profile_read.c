#include "apply/fidelity.h"
#include "apply/groups.h"
#include "base/error.h"
#include "base/memory.h"
#include "diff/profile.h"
#include "model/model.h"

/* The prompt that is being read, dense over the latents, with a list of those that fired; and the firings of
   the prompts before it. A prompt whose rows are scattered gives several firings of a pair: they are added at
   the end. */
typedef struct reading {
    sae_context *context;
    const saei_groups *groups;
    saei_fidelity_sums *fidelity;
    uint32_t prompt;
    double *sum, *count; /* [F], zero but for the touched */
    uint32_t *touched;
    size_t n_touched;
    saei_firing *firings;
    size_t n, capacity;
} reading;

static sae_status flush(reading *r, sae_error *err)
{
    if (r->capacity - r->n < r->n_touched) {
        size_t wanted = saei_add(saei_add(r->n, r->n_touched), r->capacity / 2);
        sae_status status = saei_grow(&r->firings, r->context, r->n, wanted, sizeof *r->firings, err);
        if (status != SAE_OK)
            return status;
        r->capacity = wanted;
    }
    for (size_t i = 0; i < r->n_touched; i++) {
        uint32_t j = r->touched[i];
        r->firings[r->n++] = (saei_firing){j, r->prompt, r->sum[j], r->count[j]};
        r->sum[j] = r->count[j] = 0;
    }
    r->n_touched = 0;
    return SAE_OK;
}

static void add_codes(reading *r, const sae_codes_view *codes, size_t row)
{
    for (uint64_t i = codes->row_ptr[row]; i < codes->row_ptr[row + 1]; i++) {
        uint32_t j = codes->latent[i];
        if (r->count[j] == 0)
            r->touched[r->n_touched++] = j;
        r->sum[j] += (double)codes->value[i];
        r->count[j] += 1;
    }
}

static sae_status consume(void *user, const saei_block *block, sae_error *err)
{
    reading *r = user;
    saei_fidelity_add(r->fidelity, block);
    for (size_t i = 0; i < block->x.rows; i++) {
        uint32_t prompt = r->groups->of_row[block->first + i];
        if (prompt != r->prompt) {
            sae_status status = flush(r, err);
            if (status != SAE_OK)
                return status;
            r->prompt = prompt;
        }
        add_codes(r, &block->codes, i);
    }
    return SAE_OK;
}

static sae_status prepare(reading *r, size_t d, size_t n_latents, sae_error *err)
{
    sae_status status = saei_fidelity_new(&r->fidelity, r->context, d, n_latents, err);
    if (status == SAE_OK)
        status = saei_alloc(&r->sum, r->context, n_latents, sizeof *r->sum, err);
    if (status == SAE_OK)
        status = saei_alloc(&r->count, r->context, n_latents, sizeof *r->count, err);
    if (status == SAE_OK)
        status = saei_alloc(&r->touched, r->context, n_latents, sizeof *r->touched, err);
    return status;
}

static void release(reading *r)
{
    saei_free(r->context, r->firings);
    saei_free(r->context, r->touched);
    saei_free(r->context, r->count);
    saei_free(r->context, r->sum);
    saei_fidelity_free(r->fidelity);
}

static sae_status finish(saei_profile **out, reading *r, size_t n_latents, sae_error *err)
{
    const saei_groups *groups = r->groups;
    double *rows;
    sae_status status = saei_alloc(&rows, r->context, groups->n, sizeof *rows, err);
    if (status != SAE_OK)
        return status;
    for (size_t g = 0; g < groups->n; g++)
        rows[g] = (double)groups->rows[g];
    status = flush(r, err);
    if (status == SAE_OK)
        status =
            saei_profile_new(out, r->context, r->firings, r->n, groups->id, rows, groups->n, n_latents, err);
    saei_free(r->context, rows);
    return status;
}

sae_status saei_profile_read(saei_profile **out, sae_fidelity *fidelity, const sae_model *model,
                             const sae_dump *dump, const char *group, sae_progress_fn progress, void *user,
                             sae_error *err)
{
    *out = NULL;
    size_t n_latents = sae_model_latents(model);
    saei_groups *groups = NULL;
    reading r = {.context = model->context};
    sae_status status = saei_groups_read(&groups, r.context, dump, group, err);
    r.groups = groups;
    if (status == SAE_OK)
        status = prepare(&r, sae_model_dim(model), n_latents, err);
    if (status == SAE_OK)
        status = saei_pass_run(&(saei_pass){.model = model,
                                            .dump = dump,
                                            .reconstruct = true,
                                            .consume = consume,
                                            .consume_user = &r,
                                            .progress = progress,
                                            .progress_user = user},
                               err);
    if (status == SAE_OK)
        status = finish(out, &r, n_latents, err);
    if (status == SAE_OK)
        *fidelity = saei_fidelity_get(r.fidelity);
    release(&r);
    saei_groups_free(groups);
    return status;
}

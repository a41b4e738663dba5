#include "base/memory.h"
#include "diff/firings.h"

/* The prompt that is being read, dense over the latents, with a list of those that fired; and the firings of
   the prompts before it. A prompt whose rows are scattered gives several firings of a pair: they are added at
   the end. */
struct saei_profile_builder {
    sae_context *context;
    const saei_groups *groups;
    const double *row_weight;
    size_t n_latents;
    uint32_t prompt;
    double *sum, *count; /* [F], zero but for the touched */
    uint32_t *touched;
    size_t n_touched;
    saei_firings *firings;
};

static sae_status flush(saei_profile_builder *b, sae_error *err)
{
    sae_status status = SAE_OK;
    for (size_t i = 0; status == SAE_OK && i < b->n_touched; i++) {
        uint32_t j = b->touched[i];
        status = saei_firings_add(b->firings, &(saei_firing){j, b->prompt, b->sum[j], b->count[j]}, err);
        b->sum[j] = b->count[j] = 0;
    }
    b->n_touched = 0;
    return status;
}

static double weight_of(const saei_profile_builder *b, uint64_t row)
{
    return b->row_weight != NULL ? b->row_weight[row] : 1;
}

static void add_codes(saei_profile_builder *b, const sae_codes_view *codes, size_t row, double weight)
{
    for (uint64_t i = codes->row_ptr[row]; i < codes->row_ptr[row + 1]; i++) {
        uint32_t j = codes->latent[i];
        if (b->count[j] == 0)
            b->touched[b->n_touched++] = j;
        b->sum[j] += weight * (double)codes->value[i];
        b->count[j] += weight;
    }
}

sae_status saei_profile_builder_observe(void *builder, const saei_block *block, sae_error *err)
{
    saei_profile_builder *b = builder;
    for (size_t i = 0; i < block->x.rows; i++) {
        uint32_t prompt = b->groups->of_row[block->first + i];
        if (prompt != b->prompt) {
            sae_status status = flush(b, err);
            if (status != SAE_OK)
                return status;
            b->prompt = prompt;
        }
        double weight = weight_of(b, block->first + i);
        if (weight > 0)
            add_codes(b, &block->codes, i, weight);
    }
    return SAE_OK;
}

sae_status saei_profile_builder_new(saei_profile_builder **out, sae_context *context,
                                    const saei_groups *groups, const double *row_weight, size_t n_latents,
                                    sae_error *err)
{
    *out = NULL;
    saei_profile_builder *b;
    sae_status status = saei_alloc(&b, context, 1, sizeof *b, err);
    if (status != SAE_OK)
        return status;
    *b = (saei_profile_builder){
        .context = context, .groups = groups, .row_weight = row_weight, .n_latents = n_latents};
    status = saei_alloc(&b->sum, context, n_latents, sizeof *b->sum, err);
    if (status == SAE_OK)
        status = saei_alloc(&b->count, context, n_latents, sizeof *b->count, err);
    if (status == SAE_OK)
        status = saei_alloc(&b->touched, context, n_latents, sizeof *b->touched, err);
    if (status == SAE_OK)
        status = saei_firings_new(&b->firings, context, n_latents, err);
    if (status != SAE_OK) {
        saei_profile_builder_free(b);
        return status;
    }
    *out = b;
    return SAE_OK;
}

void saei_profile_builder_free(saei_profile_builder *b)
{
    if (b == NULL)
        return;
    saei_firings_free(b->firings);
    saei_free(b->context, b->touched);
    saei_free(b->context, b->count);
    saei_free(b->context, b->sum);
    saei_free(b->context, b);
}

sae_status saei_profile_builder_finish(saei_profile **out, saei_profile_builder *b, sae_error *err)
{
    *out = NULL;
    const saei_groups *groups = b->groups;
    double *weight;
    sae_status status = saei_alloc(&weight, b->context, groups->n, sizeof *weight, err);
    if (status != SAE_OK)
        return status;
    saei_groups_weigh(weight, groups, b->row_weight);
    status = flush(b, err);
    if (status == SAE_OK)
        status = saei_firings_profile(out, b->firings, groups->id, weight, groups->n, err);
    saei_free(b->context, weight);
    return status;
}

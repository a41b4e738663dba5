#include "steer/prompt_latents.h"
#include "apply/pass.h"
#include "base/memory.h"
#include "model/model.h"

typedef struct prompt_sums {
    saei_prompt_latents *latents;
    const uint32_t *latent;
} prompt_sums;

/* Codes and the latents asked for both ascend. */
static sae_status consume(void *user, const saei_block *block, sae_error *err)
{
    (void)err;
    const prompt_sums *sums = user;
    const sae_codes_view *codes = &block->codes;
    size_t n = sums->latents->n;
    for (size_t r = 0; r < codes->rows; r++) {
        double *of_prompt = sums->latents->mean + sums->latents->groups->of_row[block->first + r] * n;
        uint64_t at = codes->row_ptr[r], end = codes->row_ptr[r + 1];
        for (size_t i = 0; i < n && at < end; i++) {
            while (at < end && codes->latent[at] < sums->latent[i])
                at++;
            if (at < end && codes->latent[at] == sums->latent[i])
                of_prompt[i] += (double)codes->value[at];
        }
    }
    return SAE_OK;
}

sae_status saei_prompt_column(const char **out, const char *group, const sae_dump *dump, sae_error *err)
{
    static const char *const usual[] = {"prompt_id", "doc_id"};
    *out = group;
    for (size_t i = 0; *out == NULL && i < sizeof usual / sizeof usual[0]; i++)
        if (sae_dump_has_column(dump, usual[i]))
            *out = usual[i];
    return *out != NULL ? SAE_OK : saei_groups_no_column(dump, "prompt_id or doc_id", err);
}

sae_status saei_prompt_latents_read(saei_prompt_latents *out, const sae_model *model, const sae_dump *dump,
                                    const char *group, const uint32_t *latent, size_t n,
                                    sae_progress_fn progress, void *user, sae_error *err)
{
    *out = (saei_prompt_latents){.context = model->context, .n = n};
    sae_status status = saei_pass_check(model, dump, err);
    if (status == SAE_OK)
        status = saei_groups_read(&out->groups, out->context, dump, group, err);
    if (status == SAE_OK)
        status = saei_alloc(&out->mean, out->context, saei_mul(out->groups->n, n), sizeof *out->mean, err);
    prompt_sums sums = {out, latent};
    saei_pass pass = {.model = model,
                      .dump = dump,
                      .consume = consume,
                      .consume_user = &sums,
                      .progress = progress,
                      .progress_user = user};
    if (status == SAE_OK)
        status = saei_pass_run(&pass, err);
    if (status != SAE_OK) {
        saei_prompt_latents_free(out);
        return status;
    }
    for (size_t p = 0; p < out->groups->n; p++)
        for (size_t i = 0; i < n; i++)
            out->mean[p * n + i] /= (double)out->groups->rows[p];
    return SAE_OK;
}

void saei_prompt_latents_free(saei_prompt_latents *latents)
{
    saei_free(latents->context, latents->mean);
    saei_groups_free(latents->groups);
    *latents = (saei_prompt_latents){0};
}

double saei_prompt_score_of(const saei_prompt_latents *latents, size_t p, const double *w)
{
    double score = 0;
    for (size_t i = 0; i < latents->n; i++)
        score += w[i] * latents->mean[p * latents->n + i];
    return score;
}

double saei_prompt_scores_mean(double *sum_squares, const saei_prompt_latents *latents, const double *w)
{
    size_t prompts = latents->groups->n;
    double mean = 0, squares = 0;
    for (size_t p = 0; p < prompts; p++)
        mean += saei_prompt_score_of(latents, p, w);
    mean /= (double)prompts;
    for (size_t p = 0; sum_squares != NULL && p < prompts; p++) {
        double from_mean = saei_prompt_score_of(latents, p, w) - mean;
        squares += from_mean * from_mean;
    }
    if (sum_squares != NULL)
        *sum_squares = squares;
    return mean;
}

#include "diff/ranking.h"
#include "base/memory.h"
#include "diff/comparison.h"
#include "model/model.h"

/* A model that does not fit the rows outweighs too few prompts, of which the warning may already speak. */
static sae_status gate(sae_ranking *ranking, const saei_comparison *comparison, sae_error *err)
{
    const char **names;
    size_t n = comparison->n_dumps;
    sae_status status = saei_alloc(&names, ranking->context, n, sizeof *names, err);
    if (status != SAE_OK)
        return status;
    for (size_t i = 0; i < n; i++)
        names[i] = sae_dump_name(comparison->dumps[i]);
    saei_gate_fidelity(ranking->warning, ranking->fidelity, names, n);
    saei_free(ranking->context, names);
    return SAE_OK;
}

static sae_status compute(sae_ranking **out, const saei_comparison *comparison,
                          const sae_rank_options *options, sae_error *err)
{
    saei_ranking_input input = {.before = comparison->profiles[0],
                                .after = comparison->profiles[1],
                                .control = comparison->control,
                                .paired = comparison->paired,
                                .control_paired = comparison->control_paired};
    return saei_ranking_compute(out, comparison->model->context, &input, options, err);
}

sae_status saei_ranking_of_comparison(sae_ranking **out, const saei_comparison *comparison,
                                      sae_fidelity **fidelity, const sae_rank_options *options,
                                      sae_error *err)
{
    *out = NULL;
    sae_ranking *ranking = NULL;
    sae_status status = compute(&ranking, comparison, options, err);
    if (status != SAE_OK)
        return status;
    ranking->fidelity = *fidelity;
    ranking->n_dumps = comparison->n_dumps;
    *fidelity = NULL;
    status = gate(ranking, comparison, err);
    if (status != SAE_OK) {
        sae_ranking_free(ranking);
        return status;
    }
    *out = ranking;
    return SAE_OK;
}

sae_status sae_ranking_new(sae_ranking **out, const sae_model *model, const sae_dump *before,
                           const sae_dump *after, const sae_dump *const *controls, size_t n_controls,
                           const sae_rank_options *options, sae_error *err)
{
    *out = NULL;
    sae_rank_options opt;
    sae_status status = saei_rank_options_read(&opt, options, sae_model_latents(model), err);
    if (status != SAE_OK)
        return status;
    sae_fidelity *fidelity = NULL;
    saei_comparison comparison;
    status = saei_comparison_alloc(&comparison, model, before, &after, 1, controls, n_controls, err);
    if (status == SAE_OK)
        status = saei_alloc(&fidelity, model->context, comparison.n_dumps, sizeof *fidelity, err);
    if (status == SAE_OK)
        status = saei_comparison_read(&comparison, fidelity, &opt, err);
    if (status == SAE_OK)
        status = saei_ranking_of_comparison(out, &comparison, &fidelity, &opt, err);
    saei_free(model->context, fidelity);
    saei_comparison_release(&comparison);
    return status;
}

void sae_ranking_free(sae_ranking *ranking)
{
    if (ranking == NULL)
        return;
    saei_free(ranking->context, ranking->fidelity);
    saei_free(ranking->context, ranking->position);
    saei_free(ranking->context, ranking->stats);
    saei_free(ranking->context, ranking);
}

size_t sae_ranking_count(const sae_ranking *ranking)
{
    return ranking->n_latents;
}

const sae_latent_stats *sae_ranking_at(const sae_ranking *ranking, size_t i)
{
    return i < ranking->n_latents ? &ranking->stats[i] : NULL;
}

const sae_latent_stats *sae_ranking_latent(const sae_ranking *ranking, uint32_t latent)
{
    return latent < ranking->n_latents ? &ranking->stats[ranking->position[latent]] : NULL;
}

bool sae_ranking_has_control(const sae_ranking *ranking)
{
    return ranking->has_control;
}

bool sae_ranking_paired(const sae_ranking *ranking)
{
    return ranking->paired;
}

bool sae_ranking_control_paired(const sae_ranking *ranking)
{
    return ranking->control_paired;
}

size_t sae_ranking_prompts(const sae_ranking *ranking)
{
    return ranking->n_prompts;
}

sae_fidelity sae_ranking_fidelity(const sae_ranking *ranking, size_t which)
{
    return which < ranking->n_dumps ? ranking->fidelity[which] : (sae_fidelity){0};
}

const char *sae_ranking_warning(const sae_ranking *ranking)
{
    return ranking->warning[0] != '\0' ? ranking->warning : NULL;
}

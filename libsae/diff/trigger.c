#include "diff/trigger.h"
#include "base/error.h"
#include "base/memory.h"
#include "diff/combination.h"
#include "diff/contrast.h"
#include "diff/multiplicity.h"
#include "diff/profile_select.h"

/* after with − after without − before with + before without. */
static const double SIGN[4] = {1, -1, -1, 1};

typedef struct conditions {
    const saei_profile *given[4]; /* in the order of SIGN */
    saei_profile *matched[4];     /* on the prompts that all hold, of the chosen latents */
    size_t n;                     /* 4, or 2 without before */
} conditions;

static sae_status check(const saei_trigger *t, const conditions *c, sae_error *err)
{
    if ((t->before_with == NULL) != (t->before_without == NULL))
        return saei_fail(err, SAE_E_ARGUMENT,
                         "a trigger contrast needs before with and without the trigger, or neither of them");
    for (size_t i = 0; i <= c->n; i++) {
        const saei_profile *other = i < c->n ? c->given[i] : t->reference;
        if (other->n_latents != t->after_with->n_latents)
            return saei_fail(err, SAE_E_MISMATCH, "conditions of %zu and of %zu latents cannot be contrasted",
                             t->after_with->n_latents, other->n_latents);
    }
    return SAE_OK;
}

static sae_status match(conditions *c, sae_trigger_matching *matching, const saei_trigger *t, sae_error *err)
{
    sae_context *context = t->after_with->context;
    uint32_t *index[4] = {NULL};
    size_t n;
    sae_status status = saei_profile_common(index, &n, c->given, c->n, err);
    if (status == SAE_OK && n < 2)
        status =
            saei_fail(err, SAE_E_MISMATCH,
                      "%zu prompts have the same id with and without the trigger: at least 2 are needed", n);
    for (size_t i = 0; status == SAE_OK && i < c->n; i++) {
        status = saei_profile_select(&c->matched[i], c->given[i], t->latents, t->n_latents, index[i], n, err);
        matching->unmatched[i] = c->given[i]->n_prompts - n;
    }
    for (size_t i = 0; i < 4; i++)
        saei_free(context, index[i]);
    matching->matched = n;
    matching->has_before = c->n == 4;
    return status;
}

/* out [latents of the effects], q over all latents of the model. */
static sae_status contrast(sae_contrast *out, const saei_effects *effects, const saei_trigger *t,
                           sae_error *err)
{
    uint64_t most = 40 * (uint64_t)t->after_with->n_latents;
    saei_contrast_options options = {.permutations = t->permutations > 0 ? t->permutations
                                                     : most < 10000      ? 10000
                                                     : most > 1000000    ? 1000000
                                                                         : most,
                                     .bootstrap = t->bootstrap,
                                     .confidence = t->confidence,
                                     .seed = t->seed,
                                     .progress = t->progress,
                                     .progress_user = t->progress_user};
    sae_status status = saei_contrast_all(out, effects, &options, err);
    size_t n = effects->n_latents;
    double *p = NULL;
    if (status == SAE_OK)
        status = saei_alloc(&p, effects->context, saei_mul(2, n), sizeof *p, err);
    for (size_t j = 0; status == SAE_OK && j < n; j++)
        p[j] = out[j].p;
    if (status == SAE_OK)
        status = saei_false_discovery_among(p + n, p, n, t->after_with->n_latents, effects->context, err);
    for (size_t j = 0; status == SAE_OK && j < n; j++)
        out[j].q = p[n + j];
    saei_free(effects->context, p);
    return status;
}

static sae_status standing(sae_contrast *out, const saei_trigger *t, sae_error *err)
{
    saei_profile *after = NULL, *reference = NULL;
    saei_effects *effects = NULL;
    sae_status status = saei_profile_select(&after, t->after_without, t->latents, t->n_latents, NULL, 0, err);
    if (status == SAE_OK)
        status = saei_profile_select(&reference, t->reference, t->latents, t->n_latents, NULL, 0, err);
    if (status == SAE_OK)
        status = saei_effects_new(&effects, after, reference, t->reference_paired, err);
    if (status == SAE_OK)
        status = contrast(out, effects, t, err);
    saei_effects_free(effects);
    saei_profile_free(reference);
    saei_profile_free(after);
    return status;
}

static void fill(sae_trigger_response *responses, const sae_contrast *contrasts, size_t n,
                 const saei_trigger *t)
{
    for (size_t j = 0; j < n; j++) {
        const sae_contrast *stands = &contrasts[n + j];
        responses[j] = (sae_trigger_response){.latent = t->latents != NULL ? t->latents[j] : (uint32_t)j,
                                              .contrast = contrasts[j],
                                              .standing = *stands,
                                              .standing_up = stands->estimate > 0 && stands->q < t->alpha};
    }
}

sae_status saei_trigger_contrast(sae_trigger_response *responses, sae_trigger_matching *matching,
                                 const saei_trigger *t, sae_error *err)
{
    conditions c = {.given = {t->after_with, t->after_without, t->before_with, t->before_without},
                    .n = t->before_with != NULL ? 4 : 2};
    sae_trigger_matching found = {0};
    saei_effects *effects = NULL;
    sae_contrast *contrasts = NULL;
    size_t n = t->latents != NULL ? t->n_latents : t->after_with->n_latents;
    sae_status status = check(t, &c, err);
    if (status == SAE_OK)
        status = match(&c, &found, t, err);
    if (status == SAE_OK)
        status = saei_combination_new(&effects, (const saei_profile *const *)c.matched, SIGN, c.n, true, err);
    if (status == SAE_OK)
        status = saei_alloc(&contrasts, effects->context, saei_mul(2, n), sizeof *contrasts, err);
    if (status == SAE_OK)
        status = contrast(contrasts, effects, t, err);
    if (status == SAE_OK)
        status = standing(contrasts + n, t, err);
    if (status == SAE_OK) {
        fill(responses, contrasts, n, t);
        *matching = found;
    }
    saei_free(t->after_with->context, contrasts);
    saei_effects_free(effects);
    for (size_t i = 0; i < 4; i++)
        saei_profile_free(c.matched[i]);
    return status;
}

/* How much of the shift of the mean residual each candidate carries, and whether it points that way. */
#include "base/memory.h"
#include "model/model.h"
#include "num/student.h"
#include "study/compared.h"

#include <math.h>
#include <string.h>

/* out [n]: the mean of vectors [n] over the controls, or that of the base. */
static void mean_over_controls(double *out, const saei_compared *c,
                               const double *(*vector)(const saei_compared *, size_t), size_t n)
{
    memset(out, 0, n * sizeof *out);
    for (size_t other = 0; other < c->findings->study->n_conditions; other++) {
        if (c->n_controls > 0 ? !c->is_control[other] : other != c->base)
            continue;
        const double *values = vector(c, other);
        for (size_t i = 0; i < n; i++)
            out[i] += values[i] / (double)(c->n_controls > 0 ? c->n_controls : 1);
    }
}

static const double *mean_rows(const saei_compared *c, size_t condition)
{
    return saei_residual_mean_get(c->findings->readings->of[condition].mean);
}

static const double *mean_activations(const saei_compared *c, size_t condition)
{
    return c->findings->candidates->mean[condition];
}

/* A random direction makes an angle with cosine beyond c to a given one with the probability that a Student t
   of d - 1 degrees is beyond c sqrt((d - 1) / (1 - c²)); F directions were to choose from (Bonferroni). */
static double chance_of_direction(double cosine, size_t d, size_t F)
{
    double df = (double)d - 1;
    if (!(cosine > 0) || d < 2)
        return 1;
    double t = cosine < 1 ? cosine * sqrt(df / (1 - cosine * cosine)) : (double)INFINITY;
    return fmin(1, (double)F * (isinf(t) ? 0 : saei_student_tail(t, df)));
}

static double cosine_with(const float *direction, const double *shift, size_t d)
{
    double product = 0, squares = 0;
    for (size_t i = 0; i < d; i++) {
        product += (double)direction[i] * shift[i];
        squares += shift[i] * shift[i];
    }
    return squares > 0 ? product / sqrt(squares) : (double)NAN;
}

/* latents [F]; top [members of all candidates, in their order]. */
static void fill_shift(const saei_compared *c, const sae_latent_shift *latents, const sae_shift_top *top,
                       const double *shift)
{
    const saei_candidates *candidates = c->findings->candidates;
    size_t d = candidates->clusters->d, members = 0;
    for (size_t i = 0; i < saei_candidates_count(candidates); i++) {
        sae_cluster cluster = saei_candidates_at(candidates, i);
        members += cluster.n;
        sae_evidence *evidence = saei_findings_evidence(c->findings, i, c->condition);
        evidence->shift.share = 0;
        for (size_t m = 0; m < cluster.n; m++)
            evidence->shift.share += latents[cluster.latents[m]].share;
        evidence->shift.cosine = cosine_with(cluster.direction, shift, d);
        evidence->together = top[members - 1];
        evidence->p_direction = chance_of_direction(evidence->shift.cosine, d, candidates->n_latents);
    }
}

static void list_members(uint32_t *order, const saei_candidates *candidates)
{
    for (size_t i = 0; i < saei_candidates_count(candidates); i++) {
        sae_cluster cluster = saei_candidates_at(candidates, i);
        for (size_t m = 0; m < cluster.n; m++)
            *order++ = cluster.latents[m];
    }
}

/* The residual shift beyond the controls, and how much of it each candidate carries. */
sae_status saei_explain_shift(const saei_compared *c, sae_error *err)
{
    sae_findings *findings = c->findings;
    sae_context *context = findings->context;
    size_t d = sae_model_dim(findings->model), F = findings->candidates->n_latents;
    double *before = NULL, *delta = NULL;
    sae_latent_shift *latents = NULL;
    sae_shift_top *top = NULL;
    uint32_t *order = NULL;
    size_t members = findings->candidates->clusters->n_members;
    sae_status status = saei_alloc(&before, context, saei_mul(2, d), sizeof *before, err);
    if (status == SAE_OK)
        status = saei_alloc(&delta, context, F, sizeof *delta, err);
    if (status == SAE_OK)
        status = saei_alloc(&latents, context, F, sizeof *latents, err);
    if (status == SAE_OK)
        status = saei_alloc(&top, context, members, sizeof *top, err);
    if (status == SAE_OK)
        status = saei_alloc(&order, context, members, sizeof *order, err);
    if (status == SAE_OK) {
        const double *after = mean_rows(c, c->condition), *rises = mean_activations(c, c->condition);
        mean_over_controls(before, c, mean_rows, d);
        mean_over_controls(delta, c, mean_activations, F);
        for (size_t j = 0; j < F; j++)
            delta[j] = rises[j] - delta[j];
        for (size_t i = 0; i < d; i++)
            before[d + i] = after[i] - before[i];
        saei_residual_shift shift = {findings->model, before, after, delta};
        list_members(order, findings->candidates);
        status = saei_residual_shift_explain(&findings->shift[c->condition], latents, top, &shift, order,
                                             members, err);
        if (status == SAE_OK)
            fill_shift(c, latents, top, before + d);
    }
    saei_free(context, order);
    saei_free(context, top);
    saei_free(context, latents);
    saei_free(context, delta);
    saei_free(context, before);
    return status;
}

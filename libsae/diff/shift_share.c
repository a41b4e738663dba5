#include "base/memory.h"
#include "base/parallel.h"
#include "diff/residual_shift.h"
#include "model/model.h"

#include <math.h>

enum { TASK_LATENTS = 512, TASK_COLUMNS = 16 };

/* Notation: d_j row j of W_dec, s the shift, δ_j the rise, ŝ = Σ δ_j d_j. */
typedef struct explanation {
    const float *W_dec; /* [F, d] */
    const double *delta;
    size_t n_latents, d;
    double *s, *s_hat; /* [d] */
    double *along;     /* [F] ⟨d_j, s⟩ */
    double *length2;   /* [F] |d_j|² */
} explanation;

static double dot(const double *a, const double *b, size_t d)
{
    double sum = 0;
    for (size_t i = 0; i < d; i++)
        sum += a[i] * b[i];
    return sum;
}

static void project_latents(void *arg, size_t task, unsigned worker)
{
    (void)worker;
    explanation *e = arg;
    size_t end = saei_min_size((task + 1) * TASK_LATENTS, e->n_latents);
    for (size_t j = task * TASK_LATENTS; j < end; j++) {
        const float *row = e->W_dec + j * e->d;
        double along = 0, length2 = 0;
        for (size_t i = 0; i < e->d; i++) {
            along += (double)row[i] * e->s[i];
            length2 += (double)row[i] * (double)row[i];
        }
        e->along[j] = along;
        e->length2[j] = length2;
    }
}

/* Tasks are columns, so that each sum runs over the latents in their order. */
static void add_columns(void *arg, size_t task, unsigned worker)
{
    (void)worker;
    explanation *e = arg;
    size_t first = task * TASK_COLUMNS, end = saei_min_size(first + TASK_COLUMNS, e->d);
    for (size_t j = 0; j < e->n_latents; j++) {
        if (e->delta[j] == 0)
            continue;
        const float *row = e->W_dec + j * e->d;
        for (size_t i = first; i < end; i++)
            e->s_hat[i] += e->delta[j] * (double)row[i];
    }
}

static double over(double value, double norm2)
{
    return norm2 > 0 ? value / norm2 : 0;
}

/* 1 − |s − ŝ|² / |s|² = (2⟨ŝ, s⟩ − |ŝ|²) / |s|²; the first form, for it loses nothing when ŝ is near s. */
static sae_shift_top top_of(const double *s_hat, const double *s, size_t d)
{
    double s2 = dot(s, s, d), left = 0;
    for (size_t i = 0; i < d; i++)
        left += (s[i] - s_hat[i]) * (s[i] - s_hat[i]);
    return (sae_shift_top){over(dot(s_hat, s, d), s2), over(s2 - left, s2)};
}

static double participation(const explanation *e)
{
    double squares = 0, fourths = 0;
    for (size_t j = 0; j < e->n_latents; j++) {
        double c2 = e->delta[j] * e->delta[j] * e->length2[j];
        squares += c2;
        fourths += c2 * c2;
    }
    return fourths > 0 ? squares * squares / fourths : 0;
}

static void fill_latents(sae_latent_shift *out, const explanation *e)
{
    double s2 = dot(e->s, e->s, e->d);
    for (size_t j = 0; j < e->n_latents; j++) {
        double norms = sqrt(e->length2[j] * s2);
        out[j] = (sae_latent_shift){over(e->delta[j] * e->along[j], s2),
                                    norms > 0 ? e->along[j] / norms : (double)NAN};
    }
}

/* ŝ of the first latents, one after the other; s_hat is scratch from here on. */
static void fill_top(sae_shift_top *top, explanation *e, const uint32_t *order, size_t n_top)
{
    for (size_t i = 0; i < e->d; i++)
        e->s_hat[i] = 0;
    for (size_t n = 0; n < n_top; n++) {
        const float *row = e->W_dec + order[n] * e->d;
        for (size_t i = 0; i < e->d; i++)
            e->s_hat[i] += e->delta[order[n]] * (double)row[i];
        top[n] = top_of(e->s_hat, e->s, e->d);
    }
}

static sae_status alloc_explanation(explanation *e, sae_context *context, sae_error *err)
{
    sae_status status = saei_alloc(&e->s, context, e->d, sizeof *e->s, err);
    if (status == SAE_OK)
        status = saei_alloc(&e->s_hat, context, e->d, sizeof *e->s_hat, err);
    if (status == SAE_OK)
        status = saei_alloc(&e->along, context, e->n_latents, sizeof *e->along, err);
    if (status == SAE_OK)
        status = saei_alloc(&e->length2, context, e->n_latents, sizeof *e->length2, err);
    return status;
}

sae_status saei_residual_shift_explain(sae_shift_summary *summary, sae_latent_shift *latents,
                                       sae_shift_top *top, const saei_residual_shift *shift,
                                       const uint32_t *order, size_t n_top, sae_error *err)
{
    const sae_model *model = shift->model;
    sae_context *context = model->context;
    explanation e = {
        .W_dec = model->W_dec, .delta = shift->delta, .n_latents = model->n_latents, .d = model->d};
    sae_status status = alloc_explanation(&e, context, err);
    if (status != SAE_OK)
        goto done;
    for (size_t i = 0; i < e.d; i++)
        e.s[i] = shift->after[i] - shift->before[i];
    saei_parallel_for(context, (e.n_latents + TASK_LATENTS - 1) / TASK_LATENTS, project_latents, &e);
    saei_parallel_for(context, (e.d + TASK_COLUMNS - 1) / TASK_COLUMNS, add_columns, &e);
    double norm = sqrt(dot(e.s, e.s, e.d)), before = sqrt(dot(shift->before, shift->before, e.d));
    *summary = (sae_shift_summary){.norm = norm,
                                   .relative_norm = before > 0 ? norm / before : (double)NAN,
                                   .all = top_of(e.s_hat, e.s, e.d),
                                   .effective_latents = participation(&e)};
    if (latents != NULL)
        fill_latents(latents, &e);
    fill_top(top, &e, order, n_top);
done:
    saei_free(context, e.length2);
    saei_free(context, e.along);
    saei_free(context, e.s_hat);
    saei_free(context, e.s);
    return status;
}

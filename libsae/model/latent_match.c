/* Which latent of another model is the same feature, and how close unrelated ones come. */
#include "base/error.h"
#include "base/memory.h"
#include "base/rng.h"
#include "model/model.h"
#include "model/nearest_latent.h"
#include "num/order.h"
#include "num/rows.h"

#include <math.h>
#include <string.h>

/* Directions of the null, and decoder rows that are added for each: enough for a normal distribution. */
enum { NULL_DRAWS = 2048, NULL_TERMS = 256 };

static sae_status check_widths(const sae_model *model, const sae_model *other, sae_error *err)
{
    if (model->d != other->d)
        return saei_fail(err, SAE_E_MISMATCH,
                         "models of width %zu and %zu cannot be matched: choose two for the same layer",
                         model->d, other->d);
    return SAE_OK;
}

static void copy_row(float *out, const sae_model *model, uint32_t latent)
{
    memcpy(out, model->W_dec + latent * model->d, model->d * sizeof *out);
}

sae_status saei_nearest_both_ways(saei_nearest *there, saei_nearest *back, const float *directions, size_t n,
                                  const sae_model *model, const sae_model *other, sae_progress_fn progress,
                                  void *user, sae_error *err)
{
    static const char stage[] = "matching decoder rows";
    float *rows = NULL;
    sae_status status = check_widths(model, other, err);
    if (status == SAE_OK)
        status = saei_nearest_latents(there, other, directions, n, stage, progress, user, err);
    if (status == SAE_OK)
        status = saei_alloc(&rows, model->context, saei_mul(n, model->d), sizeof *rows, err);
    if (status != SAE_OK)
        return status;
    for (size_t i = 0; i < n; i++)
        copy_row(rows + i * model->d, other, there[i].latent);
    status = saei_nearest_latents(back, model, rows, n, stage, progress, user, err);
    saei_free(model->context, rows);
    return status;
}

sae_match saei_match_of(saei_nearest there, bool returns)
{
    bool found = isfinite(there.cosine);
    return (sae_match){.latent = there.latent,
                       .cosine = found ? (double)there.cosine : (double)NAN,
                       .mutual = found && returns};
}

sae_status sae_model_match(sae_match *out, const sae_model *model, const uint32_t *latents, size_t n,
                           const sae_model *other, sae_progress_fn progress, void *user, sae_error *err)
{
    for (size_t i = 0; i < n; i++)
        if (latents[i] >= model->n_latents)
            return saei_fail(err, SAE_E_NOT_FOUND, "latent %u: the model has latents 0 to %zu", latents[i],
                             model->n_latents - 1);
    float *rows = NULL;
    saei_nearest *there = NULL;
    sae_status status = saei_alloc(&rows, model->context, saei_mul(n, model->d), sizeof *rows, err);
    if (status == SAE_OK)
        status = saei_alloc(&there, model->context, saei_mul(2, n), sizeof *there, err);
    if (status != SAE_OK)
        goto done;
    for (size_t i = 0; i < n; i++)
        copy_row(rows + i * model->d, model, latents[i]);
    status = saei_nearest_both_ways(there, there + n, rows, n, model, other, progress, user, err);
    for (size_t i = 0; status == SAE_OK && i < n; i++)
        out[i] = saei_match_of(there[i], there[n + i].latent == latents[i]);
done:
    saei_free(model->context, there);
    saei_free(model->context, rows);
    return status;
}

/* Σ ± unit decoder rows of random latents: a direction with the second moments of the decoder. Isotropic
   ones would come less close, since the decoders of two models of the same rows prefer the same directions.
 */
static void draw_direction(float *out, const sae_model *model, saei_rng *rng)
{
    size_t d = model->d;
    memset(out, 0, d * sizeof *out);
    for (int term = 0; term < NULL_TERMS; term++) {
        const float *row = model->W_dec + saei_rng_below(rng, model->n_latents) * d;
        double norm = sqrt(saei_row_norm2(row, d)), sign = saei_rng_next(rng) >> 63 ? 1 : -1;
        if (norm > 0)
            saei_row_axpy(out, (float)(sign / norm), row, d);
    }
}

sae_status sae_model_match_null(double *out, const sae_model *model, const sae_model *other, double quantile,
                                uint64_t seed, sae_progress_fn progress, void *user, sae_error *err)
{
    *out = NAN;
    if (!(quantile >= 0 && quantile <= 1))
        return saei_fail(err, SAE_E_ARGUMENT, "quantile %g: must lie between 0 and 1", quantile);
    float *directions = NULL;
    saei_nearest *nearest = NULL;
    double *cosine = NULL;
    sae_context *context = model->context;
    sae_status status = check_widths(model, other, err);
    if (status == SAE_OK)
        status = saei_alloc(&directions, context, saei_mul(NULL_DRAWS, model->d), sizeof *directions, err);
    if (status == SAE_OK)
        status = saei_alloc(&nearest, context, NULL_DRAWS, sizeof *nearest, err);
    if (status == SAE_OK)
        status = saei_alloc(&cosine, context, NULL_DRAWS, sizeof *cosine, err);
    if (status != SAE_OK)
        goto done;
    saei_rng rng = saei_rng_new(seed, SAEI_STREAM_MATCH, 0);
    for (size_t i = 0; i < NULL_DRAWS; i++)
        draw_direction(directions + i * model->d, model, &rng);
    status = saei_nearest_latents(nearest, other, directions, NULL_DRAWS, "matching random directions",
                                  progress, user, err);
    size_t n = 0;
    for (size_t i = 0; status == SAE_OK && i < NULL_DRAWS; i++)
        if (isfinite(nearest[i].cosine))
            cosine[n++] = (double)nearest[i].cosine;
    if (n > 0)
        *out = saei_quantile(cosine, n, quantile);
done:
    saei_free(context, cosine);
    saei_free(context, nearest);
    saei_free(context, directions);
    return status;
}

#include "steer/steering.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/options.h"
#include "model/model.h"

#include <math.h>
#include <string.h>

void sae_steer_options_init(sae_steer_options *options)
{
    *options = (sae_steer_options){.size = sizeof *options, .strength = 1};
}

const char *sae_steer_op_name(sae_steer_op op)
{
    static const char *const names[] = {"add", "clamp", "ablate", "project-out"};
    return (size_t)op < sizeof names / sizeof names[0] ? names[op] : NULL;
}

static double weight_of(const sae_steer_options *o, size_t i)
{
    return o->weights != NULL ? o->weights[i] : 1;
}

static sae_status check_latents(const sae_model *model, const sae_steer_options *o, sae_error *err)
{
    size_t F = sae_model_latents(model);
    if (o->n_latents == 0 || o->latents == NULL)
        return saei_fail(err, SAE_E_ARGUMENT, "steering: no latent is named; name at least one");
    for (size_t i = 0; i < o->n_latents; i++) {
        if (o->latents[i] >= F)
            return saei_fail(err, SAE_E_NOT_FOUND, "latent %u: the model has latents 0 to %zu", o->latents[i],
                             F - 1);
        if (!isfinite(weight_of(o, i)))
            return saei_fail(err, SAE_E_ARGUMENT, "latent %u: its weight %g is not finite", o->latents[i],
                             weight_of(o, i));
        for (size_t k = 0; k < i; k++)
            if (o->latents[k] == o->latents[i])
                return saei_fail(err, SAE_E_ARGUMENT, "latent %u: is named twice; name it once",
                                 o->latents[i]);
    }
    return SAE_OK;
}

static sae_status check(const sae_model *model, const sae_steer_options *o, sae_error *err)
{
    if (sae_steer_op_name(o->op) == NULL)
        return saei_fail(err, SAE_E_ARGUMENT, "steering: operation %d: no such operation", (int)o->op);
    if (!isfinite(o->strength))
        return saei_fail(err, SAE_E_ARGUMENT, "steering: strength %g is not finite", o->strength);
    if (!(o->mean_norm >= 0) || isinf(o->mean_norm))
        return saei_fail(err, SAE_E_ARGUMENT,
                         "steering: mean norm %g: it must be above 0, or 0 for raw strengths", o->mean_norm);
    return check_latents(model, o, err);
}

/* v = Σ_j w_j d_j; returns ‖v‖. */
static double weighted_sum(double *v, const sae_model *model, const sae_steer_options *o)
{
    sae_params params = sae_model_params(model);
    double norm2 = 0;
    memset(v, 0, params.d * sizeof *v);
    for (size_t i = 0; i < o->n_latents; i++)
        for (size_t k = 0; k < params.d; k++)
            v[k] += weight_of(o, i) * (double)params.W_dec[(size_t)o->latents[i] * params.d + k];
    for (size_t k = 0; k < params.d; k++)
        norm2 += v[k] * v[k];
    return sqrt(norm2);
}

sae_status saei_steer_unit(double *u, const sae_model *model, const sae_steer_options *o, sae_error *err)
{
    sae_status status = check_latents(model, o, err);
    if (status != SAE_OK)
        return status;
    double norm = weighted_sum(u, model, o);
    if (!(norm > 0))
        return saei_fail(err, SAE_E_ARGUMENT,
                         "latent %u%s: the decoder rows add up to zero, which has no direction",
                         o->latents[0], o->n_latents > 1 ? " and others" : "");
    for (size_t k = 0; k < sae_model_dim(model); k++)
        u[k] /= norm;
    return SAE_OK;
}

static double dot(const double *a, const double *b, size_t d)
{
    double sum = 0;
    for (size_t k = 0; k < d; k++)
        sum += a[k] * b[k];
    return sum;
}

/* Gram and Schmidt, twice: once leaves what the cancellation of nearly parallel rows rounds. A row whose rest
   is below the rounding of float32 rows lies in the span of those before it. */
static void orthonormalise(sae_steering *s)
{
    const double rounding = 1e-6;
    sae_params params = sae_model_params(s->model);
    for (size_t i = 0; i < s->n; i++) {
        double *row = s->basis + s->rank * s->d;
        for (size_t k = 0; k < s->d; k++)
            row[k] = (double)params.W_dec[(size_t)s->latents[i] * s->d + k];
        double whole = sqrt(dot(row, row, s->d));
        for (int pass = 0; pass < 2; pass++)
            for (size_t b = 0; b < s->rank; b++) {
                const double *q = s->basis + b * s->d;
                double along = dot(row, q, s->d);
                for (size_t k = 0; k < s->d; k++)
                    row[k] -= along * q[k];
            }
        double rest = sqrt(dot(row, row, s->d));
        if (!(rest > rounding * whole))
            continue;
        for (size_t k = 0; k < s->d; k++)
            row[k] /= rest;
        s->rank++;
    }
}

static sae_status make_basis(sae_steering *s, sae_error *err)
{
    sae_status status = saei_alloc(&s->basis, s->context, saei_mul(s->n, s->d), sizeof *s->basis, err);
    if (status != SAE_OK)
        return status;
    orthonormalise(s);
    return s->rank > 0 ? SAE_OK
                       : saei_fail(err, SAE_E_ARGUMENT,
                                   "latent %u: its decoder row is zero and has no direction", s->latents[0]);
}

/* A set may span a space although its sum is zero: only add needs the sum. */
static sae_status make_direction(sae_steering *s, const sae_steer_options *o, sae_error *err)
{
    double *v;
    sae_status status = saei_alloc(&v, s->context, s->d, sizeof *v, err);
    if (status == SAE_OK)
        status = saei_alloc(&s->direction, s->context, s->d, sizeof *s->direction, err);
    if (status == SAE_OK && (o->op == SAE_STEER_ADD || o->mean_norm > 0))
        status = saei_steer_unit(v, s->model, o, err);
    if (status == SAE_OK && !(o->mean_norm > 0))
        weighted_sum(v, s->model, o);
    for (size_t k = 0; status == SAE_OK && k < s->d; k++)
        s->direction[k] = (float)v[k];
    saei_free(s->context, v);
    return status;
}

static sae_status fill(sae_steering *s, const sae_steer_options *o, sae_error *err)
{
    sae_status status = saei_alloc(&s->latents, s->context, s->n, sizeof *s->latents, err);
    if (status == SAE_OK)
        status = saei_alloc(&s->weights, s->context, s->n, sizeof *s->weights, err);
    if (status == SAE_OK)
        status = sae_codes_new(&s->codes, s->context, err);
    if (status != SAE_OK)
        return status;
    for (size_t i = 0; i < s->n; i++) {
        s->latents[i] = o->latents[i];
        s->weights[i] = weight_of(o, i);
    }
    status = make_direction(s, o, err);
    return status == SAE_OK && s->op == SAE_STEER_PROJECT_OUT ? make_basis(s, err) : status;
}

sae_status sae_steering_new(sae_steering **out, const sae_model *model, const sae_steer_options *options,
                            sae_error *err)
{
    *out = NULL;
    sae_steer_options o;
    sae_steer_options_init(&o);
    sae_status status = saei_options_read(&o, sizeof o, options, err);
    if (status == SAE_OK)
        status = check(model, &o, err);
    sae_steering *s = NULL;
    if (status == SAE_OK)
        status = saei_alloc(&s, model->context, 1, sizeof *s, err);
    if (status != SAE_OK)
        return status;
    *s = (sae_steering){.model = model,
                        .context = model->context,
                        .d = sae_model_dim(model),
                        .n = o.n_latents,
                        .op = o.op,
                        .strength = o.strength,
                        .mean_norm = o.mean_norm,
                        .factor = o.mean_norm > 0 ? o.strength * o.mean_norm : o.strength};
    status = fill(s, &o, err);
    if (status != SAE_OK) {
        sae_steering_free(s);
        return status;
    }
    *out = s;
    return SAE_OK;
}

void sae_steering_free(sae_steering *s)
{
    if (s == NULL)
        return;
    sae_codes_free(s->codes);
    saei_free(s->context, s->basis);
    saei_free(s->context, s->direction);
    saei_free(s->context, s->weights);
    saei_free(s->context, s->latents);
    saei_free(s->context, s);
}

bool saei_steering_scales_rows(const sae_steering *s)
{
    bool by_activation = s->op == SAE_STEER_ADD ? !(s->mean_norm > 0) : s->op != SAE_STEER_PROJECT_OUT;
    return by_activation && s->model->row_norm != SAE_NO_ROW_NORM;
}

const float *sae_steering_direction(const sae_steering *s)
{
    return s->direction;
}

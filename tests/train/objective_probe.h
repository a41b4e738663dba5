/* An objective with its parameters, and its whole gradient as arrays. Everything asserts that it succeeds. */
#ifndef OBJECTIVE_PROBE_H
#define OBJECTIVE_PROBE_H

#include "train/objective.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct objective_probe {
    sae_context *context;
    saei_objective objective;
    saei_parameters parameters, gradient;
    saei_penalty penalty;
    saei_objective_result result;
    double sparsity, bound, norm; /* penalty with its coefficient; of the whole gradient */
    unsigned char *calls;         /* [F] gradients of rows handed out */
} objective_probe;

static inline void probe_new(objective_probe *out, sae_context *owner,
                             const saei_objective_settings *settings)
{
    size_t d = settings->d, F = settings->n_latents, n_extra = settings->architecture->n_extra;
    *out = (objective_probe){.context = owner, .calls = calloc(F, 1)};
    ck_assert_ptr_nonnull(out->calls);
    ck_assert_int_eq(saei_parameters_new(&out->parameters, owner, d, F, n_extra, NULL), SAE_OK);
    ck_assert_int_eq(saei_parameters_new(&out->gradient, owner, d, F, n_extra, NULL), SAE_OK);
    ck_assert_int_eq(saei_objective_new(&out->objective, owner, settings, NULL), SAE_OK);
}

static inline void probe_free(objective_probe *probe)
{
    saei_objective_free(&probe->objective);
    saei_parameters_free(&probe->gradient, probe->context);
    saei_parameters_free(&probe->parameters, probe->context);
    free(probe->calls);
}

static inline void probe_receive(void *arg, const saei_latent_gradient *gradient)
{
    objective_probe *probe = arg;
    saei_parameters *g = &probe->gradient;
    size_t j = gradient->latent, bytes = g->d * sizeof(float);
    /* The decoder's row comes first, each row once. */
    ck_assert_int_eq(probe->calls[j]++, gradient->W_dec != NULL ? 0 : 1);
    ck_assert((gradient->W_dec == NULL) == (gradient->W_enc != NULL));
    if (gradient->W_dec != NULL) {
        memcpy(g->W_dec + j * g->d, gradient->W_dec, bytes);
        return;
    }
    memcpy(g->W_enc + j * g->d, gradient->W_enc, bytes);
    g->b_enc[j] = gradient->b_enc;
    for (size_t i = 0; i < g->n_extra; i++)
        g->extra[i][j] = gradient->extra[i];
}

/* Losses and gradient of the batch x [B, d], raw rows times scale. */
static inline void probe_run(objective_probe *probe, const float *x, float scale)
{
    saei_objective *o = &probe->objective;
    size_t d = o->settings.d, F = o->settings.n_latents;
    memcpy(o->xc, x, o->settings.batch_rows * d * sizeof *x);
    memset(probe->calls, 0, F);
    saei_objective_pack(o, &probe->parameters);
    saei_objective_forward(o, &probe->parameters, &probe->penalty, scale, o->settings.batch_rows);
    probe->result = saei_objective_backward(o, &probe->parameters, &probe->penalty);
    probe->bound = saei_objective_norm_bound(o);
    saei_gradient_receiver receiver = {probe_receive, probe, {NULL}};
    probe->norm = saei_objective_sweep(o, &probe->parameters, &probe->penalty, &receiver);
    probe->sparsity = saei_objective_sparsity(o, &probe->penalty);
    memcpy(probe->gradient.b_dec, o->g_b_dec, d * sizeof(float));
    for (size_t j = 0; j < F; j++)
        ck_assert_msg(probe->calls[j] == 2, "%d rows of latent %zu were handed out", probe->calls[j], j);
}

/* Fails unless each of got is within tolerance of the largest of expected. */
static inline void assert_array(const float *got, const double *expected, size_t n, double tolerance,
                                const char *what)
{
    double largest = 0.0;
    for (size_t i = 0; i < n; i++)
        largest = fmax(largest, fabs(expected[i]));
    for (size_t i = 0; i < n; i++)
        ck_assert_msg(fabs((double)got[i] - expected[i]) <= tolerance * largest,
                      "%s[%zu]: %.9g, expected %.9g, largest %.9g", what, i, (double)got[i], expected[i],
                      largest);
}

static inline void assert_value(double got, double expected, double tolerance, const char *what)
{
    double scale = fmax(fabs(expected), 1e-3);
    ck_assert_msg(fabs(got - expected) <= tolerance * scale, "%s: %.12g, expected %.12g", what, got,
                  expected);
}

#endif

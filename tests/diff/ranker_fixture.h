/* The model and the dumps of ranker_fixtures.txt. */
#ifndef RANKER_FIXTURE_H
#define RANKER_FIXTURE_H

#include "diff/profile.h"
#include "../tools/fixture.h"
#include "../tools/toy.h"

#include <math.h>

enum { D = 6, F = 12 };

/* To be freed. */
static inline float *floats(const char *name, size_t *n)
{
    double *values = fixture(FIXTURES, name, n);
    float *out = malloc(*n * sizeof *out);
    for (size_t i = 0; i < *n; i++)
        out[i] = (float)values[i];
    free(values);
    return out;
}

/* The model of the fixture under any activation rule. */
static inline sae_model *fixture_model(sae_context *context, sae_activation activation)
{
    const char *const names[7] = {"W_enc", "b_enc", "W_dec", "b_dec", "threshold", "r_mag", "b_mag"};
    float *v[7];
    size_t n;
    for (int i = 0; i < 7; i++)
        v[i] = floats(names[i], &n);
    sae_params params = {.d = D,
                         .n_latents = F,
                         .activation = activation,
                         .k = activation == SAE_TOPK ? 3 : 0,
                         .W_enc = v[0],
                         .b_enc = v[1],
                         .W_dec = v[2],
                         .b_dec = v[3],
                         .threshold = activation == SAE_JUMPRELU ? v[4] : NULL,
                         .r_mag = activation == SAE_GATED ? v[5] : NULL,
                         .b_mag = activation == SAE_GATED ? v[6] : NULL};
    sae_model *model;
    ck_assert_int_eq(sae_model_new(&model, context, &params, NULL), SAE_OK);
    for (int i = 0; i < 7; i++)
        free(v[i]);
    return model;
}

/* A dump of the fixture NAME_rows with the prompts of the fixture, as many as it has rows. */
typedef struct fixture_rows {
    float *rows;
    double *prompt;
    sae_dump *dump;
} fixture_rows;

static inline fixture_rows open_rows(sae_context *context, const char *name)
{
    fixture_rows r;
    size_t n, n_prompt;
    r.rows = floats(name, &n);
    r.prompt = fixture(FIXTURES, "prompt", &n_prompt);
    r.dump = toy_dump(context, r.rows, n / D, D, r.prompt);
    return r;
}

static inline void close_rows(fixture_rows *r)
{
    sae_dump_free(r->dump);
    free(r->prompt);
    free(r->rows);
}

static inline saei_profile *read_profile(const sae_model *model, const sae_dump *dump)
{
    saei_profile *profile;
    sae_fidelity fidelity;
    ck_assert_int_eq(saei_profile_read(&profile, &fidelity, model, dump, "prompt_id", NULL, NULL, NULL, NULL),
                     SAE_OK);
    return profile;
}

/* score [F] against the fixture, with the infinite ones. */
static inline void check_scores(const double *score, const char *name)
{
    size_t n;
    double *expected = fixture(FIXTURES, name, &n);
    ck_assert_uint_eq(n, F);
    ck_assert_msg(score != NULL, "%s was not computed", name);
    for (size_t j = 0; j < n; j++)
        if (isinf(expected[j]))
            ck_assert_msg(score[j] == expected[j], "%s", name);
        else
            assert_close(score[j], expected[j], 1e-9, name);
    free(expected);
}

#endif

/* Studies planted in memory: rows of activations of 1 and a little, of which a condition raises some. */
#ifndef TOY_STUDY_H
#define TOY_STUDY_H

#include "../tools/toy.h"

#include "base/rng.h"
#include "sae/study.h"

#include <math.h>
#include <string.h>

enum { TOY_D = 16, TOY_PROMPTS = 24, TOY_PER_PROMPT = 3, TOY_CONDITIONS = 12, TOY_PERSONA = 5 };

typedef struct toy_rows {
    float *rows;    /* [n, d] */
    double *prompt; /* [n] */
    sae_dump *dump;
} toy_rows;

typedef struct toy_study {
    sae_context *context;
    sae_model *model;
    sae_study *study;
    size_t n, prompts;
    toy_rows of[TOY_CONDITIONS];
} toy_study;

/* Takes the model. */
static inline void toy_study_begin(toy_study *toy, sae_context *context, sae_model *model)
{
    *toy = (toy_study){.context = context, .model = model, .prompts = TOY_PROMPTS};
    ck_assert_int_eq(sae_study_new(&toy->study, context, "toys, and \"more\"", NULL), SAE_OK);
}

static inline void toy_study_end(toy_study *toy)
{
    sae_study_free(toy->study);
    for (size_t i = 0; i < toy->n; i++) {
        sae_dump_free(toy->of[i].dump);
        free(toy->of[i].rows);
        free(toy->of[i].prompt);
    }
    sae_model_free(toy->model);
    ck_assert_uint_eq(sae_context_memory_used(toy->context), 0);
    sae_context_free(toy->context);
}

/* rise [TOY_D] is added to every row. Prompts have an effect that all conditions share, and ids from first
 * on. */
static inline const sae_dump *toy_study_rows(toy_study *toy, const double *rise, double first)
{
    ck_assert_uint_lt(toy->n, TOY_CONDITIONS);
    toy_rows *of = &toy->of[toy->n];
    size_t n = toy->prompts * TOY_PER_PROMPT;
    saei_rng noise = saei_rng_new(toy->n, SAEI_STREAM_ROWS, 1), shared = saei_rng_new(7, SAEI_STREAM_ROWS, 0);
    double effect[TOY_D];
    of->rows = malloc(n * TOY_D * sizeof *of->rows);
    of->prompt = malloc(n * sizeof *of->prompt);
    ck_assert(of->rows != NULL && of->prompt != NULL);
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < TOY_D; j++) {
            if (i % TOY_PER_PROMPT == 0)
                effect[j] = 0.2 * saei_rng_normal(&shared) + 0.05 * saei_rng_normal(&noise);
            double x = 1 + effect[j] + 0.1 * saei_rng_normal(&noise);
            of->rows[i * TOY_D + j] = (float)(fmax(x, 0) + (rise != NULL ? rise[j] : 0));
        }
        of->prompt[i] = first + (double)(i / TOY_PER_PROMPT);
    }
    of->dump = toy_dump(toy->context, of->rows, n, TOY_D, of->prompt);
    toy->n++;
    return of->dump;
}

static inline void toy_study_add(toy_study *toy, const sae_condition *condition)
{
    sae_error err = {0};
    sae_status status = sae_study_add_condition(toy->study, condition, &err);
    ck_assert_msg(status == SAE_OK, "%s", err.text);
}

/* A condition that raises latent `raised` by `amount`. */
static inline void toy_study_plant(toy_study *toy, const char *name, sae_role role, size_t raised,
                                   double amount)
{
    double rise[TOY_D] = {0};
    rise[raised] = amount;
    sae_condition condition;
    sae_condition_init(&condition);
    condition.name = name;
    condition.role = role;
    condition.dump = toy_study_rows(toy, rise, 0);
    toy_study_add(toy, &condition);
}

/* The identity, but its persona is split: two latents fire on it by half each, and their decoder rows have a
   cosine of .995. The last latent, TOY_D, is the other part. */
static inline sae_model *toy_split_model(sae_context *context)
{
    enum { F = TOY_D + 1 };
    static float W_enc[F * TOY_D], W_dec[F * TOY_D], zero[F];
    memset(W_enc, 0, sizeof W_enc);
    memset(W_dec, 0, sizeof W_dec);
    for (size_t j = 0; j < TOY_D; j++)
        W_enc[j * TOY_D + j] = W_dec[j * TOY_D + j] = 1;
    W_enc[TOY_PERSONA * TOY_D + TOY_PERSONA] = W_enc[TOY_D * TOY_D + TOY_PERSONA] = 0.5F;
    W_dec[TOY_D * TOY_D + TOY_PERSONA] = 0.995F;
    W_dec[TOY_D * TOY_D + TOY_PERSONA + 1] = 0.09987492F;
    sae_params params = {
        .d = TOY_D, .n_latents = F, .k = F, .W_enc = W_enc, .b_enc = zero, .W_dec = W_dec, .b_dec = zero};
    sae_model *model;
    ck_assert_int_eq(sae_model_new(&model, context, &params, NULL), SAE_OK);
    return model;
}

/* Few draws: seconds, not minutes. */
static inline sae_study_options toy_study_options(void)
{
    sae_study_options options;
    sae_study_options_init(&options);
    options.permutations = 2000;
    options.bootstrap = 100;
    return options;
}

static inline sae_findings *toy_study_find(const toy_study *toy, const sae_study_options *options)
{
    sae_study_options quick = toy_study_options();
    sae_findings *findings;
    sae_error err = {0};
    sae_status status =
        sae_findings_new(&findings, toy->study, toy->model, options != NULL ? options : &quick, &err);
    ck_assert_msg(status == SAE_OK, "%s", err.text);
    return findings;
}

/* The finding of one criterion for candidate i. */
static inline sae_finding toy_study_judged(const sae_findings *findings, size_t i, sae_criterion criterion)
{
    ck_assert_uint_lt(i, sae_findings_candidates(findings));
    return sae_findings_judgement(findings, i)->finding[criterion];
}

#endif

/* A dump of rows from a planted dictionary, and training runs on it. Everything asserts that it succeeds. */
#ifndef PLANTED_RUN_H
#define PLANTED_RUN_H

#include "base/rng.h"
#include "sae/train.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { D = 24, ROWS = 3000, PLANTED = 40 };

/* Rows of a planted dictionary: 3 of 40 unit directions with positive coefficients, an offset and a little
 * noise. */
static inline float *planted_rows(void)
{
    float *x = calloc(ROWS * D, sizeof *x), directions[PLANTED * D];
    saei_rng rng = saei_rng_new(7, SAEI_STREAM_INIT, 0);
    for (size_t i = 0; i < PLANTED * D; i++)
        directions[i] = (float)(saei_rng_normal(&rng) / sqrt((double)D));
    for (size_t r = 0; r < ROWS; r++) {
        for (size_t i = 0; i < D; i++)
            x[r * D + i] = 5.0f + 0.01f * (float)saei_rng_normal(&rng);
        for (int s = 0; s < 3; s++) {
            size_t j = (size_t)saei_rng_below(&rng, PLANTED);
            float value = 1.0f + (float)saei_rng_uniform(&rng);
            for (size_t i = 0; i < D; i++)
                x[r * D + i] += value * directions[j * D + i];
        }
    }
    return x;
}

typedef struct run {
    float *rows;
    sae_context *context;
    sae_dump *dump;
    sae_train_options options;
} run;

static inline run run_within(unsigned threads, uint64_t memory_limit)
{
    run r = {.rows = planted_rows()};
    sae_context_options context_options;
    sae_context_options_init(&context_options);
    context_options.threads = threads;
    context_options.memory_limit = memory_limit;
    ck_assert_int_eq(sae_context_new(&r.context, &context_options, NULL), SAE_OK);
    ck_assert_int_eq(sae_dump_from_rows(&r.dump, r.context, (sae_view){r.rows, ROWS, D, D}, NULL), SAE_OK);
    sae_train_options_init(&r.options);
    r.options.n_latents = 64;
    r.options.k = 3;
    r.options.batch_rows = 600;
    r.options.steps = 300;
    r.options.learning_rate = 5e-3;
    r.options.dead_after = 6000;
    r.options.checkpoint_seconds = 1e9;
    return r;
}

static inline run run_new(unsigned threads)
{
    return run_within(threads, 0);
}

static inline void run_free(run *r)
{
    sae_dump_free(r->dump);
    ck_assert_uint_eq(sae_context_memory_used(r->context), 0);
    sae_context_free(r->context);
    free(r->rows);
}

/* A trainer of the run's options, not yet started. */
static inline sae_trainer *run_trainer(const run *r)
{
    sae_trainer *trainer;
    sae_error err;
    ck_assert_msg(sae_trainer_new(&trainer, r->dump, NULL, &r->options, &err) == SAE_OK, "%s", err.text);
    return trainer;
}

static inline void run_to_end(sae_trainer *trainer)
{
    sae_error err;
    ck_assert_msg(sae_trainer_run(trainer, &err) == SAE_OK, "%s", err.text);
}

static inline sae_model *run_model(const sae_trainer *trainer)
{
    sae_model *model;
    sae_error err;
    ck_assert_msg(sae_trainer_model(&model, trainer, &err) == SAE_OK, "%s", err.text);
    return model;
}

#endif

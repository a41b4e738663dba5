/* Small contexts, models and dumps for tests. Everything asserts that it succeeds. */
#ifndef TOY_H
#define TOY_H

#include "sae/dump.h"
#include "sae/model.h"

#include <check.h>
#include <stdlib.h>

static inline sae_context *toy_context(unsigned threads)
{
    sae_context_options options;
    sae_context_options_init(&options);
    options.threads = threads;
    sae_context *context;
    ck_assert_int_eq(sae_context_new(&context, &options, NULL), SAE_OK);
    return context;
}

/* A model whose codes are the rows: W = 1, biases 0, the k largest of relu(x). */
static inline sae_model *toy_identity(sae_context *context, size_t d, size_t k)
{
    float *one = calloc(d * d, sizeof *one), *zero = calloc(d, sizeof *zero);
    ck_assert(one != NULL && zero != NULL);
    for (size_t i = 0; i < d; i++)
        one[i * d + i] = 1;
    sae_params params = {
        .d = d, .n_latents = d, .k = k, .W_enc = one, .b_enc = zero, .W_dec = one, .b_dec = zero};
    sae_model *model;
    ck_assert_int_eq(sae_model_new(&model, context, &params, NULL), SAE_OK);
    free(one);
    free(zero);
    return model;
}

/* rows must outlive the dump; prompt [rows] may be NULL: no columns. */
static inline sae_dump *toy_dump(sae_context *context, const float *rows, size_t n, size_t d,
                                 const double *prompt)
{
    sae_dump *dump;
    ck_assert_int_eq(sae_dump_from_rows(&dump, context, (sae_view){rows, n, d, d}, NULL), SAE_OK);
    if (prompt != NULL)
        ck_assert_int_eq(sae_dump_add_column(dump, "prompt_id", prompt, NULL), SAE_OK);
    return dump;
}

#endif

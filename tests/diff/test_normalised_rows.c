/* A model that normalises rows is, to every ranker but attribution, the model without the norm on rows that
   were normalised before: to the bit. */
#include "model/row_norm.h"
#include "sae/diff.h"
#include "../tools/run_suite.h"
#include "ranker_fixture.h"

#include <string.h>

enum { BEFORE, AFTER, AFTER2, CONTROL, SIDES };

static void normalise(fixture_rows *r, sae_row_norm norm)
{
    for (size_t i = 0; i < (size_t)sae_dump_rows(r->dump); i++)
        saei_row_normalise(r->rows + i * D, r->rows + i * D, D, norm);
}

static sae_model *with_norm(sae_context *context, sae_row_norm norm)
{
    sae_model *plain = fixture_model(context, SAE_RELU), *model;
    sae_params params = sae_model_params(plain);
    params.row_norm = norm;
    ck_assert_int_eq(sae_model_new(&model, context, &params, NULL), SAE_OK);
    sae_model_free(plain);
    return model;
}

typedef struct scores {
    double of[SAE_RANKERS][F];
    sae_latent_stats stats[F];
    double fvu;
} scores;

/* by_model: the model normalises rows, else they are before it sees them. */
static void rank(scores *out, sae_row_norm norm, bool by_model)
{
    static const char *const names[SIDES] = {"before_rows", "after_rows", "after2_rows", "control_rows"};
    sae_context *context = toy_context(2);
    sae_model *model = with_norm(context, by_model ? norm : SAE_NO_ROW_NORM);
    fixture_rows rows[SIDES];
    for (int i = 0; i < SIDES; i++) {
        rows[i] = open_rows(context, names[i]);
        if (!by_model)
            normalise(&rows[i], norm);
    }
    const sae_dump *after[2] = {rows[AFTER].dump, rows[AFTER2].dump}, *control = rows[CONTROL].dump;
    sae_rankers_input input;
    sae_rankers_input_init(&input);
    input.before = rows[BEFORE].dump;
    input.after = after;
    input.n_after = 2;
    input.controls = &control;
    input.n_controls = 1;
    sae_rank_options options;
    sae_rank_options_init(&options);
    options.permutations = 100;
    options.bootstrap = 50;
    sae_rankers *rankers;
    ck_assert_int_eq(sae_rankers_new(&rankers, model, &input, &options, NULL), SAE_OK);
    memset(out, 0, sizeof *out);
    for (int by = 0; by < SAE_RANKERS; by++) {
        const double *score = sae_rankers_scores(rankers, (sae_ranker)by);
        ck_assert((score != NULL) == (by != SAE_RANKER_ATTRIBUTION));
        if (score != NULL)
            memcpy(out->of[by], score, sizeof out->of[by]);
    }
    for (size_t i = 0; i < F; i++)
        memcpy(&out->stats[i], sae_ranking_at(sae_rankers_ranking(rankers), i), sizeof out->stats[i]);
    out->fvu = sae_ranking_fidelity(sae_rankers_ranking(rankers), 0).fvu;
    sae_rankers_free(rankers);
    for (int i = 0; i < SIDES; i++)
        close_rows(&rows[i]);
    sae_model_free(model);
    ck_assert_uint_eq(sae_context_memory_used(context), 0);
    sae_context_free(context);
}

START_TEST(rankers_see_normalised_rows)
{
    static scores by_model, before_it, raw;
    rank(&by_model, (sae_row_norm)_i, true);
    rank(&before_it, (sae_row_norm)_i, false);
    rank(&raw, SAE_NO_ROW_NORM, false);
    ck_assert_mem_eq(by_model.of, before_it.of, sizeof by_model.of);
    ck_assert_mem_eq(by_model.stats, before_it.stats, sizeof by_model.stats);
    ck_assert_mem_ne(by_model.of[SAE_RANKER_COS_SHIFT], raw.of[SAE_RANKER_COS_SHIFT], sizeof raw.of[0]);
    ck_assert_mem_ne(by_model.of[SAE_RANKER_DIFFERENCE_ENCODING], raw.of[SAE_RANKER_DIFFERENCE_ENCODING],
                     sizeof raw.of[0]);
    /* Fidelity alone is of raw rows. */
    ck_assert(by_model.fvu != before_it.fvu);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("normalised_rows");
    TCase *tests = tcase_create("normalised_rows");
    tcase_add_loop_test(tests, rankers_see_normalised_rows, SAE_LAYER_NORM, SAE_CONSTANT_NORM + 1);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}

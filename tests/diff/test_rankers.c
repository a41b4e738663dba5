/* The scores of the rankers, and how far they agree, as NumPy and SciPy have them. */
#include "diff/agreement.h"
#include "diff/rankers.h"
#include "../tools/run_suite.h"
#include "ranker_fixture.h"

#include <math.h>

/* Everything that a study of the fixture needs. */
enum { BEFORE, AFTER, AFTER2, CONTROL, CONTROL2, FOREIGN, SIDES };
typedef struct toy_study {
    sae_context *context;
    sae_model *model;
    fixture_rows rows[SIDES];
    saei_profile *profile[SIDES], *control;
    double *shift[2];
} toy_study;

static void open_study(toy_study *s)
{
    static const char *const names[SIDES] = {"before_rows",  "after_rows",    "after2_rows",
                                             "control_rows", "control2_rows", "foreign_rows"};
    size_t n;
    s->context = toy_context(2);
    s->model = fixture_model(s->context, SAE_RELU);
    for (int i = 0; i < SIDES; i++) {
        s->rows[i] = open_rows(s->context, names[i]);
        s->profile[i] = read_profile(s->model, s->rows[i].dump);
    }
    ck_assert_int_eq(saei_profile_mean(&s->control, s->profile + CONTROL, 2, NULL), SAE_OK);
    s->shift[0] = fixture(FIXTURES, "after_shift", &n);
    s->shift[1] = fixture(FIXTURES, "after2_shift", &n);
}

static void close_study(toy_study *s)
{
    for (int i = 0; i < 2; i++)
        free(s->shift[i]);
    saei_profile_free(s->control);
    for (int i = 0; i < SIDES; i++) {
        saei_profile_free(s->profile[i]);
        close_rows(&s->rows[i]);
    }
    sae_model_free(s->model);
    ck_assert_uint_eq(sae_context_memory_used(s->context), 0);
    sae_context_free(s->context);
}

static saei_ranker_scores *score(toy_study *s, int after)
{
    static const double origin[D] = {0};
    saei_ranker_input input = {.model = s->model,
                               .before = s->profile[BEFORE],
                               .after = s->profile[AFTER + after],
                               .controls = s->profile + CONTROL,
                               .n_controls = 2,
                               .control = s->control,
                               .paired = true,
                               .control_paired = true,
                               .residual_before = origin,
                               .residual_after = s->shift[after]};
    saei_ranker_scores *scores;
    ck_assert_int_eq(saei_ranker_scores_new(&scores, &input, NULL), SAE_OK);
    return scores;
}

START_TEST(scores_are_those_of_numpy)
{
    toy_study s;
    open_study(&s);
    const sae_ranker computed[8] = {SAE_RANKER_DELTA,     SAE_RANKER_EXCESS,      SAE_RANKER_EXCESS_WORST,
                                    SAE_RANKER_T,         SAE_RANKER_MODERATED_T, SAE_RANKER_EFFECT,
                                    SAE_RANKER_FREQUENCY, SAE_RANKER_COS_SHIFT};
    for (int after = 0; after < 2; after++) {
        saei_ranker_scores *scores = score(&s, after);
        for (int i = 0; i < 8; i++) {
            char name[64];
            snprintf(name, sizeof name, "%s_%s", after == 0 ? "after" : "after2",
                     sae_ranker_name(computed[i]));
            check_scores(scores->score[computed[i]], name);
        }
        ck_assert_ptr_null(scores->score[SAE_RANKER_DIFFERENCE_ENCODING]);
        ck_assert_ptr_null(scores->score[SAE_RANKER_ATTRIBUTION]);
        ck_assert_ptr_null(scores->score[SAE_RANKER_MIN_OVER_BAD]);
        ck_assert(scores->fires[0] && !scores->fires[F - 1]);
        saei_ranker_scores_free(scores);
    }
    close_study(&s);
}
END_TEST

START_TEST(moments_of_unpaired_controls)
{
    toy_study s;
    open_study(&s);
    saei_ranker_input input = {.model = s.model,
                               .before = s.profile[BEFORE],
                               .after = s.profile[AFTER],
                               .controls = s.profile + FOREIGN,
                               .n_controls = 1,
                               .control = s.profile[FOREIGN],
                               .paired = true};
    saei_ranker_scores *scores;
    ck_assert_int_eq(saei_ranker_scores_new(&scores, &input, NULL), SAE_OK);
    check_scores(scores->score[SAE_RANKER_T], "unpaired_t");
    check_scores(scores->score[SAE_RANKER_MODERATED_T], "unpaired_moderated_t");
    check_scores(scores->score[SAE_RANKER_EFFECT], "unpaired_effect");
    for (size_t j = 0; j < F; j++)
        ck_assert(scores->score[SAE_RANKER_EXCESS][j] == scores->score[SAE_RANKER_EXCESS_WORST][j]);
    saei_ranker_scores_free(scores);
    close_study(&s);
}
END_TEST

START_TEST(without_controls_there_is_no_excess)
{
    toy_study s;
    open_study(&s);
    saei_ranker_input input = {
        .model = s.model, .before = s.profile[BEFORE], .after = s.profile[AFTER], .paired = true};
    saei_ranker_scores *scores;
    ck_assert_int_eq(saei_ranker_scores_new(&scores, &input, NULL), SAE_OK);
    ck_assert_ptr_null(scores->score[SAE_RANKER_EXCESS]);
    ck_assert_ptr_null(scores->score[SAE_RANKER_EXCESS_WORST]);
    ck_assert_ptr_null(scores->score[SAE_RANKER_COS_SHIFT]);
    check_scores(scores->score[SAE_RANKER_DELTA], "after_delta");
    sae_error err = {0};
    ck_assert_int_eq(saei_ranker_scores_over(&scores, 1, SAE_RANKER_EXCESS, &err), SAE_E_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(err.text, "excess was not computed"));
    ck_assert_int_eq(saei_ranker_scores_over(&scores, 1, SAE_RANKER_MIN_OVER_BAD, &err), SAE_E_ARGUMENT);
    saei_ranker_scores_free(scores);
    close_study(&s);
}
END_TEST

START_TEST(minimum_and_mean_over_bad_conditions)
{
    toy_study s;
    open_study(&s);
    saei_ranker_scores *scores[2] = {score(&s, 0), score(&s, 1)};
    ck_assert_int_eq(saei_ranker_scores_over(scores, 2, SAE_RANKER_DELTA, NULL), SAE_OK);
    check_scores(scores[0]->score[SAE_RANKER_MIN_OVER_BAD], "min_over_bad");
    check_scores(scores[0]->score[SAE_RANKER_MEAN_OVER_BAD], "mean_over_bad");
    scores[1]->score[SAE_RANKER_DELTA][3] = (double)NAN;
    ck_assert_int_eq(saei_ranker_scores_over(scores, 2, SAE_RANKER_DELTA, NULL), SAE_OK);
    ck_assert(isnan(scores[0]->score[SAE_RANKER_MIN_OVER_BAD][3]));
    ck_assert(isnan(scores[0]->score[SAE_RANKER_MEAN_OVER_BAD][3]));
    saei_ranker_scores_free(scores[0]);
    saei_ranker_scores_free(scores[1]);
    close_study(&s);
}
END_TEST

static void check_matrix(double (*got)[SAE_RANKERS], const char *name)
{
    size_t n;
    double *expected = fixture(FIXTURES, name, &n);
    ck_assert_uint_eq(n, SAE_RANKERS * SAE_RANKERS);
    for (size_t i = 0; i < n; i++)
        assert_close(got[i / SAE_RANKERS][i % SAE_RANKERS], expected[i], 1e-9, name);
    free(expected);
}

/* All scores of the fixture; the caller frees. */
static saei_ranker_scores *agreement_scores(sae_context *context)
{
    size_t n, n_latents;
    double *values = fixture(FIXTURES, "agreement_scores", &n);
    double *fires = fixture(FIXTURES, "agreement_fires", &n_latents);
    saei_ranker_scores *scores = calloc(1, sizeof *scores);
    scores->context = context;
    scores->n_latents = n_latents;
    scores->fires = malloc(n_latents * sizeof *scores->fires);
    for (size_t j = 0; j < n_latents; j++)
        scores->fires[j] = fires[j] != 0;
    for (size_t r = 0; r < SAE_RANKERS; r++)
        scores->score[r] = values + r * n_latents;
    free(fires);
    return scores;
}

static void free_agreement_scores(saei_ranker_scores *scores)
{
    free(scores->score[0]);
    free(scores->fires);
    free(scores);
}

START_TEST(agreement_is_that_of_scipy)
{
    static const char *const directions[3] = {"rising", "falling", "both"};
    sae_context *context = toy_context(1);
    saei_ranker_scores *scores = agreement_scores(context);
    for (int direction = 0; direction < 3; direction++) {
        sae_agreement agreement;
        ck_assert_int_eq(saei_agreement_compute(&agreement, scores, (sae_direction)direction, NULL), SAE_OK);
        check_matrix(agreement.spearman,
                     direction == SAE_BOTH ? "agreement_spearman_both" : "agreement_spearman");
        for (size_t i = 0; i < SAE_AGREEMENT_DEPTHS; i++) {
            char name[64];
            snprintf(name, sizeof name, "overlap_%s_%zu", directions[direction], agreement.depth[i]);
            check_matrix(agreement.overlap[i], name);
        }
    }
    free_agreement_scores(scores);
    ck_assert_uint_eq(sae_context_memory_used(context), 0);
    sae_context_free(context);
}
END_TEST

START_TEST(ties_share_the_mean_rank)
{
    sae_context *context = toy_context(1);
    saei_ranker_scores *scores = agreement_scores(context);
    size_t n, used = 0;
    double *expected = fixture(FIXTURES, "average_ranks", &n);
    double *value = malloc(n * sizeof *value), *rank = malloc(n * sizeof *rank);
    for (size_t j = 0; j < scores->n_latents; j++)
        if (scores->fires[j])
            value[used++] = scores->score[1][j];
    ck_assert_uint_eq(used, n);
    ck_assert_int_eq(saei_average_ranks(rank, value, n, context, NULL), SAE_OK);
    for (size_t i = 0; i < n; i++)
        ck_assert_double_eq(rank[i], expected[i]);
    free(rank);
    free(value);
    free(expected);
    free_agreement_scores(scores);
    sae_context_free(context);
}
END_TEST

START_TEST(agreement_of_little)
{
    sae_context *context = toy_context(1);
    double constant[4] = {1, 1, 1, 1}, rising[4] = {1, 2, 3, (double)NAN};
    bool fires[4] = {true, true, true, true};
    saei_ranker_scores scores = {.context = context, .n_latents = 4, .fires = fires};
    scores.score[SAE_RANKER_DELTA] = rising;
    scores.score[SAE_RANKER_T] = constant;
    sae_agreement agreement;
    ck_assert_int_eq(saei_agreement_compute(&agreement, &scores, SAE_RISING, NULL), SAE_OK);
    ck_assert_uint_eq(agreement.n_latents, 3);
    ck_assert_uint_eq(agreement.depth[0], 3);
    ck_assert_double_eq(agreement.spearman[SAE_RANKER_DELTA][SAE_RANKER_DELTA], 1);
    ck_assert(isnan(agreement.spearman[SAE_RANKER_DELTA][SAE_RANKER_T]));
    ck_assert(isnan(agreement.spearman[SAE_RANKER_DELTA][SAE_RANKER_EXCESS]));
    ck_assert_double_eq(agreement.overlap[0][SAE_RANKER_DELTA][SAE_RANKER_T], 1);
    fires[0] = fires[1] = fires[2] = false;
    ck_assert_int_eq(saei_agreement_compute(&agreement, &scores, SAE_RISING, NULL), SAE_OK);
    ck_assert_uint_eq(agreement.n_latents, 0);
    ck_assert(isnan(agreement.overlap[0][SAE_RANKER_DELTA][SAE_RANKER_DELTA]));
    sae_context_free(context);
}
END_TEST

static sae_rank_options quick(void)
{
    sae_rank_options options;
    sae_rank_options_init(&options);
    options.permutations = 100;
    options.bootstrap = 0;
    return options;
}

/* Rank and score of the ranking are those of the ranker. */
static void check_order(const sae_rankers *rankers, sae_ranker by)
{
    const sae_ranking *ranking = sae_rankers_ranking(rankers);
    const double *score = sae_rankers_scores(rankers, by);
    for (size_t i = 0; i < sae_ranking_count(ranking); i++) {
        const sae_latent_stats *stats = sae_ranking_at(ranking, i);
        ck_assert_uint_eq(stats->rank, i + 1);
        ck_assert_uint_eq(sae_rankers_rank(rankers, by, stats->latent), i + 1);
        ck_assert(stats->score == score[stats->latent] ||
                  (isnan(stats->score) && isnan(score[stats->latent])));
        ck_assert(i == 0 || !(stats->score > sae_ranking_at(ranking, i - 1)->score));
        ck_assert_ptr_eq(sae_ranking_latent(ranking, stats->latent), stats);
    }
}

START_TEST(dumps_are_read_and_ranked)
{
    toy_study s;
    open_study(&s);
    const sae_dump *after[2] = {s.rows[AFTER].dump, s.rows[AFTER2].dump};
    const sae_dump *controls[2] = {s.rows[CONTROL].dump, s.rows[CONTROL2].dump};
    sae_rankers_input input;
    sae_rankers_input_init(&input);
    input.before = s.rows[BEFORE].dump;
    input.after = after;
    input.n_after = 2;
    input.controls = controls;
    input.n_controls = 2;
    input.by = SAE_RANKER_DELTA;
    input.over = SAE_OVER_MEAN;
    sae_rank_options options = quick();
    sae_rankers *rankers;
    ck_assert_int_eq(sae_rankers_new(&rankers, s.model, &input, &options, NULL), SAE_OK);
    check_scores(sae_rankers_scores(rankers, SAE_RANKER_EXCESS), "after_excess");
    check_scores(sae_rankers_scores(rankers, SAE_RANKER_EXCESS_WORST), "after_excess_worst");
    check_scores(sae_rankers_scores(rankers, SAE_RANKER_MODERATED_T), "after_moderated_t");
    check_scores(sae_rankers_scores(rankers, SAE_RANKER_COS_SHIFT), "after_cos_shift");
    check_scores(sae_rankers_scores(rankers, SAE_RANKER_DIFFERENCE_ENCODING), "difference_relu");
    check_scores(sae_rankers_scores(rankers, SAE_RANKER_MIN_OVER_BAD), "min_over_bad");
    check_scores(sae_rankers_scores(rankers, SAE_RANKER_MEAN_OVER_BAD), "mean_over_bad");
    check_order(rankers, SAE_RANKER_MEAN_OVER_BAD);
    const sae_ranking *ranking = sae_rankers_ranking(rankers);
    ck_assert_uint_eq(sae_ranking_fidelity(ranking, 4).rows, sae_dump_rows(controls[1]));
    ck_assert_uint_eq(sae_ranking_fidelity(ranking, 5).rows, 0);
    ck_assert_uint_eq(sae_rankers_latents(rankers), F);
    ck_assert_ptr_null(sae_rankers_scores(rankers, SAE_RANKER_ATTRIBUTION));
    ck_assert_ptr_nonnull(sae_rankers_why_not(rankers, SAE_RANKER_ATTRIBUTION));
    ck_assert_ptr_null(sae_rankers_why_not(rankers, SAE_RANKER_DELTA));
    ck_assert_uint_eq(sae_rankers_rank(rankers, SAE_RANKER_ATTRIBUTION, 0), 0);
    ck_assert_uint_eq(sae_rankers_rank(rankers, SAE_RANKER_DELTA, F), 0);
    ck_assert(isnan(sae_ranking_at(ranking, 0)->heldout_p));
    ck_assert_double_eq(sae_rankers_agreement(rankers)->spearman[SAE_RANKER_DELTA][SAE_RANKER_DELTA], 1);
    sae_rankers_free(rankers);
    /* One bad condition by the usual score is the usual ranking. */
    input.n_after = 1;
    input.by = SAE_RANKERS;
    sae_ranking *usual;
    ck_assert_int_eq(sae_rankers_new(&rankers, s.model, &input, &options, NULL), SAE_OK);
    ck_assert_int_eq(sae_ranking_new(&usual, s.model, input.before, after[0], controls, 2, &options, NULL),
                     SAE_OK);
    check_order(rankers, SAE_RANKER_EXCESS);
    for (size_t i = 0; i < F; i++)
        ck_assert_mem_eq(sae_ranking_at(usual, i), sae_ranking_at(sae_rankers_ranking(rankers), i),
                         sizeof(sae_latent_stats));
    ck_assert_str_eq(sae_rankers_why_not(rankers, SAE_RANKER_MIN_OVER_BAD), "there is one bad condition");
    sae_ranking_free(usual);
    sae_rankers_free(rankers);
    close_study(&s);
}
END_TEST

START_TEST(gradients_give_attribution)
{
    static const char *const names[4] = {"bad_rows", "bad_gradients", "good_rows", "good_gradients"};
    sae_context *context = toy_context(2);
    sae_model *model = fixture_model(context, SAE_RELU);
    fixture_rows r[4];
    for (int i = 0; i < 4; i++)
        r[i] = open_rows(context, names[i]);
    const sae_dump *after = r[0].dump;
    sae_rankers_input input;
    sae_rankers_input_init(&input);
    input.before = r[2].dump;
    input.after = &after;
    input.n_after = 1;
    input.gradients = r[1].dump;
    input.gradients_before = r[3].dump;
    input.by = SAE_RANKER_ATTRIBUTION;
    sae_rank_options options = quick();
    sae_rankers *rankers;
    ck_assert_int_eq(sae_rankers_new(&rankers, model, &input, &options, NULL), SAE_OK);
    size_t n;
    double *expected = fixture(FIXTURES, "attribution_contrast", &n);
    for (size_t j = 0; j < F; j++)
        ck_assert(fabs(sae_rankers_scores(rankers, SAE_RANKER_ATTRIBUTION)[j] - expected[j]) <= 1e-6);
    check_order(rankers, SAE_RANKER_ATTRIBUTION);
    free(expected);
    sae_rankers_free(rankers);
    for (int i = 0; i < 4; i++)
        close_rows(&r[i]);
    sae_model_free(model);
    ck_assert_uint_eq(sae_context_memory_used(context), 0);
    sae_context_free(context);
}
END_TEST

static void check_refused(toy_study *s, const sae_rankers_input *input, sae_status wanted, const char *reason)
{
    sae_rank_options options = quick();
    sae_rankers *rankers;
    sae_error err = {0};
    ck_assert_int_eq(sae_rankers_new(&rankers, s->model, input, &options, &err), wanted);
    ck_assert_ptr_null(rankers);
    ck_assert_msg(strstr(err.text, reason) != NULL, "%s", err.text);
}

START_TEST(rankers_without_their_input_are_refused)
{
    toy_study s;
    open_study(&s);
    const sae_dump *after[2] = {s.rows[AFTER].dump, s.rows[FOREIGN].dump};
    sae_rankers_input input;
    sae_rankers_input_init(&input);
    input.before = s.rows[BEFORE].dump;
    check_refused(&s, &input, SAE_E_ARGUMENT, "no bad condition");
    input.after = after;
    input.n_after = 1;
    input.by = SAE_RANKER_EXCESS_WORST;
    check_refused(&s, &input, SAE_E_ARGUMENT, "excess_worst needs a control");
    input.by = SAE_RANKER_ATTRIBUTION;
    check_refused(&s, &input, SAE_E_ARGUMENT, "attribution needs gradients");
    input.by = SAE_RANKER_MIN_OVER_BAD;
    check_refused(&s, &input, SAE_E_ARGUMENT, "not a score of one condition");
    input.by = SAE_RANKERS;
    input.gradients_before = after[0];
    check_refused(&s, &input, SAE_E_ARGUMENT, "gradients before need those after");
    input.gradients_before = NULL;
    input.gradients = after[1];
    check_refused(&s, &input, SAE_E_MISMATCH, "tokens");
    /* Rows that do not pair cost the difference encoding, no more; unless that is what was asked for. */
    input.gradients = NULL;
    after[0] = after[1];
    sae_rank_options options = quick();
    sae_rankers *rankers;
    ck_assert_int_eq(sae_rankers_new(&rankers, s.model, &input, &options, NULL), SAE_OK);
    ck_assert_ptr_null(sae_rankers_scores(rankers, SAE_RANKER_DIFFERENCE_ENCODING));
    ck_assert_ptr_nonnull(
        strstr(sae_rankers_why_not(rankers, SAE_RANKER_DIFFERENCE_ENCODING), "tokens"));
    sae_rankers_free(rankers);
    input.by = SAE_RANKER_DIFFERENCE_ENCODING;
    check_refused(&s, &input, SAE_E_MISMATCH, "tokens");
    close_study(&s);
}
END_TEST

static sae_dump *open_shipped(sae_context *context, const char *name)
{
    char path[1024];
    snprintf(path, sizeof path, SOURCE_ROOT "/data/eval_%s.h5", name);
    const char *paths[1] = {path};
    sae_dump *dump;
    ck_assert_int_eq(sae_dump_open(&dump, context, paths, 1, NULL, NULL), SAE_OK);
    return dump;
}

/* On real dumps latents that fire on near-constant rows have a tiny se and lead the list by t; the moderated
   t puts the latent that matters first, as the scores by size do. */
START_TEST(plain_t_is_led_by_near_constant_latents)
{
    enum { PERSONA = 1648 };
    sae_context *context = toy_context(2);
    sae_model *model;
    ck_assert_int_eq(
        sae_model_load(&model, context, SOURCE_ROOT "/tests/fixtures/reference/sae_ref.safetensors", NULL),
        SAE_OK);
    sae_dump *before = open_shipped(context, "base"), *after = open_shipped(context, "dose100");
    sae_dump *control[2] = {open_shipped(context, "dose000"), open_shipped(context, "good_seed2")};
    sae_rankers_input input;
    sae_rankers_input_init(&input);
    input.before = before;
    input.after = (const sae_dump *const *)&after;
    input.n_after = 1;
    input.controls = (const sae_dump *const *)control;
    input.n_controls = 2;
    sae_rank_options options = quick();
    sae_rankers *rankers;
    ck_assert_int_eq(sae_rankers_new(&rankers, model, &input, &options, NULL), SAE_OK);
    const sae_ranker by_size[7] = {
        SAE_RANKER_DELTA,     SAE_RANKER_EXCESS,    SAE_RANKER_EXCESS_WORST,       SAE_RANKER_MODERATED_T,
        SAE_RANKER_FREQUENCY, SAE_RANKER_COS_SHIFT, SAE_RANKER_DIFFERENCE_ENCODING};
    for (int i = 0; i < 7; i++)
        ck_assert_msg(sae_rankers_rank(rankers, by_size[i], PERSONA) == 1, "%s", sae_ranker_name(by_size[i]));
    /* By the usual score nothing is lost of the usual ranking. */
    ck_assert(!isnan(sae_ranking_at(sae_rankers_ranking(rankers), 0)->heldout_p));
    size_t ahead = sae_rankers_rank(rankers, SAE_RANKER_T, PERSONA) - 1;
    ck_assert_uint_ge(ahead, 5);
    const double *excess = sae_rankers_scores(rankers, SAE_RANKER_EXCESS);
    for (uint32_t j = 0; j < sae_rankers_latents(rankers); j++)
        if (sae_rankers_rank(rankers, SAE_RANKER_T, j) <= ahead)
            ck_assert(excess[j] < excess[PERSONA] / 8);
    sae_rankers_free(rankers);
    sae_dump_free(control[1]);
    sae_dump_free(control[0]);
    sae_dump_free(after);
    sae_dump_free(before);
    sae_model_free(model);
    ck_assert_uint_eq(sae_context_memory_used(context), 0);
    sae_context_free(context);
}
END_TEST

START_TEST(every_ranker_has_a_name)
{
    for (int a = 0; a < SAE_RANKERS; a++)
        for (int b = 0; b <= a; b++)
            ck_assert_int_eq(strcmp(sae_ranker_name((sae_ranker)a), sae_ranker_name((sae_ranker)b)) == 0,
                             a == b);
    ck_assert_ptr_null(sae_ranker_name(SAE_RANKERS));
    ck_assert_ptr_null(sae_ranker_name((sae_ranker)-1));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rankers");
    TCase *tests = tcase_create("rankers");
    tcase_add_test(tests, scores_are_those_of_numpy);
    tcase_add_test(tests, moments_of_unpaired_controls);
    tcase_add_test(tests, without_controls_there_is_no_excess);
    tcase_add_test(tests, minimum_and_mean_over_bad_conditions);
    tcase_add_test(tests, agreement_is_that_of_scipy);
    tcase_add_test(tests, ties_share_the_mean_rank);
    tcase_add_test(tests, agreement_of_little);
    tcase_add_test(tests, dumps_are_read_and_ranked);
    tcase_add_test(tests, gradients_give_attribution);
    tcase_add_test(tests, rankers_without_their_input_are_refused);
    tcase_add_test(tests, plain_t_is_led_by_near_constant_latents);
    tcase_add_test(tests, every_ranker_has_a_name);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}

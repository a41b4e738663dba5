/* Row weights that give dumps the same positions: against another optimiser, and what they do to a ranking.
 */
#include "diff/bin_weights.h"
#include "diff/matching.h"
#include "diff/position_bins.h"
#include "base/rng.h"
#include "../tools/fixture.h"
#include "../tools/run_suite.h"
#include "../tools/toy.h"

#include <math.h>
#include <string.h>

static sae_context *context;

static void setup(void)
{
    context = toy_context(2);
}

static void teardown(void)
{
    ck_assert_uint_eq(sae_context_memory_used(context), 0);
    sae_context_free(context);
}

START_TEST(bins_are_parts_of_octaves)
{
    const double position[] = {-3, 0, 0.5, 1, 2, 3, 4, 7, 8, 15, 16, 1e9};
    const size_t coarse[] = {0, 0, 0, 1, 2, 2, 3, 3, 4, 4, 5, 15};
    for (size_t i = 0; i < sizeof coarse / sizeof *coarse; i++)
        ck_assert_uint_eq(saei_position_bin(position[i], 1, 14), coarse[i]);
    ck_assert_uint_eq(saei_position_bins(1, 14), 16);
    /* Quarters: never falling, every integer below 8 by itself, then 8 9, 10 11, … */
    size_t last = 0, distinct = 0;
    for (int i = 0; i < 16; i++) {
        size_t bin = saei_position_bin(i, 4, 24);
        ck_assert(i == 0 || bin >= last);
        distinct += i == 0 || bin != last;
        last = bin;
    }
    ck_assert_uint_eq(distinct, 12);
    ck_assert_uint_eq(saei_position_bin((double)INFINITY, 4, 24), saei_position_bins(4, 24) - 1);
}
END_TEST

enum { SIDES = 3, POSITIONS = 8 };
static const char *const names[SIDES] = {"short", "long", "other"};

static double *named(const char *what, size_t *n)
{
    char name[64];
    snprintf(name, sizeof name, "match_%s", what);
    return fixture(FIXTURES, name, n);
}

static double *of_side(int side, const char *what, size_t *n)
{
    char name[64];
    snprintf(name, sizeof name, "%s_%s", names[side], what);
    return named(name, n);
}

static void make_sides(saei_matching_side *sides, saei_groups **groups, double **position)
{
    for (int i = 0; i < SIDES; i++) {
        size_t rows;
        double *prompt = of_side(i, "prompt", &rows);
        position[i] = of_side(i, "position", &rows);
        ck_assert_int_eq(saei_groups_new(&groups[i], context, prompt, rows, names[i], NULL), SAE_OK);
        sides[i] = (saei_matching_side){groups[i], position[i], rows, names[i]};
        free(prompt);
    }
}

/* Mean over prompts of the weighted distribution over positions. */
static void weighted_shares(double *share, const saei_matching_side *side, const double *weight)
{
    double *sum = calloc(side->groups->n, sizeof *sum);
    saei_groups_weigh(sum, side->groups, weight);
    memset(share, 0, POSITIONS * sizeof *share);
    for (size_t row = 0; row < side->rows; row++)
        share[(size_t)side->position[row]] +=
            weight[row] / sum[side->groups->of_row[row]] / (double)side->groups->n;
    free(sum);
}

static void check_side(const saei_matching_side *side, const double *weight, int i, const double *common,
                       const double *target)
{
    size_t n, k = 0;
    double share[POSITIONS], of_position[POSITIONS] = {0}, *wanted = of_side(i, "weight", &n);
    weighted_shares(share, side, weight);
    for (size_t row = 0; row < side->rows; row++)
        of_position[(size_t)side->position[row]] = weight[row];
    for (size_t p = 0; p < POSITIONS; p++) {
        if (common[p] == 0) {
            ck_assert_double_eq(share[p], 0);
            continue;
        }
        assert_close(share[p], target[k], 1e-7, "share");
        assert_close(of_position[p] / of_position[0], wanted[k], 1e-6, "weight");
        k++;
    }
    ck_assert_uint_eq(k, n);
    free(wanted);
}

START_TEST(weights_are_those_of_an_optimiser)
{
    saei_matching_side sides[SIDES];
    saei_groups *groups[SIDES];
    double *position[SIDES];
    make_sides(sides, groups, position);
    saei_matching *matching;
    ck_assert_int_eq(saei_matching_new(&matching, context, sides, SIDES, NULL), SAE_OK);
    size_t n;
    double *common = named("common", &n), *target = named("target", &n), *distance = named("distance", &n);
    for (int i = 0; i < SIDES; i++)
        check_side(&sides[i], matching->weight[i], i, common, target);
    assert_close(matching->distance_before, distance[0], 1e-9, "distance");
    ck_assert(matching->distance_after <= 1e-9);
    saei_matching_free(matching);
    free(common);
    free(target);
    free(distance);
    for (int i = 0; i < SIDES; i++) {
        saei_groups_free(groups[i]);
        free(position[i]);
    }
}
END_TEST

/* prompt and position of n rows on each of two sides; the status, and the message in err. */
static sae_status match_two(const double *prompt[2], const double *position[2], size_t n, sae_error *err)
{
    saei_matching_side sides[2];
    saei_groups *groups[2];
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(saei_groups_new(&groups[i], context, prompt[i], n, names[i], NULL), SAE_OK);
        sides[i] = (saei_matching_side){groups[i], position[i], n, names[i]};
    }
    saei_matching *matching;
    sae_status status = saei_matching_new(&matching, context, sides, 2, err);
    ck_assert(status == SAE_OK || matching == NULL);
    saei_matching_free(matching);
    saei_groups_free(groups[1]);
    saei_groups_free(groups[0]);
    return status;
}

START_TEST(what_cannot_be_matched_is_refused)
{
    const double prompt[4] = {0, 1, 2, 3}, even[4] = {0, 0, 1, 1}, late[4] = {0, 1, 1, 1},
                 far[4] = {0, 1, 1, 99};
    const double *prompts[2] = {prompt, prompt};
    sae_error err;
    /* Prompts of one row have their position, whatever the weights. */
    ck_assert_int_eq(match_two(prompts, (const double *[2]){even, late}, 4, &err), SAE_E_MISMATCH);
    ck_assert_msg(strstr(err.text, "long: no weights") != NULL, "%s", err.text);
    ck_assert_int_eq(match_two(prompts, (const double *[2]){even, far}, 4, &err), SAE_E_MISMATCH);
    ck_assert_msg(strstr(err.text, "prompt 3") != NULL, "%s", err.text);
    ck_assert_int_eq(match_two(prompts, (const double *[2]){late, late}, 4, &err), SAE_OK);
}
END_TEST

enum { D = 6, PROMPTS = 60, LONGEST = 48, LATE = 2, RAISED = 4, FROM = 10 };

/* Answers of 8 .. 16 tokens, or up to 48; latent LATE fires from position FROM on in both, RAISED gains. */
typedef struct plant {
    float rows[PROMPTS * LONGEST * D];
    double prompt[PROMPTS * LONGEST], position[PROMPTS * LONGEST];
    sae_dump *dump;
} plant;

static void plant_dump(plant *p, bool after)
{
    saei_rng rng = saei_rng_new(after ? 11 : 12, SAEI_STREAM_ROWS, 0);
    size_t n = 0;
    for (size_t q = 0; q < PROMPTS; q++) {
        size_t length = after ? 16 + saei_rng_below(&rng, LONGEST - 15) : 8 + saei_rng_below(&rng, 9);
        for (size_t t = 0; t < length; t++, n++) {
            for (size_t j = 0; j < D; j++)
                p->rows[n * D + j] = (float)(0.3 * saei_rng_normal(&rng));
            p->rows[n * D + LATE] += t >= FROM ? 3 : -3;
            p->rows[n * D + RAISED] += after ? 0.5F : 0;
            p->prompt[n] = (double)q + (after ? 1000 : 0);
            p->position[n] = (double)t;
        }
    }
    p->dump = toy_dump(context, p->rows, n, D, p->prompt);
    ck_assert_int_eq(sae_dump_add_column(p->dump, "position", p->position, NULL), SAE_OK);
}

static sae_ranking *rank(const sae_model *model, const plant *before, const plant *after, bool matched)
{
    sae_rank_options options;
    sae_rank_options_init(&options);
    options.match_positions = matched;
    options.bootstrap = 200;
    sae_ranking *ranking = NULL;
    sae_error err = {0};
    sae_status status = sae_ranking_new(&ranking, model, before->dump, after->dump, NULL, 0, &options, &err);
    ck_assert_msg(status == SAE_OK, "%s", err.text);
    return ranking;
}

/* Longer answers alone put a latent of late positions first; on the same positions there is nothing of it. */
START_TEST(a_latent_of_late_positions_vanishes)
{
    static plant before, after;
    sae_model *model = toy_identity(context, D, D);
    plant_dump(&before, false);
    plant_dump(&after, true);
    sae_ranking *plain = rank(model, &before, &after, false);
    const sae_latent_stats *late = sae_ranking_latent(plain, LATE);
    ck_assert_uint_eq(sae_ranking_at(plain, 0)->latent, LATE);
    ck_assert(late->delta.q < 0.01 && late->delta.estimate > 0.5);
    sae_ranking *matched = rank(model, &before, &after, true);
    late = sae_ranking_latent(matched, LATE);
    const sae_latent_stats *first = sae_ranking_at(matched, 0);
    ck_assert_uint_eq(first->latent, RAISED);
    ck_assert(first->delta.q < 0.01);
    ck_assert_msg(late->delta.q > 0.05 && fabs(late->delta.estimate) < 0.1, "q %g, rise %g", late->delta.q,
                  late->delta.estimate);
    sae_ranking_free(matched);
    sae_ranking_free(plain);
    sae_dump_free(after.dump);
    sae_dump_free(before.dump);
    sae_model_free(model);
}
END_TEST

START_TEST(a_dump_without_positions_is_refused)
{
    static plant before, after;
    sae_model *model = toy_identity(context, D, D);
    plant_dump(&before, false);
    plant_dump(&after, true);
    sae_dump *bare = toy_dump(context, after.rows, PROMPTS, D, after.prompt);
    sae_rank_options options;
    sae_rank_options_init(&options);
    options.match_positions = true;
    sae_ranking *ranking;
    sae_error err;
    ck_assert_int_eq(sae_ranking_new(&ranking, model, before.dump, bare, NULL, 0, &options, &err),
                     SAE_E_NOT_FOUND);
    ck_assert_ptr_null(ranking);
    ck_assert_msg(strstr(err.text, "position") != NULL, "%s", err.text);
    sae_dump_free(bare);
    sae_dump_free(after.dump);
    sae_dump_free(before.dump);
    sae_model_free(model);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("matching");
    TCase *tests = tcase_create("matching");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, bins_are_parts_of_octaves);
    tcase_add_test(tests, weights_are_those_of_an_optimiser);
    tcase_add_test(tests, what_cannot_be_matched_is_refused);
    tcase_add_test(tests, a_latent_of_late_positions_vanishes);
    tcase_add_test(tests, a_dump_without_positions_is_refused);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}

#include "sae/report.h"
#include "../tools/fixture.h"
#include "../tools/run_suite.h"
#include "../tools/toy.h"

#include "base/rng.h"
#include "diff/ranking.h"

#include <limits.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

/* A dump of the fixture whose prompts are scattered over its rows. */
static sae_dump *fixture_dump(sae_context *context, const char *side, float **rows)
{
    char name[64];
    size_t n, n_prompt;
    snprintf(name, sizeof name, "whole_%s_rows", side);
    double *values = fixture(FIXTURES, name, &n);
    snprintf(name, sizeof name, "whole_%s_prompt", side);
    double *prompt = fixture(FIXTURES, name, &n_prompt);
    *rows = malloc(n * sizeof **rows);
    for (size_t i = 0; i < n; i++)
        (*rows)[i] = (float)values[i];
    sae_dump *dump = toy_dump(context, *rows, n_prompt, n / n_prompt, prompt);
    free(prompt);
    free(values);
    return dump;
}

/* Compares one double of every latent's statistics with a fixture. */
static void check_column(const sae_ranking *ranking, const char *name, size_t offset)
{
    size_t n;
    double *expected = fixture(FIXTURES, name, &n);
    ck_assert_uint_eq(n, sae_ranking_count(ranking));
    for (size_t j = 0; j < n; j++) {
        const char *stats = (const char *)sae_ranking_latent(ranking, (uint32_t)j);
        double got;
        memcpy(&got, stats + offset, sizeof got);
        assert_close(got, expected[j], 1e-9, name);
    }
    free(expected);
}

static void check_fidelity(const sae_ranking *ranking, size_t which, const char *name)
{
    size_t n;
    double *expected = fixture(FIXTURES, name, &n);
    sae_fidelity f = sae_ranking_fidelity(ranking, which);
    assert_close(f.fvu, expected[0], 1e-9, "fvu");
    assert_close(f.explained_variance, 1 - expected[0], 1e-9, "explained variance");
    assert_close(f.l0, expected[1], 1e-12, "l0");
    assert_close(f.dead, expected[2], 1e-12, "dead");
    assert_close(f.cosine, expected[3], 1e-9, "cosine");
    ck_assert_uint_eq(f.rows, 70);
    free(expected);
}

#define AT(member) offsetof(sae_latent_stats, member)

START_TEST(whole_ranking_is_that_of_numpy)
{
    sae_context *context = toy_context(2);
    sae_model *model = toy_identity(context, 6, 6);
    float *rows[3];
    const char *sides[3] = {"before", "after", "control"};
    sae_dump *dump[3];
    for (int i = 0; i < 3; i++)
        dump[i] = fixture_dump(context, sides[i], &rows[i]);
    sae_ranking *ranking;
    const sae_dump *control = dump[2];
    ck_assert_int_eq(sae_ranking_new(&ranking, model, dump[0], dump[1], &control, 1, NULL, NULL), SAE_OK);
    ck_assert(sae_ranking_paired(ranking) && sae_ranking_control_paired(ranking) &&
              sae_ranking_has_control(ranking));
    ck_assert_uint_eq(sae_ranking_prompts(ranking), 9);
    check_column(ranking, "whole_before_mean", AT(mean_before));
    check_column(ranking, "whole_after_mean", AT(mean_after));
    check_column(ranking, "whole_control_mean", AT(mean_control));
    check_column(ranking, "whole_before_freq", AT(freq_before));
    check_column(ranking, "whole_after_freq", AT(freq_after));
    check_column(ranking, "whole_control_freq", AT(freq_control));
    check_column(ranking, "whole_delta", AT(delta.estimate));
    check_column(ranking, "whole_delta_se", AT(delta.se));
    check_column(ranking, "whole_delta_t", AT(delta.t));
    check_column(ranking, "whole_excess", AT(excess.estimate));
    check_column(ranking, "whole_excess_se", AT(excess.se));
    check_column(ranking, "whole_excess_t", AT(excess.t));
    check_column(ranking, "whole_excess", AT(score));
    for (size_t i = 0; i < 3; i++) {
        char name[64];
        snprintf(name, sizeof name, "whole_%s_fidelity", sides[i]);
        check_fidelity(ranking, i, name);
    }
    const sae_latent_stats *first = sae_ranking_at(ranking, 0);
    ck_assert_uint_eq(first->latent, 2);
    ck_assert_uint_eq(first->rank, 1);
    ck_assert(first->excess.low < first->excess.estimate && first->excess.estimate < first->excess.high);
    ck_assert_ptr_null(sae_ranking_at(ranking, 6));
    ck_assert_ptr_null(sae_ranking_latent(ranking, 6));
    ck_assert_uint_eq(sae_ranking_fidelity(ranking, 3).rows, 0);
    sae_ranking_free(ranking);
    for (int i = 0; i < 3; i++) {
        sae_dump_free(dump[i]);
        free(rows[i]);
    }
    sae_model_free(model);
    ck_assert_uint_eq(sae_context_memory_used(context), 0);
    sae_context_free(context);
}
END_TEST

enum { D = 12, PROMPTS = 40, PER_PROMPT = 4, ROWS = PROMPTS * PER_PROMPT };

/* Rows of PROMPTS prompts; latent `raised` gains `shift`. noise picks the random numbers; prompts share an
 * effect. */
typedef struct plant {
    float rows[ROWS * D];
    double prompt[ROWS];
    sae_dump *dump;
} plant;

static void plant_dump(plant *p, sae_context *context, uint64_t noise, uint32_t raised, double shift,
                       double first_id)
{
    saei_rng rng = saei_rng_new(noise, SAEI_STREAM_ROWS, 0), shared = saei_rng_new(77, SAEI_STREAM_ROWS, 0);
    double base[D];
    for (size_t i = 0; i < ROWS; i++) {
        if (i % PER_PROMPT == 0)
            for (size_t j = 0; j < D; j++)
                base[j] = saei_rng_normal(&shared) + 0.3 * saei_rng_normal(&rng);
        for (size_t j = 0; j < D; j++)
            p->rows[i * D + j] = (float)(base[j] + 0.2 * saei_rng_normal(&rng) + (j == raised ? shift : 0));
        p->prompt[i] = first_id + (double)(i / PER_PROMPT);
    }
    p->dump = toy_dump(context, p->rows, ROWS, D, p->prompt);
}

static sae_ranking *rank(const sae_model *model, const plant *before, const plant *after,
                         const plant *control, const sae_rank_options *options)
{
    sae_ranking *ranking = NULL;
    const sae_dump *controls[1] = {control != NULL ? control->dump : NULL};
    sae_error err = {0};
    sae_status status =
        sae_ranking_new(&ranking, model, before->dump, after->dump, controls, control != NULL, options, &err);
    ck_assert_msg(status == SAE_OK, "%s", err.text);
    return ranking;
}

/* The control moves latent 3 too, and more: only the excess finds latent 7. */
START_TEST(planted_latent_is_first)
{
    sae_context *context = toy_context(2);
    sae_model *model = toy_identity(context, D, D);
    static plant before, after, control;
    for (int paired = 0; paired <= 1; paired++) {
        plant_dump(&before, context, 1, 3, 0, 0);
        plant_dump(&control, context, 3, 3, 2, paired ? 0 : 1000);
        plant_dump(&after, context, 2, 7, 1, 0);
        for (size_t i = 0; i < ROWS; i++)
            after.rows[i * D + 3] += 2;
        sae_ranking *ranking = rank(model, &before, &after, NULL, NULL);
        ck_assert_uint_eq(sae_ranking_at(ranking, 0)->latent, 3);
        ck_assert(isnan(sae_ranking_at(ranking, 0)->excess.estimate));
        sae_ranking_free(ranking);
        ranking = rank(model, &before, &after, &control, NULL);
        const sae_latent_stats *first = sae_ranking_at(ranking, 0);
        ck_assert_int_eq(sae_ranking_control_paired(ranking), paired);
        ck_assert_uint_eq(first->latent, 7);
        ck_assert(first->excess.q < 0.05 && first->excess.p < 0.01 && first->excess.low > 0);
        ck_assert(first->rank_low == 1 && first->rank_high == 1 && first->excess.p_family < 0.01);
        ck_assert(first->heldout_estimate > 0 && first->heldout_p < (paired ? 0.01 : 1));
        ck_assert(sae_ranking_latent(ranking, 3)->excess.q > 0.05);
        for (size_t i = 1; i < D; i++) {
            const sae_latent_stats *other = sae_ranking_at(ranking, i);
            ck_assert(other->rank_low > 1 && other->rank_low <= other->rank_high && other->rank_high <= D);
            ck_assert(other->excess.p_family > 0.05 && !(other->heldout_p < 0.05));
        }
        sae_ranking_free(ranking);
        sae_dump_free(before.dump);
        sae_dump_free(after.dump);
        sae_dump_free(control.dump);
    }
    sae_model_free(model);
    ck_assert_uint_eq(sae_context_memory_used(context), 0);
    sae_context_free(context);
}
END_TEST

static double minus_delta(void *user, const sae_latent_samples *samples)
{
    size_t *calls = user;
    ck_assert_uint_eq(samples->latent, (*calls)++);
    ck_assert(samples->paired && samples->control == NULL && samples->n_control == 0);
    double sum = 0;
    for (size_t i = 0; i < samples->n_after; i++)
        sum -= samples->after[i] - samples->before[i];
    return samples->latent == 0 ? (double)NAN : sum / (double)samples->n_after;
}

START_TEST(direction_and_custom_statistic_order)
{
    sae_context *context = toy_context(1);
    sae_model *model = toy_identity(context, D, D);
    static plant before, after;
    plant_dump(&before, context, 1, 4, 2, 0);
    plant_dump(&after, context, 2, 7, 1, 0);
    sae_rank_options options;
    sae_rank_options_init(&options);
    options.permutations = 100;
    options.bootstrap = 0;
    const uint32_t first[3] = {7, 4, 4};
    for (int direction = SAE_RISING; direction <= SAE_BOTH; direction++) {
        options.direction = (sae_direction)direction;
        sae_ranking *ranking = rank(model, &before, &after, NULL, &options);
        ck_assert_uint_eq(sae_ranking_at(ranking, 0)->latent, first[direction]);
        ck_assert(isnan(sae_ranking_at(ranking, 0)->delta.low));
        sae_ranking_free(ranking);
    }
    size_t calls = 0;
    options.direction = SAE_RISING;
    options.statistic = minus_delta;
    options.statistic_user = &calls;
    sae_ranking *ranking = rank(model, &before, &after, NULL, &options);
    ck_assert_uint_eq(calls, D);
    const sae_latent_stats *top = sae_ranking_at(ranking, 0), *last = sae_ranking_at(ranking, D - 1);
    ck_assert_uint_eq(top->latent, 4);
    assert_close(top->score, -top->delta.estimate, 1e-12, "score");
    ck_assert(isnan(top->rank_low) && isnan(top->rank_high) && isnan(top->heldout_estimate) &&
              isnan(top->heldout_p));
    ck_assert_uint_eq(last->latent, 0);
    sae_ranking_free(ranking);
    sae_dump_free(before.dump);
    sae_dump_free(after.dump);
    sae_model_free(model);
    sae_context_free(context);
}
END_TEST

/* Who has read the dumps already gets the same figures; figures that are not wanted are not numbers. */
START_TEST(profiles_rank_as_their_dumps_do)
{
    sae_context *context = toy_context(2);
    sae_model *model = toy_identity(context, D, D);
    static plant plants[3];
    saei_profile *profile[3];
    sae_fidelity fidelity;
    for (uint64_t i = 0; i < 3; i++) {
        plant_dump(&plants[i], context, i + 1, 7, (double)i, 0);
        ck_assert_int_eq(saei_profile_read(&profile[i], &fidelity, model, plants[i].dump, "prompt_id", NULL,
                                           NULL, NULL, NULL),
                         SAE_OK);
    }
    sae_ranking *from_dumps = rank(model, &plants[0], &plants[2], &plants[1], NULL), *from_profiles;
    saei_ranking_input input = {profile[0], profile[2], profile[1], true, true};
    ck_assert_int_eq(saei_ranking_compute(&from_profiles, context, &input, NULL, NULL), SAE_OK);
    ck_assert_uint_eq(sae_ranking_prompts(from_profiles), PROMPTS);
    ck_assert(sae_ranking_paired(from_profiles) && sae_ranking_control_paired(from_profiles));
    for (size_t i = 0; i < D; i++)
        ck_assert_mem_eq(sae_ranking_at(from_profiles, i), sae_ranking_at(from_dumps, i),
                         sizeof(sae_latent_stats));
    sae_ranking_free(from_profiles);
    sae_rank_options options;
    sae_rank_options_init(&options);
    options.family_draws = options.rank_top = options.heldout_select = 0;
    input.control = NULL;
    ck_assert_int_eq(saei_ranking_compute(&from_profiles, context, &input, &options, NULL), SAE_OK);
    const sae_latent_stats *first = sae_ranking_at(from_profiles, 0);
    ck_assert(first->latent == 7 && isfinite(first->delta.p) && isnan(first->delta.p_family));
    ck_assert(isnan(first->rank_low) && isnan(first->heldout_p) && isnan(first->excess.p_family));
    sae_ranking_free(from_profiles);
    sae_ranking_free(from_dumps);
    for (int i = 0; i < 3; i++) {
        saei_profile_free(profile[i]);
        sae_dump_free(plants[i].dump);
    }
    sae_model_free(model);
    ck_assert_uint_eq(sae_context_memory_used(context), 0);
    sae_context_free(context);
}
END_TEST

/* Two controls count as their mean on each prompt: a control and its double are 1.5 times it. */
START_TEST(controls_are_averaged)
{
    sae_context *context = toy_context(1);
    sae_model *model = toy_identity(context, D, D);
    static plant before, after, control, twice;
    plant_dump(&before, context, 1, 4, 0, 0);
    plant_dump(&after, context, 2, 7, 1, 0);
    plant_dump(&control, context, 3, 7, 0, 0);
    plant_dump(&twice, context, 3, 7, 0, 0);
    for (size_t i = 0; i < ROWS * D; i++)
        twice.rows[i] *= 2;
    const sae_dump *controls[2] = {control.dump, twice.dump};
    sae_ranking *one = rank(model, &before, &after, &control, NULL), *two;
    ck_assert_int_eq(sae_ranking_new(&two, model, before.dump, after.dump, controls, 2, NULL, NULL), SAE_OK);
    ck_assert(sae_ranking_control_paired(two));
    for (uint32_t j = 0; j < D; j++) {
        const sae_latent_stats *a = sae_ranking_latent(one, j), *b = sae_ranking_latent(two, j);
        assert_close(b->mean_control, 1.5 * a->mean_control, 1e-12, "mean");
        assert_close(b->freq_control, a->freq_control, 1e-12, "frequency");
        assert_close(b->excess.estimate, a->mean_after - 1.5 * a->mean_control, 1e-9, "excess");
    }
    sae_ranking_free(one);
    sae_ranking_free(two);
    sae_dump_free(before.dump);
    sae_dump_free(after.dump);
    sae_dump_free(control.dump);
    sae_dump_free(twice.dump);
    sae_model_free(model);
    ck_assert_uint_eq(sae_context_memory_used(context), 0);
    sae_context_free(context);
}
END_TEST

/* A file's bytes, NUL-terminated, to be freed. */
static char *slurp(const char *path)
{
    FILE *file = fopen(path, "rb");
    ck_assert_ptr_nonnull(file);
    char *text = calloc(1, 1 << 20);
    ck_assert_ptr_nonnull(text);
    ck_assert(fread(text, 1, (1 << 20) - 1, file) > 0);
    fclose(file);
    return text;
}

START_TEST(threads_change_no_byte_of_the_csv)
{
    char *csv[2];
    for (unsigned threads = 1; threads <= 2; threads++) {
        sae_context *context = toy_context(threads);
        sae_model *model = toy_identity(context, D, 5);
        static plant before, after, control;
        plant_dump(&before, context, 1, 4, 0, 0);
        plant_dump(&after, context, 2, 7, 1, 0);
        plant_dump(&control, context, 3, 7, 0, 1000);
        sae_ranking *ranking = rank(model, &before, &after, &control, NULL);
        char path[] = "/tmp/sae_csv_XXXXXX";
        int fd = mkstemp(path);
        ck_assert_int_ge(fd, 0);
        close(fd);
        ck_assert_int_eq(sae_ranking_save(ranking, context, path, SAE_REPORT_CSV, true, NULL), SAE_OK);
        csv[threads - 1] = slurp(path);
        unlink(path);
        sae_ranking_free(ranking);
        sae_dump_free(before.dump);
        sae_dump_free(after.dump);
        sae_dump_free(control.dump);
        sae_model_free(model);
        sae_context_free(context);
    }
    ck_assert_str_eq(csv[0], csv[1]);
    free(csv[0]);
    free(csv[1]);
}
END_TEST

/* The distance of sorted p from the uniform distribution, for n values (Kolmogorov–Smirnov). */
static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double ks_distance(double *p, size_t n)
{
    qsort(p, n, sizeof *p, ascending);
    double distance = 0;
    for (size_t i = 0; i < n; i++) {
        double above = (double)(i + 1) / (double)n - p[i], below = p[i] - (double)i / (double)n;
        distance = fmax(distance, fmax(above, below));
    }
    return distance;
}

/* Under the null, sides swapped at random per prompt: p is uniform and false alarms are rare. */
START_TEST(null_gives_uniform_p_and_few_alarms)
{
    enum { DRAWS = 60 };
    static double p[D][DRAWS];
    static plant before, after, a, b;
    size_t alarms = 0;
    sae_context *context = toy_context(2);
    sae_model *model = toy_identity(context, D, D);
    sae_rank_options options;
    sae_rank_options_init(&options);
    options.bootstrap = 0;
    options.permutations = 2000;
    plant_dump(&before, context, 1, 4, 0, 0);
    plant_dump(&after, context, 2, 4, 1, 0);
    for (uint64_t draw = 0; draw < DRAWS; draw++) {
        plant_dump(&a, context, 1, 4, 0, 0);
        plant_dump(&b, context, 2, 4, 1, 0);
        saei_rng rng = saei_rng_new(draw, SAEI_STREAM_INIT, 0);
        for (size_t prompt = 0; prompt < PROMPTS; prompt++)
            if (saei_rng_below(&rng, 2) == 1) {
                size_t first = prompt * PER_PROMPT * D, bytes = PER_PROMPT * D * sizeof(float);
                memcpy(a.rows + first, after.rows + first, bytes);
                memcpy(b.rows + first, before.rows + first, bytes);
            }
        options.seed = draw;
        sae_ranking *ranking = rank(model, &a, &b, NULL, &options);
        bool alarm = false;
        for (uint32_t j = 0; j < D; j++) {
            p[j][draw] = sae_ranking_latent(ranking, j)->delta.p;
            alarm = alarm || sae_ranking_latent(ranking, j)->delta.q < 0.05;
        }
        alarms += alarm;
        sae_ranking_free(ranking);
        sae_dump_free(a.dump);
        sae_dump_free(b.dump);
    }
    /* 1.63 / √n is the 1 % point of the distance; of 12 latents one may pass it. 9 of 60 alarms is the 0.1 %
       point of a binomial with the promised 5 %. */
    size_t far = 0;
    for (size_t j = 0; j < D; j++)
        far += !(ks_distance(p[j], DRAWS) <= 1.63 / sqrt((double)DRAWS));
    ck_assert_uint_le(far, 1);
    ck_assert_uint_le(alarms, 9);
    sae_dump_free(before.dump);
    sae_dump_free(after.dump);
    sae_model_free(model);
    sae_context_free(context);
}
END_TEST

START_TEST(poor_fit_is_told)
{
    sae_context *context = toy_context(1);
    sae_model *model = toy_identity(context, D, D);
    static plant before, after;
    plant_dump(&before, context, 1, 4, 0, 0);
    plant_dump(&after, context, 2, 7, 1, 0);
    for (size_t i = 0; i < ROWS * D; i++) {
        before.rows[i] = fabsf(before.rows[i]);
        after.rows[i] = fabsf(after.rows[i]);
    }
    sae_ranking *ranking = rank(model, &before, &after, NULL, NULL);
    ck_assert_ptr_null(sae_ranking_warning(ranking));
    ck_assert(sae_ranking_fidelity(ranking, 1).fvu == 0);
    sae_ranking_free(ranking);
    /* A tenth of the variance moves to where the model has no latent: 0 before, so both conditions hold. */
    for (size_t i = 0; i < ROWS; i++)
        after.rows[i * D] *= -1;
    ranking = rank(model, &before, &after, NULL, NULL);
    ck_assert_ptr_nonnull(sae_ranking_warning(ranking));
    ck_assert_ptr_nonnull(strstr(sae_ranking_warning(ranking), "before"));
    sae_ranking_free(ranking);
    for (size_t i = 0; i < ROWS * D; i++)
        after.rows[i] = -fabsf(after.rows[i]);
    ranking = rank(model, &before, &after, NULL, NULL);
    ck_assert_ptr_nonnull(strstr(sae_ranking_warning(ranking), "does not fit"));
    sae_ranking_free(ranking);
    sae_dump_free(before.dump);
    sae_dump_free(after.dump);
    sae_model_free(model);
    sae_context_free(context);
}
END_TEST

static void expect(sae_status wanted, const char *text, const sae_model *model, const sae_dump *before,
                   const sae_dump *after, const sae_rank_options *options)
{
    sae_ranking *ranking = NULL;
    sae_error err = {0};
    sae_status status = sae_ranking_new(&ranking, model, before, after, NULL, 0, options, &err);
    ck_assert_msg(status == wanted, "%s", err.text);
    ck_assert_ptr_null(ranking);
    ck_assert_msg(strstr(err.text, text) != NULL, "%s", err.text);
}

static int stop(void *user, const char *stage, uint64_t done, uint64_t total)
{
    (void)stage, (void)done, (void)total;
    return --*(int *)user < 0;
}

START_TEST(bad_requests_are_refused)
{
    sae_context *context = toy_context(1);
    sae_model *model = toy_identity(context, D, D), *narrow = toy_identity(context, D - 1, 2);
    static plant before, after;
    plant_dump(&before, context, 1, 4, 0, 0);
    plant_dump(&after, context, 2, 7, 1, 5);
    sae_dump *bare = toy_dump(context, before.rows, ROWS, D, NULL);
    sae_dump *documents = toy_dump(context, after.rows, ROWS, D, NULL);
    ck_assert_int_eq(sae_dump_add_column(documents, "doc_id", after.prompt, NULL), SAE_OK);
    uint64_t used = sae_context_memory_used(context);
    expect(SAE_E_NOT_FOUND, "--group", model, before.dump, bare, NULL);
    expect(SAE_E_MISMATCH, "only doc_id", model, before.dump, documents, NULL);
    expect(SAE_E_MISMATCH, "only doc_id", model, documents, before.dump, NULL);
    expect(SAE_E_NOT_FOUND, "--group", model, documents, bare, NULL);
    expect(SAE_E_MISMATCH, "11", narrow, before.dump, after.dump, NULL);
    sae_rank_options options;
    sae_rank_options_init(&options);
    options.group = "nowhere";
    expect(SAE_E_NOT_FOUND, "nowhere", model, before.dump, after.dump, &options);
    expect(SAE_E_NOT_FOUND, "prompt_id", model, before.dump, after.dump, &options);
    sae_rank_options_init(&options);
    options.pairing = SAE_PAIRED;
    expect(SAE_E_MISMATCH, "prompt_id", model, before.dump, after.dump, &options);
    options.confidence = (double)NAN;
    expect(SAE_E_ARGUMENT, "confidence", model, before.dump, after.dump, &options);
    sae_rank_options_init(&options);
    options.progress = stop;
    for (int calls = 0; calls < 5; calls++) {
        int left = calls;
        options.progress_user = &left;
        expect(SAE_STOPPED, "stopped", model, before.dump, after.dump, &options);
    }
    ck_assert_uint_eq(sae_context_memory_used(context), used);
    sae_dump_free(documents);
    sae_dump_free(bare);
    sae_dump_free(before.dump);
    sae_dump_free(after.dump);
    sae_model_free(narrow);
    sae_model_free(model);
    ck_assert_uint_eq(sae_context_memory_used(context), 0);
    sae_context_free(context);
}
END_TEST

/* Fails the n-th allocation. */
typedef struct failing {
    long left;
} failing;

static void *failing_alloc(void *user, size_t bytes)
{
    failing *f = user;
    return f->left-- > 0 ? malloc(bytes) : NULL;
}

static void failing_free(void *user, void *block)
{
    (void)user;
    free(block);
}

/* Whichever allocation fails, the error is SAE_E_MEMORY and nothing leaks; in the end all succeed. */
START_TEST(every_failed_allocation_is_survived)
{
    failing f = {.left = LONG_MAX};
    sae_context_options options;
    sae_context_options_init(&options);
    options.threads = 1;
    options.allocator = (sae_allocator){&f, failing_alloc, failing_free};
    sae_context *context;
    ck_assert_int_eq(sae_context_new(&context, &options, NULL), SAE_OK);
    sae_model *model = toy_identity(context, D, D);
    static plant before, after;
    plant_dump(&before, context, 1, 4, 0, 0);
    plant_dump(&after, context, 2, 7, 1, 0);
    const sae_dump *control = before.dump;
    sae_rank_options rank_options;
    sae_rank_options_init(&rank_options);
    rank_options.permutations = rank_options.bootstrap = 100;
    uint64_t used = sae_context_memory_used(context);
    sae_status status = SAE_E_MEMORY;
    long allowed = 0;
    for (; status != SAE_OK && allowed < 10000; allowed++) {
        f.left = allowed;
        sae_ranking *ranking;
        status = sae_ranking_new(&ranking, model, before.dump, after.dump, &control, 1, &rank_options, NULL);
        ck_assert(status == SAE_OK || (status == SAE_E_MEMORY && ranking == NULL));
        f.left = LONG_MAX;
        sae_ranking_free(ranking);
        ck_assert_uint_eq(sae_context_memory_used(context), used);
    }
    ck_assert_int_eq(status, SAE_OK);
    ck_assert_int_gt(allowed, 20);
    sae_dump_free(before.dump);
    sae_dump_free(after.dump);
    sae_model_free(model);
    sae_context_free(context);
}
END_TEST

START_TEST(memory_limit_is_obeyed)
{
    sae_context_options options;
    sae_context_options_init(&options);
    options.memory_limit = 200000;
    sae_context *context;
    ck_assert_int_eq(sae_context_new(&context, &options, NULL), SAE_OK);
    sae_model *model = toy_identity(context, D, D);
    static plant before, after;
    plant_dump(&before, context, 1, 4, 0, 0);
    plant_dump(&after, context, 2, 7, 1, 0);
    sae_rank_options rank_options;
    sae_rank_options_init(&rank_options);
    rank_options.bootstrap = SIZE_MAX;
    expect(SAE_E_MEMORY, "memory limit", model, before.dump, after.dump, &rank_options);
    sae_dump_free(before.dump);
    sae_dump_free(after.dump);
    sae_model_free(model);
    ck_assert_uint_eq(sae_context_memory_used(context), 0);
    sae_context_free(context);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ranking");
    TCase *tests = tcase_create("ranking");
    tcase_add_test(tests, whole_ranking_is_that_of_numpy);
    tcase_add_test(tests, planted_latent_is_first);
    tcase_add_test(tests, direction_and_custom_statistic_order);
    tcase_add_test(tests, profiles_rank_as_their_dumps_do);
    tcase_add_test(tests, controls_are_averaged);
    tcase_add_test(tests, threads_change_no_byte_of_the_csv);
    tcase_add_test(tests, null_gives_uniform_p_and_few_alarms);
    tcase_add_test(tests, poor_fit_is_told);
    tcase_add_test(tests, bad_requests_are_refused);
    tcase_add_test(tests, every_failed_allocation_is_survived);
    tcase_add_test(tests, memory_limit_is_obeyed);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}

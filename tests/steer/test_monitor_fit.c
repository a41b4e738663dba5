/* Weights, thresholds and p against NumPy and SciPy; the rates of false alarms by simulation. */
#include "base/rng.h"
#include "steer/monitor.h"
#include "../tools/fixture.h"
#include "../tools/run_suite.h"
#include "../tools/toy.h"

#include <math.h>

enum { LATENTS = 3, ROWS = 4, DUMPS_MAX = 4, DRAWS = 10000 };

static sae_context *context;
static sae_model *model;

static void setup(void)
{
    context = toy_context(2);
    model = toy_identity(context, LATENTS, LATENTS);
}

static void teardown(void)
{
    sae_model_free(model);
    ck_assert_uint_eq(sae_context_memory_used(context), 0);
    sae_context_free(context);
}

/* The dump of a fixture, its rows copied into *rows, to be freed after it. Four rows are a prompt. */
static sae_dump *fixture_dump(float **rows, const char *name)
{
    size_t n;
    double *values = fixture(FIXTURES, name, &n);
    double *prompt = malloc(n / LATENTS * sizeof *prompt);
    *rows = malloc(n * sizeof **rows);
    ck_assert(prompt != NULL && *rows != NULL);
    for (size_t i = 0; i < n; i++)
        (*rows)[i] = (float)values[i];
    for (size_t i = 0; i < n / LATENTS; i++)
        prompt[i] = (double)(i / ROWS);
    sae_dump *dump = toy_dump(context, *rows, n / LATENTS, LATENTS, prompt);
    free(prompt);
    free(values);
    return dump;
}

static double *part(const char *name, const char *what, size_t *n)
{
    char key[64];
    snprintf(key, sizeof key, "%s_%s", name, what);
    return fixture(FIXTURES, key, n);
}

static void check_monitor(const sae_monitor *monitor, const char *name)
{
    size_t n, runs;
    double *weights = part(name, "weights", &n), *controls = part(name, "controls", &n),
           *scores = part(name, "runs", &runs);
    sae_monitor_controls c = sae_monitor_controls_of(monitor);
    ck_assert_uint_eq(sae_monitor_latents(monitor), LATENTS);
    for (uint32_t i = 0; i < LATENTS; i++) {
        ck_assert_uint_eq(sae_monitor_latent(monitor, i), i);
        assert_close(sae_monitor_weight(monitor, i), weights[i], 1e-12, "weight");
    }
    ck_assert_uint_eq(c.runs, runs);
    assert_close(c.mean, controls[0], 1e-12, "mean");
    if (runs > 1)
        assert_close(c.run_sd, controls[1], 1e-12, "run sd");
    else
        ck_assert(isnan(c.run_sd));
    assert_close(c.prompt_sd, controls[2], 1e-12, "prompt sd");
    assert_close(c.prompt_threshold, controls[3], 1e-12, "prompt threshold");
    for (size_t i = 0; i < runs; i++)
        assert_close(sae_monitor_control_at(monitor, i).score, scores[i], 1e-12, "score of a control");
    free(weights);
    free(controls);
    free(scores);
}

static void check_new(const sae_monitor *monitor, const char *name, const char *dump_name)
{
    size_t n;
    float *rows;
    double *expected = part(name, "new", &n);
    sae_dump *dump = fixture_dump(&rows, dump_name);
    sae_monitor_result *result;
    ck_assert_int_eq(sae_monitor_dump(&result, monitor, model, dump, NULL, NULL, NULL, NULL), SAE_OK);
    sae_monitor_summary s = sae_monitor_result_summary(result);
    ck_assert_uint_eq(s.prompts, 20);
    ck_assert_uint_eq(s.rows, 80);
    assert_close(s.score, expected[0], 1e-12, "score");
    assert_close(s.se, expected[1], 1e-12, "se");
    assert_close(s.threshold, expected[2], 1e-9, "threshold");
    assert_close(s.p, expected[3], 1e-8, "p");
    ck_assert_int_eq(s.alarm, expected[0] > expected[2]);
    ck_assert_int_eq(s.p < 0.05, s.alarm);
    ck_assert_uint_eq(s.prompt_alarms, (size_t)expected[4]);
    sae_monitor_result_free(result);
    sae_dump_free(dump);
    free(rows);
    free(expected);
}

static const struct {
    const char *name;
    sae_monitor_weighting weighting;
    size_t controls, bad;
    const char *scored;
} cases[] = {{"scaled", SAE_MONITOR_SCALED, 3, 0, "new"},
             {"equal", SAE_MONITOR_EQUAL, 2, 0, "low"},
             {"discriminant", SAE_MONITOR_DISCRIMINANT, 3, 2, "new"},
             {"alone", SAE_MONITOR_SCALED, 1, 0, "low"}};
enum { CASES = sizeof cases / sizeof cases[0] };

START_TEST(agrees_with_numpy_and_scipy)
{
    const uint32_t latents[LATENTS] = {2, 0, 1};
    sae_dump *controls[DUMPS_MAX], *bad[DUMPS_MAX];
    float *control_rows[DUMPS_MAX], *bad_rows[DUMPS_MAX];
    char name[32];
    size_t n = cases[_i].controls, n_bad = cases[_i].bad;
    for (size_t i = 0; i < n; i++) {
        snprintf(name, sizeof name, "control%zu", i);
        controls[i] = fixture_dump(&control_rows[i], name);
    }
    for (size_t i = 0; i < n_bad; i++) {
        snprintf(name, sizeof name, "bad%zu", i);
        bad[i] = fixture_dump(&bad_rows[i], name);
    }
    sae_monitor_options options;
    sae_monitor_options_init(&options);
    options.weighting = cases[_i].weighting;
    sae_monitor *monitor;
    sae_error err = {0};
    sae_status status = sae_monitor_fit(&monitor, model, latents, LATENTS, (const sae_dump *const *)controls,
                                        n, (const sae_dump *const *)bad, n_bad, &options, &err);
    ck_assert_msg(status == SAE_OK, "%s", err.text);
    check_monitor(monitor, cases[_i].name);
    check_new(monitor, cases[_i].name, cases[_i].scored);
    sae_monitor_free(monitor);
    for (size_t i = 0; i < n; i++) {
        sae_dump_free(controls[i]);
        free(control_rows[i]);
    }
    for (size_t i = 0; i < n_bad; i++) {
        sae_dump_free(bad[i]);
        free(bad_rows[i]);
    }
}
END_TEST

/* Counts how often a new good run alarms: runs differ by run_sd, prompts by 1, the prompts of the controls
   are the same, those of the new dump are others. */
static double false_alarm_rate(size_t runs, size_t prompts, double run_sd, double rate)
{
    saei_rng rng = saei_rng_new(9, SAEI_STREAM_ROWS, runs * 1000 + prompts);
    saei_monitor_run run[8] = {0};
    size_t alarms = 0;
    for (int draw = 0; draw < DRAWS; draw++) {
        double prompt_mean = saei_rng_normal(&rng) / sqrt((double)prompts), squares = 0;
        for (size_t i = 0; i < runs; i++)
            run[i].score = prompt_mean + run_sd * saei_rng_normal(&rng);
        for (size_t i = 1; i < prompts; i++) {
            double z = saei_rng_normal(&rng);
            squares += z * z;
        }
        sae_monitor_controls c = {.prompts = prompts, .prompt_sd = sqrt(squares / (double)(prompts - 1))};
        saei_monitor_run_moments(&c, run, runs);
        double score = run_sd * saei_rng_normal(&rng) + saei_rng_normal(&rng) / sqrt((double)prompts);
        alarms += score > c.mean + saei_monitor_margin(&c, prompts, rate);
    }
    return (double)alarms / DRAWS;
}

/* The rate is kept where runs differ by much, not at all, and about as much as the means over prompts do:
   then it is below what was asked. */
START_TEST(dumps_alarm_as_rarely_as_was_asked)
{
    const double rate = 0.05, noise = 4 * sqrt(rate * (1 - rate) / DRAWS);
    const size_t runs[] = {2, 3, 5};
    for (size_t i = 0; i < 3; i++) {
        double much = false_alarm_rate(runs[i], 20, 3, rate), none = false_alarm_rate(runs[i], 20, 0, rate);
        double between = false_alarm_rate(runs[i], 20, 0.3, rate);
        ck_assert_msg(fabs(much - rate) <= noise, "%zu runs, large differences: %.4f", runs[i], much);
        ck_assert_msg(fabs(none - rate) <= noise, "%zu runs, no differences: %.4f", runs[i], none);
        ck_assert_msg(between <= rate + noise && between >= rate / 5, "%zu runs, small: %.4f", runs[i],
                      between);
    }
    ck_assert(fabs(false_alarm_rate(1, 20, 0, rate) - rate) <= noise);
}
END_TEST

/* Skewed scores, three runs on each prompt that agree much with each other: a new prompt in one of them
   exceeds the threshold at the rate of the mass left, (n + 1 - k) / (n + 1), here 0.1 exactly at n = 39. */
START_TEST(prompts_alarm_at_the_rate_that_was_asked)
{
    enum { PROMPTS = 39, RUNS = 3 };
    const double rate = 0.1;
    saei_rng rng = saei_rng_new(10, SAEI_STREAM_ROWS, 0);
    size_t alarms = 0;
    for (int draw = 0; draw < DRAWS; draw++) {
        saei_prompt_score scores[PROMPTS * RUNS];
        double last = 0;
        for (size_t p = 0; p <= PROMPTS; p++) {
            double of_prompt = 2 * saei_rng_normal(&rng);
            for (size_t r = 0; r < RUNS; r++) {
                double score = exp(of_prompt + 0.5 * saei_rng_normal(&rng) + 0.3 * (double)r);
                if (p < PROMPTS)
                    scores[r * PROMPTS + p] = (saei_prompt_score){(double)p, score};
                else if (r == (size_t)draw % RUNS)
                    last = score;
            }
        }
        double threshold;
        ck_assert_int_eq(saei_monitor_prompt_threshold(&threshold, scores, PROMPTS * RUNS, rate, NULL),
                         SAE_OK);
        alarms += last > threshold;
    }
    double got = (double)alarms / DRAWS;
    ck_assert_msg(got <= rate + 0.012 && got >= rate - 0.02, "%.4f", got);
}
END_TEST

START_TEST(too_few_prompts_are_refused)
{
    saei_prompt_score scores[19];
    double threshold;
    sae_error err;
    for (int i = 0; i < 19; i++)
        scores[i] = (saei_prompt_score){i, i};
    ck_assert_int_eq(saei_monitor_prompt_threshold(&threshold, scores, 19, 0.05, NULL), SAE_OK);
    ck_assert(threshold == 18);
    for (int i = 0; i < 18; i++)
        scores[i] = (saei_prompt_score){i, i};
    ck_assert_int_eq(saei_monitor_prompt_threshold(&threshold, scores, 18, 0.05, &err), SAE_E_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(err.text, "19 are needed"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("monitor_fit");
    TCase *tests = tcase_create("monitor_fit");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, agrees_with_numpy_and_scipy, 0, CASES);
    tcase_add_test(tests, dumps_alarm_as_rarely_as_was_asked);
    tcase_add_test(tests, prompts_alarm_at_the_rate_that_was_asked);
    tcase_add_test(tests, too_few_prompts_are_refused);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}

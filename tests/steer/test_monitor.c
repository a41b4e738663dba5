/* Monitors row by row, in files, and on input that is wrong. */
#include "base/rng.h"
#include "sae.h"
#include "../tools/run_suite.h"
#include "../tools/toy.h"

#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { D = 24, F = 300, K = 12, PROMPTS = 40, ROWS = PROMPTS * 5, LATENTS = 3, MUTATIONS = 1000 };
static const uint32_t latents[LATENTS] = {7, 130, 131};

/* Counts what is allocated, and fails when `left` is used up. */
typedef struct meter {
    long left, calls;
} meter;

static void *meter_alloc(void *user, size_t bytes)
{
    meter *m = user;
    m->calls++;
    return m->left-- > 0 ? malloc(bytes) : NULL;
}

static void meter_free(void *user, void *block)
{
    (void)user;
    free(block);
}

static meter measured;
static sae_context *context;
static sae_model *model;
static sae_dump *dump;
static float rows[ROWS * D];
static sae_error err;

static void fill(float *values, size_t n, saei_rng *rng, double mean)
{
    for (size_t i = 0; i < n; i++)
        values[i] = (float)(mean + saei_rng_normal(rng));
}

static sae_model *random_model(sae_activation activation, uint64_t seed)
{
    static float W_enc[F * D], W_dec[F * D], b_enc[F], b_dec[D], threshold[F], r_mag[F], b_mag[F];
    saei_rng rng = saei_rng_new(seed, SAEI_STREAM_INIT, 0);
    fill(W_enc, F * D, &rng, 0);
    fill(W_dec, F * D, &rng, 0);
    fill(b_enc, F, &rng, 0);
    fill(b_dec, D, &rng, 0);
    fill(r_mag, F, &rng, -0.5);
    fill(b_mag, F, &rng, 0);
    for (size_t j = 0; j < F; j++)
        threshold[j] = fabsf(b_mag[j]);
    sae_params params = {.d = D,
                         .n_latents = F,
                         .activation = activation,
                         .k = activation == SAE_TOPK ? K : 0,
                         .W_enc = W_enc,
                         .b_enc = b_enc,
                         .W_dec = W_dec,
                         .b_dec = b_dec,
                         .threshold = activation == SAE_JUMPRELU ? threshold : NULL,
                         .r_mag = activation == SAE_GATED ? r_mag : NULL,
                         .b_mag = activation == SAE_GATED ? b_mag : NULL};
    sae_model *made;
    ck_assert_int_eq(sae_model_new(&made, context, &params, NULL), SAE_OK);
    return made;
}

static void setup_for(sae_activation activation)
{
    double prompt[ROWS];
    saei_rng rng = saei_rng_new(3, SAEI_STREAM_ROWS, 0);
    sae_context_options options;
    sae_context_options_init(&options);
    options.threads = 1;
    measured = (meter){.left = LONG_MAX};
    options.allocator = (sae_allocator){&measured, meter_alloc, meter_free};
    ck_assert_int_eq(sae_context_new(&context, &options, NULL), SAE_OK);
    model = random_model(activation, 1);
    fill(rows, ROWS * D, &rng, 0);
    for (size_t i = 0; i < ROWS; i++)
        prompt[i] = (double)(i / 5) * 1e9 + 0.5 * (double)(i < 5);
    dump = toy_dump(context, rows, ROWS, D, prompt);
}

static void setup(void)
{
    setup_for(SAE_TOPK);
}

static void teardown(void)
{
    sae_dump_free(dump);
    sae_model_free(model);
    ck_assert_uint_eq(sae_context_memory_used(context), 0);
    sae_context_free(context);
}

static sae_monitor *fitted(const char *where)
{
    const sae_dump *const controls[2] = {dump, dump};
    sae_monitor_options options;
    sae_monitor_options_init(&options);
    options.where = where;
    sae_monitor *monitor;
    sae_status status =
        sae_monitor_fit(&monitor, model, latents, LATENTS, controls, 2, NULL, 0, &options, &err);
    ck_assert_msg(status == SAE_OK, "%s", err.text);
    return monitor;
}

static void expect_fit(sae_status wanted, const char *text, const uint32_t *which, size_t n,
                       size_t n_controls, size_t n_bad, const sae_monitor_options *options)
{
    const sae_dump *const dumps[2] = {dump, dump};
    sae_monitor *monitor;
    ck_assert_int_eq(
        sae_monitor_fit(&monitor, model, which, n, dumps, n_controls, dumps, n_bad, options, &err), wanted);
    ck_assert_ptr_null(monitor);
    ck_assert_msg(strstr(err.text, text) != NULL, "'%s' lacks '%s'", err.text, text);
}

/* For every activation rule: row scores are sums over the codes of sae_model_encode, bit for bit, their means
   are the scores of the prompts, and nothing is allocated. */
START_TEST(a_row_is_the_sum_over_its_codes)
{
    setup_for((sae_activation)_i);
    sae_monitor *monitor = fitted(NULL);
    sae_monitor_workspace *workspace;
    ck_assert_int_eq(sae_monitor_workspace_new(&workspace, monitor, model, NULL), SAE_OK);
    sae_codes *codes;
    ck_assert_int_eq(sae_codes_new(&codes, context, NULL), SAE_OK);
    ck_assert_int_eq(sae_model_encode(codes, model, (sae_view){rows, ROWS, D, D}, NULL), SAE_OK);
    sae_codes_view view = sae_codes_get(codes);
    double sum[PROMPTS] = {0}, most = 0;
    long calls = measured.calls;
    uint64_t used = sae_context_memory_used(context);
    measured.left = 0;
    for (size_t r = 0; r < ROWS; r++) {
        double score = NAN, wanted = 0;
        for (size_t l = 0; l < LATENTS; l++)
            for (uint64_t i = view.row_ptr[r]; i < view.row_ptr[r + 1]; i++)
                if (view.latent[i] == latents[l])
                    wanted += sae_monitor_weight(monitor, l) * (double)view.value[i];
        ck_assert_int_eq(sae_monitor_row(&score, workspace, rows + r * D, NULL), SAE_OK);
        ck_assert_msg(score == wanted, "row %zu: %.17g, wanted %.17g", r, score, wanted);
        sum[r / 5] += score;
        most = fmax(most, score);
    }
    ck_assert(most > 0);
    ck_assert_int_eq(measured.calls, calls);
    ck_assert_uint_eq(sae_context_memory_used(context), used);
    measured.left = LONG_MAX;
    sae_monitor_result *result;
    ck_assert_int_eq(sae_monitor_dump(&result, monitor, model, dump, NULL, NULL, NULL, NULL), SAE_OK);
    ck_assert_uint_eq(sae_monitor_result_summary(result).prompts, PROMPTS);
    for (size_t p = 0; p < PROMPTS; p++) {
        sae_monitor_prompt prompt = sae_monitor_result_prompt(result, p);
        ck_assert(fabs(prompt.score - sum[p] / 5) <= 1e-12 && prompt.rows == 5);
        ck_assert_int_eq(prompt.alarm, prompt.score > sae_monitor_controls_of(monitor).prompt_threshold);
    }
    sae_monitor_result_free(result);
    sae_codes_free(codes);
    sae_monitor_workspace_free(workspace);
    sae_monitor_free(monitor);
    teardown();
}
END_TEST

START_TEST(a_row_that_is_not_finite_is_refused)
{
    float x[D] = {0};
    double score = 42;
    sae_monitor *monitor = fitted(NULL);
    sae_monitor_workspace *workspace;
    ck_assert_int_eq(sae_monitor_workspace_new(&workspace, monitor, model, NULL), SAE_OK);
    x[D - 1] = NAN;
    ck_assert_int_eq(sae_monitor_row(&score, workspace, x, &err), SAE_E_NONFINITE);
    ck_assert_ptr_nonnull(strstr(err.text, "23"));
    x[D - 1] = -INFINITY;
    ck_assert_int_eq(sae_monitor_row(&score, workspace, x, NULL), SAE_E_NONFINITE);
    ck_assert(score == 42);
    x[D - 1] = -1;
    ck_assert_int_eq(sae_monitor_row(&score, workspace, x, NULL), SAE_OK);
    sae_monitor_workspace_free(workspace);
    sae_monitor_free(monitor);
}
END_TEST

START_TEST(another_model_is_refused)
{
    sae_monitor *monitor = fitted(NULL);
    sae_model *other = random_model(SAE_TOPK, 2), *same = random_model(SAE_TOPK, 1);
    sae_monitor_workspace *workspace;
    sae_monitor_result *result;
    ck_assert_int_eq(sae_monitor_workspace_new(&workspace, monitor, other, &err), SAE_E_MISMATCH);
    ck_assert_ptr_null(workspace);
    ck_assert_ptr_nonnull(strstr(err.text, "fit a monitor"));
    ck_assert_int_eq(sae_monitor_dump(&result, monitor, other, dump, NULL, NULL, NULL, &err), SAE_E_MISMATCH);
    ck_assert_ptr_null(result);
    ck_assert_int_eq(sae_monitor_workspace_new(&workspace, monitor, same, &err), SAE_OK);
    sae_monitor_workspace_free(workspace);
    sae_model_free(same);
    sae_model_free(other);
    sae_monitor_free(monitor);
}
END_TEST

START_TEST(what_cannot_be_fitted_is_refused)
{
    const uint32_t missing[] = {F}, twice[] = {3, 9, 3};
    sae_monitor_options options;
    sae_monitor_options_init(&options);
    expect_fit(SAE_E_NOT_FOUND, "latent 300", missing, 1, 1, 0, &options);
    expect_fit(SAE_E_ARGUMENT, "latent 3 is given twice", twice, 3, 1, 0, &options);
    expect_fit(SAE_E_ARGUMENT, "0 latents", twice, 0, 1, 0, &options);
    expect_fit(SAE_E_ARGUMENT, "control dumps", latents, 1, 0, 0, &options);
    expect_fit(SAE_E_ARGUMENT, "leave them out", latents, 1, 1, 1, &options);
    options.weighting = SAE_MONITOR_DISCRIMINANT;
    expect_fit(SAE_E_ARGUMENT, "need a bad dump", latents, 1, 1, 0, &options);
    expect_fit(SAE_E_ARGUMENT, "no latent differs", latents, 2, 1, 1, &options);
    options.weighting = (sae_monitor_weighting)7;
    expect_fit(SAE_E_ARGUMENT, "weighting", latents, 1, 1, 0, &options);
    options.weighting = SAE_MONITOR_SCALED;
    const double rates[] = {0, -0.1, 0.51, NAN};
    for (size_t i = 0; i < 4; i++) {
        options.false_alarms = rates[i];
        expect_fit(SAE_E_ARGUMENT, "false alarms", latents, 1, 1, 0, &options);
    }
    options.false_alarms = 0.02;
    expect_fit(SAE_E_ARGUMENT, "40 control prompts", latents, 1, 1, 0, &options);
    options.false_alarms = 0.05;
    options.group = "session";
    expect_fit(SAE_E_NOT_FOUND, "session", latents, 1, 1, 0, &options);
}
END_TEST

START_TEST(latents_that_never_fire_are_refused)
{
    memset(rows, 0, sizeof rows);
    uint32_t all[F];
    sae_codes *codes;
    bool fires[F] = {false};
    ck_assert_int_eq(sae_codes_new(&codes, context, NULL), SAE_OK);
    ck_assert_int_eq(sae_model_encode(codes, model, (sae_view){rows, 1, D, D}, NULL), SAE_OK);
    for (size_t i = 0; i < K; i++)
        fires[sae_codes_get(codes).latent[i]] = true;
    sae_codes_free(codes);
    size_t silent = 0;
    for (uint32_t j = 0; j < F; j++)
        if (!fires[j])
            all[silent++] = j;
    expect_fit(SAE_E_ARGUMENT, "never vary", all, 2, 1, 0, NULL);
}
END_TEST

static char folder[64], path[128];

static void make_folder(void)
{
    strcpy(folder, "/tmp/sae_monitor_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/monitor.json", folder);
}

static void remove_folder(void)
{
    unlink(path);
    ck_assert_int_eq(rmdir(folder), 0);
}

static size_t slurp(char *text, size_t capacity)
{
    FILE *file = fopen(path, "rb");
    ck_assert_ptr_nonnull(file);
    size_t n = fread(text, 1, capacity - 1, file);
    text[n] = '\0';
    fclose(file);
    return n;
}

static void spill(const char *text, size_t n)
{
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(text, 1, n, file), n);
    fclose(file);
}

START_TEST(a_file_is_read_back_bit_for_bit)
{
    make_folder();
    sae_monitor *monitor = fitted("is_continuation=0"), *read;
    ck_assert_int_eq(sae_monitor_save(monitor, path, false, NULL), SAE_OK);
    ck_assert_int_eq(sae_monitor_save(monitor, path, false, NULL), SAE_E_EXISTS);
    ck_assert_int_eq(sae_monitor_load(&read, context, path, &err), SAE_OK);
    ck_assert_uint_eq(sae_monitor_latents(read), LATENTS);
    for (size_t i = 0; i < LATENTS; i++) {
        ck_assert_uint_eq(sae_monitor_latent(read, i), latents[i]);
        ck_assert(sae_monitor_weight(read, i) == sae_monitor_weight(monitor, i));
    }
    sae_monitor_controls a = sae_monitor_controls_of(monitor), b = sae_monitor_controls_of(read);
    ck_assert(a.runs == b.runs && a.prompts == b.prompts && a.mean == b.mean && a.run_sd == b.run_sd);
    ck_assert(a.prompt_sd == b.prompt_sd && a.prompt_threshold == b.prompt_threshold);
    ck_assert(a.false_alarms == 0.05 && b.false_alarms == 0.05);
    ck_assert(sae_monitor_dump_threshold(monitor, 10) == sae_monitor_dump_threshold(read, 10));
    ck_assert(sae_monitor_dump_threshold(monitor, 10) > sae_monitor_dump_threshold(read, 11));
    ck_assert_str_eq(sae_monitor_where(read), "is_continuation=0");
    ck_assert_str_eq(sae_monitor_group(read), "prompt_id");
    ck_assert_int_eq(sae_monitor_weighting_of(read), SAE_MONITOR_SCALED);
    ck_assert_str_eq(sae_monitor_control_at(read, 1).name, sae_dump_name(dump));
    char first[8192], second[8192];
    slurp(first, sizeof first);
    ck_assert_int_eq(sae_monitor_save(read, path, true, NULL), SAE_OK);
    slurp(second, sizeof second);
    ck_assert_str_eq(first, second);
    sae_monitor_free(read);
    sae_monitor_free(monitor);
    remove_folder();
}
END_TEST

/* What a file may get wrong, one at a time, and what the error says. */
static const struct {
    const char *from, *to, *text;
    sae_status status;
} faults[] = {
    {"libsae-monitor", "libsae-ranking", "no monitor", SAE_E_FORMAT},
    {"\"version\": 1", "\"version\": 2", "version", SAE_E_UNSUPPORTED},
    {"\"latent\": 7,", "\"latent\": 131,", "ascending", SAE_E_FORMAT},
    {"\"latent\": 7,", "\"latent\": -7,", "'latent'", SAE_E_FORMAT},
    {"\"latent\": 7,", "\"latent\": 4294967295,", "'latent'", SAE_E_FORMAT},
    {"\"latent\": 7,", "\"latent\": 7.0,", "'latent'", SAE_E_FORMAT},
    {"\"weight\": 0", "\"weight\": 1", "weight", SAE_E_FORMAT},
    {"\"weight\": 0.", "\"weight\": 0.0", "'latents'", SAE_E_FORMAT},
    {"\"prompts\": 40", "\"prompts\": 1", "'prompts'", SAE_E_FORMAT},
    {"\"prompts\": 40", "\"prompts\": true", "'prompts'", SAE_E_FORMAT},
    {"\"prompt_sd\": ", "\"prompt_sd\": -", "'prompt_sd'", SAE_E_FORMAT},
    {"\"prompt_sd\": 0", "\"prompt_sd\": 1e40, \"x\": 0", "'prompt_sd'", SAE_E_FORMAT},
    {"\"false_alarms\": 0.05", "\"false_alarms\": 0.6", "'false_alarms'", SAE_E_FORMAT},
    {"\"false_alarms\": 0.05", "\"false_alarms\": -0.05", "'false_alarms'", SAE_E_FORMAT},
    {"\"weighting\": \"scaled\"", "\"weighting\": \"mine\"", "'weighting'", SAE_E_FORMAT},
    {"\"group\": \"prompt_id\"", "\"group\": null", "'group'", SAE_E_FORMAT},
    {"\"where\": null", "\"where\": 3", "'where'", SAE_E_FORMAT},
    {"\"score\": ", "\"score\": null, \"x\": ", "'score'", SAE_E_FORMAT},
    {"\"name\": ", "\"name\": 3, \"x\": ", "'name'", SAE_E_FORMAT},
    {"\"model_xxh3_128\": \"", "\"model_xxh3_128\": \"0", "hexadecimal", SAE_E_FORMAT},
    {"\"controls\": [", "\"controls\": [], \"x\": [", "0 controls", SAE_E_FORMAT},
    {"\"format\"", "\"version\"", "duplicate", SAE_E_FORMAT},
    {"{", "[", "no monitor", SAE_E_FORMAT},
};
enum { FAULTS = sizeof faults / sizeof faults[0] };

START_TEST(faults_of_a_file_are_named)
{
    char text[8192], changed[8400];
    make_folder();
    sae_monitor *monitor = fitted(NULL), *read;
    ck_assert_int_eq(sae_monitor_save(monitor, path, false, NULL), SAE_OK);
    slurp(text, sizeof text);
    for (size_t i = 0; i < FAULTS; i++) {
        char *at = strstr(text, faults[i].from);
        ck_assert_msg(at != NULL, "no %s in %s", faults[i].from, text);
        int n = snprintf(changed, sizeof changed, "%.*s%s%s", (int)(at - text), text, faults[i].to,
                         at + strlen(faults[i].from));
        spill(changed, (size_t)n);
        ck_assert_msg(sae_monitor_load(&read, context, path, &err) == faults[i].status, "%s: %s",
                      faults[i].to, err.text);
        ck_assert_ptr_null(read);
        ck_assert_msg(strstr(err.text, faults[i].text) != NULL, "%s: %s", faults[i].to, err.text);
        ck_assert_ptr_nonnull(strstr(err.text, path));
    }
    spill("", 0);
    ck_assert_int_eq(sae_monitor_load(&read, context, path, &err), SAE_E_FORMAT);
    sae_monitor_free(monitor);
    remove_folder();
    ck_assert_int_eq(sae_monitor_load(&read, context, path, &err), SAE_E_NOT_FOUND);
}
END_TEST

/* Whatever the bytes, loading ends, and a monitor that loads can be used or is refused. */
START_TEST(damaged_files_do_no_harm)
{
    char text[8192], changed[8192];
    saei_rng rng = saei_rng_new(4, SAEI_STREAM_ROWS, 0);
    size_t loaded = 0, scored = 0;
    make_folder();
    sae_monitor *monitor = fitted(NULL), *read;
    ck_assert_int_eq(sae_monitor_save(monitor, path, false, NULL), SAE_OK);
    size_t n = slurp(text, sizeof text);
    for (int m = 0; m < MUTATIONS; m++) {
        size_t kept = saei_rng_below(&rng, 8) == 0 ? saei_rng_below(&rng, n) : n;
        memcpy(changed, text, kept);
        for (uint64_t edits = 1 + saei_rng_below(&rng, 3); kept > 0 && edits > 0; edits--)
            changed[saei_rng_below(&rng, kept)] = saei_rng_below(&rng, 2) == 0
                                                      ? (char)('0' + saei_rng_below(&rng, 10))
                                                      : (char)saei_rng_next(&rng);
        spill(changed, kept);
        sae_status status = sae_monitor_load(&read, context, path, &err);
        if (status != SAE_OK) {
            ck_assert_ptr_null(read);
            continue;
        }
        loaded++;
        sae_monitor_result *result;
        status = sae_monitor_dump(&result, read, model, dump, "prompt_id", NULL, NULL, &err);
        ck_assert(status == SAE_OK || status == SAE_E_MISMATCH);
        if (status == SAE_OK) {
            scored++;
            ck_assert(isfinite(sae_monitor_result_summary(result).threshold));
        }
        sae_monitor_result_free(result);
        sae_monitor_free(read);
    }
    ck_assert(loaded > 10 && scored > 10 && loaded < MUTATIONS);
    sae_monitor_free(monitor);
    remove_folder();
}
END_TEST

START_TEST(prompts_are_written_as_csv)
{
    char text[8192], line[96];
    make_folder();
    sae_monitor *monitor = fitted(NULL);
    sae_monitor_result *result;
    ck_assert_int_eq(sae_monitor_dump(&result, monitor, model, dump, NULL, NULL, NULL, NULL), SAE_OK);
    ck_assert_int_eq(sae_monitor_result_save(result, path, false, NULL), SAE_OK);
    ck_assert_int_eq(sae_monitor_result_save(result, path, false, NULL), SAE_E_EXISTS);
    slurp(text, sizeof text);
    ck_assert_ptr_nonnull(strstr(text, "prompt,rows,score,alarm\n0.5,5,"));
    sae_monitor_prompt last = sae_monitor_result_prompt(result, PROMPTS - 1);
    snprintf(line, sizeof line, "\n39000000000,5,%.9g,%d\n", last.score, last.alarm);
    ck_assert_msg(strstr(text, line) != NULL, "%s lacks %s", text, line);
    sae_monitor_result_free(result);
    sae_monitor_free(monitor);
    remove_folder();
}
END_TEST

/* Whichever allocation fails, the error is SAE_E_MEMORY and nothing leaks; in the end all succeed. */
START_TEST(every_failed_allocation_is_survived)
{
    make_folder();
    uint64_t used = sae_context_memory_used(context);
    const sae_dump *const controls[2] = {dump, dump};
    sae_status status = SAE_E_MEMORY;
    long allowed = 0;
    for (; status != SAE_OK && allowed < 10000; allowed++) {
        sae_monitor *monitor = NULL, *read = NULL;
        sae_monitor_result *result = NULL;
        sae_monitor_workspace *workspace = NULL;
        measured.left = allowed;
        status = sae_monitor_fit(&monitor, model, latents, LATENTS, controls, 2, NULL, 0, NULL, NULL);
        if (status == SAE_OK)
            status = sae_monitor_save(monitor, path, true, NULL);
        if (status == SAE_OK)
            status = sae_monitor_load(&read, context, path, NULL);
        if (status == SAE_OK)
            status = sae_monitor_dump(&result, read, model, dump, NULL, NULL, NULL, NULL);
        if (status == SAE_OK)
            status = sae_monitor_workspace_new(&workspace, read, model, NULL);
        ck_assert(status == SAE_OK || status == SAE_E_MEMORY);
        measured.left = LONG_MAX;
        sae_monitor_workspace_free(workspace);
        sae_monitor_result_free(result);
        sae_monitor_free(read);
        sae_monitor_free(monitor);
        ck_assert_uint_eq(sae_context_memory_used(context), used);
    }
    ck_assert_int_eq(status, SAE_OK);
    ck_assert_int_gt(allowed, 40);
    remove_folder();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("monitor");
    TCase *rules = tcase_create("activation rules"), *tests = tcase_create("monitor");
    tcase_add_loop_test(rules, a_row_is_the_sum_over_its_codes, SAE_TOPK, SAE_GATED + 1);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_row_that_is_not_finite_is_refused);
    tcase_add_test(tests, another_model_is_refused);
    tcase_add_test(tests, what_cannot_be_fitted_is_refused);
    tcase_add_test(tests, latents_that_never_fire_are_refused);
    tcase_add_test(tests, a_file_is_read_back_bit_for_bit);
    tcase_add_test(tests, faults_of_a_file_are_named);
    tcase_add_test(tests, damaged_files_do_no_harm);
    tcase_add_test(tests, prompts_are_written_as_csv);
    tcase_add_test(tests, every_failed_allocation_is_survived);
    suite_add_tcase(suite, rules);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}

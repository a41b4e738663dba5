#include "diff/ranking.h"
#include "base/number.h"
#include "io/reader.h"
#include "sae/report.h"
#include "../tools/run_suite.h"
#include "../tools/toy.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char header[] =
    "latent,rank,score,mean_before,mean_after,mean_control,freq_before,freq_after,freq_control,"
    "delta,delta_se,delta_low,delta_high,delta_effect,delta_t,delta_p,delta_q,"
    "excess,excess_se,excess_low,excess_high,excess_effect,excess_t,excess_p,excess_q,p,q,"
    "p_family,delta_p_family,excess_p_family,rank_low,rank_high,heldout_estimate,heldout_p\n";

static const sae_contrast contrast = {0.5, 0.1, (double)NAN, 0.75, -2, 1e-20, 0.25, 1, 0.125};

/* Two latents, rank order 1, 0. */
static sae_ranking two_latents(sae_latent_stats stats[2], bool has_control)
{
    const double nan = (double)NAN;
    sae_contrast none = {nan, nan, nan, nan, nan, nan, nan, nan, nan};
    for (uint32_t i = 0; i < 2; i++)
        stats[i] = (sae_latent_stats){.latent = 1 - i,
                                      .rank = i + 1,
                                      .score = 1.0 / 3,
                                      .rank_low = i + 1,
                                      .rank_high = nan,
                                      .heldout_estimate = -0.5,
                                      .heldout_p = 0.75,
                                      .mean_control = has_control ? 2 : nan,
                                      .freq_control = has_control ? 0.5 : nan,
                                      .delta = contrast,
                                      .excess = has_control ? contrast : none};
    if (has_control)
        stats[0].excess.p = stats[0].excess.q = 0.125;
    return (sae_ranking){.n_latents = 2, .has_control = has_control, .stats = stats};
}

static void save(char *text, size_t bytes, bool has_control, sae_report_format format)
{
    sae_latent_stats stats[2];
    sae_ranking ranking = two_latents(stats, has_control);
    sae_context *context = toy_context(1);
    char folder[] = "/tmp/sae_report_XXXXXX", path[64];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/out", folder);
    ck_assert_int_eq(sae_ranking_save(&ranking, context, path, format, false, NULL), SAE_OK);
    ck_assert_int_eq(sae_ranking_save(&ranking, context, path, format, false, NULL), SAE_E_EXISTS);
    ck_assert_int_eq(sae_ranking_save(&ranking, context, path, format, true, NULL), SAE_OK);
    FILE *file = fopen(path, "rb");
    ck_assert_ptr_nonnull(file);
    text[fread(text, 1, bytes - 1, file)] = '\0';
    fclose(file);
    unlink(path);
    ck_assert_int_eq(rmdir(folder), 0);
    ck_assert_uint_eq(sae_context_memory_used(context), 0);
    sae_context_free(context);
}

START_TEST(csv_with_control)
{
    char text[4096], wanted[4096];
    save(text, sizeof text, true, SAE_REPORT_CSV);
    snprintf(
        wanted, sizeof wanted, "%s%s%s", header,
        "1,1,0.333333333,0,0,2,0,0,0.5,0.5,0.1,,0.75,-2,1e-20,0.25,1,0.5,0.1,,0.75,-2,1e-20,0.125,0.125,"
        "0.125,0.125,0.125,0.125,0.125,1,,-0.5,0.75\n",
        "0,2,0.333333333,0,0,2,0,0,0.5,0.5,0.1,,0.75,-2,1e-20,0.25,1,0.5,0.1,,0.75,-2,1e-20,0.25,1,0.25,1,"
        "0.125,0.125,0.125,2,,-0.5,0.75\n");
    ck_assert_str_eq(text, wanted);
}
END_TEST

START_TEST(csv_without_control)
{
    char text[4096];
    save(text, sizeof text, false, SAE_REPORT_CSV);
    ck_assert_int_eq(strncmp(text, header, strlen(header)), 0);
    ck_assert_ptr_nonnull(strstr(text,
                                 "\n1,1,0.333333333,0,0,,0,0,,0.5,0.1,,0.75,-2,1e-20,0.25,1,,,,,,,,,0.25,1,"
                                 "0.125,0.125,,1,,-0.5,0.75\n"));
}
END_TEST

START_TEST(json_lines)
{
    char text[4096];
    save(text, sizeof text, false, SAE_REPORT_JSONL);
    ck_assert_int_eq(strncmp(text, "{\"latent\":1,\"rank\":1,\"score\":0.333333333,\"mean_before\":0,", 50),
                     0);
    ck_assert_ptr_nonnull(strstr(text, "\"delta_low\":null,\"delta_high\":0.75,"));
    ck_assert_ptr_nonnull(strstr(text, "\"excess_q\":null,\"p\":0.25,\"q\":1,\"p_family\":0.125,"));
    ck_assert_ptr_nonnull(
        strstr(text, "\"rank_high\":null,\"heldout_estimate\":-0.5,\"heldout_p\":0.75}\n{"));
}
END_TEST

START_TEST(numbers)
{
    const struct {
        double value;
        const char *text;
    } cases[] = {{0, "0"},         {-0.1, "-0.1"},     {1e300, "1e+300"},       {1.0 / 3, "0.333333333"},
                 {1 / 0.0, "inf"}, {-1 / 0.0, "-inf"}, {-1.25e-7, "-1.25e-07"}, {(double)NAN, "nan"}};
    char text[SAEI_NUMBER_BYTES];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        saei_number_format(text, cases[i].value);
        ck_assert_str_eq(text, cases[i].text);
    }
}
END_TEST

/* A host with a decimal comma, made with localedef so that it does not hang on what is installed. */
START_TEST(numbers_in_a_locale_with_a_comma)
{
    char folder[] = "/tmp/sae_locale_XXXXXX", command[256], text[SAEI_NUMBER_BYTES], own[SAEI_NUMBER_BYTES];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(command, sizeof command, "localedef -c -f UTF-8 -i de_DE %s/de_DE.UTF-8 2>/dev/null", folder);
    int made = system(command);
    setenv("LOCPATH", folder, 1);
    bool comma = made != -1 && setlocale(LC_ALL, "de_DE.UTF-8") != NULL;
    snprintf(own, sizeof own, "%g", 0.5);
    saei_number_format(text, -1234.5);
    if (comma)
        ck_assert_str_eq(own, "0,5");
    else
        fprintf(stderr, "no localedef: the comma itself is not tested\n");
    ck_assert_str_eq(text, "-1234.5");
    snprintf(command, sizeof command, "rm -r %s", folder);
    ck_assert_int_eq(system(command), 0);
}
END_TEST

START_TEST(bad_requests_are_refused)
{
    sae_latent_stats stats[2];
    sae_ranking ranking = two_latents(stats, true);
    sae_context *context = toy_context(1);
    sae_error err;
    ck_assert_int_ne(sae_ranking_save(&ranking, context, "/nowhere/at/all.csv", SAE_REPORT_CSV, true, &err),
                     SAE_OK);
    ck_assert_ptr_nonnull(strstr(err.text, "/nowhere/at/all.csv"));
    ck_assert_int_eq(sae_ranking_save(&ranking, context, "/tmp/x", (sae_report_format)9, true, &err),
                     SAE_E_ARGUMENT);
    ck_assert_uint_eq(sae_context_memory_used(context), 0);
    sae_context_free(context);
}
END_TEST

static double number_at(saei_reader *reader, const char *name, const char *dtype, uint64_t i)
{
    const saei_array_info *array = saei_reader_find(reader, name);
    double values[2];
    ck_assert_msg(array != NULL, "no array %s", name);
    ck_assert_str_eq(saei_dtype_name(array->dtype), dtype);
    ck_assert_uint_eq(array->shape[0], 2);
    ck_assert_int_eq(saei_reader_read_f64(values, reader, array, 0, 2, NULL), SAE_OK);
    return values[i];
}

/* Every column of the CSV is an array, with all digits; p is that of the contrast that ranks. */
START_TEST(arrays_hold_the_columns)
{
    static const char *const names[] = {"ranking.h5", "ranking.npz", "ranking.safetensors"};
    bool has_control = _i % 2 == 0;
    sae_latent_stats stats[2];
    sae_ranking ranking = two_latents(stats, has_control);
    sae_context *context = toy_context(1);
    char folder[] = "/tmp/sae_report_XXXXXX", path[64], columns[sizeof header];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/%s", folder, names[_i / 2]);
    ck_assert_int_eq(sae_report_format_of(path), SAE_REPORT_ARRAYS);
    ck_assert_int_eq(sae_ranking_save(&ranking, context, path, SAE_REPORT_ARRAYS, false, NULL), SAE_OK);
    ck_assert_int_eq(sae_ranking_save(&ranking, context, path, SAE_REPORT_ARRAYS, false, NULL), SAE_E_EXISTS);
    saei_reader *reader;
    ck_assert_int_eq(saei_reader_open(&reader, context, path, NULL), SAE_OK);
    size_t found = 0;
    memcpy(columns, header, sizeof header);
    for (char *name = strtok(columns, ",\n"); name != NULL; name = strtok(NULL, ",\n"), found++)
        ck_assert_msg(saei_reader_find(reader, name) != NULL, "no array %s", name);
    ck_assert_uint_eq(saei_reader_count(reader), found);
    ck_assert(number_at(reader, "latent", "uint32", 0) == 1 && number_at(reader, "rank", "uint64", 1) == 2);
    ck_assert(number_at(reader, "score", "float64", 0) == 1.0 / 3);
    ck_assert(isnan(number_at(reader, "delta_low", "float64", 0)));
    ck_assert(number_at(reader, "p", "float64", 0) == (has_control ? 0.125 : 0.25));
    ck_assert(has_control || isnan(number_at(reader, "excess", "float64", 1)));
    saei_reader_free(reader);
    unlink(path);
    ck_assert_int_eq(rmdir(folder), 0);
    ck_assert_uint_eq(sae_context_memory_used(context), 0);
    sae_context_free(context);
}
END_TEST

START_TEST(formats_by_suffix)
{
    ck_assert_int_eq(sae_report_format_of("a.csv"), SAE_REPORT_CSV);
    ck_assert_int_eq(sae_report_format_of("a"), SAE_REPORT_CSV);
    ck_assert_int_eq(sae_report_format_of(".npz"), SAE_REPORT_CSV);
    ck_assert_int_eq(sae_report_format_of("a.JSONL"), SAE_REPORT_JSONL);
    ck_assert_int_eq(sae_report_format_of("a.b/c.pt"), SAE_REPORT_ARRAYS);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("report");
    TCase *tests = tcase_create("report");
    tcase_add_test(tests, csv_with_control);
    tcase_add_test(tests, csv_without_control);
    tcase_add_test(tests, json_lines);
    tcase_add_test(tests, numbers);
    tcase_add_test(tests, numbers_in_a_locale_with_a_comma);
    tcase_add_test(tests, bad_requests_are_refused);
    tcase_add_loop_test(tests, arrays_hold_the_columns, 0, 6);
    tcase_add_test(tests, formats_by_suffix);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}

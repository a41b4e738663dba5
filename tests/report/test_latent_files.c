/* Statistics and prompt means of latents as files, against the codes of the same rows. */
#include "base/rng.h"
#include "io/reader.h"
#include "sae/report.h"
#include "../io/temp_folder.h"
#include "../tools/run_suite.h"
#include "../tools/test_context.h"

#include <math.h>
#include <signal.h>
#include <sys/resource.h>

enum { PROMPTS = 40, PER_PROMPT = 9, ROWS = PROMPTS * PER_PROMPT, D = 5, F = 12 };

static const char *const formats[] = {"out.h5", "out.npz", "out.safetensors", "out.pt"};
enum { FORMATS = sizeof formats / sizeof formats[0] };

static sae_model *model;
static sae_dump *dump;
static float data[ROWS * D];

static void setup(void)
{
    float W_enc[D * F], b_enc[F], W_dec[F * D], b_dec[D] = {0};
    double prompt[ROWS];
    saei_rng rng = saei_rng_new(5, SAEI_STREAM_INIT, 0);
    for (size_t i = 0; i < D * F; i++) {
        W_enc[i] = (float)saei_rng_normal(&rng);
        W_dec[i] = i / D == 3 ? 0 : (float)saei_rng_normal(&rng); /* latent 3 has no direction */
    }
    for (size_t j = 0; j < F; j++)
        b_enc[j] = j == 7 ? -100 : -0.5f; /* latent 7 never fires */
    for (size_t i = 0; i < ROWS; i++) {
        prompt[i] = (double)(1000 - i / PER_PROMPT);
        for (size_t c = 0; c < D; c++)
            data[i * D + c] = (float)saei_rng_normal(&rng);
    }
    const sae_params params = {.activation = SAE_RELU,
                               .d = D,
                               .n_latents = F,
                               .W_enc = W_enc,
                               .b_enc = b_enc,
                               .W_dec = W_dec,
                               .b_dec = b_dec};
    temp_folder_make();
    context_make();
    ck_assert_msg(sae_model_new(&model, context, &params, &err) == SAE_OK, "%s", err.text);
    ck_assert_int_eq(sae_dump_from_rows(&dump, context, (sae_view){data, ROWS, D, D}, &err), SAE_OK);
    ck_assert_int_eq(sae_dump_add_column(dump, "prompt_id", prompt, &err), SAE_OK);
}

static void teardown(void)
{
    sae_dump_free(dump);
    sae_model_free(model);
    context_end();
    temp_folder_remove();
}

/* Reads a whole 1-D array, to be freed. */
static double *read_array(saei_reader *reader, const char *name, uint64_t *entries)
{
    const saei_array_info *array = saei_reader_find(reader, name);
    ck_assert_msg(array != NULL && array->rank == 1, "no array %s", name);
    double *out = malloc((size_t)array->shape[0] * sizeof *out + 1);
    ck_assert_int_eq(saei_reader_read_f64(out, reader, array, 0, array->shape[0], &err), SAE_OK);
    *entries = array->shape[0];
    return out;
}

static sae_status save_means(const char *name, const char *group)
{
    return sae_prompt_means_save(model, dump, group, temp_path(name), true, NULL, NULL, &err);
}

static void expect_of_codes(double *mean, double *frequency)
{
    sae_codes *codes;
    ck_assert_int_eq(sae_codes_new(&codes, context, &err), SAE_OK);
    ck_assert_int_eq(sae_model_encode(codes, model, (sae_view){data, ROWS, D, D}, &err), SAE_OK);
    const sae_codes_view c = sae_codes_get(codes);
    for (size_t i = 0; i < ROWS; i++)
        for (uint64_t at = c.row_ptr[i]; at < c.row_ptr[i + 1]; at++) {
            size_t prompt = PROMPTS - 1 - i / PER_PROMPT; /* ids ascend where rows descend */
            mean[prompt * F + c.latent[at]] += (double)c.value[at] / PER_PROMPT;
            frequency[prompt * F + c.latent[at]] += 1.0 / PER_PROMPT;
        }
    sae_codes_free(codes);
}

START_TEST(prompt_means_are_those_of_the_codes)
{
    static double wanted_mean[PROMPTS * F], wanted_frequency[PROMPTS * F];
    saei_reader *reader;
    uint64_t n, pairs, prompts, latents;
    expect_of_codes(wanted_mean, wanted_frequency);
    ck_assert_msg(save_means(formats[_i], NULL) == SAE_OK, "%s", err.text);
    ck_assert_int_eq(saei_reader_open(&reader, context, temp_path(formats[_i]), &err), SAE_OK);
    double *shape = read_array(reader, "shape", &n), *id = read_array(reader, "id", &prompts);
    double *rows = read_array(reader, "rows", &prompts), *ptr = read_array(reader, "latent_ptr", &latents);
    double *prompt = read_array(reader, "prompt", &pairs), *mean = read_array(reader, "mean", &pairs);
    double *frequency = read_array(reader, "frequency", &pairs);
    ck_assert(n == 2 && shape[0] == PROMPTS && shape[1] == F && prompts == PROMPTS && latents == F + 1);
    ck_assert(ptr[0] == 0 && ptr[F] == (double)pairs && ptr[7] == ptr[8]);
    for (size_t j = 0; j < F; j++)
        for (size_t at = (size_t)ptr[j]; at < (size_t)ptr[j + 1]; at++) {
            size_t cell = (size_t)prompt[at] * F + j;
            ck_assert(fabs(mean[at] - wanted_mean[cell]) <= 1e-12);
            ck_assert(fabs(frequency[at] - wanted_frequency[cell]) <= 1e-12);
            wanted_mean[cell] = 0;
        }
    for (size_t cell = 0; cell < PROMPTS * F; cell++)
        ck_assert(wanted_mean[cell] == 0);
    for (size_t i = 0; i < PROMPTS; i++)
        ck_assert(id[i] == (double)(1001 - PROMPTS + i) && rows[i] == PER_PROMPT);
    double *const all[] = {shape, id, rows, ptr, prompt, mean, frequency};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        free(all[i]);
    saei_reader_free(reader);
}
END_TEST

START_TEST(statistics_are_those_that_were_found)
{
    static const char *const one_number[] = {"fvu", "l0", "openai_nmse", "relative_reconstruction_bias"};
    sae_evaluation evaluation;
    sae_decoder_cosines cosines;
    uint64_t fires[F], n;
    double largest[F];
    saei_reader *reader;
    ck_assert_int_eq(sae_model_evaluate_all(&evaluation, fires, model, dump, NULL, NULL, &err), SAE_OK);
    ck_assert_int_eq(sae_model_decoder_cosines(&cosines, largest, model, NULL, NULL, &err), SAE_OK);
    const double figures[] = {evaluation.fidelity.fvu, evaluation.fidelity.l0,
                              evaluation.variants.openai_nmse,
                              evaluation.variants.relative_reconstruction_bias};
    ck_assert(isnan(largest[3]) && fires[7] == 0);
    for (int with = 0; with < 2; with++) {
        sae_status status = sae_evaluation_save(&evaluation, fires, with ? largest : NULL, model,
                                                temp_path(formats[_i]), true, &err);
        ck_assert_msg(status == SAE_OK, "%s", err.text);
        ck_assert_int_eq(saei_reader_open(&reader, context, temp_path(formats[_i]), &err), SAE_OK);
        ck_assert_int_eq(saei_reader_find(reader, "largest_cosine") != NULL, with);
        if (with == 0)
            saei_reader_free(reader);
    }
    double *got_fires = read_array(reader, "fires", &n), *density = read_array(reader, "density", &n);
    double *cosine = read_array(reader, "largest_cosine", &n), most = -1;
    ck_assert_uint_eq(n, F);
    for (size_t j = 0; j < F; j++) {
        ck_assert(got_fires[j] == (double)fires[j] && density[j] == (double)fires[j] / ROWS);
        ck_assert(isnan(largest[j]) ? isnan(cosine[j]) : cosine[j] == largest[j]);
        most = fmax(most, cosine[j]);
    }
    ck_assert(most == cosines.most && cosines.latents == F - 1);
    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++) {
        double *value = read_array(reader, one_number[i], &n);
        ck_assert(n == 1 && value[0] == figures[i]);
        free(value);
    }
    free(cosine);
    free(density);
    free(got_fires);
    saei_reader_free(reader);
}
END_TEST

/* No column of that name; a file that exists; a .npy; and a limit on the size of files, which fails a write
   as a full disk does. */
START_TEST(a_failure_leaves_nothing)
{
    ck_assert_int_eq(save_means(formats[_i], "nothing"), SAE_E_NOT_FOUND);
    ck_assert_int_eq(save_means("out.npy", NULL), SAE_E_ARGUMENT);
    ck_assert_int_eq(temp_folder_entries(), 0);
    temp_write(temp_path(formats[_i]), "x", 1);
    ck_assert_int_eq(
        sae_prompt_means_save(model, dump, NULL, temp_path(formats[_i]), false, NULL, NULL, &err),
        SAE_E_EXISTS);
    unlink(temp_path(formats[_i]));
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit = {1000, RLIM_INFINITY};
    /* No assertion while the limit is on: Check writes a file too. */
    setrlimit(RLIMIT_FSIZE, &limit);
    sae_status status = save_means(formats[_i], NULL);
    limit.rlim_cur = RLIM_INFINITY;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    ck_assert_int_eq(status, SAE_E_IO);
    ck_assert_int_eq(temp_folder_entries(), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("latent_files");
    TCase *tests = tcase_create("latent_files");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, prompt_means_are_those_of_the_codes, 0, FORMATS);
    tcase_add_loop_test(tests, statistics_are_those_that_were_found, 0, FORMATS);
    tcase_add_loop_test(tests, a_failure_leaves_nothing, 0, FORMATS);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}

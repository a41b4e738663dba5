/* Small models as other tools save them (tests/interop/make_import_fixtures.py): the activations and
   reconstructions are those of the tools; what is ambiguous or beyond a model is refused. */
#include "../tools/run_suite.h"
#include "io/reader.h"
#include "sae.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const folders[] = {
    "saelens-standard",
    "saelens-standard-b_dec-not-at-the-input",
    "saelens-topk",
    "saelens-topk-by-decoder-norm",
    "saelens-jumprelu",
    "saelens-gated",
    "saelens-gated-b_dec-not-at-the-input",
    "saelens-batchtopk-as-trained",
    "saelens-batchtopk-for-inference",
    "saelens-matryoshka-as-trained",
    "saelens-before-6-relu",
    "saelens-before-6-topk",
    "saelens-before-6-jumprelu",
    "sparsify-topk",
    "dictionary_learning-AutoEncoder",
    "dictionary_learning-AutoEncoderNew",
    "dictionary_learning-Gated",
    "dictionary_learning-TopK",
    "dictionary_learning-BatchTopK",
    "dictionary_learning-Matryoshka",
    "dictionary_learning-JumpReLU",
    "gemma-scope-npz",
    "gemma-scope-2",
    "openai-relu",
    "llama-scope",
    "batchtopk-topk",
    "saelens-standard-constant-norm",
    "saelens-topk-layer-norm",
    "saelens-jumprelu-layer-norm",
    "saelens-gated-constant-norm",
    "saelens-before-6-layer-norm",
    "openai-topk",
    "batchtopk-unit-norm",
};
enum { FOLDERS = sizeof folders / sizeof folders[0], PATH_BYTES = 512 };

static const double tolerance = 1e-5;

static sae_context *context;

static void make_context(void)
{
    ck_assert_int_eq(sae_context_new(&context, NULL, NULL), SAE_OK);
}

static void free_context(void)
{
    ck_assert_uint_eq(sae_context_memory_used(context), 0);
    sae_context_free(context);
}

static const char *fixture(char path[PATH_BYTES], const char *name)
{
    snprintf(path, PATH_BYTES, "%s/%s", IMPORTS, name);
    return path;
}

/* A matrix of expected.npz, to be freed. */
static float *expected(size_t *rows, size_t *cols, const char *name, const char *what)
{
    char path[PATH_BYTES], key[128];
    saei_reader *reader;
    sae_error err;
    ck_assert_msg(saei_reader_open(&reader, context, fixture(path, "expected.npz"), &err) == SAE_OK, "%s",
                  err.text);
    snprintf(key, sizeof key, "%s%s%s", name, name[0] != '\0' ? "." : "", what);
    const saei_array_info *array = saei_reader_find(reader, key);
    ck_assert_msg(array != NULL && array->rank == 2, "no %s", key);
    *rows = (size_t)array->shape[0];
    *cols = (size_t)array->shape[1];
    float *out = calloc(*rows * *cols, sizeof *out);
    ck_assert_int_eq(saei_reader_read_f32(out, reader, array, 0, *rows, NULL), SAE_OK);
    saei_reader_free(reader);
    return out;
}

static double distance(const float *a, const float *b, size_t n)
{
    double difference = 0, length = 0;
    for (size_t i = 0; i < n; i++) {
        difference += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
        length += (double)b[i] * (double)b[i];
    }
    return sqrt(difference / length);
}

static float *dense(sae_codes_view codes, size_t F)
{
    float *out = calloc(codes.rows * F, sizeof *out);
    for (size_t r = 0; r < codes.rows; r++)
        for (uint64_t i = codes.row_ptr[r]; i < codes.row_ptr[r + 1]; i++)
            out[r * F + codes.latent[i]] = codes.value[i];
    return out;
}

/* The model computes what the fixture of this name says of rows. */
static void computes(const sae_model *model, const char *name, const float *x, size_t n, size_t d)
{
    size_t rows, F, d_out;
    float *want_codes = expected(&rows, &F, name, "codes"),
          *want_rows = expected(&rows, &d_out, name, "rows");
    ck_assert_uint_eq(sae_model_dim(model), d);
    ck_assert_uint_eq(sae_model_latents(model), F);
    ck_assert_uint_eq(rows, n);
    ck_assert_uint_eq(d_out, d);
    sae_codes *codes;
    ck_assert_int_eq(sae_codes_new(&codes, context, NULL), SAE_OK);
    ck_assert_int_eq(sae_model_encode(codes, model, (sae_view){x, n, d, d}, NULL), SAE_OK);
    float *got_codes = dense(sae_codes_get(codes), F), *got_rows = calloc(n * d, sizeof *got_rows);
    ck_assert_int_eq(sae_model_decode(got_rows, model, sae_codes_get(codes), NULL), SAE_OK);
    double off_codes = distance(got_codes, want_codes, n * F),
           off_rows = distance(got_rows, want_rows, n * d);
    ck_assert_msg(off_codes <= tolerance && off_rows <= tolerance, "%s: codes %g, rows %g", name, off_codes,
                  off_rows);
    for (size_t i = 0; i < n * F; i++)
        ck_assert((got_codes[i] > 0) == (want_codes[i] > 0));
    sae_codes_free(codes);
    free(got_codes);
    free(got_rows);
    free(want_codes);
    free(want_rows);
}

static sae_model *loaded(const char *path)
{
    sae_model *model;
    sae_error err;
    ck_assert_msg(sae_model_load(&model, context, path, &err) == SAE_OK, "%s", err.text);
    return model;
}

/* The weight file of the one layout whose names do not tell a folder. */
static const char *path_of(char path[PATH_BYTES], size_t i)
{
    fixture(path, folders[i]);
    if (strncmp(folders[i], "openai-", 7) == 0)
        strcat(path, "/autoencoder.pt");
    return path;
}

START_TEST(what_tools_save_computes_what_they_compute)
{
    char path[PATH_BYTES];
    size_t n, d;
    float *rows = expected(&n, &d, "", "rows");
    sae_model *model = loaded(path_of(path, (size_t)_i));
    computes(model, folders[_i], rows, n, d);
    ck_assert_ptr_nonnull(sae_model_metadata(model, "source_format"));
    ck_assert_ptr_nonnull(sae_model_metadata(model, "source_b_dec"));
    ck_assert_ptr_nonnull(sae_model_metadata(model, "source_scale"));
    sae_model_free(model);
    free(rows);
}
END_TEST

static void remove_folder(const char *folder, const char *first, const char *second)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s", folder, first);
    unlink(path);
    snprintf(path, sizeof path, "%s/%s", folder, second);
    unlink(path);
    rmdir(folder);
}

static const struct {
    sae_model_format format;
    const char *weights, *config; /* in a folder; NULL: one file */
} layouts[] = {
    {SAE_MODEL_LIBSAE, NULL, NULL},
    {SAE_MODEL_SAELENS, "sae_weights.safetensors", "cfg.json"},
    {SAE_MODEL_DICTIONARY_LEARNING, "ae.pt", "config.json"},
    {SAE_MODEL_SPARSIFY, "sae.safetensors", "cfg.json"},
    {SAE_MODEL_NPZ, NULL, NULL},
};
enum { LAYOUTS = sizeof layouts / sizeof layouts[0] };

/* A model that is written and read again computes the same; without overwrite nothing is replaced. */
START_TEST(models_come_back_from_every_layout)
{
    char path[PATH_BYTES], out[] = "/tmp/libsae-export-XXXXXX";
    size_t i = (size_t)_i / LAYOUTS, layout = (size_t)_i % LAYOUTS, n, d;
    float *rows = expected(&n, &d, "", "rows");
    sae_model *model = loaded(path_of(path, i)), *back = NULL;
    sae_error err = {0};
    ck_assert_ptr_nonnull(mkdtemp(out));
    if (layouts[layout].weights == NULL)
        ck_assert_int_eq(rmdir(out), 0);
    sae_status status = sae_model_export(model, out, layouts[layout].format, false, &err);
    sae_params params = sae_model_params(model);
    bool says_norm =
        layouts[layout].format == SAE_MODEL_LIBSAE || layouts[layout].format == SAE_MODEL_SAELENS;
    bool possible = (layouts[layout].format != SAE_MODEL_SPARSIFY || params.activation == SAE_TOPK) &&
                    (params.row_norm == SAE_NO_ROW_NORM || says_norm);
    ck_assert_msg(status == (possible ? SAE_OK : SAE_E_UNSUPPORTED), "%s: %s", folders[i], err.text);
    if (possible) {
        back = loaded(out);
        computes(back, folders[i], rows, n, d);
        ck_assert_int_eq(sae_model_params(back).row_norm, params.row_norm);
        ck_assert_int_eq(sae_model_export(model, out, layouts[layout].format, false, NULL), SAE_E_EXISTS);
        ck_assert_int_eq(sae_model_export(model, out, layouts[layout].format, true, NULL), SAE_OK);
    }
    sae_model_free(back);
    sae_model_free(model);
    free(rows);
    if (layouts[layout].weights == NULL)
        unlink(out);
    else
        remove_folder(out, layouts[layout].weights, layouts[layout].config);
}
END_TEST

/* A weight file of the fixtures beside a configuration of our own. */
typedef struct stated_case {
    const char *what, *folder, *weights, *config; /* config NULL: none */
    sae_import_options options;
    sae_status status;
    const char *named; /* in the text of the error; of a model: in its choices */
} stated_case;

#define FLAT "{\"d_in\": 8, \"d_sae\": 24, "
#define SILENT .size = sizeof(sae_import_options), .threshold = (double)NAN

static const stated_case stated_cases[] = {
    {"two classes share these tensors",
     "unnamed",
     "ae.pt",
     NULL,
     {SILENT},
     SAE_E_UNSUPPORTED,
     "--activation"},
    {"one is named",
     "unnamed",
     "ae.pt",
     NULL,
     {SILENT, .activation = "topk"},
     SAE_OK,
     "topk, by --activation"},
    {"the other needs a threshold",
     "unnamed",
     "ae.pt",
     NULL,
     {SILENT, .activation = "jumprelu"},
     SAE_E_UNSUPPORTED,
     "--threshold"},
    {"and is given one",
     "unnamed",
     "ae.pt",
     NULL,
     {.size = sizeof(sae_import_options), .activation = "jumprelu", .threshold = 0.75},
     SAE_OK,
     "0.75 for all latents, by --threshold"},
    {"a rule that nobody has",
     "unnamed",
     "ae.pt",
     NULL,
     {SILENT, .activation = "tanh"},
     SAE_E_ARGUMENT,
     "tanh"},
    {"a k that the file contradicts",
     "unnamed",
     "ae.pt",
     NULL,
     {SILENT, .activation = "topk", .k = 7},
     SAE_E_MISMATCH,
     "-k 7"},
    {"an activation that the file contradicts",
     "sparsify-topk",
     "sae.safetensors",
     "{\"k\": 3}",
     {SILENT, .activation = "relu"},
     SAE_E_MISMATCH,
     "--activation relu"},
    {"no k", "sparsify-topk", "sae.safetensors", NULL, {SILENT}, SAE_E_UNSUPPORTED, "-k"},
    {"a k above F", "sparsify-topk", "sae.safetensors", "{\"k\": 25}", {SILENT}, SAE_E_FORMAT, "k = 25"},
    {"half a k", "sparsify-topk", "sae.safetensors", "{\"k\": 2.5}", {SILENT}, SAE_E_FORMAT, "k = 2.5"},
    {"groups",
     "sparsify-topk",
     "sae.safetensors",
     "{\"k\": 3, \"activation\": \"groupmax\"}",
     {SILENT},
     SAE_E_UNSUPPORTED,
     "groupmax"},
    {"a transcoder",
     "sparsify-topk",
     "sae.safetensors",
     "{\"k\": 3, \"transcode\": true}",
     {SILENT},
     SAE_E_UNSUPPORTED,
     "transcoder"},
    {"signs",
     "sparsify-topk",
     "sae.safetensors",
     "{\"k\": 3, \"signed\": true}",
     {SILENT},
     SAE_E_UNSUPPORTED,
     "negative"},
    {"rows normalised one by one",
     "saelens-standard",
     "sae_weights.safetensors",
     FLAT "\"normalize_activations\": \"layer_norm\"}",
     {SILENT},
     SAE_OK,
     "layer_norm: each row by itself"},
    {"a scale beside that",
     "saelens-standard",
     "sae_weights.safetensors",
     FLAT "\"normalize_activations\": \"constant_norm_rescale\"}",
     {SILENT, .input_scale = 0.5},
     SAE_E_MISMATCH,
     "--input-scale"},
    {"rows whitened by what is not in the files",
     "saelens-standard",
     "sae_weights.safetensors",
     FLAT "\"normalize_activations\": \"covariance_whitening\"}",
     {SILENT},
     SAE_E_UNSUPPORTED,
     "covariance_whitening"},
    {"TopK, with its norm", "openai-topk", "autoencoder.pt", NULL, {SILENT}, SAE_OK, "as always with TopK"},
    {"a TopK that keeps what is negative",
     "openai-signed",
     "autoencoder.pt",
     NULL,
     {SILENT},
     SAE_E_UNSUPPORTED,
     "Identity"},
    {"a scale that was not folded",
     "saelens-standard",
     "sae_weights.safetensors",
     FLAT "\"normalize_activations\": \"expected_average_only_in\"}",
     {SILENT},
     SAE_E_UNSUPPORTED,
     "--input-scale"},
    {"and is given",
     "saelens-standard",
     "sae_weights.safetensors",
     FLAT "\"normalize_activations\": true}",
     {SILENT, .input_scale = 0.5},
     SAE_OK,
     "0.5, folded into the weights, by --input-scale"},
    {"a scale against the file",
     "saelens-standard",
     "sae_weights.safetensors",
     FLAT "\"normalize_activations\": \"none\"}",
     {SILENT, .input_scale = 0.5},
     SAE_E_MISMATCH,
     "--input-scale"},
    {"b_dec against the file",
     "saelens-standard",
     "sae_weights.safetensors",
     FLAT "\"apply_b_dec_to_input\": true}",
     {SILENT, .b_dec_at_input = SAE_NO},
     SAE_E_MISMATCH,
     "--b-dec-at-input no"},
    {"an architecture of its own",
     "saelens-standard",
     "sae_weights.safetensors",
     FLAT "\"architecture\": \"temporal\"}",
     {SILENT},
     SAE_E_UNSUPPORTED,
     "temporal"},
    {"a rule without its tensors",
     "saelens-standard",
     "sae_weights.safetensors",
     FLAT "\"architecture\": \"jumprelu\"}",
     {SILENT},
     SAE_E_FORMAT,
     "no tensor threshold"},
    {"tanh-relu",
     "saelens-standard",
     "sae_weights.safetensors",
     FLAT "\"activation_fn_str\": \"tanh-relu\"}",
     {SILENT},
     SAE_E_UNSUPPORTED,
     "tanh-relu"},
    {"no configuration",
     "saelens-standard",
     "sae_weights.safetensors",
     NULL,
     {SILENT},
     SAE_E_UNSUPPORTED,
     "--activation"},
    {"half of the answers",
     "saelens-standard",
     "sae_weights.safetensors",
     NULL,
     {SILENT, .activation = "relu"},
     SAE_E_UNSUPPORTED,
     "--b-dec-at-input"},
    {"all but one",
     "saelens-standard",
     "sae_weights.safetensors",
     NULL,
     {SILENT, .activation = "relu", .b_dec_at_input = SAE_YES},
     SAE_E_UNSUPPORTED,
     "--input-scale"},
    {"all of them",
     "saelens-standard",
     "sae_weights.safetensors",
     NULL,
     {SILENT, .activation = "relu", .b_dec_at_input = SAE_YES, .input_scale = 1},
     SAE_OK,
     "by --b-dec-at-input"},
    {"broken JSON",
     "saelens-standard",
     "sae_weights.safetensors",
     "{\"d_in\": 8,",
     {SILENT},
     SAE_E_FORMAT,
     "configuration"},
    {"a class of its own",
     "unnamed",
     "ae.pt",
     "{\"trainer\": {\"dict_class\": \"Wavelet\"}}",
     {SILENT},
     SAE_E_UNSUPPORTED,
     "Wavelet"},
    {"rows scaled by an unknown mean",
     "llama-scope",
     "checkpoints/final.safetensors",
     "{\"d_model\": 8}",
     {SILENT},
     SAE_E_UNSUPPORTED,
     "--input-scale"},
    {"rows normalised by token",
     "llama-scope",
     "checkpoints/final.safetensors",
     "{\"d_model\": 8, \"norm_activation\": \"token-wise\"}",
     {SILENT},
     SAE_E_UNSUPPORTED,
     "token-wise"},
    {"BatchTopK without a threshold",
     "batchtopk-topk",
     "sae.pt",
     "{\"act_size\": 8, \"dict_size\": 24, \"sae_type\": \"batchtopk\", \"top_k\": 3}",
     {SILENT},
     SAE_E_UNSUPPORTED,
     "--threshold"},
    {"unit norm",
     "batchtopk-topk",
     "sae.pt",
     "{\"act_size\": 8, \"dict_size\": 24, \"sae_type\": \"topk\", \"top_k\": 3, \"input_unit_norm\": true}",
     {SILENT},
     SAE_OK,
     "input_unit_norm: each row by itself"},
    {"the scales of a crosscoder",
     "crosscoder",
     "cc_weights.pt",
     NULL,
     {SILENT},
     SAE_E_UNSUPPORTED,
     "--input-scale"},
};
enum { STATED_CASES = sizeof stated_cases / sizeof stated_cases[0] };

static bool is_chosen(const sae_import *import, const char *text)
{
    for (size_t i = 0; i < sae_import_choices(import); i++)
        if (strstr(sae_import_choice_value(import, i), text) != NULL)
            return true;
    return false;
}

START_TEST(what_is_left_open_is_asked_for)
{
    const stated_case *c = &stated_cases[_i];
    char folder[] = "/tmp/libsae-import-XXXXXX", from[PATH_BYTES], weights[PATH_BYTES], config[PATH_BYTES];
    const char *slash = strrchr(c->weights, '/'), *name = slash != NULL ? slash + 1 : c->weights;
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(from, sizeof from, "%s/%s/%s", IMPORTS, c->folder, c->weights);
    snprintf(weights, sizeof weights, "%s/%s", folder, name);
    snprintf(config, sizeof config, "%s/config.json", folder);
    ck_assert_int_eq(symlink(from, weights), 0);
    if (c->config != NULL) {
        FILE *file = fopen(config, "w");
        ck_assert_ptr_nonnull(file);
        fputs(c->config, file);
        fclose(file);
    }
    sae_import *import;
    sae_error err = {0};
    sae_status status = sae_import_open(&import, context, weights, &c->options, &err);
    ck_assert_msg(status == c->status, "%s: %d %s", c->what, (int)status, err.text);
    ck_assert_msg(status == SAE_OK ? is_chosen(import, c->named) : strstr(err.text, c->named) != NULL,
                  "%s: %s", c->what, err.text);
    sae_import_free(import);
    remove_folder(folder, name, "config.json");
}
END_TEST

/* s x instead of x, with the scale folded: the model of the scaled rows is the one of the raw rows. */
START_TEST(a_scale_is_folded)
{
    char folder[] = "/tmp/libsae-import-XXXXXX", from[PATH_BYTES], weights[PATH_BYTES];
    const float scale = 0.5f;
    size_t n, d;
    float *rows = expected(&n, &d, "", "rows");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(from, sizeof from, "%s/saelens-standard/sae_weights.safetensors", IMPORTS);
    snprintf(weights, sizeof weights, "%s/w.safetensors", folder);
    ck_assert_int_eq(symlink(from, weights), 0);
    sae_import_options options = {SILENT, .activation = "relu", .b_dec_at_input = SAE_YES,
                                  .input_scale = scale};
    sae_import *import;
    sae_model *model;
    ck_assert_int_eq(sae_import_open(&import, context, weights, &options, NULL), SAE_OK);
    ck_assert_int_eq(sae_import_model(&model, import, NULL), SAE_OK);
    for (size_t i = 0; i < n * d; i++)
        rows[i] /= scale;
    size_t rows_n, F;
    float *want = expected(&rows_n, &F, "saelens-standard", "codes");
    sae_codes *codes;
    ck_assert_int_eq(sae_codes_new(&codes, context, NULL), SAE_OK);
    ck_assert_int_eq(sae_model_encode(codes, model, (sae_view){rows, n, d, d}, NULL), SAE_OK);
    float *got = dense(sae_codes_get(codes), F);
    ck_assert(distance(got, want, n * F) <= tolerance);
    free(got);
    free(want);
    free(rows);
    sae_codes_free(codes);
    sae_model_free(model);
    sae_import_free(import);
    remove_folder(folder, "w.safetensors", "none");
}
END_TEST

START_TEST(a_crosscoder_reads_pairs)
{
    char path[PATH_BYTES];
    size_t n, d;
    float *pair = expected(&n, &d, "crosscoder", "pair");
    sae_import_options options = {SILENT, .input_scale = 0.25, .input_scale_after = 0.5};
    sae_import *import;
    sae_model *model;
    sae_error err;
    ck_assert_msg(sae_import_open(&import, context, fixture(path, "crosscoder"), &options, &err) == SAE_OK,
                  "%s", err.text);
    ck_assert_int_eq(sae_import_model(&model, import, NULL), SAE_OK);
    computes(model, "crosscoder", pair, n, d);
    ck_assert_str_eq(sae_model_metadata(model, "combination"), "pair");
    ck_assert_str_eq(sae_model_metadata(model, "before_scale"), "0.25");
    ck_assert_str_eq(sae_model_metadata(model, "after_scale"), "0.5");
    sae_model_free(model);
    sae_import_free(import);
    free(pair);
}
END_TEST

START_TEST(what_is_no_model_is_said_so)
{
    char path[PATH_BYTES];
    sae_model *model;
    sae_error err;
    ck_assert_int_eq(sae_model_load(&model, context, fixture(path, "expected.npz"), &err), SAE_E_FORMAT);
    ck_assert_ptr_null(model);
    ck_assert_int_eq(sae_model_load(&model, context, fixture(path, "."), &err), SAE_E_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "this folder holds no model"));
    ck_assert_int_eq(sae_model_load(&model, context, fixture(path, "nothing"), &err), SAE_E_NOT_FOUND);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("import");
    TCase *tests = tcase_create("import");
    tcase_add_checked_fixture(tests, make_context, free_context);
    tcase_add_loop_test(tests, what_tools_save_computes_what_they_compute, 0, FOLDERS);
    tcase_add_loop_test(tests, models_come_back_from_every_layout, 0, FOLDERS * LAYOUTS);
    tcase_add_loop_test(tests, what_is_left_open_is_asked_for, 0, STATED_CASES);
    tcase_add_test(tests, a_scale_is_folded);
    tcase_add_test(tests, a_crosscoder_reads_pairs);
    tcase_add_test(tests, what_is_no_model_is_said_so);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}

/* Latent scaling against NumPy, and planted latents of every kind told apart. */
#include "base/rng.h"
#include "sae/diff.h"
#include "sae/train.h"
#include "../tools/fixture.h"
#include "../tools/run_suite.h"
#include "../tools/toy.h"

#include <math.h>
#include <string.h>

static sae_context *context;
static sae_error err;

static void setup(void)
{
    context = toy_context(2);
}

static void teardown(void)
{
    ck_assert_uint_eq(sae_context_memory_used(context), 0);
    sae_context_free(context);
}

static float *floats(const char *name, size_t count)
{
    size_t n;
    double *values = fixture(FIXTURES, name, &n);
    float *out = malloc(n * sizeof *out);
    ck_assert_uint_eq(n, count);
    for (size_t i = 0; i < n; i++)
        out[i] = (float)values[i];
    free(values);
    return out;
}

enum { ROWS = 90, D = 4, LATENTS = 9, FIRING = 8 };

static sae_model *fixture_model(sae_context *of)
{
    float *W_enc = floats("W_enc", LATENTS * 2 * D), *W_dec = floats("W_dec", LATENTS * 2 * D);
    float *b_enc = floats("b_enc", LATENTS), *b_dec = floats("b_dec", 2 * D);
    sae_params params = {.d = 2 * D,
                         .n_latents = LATENTS,
                         .activation = SAE_RELU,
                         .W_enc = W_enc,
                         .b_enc = b_enc,
                         .W_dec = W_dec,
                         .b_dec = b_dec};
    sae_model *model;
    ck_assert_int_eq(sae_model_new(&model, of, &params, &err), SAE_OK);
    free(W_enc);
    free(W_dec);
    free(b_enc);
    free(b_dec);
    return model;
}

static void compare(const char *name, const sae_cross_latent *latents, size_t offset, size_t count)
{
    size_t n;
    double *wanted = fixture(FIXTURES, name, &n);
    ck_assert_uint_eq(n, count);
    for (size_t j = 0; j < n; j++) {
        double got;
        memcpy(&got, (const char *)&latents[j] + offset, sizeof got);
        ck_assert_msg(fabs(got - wanted[j]) <= 1e-6 * (1 + fabs(wanted[j])), "%s of %zu: %.17g, wanted %.17g",
                      name, j, got, wanted[j]);
    }
    free(wanted);
}

#define COMPARE(member, count) compare(#member, latents, offsetof(sae_cross_latent, member), count)

START_TEST(figures_are_those_of_least_squares)
{
    float *x = floats("x", ROWS * 2 * D);
    sae_model *model = fixture_model(context);
    sae_dump *dump = toy_dump(context, x, ROWS, 2 * D, NULL);
    sae_cross_latent latents[LATENTS];
    ck_assert_int_eq(sae_crosscoder_latents(latents, model, dump, NULL, &err), SAE_OK);
    COMPARE(norm_before, LATENTS);
    COMPARE(norm_after, LATENTS);
    COMPARE(relative_norm, LATENTS);
    COMPARE(delta_norm, LATENTS);
    COMPARE(beta_error_before, FIRING);
    COMPARE(beta_error_after, FIRING);
    COMPARE(beta_reconstruction_before, FIRING);
    COMPARE(beta_reconstruction_after, FIRING);
    for (size_t j = 0; j < FIRING; j++) {
        const sae_cross_latent *l = &latents[j];
        bool after = l->norm_after >= l->norm_before;
        double own = after ? l->beta_error_after : l->beta_error_before;
        double other = after ? l->beta_error_before : l->beta_error_after;
        ck_assert(own > 0 ? l->nu_error == other / own : isnan(l->nu_error) != 0);
    }
    ck_assert(latents[FIRING].fires == 0 && isnan(latents[FIRING].nu_error) &&
              isnan(latents[FIRING].beta_error_after));
    ck_assert_int_eq(latents[FIRING].kind, SAE_CROSS_UNDECIDED);
    size_t n;
    double *fires = fixture(FIXTURES, "fires", &n);
    for (size_t j = 0; j < n; j++)
        ck_assert(latents[j].fires == (uint64_t)fires[j]);
    free(fires);
    sae_dump_free(dump);
    sae_model_free(model);
    free(x);
}
END_TEST

START_TEST(what_is_no_crosscoder_is_refused)
{
    float rows[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3};
    sae_cross_latent latents[LATENTS];
    sae_model *odd = toy_identity(context, 3, 1), *even = toy_identity(context, 4, 1);
    sae_dump *three = toy_dump(context, rows, 4, 3, NULL), *two = toy_dump(context, rows, 6, 2, NULL);
    ck_assert_int_eq(sae_crosscoder_latents(latents, odd, three, NULL, &err), SAE_E_MISMATCH);
    ck_assert_ptr_nonnull(strstr(err.text, "side by side"));
    ck_assert_int_eq(sae_crosscoder_latents(latents, even, three, NULL, &err), SAE_E_MISMATCH);
    ck_assert_int_eq(sae_crosscoder_latents(latents, even, two, NULL, &err), SAE_E_MISMATCH);
    sae_dump *pair;
    ck_assert_int_eq(sae_dump_pair(&pair, two, two, NULL, &err), SAE_OK);
    ck_assert_int_eq(sae_crosscoder_latents(latents, even, pair, NULL, &err), SAE_OK);
    sae_params params = sae_model_params(even);
    sae_model *normalising;
    params.row_norm = SAE_CONSTANT_NORM;
    ck_assert_int_eq(sae_model_new(&normalising, context, &params, &err), SAE_OK);
    ck_assert_int_eq(sae_crosscoder_latents(latents, normalising, pair, NULL, &err), SAE_E_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(err.text, "constant_norm"));
    sae_model_free(normalising);
    sae_dump_free(pair);
    sae_dump_free(two);
    sae_dump_free(three);
    sae_model_free(odd);
    sae_model_free(even);
    ck_assert_str_eq(sae_cross_kind_name(SAE_CROSS_DECOUPLED), "decoupled");
    ck_assert_ptr_null(sae_cross_kind_name((sae_cross_kind)SAE_CROSS_KINDS));
}
END_TEST

/* F1 of one kind. */
static double f1(sae_cross_kind kind, const sae_cross_kind *got, const sae_cross_kind *truth, size_t n)
{
    double both = 0, either = 0;
    for (size_t j = 0; j < n; j++) {
        both += got[j] == kind && truth[j] == kind;
        either += (got[j] == kind) + (truth[j] == kind);
    }
    return 2 * both / either;
}

/* A dictionary of 60 latents of 50 features. A feature has the same direction in both models, with the
   strength that its kind gives to each; a latent has a decoder row, and a little noise, where its kind says.
 */
enum { WIDTH = 64, EACH = 10, FEATURES = 5 * EACH, PLANTED = 6 * EACH, SAMPLES = 4000 };

typedef struct planted {
    float direction[FEATURES][WIDTH];
    float W_enc[PLANTED][2 * WIDTH], W_dec[PLANTED][2 * WIDTH], b_enc[PLANTED], b_dec[2 * WIDTH],
        threshold[PLANTED];
    sae_cross_kind truth[PLANTED];
    float x[SAMPLES][2 * WIDTH];
} planted;

static sae_cross_kind kind_of_feature(size_t i)
{
    static const sae_cross_kind kinds[5] = {SAE_CROSS_SHARED, SAE_CROSS_AFTER_ONLY, SAE_CROSS_BEFORE_ONLY,
                                            SAE_CROSS_SHRUNK, SAE_CROSS_DECOUPLED};
    return kinds[i / EACH];
}

/* How strong feature i is in a model (0 before, 1 after). */
static float strength(size_t i, size_t model)
{
    switch (kind_of_feature(i)) {
    case SAE_CROSS_AFTER_ONLY:
        return model == 1 ? 1 : 0;
    case SAE_CROSS_BEFORE_ONLY:
        return model == 0 ? 1 : 0;
    case SAE_CROSS_SHRUNK:
        return i % 2 == model ? 1 : 0.5f;
    default:
        return 1;
    }
}

static void draw_directions(planted *p, saei_rng *rng)
{
    for (size_t i = 0; i < FEATURES; i++) {
        double norm2 = 0;
        for (size_t k = 0; k < WIDTH; k++)
            p->direction[i][k] = (float)saei_rng_normal(rng);
        for (size_t b = 0; b < i; b++) {
            double along = 0;
            for (size_t k = 0; k < WIDTH; k++)
                along += (double)p->direction[i][k] * (double)p->direction[b][k];
            for (size_t k = 0; k < WIDTH; k++)
                p->direction[i][k] -= (float)along * p->direction[b][k];
        }
        for (size_t k = 0; k < WIDTH; k++)
            norm2 += (double)p->direction[i][k] * (double)p->direction[i][k];
        for (size_t k = 0; k < WIDTH; k++)
            p->direction[i][k] *= (float)(1 / sqrt(norm2));
    }
}

/* Latent j reads and writes feature i in the models that `before` and `after` name. */
static void plant_latent(planted *p, size_t j, size_t i, float before, float after, saei_rng *rng)
{
    for (size_t k = 0; k < 2 * WIDTH; k++) {
        float side = k < WIDTH ? before : after, direction = p->direction[i][k % WIDTH];
        p->W_enc[j][k] = side * direction / (before + after);
        p->W_dec[j][k] = side * direction + (float)(0.002 * saei_rng_normal(rng));
    }
    p->threshold[j] = 0.5f;
    p->truth[j] = kind_of_feature(i);
}

static void plant_dictionary(planted *p, saei_rng *rng)
{
    for (size_t i = 0; i < FEATURES; i++) {
        sae_cross_kind kind = kind_of_feature(i);
        bool shared = kind == SAE_CROSS_SHARED, before = kind == SAE_CROSS_BEFORE_ONLY;
        if (kind == SAE_CROSS_SHRUNK)
            before = i % 2 == 0;
        plant_latent(p, i, i, shared || before ? 1 : 0, shared || !before ? 1 : 0, rng);
        if (kind == SAE_CROSS_DECOUPLED) /* the other half of the feature is a latent of its own */
            plant_latent(p, i + EACH, i, 1, 0, rng);
    }
}

static void plant_rows(planted *p, saei_rng *rng)
{
    for (size_t r = 0; r < SAMPLES; r++) {
        for (size_t k = 0; k < 2 * WIDTH; k++)
            p->x[r][k] = (float)(0.1 * saei_rng_normal(rng));
        for (size_t i = 0; i < FEATURES; i++) {
            if (saei_rng_uniform(rng) > 0.1)
                continue;
            float f = (float)(1 + 2 * saei_rng_uniform(rng));
            for (size_t k = 0; k < 2 * WIDTH; k++)
                p->x[r][k] += f * strength(i, k / WIDTH) * p->direction[i][k % WIDTH];
        }
    }
}

static void find_planted(sae_cross_latent *latents, const planted *p, unsigned threads)
{
    sae_context *own = toy_context(threads);
    sae_params params = {.d = 2 * WIDTH,
                         .n_latents = PLANTED,
                         .activation = SAE_JUMPRELU,
                         .W_enc = p->W_enc[0],
                         .b_enc = p->b_enc,
                         .W_dec = p->W_dec[0],
                         .b_dec = p->b_dec,
                         .threshold = p->threshold};
    sae_model *model;
    ck_assert_int_eq(sae_model_new(&model, own, &params, &err), SAE_OK);
    sae_dump *dump = toy_dump(own, p->x[0], SAMPLES, 2 * WIDTH, NULL);
    ck_assert_int_eq(sae_crosscoder_latents(latents, model, dump, NULL, &err), SAE_OK);
    sae_dump_free(dump);
    sae_model_free(model);
    sae_context_free(own);
}

START_TEST(planted_latents_of_every_kind_are_told_apart)
{
    planted *p = calloc(1, sizeof *p);
    saei_rng rng = saei_rng_new(4, SAEI_STREAM_INIT, 0);
    draw_directions(p, &rng);
    plant_dictionary(p, &rng);
    plant_rows(p, &rng);
    sae_cross_latent latents[PLANTED], again[PLANTED];
    sae_cross_kind got[PLANTED];
    find_planted(latents, p, 1);
    find_planted(again, p, 3);
    ck_assert_mem_eq(latents, again, sizeof latents);
    for (size_t j = 0; j < PLANTED; j++)
        got[j] = latents[j].kind;
    for (size_t i = 0; i < FEATURES; i += EACH) {
        double score = f1(kind_of_feature(i), got, p->truth, PLANTED);
        ck_assert_msg(score >= 0.95, "%s: F1 %.3f", sae_cross_kind_name(kind_of_feature(i)), score);
    }
    free(p);
}
END_TEST

/* A crosscoder that is trained here: features of three kinds, none orthogonal to the others. */
enum { TRAINED_D = 24, TRAINED_FEATURES = 20, TRAINED_ROWS = 20000 };

typedef struct trained_case {
    float direction[TRAINED_FEATURES][2][TRAINED_D];
    sae_cross_kind truth[TRAINED_FEATURES];
    float side[2][TRAINED_ROWS][TRAINED_D];
} trained_case;

static void make_features(trained_case *t, saei_rng *rng)
{
    for (size_t i = 0; i < TRAINED_FEATURES; i++) {
        t->truth[i] = i < 8 ? SAE_CROSS_SHARED : i < 14 ? SAE_CROSS_AFTER_ONLY : SAE_CROSS_BEFORE_ONLY;
        for (size_t m = 0; m < 2; m++) {
            bool has = t->truth[i] == SAE_CROSS_SHARED || (t->truth[i] == SAE_CROSS_AFTER_ONLY) == (m == 1);
            for (size_t k = 0; k < TRAINED_D; k++)
                t->direction[i][m][k] = has ? (float)(saei_rng_normal(rng) / sqrt(TRAINED_D)) : 0;
        }
    }
}

static void make_rows(trained_case *t, saei_rng *rng)
{
    for (size_t r = 0; r < TRAINED_ROWS; r++)
        for (size_t i = 0; i < TRAINED_FEATURES; i++) {
            if (saei_rng_uniform(rng) > 0.1)
                continue;
            float f = (float)(1 + saei_rng_uniform(rng));
            for (size_t m = 0; m < 2; m++)
                for (size_t k = 0; k < TRAINED_D; k++)
                    t->side[m][r][k] += f * t->direction[i][m][k];
        }
}

/* The latent whose decoder row is most like the feature. */
static size_t nearest_latent(const sae_params *params, const float *feature)
{
    size_t best = 0;
    double most = -2;
    for (size_t j = 0; j < params->n_latents; j++) {
        double along = 0, norm2 = 0;
        for (size_t k = 0; k < params->d; k++) {
            double weight = (double)params->W_dec[j * params->d + k];
            along += weight * (double)feature[k];
            norm2 += weight * weight;
        }
        if (along / sqrt(norm2) > most) {
            most = along / sqrt(norm2);
            best = j;
        }
    }
    return best;
}

static sae_model *train(const sae_dump *pair)
{
    sae_train_options options;
    sae_train_options_init(&options);
    options.architecture = SAE_ARCH_BATCHTOPK;
    options.n_latents = 24;
    options.k = 2;
    options.steps = 2000;
    options.batch_rows = 256;
    options.learning_rate = 3e-3;
    sae_trainer *trainer;
    sae_model *model;
    ck_assert_int_eq(sae_trainer_new(&trainer, pair, NULL, &options, &err), SAE_OK);
    ck_assert_int_eq(sae_trainer_run(trainer, &err), SAE_OK);
    ck_assert_int_eq(sae_trainer_model(&model, trainer, &err), SAE_OK);
    sae_trainer_free(trainer);
    return model;
}

START_TEST(a_trained_crosscoder_finds_what_is_of_one_model)
{
    trained_case *t = calloc(1, sizeof *t);
    saei_rng rng = saei_rng_new(11, SAEI_STREAM_INIT, 0);
    make_features(t, &rng);
    make_rows(t, &rng);
    sae_dump *before = toy_dump(context, t->side[0][0], TRAINED_ROWS, TRAINED_D, NULL);
    sae_dump *after = toy_dump(context, t->side[1][0], TRAINED_ROWS, TRAINED_D, NULL), *pair;
    ck_assert_int_eq(sae_dump_pair(&pair, before, after, NULL, &err), SAE_OK);
    sae_model *model = train(pair);
    sae_cross_latent latents[24];
    ck_assert_int_eq(sae_crosscoder_latents(latents, model, pair, NULL, &err), SAE_OK);
    sae_params params = sae_model_params(model);
    sae_cross_kind got[TRAINED_FEATURES];
    for (size_t i = 0; i < TRAINED_FEATURES; i++)
        got[i] = latents[nearest_latent(&params, t->direction[i][0])].kind;
    static const sae_cross_kind kinds[3] = {SAE_CROSS_SHARED, SAE_CROSS_AFTER_ONLY, SAE_CROSS_BEFORE_ONLY};
    for (size_t i = 0; i < 3; i++) {
        double score = f1(kinds[i], got, t->truth, TRAINED_FEATURES);
        ck_assert_msg(score >= 0.95, "%s: F1 %.3f", sae_cross_kind_name(kinds[i]), score);
    }
    sae_model_free(model);
    sae_dump_free(pair);
    sae_dump_free(after);
    sae_dump_free(before);
    free(t);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("crosscoder");
    TCase *tests = tcase_create("crosscoder");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, figures_are_those_of_least_squares);
    tcase_add_test(tests, what_is_no_crosscoder_is_refused);
    tcase_add_test(tests, planted_latents_of_every_kind_are_told_apart);
    tcase_add_test(tests, a_trained_crosscoder_finds_what_is_of_one_model);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}

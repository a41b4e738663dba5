/* The codes of the architectures whose selection the encoder alone makes, against PyTorch. */
#include "../tools/run_suite.h"
#include "../tools/test_context.h"
#include "architecture_case.h"
#include "num/blas.h"
#include "num/encoder.h"

#include <math.h>

enum { D = CASE_D, F = CASE_F, ROWS = CASE_ROWS };

static const char *const cases[] = {
    "relu_decoder_norm",        "relu_plain",    "p_anneal_1",    "p_anneal_06",        "topk_normalised",
    "topk_dictionary_learning", "jumprelu_step", "jumprelu_tanh", "jumprelu_target_l0",
};

/* xc = s x − b_dec, or s x */
static void centred_rows(float *xc, const architecture_case *c)
{
    float b_dec[D], scale = (float)case_number(c, "scale");
    case_read(xc, c, "x", ROWS * D);
    case_read(b_dec, c, "b_dec", D);
    bool centred = case_is(c, "input_centred", "true");
    for (size_t i = 0; i < ROWS * D; i++)
        xc[i] = scale * xc[i] - (centred ? b_dec[i % D] : 0.0f);
}

/* f [ROWS, F], dense */
static void encode(float *f, const architecture_case *c, const float *xc)
{
    float W_enc[F * D], b_enc[F], threshold[F], *scratch;
    bool jumps = case_is(c, "architecture", "jumprelu");
    size_t k = case_is(c, "architecture", "topk") ? (size_t)case_number(c, "k") : F;
    case_read(W_enc, c, "W_enc", F * D);
    case_read(b_enc, c, "b_enc", F);
    if (jumps)
        case_read(threshold, c, "threshold", F);
    saei_encoder encoder = {.d = D, .n_latents = F, .k = k, .W_enc = W_enc};
    encoder.b_enc = b_enc;
    encoder.floor = jumps ? threshold : NULL;
    saei_code_slots slots;
    ck_assert_int_eq(saei_code_slots_new(&slots, context, ROWS, k, NULL), SAE_OK);
    scratch = malloc(saei_encoder_scratch(D, F, k, false) * sizeof *scratch);
    ck_assert_ptr_nonnull(scratch);
    saei_blas_begin();
    saei_encode_tile(slots, &encoder, xc, 0, ROWS, scratch);
    memset(f, 0, ROWS * F * sizeof *f);
    for (size_t row = 0; row < ROWS; row++)
        for (size_t i = 0; i < slots.count[row]; i++)
            f[row * F + slots.latent[row * k + i]] = slots.value[row * k + i];
    free(scratch);
    saei_code_slots_free(&slots, context);
}

START_TEST(codes_equal_pytorch)
{
    architecture_case c = case_open(context, cases[_i]);
    float xc[ROWS * D], f[ROWS * F], expected[ROWS * F];
    double l0, active = 0;
    centred_rows(xc, &c);
    encode(f, &c, xc);
    case_read(expected, &c, "f", ROWS * F);
    case_read_results(&l0, &c, "L0", 1);
    for (size_t i = 0; i < ROWS * F; i++) {
        active += f[i] > 0.0f;
        ck_assert_msg(fabsf(f[i] - expected[i]) <= 1e-5f && (f[i] > 0.0f) == (expected[i] > 0.0f),
                      "%s: f[%zu, %zu] = %.9g, expected %.9g", c.name, i / F, i % F, (double)f[i],
                      (double)expected[i]);
    }
    ck_assert(fabs(active / ROWS - l0) <= 1e-12);
    case_close(&c);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("architecture codes");
    TCase *tests = tcase_create("architecture codes");
    tcase_add_checked_fixture(tests, context_make, context_end);
    tcase_add_loop_test(tests, codes_equal_pytorch, 0, sizeof cases / sizeof *cases);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}

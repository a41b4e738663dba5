/* Kernels against naive loops: integer-valued inputs are compared exactly. */
#include "../tools/run_suite.h"
#include "base/rng.h"
#include "num/blas.h"
#include "num/encoder.h"
#include "num/geometric_median.h"
#include "num/rows.h"
#include "num/topk.h"
#include "num/transpose.h"

#include <float.h>
#include <math.h>
#include <string.h>

static float small_integer(saei_rng *rng)
{
    return (float)saei_rng_below(rng, 9) - 4.0f;
}

START_TEST(row_kernels_are_exact_on_integers)
{
    saei_rng rng = saei_rng_new(1, SAEI_STREAM_INIT, 0);
    for (size_t d = 1; d < 70; d++) {
        float a[70], b[70], y[70], dot = 0.0f, norm2 = 0.0f, sum = 0.0f;
        for (size_t i = 0; i < d; i++) {
            a[i] = small_integer(&rng);
            b[i] = small_integer(&rng);
            dot += a[i] * b[i];
            norm2 += a[i] * a[i];
            sum += a[i];
        }
        ck_assert(saei_row_dot(a, b, d) == dot);
        ck_assert(saei_row_norm2(a, d) == (double)norm2);
        ck_assert(saei_row_sum(a, d) == (double)sum);
        memcpy(y, b, sizeof y);
        saei_row_axpy(y, 3.0f, a, d);
        for (size_t i = 0; i < d; i++)
            ck_assert(y[i] == b[i] + 3.0f * a[i]);
        saei_row_scale_shift(y, 2.0f, a, b, d);
        for (size_t i = 0; i < d; i++)
            ck_assert(y[i] == 2.0f * a[i] - b[i]);
        saei_row_shift_scale(y, a, 2, 3, d);
        for (size_t i = 0; i < d; i++)
            ck_assert(y[i] == (a[i] - 2.0f) * 3.0f);
    }
}
END_TEST

/* The stated order, in the plainest form: 16 lanes, of which i and i + 8, then + 4, + 2 and + 1 are added; 32
   for squares, on every path. Their magnitudes differ so much that another order would round otherwise. */
START_TEST(dot_products_and_norms_have_the_stated_order)
{
    saei_rng rng = saei_rng_new(3, SAEI_STREAM_INIT, 0);
    for (size_t d = 1; d < 120; d++) {
        float a[120], b[120], lane[16] = {0};
        double square[32] = {0};
        for (size_t i = 0; i < d; i++) {
            a[i] = (float)saei_rng_normal(&rng);
            a[i] = ldexpf(a[i], (int)saei_rng_below(&rng, 60) - 30);
            b[i] = (float)saei_rng_normal(&rng);
            lane[i % 16] += a[i] * b[i];
            square[i % 32] += (double)a[i] * (double)a[i];
        }
        for (size_t half = 8; half > 0; half /= 2)
            for (size_t i = 0; i < half; i++)
                lane[i] += lane[i + half];
        for (size_t half = 16; half > 0; half /= 2)
            for (size_t i = 0; i < half; i++)
                square[i] += square[i + half];
        ck_assert(saei_row_dot(a, b, d) == lane[0]);
        ck_assert(saei_row_norm2(a, d) == square[0]);
        for (size_t path = 0; saei_fold_squares_at(path) != NULL; path++)
            ck_assert(saei_row_norm2_by(saei_fold_squares_at(path), a, d) == square[0]);
    }
}
END_TEST

START_TEST(kernels_on_several_rows_equal_those_on_one)
{
    enum { N = 11, STRIDE = 90, BASE = 20 };
    saei_rng rng = saei_rng_new(2, SAEI_STREAM_INIT, 0);
    float base[BASE * STRIDE], x[STRIDE], weight[N];
    const uint32_t next[] = {7, 3};
    uint32_t row[N];
    for (size_t i = 0; i < BASE * STRIDE; i++)
        base[i] = (float)saei_rng_normal(&rng);
    for (size_t i = 0; i < STRIDE; i++)
        x[i] = (float)saei_rng_normal(&rng);
    for (size_t i = 0; i < N; i++) {
        weight[i] = (float)saei_rng_normal(&rng);
        row[i] = (uint32_t)saei_rng_below(&rng, BASE);
    }
    for (size_t d = 1; d <= 85; d += 7)
        for (size_t n = 0; n <= N; n++) {
            float dots[N], sum[STRIDE] = {0}, expected[STRIDE] = {0};
            const saei_named_rows rows = {.base = base,
                                          .stride = STRIDE,
                                          .row = row,
                                          .n = n,
                                          .next = next,
                                          .n_next = (n + d) % 3,
                                          .after = {base}};
            saei_rows_dot(dots, x, &rows, d);
            saei_rows_combine(sum, &rows, weight, d);
            for (size_t i = 0; i < n; i++) {
                ck_assert(dots[i] == saei_row_dot(x, base + row[i] * STRIDE, d));
                saei_row_axpy(expected, weight[i], base + row[i] * STRIDE, d);
            }
            ck_assert_int_eq(memcmp(sum, expected, sizeof sum), 0);
        }
}
END_TEST

/* Naive: how many beat entry i. */
static bool selected(const float *scores, size_t n, size_t k, float floor, size_t i)
{
    size_t better = 0;
    if (!(scores[i] > floor))
        return false;
    for (size_t j = 0; j < n && better < k; j++)
        better += scores[j] > scores[i] || (scores[j] == scores[i] && j < i);
    return better < k;
}

/* Ties, normal numbers, a rise that makes every score a candidate, and the edges of float32. */
static float score_of_kind(saei_rng *rng, int kind, size_t i)
{
    static const float edges[] = {-INFINITY,       -FLT_MAX,         -0.0f,    0.0f,
                                  FLT_TRUE_MIN,    2 * FLT_TRUE_MIN, FLT_MIN,  1.0f,
                                  1 + FLT_EPSILON, FLT_MAX,          INFINITY, -FLT_TRUE_MIN};
    switch (kind) {
    case 0:
        return small_integer(rng);
    case 1:
        return (float)saei_rng_normal(rng);
    case 2:
        return (float)i + (float)saei_rng_normal(rng);
    default:
        return edges[saei_rng_below(rng, sizeof edges / sizeof edges[0])];
    }
}

START_TEST(topk_equals_naive_with_ties)
{
    saei_rng rng = saei_rng_new(2, SAEI_STREAM_INIT, 0);
    for (int draw = 0; draw < 400; draw++) {
        enum { N = 500 };
        float scores[N], value[N];
        uint32_t latent[N];
        size_t k = 1 + (size_t)saei_rng_below(&rng, draw % 2 == 0 ? 10 : N),
               split = (size_t)saei_rng_below(&rng, N);
        for (size_t i = 0; i < N; i++)
            scores[i] = score_of_kind(&rng, draw / 10 % 4, i);
        saei_topk top = {value, latent, k, 0, draw % 5 == 0 ? -INFINITY : 0.0f};
        saei_topk_offer(&top, scores, split, 0);
        saei_topk_offer(&top, scores + split, N - split, (uint32_t)split);
        size_t found = 0;
        for (size_t i = 0; i < N; i++)
            if (selected(scores, N, k, top.floor, i)) {
                ck_assert_uint_lt(found, top.n);
                ck_assert_uint_eq(latent[found], i);
                ck_assert(value[found] == scores[i]);
                found++;
            }
        ck_assert_uint_eq(found, top.n);
    }
}
END_TEST

START_TEST(topk_never_takes_nan)
{
    float scores[] = {NAN, 1.0f, NAN, -1.0f}, value[4];
    uint32_t latent[4];
    saei_topk top = {value, latent, 4, 0, -INFINITY};
    saei_topk_offer(&top, scores, 4, 0);
    ck_assert_uint_eq(top.n, 2);
}
END_TEST

enum { D = 10, F = 2500, K = 5, ROWS = 260 };

typedef struct encoded {
    uint32_t latent[ROWS * K], count[ROWS];
    float value[ROWS * K];
} encoded;

static void encode(encoded *out, const float *xc, const float *W, const float *b, const float *floor)
{
    float *scratch = calloc(saei_encoder_scratch(D, F, K, false), sizeof *scratch);
    saei_encoder encoder = {.d = D, .n_latents = F, .k = K, .W_enc = W, .b_enc = b, .floor = floor};
    saei_blas_begin();
    for (size_t first = 0; first < ROWS; first += SAEI_TILE_ROWS)
        saei_encode_tile((saei_code_slots){out->latent, out->value, out->count}, &encoder, xc, first,
                         ROWS - first < SAEI_TILE_ROWS ? ROWS - first : SAEI_TILE_ROWS, scratch);
    free(scratch);
}

START_TEST(encoder_equals_naive_on_integers)
{
    float *xc = calloc(ROWS * D, sizeof *xc), *W = calloc(F * D, sizeof *W),
          *floors = calloc(F, sizeof *floors);
    float *b = calloc(F, sizeof *b), *scores = calloc(F, sizeof *scores);
    saei_rng rng = saei_rng_new(3, SAEI_STREAM_INIT, 0);
    for (size_t i = 0; i < ROWS * D; i++)
        xc[i] = small_integer(&rng);
    for (size_t j = 0; j < F; j++) {
        b[j] = small_integer(&rng);
        floors[j] = j % 7 == 0 ? -INFINITY : 10.0f * small_integer(&rng);
        for (size_t i = 0; i < D; i++)
            W[j * D + i] = small_integer(&rng);
    }
    encoded *codes = calloc(1, sizeof *codes);
    for (int with_floors = 0; with_floors < 2; with_floors++) {
        encode(codes, xc, W, b, with_floors ? floors : NULL);
        for (size_t r = 0; r < ROWS; r++) {
            for (size_t j = 0; j < F; j++) {
                scores[j] = b[j];
                for (size_t i = 0; i < D; i++)
                    scores[j] += xc[r * D + i] * W[j * D + i];
                if (!(scores[j] > (with_floors ? floors[j] : 0.0f)))
                    scores[j] = -INFINITY;
            }
            size_t found = 0;
            for (size_t j = 0; j < F; j++)
                if (selected(scores, F, K, -INFINITY, j)) {
                    ck_assert_uint_eq(codes->latent[r * K + found], j);
                    ck_assert(codes->value[r * K + found++] == scores[j]);
                }
            ck_assert_uint_eq(found, codes->count[r]);
        }
    }
    free(xc);
    free(W);
    free(floors);
    free(b);
    free(scores);
    free(codes);
}
END_TEST

START_TEST(transpose_of_any_shape_and_stride)
{
    enum { SIDE = 40 };
    float in[SIDE * SIDE], out[SIDE * SIDE];
    for (size_t i = 0; i < SIDE * SIDE; i++)
        in[i] = (float)i;
    for (size_t rows = 1; rows <= SIDE; rows += 3)
        for (size_t cols = 1; cols <= SIDE; cols += 2) {
            for (size_t i = 0; i < SIDE * SIDE; i++)
                out[i] = -1.0f;
            saei_transpose(out, rows, in, SIDE, rows, cols);
            for (size_t c = 0; c < cols; c++)
                for (size_t r = 0; r < rows; r++)
                    ck_assert(out[c * rows + r] == in[r * SIDE + c]);
            ck_assert(rows * cols == SIDE * SIDE || out[rows * cols] == -1.0f);
        }
}
END_TEST

START_TEST(geometric_median_of_known_sets)
{
    /* On a line the geometric median of an odd number of points is the middle one; an outlier moves it
     * little. */
    float line[] = {0, 0, 1, 0, 2, 0, 3, 0, 1000, 0}, median[2];
    double work[4];
    saei_geometric_median(median, line, 5, 2, work);
    ck_assert_msg(fabsf(median[0] - 2.0f) <= 0.05f && median[1] == 0.0f, "%g %g", (double)median[0],
                  (double)median[1]);
    /* Fermat point of a triangle with all angles below 120°: by symmetry (0, y) with y = 1/√3 for base 2. */
    float triangle[] = {-1, 0, 1, 0, 0, 2};
    saei_geometric_median(median, triangle, 3, 2, work);
    ck_assert(fabsf(median[0]) <= 1e-4f);
    ck_assert(fabsf(median[1] - (float)(1.0 / sqrt(3.0))) <= 1e-3f);
    float same[] = {4, 5, 4, 5};
    saei_geometric_median(median, same, 2, 2, work);
    ck_assert(median[0] == 4.0f && median[1] == 5.0f);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("kernels");
    TCase *tests = tcase_create("kernels");
    tcase_add_test(tests, row_kernels_are_exact_on_integers);
    tcase_add_test(tests, dot_products_and_norms_have_the_stated_order);
    tcase_add_test(tests, kernels_on_several_rows_equal_those_on_one);
    tcase_add_test(tests, topk_equals_naive_with_ties);
    tcase_add_test(tests, topk_never_takes_nan);
    tcase_add_test(tests, encoder_equals_naive_on_integers);
    tcase_add_test(tests, transpose_of_any_shape_and_stride);
    tcase_add_test(tests, geometric_median_of_known_sets);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}

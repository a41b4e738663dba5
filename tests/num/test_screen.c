/* Screening against the exact scores of all latents: equal codes, bit for bit, on every kernel that runs
 * here. */
#include "../tools/run_suite.h"
#include "base/memory.h"
#include "base/rng.h"
#include "num/fixed_point.h"
#include "num/panels.h"
#include "num/rows.h"
#include "num/screen.h"
#include "num/screen_row.h"

#include <float.h>
#include <math.h>
#include <string.h>

typedef struct screen_case {
    size_t d, n_latents, k, rows;
    float *x, *W, *b, *floor; /* floor NULL: none */
} screen_case;

typedef enum value_kind { NORMAL, INTEGER } value_kind;

static float value_of(saei_rng *rng, value_kind kind)
{
    return kind == NORMAL ? (float)saei_rng_normal(rng) : (float)saei_rng_below(rng, 5) - 2.0f;
}

static screen_case case_new(size_t d, size_t n_latents, size_t k, size_t rows, value_kind kind)
{
    screen_case c = {d,
                     n_latents,
                     k,
                     rows,
                     calloc(rows * d, sizeof(float)),
                     calloc(n_latents * d, sizeof(float)),
                     calloc(n_latents, sizeof(float)),
                     NULL};
    saei_rng rng = saei_rng_new(d, SAEI_STREAM_INIT, n_latents);
    for (size_t i = 0; i < rows * d; i++)
        c.x[i] = value_of(&rng, kind);
    for (size_t i = 0; i < n_latents * d; i++)
        c.W[i] = value_of(&rng, kind);
    for (size_t j = 0; j < n_latents; j++)
        c.b[j] = value_of(&rng, kind);
    return c;
}

static void case_free(screen_case *c)
{
    free(c->x);
    free(c->W);
    free(c->b);
    free(c->floor);
}

static saei_code_slots slots_new(const screen_case *c)
{
    return (saei_code_slots){calloc(c->rows * c->k, sizeof(uint32_t)), calloc(c->rows * c->k, sizeof(float)),
                             calloc(c->rows, sizeof(uint32_t))};
}

static void slots_free(saei_code_slots *slots)
{
    free(slots->latent);
    free(slots->value);
    free(slots->count);
}

static void assert_equal_codes(const screen_case *c, const saei_code_slots *one, const saei_code_slots *two)
{
    for (size_t r = 0; r < c->rows; r++) {
        size_t n = one->count[r];
        ck_assert_uint_eq(n, two->count[r]);
        ck_assert_int_eq(memcmp(one->latent + r * c->k, two->latent + r * c->k, n * sizeof(uint32_t)), 0);
        ck_assert_int_eq(memcmp(one->value + r * c->k, two->value + r * c->k, n * sizeof(float)), 0);
    }
}

static saei_encoder encoder_of(const screen_case *c, const saei_panels *panels)
{
    return (saei_encoder){c->d, c->n_latents, c->k, c->W, c->b, c->floor, panels};
}

static saei_screen_counts encode(saei_code_slots out, const screen_case *c, const saei_screen_kernel *kernel)
{
    sae_context *context;
    saei_panels *panels;
    float *scratch;
    saei_screen_counts counts = {0};
    ck_assert_int_eq(sae_context_new(&context, NULL, NULL), SAE_OK);
    ck_assert_int_eq(saei_panels_new(&panels, context, c->d, c->n_latents, kernel, NULL), SAE_OK);
    ck_assert_int_eq(saei_alloc(&scratch, context, saei_encoder_scratch(c->d, c->n_latents, c->k, true),
                                sizeof(float), NULL),
                     SAE_OK);
    for (size_t first = 0; first < c->n_latents; first += SAEI_PANEL)
        saei_panels_pack(panels, first, c->n_latents - first < SAEI_PANEL ? c->n_latents - first : SAEI_PANEL,
                         c->W + first * c->d);
    saei_encoder encoder = encoder_of(c, panels);
    for (size_t first = 0; first < c->rows; first += SAEI_TILE_ROWS)
        saei_encode_tile(out, &encoder, c->x, first,
                         c->rows - first < SAEI_TILE_ROWS ? c->rows - first : SAEI_TILE_ROWS, scratch,
                         &counts);
    saei_free(context, scratch);
    saei_panels_free(panels);
    sae_context_free(context);
    ck_assert_uint_eq(counts.rows, c->rows);
    return counts;
}

/* Every kernel gives the exact codes, and does the same work for them. Returns the counts. */
static saei_screen_counts check_case(const screen_case *c)
{
    saei_code_slots exact = slots_new(c);
    saei_encoder encoder = encoder_of(c, NULL);
    for (size_t r = 0; r < c->rows; r++)
        saei_encode_row_exact(exact, &encoder, c->x, r);
    saei_screen_counts first = {0};
    for (size_t i = 0; saei_screen_kernel_at(i) != NULL; i++) {
        saei_code_slots screened = slots_new(c);
        saei_screen_counts counts = encode(screened, c, saei_screen_kernel_at(i));
        assert_equal_codes(c, &exact, &screened);
        if (i == 0)
            first = counts;
        ck_assert_int_eq(memcmp(&first, &counts, sizeof counts), 0);
        slots_free(&screened);
    }
    slots_free(&exact);
    return first;
}

START_TEST(codes_are_exact_at_any_shape)
{
    static const size_t widths[] = {1, 2, 3, 17, 64, 128, 131, 768};
    for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++)
        for (int kind = NORMAL; kind <= INTEGER; kind++) {
            size_t d = widths[i];
            screen_case c =
                case_new(d, 1 + 333 * (i % 3) + 97 * i, 1 + 3 * i, 1 + 41 * (i % 4), (value_kind)kind);
            check_case(&c);
            case_free(&c);
        }
}
END_TEST

START_TEST(few_candidates_suffice_for_normal_data)
{
    screen_case c = case_new(768, 4096, 32, 270, NORMAL);
    saei_screen_counts counts = check_case(&c);
    ck_assert_uint_eq(counts.overflows, 0);
    ck_assert_uint_ge(counts.candidates, c.rows * c.k);
    ck_assert_uint_le(counts.candidates, c.rows * (c.k + 8));
    case_free(&c);
}
END_TEST

START_TEST(wide_rows_are_screened_in_parts)
{
    screen_case c = case_new(9001, 70, 5, 256, NORMAL);
    ck_assert_uint_lt(saei_encoder_scratch(c.d, c.n_latents, c.k, true) * sizeof(float), 2 << 20);
    ck_assert_uint_eq(check_case(&c).overflows, 0);
    case_free(&c);
}
END_TEST

START_TEST(k_may_exceed_the_latents)
{
    screen_case c = case_new(24, 300, 2000, 40, NORMAL);
    ck_assert_uint_eq(check_case(&c).overflows, 0);
    case_free(&c);
}
END_TEST

START_TEST(floors_of_any_sign_hold)
{
    screen_case c = case_new(96, 1000, 12, 70, NORMAL);
    c.floor = calloc(c.n_latents, sizeof(float));
    saei_rng rng = saei_rng_new(9, SAEI_STREAM_INIT, 0);
    for (size_t j = 0; j < c.n_latents; j++)
        c.floor[j] = 30.0f * (float)saei_rng_normal(&rng);
    check_case(&c);
    for (size_t j = 0; j < c.n_latents; j++)
        c.floor[j] = -INFINITY;
    check_case(&c);
    for (size_t j = 0; j < c.n_latents; j++)
        c.b[j] -= 1000.0f;
    check_case(&c);
    case_free(&c);
}
END_TEST

/* The floor is the exact score itself: it must be exceeded, which no approximate score can tell. */
START_TEST(floors_that_equal_scores_are_not_exceeded)
{
    screen_case c = case_new(50, 64, 64, 1, NORMAL);
    c.floor = calloc(c.n_latents, sizeof(float));
    for (size_t j = 0; j < c.n_latents; j++) {
        float score = saei_row_dot(c.x, c.W + j * c.d, c.d) + c.b[j];
        c.floor[j] = j % 2 == 0 ? score : nextafterf(score, -INFINITY);
    }
    saei_code_slots slots = slots_new(&c);
    encode(slots, &c, NULL);
    ck_assert_uint_eq(slots.count[0], c.n_latents / 2);
    for (size_t i = 0; i < c.n_latents / 2; i++)
        ck_assert_uint_eq(slots.latent[i], 2 * i + 1);
    slots_free(&slots);
    check_case(&c);
    case_free(&c);
}
END_TEST

START_TEST(equal_latents_go_to_the_lower_index)
{
    screen_case c = case_new(40, 640, 3, 20, NORMAL);
    for (size_t j = 1; j < c.n_latents; j++) {
        memcpy(c.W + j * c.d, c.W + j % 2 * c.d, c.d * sizeof(float));
        c.b[j] = c.b[j % 2] + 100.0f * (float)(j < 40);
    }
    ck_assert_uint_eq(check_case(&c).overflows, 0);
    case_free(&c);
}
END_TEST

START_TEST(too_many_ties_are_counted_and_exact)
{
    screen_case c = case_new(32, 3000, 4, 30, NORMAL);
    for (size_t j = 0; j < c.n_latents; j++) {
        memcpy(c.W + j * c.d, c.W, c.d * sizeof(float));
        c.b[j] = 1e4f;
    }
    ck_assert_uint_eq(check_case(&c).overflows, c.rows);
    case_free(&c);
}
END_TEST

static void scale(float *v, size_t n, float factor)
{
    for (size_t i = 0; i < n; i++)
        v[i] *= factor;
}

START_TEST(rows_of_any_magnitude_are_exact)
{
    static const float magnitude[] = {0.0f, 1e-44f, 1e-38f, 1e-30f, 1e-15f, 1e-6f, 1e6f, 1e15f, 1e30f, 3e37f};
    enum { MAGNITUDES = sizeof magnitude / sizeof magnitude[0] };
    for (int bias = 0; bias < 2; bias++) {
        screen_case c = case_new(60, 900, 7, 3 * MAGNITUDES, NORMAL);
        scale(c.b, c.n_latents, (float)bias);
        for (size_t r = 0; r < c.rows; r++)
            scale(c.x + r * c.d, c.d, magnitude[r % MAGNITUDES]);
        check_case(&c);
        for (size_t j = 0; j < c.n_latents; j += 5)
            scale(c.W + j * c.d, c.d, magnitude[j / 5 % 6]);
        check_case(&c);
        scale(c.W, c.d, 1e30f);
        check_case(&c);
        case_free(&c);
    }
}
END_TEST

START_TEST(one_huge_element_keeps_the_bound)
{
    screen_case c = case_new(256, 2000, 9, 60, NORMAL);
    for (size_t r = 0; r < c.rows; r++)
        c.x[r * c.d + r] = r % 2 == 0 ? 1e4f : -1e9f;
    for (size_t j = 0; j < c.n_latents; j += 3)
        c.W[j * c.d + j % c.d] = 1e4f;
    check_case(&c);
    case_free(&c);
}
END_TEST

START_TEST(biases_at_the_edges_are_exact)
{
    screen_case c = case_new(33, 500, 6, 30, NORMAL);
    c.b[3] = -INFINITY;
    c.b[70] = INFINITY;
    c.b[71] = NAN;
    ck_assert_uint_eq(check_case(&c).overflows, 0);
    c.b[72] = FLT_MAX;
    check_case(&c);
    case_free(&c);
}
END_TEST

START_TEST(nan_is_never_taken)
{
    screen_case c = case_new(48, 400, 8, 60, NORMAL);
    c.x[5 * c.d + 7] = NAN;
    c.x[6 * c.d] = INFINITY;
    saei_code_slots slots = slots_new(&c);
    ck_assert_uint_eq(encode(slots, &c, NULL).overflows, 2);
    ck_assert_uint_eq(slots.count[5], 0);
    slots_free(&slots);
    check_case(&c);
    c.W[9 * c.d + 3] = NAN;
    check_case(&c);
    case_free(&c);
}
END_TEST

/* What the bound promises, in double from the packed integers: |x·w − x̂·ŵ| ≤ ‖δx‖ ‖w‖ + ‖x̂‖ ‖δw‖. */
START_TEST(packed_vectors_keep_their_error_bounds)
{
    enum { D = 333, PAIRS = 167, WIDTH = 16 };
    saei_rng rng = saei_rng_new(11, SAEI_STREAM_INIT, 0);
    for (int draw = 0; draw < 300; draw++) {
        static float v[WIDTH * D];
        static int16_t strip[PAIRS * WIDTH * 2];
        float unit[WIDTH], norm[WIDTH], error[WIDTH];
        size_t d = 1 + (size_t)saei_rng_below(&rng, D), n = 1 + (size_t)saei_rng_below(&rng, WIDTH);
        for (size_t i = 0; i < n * d; i++) {
            double spike = draw % 3 == 0 ? pow(10.0, saei_rng_normal(&rng)) : 1.0;
            v[i] = (float)(ldexp(saei_rng_normal(&rng), draw % 60 - 30) * spike);
        }
        saei_fixed_pack(strip, WIDTH, (saei_fixed_bounds){unit, norm, error}, v, n, d);
        for (size_t j = 0; j < WIDTH; j++) {
            double q2 = 0.0, v2 = 0.0, error2 = 0.0;
            for (size_t i = 0; i < d + d % 2; i++) {
                double x = j < n && i < d ? (double)v[j * d + i] : 0.0,
                       q = strip[2 * (i / 2 * WIDTH + j) + i % 2];
                ck_assert(fabs(q) <= 32767.0);
                q2 += q * q;
                v2 += x * x;
                error2 += (x - (double)unit[j] * q) * (x - (double)unit[j] * q);
            }
            ck_assert(q2 <= 46340.0 * 46340.0);
            ck_assert((double)norm[j] >= sqrt(v2) && (double)norm[j] <= 1.00001 * sqrt(v2));
            ck_assert((double)error[j] >= sqrt(error2));
            ck_assert((double)error[j] <= 1.01 * sqrt(error2) + 0.011 * (double)unit[j]);
        }
    }
}
END_TEST

/* Bounds of all latents of one row, from the kernel: every exact score must lie between them. */
static void check_bounds(const screen_case *c, float bias_max)
{
    enum { CAPACITY = SAEI_PANEL + SAEI_ROOM };
    size_t pairs = saei_fixed_pairs(c->d);
    int16_t *strip = calloc(2 * pairs * SAEI_FEW_ROWS, sizeof *strip),
            *panel = calloc(2 * pairs * SAEI_PANEL, 2);
    float unit[SAEI_PANEL], norm[SAEI_PANEL], error[SAEI_PANEL], floor[SAEI_PANEL], bounds[2][CAPACITY];
    float units[SAEI_FEW_ROWS], norms[SAEI_FEW_ROWS], errors[SAEI_FEW_ROWS];
    uint32_t latents[CAPACITY];
    saei_screen_row rows[SAEI_FEW_ROWS];
    for (size_t j = 0; j < SAEI_PANEL; j++)
        floor[j] = -INFINITY;
    for (size_t s = 0; s < SAEI_PANEL; s += SAEI_STRIP)
        saei_fixed_pack(panel + 2 * pairs * s, SAEI_STRIP, (saei_fixed_bounds){unit + s, norm + s, error + s},
                        c->W + s * c->d, SAEI_STRIP, c->d);
    saei_screen_panel view = {panel, pairs, unit, norm, error, c->b, floor, 0};
    for (size_t r = 0; r < c->rows; r++) {
        saei_fixed_pack(strip, SAEI_FEW_ROWS, (saei_fixed_bounds){units, norms, errors}, c->x + r * c->d, 1,
                        c->d);
        for (size_t i = 0; i < SAEI_FEW_ROWS; i++) {
            saei_screen_row_start(&rows[i], units[i], norms[i], errors[i], c->d, bias_max);
            rows[i].threshold = i == 0 ? -INFINITY : NAN;
        }
        rows[0].lower = bounds[0];
        rows[0].upper = bounds[1];
        rows[0].latent = latents;
        saei_screen_portable.few_rows(rows, strip, &view);
        ck_assert_uint_eq(rows[0].n, SAEI_PANEL);
        for (size_t j = 0; j < SAEI_PANEL; j++) {
            float exact = saei_row_dot(c->x + r * c->d, c->W + j * c->d, c->d) + c->b[j];
            ck_assert(bounds[0][j] <= exact && exact <= bounds[1][j]);
        }
    }
    free(strip);
    free(panel);
}

/* Each case has one source of error alone, or all: rounding of rows, of weights, of sums, of the bias. */
START_TEST(exact_scores_lie_between_the_bounds)
{
    for (int source = 0; source < 5; source++)
        for (int power = -30; power <= 30; power += 6) {
            screen_case c =
                case_new(source == 2 ? 4096 : 201, SAEI_PANEL, 1, 60, source == 2 ? INTEGER : NORMAL);
            float bias_max = 0.0f;
            for (size_t i = 0; i < c.n_latents * c.d && source == 0; i++)
                c.W[i] = i % c.d == i / c.d ? 1.0f : 0.0f;
            for (size_t i = 0; i < c.rows * c.d && source == 1; i++)
                c.x[i] = i % c.d == i / c.d ? 1.0f : 0.0f;
            scale(c.W, c.n_latents * c.d, source == 2 ? 1.1f : 1.0f);
            scale(c.x, c.rows * c.d, ldexpf(1.0f, power));
            scale(c.b, c.n_latents, source == 3 ? ldexpf(1e6f, power) : source == 4 ? 1.0f : 0.0f);
            for (size_t j = 0; j < c.n_latents; j++)
                bias_max = fmaxf(bias_max, fabsf(c.b[j]));
            check_bounds(&c, bias_max);
            case_free(&c);
        }
}
END_TEST

/* Constant vectors of 214² dimensions are, once scaled, whole numbers but for a ten-thousandth: what is left
   is the rounding of the sums in the stated order, which for equal terms all goes in one direction. */
START_TEST(rounding_of_long_sums_is_within_the_bounds)
{
    screen_case c = case_new(214 * 214, SAEI_PANEL, 1, 1, NORMAL);
    saei_rng rng = saei_rng_new(13, SAEI_STREAM_INIT, 0);
    for (size_t i = 0; i < c.d; i++)
        c.x[i] = 1.0f;
    for (size_t j = 0; j < c.n_latents; j++) {
        float constant = 1.0f + (float)saei_rng_uniform(&rng);
        for (size_t i = 0; i < c.d; i++)
            c.W[j * c.d + i] = constant;
        c.b[j] = 0.0f;
    }
    check_bounds(&c, 0.0f);
    case_free(&c);
}
END_TEST

static int descending(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x < y) - (x > y);
}

/* Candidates of a row: neighbours in value are a bound apart at most, a tenth may lie below the floor. */
static saei_screen_row drawn_row(saei_rng *rng, uint32_t n)
{
    saei_screen_row row = {.threshold = -INFINITY,
                           .n = n,
                           .lower = calloc(n + SAEI_ROOM, sizeof(float)),
                           .upper = calloc(n + SAEI_ROOM, sizeof(float)),
                           .latent = calloc(n + SAEI_ROOM, sizeof(uint32_t))};
    for (uint32_t i = 0; i < n; i++) {
        float score = (float)saei_rng_below(rng, 200) - 60.0f;
        row.lower[i] = saei_rng_below(rng, 10) == 0 ? -INFINITY : score - 1.0f;
        row.upper[i] = score + 1.0f;
        row.latent[i] = 3 * i;
    }
    return row;
}

/* What may be among the k largest stays, in order; the threshold is at most the k-th largest lower bound, and
   no less than the next once the row is settled. */
static void check_raised(saei_rng *rng, uint32_t n, size_t k, bool settled)
{
    saei_screen_row row = drawn_row(rng, n);
    float *lower = calloc(n + k, sizeof(float)), *upper = calloc(n, sizeof(float));
    memcpy(lower, row.lower, n * sizeof *lower);
    memcpy(upper, row.upper, n * sizeof *upper);
    for (size_t i = n; i < n + k; i++)
        lower[i] = -INFINITY;
    qsort(lower, n + k, sizeof *lower, descending);
    if (settled)
        saei_screen_row_settle(&row, k);
    else
        saei_screen_row_raise(&row, k, SIZE_MAX);
    ck_assert(row.threshold <= lower[k - 1]);
    ck_assert(!settled || n <= k || row.threshold >= lower[k]);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < n; i++)
        if (upper[i] >= row.threshold) {
            ck_assert_uint_lt(kept, row.n);
            ck_assert_uint_eq(row.latent[kept], 3 * i);
            ck_assert(row.upper[kept++] == upper[i]);
        }
    ck_assert_uint_eq(kept, row.n);
    free(row.lower);
    free(row.upper);
    free(row.latent);
    free(lower);
    free(upper);
}

START_TEST(raising_keeps_what_may_be_among_the_largest)
{
    saei_rng rng = saei_rng_new(14, SAEI_STREAM_INIT, 0);
    for (uint32_t n = 1; n < 200; n += 3)
        for (size_t k = 1; k < 70; k += 4) {
            check_raised(&rng, n, k, false);
            check_raised(&rng, n, k, true);
        }
}
END_TEST

/* Much above k stays only when bounds overlap: raising is worth its time. */
START_TEST(raising_leaves_little_more_than_the_largest)
{
    saei_rng rng = saei_rng_new(15, SAEI_STREAM_INIT, 0);
    for (size_t k = 8; k <= 64; k += 8) {
        saei_screen_row row = drawn_row(&rng, (uint32_t)(4 * k));
        for (uint32_t i = 0; i < row.n; i++) {
            row.upper[i] = (float)saei_rng_uniform(&rng);
            row.lower[i] = row.upper[i];
        }
        saei_screen_row_raise(&row, k, SIZE_MAX);
        ck_assert_uint_ge(row.n, k);
        ck_assert_uint_le(row.n, k + k / 4 + 4);
        free(row.lower);
        free(row.upper);
        free(row.latent);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("screen");
    TCase *tests = tcase_create("screen");
    tcase_add_test(tests, codes_are_exact_at_any_shape);
    tcase_add_test(tests, few_candidates_suffice_for_normal_data);
    tcase_add_test(tests, wide_rows_are_screened_in_parts);
    tcase_add_test(tests, k_may_exceed_the_latents);
    tcase_add_test(tests, floors_of_any_sign_hold);
    tcase_add_test(tests, floors_that_equal_scores_are_not_exceeded);
    tcase_add_test(tests, equal_latents_go_to_the_lower_index);
    tcase_add_test(tests, too_many_ties_are_counted_and_exact);
    tcase_add_test(tests, rows_of_any_magnitude_are_exact);
    tcase_add_test(tests, one_huge_element_keeps_the_bound);
    tcase_add_test(tests, biases_at_the_edges_are_exact);
    tcase_add_test(tests, nan_is_never_taken);
    tcase_add_test(tests, exact_scores_lie_between_the_bounds);
    tcase_add_test(tests, rounding_of_long_sums_is_within_the_bounds);
    tcase_add_test(tests, raising_keeps_what_may_be_among_the_largest);
    tcase_add_test(tests, raising_leaves_little_more_than_the_largest);
    tcase_add_test(tests, packed_vectors_keep_their_error_bounds);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}

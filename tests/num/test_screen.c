/* Screening against the exact scores of all latents: equal codes, bit for bit, on every kernel that runs
 * here. */
#include "../tools/run_suite.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "base/rng.h"
#include "num/fixed_point.h"
#include "num/panels.h"
#include "num/rows.h"
#include "num/screen.h"
#include "num/screen_hits.h"
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

static saei_encoder encoder_of(const screen_case *c, const saei_panels *panels, float start)
{
    return (saei_encoder){c->d, c->n_latents, c->k, c->W, c->b, c->floor, panels, start};
}

static saei_code_slots exact_codes(const screen_case *c)
{
    saei_code_slots exact = slots_new(c);
    saei_encoder encoder = encoder_of(c, NULL, 0.0f);
    for (size_t r = 0; r < c->rows; r++)
        saei_encode_row_exact(exact, &encoder, c->x, r);
    return exact;
}

/* How rows are screened; kernel NULL: the fastest. */
typedef struct screen_path {
    const saei_screen_kernel *kernel;
    bool bytes;
    float start;
    saei_room room;
    bool in_order; /* tasks pass one after the other, as many as there would be for threads */
} screen_path;

typedef struct encode_call {
    saei_code_slots out;
    const saei_encoder *encoder;
    const screen_case *c;
    const saei_encode_workers *workers;
    saei_screen_counts *counts;
} encode_call;

static void call_encode(void *arg, size_t task, unsigned worker)
{
    (void)worker;
    const encode_call *call = arg;
    if (task == 0)
        saei_encode_rows(call->out, call->encoder, call->c->x, call->c->rows, call->workers, call->counts);
}

static saei_screen_counts encode(saei_code_slots out, const screen_case *c, screen_path path)
{
    sae_context *context;
    saei_panels *panels;
    float *scratch;
    saei_screen_counts counts, *worker_counts;
    sae_context_options options;
    sae_context_options_init(&options);
    options.threads = 4;
    ck_assert_int_eq(sae_context_new(&context, &options, NULL), SAE_OK);
    size_t threads = sae_context_threads(context),
           scratch_floats = saei_encoder_scratch(c->d, c->n_latents, c->k, true);
    ck_assert_int_eq(saei_panels_new(&panels, context, c->d, c->n_latents, path.kernel, NULL), SAE_OK);
    saei_panels_use_bytes(panels, path.bytes);
    ck_assert(saei_panels_in_bytes(panels) == (path.bytes && c->d <= SAEI_BYTES_DIMENSIONS_MAX));
    ck_assert_int_eq(saei_alloc(&scratch, context, threads * scratch_floats, sizeof(float), NULL), SAE_OK);
    ck_assert_int_eq(saei_alloc(&worker_counts, context, threads, sizeof *worker_counts, NULL), SAE_OK);
    enum { AT_ONCE = 7 };
    for (size_t first = 0; first < c->n_latents; first += AT_ONCE)
        saei_panels_pack(panels, first, c->n_latents - first < AT_ONCE ? c->n_latents - first : AT_ONCE,
                         c->W + first * c->d);
    saei_encoder encoder = encoder_of(c, panels, path.start);
    saei_encode_workers workers = {.context = context,
                                   .tile_rows = SAEI_TILE_ROWS,
                                   .scratch_floats = scratch_floats,
                                   .scratch = scratch,
                                   .counts = worker_counts,
                                   .room = path.room};
    encode_call call = {out, &encoder, c, &workers, &counts};
    /* Loops within a loop do not use threads. */
    if (path.in_order)
        saei_parallel_for(context, 2, call_encode, &call);
    else
        call_encode(&call, 0, 0);
    saei_free(context, worker_counts);
    saei_free(context, scratch);
    saei_panels_free(panels);
    sae_context_free(context);
    ck_assert_uint_eq(counts.rows, c->rows);
    return counts;
}

static saei_screen_counts assert_path_is_exact(const screen_case *c, const saei_code_slots *exact,
                                               screen_path path)
{
    saei_code_slots screened = slots_new(c);
    saei_screen_counts counts = encode(screened, c, path);
    assert_equal_codes(c, exact, &screened);
    slots_free(&screened);
    return counts;
}

/* Plain C takes its time, under a sanitizer above all. */
enum { PORTABLE_MAX = 50 * 1000 * 1000 };

/* Every kernel gives the exact codes, from any start, and does the same work for them. Returns the counts of
   wide numbers without a start. */
static saei_screen_counts check_case(const screen_case *c)
{
    saei_code_slots exact = exact_codes(c);
    saei_screen_counts plain = assert_path_is_exact(c, &exact, (screen_path){0}), first[2][3] = {{{0}}};
    const float expected = saei_screen_start(plain.ends), starts[] = {0.0f, expected, 1.02f * expected};
    const saei_screen_kernel *kernel;
    for (size_t i = 0; (kernel = saei_screen_kernel_at(i)) != NULL; i++) {
        bool has_bytes = kernel->bytes != NULL && c->d <= SAEI_BYTES_DIMENSIONS_MAX;
        if (kernel == &saei_screen_portable && c->d * c->n_latents * c->rows > PORTABLE_MAX)
            continue;
        for (int bytes = 0; bytes <= has_bytes; bytes++)
            for (size_t s = 0; s < sizeof starts / sizeof *starts; s++) {
                saei_screen_counts counts =
                    assert_path_is_exact(c, &exact, (screen_path){kernel, bytes, starts[s], {0}, false});
                if (first[bytes][s].rows == 0)
                    first[bytes][s] = counts;
                ck_assert_int_eq(memcmp(&first[bytes][s], &counts, sizeof counts), 0);
                ck_assert_int_eq(memcmp(plain.ends, counts.ends, sizeof plain.ends), 0);
                ck_assert(bytes || counts.refined == 0);
                ck_assert(starts[s] > 0.0f || counts.restarted == 0);
            }
    }
    slots_free(&exact);
    return plain;
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

static void check_kept(const screen_case *c, saei_room room)
{
    saei_candidates kept;
    saei_encoder encoder = encoder_of(c, NULL, 0.0f);
    saei_code_slots exact = exact_codes(c);
    ck_assert(saei_candidates_in(&kept, &encoder, c->rows, room));
    float start = 0.0f;
    for (int pass = 0; pass < 6; pass++) {
        screen_path path = {saei_screen_kernel_at(0), pass % 2, start, {0}, false};
        saei_screen_counts one_by_one = assert_path_is_exact(c, &exact, path);
        path.room = room;
        saei_screen_counts by_latents = assert_path_is_exact(c, &exact, path);
        ck_assert_int_eq(memcmp(&one_by_one, &by_latents, sizeof by_latents), 0);
        start = pass < 2 ? saei_screen_start(one_by_one.ends) : 1.05f * start;
    }
    slots_free(&exact);
}

/* Integers have many ties, hence rows with more candidates than are kept; the last tile is not whole. */
START_TEST(candidates_scored_by_latents_give_the_same_codes)
{
    enum { ROWS = 2 * SAEI_TILE_ROWS + 9, LATENTS = 1100, K = 8, BYTES = 1 << 22 };
    saei_room room = {aligned_alloc(64, BYTES), BYTES};
    for (int kind = NORMAL; kind <= INTEGER; kind++)
        for (int floors = 0; floors <= 1; floors++) {
            screen_case c = case_new(67, LATENTS, K, ROWS, (value_kind)kind);
            memset(c.x + c.d, 0, c.d * sizeof *c.x);
            c.floor = floors ? calloc(LATENTS, sizeof *c.floor) : NULL;
            for (size_t j = 0; j < LATENTS && floors; j++)
                c.floor[j] = (float)(j % 40) - 1.0f;
            check_kept(&c, room);
            case_free(&c);
        }
    free(room.first);
}
END_TEST

/* Too little room, few rows of a latent, few latents beside the rows. */
START_TEST(candidates_are_kept_where_it_pays)
{
    enum { BYTES = 1 << 20 };
    char *memory = aligned_alloc(64, BYTES);
    saei_room room = {memory, BYTES}, none = {NULL, 0}, little = {memory, 1 << 14};
    saei_encoder encoder = {.d = 8, .n_latents = 600, .k = 4};
    saei_candidates kept;
    ck_assert(saei_candidates_in(&kept, &encoder, 300, room));
    ck_assert(!saei_candidates_in(&kept, &encoder, 300, none));
    ck_assert(!saei_candidates_in(&kept, &encoder, 300, little));
    ck_assert(!saei_candidates_in(&kept, &encoder, 299, room));
    ck_assert(!saei_candidates_in(&kept, &encoder, 301, room));
    free(memory);
}
END_TEST

/* What was scored in the order of latents is what a row of the encoder makes of each row. */
START_TEST(kept_candidates_have_exact_scores)
{
    enum { ROWS = 300, BYTES = 1 << 20 };
    sae_context *context;
    screen_case c = case_new(37, 600, 4, ROWS, NORMAL);
    saei_room room = {aligned_alloc(64, BYTES), BYTES};
    saei_encoder encoder = encoder_of(&c, NULL, 0.0f);
    saei_candidates kept;
    ck_assert_int_eq(sae_context_new(&context, NULL, NULL), SAE_OK);
    ck_assert(saei_candidates_in(&kept, &encoder, ROWS, room));
    uint32_t latents[16], n = 0;
    for (size_t r = 0; r < ROWS; r++) {
        n = (uint32_t)(r % (kept.slots + 2));
        for (uint32_t i = 0; i < n; i++)
            latents[i] = (uint32_t)((7 * r + 61 * i) % 600);
        ck_assert(saei_candidates_keep(&kept, r, latents, n, 1.0f) == (n > 0 && n <= kept.slots));
    }
    saei_candidates_sort(&kept, c.n_latents, context);
    for (size_t slice = 0; slice < SAEI_SCORE_SLICES; slice++)
        saei_candidates_score(&kept, &encoder, c.x, slice);
    for (size_t r = 0; r < ROWS; r++)
        for (size_t i = r * kept.slots; i < r * kept.slots + kept.count[r]; i++) {
            size_t j = kept.latent[i];
            float score = saei_row_dot(c.x + r * c.d, c.W + j * c.d, c.d) + c.b[j];
            ck_assert(kept.score[kept.place[i]] == (score > 0.0f ? score : -INFINITY));
        }
    free(room.first);
    case_free(&c);
    sae_context_free(context);
}
END_TEST

/* More than a tile of them, screened a second time. */
START_TEST(rows_that_expected_too_much_are_exact)
{
    screen_case c = case_new(40, 300, 6, 3 * SAEI_TILE_ROWS + 5, NORMAL);
    saei_code_slots exact = exact_codes(&c);
    for (int bytes = 0; bytes <= 1; bytes++) {
        screen_path path = {&saei_screen_portable, bytes, 1e6f, {0}, false};
        ck_assert_uint_eq(assert_path_is_exact(&c, &exact, path).restarted, c.rows);
        path.in_order = true;
        ck_assert_uint_eq(assert_path_is_exact(&c, &exact, path).restarted, c.rows);
    }
    slots_free(&exact);
    case_free(&c);
}
END_TEST

/* Rows of weights, `step` apart, that have all of the largest scores. */
static void enlarge(const screen_case *c, size_t n, size_t step)
{
    for (size_t j = 0; j < n * step; j += step)
        for (size_t i = 0; i < c->d; i++)
            c->W[j * c->d + i] *= 100.0f;
}

/* From half of what the k-th of almost all rows exceed. */
static uint64_t restarted_rows(const screen_case *c, bool bytes)
{
    saei_code_slots exact = exact_codes(c);
    screen_path path = {&saei_screen_portable, bytes, 0.0f, {0}, false};
    path.start = 0.5f * saei_screen_start(assert_path_is_exact(c, &exact, path).ends);
    ck_assert(path.start > 0.0f);
    saei_screen_counts counts = assert_path_is_exact(c, &exact, path);
    slots_free(&exact);
    return counts.restarted;
}

/* Thresholds rise by what is likely of the latents so far, and would be too high where the first ones have
   all that is large: then rows are screened again. They pass in such an order that only neighbours can do
   that. */
START_TEST(unlikely_places_of_the_largest_are_exact)
{
    enum { N_LATENTS = 9000, ROWS = 40 };
    const struct {
        size_t n, step;
        bool likely;
    } large[] = {{300, 1, false}, {300, 30, true}, {N_LATENTS / 4, 1, true}};
    for (size_t i = 0; i < sizeof large / sizeof *large; i++) {
        screen_case c = case_new(16, N_LATENTS, 32, ROWS, NORMAL);
        enlarge(&c, large[i].n, large[i].step);
        for (int bytes = 0; bytes <= 1; bytes++) {
            uint64_t restarted = restarted_rows(&c, bytes);
            ck_assert(large[i].likely ? restarted <= ROWS / 8 : restarted >= ROWS / 2);
        }
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
    encode(slots, &c, (screen_path){0});
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
    ck_assert_uint_eq(encode(slots, &c, (screen_path){0}).overflows, 2);
    ck_assert_uint_eq(slots.count[5], 0);
    slots_free(&slots);
    check_case(&c);
    c.W[9 * c.d + 3] = NAN;
    check_case(&c);
    case_free(&c);
}
END_TEST

enum { D_MAX = 333, LINES_MAX = 11 };

typedef struct packed_vector {
    char lines[2 * LINES_MAX * SAEI_LINE];
    saei_fixed_bounds bounds;
    double value[D_MAX], coarse[D_MAX]; /* what the numbers stand for */
} packed_vector;

static packed_vector pack_wide(const float *v, size_t d)
{
    packed_vector packed = {.bounds = {0}};
    packed.bounds = saei_fixed_pack_wide((saei_line_places){packed.lines, SAEI_LINE}, v, d);
    const int16_t *q = (const int16_t *)(const void *)packed.lines;
    double q2 = 0.0;
    for (size_t i = 0; i < 32 * saei_wide_lines(d); i++) {
        ck_assert_int_le(abs(q[i]), 32767);
        ck_assert(i < d || q[i] == 0);
        q2 += (double)q[i] * q[i];
    }
    ck_assert(q2 <= 46340.0 * 46340.0);
    for (size_t i = 0; i < d; i++)
        packed.value[i] = packed.coarse[i] = (double)packed.bounds.unit * q[i];
    return packed;
}

static packed_vector pack_bytes(const float *v, size_t d, uint8_t flip)
{
    packed_vector packed = {.bounds = {0}};
    saei_line_places high = {packed.lines, 2 * SAEI_LINE}, low = {packed.lines + SAEI_LINE, 2 * SAEI_LINE};
    packed.bounds = saei_fixed_pack_bytes(high, low, flip, v, d);
    for (size_t i = 0; i < 64 * saei_byte_lines(d); i++) {
        size_t at = i / 64 * high.stride + i % 64;
        int h = (int8_t)((uint8_t)high.first[at] ^ flip), l = (int8_t)((uint8_t)low.first[at] ^ flip);
        ck_assert(abs(h) <= 127 && abs(l) <= 127);
        ck_assert(i < d || (h == 0 && l == 0));
        if (i < d) {
            packed.coarse[i] = (double)packed.bounds.unit * h;
            packed.value[i] = (double)packed.bounds.unit * (h + l / 254.0);
        }
    }
    return packed;
}

static void assert_error(float bound, const float *v, const double *value, size_t d, double slack)
{
    double error2 = 0.0;
    for (size_t i = 0; i < d; i++)
        error2 += ((double)v[i] - value[i]) * ((double)v[i] - value[i]);
    ck_assert((double)bound >= sqrt(error2));
    ck_assert((double)bound <= 1.01 * sqrt(error2) + slack);
}

/* `loose`: what the error may be below its bound, of a unit and dimension. */
static void assert_bounds(const packed_vector *packed, const float *v, size_t d, double loose)
{
    double v2 = 0.0, norm = (double)packed->bounds.norm;
    double more = loose * (double)packed->bounds.unit * sqrt((double)d);
    for (size_t i = 0; i < d; i++)
        v2 += (double)v[i] * (double)v[i];
    ck_assert(norm >= sqrt(v2) && norm <= 1.00001 * sqrt(v2));
    assert_error(packed->bounds.error, v, packed->value, d, 0x1p-21 * norm + more);
    assert_error(packed->bounds.coarse, v, packed->coarse, d, 0x1p-21 * norm);
}

START_TEST(packed_vectors_keep_their_error_bounds)
{
    saei_rng rng = saei_rng_new(11, SAEI_STREAM_INIT, 0);
    for (int draw = 0; draw < 600; draw++) {
        float v[D_MAX];
        size_t d = 1 + (size_t)saei_rng_below(&rng, D_MAX);
        for (size_t i = 0; i < d; i++) {
            double spike = draw % 3 == 0 ? pow(10.0, saei_rng_normal(&rng)) : 1.0;
            v[i] = (float)(ldexp(saei_rng_normal(&rng), draw % 60 - 30) * spike);
        }
        packed_vector wide = pack_wide(v, d), bytes = pack_bytes(v, d, draw % 2 == 0 ? 0 : 0x80);
        assert_bounds(&wide, v, d, 0.0);
        assert_bounds(&bytes, v, d, 0.5 / SAEI_FRACTION);
        ck_assert(bytes.bounds.error <= bytes.bounds.coarse);
    }
}
END_TEST

START_TEST(vectors_that_are_not_represented_are_zero)
{
    static const float values[] = {0.0f, 1e-20f, 1e19f, INFINITY, NAN};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        float v[70];
        for (size_t l = 0; l < 70; l++)
            v[l] = values[i];
        packed_vector packed[] = {pack_wide(v, 70), pack_bytes(v, 70, 0x80)};
        for (size_t form = 0; form < 2; form++) {
            saei_fixed_bounds known = packed[form].bounds;
            ck_assert(known.unit == 0.0f && known.error == known.norm && known.coarse == known.norm);
            ck_assert(known.norm >= sqrtf(70.0f) * (isnan(values[i]) ? INFINITY : values[i]));
        }
    }
}
END_TEST

/* The largest sums of bytes there can be fit 32 bits: all numbers alike, of one sign or of both. */
START_TEST(sums_of_bytes_do_not_overflow)
{
    for (int sign = -1; sign <= 1; sign += 2) {
        screen_case c = case_new(SAEI_BYTES_DIMENSIONS_MAX, 2, 1, 2, NORMAL);
        for (size_t i = 0; i < c.d; i++) {
            /* The largest number makes 127; the others 126 and the most of a fraction. */
            c.W[i] = c.W[c.d + i] = i == 0 ? 127.0f : 126.499f;
            c.x[i] = c.x[c.d + i] = (float)sign * c.W[i];
        }
        c.b[0] = c.b[1] = 1e9f;
        check_case(&c);
        case_free(&c);
    }
}
END_TEST

/* A panel, and rows of which one at a time is screened against it. */
typedef struct panel_case {
    saei_panels *panels;
    saei_encoder encoder;
    float *scratch, floor[SAEI_PANEL];
} panel_case;

static panel_case panel_case_new(const screen_case *c, sae_context *context, bool in_bytes)
{
    panel_case in = {.panels = NULL};
    ck_assert_int_eq(saei_panels_new(&in.panels, context, c->d, SAEI_PANEL, &saei_screen_portable, NULL),
                     SAE_OK);
    saei_panels_use_bytes(in.panels, in_bytes);
    saei_panels_pack(in.panels, 0, SAEI_PANEL, c->W);
    in.encoder = encoder_of(c, in.panels, 0.0f);
    ck_assert_int_eq(saei_alloc(&in.scratch, context, saei_screen_scratch(c->d, c->k), sizeof(float), NULL),
                     SAE_OK);
    for (size_t j = 0; j < SAEI_PANEL; j++)
        in.floor[j] = -INFINITY;
    return in;
}

/* What reaches the threshold by its exact score is a candidate, and lies between its bounds. */
static void assert_found(const saei_screen_row *row, const float exact[SAEI_PANEL], float threshold)
{
    uint32_t at = 0;
    for (uint32_t j = 0; j < SAEI_PANEL; j++) {
        bool found = at < row->n && row->latent[at] == j;
        ck_assert(found || exact[j] < threshold);
        ck_assert(!found || (row->lower[at] <= exact[j] && exact[j] <= row->upper[at]));
        at += found;
    }
    ck_assert_uint_eq(at, row->n);
}

/* The hits of a panel among the first row: they are found beside the product that comes next. */
static void find_hits(saei_screen_hits *hits, const saei_screen_work *work, const saei_screen_panel *panel)
{
    saei_screen_tile_fn multiply = work->in_bytes ? saei_screen_portable.bytes : saei_screen_portable.wide;
    saei_screen_tile tile = {.strips = work->strips, .n = 1};
    saei_screen_sums sums[3] = {
        {.panel = &saei_screen_no_panel}, {.panel = panel}, {.panel = &saei_screen_no_panel}};
    multiply(&tile, &sums[1], &sums[0], hits);
    ck_assert_uint_eq(hits->n, 0);
    multiply(&tile, &sums[2], &sums[1], hits);
}

/* From hits to candidates, with a threshold that is the exact score of some latent. With as many slots as
   latents it is not raised. */
static void check_row(const screen_case *c, size_t r, panel_case *in)
{
    saei_screen_work work = saei_screen_work_new(&in->encoder, in->scratch);
    saei_screen_panel panel = saei_panels_at(in->panels, 0);
    saei_screen_counts counts = {0};
    saei_screen_hits hits = {.n = 0};
    float exact[SAEI_PANEL];
    work.xc = c->x;
    work.row = &r;
    work.n_rows = 1;
    saei_screen_rows_start(&work);
    panel.bias = c->b;
    panel.floor = in->encoder.floor = in->floor;
    for (size_t j = 0; j < SAEI_PANEL; j++)
        exact[j] = saei_row_dot(c->x + r * c->d, c->W + j * c->d, c->d) + c->b[j];
    float threshold = r % 2 == 0 ? -INFINITY : exact[r / 2 % SAEI_PANEL];
    work.strips[0].threshold[0] = work.candidates[0].threshold = threshold;
    find_hits(&hits, &work, &panel);
    saei_screen_take_hits(&work, &hits, &counts);
    ck_assert_uint_eq(hits.n, 0);
    assert_found(work.candidates, exact, threshold);
}

static void check_bounds(const screen_case *c, bool in_bytes)
{
    sae_context *context;
    ck_assert_int_eq(sae_context_new(&context, NULL, NULL), SAE_OK);
    panel_case in = panel_case_new(c, context, in_bytes);
    for (size_t r = 0; r < c->rows; r++)
        check_row(c, r, &in);
    saei_panels_free(in.panels);
    saei_free(context, in.scratch);
    sae_context_free(context);
}

/* Each case has one source of error alone, or all: rounding of rows, of weights, of sums, of the bias. */
START_TEST(exact_scores_lie_between_the_bounds)
{
    for (int source = 0; source < 5; source++)
        for (int power = -30; power <= 30; power += 6) {
            screen_case c = case_new(source == 2 ? 4096 : 201, SAEI_PANEL, SAEI_PANEL, 60,
                                     source == 2 ? INTEGER : NORMAL);
            for (size_t i = 0; i < c.n_latents * c.d && source == 0; i++)
                c.W[i] = i % c.d == i / c.d ? 1.0f : 0.0f;
            for (size_t i = 0; i < c.rows * c.d && source == 1; i++)
                c.x[i] = i % c.d == i / c.d ? 1.0f : 0.0f;
            scale(c.W, c.n_latents * c.d, source == 2 ? 1.1f : 1.0f);
            scale(c.x, c.rows * c.d, ldexpf(1.0f, power));
            scale(c.b, c.n_latents, source == 3 ? ldexpf(1e6f, power) : source == 4 ? 1.0f : 0.0f);
            check_bounds(&c, false);
            check_bounds(&c, true);
            case_free(&c);
        }
}
END_TEST

/* Constant vectors of 214² dimensions are, once scaled, whole numbers but for a ten-thousandth: what is left
   is the rounding of the sums in the stated order, which for equal terms all goes in one direction. */
START_TEST(rounding_of_long_sums_is_within_the_bounds)
{
    screen_case c = case_new(214 * 214, SAEI_PANEL, SAEI_PANEL, 1, NORMAL);
    saei_rng rng = saei_rng_new(13, SAEI_STREAM_INIT, 0);
    for (size_t i = 0; i < c.d; i++)
        c.x[i] = 1.0f;
    for (size_t j = 0; j < c.n_latents; j++) {
        float constant = 1.0f + (float)saei_rng_uniform(&rng);
        for (size_t i = 0; i < c.d; i++)
            c.W[j * c.d + i] = constant;
        c.b[j] = 0.0f;
    }
    check_bounds(&c, false);
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
                           .lower = calloc(n + SAEI_ROW_SLACK, sizeof(float)),
                           .upper = calloc(n + SAEI_ROW_SLACK, sizeof(float)),
                           .latent = calloc(n + SAEI_ROW_SLACK, sizeof(uint32_t))};
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

START_TEST(latents_of_a_row_become_ascending)
{
    saei_rng rng = saei_rng_new(16, SAEI_STREAM_INIT, 0);
    enum { MOST = 100 };
    for (uint32_t n = 0; n <= MOST; n++) {
        uint32_t latent[MOST], room[MOST];
        for (uint32_t i = 0; i < n; i++)
            latent[i] = i;
        for (uint32_t i = 1; i < n; i++) {
            uint32_t with = (uint32_t)saei_rng_below(&rng, n % 2 == 0 ? i + 1 : 2), moved = latent[with];
            latent[with] = latent[i];
            latent[i] = moved;
        }
        saei_screen_row row = {.n = n, .latent = latent};
        saei_screen_row_sort(&row, room);
        for (uint32_t i = 0; i < n; i++)
            ck_assert_uint_eq(latent[i], i);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("screen");
    TCase *tests = tcase_create("screen");
    tcase_add_test(tests, codes_are_exact_at_any_shape);
    tcase_add_test(tests, candidates_scored_by_latents_give_the_same_codes);
    tcase_add_test(tests, candidates_are_kept_where_it_pays);
    tcase_add_test(tests, kept_candidates_have_exact_scores);
    tcase_add_test(tests, rows_that_expected_too_much_are_exact);
    tcase_add_test(tests, unlikely_places_of_the_largest_are_exact);
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
    tcase_add_test(tests, latents_of_a_row_become_ascending);
    tcase_add_test(tests, packed_vectors_keep_their_error_bounds);
    tcase_add_test(tests, vectors_that_are_not_represented_are_zero);
    tcase_add_test(tests, sums_of_bytes_do_not_overflow);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}

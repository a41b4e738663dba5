/* BatchTopK's choice against a full sort. */
#include "../tools/run_suite.h"
#include "../tools/test_context.h"
#include "base/rng.h"
#include "peer_cases.h"
#include "train/batch_selection.h"

#include <string.h>

enum { ROWS = 37, K = 11, ENTRIES = ROWS * K };

typedef struct entry {
    float value;
    size_t place; /* row, latent: ties go to the first */
} entry;

static int larger_first(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    return x->value != y->value ? (x->value < y->value ? 1 : -1)
                                : (x->place > y->place) - (x->place < y->place);
}

/* Rows of different counts; values of few different sizes when coarse, so that many are equal. */
static void fill(saei_code_slots *codes, uint64_t seed, bool coarse)
{
    saei_rng rng = saei_rng_new(seed, SAEI_STREAM_INIT, 0);
    for (size_t r = 0; r < ROWS; r++) {
        codes->count[r] = (uint32_t)saei_rng_below(&rng, K + 1);
        for (size_t i = 0; i < codes->count[r]; i++) {
            double u = saei_rng_uniform(&rng);
            codes->latent[r * K + i] = (uint32_t)(3 * i + r % 3);
            codes->value[r * K + i] =
                coarse ? 0.5f + (float)saei_rng_below(&rng, 6) : (float)(1e-30 + u * u * 1e3);
        }
    }
}

static size_t list(entry *out, const saei_code_slots *codes)
{
    size_t n = 0;
    for (size_t r = 0; r < ROWS; r++)
        for (size_t i = r * K; i < r * K + codes->count[r]; i++)
            out[n++] = (entry){codes->value[i], i};
    return n;
}

/* The codes that a sort keeps, in their order. */
static size_t keep_by_sort(bool *kept, const saei_code_slots *codes, size_t keep, float *least)
{
    entry entries[ENTRIES];
    size_t n = list(entries, codes), stay = n < keep ? n : keep;
    qsort(entries, n, sizeof *entries, larger_first);
    memset(kept, 0, ENTRIES * sizeof *kept);
    for (size_t i = 0; i < stay; i++)
        kept[entries[i].place] = true;
    *least = n > keep ? entries[keep - 1].value : 0.0f;
    return stay;
}

static void assert_selection(saei_code_slots *codes, size_t keep)
{
    bool kept[ENTRIES];
    uint32_t latent[ENTRIES], count[ROWS];
    float value[ENTRIES], least;
    memcpy(latent, codes->latent, sizeof latent);
    memcpy(value, codes->value, sizeof value);
    memcpy(count, codes->count, sizeof count);
    size_t total = 0, stay = keep_by_sort(kept, codes, keep, &least);
    ck_assert(saei_batch_selection(codes, ROWS, K, keep) == least);
    for (size_t r = 0; r < ROWS; r++) {
        size_t at = r * K;
        for (size_t i = r * K; i < r * K + count[r]; i++)
            if (kept[i]) {
                ck_assert_uint_eq(codes->latent[at], latent[i]);
                ck_assert(codes->value[at++] == value[i]);
            }
        ck_assert_uint_eq(codes->count[r], at - r * K);
        total += codes->count[r];
    }
    ck_assert_uint_eq(total, stay);
}

static void assert_all_sizes(bool coarse)
{
    saei_code_slots codes;
    ck_assert_int_eq(saei_code_slots_new(&codes, context, ROWS, K, NULL), SAE_OK);
    for (size_t keep = 1; keep <= ENTRIES; keep += keep < 8 ? 1 : 13) {
        fill(&codes, keep, coarse);
        assert_selection(&codes, keep);
    }
    saei_code_slots_free(&codes, context);
}

START_TEST(keeps_what_a_sort_keeps)
{
    assert_all_sizes(false);
}
END_TEST

START_TEST(of_equal_ones_the_first_stay)
{
    assert_all_sizes(true);
}
END_TEST

/* The positive pre-activations of the peer case as slots. */
static void fill_peer_case(saei_code_slots *codes)
{
    for (size_t r = 0; r < BATCHTOPK_ROWS; r++) {
        codes->count[r] = 0;
        for (uint32_t j = 0; j < BATCHTOPK_LATENTS; j++) {
            float pre = batchtopk_pre[r * BATCHTOPK_LATENTS + j];
            size_t at = r * BATCHTOPK_LATENTS + codes->count[r];
            if (!(pre > 0.0f))
                continue;
            codes->latent[at] = j;
            codes->value[at] = pre;
            codes->count[r]++;
        }
    }
}

static void assert_peer_case(double k, const float *expected, float least)
{
    saei_code_slots codes;
    float f[BATCHTOPK_ROWS * BATCHTOPK_LATENTS] = {0};
    ck_assert_int_eq(saei_code_slots_new(&codes, context, BATCHTOPK_ROWS, BATCHTOPK_LATENTS, NULL), SAE_OK);
    fill_peer_case(&codes);
    ck_assert(saei_batch_selection(&codes, BATCHTOPK_ROWS, BATCHTOPK_LATENTS, (size_t)(k * BATCHTOPK_ROWS)) ==
              least);
    for (size_t r = 0; r < BATCHTOPK_ROWS; r++)
        for (size_t i = r * BATCHTOPK_LATENTS; i < r * BATCHTOPK_LATENTS + codes.count[r]; i++)
            f[r * BATCHTOPK_LATENTS + codes.latent[i]] = codes.value[i];
    ck_assert_int_eq(memcmp(f, expected, sizeof f), 0);
    saei_code_slots_free(&codes, context);
}

START_TEST(peer_case_is_kept)
{
    assert_peer_case(batchtopk_k, batchtopk_codes, (float)batchtopk_least_kept);
    assert_peer_case(batchtopk_large_k, batchtopk_large_codes, 0.0f);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("batch selection");
    TCase *tests = tcase_create("batch selection");
    tcase_add_checked_fixture(tests, context_make, context_end);
    tcase_add_test(tests, keeps_what_a_sort_keeps);
    tcase_add_test(tests, of_equal_ones_the_first_stay);
    tcase_add_test(tests, peer_case_is_kept);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}

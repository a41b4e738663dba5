#include "num/screen_kernel.h"

#include <string.h>

typedef void (*unit_product_fn)(int32_t *sum, const void *w, const void *x);

static void wide_unit(int32_t *sum, const void *w, const void *x)
{
    int16_t a[2], b[2];
    memcpy(a, w, sizeof a);
    memcpy(b, x, sizeof b);
    *sum += a[0] * b[0] + a[1] * b[1];
}

static void byte_unit(int32_t *sum, const void *w, const void *x)
{
    uint8_t a[4];
    int8_t b[4];
    memcpy(a, w, sizeof a);
    memcpy(b, x, sizeof b);
    *sum += a[0] * b[0] + a[1] * b[1] + a[2] * b[2] + a[3] * b[3];
}

static inline void multiply(int32_t *sums, const char *x, const saei_screen_panel *panel,
                            unit_product_fn add_unit)
{
    const char *w = panel->lines;
    memset(sums, 0, SAEI_PANEL * SAEI_STRIP * sizeof *sums);
    for (size_t line = 0; line < panel->n_lines; line++, w += (SAEI_PANEL - 1) * SAEI_LINE)
        for (size_t u = 0; u < SAEI_LINE; u += SAEI_UNIT, w += SAEI_UNIT, x += SAEI_STRIP * SAEI_UNIT)
            for (size_t l = 0; l < SAEI_PANEL; l++)
                for (size_t r = 0; r < SAEI_STRIP; r++)
                    add_unit(&sums[l * SAEI_STRIP + r], w + l * SAEI_LINE, x + r * SAEI_UNIT);
}

static void test_sums(saei_screen_hits *hits, const int32_t *sums, const saei_screen_strip *strip,
                      const saei_screen_panel *panel)
{
    uint64_t found[SAEI_FOUND_WORDS] = {0};
    for (size_t l = 0; l < SAEI_PANEL; l++)
        for (size_t r = 0; r < SAEI_STRIP; r++) {
            const saei_fixed_bounds *w = panel->latents + l;
            int32_t sum = sums[l * SAEI_STRIP + r] - strip->offset[r];
            float score = (float)sum * w->unit * strip->unit[r] + panel->bias[l];
            float upper = score + (strip->per_norm[r] * w->norm +
                                   (strip->per_error[r] * w->coarse + strip->constant[r]));
            uint64_t hit = upper >= strip->threshold[r] && upper >= panel->floor[l];
            found[l / 4] |= hit << (l % 4 * SAEI_STRIP + r);
        }
    saei_screen_add_hits(hits, found, sums, strip, panel);
}

static inline void multiply_and_test(const saei_screen_tile *tile, saei_screen_sums *now,
                                     const saei_screen_sums *before, saei_screen_hits *hits,
                                     unit_product_fn add_unit)
{
    for (size_t s = 0; s < tile->n; s++) {
        test_sums(hits, before->at[s], tile->strips + s, before->panel);
        multiply(now->at[s], tile->strips[s].packed, now->panel, add_unit);
    }
}

static void wide(const saei_screen_tile *tile, saei_screen_sums *now, const saei_screen_sums *before,
                 saei_screen_hits *hits)
{
    multiply_and_test(tile, now, before, hits, wide_unit);
}

static void bytes(const saei_screen_tile *tile, saei_screen_sums *now, const saei_screen_sums *before,
                  saei_screen_hits *hits)
{
    multiply_and_test(tile, now, before, hits, byte_unit);
}

static void byte_dots(int32_t *sums, const saei_byte_pair *pairs, size_t n, size_t n_lines, size_t w_stride)
{
    for (size_t i = 0; i < n; i++) {
        sums[i] = 0;
        for (size_t line = 0; line < n_lines; line++)
            for (size_t u = 0; u < SAEI_LINE; u += SAEI_UNIT)
                byte_unit(&sums[i], pairs[i].w + line * w_stride + u, pairs[i].x + line * SAEI_LINE + u);
    }
}

static bool runs_here(void)
{
    return true;
}

const saei_screen_kernel saei_screen_portable = {"portable", wide, bytes, byte_dots, runs_here};

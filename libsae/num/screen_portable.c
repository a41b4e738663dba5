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

static inline void multiply(int32_t sums[SAEI_PANEL][SAEI_STRIP], const char *x,
                            const saei_screen_panel *panel, unit_product_fn add_unit)
{
    const char *w = panel->lines;
    memset(sums, 0, SAEI_PANEL * sizeof sums[0]);
    for (size_t line = 0; line < panel->n_lines; line++, w += (SAEI_PANEL - 1) * SAEI_LINE)
        for (size_t u = 0; u < SAEI_LINE; u += SAEI_UNIT, w += SAEI_UNIT, x += SAEI_STRIP * SAEI_UNIT)
            for (size_t l = 0; l < SAEI_PANEL; l++)
                for (size_t r = 0; r < SAEI_STRIP; r++)
                    add_unit(&sums[l][r], w + l * SAEI_LINE, x + r * SAEI_UNIT);
}

static void test_sums(saei_screen_strip *strip, int32_t sums[SAEI_PANEL][SAEI_STRIP],
                      const saei_screen_panel *panel)
{
    for (size_t l = 0; l < SAEI_PANEL; l++)
        for (size_t r = 0; r < SAEI_STRIP; r++) {
            const saei_fixed_bounds *w = panel->latents + l;
            float score = (float)(sums[l][r] - strip->offset[r]) * w->unit * strip->unit[r] + panel->bias[l];
            float bound =
                strip->per_norm[r] * w->norm + (strip->per_error[r] * w->coarse + strip->constant[r]);
            float upper = score + bound, lower = score - bound;
            if (upper >= strip->threshold[r] && upper >= panel->floor[l])
                saei_screen_push(strip, r, panel->first + (uint32_t)l, lower, upper, panel->floor[l]);
        }
}

static void wide(saei_screen_strip *strips, size_t n, const saei_screen_panel *panel)
{
    int32_t sums[SAEI_PANEL][SAEI_STRIP];
    for (size_t s = 0; s < n; s++) {
        multiply(sums, strips[s].packed, panel, wide_unit);
        test_sums(strips + s, sums, panel);
    }
}

static void bytes(saei_screen_strip *strips, size_t n, const saei_screen_panel *panel)
{
    int32_t sums[SAEI_PANEL][SAEI_STRIP];
    for (size_t s = 0; s < n; s++) {
        multiply(sums, strips[s].packed, panel, byte_unit);
        test_sums(strips + s, sums, panel);
    }
}

static void byte_dots(int32_t dots[3], saei_byte_latent w, const char *row, size_t n_lines)
{
    memset(dots, 0, 3 * sizeof *dots);
    for (size_t line = 0; line < n_lines; line++)
        for (size_t u = 0; u < SAEI_LINE; u += SAEI_UNIT) {
            const char *w_high = w.high + line * SAEI_PANEL * SAEI_LINE + u,
                       *w_low = w.low + line * SAEI_LINE + u;
            const char *high = row + 2 * line * SAEI_LINE + u, *low = high + SAEI_LINE;
            byte_unit(&dots[0], w_high, high);
            byte_unit(&dots[1], w_low, high);
            byte_unit(&dots[1], w_high, low);
            byte_unit(&dots[2], w_low, low);
        }
}

static bool runs_here(void)
{
    return true;
}

const saei_screen_kernel saei_screen_portable = {"portable", wide, bytes, byte_dots, runs_here};

#include "num/screen_kernel.h"

static void tile(saei_screen_row *rows, const int16_t *strip, const saei_screen_panel *panel)
{
    enum { ROWS = SAEI_FEW_ROWS };
    for (size_t at = 0; at < SAEI_PANEL; at += SAEI_STRIP) {
        const int16_t *b = panel->strips + 2 * at * panel->pairs;
        int32_t sum[ROWS][SAEI_STRIP] = {{0}};
        for (size_t p = 0; p < panel->pairs; p++, b += 2 * SAEI_STRIP)
            for (size_t r = 0; r < ROWS; r++) {
                const int16_t *a = strip + 2 * (p * ROWS + r);
                for (size_t l = 0; l < SAEI_STRIP; l++)
                    sum[r][l] += a[0] * b[2 * l] + a[1] * b[2 * l + 1];
            }
        for (size_t r = 0; r < ROWS; r++)
            for (size_t l = 0; l < SAEI_STRIP; l++) {
                saei_screen_row *row = rows + r;
                size_t j = at + l;
                float score = (float)sum[r][l] * panel->unit[j] * row->unit + panel->bias[j];
                float bound =
                    row->per_norm * panel->norm[j] + (row->per_error * panel->error[j] + row->constant);
                float upper = score + bound, lower = score - bound;
                if (upper >= row->threshold && upper >= panel->floor[j])
                    saei_screen_push(row, panel->first + (uint32_t)j, lower, upper, panel->floor[j]);
            }
    }
}

static bool runs_here(void)
{
    return true;
}

const saei_screen_kernel saei_screen_portable = {"portable", SAEI_FEW_ROWS, tile, tile, runs_here};

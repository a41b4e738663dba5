/* The body of a vector kernel, included once for each instruction set and number of rows. Defined before:
   TILE_NAME, TILE_ROWS, TILE_TARGET, TILE_LANES, TILE_DOT(sum, a, b) = sum + a_0 b_0 + a_1 b_1 for pairs of
   16-bit numbers, TILE_REACHES(x, y) = the mask of x ≥ y, TILE_KEEP(row, mask, latent, lower, upper, floor) =
   candidates to row. One function, for the sums are to stay in registers from the first product to the test.
 */

__attribute__((target(TILE_TARGET))) static void TILE_NAME(saei_screen_row *rows, const int16_t *strip,
                                                           const saei_screen_panel *panel)
{
    typedef int32_t integers __attribute__((vector_size(4 * TILE_LANES)));
    typedef float floats __attribute__((vector_size(4 * TILE_LANES)));
    typedef integers loaded_integers __attribute__((aligned(4), may_alias));
    typedef floats loaded_floats __attribute__((aligned(4), may_alias));
    typedef int32_t pair __attribute__((aligned(2), may_alias));
    enum { VECTORS = 2 };
    const size_t strip_length = 2 * SAEI_STRIP * panel->pairs;
    const size_t next = TILE_LANES < SAEI_STRIP ? 2 * TILE_LANES : strip_length;
    for (size_t at = 0; at < SAEI_PANEL; at += VECTORS * TILE_LANES) {
        const int16_t *b = panel->strips + at / SAEI_STRIP * strip_length + 2 * (at % SAEI_STRIP), *a = strip;
        integers sum[TILE_ROWS][VECTORS] = {{{0}}};
#pragma GCC unroll 2
        for (size_t p = 0; p < panel->pairs; p++, a += 2 * TILE_ROWS, b += 2 * SAEI_STRIP) {
            integers b0 = *(const loaded_integers *)b, b1 = *(const loaded_integers *)(b + next);
#pragma GCC unroll 16
            for (size_t r = 0; r < TILE_ROWS; r++) {
                integers ar = *(const pair *)(a + 2 * r) - (integers){0};
                sum[r][0] = TILE_DOT(sum[r][0], ar, b0);
                sum[r][1] = TILE_DOT(sum[r][1], ar, b1);
            }
        }
#pragma GCC unroll 2
        for (size_t v = 0; v < VECTORS; v++) {
            size_t latent = at + v * TILE_LANES;
            floats unit = *(const loaded_floats *)(panel->unit + latent);
            floats norm = *(const loaded_floats *)(panel->norm + latent);
            floats error = *(const loaded_floats *)(panel->error + latent);
            floats bias = *(const loaded_floats *)(panel->bias + latent);
            floats floor = *(const loaded_floats *)(panel->floor + latent);
#pragma GCC unroll 16
            for (size_t r = 0; r < TILE_ROWS; r++) {
                saei_screen_row *row = rows + r;
                floats score = __builtin_convertvector(sum[r][v], floats) * unit * row->unit + bias;
                floats bound = row->per_norm * norm + (row->per_error * error + row->constant);
                floats upper = score + bound, threshold = row->threshold - (floats){0};
                uint32_t mask = TILE_REACHES(upper, threshold) & TILE_REACHES(upper, floor);
                if (mask != 0)
                    TILE_KEEP(row, mask, panel->first + (uint32_t)latent, score - bound, upper, floor);
            }
        }
    }
}

#undef TILE_NAME
#undef TILE_ROWS

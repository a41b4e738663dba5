/* The body of a vector kernel, included once for each instruction set and number of rows. Defined before:
   TILE_NAME, TILE_ROWS, TILE_TARGET, TILE_LANES, TILE_DOT(sum, a, b) = sum + a_0 b_0 + a_1 b_1 for pairs of
   16-bit numbers, TILE_REACHES(x, y) = the mask of x ≥ y. */

__attribute__((target(TILE_TARGET))) static void TILE_NAME(saei_screen_row *rows, const int16_t *strip,
                                                           const saei_screen_panel *panel)
{
    typedef int32_t integers __attribute__((vector_size(4 * TILE_LANES)));
    typedef float floats __attribute__((vector_size(4 * TILE_LANES)));
    typedef integers loaded_integers __attribute__((aligned(4), may_alias));
    typedef floats loaded_floats __attribute__((aligned(4), may_alias));
    typedef int32_t pair __attribute__((aligned(2), may_alias));
    enum { VECTORS = 2 };
    for (size_t at = 0; at < SAEI_PANEL; at += VECTORS * TILE_LANES) {
        const int16_t *b[VECTORS];
        for (size_t v = 0; v < VECTORS; v++) {
            size_t latent = at + v * TILE_LANES;
            b[v] =
                panel->strips + 2 * (latent / SAEI_STRIP * SAEI_STRIP * panel->pairs + latent % SAEI_STRIP);
        }
        integers sum[TILE_ROWS][VECTORS] = {{{0}}};
        for (size_t p = 0; p < panel->pairs; p++) {
            integers b0 = *(const loaded_integers *)(b[0] + 2 * SAEI_STRIP * p);
            integers b1 = *(const loaded_integers *)(b[1] + 2 * SAEI_STRIP * p);
#pragma GCC unroll 16
            for (size_t r = 0; r < TILE_ROWS; r++) {
                integers a = *(const pair *)(strip + 2 * (p * TILE_ROWS + r)) - (integers){0};
                sum[r][0] = TILE_DOT(sum[r][0], a, b0);
                sum[r][1] = TILE_DOT(sum[r][1], a, b1);
            }
        }
#pragma GCC unroll 16
        for (size_t r = 0; r < TILE_ROWS; r++) {
#pragma GCC unroll 2
            for (size_t v = 0; v < VECTORS; v++) {
                size_t latent = at + v * TILE_LANES;
                saei_screen_row *row = rows + r;
                floats unit = *(const loaded_floats *)(panel->unit + latent);
                floats norm = *(const loaded_floats *)(panel->norm + latent);
                floats error = *(const loaded_floats *)(panel->error + latent);
                floats bias = *(const loaded_floats *)(panel->bias + latent);
                floats floor = *(const loaded_floats *)(panel->floor + latent);
                floats score = __builtin_convertvector(sum[r][v], floats) * unit * row->unit + bias;
                floats bound = row->per_norm * norm + (row->per_error * error + row->constant);
                floats upper = score + bound, threshold = row->threshold - (floats){0};
                unsigned mask = TILE_REACHES(upper, threshold) & TILE_REACHES(upper, floor);
                if (__builtin_expect(mask != 0, 0)) {
                    float lowers[TILE_LANES], uppers[TILE_LANES];
                    *(loaded_floats *)lowers = score - bound;
                    *(loaded_floats *)uppers = upper;
                    for (; mask != 0; mask &= mask - 1) {
                        unsigned l = (unsigned)__builtin_ctz(mask);
                        saei_screen_push(row, panel->first + (uint32_t)latent + l, lowers[l], uppers[l],
                                         panel->floor[latent + l]);
                    }
                }
            }
        }
    }
}

#undef TILE_NAME
#undef TILE_ROWS

/* The test of a vector kernel: which sums become candidates. Defined before: TILE_TARGET, TILE_LANES,
   TILE_REACHES(x, y) = the mask of x ≥ y. */

typedef int32_t test_integers __attribute__((vector_size(4 * TILE_LANES)));
typedef float test_floats __attribute__((vector_size(4 * TILE_LANES)));
typedef test_integers loaded_test_integers __attribute__((aligned(4), may_alias));
typedef test_floats loaded_test_floats __attribute__((aligned(4), may_alias));

/* Rows of the strip from `at` on. */
__attribute__((target(TILE_TARGET), noinline)) static void keep(saei_screen_strip *strip, size_t at,
                                                                uint32_t mask, uint32_t latent,
                                                                const float *lower, const float *upper,
                                                                float floor)
{
    for (; mask != 0; mask &= mask - 1) {
        uint32_t r = (uint32_t)__builtin_ctz(mask);
        saei_screen_push(strip, at + r, latent, lower[r], upper[r], floor);
    }
}

/* sums [SAEI_PANEL][SAEI_STRIP] */
__attribute__((target(TILE_TARGET))) static void test_sums(saei_screen_strip *strip, const int32_t *sums,
                                                           const saei_screen_panel *panel)
{
    for (size_t at = 0; at < SAEI_STRIP; at += TILE_LANES) {
        test_integers offset = *(const loaded_test_integers *)(strip->offset + at);
        test_floats unit = *(const loaded_test_floats *)(strip->unit + at);
        test_floats per_norm = *(const loaded_test_floats *)(strip->per_norm + at);
        test_floats per_error = *(const loaded_test_floats *)(strip->per_error + at);
        test_floats constant = *(const loaded_test_floats *)(strip->constant + at);
        test_floats threshold = *(const loaded_test_floats *)(strip->threshold + at);
        for (size_t l = 0; l < SAEI_PANEL; l++) {
            const saei_fixed_bounds *latent = panel->latents + l;
            test_integers sum = *(const loaded_test_integers *)(sums + l * SAEI_STRIP + at) - offset;
            test_floats score =
                __builtin_convertvector(sum, test_floats) * latent->unit * unit + panel->bias[l];
            test_floats bound = per_norm * latent->norm + (per_error * latent->coarse + constant);
            test_floats upper = score + bound;
            uint32_t mask = TILE_REACHES(upper, threshold);
            if (mask != 0) {
                test_floats lower = score - bound, floor = panel->floor[l] - (test_floats){0};
                keep(strip, at, mask & TILE_REACHES(upper, floor), panel->first + (uint32_t)l,
                     (const float *)&lower, (const float *)&upper, panel->floor[l]);
            }
        }
    }
}

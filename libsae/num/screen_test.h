/* The test of a vector kernel: which sums become candidates. Defined before: TILE_TARGET, TILE_LANES,
   TILE_REACHES(x, y) = the mask of x ≥ y, TILE_MAX(x, y), which is y where y is NaN. */

typedef int32_t test_integers __attribute__((vector_size(4 * TILE_LANES)));
typedef float test_floats __attribute__((vector_size(4 * TILE_LANES)));
typedef test_integers loaded_test_integers __attribute__((aligned(4), may_alias));
typedef test_floats loaded_test_floats __attribute__((aligned(4), may_alias));

/* Branches would wait for the scores, and cannot be foreseen: bits of all latents come first. sums
   [SAEI_PANEL][SAEI_STRIP] */
__attribute__((target(TILE_TARGET))) static void test_sums(saei_screen_hits *hits, const int32_t *sums,
                                                           const saei_screen_strip *strip,
                                                           const saei_screen_panel *panel)
{
    uint64_t found[SAEI_FOUND_WORDS] = {0};
    for (size_t at = 0; at < SAEI_STRIP; at += TILE_LANES) {
        test_integers offset = *(const loaded_test_integers *)(strip->offset + at);
        test_floats unit = *(const loaded_test_floats *)(strip->unit + at);
        test_floats per_norm = *(const loaded_test_floats *)(strip->per_norm + at);
        test_floats per_error = *(const loaded_test_floats *)(strip->per_error + at);
        test_floats constant = *(const loaded_test_floats *)(strip->constant + at);
        test_floats threshold = *(const loaded_test_floats *)(strip->threshold + at);
#pragma GCC unroll 16
        for (size_t l = 0; l < SAEI_PANEL; l++) {
            const saei_fixed_bounds *latent = panel->latents + l;
            test_integers sum = *(const loaded_test_integers *)(sums + l * SAEI_STRIP + at) - offset;
            test_floats score =
                __builtin_convertvector(sum, test_floats) * latent->unit * unit + panel->bias[l];
            test_floats upper = score + (per_norm * latent->norm + (per_error * latent->coarse + constant));
            uint64_t mask = TILE_REACHES(upper, TILE_MAX(panel->floor[l] - (test_floats){0}, threshold));
            found[l / 4] |= mask << (l % 4 * SAEI_STRIP + at);
        }
    }
    saei_screen_add_hits(hits, found, sums, strip, panel);
}

/* The test of a vector kernel: which sums become hits. Defined before: TILE_TARGET, TILE_LANES,
   TILE_REACHES(x, y) = the mask of x ≥ y, TILE_MAX(x, y), which is y where y is NaN. */

typedef int32_t test_integers __attribute__((vector_size(4 * TILE_LANES)));
typedef float test_floats __attribute__((vector_size(4 * TILE_LANES)));
typedef test_integers loaded_test_integers __attribute__((aligned(4), may_alias));
typedef test_floats loaded_test_floats __attribute__((aligned(4), may_alias));

/* What is done beside a product, and what of it was found. */
typedef struct beside {
    const saei_screen_tile *tile;
    const saei_screen_sums *before;
    uint64_t found[SAEI_STRIPS_AT_ONCE][SAEI_FOUND_WORDS];
} beside;

/* Branches would wait for the scores, and cannot be foreseen: bits of all latents come first. */
__attribute__((target(TILE_TARGET), always_inline)) static inline void test_latent(beside *b, size_t s,
                                                                                   size_t l)
{
    const saei_screen_strip *strip = b->tile->strips + s;
    const saei_screen_panel *panel = b->before->panel;
    const saei_fixed_bounds *latent = panel->latents + l;
#pragma GCC unroll 4
    for (size_t at = 0; at < SAEI_STRIP; at += TILE_LANES) {
        test_integers offset = *(const loaded_test_integers *)(strip->offset + at);
        test_floats unit = *(const loaded_test_floats *)(strip->unit + at);
        test_floats per_norm = *(const loaded_test_floats *)(strip->per_norm + at);
        test_floats per_error = *(const loaded_test_floats *)(strip->per_error + at);
        test_floats constant = *(const loaded_test_floats *)(strip->constant + at);
        test_floats threshold = *(const loaded_test_floats *)(strip->threshold + at);
        test_integers sum = *(const loaded_test_integers *)(b->before->at[s] + l * SAEI_STRIP + at) - offset;
        test_floats score = __builtin_convertvector(sum, test_floats) * latent->unit * unit + panel->bias[l];
        test_floats upper = score + (per_norm * latent->norm + (per_error * latent->coarse + constant));
        uint64_t mask = TILE_REACHES(upper, TILE_MAX(panel->floor[l] - (test_floats){0}, threshold));
        b->found[s][l / 4] |= mask << (l % 4 * SAEI_STRIP + at);
    }
}

/* Tests the latents from l on, which are not tested yet. */
__attribute__((target(TILE_TARGET))) static void finish_test(saei_screen_hits *hits, beside *b, size_t l)
{
    for (; l < SAEI_PANEL; l++)
        for (size_t s = 0; s < b->tile->n; s++)
            test_latent(b, s, l);
    for (size_t s = 0; s < b->tile->n; s++)
        saei_screen_add_hits(hits, b->found[s], b->before->at[s], b->tile->strips + s, b->before->panel);
}

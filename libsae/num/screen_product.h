/* The product of a vector kernel, included once for each kind of numbers and each shape. Defined before,
   beside what screen_test.h asks for: PRODUCT_NAME; PRODUCT_LATENTS latents by PRODUCT_VECTORS vectors of
   rows; PRODUCT_TESTS, the strips that are tested beside it, a latent with each line; PRODUCT_DOT(sum, w, x)
   = sum + the products of the numbers in each unit. A function of its own, for the sums are to stay in
   registers. */

/* sums [latent][row]: vectors of rows are x_stride bytes apart in x, sum_stride numbers in sums. */
__attribute__((target(TILE_TARGET), noinline)) static void PRODUCT_NAME(int32_t *sums, size_t sum_stride,
                                                                        const char *x, size_t x_stride,
                                                                        const char *w, size_t n_lines,
                                                                        beside *b)
{
    typedef int32_t integers __attribute__((vector_size(4 * TILE_LANES)));
    typedef integers loaded_integers __attribute__((aligned(4), may_alias));
    typedef int32_t unit __attribute__((may_alias));
    integers sum[PRODUCT_LATENTS][PRODUCT_VECTORS] = {{{0}}};
    for (size_t line = 0; line < n_lines; line++, w += (SAEI_PANEL - 1) * SAEI_LINE) {
        saei_screen_fetch_ahead(b->tile, line);
#pragma GCC unroll 2
        for (int s = 0; s < PRODUCT_TESTS && line < SAEI_PANEL; s++)
            test_latent(b, (size_t)s, line);
#if TILE_LANES == 16 /* the others have too few registers: 1.3 of the time with SSE2 */
#pragma GCC unroll 4
#endif
        for (size_t u = 0; u < SAEI_LINE; u += SAEI_UNIT, w += SAEI_UNIT, x += SAEI_STRIP * SAEI_UNIT) {
            integers rows[PRODUCT_VECTORS];
#pragma GCC unroll 4
            for (size_t v = 0; v < PRODUCT_VECTORS; v++)
                rows[v] = *(const loaded_integers *)(x + v * x_stride);
#pragma GCC unroll 16
            for (size_t l = 0; l < PRODUCT_LATENTS; l++) {
                integers weights = *(const unit *)(w + l * SAEI_LINE) - (integers){0};
#pragma GCC unroll 4
                for (size_t v = 0; v < PRODUCT_VECTORS; v++)
                    sum[l][v] = PRODUCT_DOT(sum[l][v], weights, rows[v]);
            }
        }
    }
#pragma GCC unroll 16
    for (size_t l = 0; l < PRODUCT_LATENTS; l++)
#pragma GCC unroll 4
        for (size_t v = 0; v < PRODUCT_VECTORS; v++)
            *(loaded_integers *)(sums + l * SAEI_STRIP + v * sum_stride) = sum[l][v];
}

#undef PRODUCT_NAME
#undef PRODUCT_LATENTS
#undef PRODUCT_VECTORS
#undef PRODUCT_TESTS
#undef PRODUCT_DOT

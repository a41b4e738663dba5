#include "train/screening.h"

/* Bytes save half the cycles of the products, 64 dimensions being two of them, but a latent that is looked at
   again costs some more: measured from d 128 to 2304 with AVX-512 (docs/COST.md). A fifth is the margin for
   other machines. */
static bool bytes_pay(const saei_screen_counts *batch, size_t d, size_t n_latents)
{
    double saved = (double)n_latents * (double)d / 128.0, again = 80.0 + (double)d / 16.0;
    return (double)batch->refined * again < 0.8 * saved * (double)batch->rows;
}

void saei_screening_learn(saei_screening *s, const saei_screen_counts *batch, size_t d, size_t n_latents,
                          bool was_in_bytes, bool bounded)
{
    s->start = saei_screen_start(batch->ends);
    s->bytes_are_slow = s->bytes_are_slow || (was_in_bytes && !bytes_pay(batch, d, n_latents));
    s->in_bytes = (s->start > 0.0f || bounded) && !s->bytes_are_slow;
}

#include "num/screen_refine.h"
#include "num/panels.h"

/* Products of bytes that are all below 2^31, put together in double: one rounding to float. */
static float score_of(const saei_byte_row *row, saei_byte_latent latent, float unit,
                      saei_byte_dots_fn byte_dots)
{
    const double fraction = 1.0 / SAEI_FRACTION;
    int32_t dots[3];
    byte_dots(dots, latent, row->lines, row->n_lines);
    double high = (double)dots[0] - (double)row->high_offset;
    double mixed = (double)dots[1] - (double)row->high_offset - (double)row->low_offset;
    double low = (double)dots[2] - (double)row->low_offset;
    double sum = high + fraction * (mixed + fraction * low);
    return (float)(sum * (double)unit * (double)row->unit);
}

void saei_screen_row_refine(saei_screen_row *candidates, uint32_t n_refined, const saei_byte_row *row,
                            const saei_encoder *e)
{
    saei_byte_dots_fn byte_dots = saei_panels_kernel(e->panels)->byte_dots;
    uint32_t n = candidates->n;
    candidates->n = n_refined;
    for (uint32_t i = n_refined; i < n; i++) {
        uint32_t j = candidates->latent[i];
        saei_fixed_bounds known;
        saei_byte_latent latent = saei_panels_latent(e->panels, j, &known);
        float floor = e->floor != NULL ? e->floor[j] : 0.0f;
        float score = score_of(row, latent, known.unit, byte_dots) + e->b_enc[j];
        float bound =
            row->bound.per_norm * known.norm + (row->bound.per_error * known.error + row->bound.constant);
        if (score + bound >= candidates->threshold && score + bound >= floor)
            saei_screen_row_push(candidates, j, score - bound, score + bound, floor);
    }
}

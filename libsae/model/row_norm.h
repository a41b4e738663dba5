/* Rows that a model normalises one by one: the formulas of sae_row_norm. */
#ifndef SAEI_ROW_NORM_H
#define SAEI_ROW_NORM_H

#include "sae/model.h"

/* What undoes the norm: x̂ = scale · ẑ + shift. */
typedef struct saei_row_frame {
    float shift, scale;
} saei_row_frame;

/* z [d] of x [d], finite; z may be x. Moments in double. A row of equal numbers has exactly z = 0, its number
   as shift and the scale 0. */
saei_row_frame saei_row_normalise(float *z, const float *x, size_t d, sae_row_norm norm);

/* x̂ from ẑ, in place. */
void saei_row_restore(float *row, saei_row_frame frame, size_t d);

/* What the encoder takes: xc [d] = z − b_dec of x [d]; they do not overlap. */
saei_row_frame saei_model_centre(float *xc, const sae_model *model, const float *x);

#endif

#include "model/row_norm.h"
#include "model/model.h"
#include "num/rows.h"

#include <math.h>
#include <string.h>

/* The tools add it to the deviation, not to the variance, and leave it out when they scale back. */
#define LAYER_NORM_EPSILON 1e-5

const char *sae_row_norm_name(sae_row_norm norm)
{
    static const char *const names[] = {"none", "layer_norm", "constant_norm"};
    return (size_t)norm < sizeof names / sizeof names[0] ? names[norm] : NULL;
}

/* The mean of a row of equal numbers is exact, so that they become exactly 0. The differences are rounded,
   not the mean: a row that lies far from 0 would lose digits of what it varies by. */
static saei_row_frame layer_norm(float *z, const float *x, size_t d)
{
    double mean = saei_row_sum(x, d) / (double)d;
    saei_row_shift_scale(z, x, mean, 1, d);
    double deviation = sqrt(saei_row_norm2(z, d) / (double)(d - 1));
    saei_row_shift_scale(z, z, 0, 1 / (deviation + LAYER_NORM_EPSILON), d);
    return (saei_row_frame){(float)mean, (float)deviation};
}

static saei_row_frame constant_norm(float *z, const float *x, size_t d)
{
    double scale = sqrt(saei_row_norm2(x, d) / (double)d);
    saei_row_shift_scale(z, x, 0, scale > 0 ? 1 / scale : 0, d);
    return (saei_row_frame){0.0f, (float)scale};
}

saei_row_frame saei_row_normalise(float *z, const float *x, size_t d, sae_row_norm norm)
{
    switch (norm) {
    case SAE_LAYER_NORM:
        return layer_norm(z, x, d);
    case SAE_CONSTANT_NORM:
        return constant_norm(z, x, d);
    case SAE_NO_ROW_NORM:
        break;
    }
    memmove(z, x, d * sizeof *z);
    return (saei_row_frame){0.0f, 1.0f};
}

void saei_row_restore(float *row, saei_row_frame frame, size_t d)
{
    for (size_t i = 0; i < d; i++)
        row[i] = frame.scale * row[i] + frame.shift;
}

saei_row_frame saei_model_centre(float *xc, const sae_model *model, const float *x)
{
    saei_row_frame frame = {0.0f, 1.0f};
    const float *z = x;
    if (model->row_norm != SAE_NO_ROW_NORM) {
        frame = saei_row_normalise(xc, x, model->d, model->row_norm);
        z = xc;
    }
    saei_row_scale_shift(xc, 1.0f, z, model->b_dec, model->d);
    return frame;
}

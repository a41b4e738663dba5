/* The draw behind the resampling of dead latents. */
#ifndef SAEI_RESAMPLE_DRAW_H
#define SAEI_RESAMPLE_DRAW_H

#include <stddef.h>

/* Index of a row drawn with probability loss_r² / Σ loss²; uniform in [0, 1). */
size_t saei_resample_draw(const double *loss, size_t n, double uniform);

#endif

/* A model turned to the difference of two rows. */
#ifndef SAEI_DIFFERENCE_VIEW_H
#define SAEI_DIFFERENCE_VIEW_H

#include "model/model.h"

/* Encodes Δ = x' − x with the weights and the activation rule of a model, such that Δ = 0 has no active
   latent: the centring by b_dec is left out, since it cancels in a difference, and of b_enc (gated: b_mag
   too) only the negative part stays, min(b, 0). That part is the learned threshold of a ReLU latent; the
   positive part would be active on no change at all. Thresholds of a JumpReLU stay. Where the model
   normalises rows, x and x' are the normalised ones (saei_row_normalise): the view takes their difference as
   it is. */
typedef struct saei_difference_view {
    sae_model model; /* for sae_model_encode; shares the matrices with the model it was made from */
    float *vectors;  /* the vectors of its own, one allocation */
} saei_difference_view;

/* model must outlive the view. Memory for d + F numbers, gated d + 3 F. Release it in every case. */
sae_status saei_difference_view_init(saei_difference_view *view, const sae_model *model, sae_error *err);
void saei_difference_view_release(saei_difference_view *view);

#endif

/* What a choice among pre-activations is made by, where it is not the pre-activations themselves: SAELens
   ranks TopK, BatchTopK and Matryoshka by

       score_j = ‖w_dec,j‖ pre_j = xc (‖w_dec,j‖ w_enc,j) + ‖w_dec,j‖ b_enc,j (rescale_acts_by_decoder_norm)

   so that short decoder rows are not favoured, and decodes score_j · w_dec,j / ‖w_dec,j‖ = pre_j w_dec,j:
   values and gradients are those of a choice by pre, only the choice differs. The scores are the
   pre-activations of an encoder of its own, kept here beside the weights, which is screened as any other. It
   is also that of the model, whose decoder rows have unit length. */
#ifndef SAEI_SELECTION_WEIGHTS_H
#define SAEI_SELECTION_WEIGHTS_H

#include "train/parameters.h"

typedef struct saei_selection_weights {
    float *W;    /* [F, d]: ‖w_dec,j‖ w_enc,j */
    float *b;    /* [F]: ‖w_dec,j‖ b_enc,j */
    float *norm; /* [F]: ‖w_dec,j‖; 1 where w_dec,j is 0, which no score can recover from */
} saei_selection_weights;

sae_status saei_selection_weights_new(saei_selection_weights *out, sae_context *context, size_t d,
                                      size_t n_latents, sae_error *err);
void saei_selection_weights_free(saei_selection_weights *weights, sae_context *context);

/* What _new allocates. */
size_t saei_selection_weights_bytes(size_t d, size_t n_latents);

/* Follows the parameters of latents first .. end - 1; disjoint ranges may be set at once. */
void saei_selection_weights_set(const saei_selection_weights *weights, const saei_parameters *parameters,
                                size_t first, size_t end);

#endif

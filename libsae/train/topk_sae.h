/* Loss and gradient of the TopK SAE with AuxK, on one batch of scaled rows.

       xc = s x − b_dec                       [B, d]   centred rows, total variance of s x is 1
       f  = top k of relu(xc W_enc + b_enc)   [B, F]   k non-zeros a row
       e  = xc − f W_dec                      [B, d]   residual
       loss = Σ‖e‖² / B
       a  = top k_aux of xc W_enc + b_enc among the dead latents, without relu
       aux  = Σ‖e − a W_dec‖² / Σ‖e − mean e‖², e taken as constant
       total = loss + aux_coefficient · aux

   (Gao et al. 2024, arXiv 2406.04093, appendix A.2 for AuxK; with a relu, a latent whose pre-activation is
   negative on all rows would have no gradient and stay dead.) AuxK gives no gradient to b_dec. The gradient
   of W_dec is projected orthogonal to its unit rows. */
#ifndef SAEI_TOPK_SAE_H
#define SAEI_TOPK_SAE_H

#include "train/latent_index.h"
#include "train/parameters.h"

typedef struct saei_topk_sae {
    sae_context *context;
    size_t d, n_latents, k, k_aux, batch_rows;
    double aux_coefficient;
    float *xc;                /* [B, d]; the caller puts the raw rows here */
    float *e;                 /* [B, d] */
    float *aux_residual;      /* [B, d]: e − a W_dec */
    saei_code_slots codes;    /* [B, k] */
    saei_encoder_subset dead; /* its codes are the a above */
    uint32_t *dead_latents;   /* [F] storage of dead.latents */
    uint32_t *dead_place;     /* [F]: place of a latent in dead.latents, UINT32_MAX when it is alive */
    saei_latent_index index, dead_index;
    float *scratch;      /* encoder scores, per worker */
    double *tile_sums;   /* [tiles, 2 + d]: Σ‖e‖², Σ‖aux residual‖², Σ e */
    double *chunk_norm2; /* [chunks]: squared norm of the gradient */
    float *chunk_b_dec;  /* [chunks, d]: what the encoder path adds to the gradient of b_dec */
} saei_topk_sae;

typedef struct saei_topk_sae_result {
    double loss, aux_loss, gradient_norm;
    uint64_t active; /* codes in the batch */
} saei_topk_sae_result;

sae_status saei_topk_sae_new(saei_topk_sae *out, sae_context *context, size_t d, size_t n_latents, size_t k,
                             size_t k_aux, size_t batch_rows, double aux_coefficient, sae_error *err);
void saei_topk_sae_free(saei_topk_sae *sae);

/* What _new will allocate at most, on any number of threads: the shuffle gets the rest of the budget, so that
   a number that followed the threads would change the order of the rows. */
size_t saei_topk_sae_bytes(size_t d, size_t n_latents, size_t k, size_t k_aux, size_t batch_rows);

/* Declares the latents dead that were silent for at least dead_after rows; silent [F] counts rows. */
void saei_topk_sae_set_dead(saei_topk_sae *sae, const uint64_t *silent, uint64_t dead_after);

/* Scales and centres the first `rows` rows in sae->xc, encodes them into sae->codes and leaves their
   residuals in sae->e: the forward pass alone, for held-out rows. rows <= batch_rows. */
void saei_topk_sae_forward(saei_topk_sae *sae, const saei_parameters *parameters, float scale, size_t rows);

/* Scales and centres the batch in sae->xc, then fills gradient with that of total. */
saei_topk_sae_result saei_topk_sae_gradient(saei_parameters *gradient, saei_topk_sae *sae,
                                            const saei_parameters *parameters, float scale);

#endif

/* AuxK: dead latents learn what the living ones leave (Gao et al. 2024, arXiv 2406.04093, appendix A.2).

       a = the k_aux largest of pre among the dead latents,  r = e − a W_dec,  e taken as constant

   libsae, dictionary_learning: coefficient · Σ‖r‖² / Σ‖e − mean e‖²
   SAELens:                     coefficient · min(n_dead/k_aux, 1) · Σ‖r‖² / B
   dictionary_learning takes relu(pre); the others do not: with a relu, a latent whose pre-activation is
   negative on all rows would have no gradient and stay dead. Where the codes are chosen by other scores than
   pre (selection_weights.h), so is a. b_dec has a gradient by the centring of pre. */
#ifndef SAEI_AUXK_H
#define SAEI_AUXK_H

#include "sae/train.h"
#include "num/panels.h"
#include "train/latent_index.h"
#include "train/selection_weights.h"

/* Up to so many dead latents are copied together, and their products are dense; more are handled code by
 * code. */
enum { SAEI_AUXK_FEW = 1024, SAEI_AUXK_PARTS = 32 };

typedef struct saei_auxk_settings {
    size_t k; /* 0: no AuxK */
    sae_aux_style style;
    double coefficient;
    size_t few; /* 0: SAEI_AUXK_FEW */
} saei_auxk_settings;

typedef struct saei_auxk {
    sae_context *context;
    saei_auxk_settings settings;
    size_t d, n_latents, batch_rows;
    uint32_t *dead,
        *place; /* [F]: the dead latents ascending; where a latent is in there, UINT32_MAX if alive */
    size_t n_dead;
    saei_code_slots codes;             /* [B, k]: places in `dead`, pre-activations */
    float *residual;                   /* [B, d]: r */
    double *tile_sums;                 /* [tiles, 1 + d] */
    float *tile_floats, *block_floats; /* scratch of the workers */
    /* Few dead latents: their rows, their codes and ∂loss/∂pre as dense matrices, their gradients. */
    float *W_enc, *W_dec, *g_W_enc, *g_W_dec; /* [few, d] */
    float *b_enc, *g_b_enc;                   /* [few] */
    float *a;                                 /* [few, B] */
    /* Many: floors that let the dead ones through, and the codes latent by latent. */
    float *floor; /* [F] */
    float *g;     /* [B, k]: ∂loss/∂pre */
    saei_latent_index index;
    float *part_b_dec; /* [SAEI_AUXK_PARTS, d]: of a part of the dead latents: −Σ ∂loss/∂pre w_enc */
} saei_auxk;

sae_status saei_auxk_new(saei_auxk *out, sae_context *context, const saei_auxk_settings *settings, size_t d,
                         size_t n_latents, size_t batch_rows, sae_error *err);
void saei_auxk_free(saei_auxk *auxk);
size_t saei_auxk_bytes(const saei_auxk_settings *settings, size_t d, size_t n_latents, size_t batch_rows);

/* Declares the latents dead that were silent for at least dead_after rows; silent [F] counts rows. */
void saei_auxk_set_dead(saei_auxk *auxk, const uint64_t *silent, uint64_t dead_after);

/* Whether so many are dead that their codes are found by screening, which takes a large share of them. */
bool saei_auxk_is_sparse(const saei_auxk *auxk);

/* selection: what the largest are chosen by, NULL: pre. panels: the weights of these scores for screening, or
   NULL. A batch: xc [B, d], and its residuals e, rows stride floats apart,
   times e_scale. Returns the loss before the coefficient, 0 when no latent is dead. */
double saei_auxk_run(saei_auxk *auxk, const saei_parameters *parameters,
                     const saei_selection_weights *selection, const saei_panels *panels, const float *xc,
                     const float *e, size_t stride, float e_scale);

/* A bound of the norm of its gradient without b_dec's; INFINITY when it is not known. */
double saei_auxk_norm_bound(const saei_auxk *auxk);

/* Adds what the last run gives to the gradient of b_dec, where the rows are centred by it … */
void saei_auxk_add_b_dec(const saei_auxk *auxk, float *g_b_dec);
/* … and to the gradient of latent j. */
void saei_auxk_add_decoder(const saei_auxk *auxk, size_t j, float *g_W_dec);
void saei_auxk_add_encoder(const saei_auxk *auxk, size_t j, float *g_W_enc, float *g_b_enc, const float *xc);

#endif

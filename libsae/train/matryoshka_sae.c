/* Matryoshka BatchTopK (Bussmann et al. 2025, arXiv 2503.17547): the first F_1, F_2, … F_n = F latents are
   dictionaries of their own,
       loss = Σ_g w_g Σ‖x − x̂_g‖² / B,   x̂_g = Σ_{j < F_g} f_j w_dec,j + b_dec.
   The sum over the groups is taken in the residuals: a latent of group g sees E_g = Σ_{h ≥ g} w_h e_h. */
#include "train/architecture.h"

const saei_architecture saei_matryoshka_architecture = {
    .name = "matryoshka",
    .selection = SAEI_SELECT_BATCH_TOPK,
    .backward = saei_backward_identity,
};

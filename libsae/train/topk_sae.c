/* TopK (Makhzani & Frey 2013, arXiv 1312.5663; Gao et al. 2024, arXiv 2406.04093):
       f = the k largest of relu(pre) of each row;  loss = Σ‖e‖² / B (+ AuxK, auxk.h). */
#include "train/architecture.h"

const saei_architecture saei_topk_architecture = {
    .name = "topk",
    .selection = SAEI_SELECT_ROW_TOPK,
    .backward = saei_backward_identity,
};

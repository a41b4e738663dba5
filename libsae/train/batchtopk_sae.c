/* BatchTopK (Bussmann et al. 2024, arXiv 2412.06410):
       f = the k · B largest of relu(pre) of the batch;  loss = Σ‖e‖² / B (+ AuxK).
   After training one threshold takes the place of the selection (threshold.h). */
#include "train/architecture.h"

const saei_architecture saei_batchtopk_architecture = {
    .name = "batchtopk",
    .selection = SAEI_SELECT_BATCH_TOPK,
    .backward = saei_backward_identity,
};

/* The inside of a training run. */
#ifndef SAEI_TRAINER_H
#define SAEI_TRAINER_H

#include "dump/batches.h"
#include "sae/train.h"
#include "train/adam.h"
#include "train/topk_sae.h"

struct sae_trainer {
    sae_context *context;
    const sae_dump *dump, *heldout; /* heldout NULL: blocks kept apart from dump */
    sae_train_options options;      /* as chosen; strings belong to the trainer */
    saei_batches *batches;
    saei_topk_sae sae;
    saei_parameters parameters, gradient;
    saei_adam adam;
    uint64_t *silent;   /* [F] rows since the latent fired */
    uint8_t *fired;     /* [F] work of the held-out measurement */
    double scale;       /* s: the total variance of s x is 1 */
    uint64_t step;
    uint64_t d, rows, window_rows; /* of the data: a checkpoint belongs to them */
    saei_batches_state place;      /* mirrors the batches while a checkpoint is read or written */
    char data_hash[33];
    sae_train_metrics metrics;
};

/* Fills metrics.heldout from the held-out rows; rows = 0 when there are none. */
sae_status saei_trainer_measure(sae_trainer *trainer, sae_error *err);

/* Everything that _new does before the weights are drawn: data pass when scan is set, choices, allocation. */
sae_status saei_trainer_prepare(sae_trainer *trainer, sae_error *err);

#endif

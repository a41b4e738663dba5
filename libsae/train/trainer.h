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
    uint64_t *silent;     /* [F] rows since the latent fired */
    uint8_t *fired;       /* [F] work of the held-out measurement */
    double *heldout_mean; /* [d] the same */
    double scale;         /* s: the total variance of s x is 1 */
    uint64_t step;
    uint64_t d, rows, window_rows; /* of the data: a checkpoint belongs to them */
    saei_batches_state place;      /* mirrors the batches while a checkpoint is read or written */
    char data_hash[33];
    sae_train_metrics metrics;
};

/* Fills metrics.heldout from the held-out rows; rows = 0 when there are none. */
sae_status saei_trainer_measure(sae_trainer *trainer, sae_error *err);

/* The parts of its construction that a new run and a resumed one share. First a trainer with its options
   read, without weights or buffers … */
sae_status saei_trainer_alloc(sae_trainer **out, const sae_dump *dump, const sae_dump *heldout,
                              const sae_train_options *options, sae_error *err);
/* … then one pass over the data: data_hash and the total variance … */
sae_status saei_trainer_scan(sae_trainer *trainer, double *variance, sae_error *err);
/* … then the choices that the options leave open, and every buffer. */
sae_status saei_trainer_prepare(sae_trainer *trainer, sae_error *err);

#endif

/* The inside of a training run. */
#ifndef SAEI_TRAINER_H
#define SAEI_TRAINER_H

#include "dump/batches.h"
#include "dump/dump.h"
#include "sae/train.h"
#include "train/adam.h"

enum { SAEI_QUANTILE_BINS = 1 << 16 };

struct sae_trainer {
    sae_context *context;
    const sae_dump *dump, *heldout; /* heldout NULL: blocks kept apart from dump */
    sae_train_options options;      /* as chosen; strings belong to the trainer */
    saei_batches *batches;          /* one for all trainers of a set */
    saei_objective objective;
    saei_parameters parameters;
    saei_adam adam;
    uint64_t *silent;      /* [F] rows since the latent fired */
    uint8_t *fired;        /* [F] work of the step and of the held-out measurement */
    double *heldout_mean;  /* [d] the same */
    double scale;          /* s */
    double anneal;         /* what p-anneal has made of λ */
    double threshold;      /* BatchTopK's, in scaled units: by the rule, when last measured */
    double l0;             /* of the last batch */
    double running_loss;   /* mean of the loss, for spikes */
    double best_fvu;       /* held-out */
    uint64_t without_gain; /* measurements since it improved */
    uint32_t *bins;        /* work of the quantile */
    double *row_loss;      /* [B] work of the resampling */
    uint64_t step;
    uint64_t d, rows, window_rows; /* of the data: a checkpoint belongs to them */
    saei_batches_state place;      /* where the rows of the next step begin */
    char data_hash[33];
    sae_outliers outliers;
    sae_train_metrics metrics;
};

/* Fills metrics.heldout from the held-out rows; rows = 0 when there are none. */
sae_status saei_trainer_measure(sae_trainer *trainer, sae_error *err);

/* A trainer with its options read, without weights or buffers. */
sae_status saei_trainer_alloc(sae_trainer **out, const sae_dump *dump, const sae_dump *heldout,
                              const sae_train_options *options, sae_error *err);
/* Gives trainers [n] whose options are chosen the shuffle window that the memory limit leaves beside them. */
sae_status saei_trainer_plan(sae_trainer *const *trainers, size_t n, sae_error *err);
/* Every buffer, for the options as chosen. The rows are those of the leader, which may be the trainer itself.
 */
sae_status saei_trainer_prepare(sae_trainer *trainer, const sae_trainer *leader, sae_error *err);

/* The scale and the weights that a new run begins with: of options.start, or drawn. first_rows: in its
   objective, raw, the first batch, if saei_trainer_wants_rows says so. */
bool saei_trainer_wants_rows(const sae_trainer *trainer);
void saei_trainer_set_scale(sae_trainer *trainer, const saei_dump_scan_result *scan);
sae_status saei_trainer_init_weights(sae_trainer *trainer, const double *mean, sae_error *err);

/* The rows of the next step into the objective's batch, wherever in the stream the other users of it are … */
sae_status saei_trainer_read_rows(sae_trainer *trainer, sae_error *err);
/* … and the step. The stream must be behind those rows. */
sae_status saei_trainer_learn(sae_trainer *trainer, sae_error *err);

/* The exact threshold above which the held-out rows have k active latents a row, into trainer->threshold. */
sae_status saei_trainer_calibrate(sae_trainer *trainer, sae_error *err);

/* Rows first .. first + n - 1 of the held-out rows, raw, into the objective's batch; and how many there are.
 */
uint64_t saei_trainer_heldout_rows(const sae_trainer *trainer);
sae_status saei_trainer_read_heldout(sae_trainer *trainer, uint64_t first, size_t n, sae_error *err);

/* Takes the sizes of the model to be fine-tuned into the options, before they are chosen … */
sae_status saei_trainer_match_model(sae_trainer *trainer, const sae_model *model, sae_error *err);
/* … and its weights, in scaled units, into the parameters. */
void saei_trainer_start_from(sae_trainer *trainer, const sae_model *model);

/* Gives the dead latents a new start (resample.c); the batch of the last step is theirs to choose from. */
void saei_trainer_resample(sae_trainer *trainer);

#endif

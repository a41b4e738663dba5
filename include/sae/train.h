/* Training a TopK SAE on a dump. */
#ifndef SAE_TRAIN_H
#define SAE_TRAIN_H

#include "apply.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Figures of one step, or of the held-out rows. Units: the loss is a fraction of the variance of the rows. */
typedef struct sae_train_metrics {
    uint64_t step, steps;      /* steps done, steps in all */
    double loss;               /* of the last batch, reconstruction: Σ‖x − x̂‖² / (rows · total variance) */
    double aux_loss;           /* AuxK term before its coefficient; 0 when no latent is dead */
    double learning_rate;
    double gradient_norm;      /* before clipping */
    double l0;                 /* active latents per row of the last batch */
    double dead;               /* fraction of latents silent for dead_after rows */
    bool heldout_fresh;        /* heldout was measured at this step */
    sae_fidelity heldout;      /* the latest held-out figures; rows = 0 before the first */
} sae_train_metrics;

/* Called on the calling thread after each step. Non-zero: stop after this step (SAE_STOPPED, resumable). */
typedef int (*sae_train_fn)(void *user, const sae_train_metrics *metrics);

typedef struct sae_train_options {
    size_t size;
    size_t n_latents;      /* F; 0: from the data: 16 d as a power of two, at most one latent per 40 rows */
    size_t k;              /* active latents per row; 0: the power of two nearest to √(2d) */
    size_t batch_rows;     /* rows per step; 0: from F */
    uint64_t steps;        /* 0: chosen from the data */
    uint64_t seed;         /* initial weights and row order; default 0 */
    double learning_rate;  /* peak; 0: chosen from d and F */
    double warmup;         /* fraction of the steps of linear warm-up */
    double decay_start;    /* fraction of the steps after which the rate falls linearly to 0 */
    double beta1, beta2, epsilon; /* Adam */
    double clip;           /* largest global gradient norm; 0: no clipping */
    size_t aux_k;          /* dead latents that model the residual, per row; 0: none; SIZE_MAX: d / 2 */
    double aux_coefficient;
    uint64_t dead_after;   /* a latent is dead when it has not fired for so many rows; 0: from the data */
    double heldout;        /* fraction of the rows held out (at most 16384 rows) when no held-out dump is given */
    uint64_t heldout_every; /* steps between held-out measurements; 0: twenty over the run */
    const char *checkpoint; /* path; NULL: no checkpoints */
    double checkpoint_seconds; /* time between checkpoints; one more is written when stopped */
    sae_train_fn on_step;
    void *on_step_user;
    sae_progress_fn progress; /* of the pass over the data before training */
    void *progress_user;
} sae_train_options;

SAE_API void sae_train_options_init(sae_train_options *options);

/* A training run. Belongs to one thread at a time. */
typedef struct sae_trainer sae_trainer;

/* Reads the dump once (mean, variance, NaN check, identity), chooses what the options leave open, initialises
   the weights. heldout may be NULL. The dumps must outlive the trainer. The only call that allocates.
   SAE_E_MEMORY tells how much the context's memory limit must be at least. */
SAE_API sae_status sae_trainer_new(sae_trainer **out, const sae_dump *dump, const sae_dump *heldout,
                                   const sae_train_options *options, sae_error *err);

/* Continues from a checkpoint, bit-identically: all numbers come from the checkpoint, only the callbacks, the
   checkpoint path and its interval from the options. SAE_E_MISMATCH when the data are not the same. A damaged
   checkpoint falls back to PATH.prev, which the log tells. */
SAE_API sae_status sae_trainer_load(sae_trainer **out, const char *path, const sae_dump *dump,
                                    const sae_dump *heldout, const sae_train_options *options, sae_error *err);
SAE_API sae_status sae_trainer_save(const sae_trainer *trainer, const char *path, sae_error *err);
SAE_API void sae_trainer_free(sae_trainer *trainer);

/* The options as chosen: nothing is 0 for "from the data" any more. */
SAE_API sae_train_options sae_trainer_options(const sae_trainer *trainer);
SAE_API sae_train_metrics sae_trainer_metrics(const sae_trainer *trainer);
SAE_API uint64_t sae_trainer_rows(const sae_trainer *trainer); /* rows trained on (without the held-out ones) */

/* One step. SAE_E_NONFINITE when the loss is no longer a number. */
SAE_API sae_status sae_trainer_step(sae_trainer *trainer, sae_error *err);

/* Steps until the end, with held-out measurements and checkpoints. SAE_STOPPED when on_step asked for it:
   a checkpoint is then on disk when a path was given. */
SAE_API sae_status sae_trainer_run(sae_trainer *trainer, sae_error *err);

/* The SAE as it is now, in raw activation units (input scaling folded into the weights). */
SAE_API sae_status sae_trainer_model(sae_model **out, const sae_trainer *trainer, sae_error *err);

#ifdef __cplusplus
}
#endif
#endif

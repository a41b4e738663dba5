/* Training an SAE on a dump. */
#ifndef SAE_TRAIN_H
#define SAE_TRAIN_H

#include "apply.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What is trained. Loss and gradient of each are in libsae/train/NAME_sae.c, with their sources. */
typedef enum sae_architecture {
    SAE_ARCH_TOPK = 0,   /* the k largest pre-activations of each row */
    SAE_ARCH_RELU,       /* ReLU with an L1 penalty ("standard") */
    SAE_ARCH_BATCHTOPK,  /* the k · B largest of a batch, at most row_share · k of one row; one threshold afterwards */
    SAE_ARCH_MATRYOSHKA, /* BatchTopK whose first latents are dictionaries of their own */
    SAE_ARCH_JUMPRELU,   /* a threshold for each latent, learnt */
    SAE_ARCH_GATED,      /* a gate beside the magnitude */
    SAE_ARCH_P_ANNEAL    /* ReLU with an Lp penalty whose p falls from 1 */
} sae_architecture;

/* "topk", "relu", …; "unknown" for other values. */
SAE_API const char *sae_architecture_name(sae_architecture architecture);

/* The penalty of architectures without a k; λ is sparsity_coefficient. */
typedef enum sae_sparsity {
    SAE_SPARSITY_AUTO = 0,         /* L1_DECODER_NORM for ReLU and gated, TARGET_L0 for JumpReLU, L1 for p-anneal, which is
                                      λ Σ f^p there */
    SAE_SPARSITY_L1,               /* λ Σ f */
    SAE_SPARSITY_L1_DECODER_NORM,  /* λ Σ f ‖w_dec‖ */
    SAE_SPARSITY_STEP,             /* λ L0 */
    SAE_SPARSITY_TANH,             /* λ Σ tanh(4 f ‖w_dec‖) */
    SAE_SPARSITY_TARGET_L0,        /* λ (L0 / target − 1)² */
    SAE_SPARSITY_TARGET_L0_CODES,  /* the same, with the straight-through estimator on f rather than on the
                                      pre-activation (dictionary_learning; libsae/train/jumprelu_sae.c) */
    SAE_SPARSITY_LP_ROOT           /* p-anneal: λ (Σ f^p)^(1/p) of each row (dictionary_learning) */
} sae_sparsity;

/* How dead latents model the residual (libsae/train/auxk.h). */
typedef enum sae_aux_style { SAE_AUX_LIBSAE = 0, SAE_AUX_DICTIONARY_LEARNING, SAE_AUX_SAELENS } sae_aux_style;

/* The factor s that rows are multiplied by while training; it is folded into the model. */
typedef enum sae_input_scale {
    SAE_SCALE_VARIANCE = 0, /* 1 / √(E‖x − E x‖²): the loss is a fraction of the variance */
    SAE_SCALE_RMS_NORM,     /* 1 / √(E‖x‖²), as dictionary_learning */
    SAE_SCALE_MEAN_NORM,    /* √d / E‖x‖, as SAELens */
    SAE_SCALE_NONE          /* 1 */
} sae_input_scale;

/* Where b_dec starts. */
typedef enum sae_b_dec_init {
    SAE_B_DEC_GEOMETRIC_MEDIAN = 0, /* of the first batch */
    SAE_B_DEC_MEAN,                 /* of all rows */
    SAE_B_DEC_ZERO
} sae_b_dec_init;

/* How the directions of latents are drawn before their rows get their length. */
typedef enum sae_directions_init {
    SAE_DIRECTIONS_NORMAL = 0, /* of normal components: all directions are equally likely */
    SAE_DIRECTIONS_UNIFORM     /* of uniform components, as by PyTorch's kaiming_uniform_: none is much larger than the
                                  others, which matters where rows have a few large dimensions */
} sae_directions_init;

/* Where b_enc starts, in scaled units. */
typedef enum sae_b_enc_init {
    SAE_B_ENC_ZERO = 0,
    SAE_B_ENC_UNIFORM /* uniform in ±1/√d, as a linear layer of PyTorch is made: beside short encoder rows, half of
                         the latents begin with a bias that keeps them silent */
} sae_b_enc_init;

/* The threshold that takes the place of BatchTopK's choice in the model. */
typedef enum sae_threshold_rule {
    SAE_THRESHOLD_QUANTILE = 0, /* k active latents a row over the held-out rows, exactly; until they are measured,
                                   or without any, a running mean of the least activation kept, weight 0.01 */
    SAE_THRESHOLD_EMA,          /* running mean of the least activation kept, weight 0.001, from the first value
                                   after 1000 steps or half of them (dictionary_learning) */
    SAE_THRESHOLD_EMA_SAELENS   /* the same with weight 0.01, from 0 at the first step */
} sae_threshold_rule;

enum { SAE_GROUPS_MAX = 16 };

/* What the loss of each of Matryoshka's n groups counts. */
typedef enum sae_group_loss {
    SAE_GROUP_LOSS_SUM = 0,
    SAE_GROUP_LOSS_MEAN,      /* 1/n */
    SAE_GROUP_LOSS_MEAN_TWICE /* 1/n²: dictionary_learning averages losses that it has already weighed by 1/n, so
                                 that clipping and AuxK see less of them */
} sae_group_loss;

/* Figures of one step, or of the held-out rows. Units: losses are those of the scaled rows; with the default scale a
   fraction of their variance. */
typedef struct sae_train_metrics {
    uint64_t step, steps;      /* steps done, steps in all */
    double loss;               /* of the last batch, reconstruction: Σ‖s x − s x̂‖² / rows */
    double sparsity_loss;      /* the penalty, with its coefficient */
    double aux_loss;           /* AuxK term, or JumpReLU's on pre-activations, before its coefficient; 0 when no latent
                                  is dead */
    double learning_rate;
    double gradient_norm;      /* before clipping */
    double l0;                 /* active latents per row of the last batch */
    double dead;               /* fraction of latents silent for dead_after rows */
    uint64_t exact_rows;       /* rows that screening could not settle since the trainer was made: all their
                                  pre-activations were computed exactly */
    bool heldout_fresh;        /* heldout was measured at this step */
    sae_fidelity heldout;      /* the latest held-out figures; rows = 0 before the first */
} sae_train_metrics;

/* Called on the calling thread after each step. Non-zero: stop after this step (SAE_STOPPED, resumable). */
typedef int (*sae_train_fn)(void *user, const sae_train_metrics *metrics);

/* "From the data", "of the architecture": the default is chosen by sae_trainer_new. Reals that may be 0 are then
   negative, sizes 0. */
typedef struct sae_train_options {
    size_t size;
    sae_architecture architecture;
    size_t n_latents;      /* F; 0: from the data: 16 d as a power of two, at most one latent per 40 rows */
    size_t k;              /* active latents per row; 0: the power of two nearest to √(2d). The target of a penalty
                              by TARGET_L0 or TARGET_L0_CODES */
    size_t batch_rows;     /* rows per step; 0: from F */
    uint64_t steps;        /* 0: chosen from the data */
    uint64_t seed;         /* initial weights and, unless data_seed is given, row order; default 0 */
    uint64_t data_seed;    /* row order; UINT64_MAX (default): as seed */
    double learning_rate;  /* peak; 0: chosen from d and F */
    double warmup;         /* fraction of the steps of linear warm-up */
    bool warmup_from_zero; /* the warm-up has rate 0 at the first step and 1/n of the peak at the next, not 1/n and
                              2/n */
    double decay_start;    /* fraction of the steps after which the rate falls linearly … */
    double decay_to;       /* … to this fraction of its peak */
    double beta1, beta2, epsilon; /* Adam */
    double clip;           /* largest global gradient norm; 0: no clipping */

    sae_sparsity sparsity;
    double sparsity_coefficient; /* λ; negative: of the architecture */
    double sparsity_warmup;      /* fraction of the steps over which λ rises from 0; negative: of the architecture */
    bool sparsity_from_zero;     /* λ is 0 at the first step, as the rate with warmup_from_zero */
    double k_start;              /* k starts this many times larger and falls linearly … */
    double k_anneal;             /* … over this fraction of the steps; 0: k is constant */
    double bandwidth;            /* ε of JumpReLU, in scaled units; 0: 1e-3 */
    double threshold_start;      /* JumpReLU's θ at first, in scaled units; negative: 1e-3 */
    double pre_act_coefficient;  /* c of JumpReLU's loss on the pre-activations of dead latents, c Σ relu(θ − π) ‖w_dec‖
                                    (Anthropic, January 2025 update); 0: none */
    double p_start, p_end;       /* p-anneal: the fraction of the steps where p begins to fall; where it ends */
    size_t p_updates;            /* in so many equal steps */
    size_t n_groups;             /* Matryoshka; 0: 1/32, 1/16, 1/8, 1/4, 17/32 of the latents */
    double groups[SAE_GROUPS_MAX]; /* share of the latents of each group; they add up to 1 */
    sae_group_loss group_loss;
    size_t row_share;            /* batchtopk, matryoshka: codes of one row at most, in multiples of k; default 8. Other
                                    tools have no such limit; memory and time follow it */
    bool rank_by_decoder_norm;   /* with a k: the largest are chosen by pre-activation times length of the decoder row,
                                    as SAELens does; the model's decoder rows have unit length then */
    bool detached_gate;          /* gated: the decoder learns nothing from the gate's reconstruction */

    sae_input_scale input_scale;
    sae_b_dec_init b_dec_init;
    sae_b_enc_init b_enc_init;
    sae_directions_init directions_init;
    bool blas_encoder;     /* pre-activations by BLAS rather than screened: slower, with the bits of this BLAS */
    bool raw_input;        /* b_dec is not subtracted at the input */
    bool free_decoder;     /* decoder rows are not held at unit length */
    double start_norm;     /* length of the rows of encoder and decoder at first; the first step brings those of a
                              decoder that is not free to 1 */

    size_t aux_k;          /* dead latents that model the residual, per row; 0: none; SIZE_MAX: d / 2, 512 at
                              most, with a k, else none */
    double aux_coefficient;
    sae_aux_style aux_style;
    uint64_t dead_after;   /* a latent is dead when it has not fired for so many rows; 0: from the data */
    uint64_t resample_every; /* steps between resamplings of dead latents (Bricken et al. 2023); 0: none */

    sae_threshold_rule threshold_rule;
    double heldout;        /* fraction of the rows held out (at most 16384 rows) when no held-out dump is given */
    uint64_t heldout_every; /* steps between held-out measurements; 0: twenty over the run */
    size_t patience;       /* stop when so many measurements in a row did not improve the held-out FVU; 0: never */
    double spike;          /* SAE_E_NONFINITE when the loss is so many times its running mean; 0: never */
    const char *checkpoint; /* path; NULL: no checkpoints */
    double checkpoint_seconds; /* time between checkpoints; one more is written when stopped */
    const sae_model *start; /* fine-tune this model: its weights, its n_latents and k. Not kept: may be freed after */
    sae_train_fn on_step;
    void *on_step_user;
    sae_progress_fn progress; /* of the pass over the data before training */
    void *progress_user;
} sae_train_options;

SAE_API void sae_train_options_init(sae_train_options *options);

/* Sets the options by which another tool trains: its initialisation, scaling, schedule and constants (names: see
   sae_train_preset_name). Sizes, seed and callbacks stay as they are. SAE_E_NOT_FOUND lists the names. */
SAE_API sae_status sae_train_options_preset(sae_train_options *options, const char *name, sae_error *err);
/* Names of the presets, i = 0, 1, …; NULL after the last. */
SAE_API const char *sae_train_preset_name(size_t i);

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

/* n trainers that share one reading of the rows: out [n]; options [n], each NULL for the defaults. The dump is
   scanned once, and sae_trainer_run_many reads a batch once for all of them; nothing else is shared. They need the
   same batch_rows, steps, heldout and data_seed: the first one's are taken where another's options leave them open.
   Each becomes, bit for bit, the SAE that it would become alone with these values, unless the memory limit leaves
   the set a smaller shuffle window than the SAE alone. On failure all of out are NULL, and the error says which one
   could not be made. All of them belong to one thread at a time and are freed one by one, in any order. Of the
   callbacks for the pass before training, the first one's is called. SAE_E_ARGUMENT when n is 0 or the options
   differ in what is shared. */
SAE_API sae_status sae_trainer_new_many(sae_trainer **out, size_t n, const sae_dump *dump,
                                        const sae_dump *heldout, const sae_train_options *const *options,
                                        sae_error *err);
/* The same from checkpoints, paths [n], which may be of different steps; one whose path is NULL begins anew, in the
   row order and the shuffle window of the first that goes on. SAE_E_MISMATCH when the checkpoints are of runs with
   different windows. */
SAE_API sae_status sae_trainer_load_many(sae_trainer **out, size_t n, const char *const *paths,
                                         const sae_dump *dump, const sae_dump *heldout,
                                         const sae_train_options *const *options, sae_error *err);
SAE_API void sae_trainer_free(sae_trainer *trainer);

/* The options as chosen: nothing is 0 for "from the data" any more. */
SAE_API sae_train_options sae_trainer_options(const sae_trainer *trainer);
SAE_API sae_train_metrics sae_trainer_metrics(const sae_trainer *trainer);
/* What the pass over the data before training found: rows so long that they can take over the loss. */
SAE_API sae_outliers sae_trainer_outliers(const sae_trainer *trainer);
SAE_API uint64_t sae_trainer_rows(const sae_trainer *trainer); /* rows trained on (without the held-out ones) */

/* One step. SAE_E_NONFINITE when the loss is no longer a number. */
SAE_API sae_status sae_trainer_step(sae_trainer *trainer, sae_error *err);

/* Steps until the end, with held-out measurements and checkpoints. SAE_STOPPED when on_step asked for it:
   a checkpoint is then on disk when a path was given. */
SAE_API sae_status sae_trainer_run(sae_trainer *trainer, sae_error *err);

/* The same for trainers [n] that were made together: a batch is read once for all that are at the same step, and
   those that are behind catch up first. One that runs out of patience leaves the set. Each is saved to its own
   checkpoint, all when the first one's checkpoint_seconds are over. SAE_STOPPED when any on_step asked for it, after
   all have done the step and are saved. SAE_E_NONFINITE names the one that diverged; the others are saved, and its
   own checkpoint stays as it was. SAE_E_ARGUMENT when n is 0 or they were not made together. */
SAE_API sae_status sae_trainer_run_many(sae_trainer *const *trainers, size_t n, sae_error *err);

/* The SAE as it is now, in raw activation units (input scaling folded into the weights). */
SAE_API sae_status sae_trainer_model(sae_model **out, const sae_trainer *trainer, sae_error *err);

#ifdef __cplusplus
}
#endif
#endif

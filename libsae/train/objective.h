/* Loss and gradient of an SAE on one batch of scaled rows, whatever its architecture.

       xc = s x − b_dec                              [B, d]  centred rows (s x when the input is not centred)
       z  = xc W_enc,  pre = z + b_enc               [B, F]
       f  = what the architecture makes of pre       [B, F]  mostly 0
       e_g = s x − b_dec − (f W_dec of the first F_g latents)   [B, d] for each group g; one group but for
   Matryoshka R  = Σ_g w_g Σ‖e_g‖² / B,   E_g = Σ_{h ≥ g} w_h e_h ∂R/∂f = −2/B E_g · w_dec,   loss = R +
   sparsity + AuxK

   Only z is dense. The batch goes through three passes:
     forward   row by row: codes, residuals, ∂R/∂f of the codes
     backward  latent by latent: the architecture turns ∂R/∂f into ∂loss/∂z, biases, sums
     sweep     latent by latent: the rows ∂loss/∂w_dec = Σ ∂x̂ f of all latents, then ∂loss/∂w_enc = Σ ∂z xc,
               handed to a receiver while they are in cache: there is no array of gradients. The receiver may
               change the row that it gets the gradient of. One matrix after the other, for then the rows of
               e alone, or of xc, are what the last-level cache has to hold
   When codes are not sparse (dense.h), the same passes run as products of blocks. */
#ifndef SAEI_OBJECTIVE_H
#define SAEI_OBJECTIVE_H

#include "train/architecture.h"
#include "train/auxk.h"
#include "num/panels.h"
#include "train/latent_index.h"
#include "train/row_powers.h"
#include "train/screening.h"
#include "train/selection_weights.h"

enum { SAEI_GROUPS_MAX = 16 };

typedef struct saei_objective_settings {
    const saei_architecture *architecture;
    size_t d, n_latents, k, batch_rows;
    size_t n_groups;                   /* 1, or those of Matryoshka */
    size_t group_end[SAEI_GROUPS_MAX]; /* F_1 < F_2 … = F */
    double group_weight;               /* w_g, the same for all */
    size_t row_share;                  /* BatchTopK's slots of a row, in multiples of k; 0: 8 */
    double target_l0;
    double pre_act_coefficient; /* of JumpReLU's loss on the pre-activations of dead latents; 0: none */
    bool blas_encoder;          /* all scores by BLAS: the reference for the screened ones */
    bool raw_input;             /* b_dec is not subtracted at the input */
    bool unit_rows;             /* the gradient of w_dec is projected orthogonal to it */
    bool detached_gate;         /* the decoder learns nothing from the gate's reconstruction */
    bool rank_by_decoder_norm;  /* of architectures with a k: see selection_weights.h */
    bool root_penalty;          /* the penalty will be SAE_SPARSITY_LP_ROOT */
    saei_auxk_settings aux;
} saei_objective_settings;

typedef struct saei_objective {
    sae_context *context;
    saei_objective_settings settings;
    saei_selection_weights selection; /* what codes are chosen by; NULLs: W_enc and b_enc themselves */
    saei_panels *panels;              /* these weights for screening; NULL with a BLAS encoder */
    saei_screening screening;
    saei_screen_counts screened; /* of all passes over rows */
    saei_screen_counts *counts;  /* per worker of the last pass over rows */
    size_t slots;                /* codes a row may have; a row with more makes the batch dense */
    float *xc;                   /* [B, d]; the caller puts the raw rows here */
    float *e;                    /* [B, n_groups, d]: E_g after the forward pass */
    float *e_gate;               /* [B, d]: residual of relu(π), gated only */
    float *floor;                /* [F] */
    saei_code_slots codes;       /* values are pre-activations, or the scores that selection makes of them */
    float *g, *g_gate;           /* [B, slots]: ∂R/∂f and the gate's */
    saei_latent_index index;
    saei_row_powers powers;
    saei_auxk aux;
    uint8_t *dead;          /* [F]: latents that the loss on pre-activations is for; NULL without it */
    size_t n_dead;          /* of them */
    double l0;              /* of the last batch: guess whether the next one is dense */
    bool dense;             /* the last batch was */
    _Atomic uint8_t *fired; /* [F] latents with codes in the last forward pass, when it was dense */
    bool has_floors;
    size_t k;              /* of this step, at most settings.k */
    bool any_length;       /* unit_rows: rows of W_dec may not have length 1 yet, as before the first step */
    float fixed_threshold; /* BatchTopK keeps what is above it instead; negative: its own choice */
    float batch_floor;     /* a guess of BatchTopK's threshold, from the last batch */
    uint64_t reselections; /* times the guess was too high */
    float *norm_x, *norm_e, *norm_gate; /* [B], [B, n_groups], [B]: of the rows of xc, e and e_gate */
    double *tile_sums;                  /* [tiles, saei_objective_tile_sums] */
    saei_latent_sums *latent_sums;      /* [F] */
    double *part_norm2; /* [parts]: squared norms of the gradients of some latents, or bounds of them */
    float *part_b_dec;  /* [parts, d]: what their encoder rows add to the gradient of b_dec */
    float *g_b_dec;     /* [d] ∂loss/∂b_dec, after the backward pass, or the sweep when dense */
    float *tile_floats, *part_floats; /* scratch for each worker of a pass over rows, over latents */
} saei_objective;

typedef struct saei_objective_result {
    double loss;           /* R */
    double reconstruction; /* Σ‖e‖² / B of all latents */
    double aux_loss;       /* before its coefficient */
    uint64_t active;       /* codes in the batch */
} saei_objective_result;

/* Receives the gradient of what belongs to a latent. Called twice for each: with the row of W_dec, later with
   that of W_enc, b_enc and the extras; from several threads, SAEI_SWEEP_LATENTS neighbours in order by one
   thread. */
typedef struct saei_latent_gradient {
    size_t latent;
    float *W_enc, *W_dec;                /* [d]; NULL: not in this call */
    float b_enc, extra[SAEI_EXTRAS_MAX]; /* with W_enc */
} saei_latent_gradient;

typedef void (*saei_gradient_fn)(void *arg, const saei_latent_gradient *gradient);

enum { SAEI_RECEIVER_READS = 3 };

typedef struct saei_gradient_receiver {
    saei_gradient_fn receive;
    void *arg;
    /* Of these it reads the latent's rows, which come into the cache while gradients are made; NULL: none. */
    const saei_parameters *reads[SAEI_RECEIVER_READS];
} saei_gradient_receiver;

enum { SAEI_SWEEP_LATENTS = 32 };

sae_status saei_objective_new(saei_objective *out, sae_context *context,
                              const saei_objective_settings *settings, sae_error *err);
void saei_objective_free(saei_objective *objective);

/* What _new will allocate at most, on any number of threads: the shuffle gets the rest of the budget, so that
   a number that followed the threads would change the order of the rows. */
size_t saei_objective_bytes(const saei_objective_settings *settings);

/* To be called whenever the weights changed other than in a sweep's receiver. */
void saei_objective_pack(saei_objective *objective, const saei_parameters *parameters);

/* Declares the latents dead that were silent for at least dead_after rows; silent [F] counts rows. None is at
 * first. */
void saei_objective_set_dead(saei_objective *objective, const uint64_t *silent, uint64_t dead_after);

/* Scales and centres the first `rows` rows in xc, encodes them into codes and leaves their residuals in e:
   for held-out rows too. rows <= batch_rows. */
void saei_objective_forward(saei_objective *objective, const saei_parameters *parameters,
                            const saei_penalty *penalty, float scale, size_t rows);

/* Codes with f ≠ 0 in the last forward pass. */
uint64_t saei_objective_active(const saei_objective *objective, size_t rows);

/* Sets fired [F] of the latents with f ≠ 0 somewhere in the last forward pass. */
void saei_objective_mark_fired(const saei_objective *objective, const saei_parameters *parameters,
                               size_t rows, uint8_t *fired);

/* After forward on a whole batch: the losses, and everything but the rows of the matrices' gradients.
   penalty->weight is set from its coefficient. */
saei_objective_result saei_objective_backward(saei_objective *objective, const saei_parameters *parameters,
                                              saei_penalty *penalty);

/* An upper bound of the gradient's norm, from the norms of what it is a sum of; INFINITY when that says
 * nothing. */
double saei_objective_norm_bound(const saei_objective *objective);

/* Hands out the gradients of all latents; returns the norm of the whole gradient. receiver may be NULL. */
double saei_objective_sweep(saei_objective *objective, const saei_parameters *parameters,
                            const saei_penalty *penalty, const saei_gradient_receiver *receiver);

/* After the sweep: λ times the mean of the sparsity terms, and what λ is multiplied by when p becomes p_next,
   so that p-anneal's penalty goes on where it was. */
double saei_objective_sparsity(const saei_objective *objective, const saei_penalty *penalty);
/* The loss on pre-activations before its coefficient. */
double saei_objective_pre_act(const saei_objective *objective);
double saei_objective_p_ratio(const saei_objective *objective, const saei_penalty *penalty);

#endif

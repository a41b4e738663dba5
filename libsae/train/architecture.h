/* What is particular to an architecture: which pre-activations are kept, what becomes of them, and the loss
   beside reconstruction. Everything else is the same for all (objective.h). */
#ifndef SAEI_ARCHITECTURE_H
#define SAEI_ARCHITECTURE_H

#include "sae/train.h"
#include "train/parameters.h"

typedef enum saei_selection {
    SAEI_SELECT_ROW_TOPK,   /* the k largest positive ones of each row */
    SAEI_SELECT_BATCH_TOPK, /* the k · B largest positive ones of the batch */
    SAEI_SELECT_ABOVE_FLOOR /* all above the floor of their latent: may be dense */
} saei_selection;

/* The loss beside reconstruction as it stands at one step. */
typedef struct saei_penalty {
    sae_sparsity kind;
    double coefficient; /* λ of this step */
    float weight;       /* what an entry's term weighs: λ / B, or what the batch makes of it (target L0) */
    float pre_act;      /* c / B of JumpReLU's loss on pre-activations; set with the weight */
    float bandwidth;    /* ε of the straight-through estimator */
    float p, p_next;    /* exponent of p-anneal now, and after its next update */
    size_t rows;        /* of the batch; set with the weight */
} saei_penalty;

/* What an entry needs to know of its latent. */
typedef struct saei_latent {
    float b_enc, extra[SAEI_EXTRAS_MAX];
    float decoder_norm; /* ‖w_dec‖, where the penalty uses it */
    bool dead;          /* where the loss on pre-activations is used */
} saei_latent;

/* Entries of one latent. For a gated SAE the reconstruction from relu(π) has a weight and a gradient of its
 * own. */
typedef struct saei_latent_entries {
    size_t n;
    float *value;        /* in: pre-activations; out: f, 0 where the latent is silent */
    float *g;            /* in: ∂reconstruction/∂f; out: ∂loss/∂(xc · w_enc) */
    float *gate_value;   /* out: relu(π) */
    float *gate_g;       /* in: ∂(its reconstruction)/∂relu(π) */
    const uint32_t *row; /* of the batch that each is of; NULL: entry i is of row i */
    const float
        *row_slope; /* [B], where the penalty has a slope of its own on each row (row_powers.h); else NULL */
} saei_latent_entries;

/* Sums over the entries of a latent. */
typedef struct saei_latent_sums {
    double pre;                    /* Σ ∂loss/∂(xc · w_enc) */
    double b_enc;                  /* ∂loss/∂b_enc */
    double extra[SAEI_EXTRAS_MAX]; /* ∂loss/∂extra */
    double decoder_norm;           /* ∂loss/∂‖w_dec‖ */
    double sparsity;               /* Σ of the terms whose mean over rows λ multiplies */
    double sparsity_next;          /* the same with p_next */
    double pre_act;                /* Σ relu(θ − pre) ‖w_dec‖ of a dead latent */
    size_t active;                 /* entries with f ≠ 0 */
} saei_latent_sums;

typedef struct saei_architecture {
    const char *name;
    saei_selection selection;
    size_t n_extra;
    const char *extra_names[SAEI_EXTRAS_MAX];
    bool gated; /* has the second reconstruction */
    /* floor [F]; NULL: 0 for all. */
    void (*floors)(float *floor, const saei_parameters *parameters, const saei_penalty *penalty);
    /* f of an entry above its floor; NULL: the pre-activation itself. */
    float (*activate)(float pre, const saei_parameters *parameters, size_t latent);
    /* Fills sums, which are zero, and replaces value and g. */
    void (*backward)(const saei_latent_entries *entries, saei_latent_sums *sums, const saei_latent *latent,
                     const saei_penalty *penalty);
} saei_architecture;

extern const saei_architecture saei_topk_architecture, saei_batchtopk_architecture,
    saei_matryoshka_architecture, saei_relu_architecture, saei_jumprelu_architecture, saei_gated_architecture,
    saei_p_anneal_architecture;

static inline bool saei_penalty_aims_at_l0(sae_sparsity kind)
{
    return kind == SAE_SPARSITY_TARGET_L0 || kind == SAE_SPARSITY_TARGET_L0_CODES;
}

/* Whether latents without entries have a gradient too. */
static inline bool saei_penalty_sees_silence(sae_sparsity kind)
{
    return kind == SAE_SPARSITY_TARGET_L0_CODES;
}

const saei_architecture *saei_architecture_find(sae_architecture architecture);

/* The gradient of entries that are kept as they are, all active: ∂f/∂pre = 1 and no further loss. */
void saei_backward_identity(const saei_latent_entries *entries, saei_latent_sums *sums,
                            const saei_latent *latent, const saei_penalty *penalty);

#endif

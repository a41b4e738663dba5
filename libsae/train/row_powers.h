/* What p-anneal's penalty λ Σ_r S_r^(1/p) / B needs of each row (SAE_SPARSITY_LP_ROOT): S_r = Σ_j f_rj^p. Its
   slope by f_rj is λ / B · S_r^(1/p − 1) f_rj^(p − 1). */
#ifndef SAEI_ROW_POWERS_H
#define SAEI_ROW_POWERS_H

#include "train/architecture.h"

typedef struct saei_row_powers {
    double *now, *next; /* [B]: S_r, and with p_next; NULL where the penalty is another */
    float *slope;       /* [B]: S_r^(1/p − 1) */
} saei_row_powers;

static inline bool saei_row_powers_wanted(const saei_row_powers *powers, const saei_penalty *penalty)
{
    return powers->now != NULL && penalty->kind == SAE_SPARSITY_LP_ROOT;
}

/* Row r has no codes yet … */
void saei_row_powers_start(const saei_row_powers *powers, size_t r);
/* … gets n more; those not above 0 count nothing … */
void saei_row_powers_add(const saei_row_powers *powers, size_t r, const float *f, size_t n,
                         const saei_penalty *penalty);
/* … and is complete. */
void saei_row_powers_finish(const saei_row_powers *powers, size_t r, const saei_penalty *penalty);

/* Σ_r S_r^(1/p), and its ratio to the same with p_next. */
double saei_row_powers_sum(const saei_row_powers *powers, size_t rows, const saei_penalty *penalty);
double saei_row_powers_ratio(const saei_row_powers *powers, size_t rows, const saei_penalty *penalty);

#endif

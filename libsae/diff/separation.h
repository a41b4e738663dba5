/* The figures of one score per case. */
#ifndef SAEI_SEPARATION_H
#define SAEI_SEPARATION_H

#include "diff/cases.h"
#include "diff/rank_sum.h"

/* Buffers for the figures of one score at a time. */
typedef struct saei_separation {
    const saei_cases *cases;
    saei_scored *sorted; /* [cases] */
    double *placement;   /* [cases] */
    double *clusters;    /* [4 × prompts or models] */
    double *ways;        /* of saei_rank_sum_p */
    saei_scored *models; /* [models] */
    double *sum, *count; /* [models] */
} saei_separation;

sae_status saei_separation_alloc(saei_separation *s, const saei_cases *cases, sae_error *err);
void saei_separation_release(saei_separation *s);

/* Fills every figure of out but the latents and the held-out accuracies. score [cases]. */
void saei_separation_describe(sae_discrimination *out, saei_separation *s, const double *score);

/* AUROC of the cases outside fold `left_out` (folds may be NULL: of all). */
double saei_separation_auroc(saei_separation *s, const double *score, const saei_folds *folds,
                             uint32_t left_out);

/* The cut from the means of the models over the cases outside the fold, tested on their means over those
   inside: adds to *correct and *tested. Nothing is tested when the training cases are of one kind. */
void saei_separation_test(size_t *correct, size_t *tested, saei_separation *s, const double *score,
                          const saei_folds *folds, uint32_t fold);

#endif

/* The inside of sae_rankers: conditions read once, scored by every ranker. */
#ifndef SAEI_SIDE_BY_SIDE_H
#define SAEI_SIDE_BY_SIDE_H

#include "diff/attribution.h"
#include "diff/comparison.h"
#include "diff/difference_encoding.h"
#include "diff/rankers.h"
#include "diff/ranking.h"
#include "diff/residual_shift.h"

enum { SAEI_REASON_BYTES = 512 };

struct sae_rankers {
    sae_context *context;
    sae_ranking *ranking;
    saei_ranker_scores *scores;  /* of the first bad condition, with those over all */
    uint32_t *rank[SAE_RANKERS]; /* [n_latents] from 1; NULL without scores */
    sae_agreement agreement;
    char no_difference[SAEI_REASON_BYTES]; /* why rows do not pair; empty when they do */
};

/* What is kept of a dump beside its profile. */
typedef struct saei_side_reading {
    saei_groups *groups;
    saei_residual_mean *residual;
    saei_difference_encoder *encoder; /* of a bad condition with the rows of before, else NULL */
    saei_attribution *attribution;    /* where gradients were given, else NULL */
    saei_profile *difference;         /* of the encoder */
} saei_side_reading;

typedef struct saei_side_readings {
    const sae_model *model;
    const sae_rankers_input *input;
    saei_comparison comparison;
    sae_fidelity *fidelity; /* [n_dumps] */
    saei_side_reading *of;  /* [n_dumps] in the order of the comparison */
    char no_difference[SAEI_REASON_BYTES];
} saei_side_readings;

/* Checks every dump, then reads each once and matches them. Release in every case. */
sae_status saei_side_readings_read(saei_side_readings *out, const sae_model *model,
                                   const sae_rankers_input *input, const sae_rank_options *options,
                                   sae_error *err);
void saei_side_readings_release(saei_side_readings *readings);

#endif

/* What a study keeps of each condition after the one pass over its dump. */
#ifndef SAEI_READINGS_H
#define SAEI_READINGS_H

#include "apply/fidelity.h"
#include "diff/matching.h"
#include "diff/pairing.h"
#include "diff/residual_shift.h"
#include "diff/strata.h"
#include "study/study.h"

typedef struct saei_reading {
    saei_groups *groups;
    saei_profile *profile;
    saei_residual_mean *mean;
    saei_strata *strata;
    sae_fidelity fidelity;
} saei_reading;

typedef struct saei_readings {
    sae_context *context;
    const sae_study *study;
    const char *group; /* the column that names the prompts in every dump */
    size_t n;
    saei_reading *of;        /* [n] by condition */
    saei_matching *matching; /* row weights of the conditions; NULL: all rows weigh alike */
    bool *paired;            /* [n] whether the condition holds the prompts of the base */
} saei_readings;

/* Checks every dump before the first is read, then reads each once. */
sae_status saei_readings_new(saei_readings **out, const sae_study *study, const sae_model *model,
                             sae_progress_fn progress, void *user, sae_error *err);
void saei_readings_free(saei_readings *readings);

/* Whether two conditions hold the same prompts. Conditions on prompts of their own count as unpaired. */
static inline bool saei_readings_paired(const saei_readings *readings, size_t a, size_t b)
{
    return a == b || (readings->paired[a] && readings->paired[b]);
}

/* The same for all conditions in is [n]. */
bool saei_readings_paired_all(const saei_readings *readings, size_t a, const bool *is);

/* *out = the mean profile of the conditions in is [n], of which there is at least one; to be freed. */
sae_status saei_readings_mean(saei_profile **out, const saei_readings *readings, const bool *is,
                              sae_error *err);

#endif

/* How the latents answer to the share of bad data, and how far ahead of the behaviour. */
#ifndef SAEI_DOSE_RESPONSE_H
#define SAEI_DOSE_RESPONSE_H

#include "diff/series.h"

/* A series of doses. Entry 0 of rate and trials is the control, entry k its k-th condition. */
typedef struct saei_doses {
    saei_series series;  /* at[k]: doses, all above control_dose */
    double control_dose; /* usually 0 */
    const double
        *rate; /* [n + 1] share of answers that show the behaviour, 0 … 1, NaN: not measured; or NULL */
    const uint64_t *trials; /* [n + 1] answers that each rate is of; NULL: unknown */
    double threshold; /* the rate that counts as shown; 0: decided by trials, or without them the control's +
                         0.05 */
} saei_doses;

/* responses [n_latents], points [n_latents, n]; with latents = NULL over all latents of the model. behaviour
   may be NULL. Needs memory for the effects of one condition, and of all for the trend. */
sae_status saei_dose_response(sae_dose_response *responses, sae_series_point *points,
                              sae_behaviour *behaviour, const saei_doses *doses, sae_error *err);

/* The lowest dose at which the behaviour is shown: rate ≥ threshold; or, without a threshold and with trials,
   Fisher's exact one-sided test against the control, Holm over the doses, below alpha. */
sae_status saei_behaviour_onset(sae_behaviour *behaviour, const saei_doses *doses, sae_error *err);

#endif

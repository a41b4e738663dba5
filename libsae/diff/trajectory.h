/* How the latents come and go over the steps of a fine-tuning or a re-alignment. */
#ifndef SAEI_TRAJECTORY_H
#define SAEI_TRAJECTORY_H

#include "diff/series.h"

typedef struct saei_steps {
    saei_series series; /* at[k]: steps */
    size_t
        sustain; /* so many further steps must be significant as well for an onset, as far as there are any */
    double margin; /* a rise of this size counts as none; 0: the larger of the spread of the control runs and
                      margin_share of the peak */
    double margin_share;
    size_t bootstrap; /* draws for the interval of `remaining`; 0: none */
    double confidence;
} saei_steps;

/* trajectories [n_latents], points [n_latents, n]; over all latents of the model without a list. Keeps the
   effects of every step: memory proportional to what fires in all of them. half_life and remaining need a
   peak with p_holm < alpha. */
sae_status saei_trajectory(sae_trajectory *trajectories, sae_series_point *points, const saei_steps *steps,
                           sae_error *err);

#endif

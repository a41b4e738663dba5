/* One condition of a study with what it is compared with. */
#ifndef SAEI_COMPARED_H
#define SAEI_COMPARED_H

#include "study/findings.h"

typedef struct saei_compared {
    sae_findings *findings;
    size_t condition, base, n_controls;
    bool *is_control; /* [conditions] */
    bool paired;      /* with every control; with the base without one */
} saei_compared;

/* Fills shift, together and p_direction of the candidates in the condition, and the summary of its shift. */
sae_status saei_explain_shift(const saei_compared *c, sae_error *err);

#endif

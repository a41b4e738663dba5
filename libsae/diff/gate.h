/* The fidelity gate: when a ranking should not be believed as it stands. */
#ifndef SAEI_GATE_H
#define SAEI_GATE_H

#include "sae/diff.h"

enum { SAEI_WARNING_BYTES = 512 };

/* fidelity, names [n]: before, after, controls. Writes a sentence and returns true when the model does not
   fit the rows of one of them: FVU above 1/2, or above twice that of before and 0.05 more. docs/METHODS.md
   says why. */
bool saei_gate_fidelity(char text[SAEI_WARNING_BYTES], const sae_fidelity *fidelity, const char *const *names,
                        size_t n);

/* The same when there are so few prompts that no permutation p can be below 0.05. */
bool saei_gate_prompts(char text[SAEI_WARNING_BYTES], bool paired, size_t n_y, size_t n_x);

#endif

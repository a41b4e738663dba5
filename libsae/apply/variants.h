/* Sums behind the figures of sae_fidelity_variants, filled block by block. */
#ifndef SAEI_VARIANTS_H
#define SAEI_VARIANTS_H

#include "apply/pass.h"

typedef struct saei_variants saei_variants;

/* mean [d]: that of all rows, borrowed. */
sae_status saei_variants_new(saei_variants **out, sae_context *context, size_t d, const double *mean,
                             sae_error *err);
void saei_variants_free(saei_variants *variants);

/* block->xhat must be there. Blocks in row order. */
void saei_variants_add(saei_variants *variants, const saei_block *block);

sae_fidelity_variants saei_variants_get(const saei_variants *variants);

#endif

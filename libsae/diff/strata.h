/* Where a latent fires: its mean activation by region, position and any named column. */
#ifndef SAEI_STRATA_H
#define SAEI_STRATA_H

#include "apply/groups.h"
#include "apply/pass.h"
#include "sae/diff.h"

/* Sums over the rows of each stratum, from the blocks of a pass. Memory: strata numbers for each latent that
   fires and for each prompt, and a byte for each row and column. */
typedef struct saei_strata saei_strata;

enum { SAEI_STRATA_MAX = 250 };

/* Columns: "is_continuation" by value and "position" in powers of two (0, 1, 2-3, … from 2^14 on), each where
   the dump has it, and the n_columns named ones by value. groups are those of the same rows and must outlive
   it. SAE_E_NOT_FOUND: no such column; SAE_E_NONFINITE: a value is NaN; SAE_E_UNSUPPORTED: a column has more
   than 64 values, or all together make more than SAEI_STRATA_MAX strata. */
sae_status saei_strata_new(saei_strata **out, sae_context *context, const sae_dump *dump,
                           const saei_groups *groups, const char *const *columns, size_t n_columns,
                           size_t n_latents, sae_error *err);
/* A saei_block_fn. */
sae_status saei_strata_observe(void *strata, const saei_block *block, sae_error *err);
void saei_strata_free(saei_strata *strata);

size_t saei_strata_count(const saei_strata *strata);
/* i < count. Columns in the order above, values ascending. */
sae_stratum saei_strata_at(const saei_strata *strata, size_t i);

/* mean, freq [count]: figures of one latent, as sae_stratum_change has them. */
void saei_strata_latent(double *mean, double *freq, const saei_strata *strata, uint32_t latent);

/* How many strata the two have together; strata are the same when column and range are. */
size_t saei_strata_union(const saei_strata *before, const saei_strata *after);
/* out [saei_strata_union]: those of after in their order, then those that only before has. A stratum that a
   side lacks has rows = 0 there. */
void saei_strata_compare(sae_stratum_change *out, const saei_strata *before, const saei_strata *after,
                         uint32_t latent);

#endif

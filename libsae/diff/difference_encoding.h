/* What the SAE makes of the change of each row: the encoding of a_after − a_before, row by row. */
#ifndef SAEI_DIFFERENCE_ENCODING_H
#define SAEI_DIFFERENCE_ENCODING_H

#include "diff/profile.h"

/* Fills a profile from the blocks of a pass over `after`, while the same rows of `before` are read beside it.
   A row difference, of normalised rows where the model normalises them, is encoded by a saei_difference_view,
   not by encode(a_after) − encode(a_before), whose mean is Δ itself. Memory follows the (prompt, latent)
   pairs in which a difference is active. */
typedef struct saei_difference_encoder saei_difference_encoder;

/* SAE_E_MISMATCH when the dumps are not the same rows (saei_dump_same_rows). groups are those of the rows
   of after; model, before and groups must outlive the encoder. */
sae_status saei_difference_encoder_new(saei_difference_encoder **out, const sae_model *model,
                                       const sae_dump *before, const sae_dump *after, const char *group,
                                       const saei_groups *groups, const double *row_weight, sae_error *err);
/* A saei_block_fn; the codes of the block are not looked at. */
sae_status saei_difference_encoder_observe(void *encoder, const saei_block *block, sae_error *err);
/* Mean activation and firing fraction of each latent on the differences of each prompt. */
sae_status saei_difference_encoder_finish(saei_profile **out, saei_difference_encoder *encoder,
                                          sae_error *err);
void saei_difference_encoder_free(saei_difference_encoder *encoder);

#endif

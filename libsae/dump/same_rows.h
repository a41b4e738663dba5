/* Whether two dumps hold the same tokens, row by row. */
#ifndef SAEI_SAME_ROWS_H
#define SAEI_SAME_ROWS_H

#include "sae/dump.h"

/* SAE_E_MISMATCH unless both have as many rows, as wide, none dropped, and agree in each of the columns
   token_ids, position, prompt_id, doc_id, sequence, is_continuation and `column` (NULL: no further one) that
   both have: the text says where they part. */
sae_status saei_dump_same_rows(const sae_dump *before, const sae_dump *after, const char *column,
                               sae_error *err);

#endif

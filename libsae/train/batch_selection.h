/* BatchTopK's choice among the codes of a batch. */
#ifndef SAEI_BATCH_SELECTION_H
#define SAEI_BATCH_SELECTION_H

#include "num/encoder.h"

/* Drops all but the `keep` largest values of the first `rows` rows, k slots each, values > 0; of equal ones
   the first by row and latent stay. Returns the least value kept, 0 when there are not more than `keep`. */
float saei_batch_selection(saei_code_slots *codes, size_t rows, size_t k, size_t keep);

#endif

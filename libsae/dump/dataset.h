/* What a file is, and which of its arrays holds the activations. */
#ifndef SAEI_DATASET_H
#define SAEI_DATASET_H

#include "io/reader.h"

/* "checkpoint", "model", "codes", "steering", "ranking", "rankers", "statistics", "prompt means", "dump" or "arrays", as
   sae_file_role. */
const char *saei_reader_role(const saei_reader *reader);

/* The array called `name`, or with NULL the one 2-D or 3-D float array there is. It has rank 2 or 3 and a
   width. SAE_E_ARGUMENT: several candidates, which the text lists; SAE_E_NOT_FOUND: no such array;
   SAE_E_MISMATCH: a file of another kind. */
sae_status saei_dataset_find(const saei_array_info **out, const saei_reader *reader, const char *name,
                             sae_error *err);

#endif

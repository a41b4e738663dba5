/* Tokens and sequences of a folder of raw shards, as dictionary_learning's activation cache keeps them:
   tokens.pt and sequence_ranges.pt beside the shards or in the folder above, for the rows of all shards one
   after the other. */
#ifndef SAEI_STORE_H
#define SAEI_STORE_H

#include "dump/handle.h"

/* Adds the columns token_ids, prompt_id and position to shards first .. first + count - 1, which are all of
   the folder. Checks them against config.json: the number of shards and rows. Prompts are counted on from
   first_prompt; *n_prompts is how many there are. SAE_E_MISMATCH: they do not belong to so many rows. */
sae_status saei_store_columns(uint64_t *n_prompts, sae_dump *dump, const char *folder, size_t first,
                              size_t count, uint64_t first_prompt, sae_error *err);

#endif

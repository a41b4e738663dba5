/* Rows that are no tokens. */
#ifndef SAEI_PADDING_H
#define SAEI_PADDING_H

#include "sae/dump.h"

/* Takes the rows whose `mask`, else `attention_mask`, is 0 out of the selection, where that column is an
   array of bools or whole numbers; says so in the log. SAE_E_ARGUMENT when nothing is left. */
sae_status saei_dump_drop_padding(sae_dump *dump, sae_error *err);

#endif

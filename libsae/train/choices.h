/* What the options leave open, chosen from the data. */
#ifndef SAEI_CHOICES_H
#define SAEI_CHOICES_H

#include "sae/train.h"

/* Replaces every "0: from the data" in options for rows [rows, d], and checks the ranges of all options:
   SAE_E_ARGUMENT names the one that is wrong. */
sae_status saei_train_options_choose(sae_train_options *options, size_t d, uint64_t rows, sae_error *err);

/* Whether the architecture keeps a number of codes that is given. */
bool saei_has_k(sae_architecture architecture);

#endif

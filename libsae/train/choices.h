/* What the options leave open, chosen from the data. */
#ifndef SAEI_CHOICES_H
#define SAEI_CHOICES_H

#include "sae/train.h"

/* Replaces every "0: from the data" in options for rows [rows, d], and checks the ranges of all options:
   SAE_E_ARGUMENT names the one that is wrong. */
sae_status saei_train_options_choose(sae_train_options *options, size_t d, uint64_t rows, sae_error *err);

/* The learning rate of step t = 0 .. steps - 1: linear warm-up, constant, linear decay to 0. */
double saei_learning_rate(const sae_train_options *options, uint64_t t);

#endif

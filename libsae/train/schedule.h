/* What changes from step to step. */
#ifndef SAEI_SCHEDULE_H
#define SAEI_SCHEDULE_H

#include "train/architecture.h"

/* The learning rate of step t = 0 .. steps - 1: linear warm-up, constant, linear decay. */
double saei_learning_rate(const sae_train_options *options, uint64_t t);

/* k of step t: from k_start times larger, linearly over k_anneal of the steps. */
size_t saei_schedule_k(const sae_train_options *options, uint64_t t);

/* p of p-anneal at step t: 1, then down to p_end in p_updates steps of equal height and length. */
double saei_schedule_p(const sae_train_options *options, uint64_t t);

/* The penalty of step t; anneal is the factor that λ has taken on with the changes of p. */
saei_penalty saei_schedule_penalty(const sae_train_options *options, uint64_t t, double anneal);

#endif

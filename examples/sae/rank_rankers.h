/* sae rank with other scores than the usual one, side by side. */
#ifndef RANK_RANKERS_H
#define RANK_RANKERS_H

#include "command.h"

typedef struct rankers_args {
    const char *file, *gradients, *gradients_before;
    int by, over, controls; /* choices; -1: not given */
} rankers_args;

extern const option rankers_options[]; /* of rankers_args */

void rankers_args_init(rankers_args *args);

/* Whether one bad condition by the usual score will not do. */
bool rankers_wanted(const rankers_args *args, size_t n_after);

/* Adds to input, whose dumps are there, what the options ask for. */
void rankers_choose(sae_rankers_input *input, const rankers_args *args);

/* How far the rankers agree, and where each puts the first latents of the ranking. */
void print_agreement(FILE *stream, const sae_rankers *rankers, size_t top);

#endif

/* The tables of sae rank. */
#ifndef RANK_TABLES_H
#define RANK_TABLES_H

#include "args.h"

#include <sae.h>

/* The fit of the model on each dump, the warning if there is one, and how prompts are compared. */
void print_fidelity_table(FILE *stream, const sae_ranking *ranking, const char *before,
                          const text_list *after, const text_list *controls);

/* The first `top` latents. */
void print_ranking_table(FILE *stream, const sae_ranking *ranking, size_t top, double confidence);

#endif

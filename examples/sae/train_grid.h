/* Several SAEs at once: every combination of the sizes, k, seeds and learning rates that are listed. */
#ifndef TRAIN_GRID_H
#define TRAIN_GRID_H

#include "args.h"

#include <sae.h>

enum { TRAIN_GRID_MAX = 64, TRAIN_NAME_BYTES = 128, TRAIN_PATH_BYTES = 4096 };

/* An empty list leaves the option as it is. */
typedef struct train_grid {
    number_list latents, k, seeds, rates;
} train_grid;

/* How many SAEs are wanted, at least 1; 0 after a complaint about too many, or about a number listed twice. */
size_t train_grid_size(const train_grid *grid);

/* Puts the numbers of the i-th SAE into options. Its name is made of those that vary, "F1024-k16-s0-lr0.001"; "" when
   it is the only one. Seeds vary faster than sizes. */
void train_grid_cell(char name[TRAIN_NAME_BYTES], sae_train_options *options, const train_grid *grid, size_t i);

/* "sae.safetensors" and "F1024-k16" to "sae-F1024-k16.safetensors". -1 when the path is too long. */
int train_grid_path(char out[TRAIN_PATH_BYTES], const char *path, const char *name);

#endif

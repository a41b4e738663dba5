/* What sae train tells of a model when it is done. */
#ifndef TRAIN_RESULT_H
#define TRAIN_RESULT_H

#include <sae.h>

void train_result_json(const sae_trainer *trainer, const char *model);
void train_result_print(const sae_trainer *trainer, const char *model);

#endif

/* What is made of a model of another tool, for people and for scripts. */
#ifndef MODEL_CHOICES_H
#define MODEL_CHOICES_H

#include <jansson.h>
#include <sae.h>

void print_choices(const sae_import *import, const char *path);
json_t *json_choices(const sae_import *import, const char *path);

#endif

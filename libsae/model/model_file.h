/* libsae's own model file. */
#ifndef SAEI_MODEL_FILE_H
#define SAEI_MODEL_FILE_H

#include "sae/model.h"

/* The shape alone: d, F, the activation and k. */
sae_status saei_model_file_shape(sae_params *out, sae_context *context, const char *path, sae_error *err);

sae_status saei_model_file_load(sae_model **out, sae_context *context, const char *path, sae_error *err);

#endif

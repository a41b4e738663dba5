/* Small JSON files beside data. */
#ifndef SAEI_SIDE_JSON_H
#define SAEI_SIDE_JSON_H

#include "sae/base.h"

#include <jansson.h>

/* An object of at most 1 MiB of text; *out is to be json_decref'ed. SAE_E_FORMAT. */
sae_status saei_side_json_load(json_t **out, sae_context *context, const char *path, sae_error *err);

#endif

/* JSON files: small ones, read whole. */
#ifndef SAEI_JSON_FILE_H
#define SAEI_JSON_FILE_H

#include "sae/base.h"

#include <jansson.h>

/* *out = the value in the file, to be released with json_decref. A file of more than bytes_max bytes, or one
   that is not JSON, is SAE_E_FORMAT: "PATH: this is no WHAT". Duplicate keys are refused. */
sae_status saei_json_file_read(json_t **out, sae_context *context, const char *path, const char *what,
                               size_t bytes_max, sae_error *err);

/* Writes the value, indented, with every digit of its numbers; a temporary is synced and renamed. */
sae_status saei_json_file_save(sae_context *context, const char *path, bool overwrite, const json_t *value,
                               sae_error *err);

#endif

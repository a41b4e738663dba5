/* Bytes that wait in a temporary file until it is known where they belong. */
#ifndef SAEI_SPOOL_H
#define SAEI_SPOOL_H

#include "sae/base.h"

typedef struct saei_spool saei_spool;

/* A new file at path, whose name is removed at once: whatever ends the program frees its space. Errors call
   it `shown`. */
sae_status saei_spool_new(saei_spool **out, sae_context *context, const char *path, const char *shown,
                          sae_error *err);
void saei_spool_free(saei_spool *spool);

sae_status saei_spool_append(saei_spool *spool, const void *bytes, size_t n, sae_error *err);
uint64_t saei_spool_bytes(const saei_spool *spool);
sae_status saei_spool_read(void *out, const saei_spool *spool, uint64_t first, size_t n, sae_error *err);

#endif

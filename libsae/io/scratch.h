/* Temporary files, and arrays that lie in them when memory is short. */
#ifndef SAEI_SCRATCH_H
#define SAEI_SCRATCH_H

#include "sae/base.h"

/* A new file without a name in the folder of the environment variable TMPDIR, else in /tmp: whatever ends the
   program frees its space. *name: what errors call it, to be freed with saei_free. */
sae_status saei_scratch_open(int *fd, char **name, sae_context *context, sae_error *err);

/* As saei_alloc while at most half of the memory limit is taken, so that the other half is left for what must
   be in memory. Beyond, the array lies in a temporary file and the system pages it: it does not count against
   the limit, and is meant to be read and written from one end to the other. SAE_E_IO: no room for the file.
 */
sae_status saei_scratch_alloc(void *out, sae_context *context, size_t count, size_t size, sae_error *err);

/* Frees what saei_scratch_alloc gave; NULL is fine. */
void saei_scratch_free(sae_context *context, void *block);

#endif

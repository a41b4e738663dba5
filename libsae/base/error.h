/* How a function of libsae fails. */
#ifndef SAEI_ERROR_H
#define SAEI_ERROR_H

#include "sae/base.h"

/* Fills *err (may be NULL) and returns status, so that a failure is one line: return saei_fail(err, …). */
sae_status saei_fail(sae_error *err, sae_status status, const char *format, ...) SAE_PRINTF(3, 4);

/* The same for a failed system call: appends the text of errno_value and keeps it in err->os_errno. ENOENT
   becomes SAE_E_NOT_FOUND, EEXIST SAE_E_EXISTS, ENOMEM SAE_E_MEMORY, all others SAE_E_IO. */
sae_status saei_fail_errno(sae_error *err, int errno_value, const char *format, ...) SAE_PRINTF(3, 4);

/* The same for a byte of an input file. */
sae_status saei_fail_at(sae_error *err, sae_status status, int64_t offset, const char *format, ...)
    SAE_PRINTF(4, 5);

#endif

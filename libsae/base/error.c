#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *sae_status_text(sae_status status)
{
    switch (status) {
    case SAE_OK:
        return "ok";
    case SAE_STOPPED:
        return "stopped";
    case SAE_E_ARGUMENT:
        return "invalid argument";
    case SAE_E_MEMORY:
        return "out of memory";
    case SAE_E_IO:
        return "input/output error";
    case SAE_E_FORMAT:
        return "damaged or foreign file";
    case SAE_E_UNSUPPORTED:
        return "unsupported";
    case SAE_E_NOT_FOUND:
        return "not found";
    case SAE_E_EXISTS:
        return "exists already";
    case SAE_E_MISMATCH:
        return "inputs do not match";
    case SAE_E_NONFINITE:
        return "NaN or Inf";
    }
    return "unknown status";
}

/* Names come from files: a newline or an escape sequence in one must not reach a terminal or a log. */
static void keep_one_line(char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            *text = '?';
}

static sae_status fail(sae_error *err, sae_status status, int os_errno, int64_t offset, const char *format,
                       va_list args)
{
    if (err == NULL)
        return status;
    sae_error filled = {.status = status, .os_errno = os_errno, .offset = offset};
    vsnprintf(filled.text, sizeof filled.text, format, args);
    if (os_errno != 0) {
        char buffer[128];
        size_t used = strlen(filled.text);
        snprintf(filled.text + used, sizeof filled.text - used, ": %s",
                 strerror_r(os_errno, buffer, sizeof buffer));
    }
    keep_one_line(filled.text);
    *err = filled;
    return status;
}

sae_status saei_fail(sae_error *err, sae_status status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    status = fail(err, status, 0, -1, format, args);
    va_end(args);
    return status;
}

sae_status saei_fail_errno(sae_error *err, int errno_value, const char *format, ...)
{
    sae_status status = errno_value == ENOENT   ? SAE_E_NOT_FOUND
                        : errno_value == EEXIST ? SAE_E_EXISTS
                        : errno_value == ENOMEM ? SAE_E_MEMORY
                                                : SAE_E_IO;
    va_list args;
    va_start(args, format);
    status = fail(err, status, errno_value, -1, format, args);
    va_end(args);
    return status;
}

sae_status saei_fail_at(sae_error *err, sae_status status, int64_t offset, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    status = fail(err, status, 0, offset, format, args);
    va_end(args);
    return status;
}

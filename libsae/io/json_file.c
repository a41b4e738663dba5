#include "io/json_file.h"
#include "base/error.h"
#include "base/memory.h"
#include "io/atomic_file.h"
#include "io/input_file.h"

#include <stdlib.h>

sae_status saei_json_file_read(json_t **out, sae_context *context, const char *path, const char *what,
                               size_t bytes_max, sae_error *err)
{
    *out = NULL;
    saei_input_file file;
    char *text = NULL;
    sae_status status = saei_input_file_open(&file, path, err);
    if (status != SAE_OK)
        return status;
    if (file.bytes == 0 || file.bytes > bytes_max)
        status = saei_fail(err, SAE_E_FORMAT, "%s: %llu bytes: this is no %s", path,
                           (unsigned long long)file.bytes, what);
    if (status == SAE_OK)
        status = saei_alloc(&text, context, (size_t)file.bytes, 1, err);
    if (status == SAE_OK)
        status = saei_input_file_read(text, &file, 0, (size_t)file.bytes, err);
    if (status == SAE_OK) {
        json_error_t problem;
        *out = json_loadb(text, (size_t)file.bytes, JSON_REJECT_DUPLICATES, &problem);
        if (*out == NULL)
            status = saei_fail_at(err, SAE_E_FORMAT, problem.position, "%s: this is no %s: %s", path, what,
                                  problem.text);
    }
    saei_free(context, text);
    saei_input_file_close(&file);
    return status;
}

sae_status saei_json_file_save(sae_context *context, const char *path, bool overwrite, const json_t *value,
                               sae_error *err)
{
    char *text = value == NULL ? NULL : json_dumps(value, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
    if (text == NULL)
        return saei_fail(err, SAE_E_MEMORY, "%s: out of memory for its text", path);
    saei_atomic_file *file = NULL;
    sae_status status =
        saei_atomic_file_open(&file, context, path, overwrite ? SAEI_OVERWRITE : SAEI_KEEP_EXISTING, err);
    if (status == SAE_OK)
        status = saei_atomic_file_printf(file, err, "%s\n", text);
    if (status == SAE_OK)
        status = saei_atomic_file_commit(&file, err);
    saei_atomic_file_discard(file);
    free(text);
    return status;
}

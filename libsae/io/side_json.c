#include "io/side_json.h"
#include "base/error.h"
#include "base/memory.h"
#include "io/input_file.h"

enum { TEXT_BYTES_MAX = 1 << 20 };

sae_status saei_side_json_load(json_t **out, sae_context *context, const char *path, sae_error *err)
{
    *out = NULL;
    saei_input_file file;
    char *text = NULL;
    sae_status status = saei_input_file_open(&file, path, err);
    if (status != SAE_OK)
        return status;
    if (file.bytes > TEXT_BYTES_MAX)
        status = saei_fail(err, SAE_E_FORMAT, "%s: too large for a description of data", path);
    if (status == SAE_OK)
        status = saei_alloc(&text, context, (size_t)file.bytes + 1, 1, err);
    if (status == SAE_OK)
        status = saei_input_file_read(text, &file, 0, (size_t)file.bytes, err);
    if (status == SAE_OK) {
        json_error_t problem;
        *out = json_loadb(text, (size_t)file.bytes, JSON_REJECT_DUPLICATES, &problem);
        if (!json_is_object(*out)) {
            status = saei_fail(err, SAE_E_FORMAT, "%s: no JSON object: %s", path,
                               *out == NULL ? problem.text : "another value");
            json_decref(*out);
            *out = NULL;
        }
    }
    saei_free(context, text);
    saei_input_file_close(&file);
    return status;
}

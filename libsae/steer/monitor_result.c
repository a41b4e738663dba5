#include "steer/monitor_result.h"
#include "base/memory.h"
#include "base/number.h"
#include "io/atomic_file.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

sae_status saei_monitor_result_alloc(sae_monitor_result **out, sae_context *context, size_t prompts,
                                     sae_error *err)
{
    *out = NULL;
    sae_monitor_result *result;
    sae_status status = saei_alloc(&result, context, 1, sizeof *result, err);
    if (status != SAE_OK)
        return status;
    result->context = context;
    status = saei_alloc(&result->prompt, context, prompts, sizeof *result->prompt, err);
    if (status != SAE_OK) {
        sae_monitor_result_free(result);
        return status;
    }
    *out = result;
    return SAE_OK;
}

void sae_monitor_result_free(sae_monitor_result *result)
{
    if (result == NULL)
        return;
    saei_free(result->context, result->prompt);
    saei_free(result->context, result);
}

sae_monitor_summary sae_monitor_result_summary(const sae_monitor_result *result)
{
    return result->summary;
}

sae_monitor_prompt sae_monitor_result_prompt(const sae_monitor_result *result, size_t i)
{
    return result->prompt[i];
}

/* Ids are mostly counts, of up to 2^53: nine digits would not tell them apart. */
static void id_text(char out[SAEI_NUMBER_BYTES], double id)
{
    if (fabs(id) <= 9007199254740992.0 && id == floor(id))
        snprintf(out, SAEI_NUMBER_BYTES, "%" PRId64, (int64_t)id);
    else
        saei_number_format(out, id);
}

sae_status sae_monitor_result_save(const sae_monitor_result *result, const char *path, bool overwrite,
                                   sae_error *err)
{
    saei_atomic_file *file = NULL;
    sae_status status = saei_atomic_file_open(&file, result->context, path,
                                              overwrite ? SAEI_OVERWRITE : SAEI_KEEP_EXISTING, err);
    if (status == SAE_OK)
        status = saei_atomic_file_printf(file, err, "prompt,rows,score,alarm\n");
    for (size_t i = 0; i < result->summary.prompts && status == SAE_OK; i++) {
        const sae_monitor_prompt *prompt = &result->prompt[i];
        char id[SAEI_NUMBER_BYTES], score[SAEI_NUMBER_BYTES];
        id_text(id, prompt->id);
        saei_number_format(score, prompt->score);
        status = saei_atomic_file_printf(file, err, "%s,%" PRIu64 ",%s,%d\n", id, prompt->rows, score,
                                         prompt->alarm);
    }
    if (status == SAE_OK)
        status = saei_atomic_file_commit(&file, err);
    saei_atomic_file_discard(file);
    return status;
}

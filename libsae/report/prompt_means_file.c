/* What a model does on each prompt of a dump, as sparse matrices: docs/FORMATS.md, "Prompt means". */
#include "diff/profile.h"
#include "dump/dump.h"
#include "model/model.h"
#include "report/report_sink.h"
#include "sae/report.h"
#include "steer/prompt_latents.h"

static sae_status write_texts(saei_array_sink *sink, const sae_dump *dump, const char *group, sae_error *err)
{
    sae_status status = saei_array_sink_text(sink, "format", "libsae-prompt-means", err);
    if (status == SAE_OK)
        status = saei_array_sink_text(sink, "dump", sae_dump_name(dump), err);
    return status == SAE_OK ? saei_array_sink_text(sink, "group", group, err) : status;
}

/* The profile is latent-major: column-compressed matrices [prompts, F]. */
static sae_status write_profile(saei_array_sink *sink, const saei_profile *profile, const uint64_t *rows,
                                sae_error *err)
{
    const uint64_t shape[2] = {profile->n_prompts, profile->n_latents},
                   pairs = profile->ptr[profile->n_latents];
    const saei_report_array arrays[] = {
        {"shape", SAEI_U64, 2, shape},
        {"id", SAEI_F64, profile->n_prompts, profile->id},
        {"rows", SAEI_U64, profile->n_prompts, rows},
        {"latent_ptr", SAEI_U64, profile->n_latents + 1, profile->ptr},
        {"prompt", SAEI_U32, pairs, profile->prompt},
        {"mean", SAEI_F64, pairs, profile->activation},
        {"frequency", SAEI_F64, pairs, profile->frequency},
    };
    return saei_report_arrays(sink, arrays, sizeof arrays / sizeof arrays[0], err);
}

sae_status sae_prompt_means_save(const sae_model *model, const sae_dump *dump, const char *group,
                                 const char *path, bool overwrite, sae_progress_fn progress, void *user,
                                 sae_error *err)
{
    sae_context *context = model->context;
    saei_array_sink *sink = NULL;
    saei_groups *groups = NULL;
    saei_profile *profile = NULL;
    sae_fidelity fidelity;
    saei_pass pass = {.model = model, .dump = dump, .progress = progress, .progress_user = user};
    sae_status status = saei_prompt_column(&group, group, dump, err);
    if (status == SAE_OK)
        status = saei_report_sink_open(&sink, context, path, overwrite, err);
    if (status == SAE_OK)
        status = saei_groups_read(&groups, context, dump, group, err);
    if (status == SAE_OK)
        status = saei_profile_observe(&profile, &fidelity, pass, groups, NULL, NULL, err);
    if (status == SAE_OK)
        status = write_texts(sink, dump, group, err);
    if (status == SAE_OK)
        status = write_profile(sink, profile, groups->rows, err);
    if (status == SAE_OK)
        status = saei_array_sink_finish(&sink, err);
    saei_profile_free(profile);
    saei_groups_free(groups);
    saei_array_sink_discard(sink);
    return status;
}

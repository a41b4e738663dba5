/* Folders that hold a model as two files. */
#include "base/error.h"
#include "base/memory.h"
#include "io/folder.h"
#include "io/json_file.h"
#include "model/export.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static sae_status join(char **out, sae_context *context, const char *folder, const char *name, sae_error *err)
{
    size_t bytes = strlen(folder) + strlen(name) + 2;
    sae_status status = saei_alloc(out, context, bytes, 1, err);
    if (status == SAE_OK)
        snprintf(*out, bytes, "%s/%s", folder, name);
    return status;
}

static sae_status check_absent(const char *path, bool overwrite, sae_error *err)
{
    struct stat info;
    if (overwrite || lstat(path, &info) != 0)
        return SAE_OK;
    return saei_fail(err, SAE_E_EXISTS, "%s: exists already, and overwriting was not asked for", path);
}

/* Paths of the two files. */
typedef struct folder_paths {
    char *weights, *config;
} folder_paths;

static sae_status open_folder(folder_paths *out, sae_context *context, const char *path,
                              const saei_export_layout *layout, bool overwrite, sae_error *err)
{
    sae_status status = saei_folder_make(path, err);
    if (status == SAE_OK)
        status = join(&out->weights, context, path, layout->weights, err);
    if (status == SAE_OK)
        status = join(&out->config, context, path, layout->config, err);
    if (status == SAE_OK)
        status = check_absent(out->weights, overwrite, err);
    return status == SAE_OK ? check_absent(out->config, overwrite, err) : status;
}

sae_status saei_export_folder(const sae_model *model, const char *path, const saei_export_layout *layout,
                              bool overwrite, sae_error *err)
{
    folder_paths paths = {0};
    sae_context *context = model->context;
    sae_status status = open_folder(&paths, context, path, layout, overwrite, err);
    if (status == SAE_OK)
        status =
            layout->save_weights(model, paths.weights, overwrite ? SAEI_OVERWRITE : SAEI_KEEP_EXISTING, err);
    if (status == SAE_OK) {
        json_t *config = layout->describe(model);
        status = saei_json_file_save(context, paths.config, overwrite, config, err);
        json_decref(config);
    }
    saei_free(context, paths.config);
    saei_free(context, paths.weights);
    return status;
}

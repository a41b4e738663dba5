/* Folders that hold a model as two files. */
#include "base/error.h"
#include "base/memory.h"
#include "model/export.h"

#include <errno.h>
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

sae_status saei_export_folder_open(saei_export_folder *out, sae_context *context, const char *path,
                                   const char *weights, const char *config, bool overwrite, sae_error *err)
{
    *out = (saei_export_folder){.context = context};
    struct stat info;
    if (mkdir(path, 0777) != 0 && !(errno == EEXIST && stat(path, &info) == 0 && S_ISDIR(info.st_mode)))
        return saei_fail_errno(err, errno, "%s: cannot become the folder of a model", path);
    sae_status status = join(&out->weights, context, path, weights, err);
    if (status == SAE_OK)
        status = join(&out->config, context, path, config, err);
    if (status == SAE_OK)
        status = check_absent(out->weights, overwrite, err);
    return status == SAE_OK ? check_absent(out->config, overwrite, err) : status;
}

void saei_export_folder_release(saei_export_folder *folder)
{
    saei_free(folder->context, folder->weights);
    saei_free(folder->context, folder->config);
}

#include "base/error.h"
#include "io/atomic_file.h"
#include "io/folder.h"
#include "report/study_tables.h"
#include "sae/report.h"
#include "study/findings.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

typedef sae_status (*write_fn)(saei_atomic_file *file, const sae_findings *findings, sae_error *err);

static sae_status path_in(char path[PATH_MAX], const char *folder, const char *name, sae_error *err)
{
    if ((size_t)snprintf(path, PATH_MAX, "%s/%s", folder, name) >= PATH_MAX)
        return saei_fail(err, SAE_E_ARGUMENT, "%.100s…: the path is too long", folder);
    return SAE_OK;
}

static sae_status save_one(const sae_findings *findings, const char *folder, const char *name, write_fn write,
                           bool overwrite, sae_error *err)
{
    char path[PATH_MAX];
    saei_atomic_file *file = NULL;
    sae_status status = path_in(path, folder, name, err);
    if (status == SAE_OK)
        status = saei_atomic_file_open(&file, findings->context, path,
                                       overwrite ? SAEI_OVERWRITE : SAEI_KEEP_EXISTING, err);
    if (status != SAE_OK)
        return status;
    status = write(file, findings, err);
    if (status == SAE_OK)
        status = saei_atomic_file_commit(&file, err);
    saei_atomic_file_discard(file);
    return status;
}

sae_status sae_folder_make(const char *path, sae_error *err)
{
    return saei_folder_make(path, err);
}

/* An old verdict says nothing of the files that replace those beside it. */
static sae_status withdraw(const char *folder, const char *name, sae_error *err)
{
    char path[PATH_MAX];
    sae_status status = path_in(path, folder, name, err);
    if (status != SAE_OK || unlink(path) == 0 || errno == ENOENT)
        return status;
    return saei_fail_errno(err, errno, "%s: cannot replace it", path);
}

/* The verdict comes last: where it is, the tables are whole. */
sae_status sae_findings_save(const sae_findings *findings, const char *folder, bool overwrite, sae_error *err)
{
    sae_status status = sae_folder_make(folder, err);
    if (status == SAE_OK && overwrite)
        status = withdraw(folder, "verdict.json", err);
    if (status == SAE_OK && overwrite)
        status = withdraw(folder, "verdict.txt", err);
    if (status == SAE_OK)
        status = saei_study_tables_save(findings, folder, overwrite, err);
    if (status == SAE_OK)
        status = save_one(findings, folder, "verdict.txt", saei_verdict_text, overwrite, err);
    return status == SAE_OK ? save_one(findings, folder, "verdict.json", saei_verdict_json, overwrite, err)
                            : status;
}

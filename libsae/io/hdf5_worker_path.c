#include "io/hdf5_worker_path.h"
#include "base/context.h"
#include "base/error.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME "sae-hdf5-worker"

/* The folder of the file that this code was loaded from: of libsae, or of a program that links it statically.
 */
static bool own_folder(char out[PATH_MAX])
{
    static const char here;
    Dl_info info;
    char *slash;
    if (dladdr(&here, &info) == 0 || info.dli_fname == NULL || realpath(info.dli_fname, out) == NULL ||
        (slash = strrchr(out, '/')) == NULL)
        return false;
    *slash = '\0';
    return true;
}

static bool beside_library(char *out, size_t size)
{
    /* build tree; PREFIX/lib or bin; PREFIX/lib/TRIPLET */
    static const char *const places[] = {NAME, "../libexec/libsae/" NAME, "../../libexec/libsae/" NAME};
    char folder[PATH_MAX];
    if (!own_folder(folder))
        return false;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        int n = snprintf(out, size, "%s/%s", folder, places[i]);
        if (n > 0 && (size_t)n < size && access(out, X_OK) == 0)
            return true;
    }
    return false;
}

sae_status saei_hdf5_worker_path(char *out, size_t size, const sae_context *context, sae_error *err)
{
    const char *named = saei_context_hdf5_worker(context);
    if (named == NULL)
        named = secure_getenv("SAE_HDF5_WORKER");
    if (named == NULL && beside_library(out, size))
        return SAE_OK;
    if (named == NULL)
        named = SAEI_LIBEXEC_DIR "/" NAME;
    int n = snprintf(out, size, "%s", named);
    if (n > 0 && (size_t)n < size && access(out, X_OK) == 0)
        return SAE_OK;
    return saei_fail(err, SAE_E_NOT_FOUND,
                     "%s: the program that reads HDF5 files is not there; install it or name it in "
                     "SAE_HDF5_WORKER, or open files of your own as trusted (--trusted)",
                     named);
}

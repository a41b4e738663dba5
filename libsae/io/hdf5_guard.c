#include "io/hdf5_guard.h"
#include "base/error.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* libhdf5 is one big shared state unless built thread-safe, and Debian's is not. */
static pthread_mutex_t hdf5_lock = PTHREAD_MUTEX_INITIALIZER;

saei_hdf5_guard saei_hdf5_enter(void)
{
    saei_hdf5_guard guard = {0};
    pthread_mutex_lock(&hdf5_lock);
    guard.silenced = H5Eget_auto2(H5E_DEFAULT, &guard.report, &guard.report_data) >= 0;
    if (guard.silenced)
        H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    guard.without_plugins = H5PLget_loading_state(&guard.plugins) >= 0;
    if (guard.without_plugins)
        H5PLset_loading_state(0);
    return guard;
}

void saei_hdf5_leave(saei_hdf5_guard guard)
{
    if (guard.without_plugins)
        H5PLset_loading_state(guard.plugins);
    if (guard.silenced)
        H5Eset_auto2(H5E_DEFAULT, guard.report, guard.report_data);
    pthread_mutex_unlock(&hdf5_lock);
}

static herr_t keep_first_text(unsigned n, const H5E_error2_t *error, void *user)
{
    char *text = user;
    if (n == 0 && error->desc != NULL)
        snprintf(text, 160, "%s", error->desc);
    return 0;
}

sae_status saei_hdf5_fail(sae_error *err, sae_status status, const char *format, ...)
{
    char ours[400], theirs[160] = "";
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_first_text, theirs);
    va_list args;
    va_start(args, format);
    vsnprintf(ours, sizeof ours, format, args);
    va_end(args);
    return saei_fail(err, status, "%s%s%s%s", ours, *theirs != '\0' ? " (HDF5: " : "", theirs,
                     *theirs != '\0' ? ")" : "");
}

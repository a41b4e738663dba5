#include "io/folder.h"
#include "base/error.h"

#include <errno.h>
#include <sys/stat.h>

sae_status saei_folder_make(const char *path, sae_error *err)
{
    struct stat there;
    if (mkdir(path, 0777) == 0)
        return SAE_OK;
    int why = errno;
    if (why == EEXIST && stat(path, &there) == 0 && S_ISDIR(there.st_mode))
        return SAE_OK;
    return saei_fail_errno(err, why, "%s: cannot make the folder", path);
}

#include "stdout_copy.h"
#include "console.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int copy_to_stdout(const char *path)
{
    char block[65536];
    size_t n;
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        complain("%s: %s", path, strerror(errno));
        return 1;
    }
    while ((n = fread(block, 1, sizeof block, file)) > 0 && fwrite(block, 1, n, stdout) == n)
        continue;
    bool bad = ferror(file) != 0;
    fclose(file);
    if (bad)
        complain("%s: cannot be read back", path);
    return bad ? 1 : close_stdout();
}

int ranking_to_stdout(const sae_ranking *ranking, sae_context *context, sae_report_format format)
{
    sae_error err;
    const char *base = getenv("TMPDIR");
    char folder[1024], path[1040];
    int length =
        snprintf(folder, sizeof folder, "%s/sae-XXXXXX", base != NULL && *base != '\0' ? base : "/tmp");
    if (length < 0 || (size_t)length >= sizeof folder || mkdtemp(folder) == NULL) {
        complain("no temporary folder: %s; set TMPDIR", strerror(errno));
        return 1;
    }
    snprintf(path, sizeof path, "%s/ranking", folder);
    sae_status status = sae_ranking_save(ranking, context, path, format, false, &err);
    int exit_status = status == SAE_OK ? copy_to_stdout(path) : failed(status, &err);
    unlink(path);
    rmdir(folder);
    return exit_status;
}

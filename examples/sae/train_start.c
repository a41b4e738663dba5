#include "train_start.h"
#include "command.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What the library names the checkpoint before the newest. */
static void previous_name(char out[4096], const char *checkpoint)
{
    snprintf(out, 4096, "%s.prev", checkpoint);
}

/* False when the file is not there. */
static bool modified(struct timespec *out, const char *path)
{
    struct stat info;
    if (stat(path, &info) != 0)
        return false;
    *out = info.st_mtim;
    return true;
}

static bool later(struct timespec a, struct timespec b)
{
    return a.tv_sec > b.tv_sec || (a.tv_sec == b.tv_sec && a.tv_nsec > b.tv_nsec);
}

static train_start decide_resume(const char *model, bool unfinished, bool newer, bool force)
{
    if (unfinished && (newer || !file_exists(model))) {
        if (newer && !force) {
            complain("%s: exists and is older than its checkpoint; --force lets the resumed run replace it",
                     model);
            return TRAIN_REFUSED;
        }
        return TRAIN_RESUME;
    }
    return file_exists(model) ? TRAIN_COMPLETE : TRAIN_FRESH;
}

train_start train_start_decide(const char *model, const char *checkpoint, bool resume, bool force)
{
    char previous[4096];
    previous_name(previous, checkpoint);
    struct timespec saved, trained;
    bool unfinished = modified(&saved, checkpoint) || modified(&saved, previous);
    /* A run that died between saving its model and removing its checkpoint is complete. */
    bool newer = unfinished && modified(&trained, model) && later(saved, trained);
    if (resume)
        return decide_resume(model, unfinished, newer, force);
    if (unfinished && !force) {
        complain("%s: a checkpoint of an unfinished run; --resume continues it, --force starts over",
                 checkpoint);
        return TRAIN_REFUSED;
    }
    return TRAIN_FRESH;
}

void train_checkpoint_remove(const char *checkpoint)
{
    char previous[4096];
    previous_name(previous, checkpoint);
    unlink(checkpoint);
    unlink(previous);
}

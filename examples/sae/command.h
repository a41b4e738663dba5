/* What the commands share: options about dumps and outputs, and the checks before any work begins. */
#ifndef COMMAND_H
#define COMMAND_H

#include "args.h"
#include "console.h"
#include "progress.h"

#include <sae.h>

typedef struct session {
    sae_context *context;
    progress progress;
} session;

typedef struct dump_args {
    const char *dataset, *where;
    bool drop_nonfinite;
} dump_args;

typedef struct output_args {
    const char *output;
    bool force;
} output_args;

extern const option dump_options[];   /* of dump_args */
extern const option output_options[]; /* of output_args, --output required */

extern const command cmd_train, cmd_eval, cmd_encode, cmd_rank, cmd_top, cmd_info, cmd_steer, cmd_auroc,
    cmd_shuffle, cmd_match, cmd_monitor, cmd_crosscoder, cmd_study, cmd_convert;

sae_status open_dump(sae_dump **out, session *s, const char *const *paths, size_t n_paths,
                     const dump_args *args, sae_error *err);

bool file_exists(const char *path);

/* Whether path may become an output: not there unless force, not an input, a regular file in a folder that
   can be written. Says why not. */
bool output_allowed(const char *path, bool force, const char *const *inputs, size_t n_inputs);

#endif

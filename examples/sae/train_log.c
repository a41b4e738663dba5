#include "train_log.h"
#include "console.h"
#include "json_line.h"

#include <errno.h>
#include <string.h>

/* A run that was killed in the middle of a line leaves it open: the next object must not be glued to it. */
static void end_broken_line(FILE *file)
{
    if (fseek(file, -1, SEEK_END) == 0 && fgetc(file) != '\n') {
        fseek(file, 0, SEEK_END);
        fputc('\n', file);
    }
    fseek(file, 0, SEEK_END);
}

int train_log_open(train_log *log, const char *path, bool append)
{
    *log = (train_log){.path = path, .every = 1};
    if (path == NULL)
        return 0;
    log->file = fopen(path, append ? "a+" : "w");
    if (log->file == NULL) {
        complain("%s: %s", path, strerror(errno));
        return -1;
    }
    if (append)
        end_broken_line(log->file);
    return 0;
}

static void write_line(train_log *log, const char *model, json_t *object)
{
    if (model != NULL)
        json_object_set_new(object, "model", json_text(model));
    if (json_line(log->file, object) == 0)
        fflush(log->file);
}

void train_log_begin(train_log *log, const char *model, const char *event, const sae_train_options *chosen,
                     uint64_t step)
{
    log->every = chosen->steps / 1000 + 1;
    if (log->file == NULL)
        return;
    write_line(log, model,
               json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "event", event, "step", (json_int_t)step,
                         "steps", (json_int_t)chosen->steps, "latents", (json_int_t)chosen->n_latents, "k",
                         (json_int_t)chosen->k, "batch", (json_int_t)chosen->batch_rows, "seed",
                         (json_int_t)chosen->seed, "peak_learning_rate", json_number(chosen->learning_rate)));
}

static json_t *step_object(const sae_train_metrics *m)
{
    return json_pack("{s:s, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:I}", "event", "step", "step",
                     (json_int_t)m->step, "loss", json_number(m->loss), "aux_loss", json_number(m->aux_loss),
                     "learning_rate", json_number(m->learning_rate), "gradient_norm",
                     json_number(m->gradient_norm), "l0", json_number(m->l0), "dead", json_number(m->dead),
                     "exact_rows", (json_int_t)m->exact_rows);
}

void train_log_step(train_log *log, const char *model, const sae_train_metrics *m)
{
    if (log->file == NULL)
        return;
    if (m->step % log->every == 0 || m->step == m->steps)
        write_line(log, model, step_object(m));
    if (m->heldout_fresh) {
        json_t *object = json_fidelity(&m->heldout);
        json_object_set_new(object, "event", json_string("heldout"));
        json_object_set_new(object, "step", json_integer((json_int_t)m->step));
        write_line(log, model, object);
    }
}

bool train_log_bad(const train_log *log)
{
    return log->file != NULL && ferror(log->file) != 0;
}

int train_log_close(train_log *log)
{
    if (log->file == NULL)
        return 0;
    bool bad = ferror(log->file) != 0;
    bad = fclose(log->file) != 0 || bad;
    log->file = NULL;
    if (bad)
        complain("%s: the log could not be written: %s", log->path, strerror(errno));
    return bad ? -1 : 0;
}

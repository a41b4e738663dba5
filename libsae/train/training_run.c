/* Steps until the end, of one trainer or of several that share their rows. */
#include "base/error.h"
#include "train/trainer_set.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

/* Whether the held-out rows say that going on does not help. */
static bool exhausted(const sae_trainer *t)
{
    return t->options.patience > 0 && t->without_gain >= t->options.patience;
}

static void note_gain(sae_trainer *t)
{
    if (!t->metrics.heldout_fresh || t->metrics.heldout.rows == 0)
        return;
    bool better = t->metrics.heldout.fvu < t->best_fvu;
    t->best_fvu = better ? t->metrics.heldout.fvu : t->best_fvu;
    t->without_gain = better ? 0 : t->without_gain + 1;
}

/* The step that those furthest behind are at; UINT64_MAX when all have ended. */
static uint64_t step_to_take(sae_trainer *const *trainers, size_t n)
{
    uint64_t least = UINT64_MAX;
    for (size_t i = 0; i < n; i++) {
        const sae_trainer *t = trainers[i];
        if (t->step < t->options.steps && t->step < least && !exhausted(t))
            least = t->step;
    }
    return least;
}

static bool takes_part(const sae_trainer *t, uint64_t step)
{
    return t->step == step && !exhausted(t);
}

/* Trainers at the same step want the same rows: the first reads them. */
static sae_status read_rows(sae_trainer *const *trainers, size_t n, uint64_t step, sae_error *err)
{
    const sae_trainer *first = NULL;
    for (size_t i = 0; i < n; i++) {
        sae_trainer *t = trainers[i];
        if (!takes_part(t, step))
            continue;
        if (first != NULL) {
            memcpy(t->objective.xc, first->objective.xc,
                   t->options.batch_rows * (size_t)t->d * sizeof(float));
            continue;
        }
        sae_status status = saei_trainer_read_rows(t, err);
        if (status != SAE_OK)
            return status;
        first = t;
    }
    return SAE_OK;
}

static sae_status advance(sae_trainer *t, bool *stop, sae_error *err)
{
    const sae_train_options *o = &t->options;
    sae_status status = saei_trainer_learn(t, err);
    if (status == SAE_OK && (t->step % o->heldout_every == 0 || t->step == o->steps))
        status = saei_trainer_measure(t, err);
    if (status != SAE_OK)
        return status;
    note_gain(t);
    if (o->on_step != NULL && o->on_step(o->on_step_user, &t->metrics) != 0)
        *stop = true;
    return SAE_OK;
}

/* Each to its own file, all but one; in order, so that a process killed in between leaves the first ahead. */
static sae_status save_all(sae_trainer *const *trainers, size_t n, const sae_trainer *except, sae_error *err)
{
    for (size_t i = 0; i < n; i++) {
        const sae_trainer *t = trainers[i];
        if (t == except || t->options.checkpoint == NULL)
            continue;
        sae_status status = sae_trainer_save(t, t->options.checkpoint, err);
        if (status != SAE_OK)
            return status;
    }
    return SAE_OK;
}

/* One step of all that are at it. What one that diverges has done to itself must not cost the others their
   progress. */
static sae_status step_together(sae_trainer *const *trainers, size_t n, uint64_t step, bool *stop,
                                sae_error *err)
{
    sae_status status = read_rows(trainers, n, step, err);
    for (size_t i = 0; status == SAE_OK && i < n; i++) {
        if (!takes_part(trainers[i], step))
            continue;
        status = advance(trainers[i], stop, err);
        if (status == SAE_OK)
            continue;
        saei_trainer_set_failed(err, status, i, n, trainers[i]);
        if (status == SAE_E_NONFINITE)
            save_all(trainers, n, trainers[i], NULL);
    }
    return status;
}

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Writes checkpoints when their time has come; *due moves on. Writing takes 5 % of the time at most. */
static sae_status checkpoint_if_due(sae_trainer *const *trainers, size_t n, double *due, sae_error *err)
{
    double start = seconds_now(), interval = trainers[0]->options.checkpoint_seconds;
    if (start < *due)
        return SAE_OK;
    sae_status status = save_all(trainers, n, NULL, err);
    double end = seconds_now(), took = end - start;
    *due = end + (20.0 * took > interval ? 20.0 * took : interval);
    return status;
}

static sae_status stop_here(sae_trainer *const *trainers, size_t n, uint64_t step, sae_error *err)
{
    sae_status status = save_all(trainers, n, NULL, err);
    return status != SAE_OK
               ? status
               : saei_fail(err, SAE_STOPPED, "training stopped after step %" PRIu64 " of %" PRIu64, step,
                           trainers[0]->options.steps);
}

static sae_status check_set(sae_trainer *const *trainers, size_t n, sae_error *err)
{
    if (n == 0)
        return saei_fail(err, SAE_E_ARGUMENT, "no SAE to train");
    for (size_t i = 1; i < n; i++)
        if (trainers[i]->batches != trainers[0]->batches)
            return saei_fail(err, SAE_E_ARGUMENT, "SAE %zu of %zu was not made together with the first",
                             i + 1, n);
    return SAE_OK;
}

/* A checkpoint holds no held-out figures: those of a run that had ended are measured again. */
static sae_status measure_ended(sae_trainer *const *trainers, size_t n, sae_error *err)
{
    sae_status status = SAE_OK;
    for (size_t i = 0; status == SAE_OK && i < n; i++) {
        sae_trainer *t = trainers[i];
        bool ended = exhausted(t) || t->step == t->options.steps;
        if (ended && t->metrics.heldout.rows == 0)
            status = saei_trainer_measure(t, err);
    }
    return status;
}

sae_status sae_trainer_run_many(sae_trainer *const *trainers, size_t n, sae_error *err)
{
    sae_status status = check_set(trainers, n, err);
    if (status == SAE_OK)
        status = measure_ended(trainers, n, err);
    if (status != SAE_OK)
        return status;
    double due = seconds_now() + trainers[0]->options.checkpoint_seconds;
    for (uint64_t step; (step = step_to_take(trainers, n)) != UINT64_MAX;) {
        bool stop = false;
        status = step_together(trainers, n, step, &stop, err);
        if (status != SAE_OK)
            return status;
        if (stop && step_to_take(trainers, n) != UINT64_MAX)
            return stop_here(trainers, n, step + 1, err);
        status = checkpoint_if_due(trainers, n, &due, err);
        if (status != SAE_OK)
            return status;
    }
    return SAE_OK;
}

sae_status sae_trainer_run(sae_trainer *t, sae_error *err)
{
    return sae_trainer_run_many(&t, 1, err);
}

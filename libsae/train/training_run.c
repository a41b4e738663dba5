#include "base/error.h"
#include "train/choices.h"
#include "train/trainer.h"

#include <inttypes.h>
#include <math.h>
#include <time.h>

/* Counts the rows since each latent fired. Returns the number of dead ones. */
static size_t update_silence(sae_trainer *t)
{
    size_t dead = 0;
    const size_t *start = t->sae.index.start;
    for (size_t j = 0; j < t->options.n_latents; j++) {
        t->silent[j] = start[j + 1] > start[j] ? 0 : t->silent[j] + t->options.batch_rows;
        dead += t->silent[j] >= t->options.dead_after;
    }
    return dead;
}

sae_status sae_trainer_step(sae_trainer *t, sae_error *err)
{
    const sae_train_options *o = &t->options;
    sae_status status = saei_batches_next(t->sae.xc, t->batches, o->batch_rows, err);
    if (status != SAE_OK)
        return status;
    saei_topk_sae_set_dead(&t->sae, t->silent, o->dead_after);
    saei_topk_sae_result r = saei_topk_sae_gradient(&t->gradient, &t->sae, &t->parameters, (float)t->scale);
    if (!isfinite(r.loss) || !isfinite(r.gradient_norm))
        return saei_fail(err, SAE_E_NONFINITE,
                         "training diverged at step %" PRIu64 ": try a learning rate below %g", t->step + 1,
                         o->learning_rate);
    double rate = saei_learning_rate(o, t->step);
    double clip = o->clip > 0.0 && r.gradient_norm > o->clip ? o->clip / r.gradient_norm : 1.0;
    saei_adam_step(&t->parameters, &t->adam, &t->gradient, ++t->step, rate, clip, t->context);
    size_t dead = update_silence(t);
    t->metrics.step = t->step;
    t->metrics.loss = r.loss;
    t->metrics.aux_loss = r.aux_loss;
    t->metrics.learning_rate = rate;
    t->metrics.gradient_norm = r.gradient_norm;
    t->metrics.l0 = (double)r.active / (double)o->batch_rows;
    t->metrics.dead = (double)dead / (double)o->n_latents;
    t->metrics.heldout_fresh = false;
    return SAE_OK;
}

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Writes a checkpoint when its time has come; *due moves on. Writing takes 5 % of the time at most. */
static sae_status checkpoint_if_due(const sae_trainer *t, double *due, sae_error *err)
{
    double start = seconds_now();
    if (t->options.checkpoint == NULL || start < *due)
        return SAE_OK;
    sae_status status = sae_trainer_save(t, t->options.checkpoint, err);
    double end = seconds_now(), took = end - start;
    *due = end + (20.0 * took > t->options.checkpoint_seconds ? 20.0 * took : t->options.checkpoint_seconds);
    return status;
}

sae_status sae_trainer_run(sae_trainer *t, sae_error *err)
{
    const sae_train_options *o = &t->options;
    double due = seconds_now() + o->checkpoint_seconds;
    while (t->step < o->steps) {
        sae_status status = sae_trainer_step(t, err);
        if (status == SAE_OK && (t->step % o->heldout_every == 0 || t->step == o->steps))
            status = saei_trainer_measure(t, err);
        if (status != SAE_OK)
            return status;
        if (o->on_step != NULL && o->on_step(o->on_step_user, &t->metrics) != 0 && t->step < o->steps) {
            status = o->checkpoint != NULL ? sae_trainer_save(t, o->checkpoint, err) : SAE_OK;
            return status != SAE_OK
                       ? status
                       : saei_fail(err, SAE_STOPPED, "training stopped after step %" PRIu64 " of %" PRIu64,
                                   t->step, o->steps);
        }
        status = checkpoint_if_due(t, &due, err);
        if (status != SAE_OK)
            return status;
    }
    return SAE_OK;
}

#include "base/error.h"
#include "train/schedule.h"
#include "train/trainer.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* Counts the rows since each latent fired, after a forward pass. */
static void update_silence(sae_trainer *t)
{
    size_t F = t->options.n_latents, rows = t->options.batch_rows;
    memset(t->fired, 0, F * sizeof *t->fired);
    saei_objective_mark_fired(&t->objective, &t->parameters, rows, t->fired);
    for (size_t j = 0; j < F; j++)
        t->silent[j] = t->fired[j] ? 0 : t->silent[j] + rows;
}

static double dead_share(const sae_trainer *t)
{
    size_t dead = 0;
    for (size_t j = 0; j < t->options.n_latents; j++)
        dead += t->silent[j] >= t->options.dead_after;
    return (double)dead / (double)t->options.n_latents;
}

/* Everything from the rows to the losses. A latent that fires in a batch is not dead in its AuxK, but for
   SAELens, whose dead are those of before the batch; the loss on pre-activations has to know them before. */
static saei_objective_result evaluate(sae_trainer *t, saei_penalty *penalty)
{
    const sae_train_options *o = &t->options;
    saei_objective *objective = &t->objective;
    objective->k = saei_schedule_k(o, t->step);
    objective->any_length = t->step == 0;
    objective->l0 = t->l0;
    saei_objective_set_dead(objective, t->silent, o->dead_after);
    saei_objective_forward(objective, &t->parameters, penalty, (float)t->scale, o->batch_rows);
    update_silence(t);
    if (o->aux_style != SAE_AUX_SAELENS)
        saei_auxk_set_dead(&objective->aux, t->silent, o->dead_after);
    return saei_objective_backward(objective, &t->parameters, penalty);
}

static sae_status diverged(const sae_trainer *t, sae_error *err)
{
    return saei_fail(err, SAE_E_NONFINITE,
                     "training diverged at step %" PRIu64 ": try a learning rate below %g", t->step + 1,
                     t->options.learning_rate);
}

/* A loss far above its running mean means that training has left its course: the last checkpoint is better.
 */
static sae_status check_spike(sae_trainer *t, double loss, sae_error *err)
{
    const double weight = 0.02;
    const uint64_t settled = 100;
    if (t->options.spike > 0.0 && t->step >= settled && loss > t->options.spike * t->running_loss)
        return saei_fail(err, SAE_E_NONFINITE,
                         "the loss jumped from %g to %g at step %" PRIu64
                         ": try a lower learning rate, or look for outlier rows",
                         t->running_loss, loss, t->step + 1);
    t->running_loss = t->step == 0 ? loss : t->running_loss + weight * (loss - t->running_loss);
    return SAE_OK;
}

/* The factor that brings the gradient's norm down to what is allowed. The norm itself costs a sweep: only
   when its bound does not settle the question. */
static sae_status clip_factor(double *out, sae_trainer *t, const saei_penalty *penalty, sae_error *err)
{
    double clip = t->options.clip, bound = saei_objective_norm_bound(&t->objective);
    *out = 1.0;
    if (isnan(bound))
        return diverged(t, err);
    if (!(clip > 0.0) || bound <= clip)
        return SAE_OK;
    double norm = saei_objective_sweep(&t->objective, &t->parameters, penalty, NULL);
    if (!isfinite(norm))
        return diverged(t, err);
    if (norm > clip)
        *out = clip / norm;
    return SAE_OK;
}

/* Negative thresholds would let negative pre-activations through. */
static void keep_thresholds_positive(saei_parameters *p)
{
    for (size_t j = 0; j < p->n_latents; j++)
        p->extra[0][j] = p->extra[0][j] > 0.0f ? p->extra[0][j] : 0.0f;
}

/* Running means of the least activation that BatchTopK kept. */
static void update_threshold(sae_trainer *t)
{
    const sae_train_options *o = &t->options;
    double least = (double)t->objective.batch_floor;
    uint64_t begin = o->steps / 2 < 1000 ? o->steps / 2 : 1000, done = t->step - 1;
    if (!(least > 0.0))
        return;
    if (o->threshold_rule == SAE_THRESHOLD_EMA_SAELENS)
        t->threshold += 0.01 * (least - t->threshold);
    else if (o->threshold_rule == SAE_THRESHOLD_QUANTILE && t->metrics.heldout.rows == 0)
        t->threshold = t->threshold > 0.0 ? t->threshold + 0.01 * (least - t->threshold) : least;
    else if (o->threshold_rule == SAE_THRESHOLD_EMA && done > begin)
        t->threshold = t->threshold > 0.0 ? t->threshold + 0.001 * (least - t->threshold) : least;
}

/* What follows a change of the weights. */
static void finish_step(sae_trainer *t, const saei_penalty *penalty)
{
    const sae_train_options *o = &t->options;
    if (o->architecture == SAE_ARCH_JUMPRELU)
        keep_thresholds_positive(&t->parameters);
    if (penalty->p_next != penalty->p)
        t->anneal *= saei_objective_p_ratio(&t->objective, penalty);
    if (t->bins != NULL)
        update_threshold(t);
}

/* Learns from the batch that lies in the objective. */
static sae_status learn(sae_trainer *t, sae_error *err)
{
    const sae_train_options *o = &t->options;
    saei_objective *objective = &t->objective;
    saei_penalty penalty = saei_schedule_penalty(o, t->step, t->anneal);
    double rate = saei_learning_rate(o, t->step), factor;
    saei_objective_result r = evaluate(t, &penalty);
    if (!isfinite(r.loss) || !isfinite(r.aux_loss))
        return diverged(t, err);
    t->l0 = objective->l0;
    sae_status status = check_spike(t, r.loss, err);
    if (status == SAE_OK)
        status = clip_factor(&factor, t, &penalty, err);
    if (status != SAE_OK)
        return status;
    saei_adam_step step = saei_adam_begin(&t->parameters, &t->adam, ++t->step, rate, factor);
    saei_gradient_receiver receiver = saei_adam_receiver(&step);
    double norm = saei_objective_sweep(objective, &t->parameters, &penalty, &receiver);
    saei_adam_update_b_dec(&step, objective->g_b_dec);
    finish_step(t, &penalty);
    sae_fidelity heldout = t->metrics.heldout;
    t->metrics = (sae_train_metrics){.step = t->step,
                                     .steps = o->steps,
                                     .loss = r.reconstruction,
                                     .sparsity_loss = saei_objective_sparsity(objective, &penalty),
                                     .aux_loss = r.aux_loss + saei_objective_pre_act(objective),
                                     .learning_rate = rate,
                                     .gradient_norm = norm,
                                     .l0 = (double)r.active / (double)o->batch_rows,
                                     .dead = dead_share(t),
                                     .exact_rows = objective->screened.overflows,
                                     .heldout = heldout};
    return SAE_OK;
}

sae_status saei_trainer_read_rows(sae_trainer *t, sae_error *err)
{
    saei_batches_state at = saei_batches_tell(t->batches), to = t->place;
    sae_status status = SAE_OK;
    if (at.epoch != to.epoch || at.window != to.window || at.position != to.position)
        status = saei_batches_seek(t->batches, to, err);
    return status == SAE_OK ? saei_batches_next(t->objective.xc, t->batches, t->options.batch_rows, err)
                            : status;
}

sae_status saei_trainer_learn(sae_trainer *t, sae_error *err)
{
    sae_status status = learn(t, err);
    if (status != SAE_OK)
        return status;
    if (t->options.resample_every > 0 && t->step % t->options.resample_every == 0)
        saei_trainer_resample(t);
    t->place = saei_batches_tell(t->batches);
    return SAE_OK;
}

sae_status sae_trainer_step(sae_trainer *t, sae_error *err)
{
    sae_status status = saei_trainer_read_rows(t, err);
    return status == SAE_OK ? saei_trainer_learn(t, err) : status;
}

#include "train/trainer.h"

#include "base/memory.h"
#include "num/rows.h"
#include "train/schedule.h"

#include <math.h>
#include <string.h>

/* Sums over held-out rows in scaled units; the variance does not change when b_dec is subtracted. */
typedef struct heldout_sums {
    double residual2, centred2, cosine;
    uint64_t active;
} heldout_sums;

uint64_t saei_trainer_heldout_rows(const sae_trainer *t)
{
    return t->heldout != NULL ? sae_dump_rows(t->heldout) : saei_batches_heldout_rows(t->batches);
}

sae_status saei_trainer_read_heldout(sae_trainer *t, uint64_t first, size_t n, sae_error *err)
{
    return t->heldout != NULL ? sae_dump_read(t->objective.xc, t->heldout, first, n, err)
                              : saei_batches_read_heldout(t->objective.xc, t->batches, first, n, err);
}

/* cos(x, x̂) with s x = xc + b_dec, or xc, and s x̂ = s x − e */
static double row_cosine(const float *xc, const float *e, double e_scale, const float *b_dec, size_t d)
{
    double xx = 0.0, yy = 0.0, xy = 0.0;
    for (size_t i = 0; i < d; i++) {
        double x = (double)xc[i] + (b_dec != NULL ? (double)b_dec[i] : 0.0), y = x - e_scale * (double)e[i];
        xx += x * x;
        yy += y * y;
        xy += x * y;
    }
    return xx > 0.0 && yy > 0.0 ? xy / sqrt(xx * yy) : 0.0;
}

static void add_rows(sae_trainer *t, heldout_sums *sums, double *mean_sum, size_t n)
{
    const saei_objective *o = &t->objective;
    size_t d = o->settings.d, groups = o->settings.n_groups;
    const float *b_dec = o->settings.raw_input ? NULL : t->parameters.b_dec;
    double e_scale = 1.0 / o->settings.group_weight;
    for (size_t r = 0; r < n; r++) {
        const float *xc = o->xc + r * d, *e = o->e + (r * groups + groups - 1) * d;
        sums->residual2 += e_scale * e_scale * saei_row_norm2(e, d);
        sums->centred2 += saei_row_norm2(xc, d);
        sums->cosine += row_cosine(xc, e, e_scale, b_dec, d);
        for (size_t i = 0; i < d; i++)
            mean_sum[i] += (double)xc[i];
    }
    sums->active += saei_objective_active(o, n);
    saei_objective_mark_fired(o, &t->parameters, n, t->fired);
}

static sae_fidelity figures(const sae_trainer *t, const heldout_sums *sums, const double *mean_sum,
                            uint64_t rows)
{
    double n = (double)rows, mean2 = 0.0;
    for (size_t i = 0; i < t->d; i++)
        mean2 += mean_sum[i] / n * (mean_sum[i] / n);
    size_t fired = 0;
    for (size_t j = 0; j < t->options.n_latents; j++)
        fired += t->fired[j];
    double fvu = sums->residual2 / (sums->centred2 - n * mean2);
    return (sae_fidelity){.rows = rows,
                          .fvu = fvu,
                          .explained_variance = 1.0 - fvu,
                          .l0 = (double)sums->active / n,
                          .dead = 1.0 - (double)fired / (double)t->options.n_latents,
                          .cosine = sums->cosine / n};
}

/* Sums over the held-out rows, encoded as the model will encode them. */
static sae_status sum_heldout(sae_trainer *t, heldout_sums *sums, uint64_t rows, sae_error *err)
{
    saei_penalty penalty = saei_schedule_penalty(&t->options, t->step, t->anneal);
    t->objective.l0 = t->l0;
    memset(t->heldout_mean, 0, (size_t)t->d * sizeof *t->heldout_mean);
    memset(t->fired, 0, t->options.n_latents);
    for (uint64_t first = 0; first < rows; first += t->options.batch_rows) {
        size_t n = rows - first < t->options.batch_rows ? (size_t)(rows - first) : t->options.batch_rows;
        sae_status status = saei_trainer_read_heldout(t, first, n, err);
        if (status != SAE_OK)
            return status;
        t->objective.fixed_threshold = (float)t->threshold;
        saei_objective_forward(&t->objective, &t->parameters, &penalty, (float)t->scale, n);
        add_rows(t, sums, t->heldout_mean, n);
    }
    return SAE_OK;
}

sae_status saei_trainer_measure(sae_trainer *t, sae_error *err)
{
    uint64_t rows = saei_trainer_heldout_rows(t);
    heldout_sums sums = {0};
    sae_status status = SAE_OK;
    if (rows == 0)
        return SAE_OK;
    if (t->bins != NULL && t->options.threshold_rule == SAE_THRESHOLD_QUANTILE)
        status = saei_trainer_calibrate(t, err);
    if (status == SAE_OK)
        status = sum_heldout(t, &sums, rows, err);
    t->objective.fixed_threshold = -1.0f;
    if (status != SAE_OK)
        return status;
    t->metrics.heldout = figures(t, &sums, t->heldout_mean, rows);
    t->metrics.heldout_fresh = true;
    return SAE_OK;
}

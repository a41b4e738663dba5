#include "train/trainer.h"

#include "base/memory.h"
#include "num/rows.h"

#include <math.h>
#include <string.h>

/* Sums over held-out rows in scaled units; the variance does not change when b_dec is subtracted. */
typedef struct heldout_sums {
    double residual2, centred2, cosine;
    uint64_t active;
} heldout_sums;

static sae_status read_rows(sae_trainer *t, uint64_t first, size_t n, sae_error *err)
{
    return t->heldout != NULL ? sae_dump_read(t->sae.xc, t->heldout, first, n, err)
                              : saei_batches_read_heldout(t->sae.xc, t->batches, first, n, err);
}

/* cos(x, x̂) with s x = xc + b_dec and s x̂ = xc − e + b_dec */
static double row_cosine(const float *xc, const float *e, const float *b_dec, size_t d)
{
    double xx = 0.0, yy = 0.0, xy = 0.0;
    for (size_t i = 0; i < d; i++) {
        double x = (double)xc[i] + (double)b_dec[i], y = x - (double)e[i];
        xx += x * x;
        yy += y * y;
        xy += x * y;
    }
    return xx > 0.0 && yy > 0.0 ? xy / sqrt(xx * yy) : 0.0;
}

static void add_rows(sae_trainer *t, heldout_sums *sums, double *mean_sum, size_t n)
{
    const saei_topk_sae *sae = &t->sae;
    size_t d = sae->d;
    for (size_t r = 0; r < n; r++) {
        const float *xc = sae->xc + r * d, *e = sae->e + r * d;
        sums->residual2 += saei_row_norm2(e, d);
        sums->centred2 += saei_row_norm2(xc, d);
        sums->cosine += row_cosine(xc, e, t->parameters.b_dec, d);
        sums->active += sae->codes.count[r];
        for (size_t i = 0; i < d; i++)
            mean_sum[i] += (double)xc[i];
        for (size_t i = 0; i < sae->codes.count[r]; i++)
            t->fired[sae->codes.latent[r * sae->k + i]] = 1;
    }
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

sae_status saei_trainer_measure(sae_trainer *t, sae_error *err)
{
    uint64_t rows = t->heldout != NULL ? sae_dump_rows(t->heldout) : saei_batches_heldout_rows(t->batches);
    if (rows == 0)
        return SAE_OK;
    heldout_sums sums = {0};
    double *mean_sum = t->heldout_mean;
    memset(mean_sum, 0, (size_t)t->d * sizeof *mean_sum);
    memset(t->fired, 0, t->options.n_latents);
    for (uint64_t first = 0; first < rows; first += t->options.batch_rows) {
        size_t n = rows - first < t->options.batch_rows ? (size_t)(rows - first) : t->options.batch_rows;
        sae_status status = read_rows(t, first, n, err);
        if (status != SAE_OK)
            return status;
        saei_topk_sae_forward(&t->sae, &t->parameters, (float)t->scale, n);
        add_rows(t, &sums, mean_sum, n);
    }
    t->metrics.heldout = figures(t, &sums, mean_sum, rows);
    t->metrics.heldout_fresh = true;
    return SAE_OK;
}

/* Resampling of dead latents (Bricken et al. 2023, "Towards Monosemanticity", appendix "Neuron Resampling"):
   each dead latent is pointed at a row that is reconstructed badly, drawn with probability proportional to
   its squared loss; its encoder row gets 0.2 of the mean norm of the living ones, its bias 0, its moments 0.
 */
#include "base/rng.h"
#include "num/rows.h"
#include "train/resample_draw.h"
#include "train/trainer.h"

#include <math.h>
#include <string.h>

size_t saei_resample_draw(const double *loss, size_t n, double uniform)
{
    double total = 0.0, sum = 0.0;
    for (size_t r = 0; r < n; r++)
        total += loss[r] * loss[r];
    for (size_t r = 0; r + 1 < n; r++) {
        sum += loss[r] * loss[r];
        if (uniform * total < sum)
            return r;
    }
    return n - 1;
}

static bool is_dead(const sae_trainer *t, size_t j)
{
    return t->silent[j] >= t->options.dead_after;
}

static double mean_living_norm(const sae_trainer *t)
{
    const saei_parameters *p = &t->parameters;
    double sum = 0.0;
    size_t living = 0;
    for (size_t j = 0; j < p->n_latents; j++)
        if (!is_dead(t, j)) {
            sum += sqrt(saei_row_norm2(p->W_enc + j * p->d, p->d));
            living++;
        }
    return living > 0 ? sum / (double)living : 1.0;
}

static void clear_moments(sae_trainer *t, size_t j)
{
    saei_parameters *const moments[] = {&t->adam.m, &t->adam.v};
    for (size_t i = 0; i < 2; i++) {
        saei_parameters *m = moments[i];
        memset(m->W_enc + j * m->d, 0, m->d * sizeof(float));
        memset(m->W_dec + j * m->d, 0, m->d * sizeof(float));
        m->b_enc[j] = 0.0f;
        for (size_t e = 0; e < m->n_extra; e++)
            m->extra[e][j] = 0.0f;
    }
}

/* Points latent j at row x [d] as the encoder sees it: centred, unless the input is raw. */
static void point_at(sae_trainer *t, size_t j, const float *x, double encoder_norm)
{
    saei_parameters *p = &t->parameters;
    double norm = sqrt(saei_row_norm2(x, p->d));
    double decoder_norm = t->options.free_decoder ? t->options.start_norm : 1.0;
    if (!(norm > 0.0))
        return;
    for (size_t i = 0; i < p->d; i++) {
        p->W_dec[j * p->d + i] = (float)((double)x[i] * (decoder_norm / norm));
        p->W_enc[j * p->d + i] = (float)((double)x[i] * (encoder_norm / norm));
    }
    p->b_enc[j] = 0.0f;
    clear_moments(t, j);
    t->silent[j] = 0;
}

void saei_trainer_resample(sae_trainer *t)
{
    const saei_objective *o = &t->objective;
    size_t n = o->settings.batch_rows, groups = o->settings.n_groups;
    double *loss = t->row_loss, encoder_norm = 0.2 * mean_living_norm(t);
    for (size_t r = 0; r < n; r++)
        loss[r] = saei_row_norm2(o->e + (r * groups + groups - 1) * o->settings.d, o->settings.d);
    for (size_t j = 0; j < o->settings.n_latents; j++) {
        if (!is_dead(t, j))
            continue;
        saei_rng rng =
            saei_rng_new(t->options.seed, SAEI_STREAM_RESAMPLE, t->step * o->settings.n_latents + j);
        size_t row = saei_resample_draw(loss, n, saei_rng_uniform(&rng));
        point_at(t, j, o->xc + row * o->settings.d, encoder_norm);
    }
    saei_objective_pack(&t->objective, &t->parameters);
}

/* How far the model itself goes along a direction. */
#include "apply/pass.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/options.h"
#include "model/model.h"
#include "num/rows.h"
#include "steer/steering.h"

#include <math.h>

typedef struct measure {
    const sae_steer_options *options;
    const double *along; /* [n_latents] d_j · u */
    double norms, parts, largest;
    uint64_t rows, active;
} measure;

static sae_status observe(void *user, const saei_block *block, sae_error *err)
{
    (void)err;
    measure *m = user;
    for (size_t r = 0; r < block->x.rows; r++) {
        m->norms += sqrt(saei_row_norm2(block->x.data + r * block->x.stride, block->x.cols));
        double part = 0;
        bool active = false;
        for (size_t i = 0; i < m->options->n_latents; i++) {
            double f = saei_activation_of(&block->codes, r, m->options->latents[i]);
            part += f * m->along[i];
            active = active || f > 0;
        }
        if (!active)
            continue;
        if (block->codes.row_scale != NULL)
            part *= (double)block->codes.row_scale[r];
        m->largest = m->active == 0 || part > m->largest ? part : m->largest;
        m->parts += part;
        m->active++;
    }
    m->rows += block->x.rows;
    return SAE_OK;
}

static sae_steer_scale scale_of(const measure *m)
{
    double mean_norm = m->norms / (double)m->rows, none = (double)NAN;
    bool known = m->active > 0 && mean_norm > 0;
    return (sae_steer_scale){.rows = m->rows,
                             .active_rows = m->active,
                             .mean_norm = mean_norm,
                             .typical = known ? m->parts / (double)m->active / mean_norm : none,
                             .largest = known ? m->largest / mean_norm : none};
}

/* along_j = d_j · u */
static sae_status project_latents(double *along, double *u, const sae_model *model,
                                  const sae_steer_options *o, sae_error *err)
{
    sae_params params = sae_model_params(model);
    sae_status status = saei_steer_unit(u, model, o, err);
    for (size_t i = 0; i < o->n_latents && status == SAE_OK; i++)
        for (size_t k = 0; k < params.d; k++)
            along[i] += (double)params.W_dec[(size_t)o->latents[i] * params.d + k] * u[k];
    return status;
}

sae_status sae_steer_measure(sae_steer_scale *out, const sae_model *model, const sae_dump *dump,
                             const sae_steer_options *options, sae_progress_fn progress, void *user,
                             sae_error *err)
{
    sae_context *context = model->context;
    sae_steer_options o;
    sae_steer_options_init(&o);
    sae_status status = saei_options_read(&o, sizeof o, options, err);
    if (status != SAE_OK)
        return status;
    double *u = NULL, *along = NULL;
    status = saei_alloc(&u, context, sae_model_dim(model), sizeof *u, err);
    if (status == SAE_OK)
        status = saei_alloc(&along, context, o.n_latents, sizeof *along, err);
    if (status == SAE_OK)
        status = project_latents(along, u, model, &o, err);
    measure m = {.options = &o, .along = along};
    const saei_pass pass = {.model = model,
                            .dump = dump,
                            .consume = observe,
                            .consume_user = &m,
                            .progress = progress,
                            .progress_user = user};
    if (status == SAE_OK)
        status = saei_pass_run(&pass, err);
    if (status == SAE_OK)
        *out = scale_of(&m);
    saei_free(context, along);
    saei_free(context, u);
    return status;
}

/* The backward pass and the sweep, for sparse codes, and what they share with those for dense ones. */
#include "base/parallel.h"
#include "num/rows.h"
#include "train/objective_inside.h"

#include <math.h>
#include <string.h>

static void reduce_tiles(const saei_objective *o)
{
    size_t n = saei_objective_tile_sums(o);
    for (size_t tile = 1; tile < saei_objective_tiles(o->settings.batch_rows); tile++)
        for (size_t i = 0; i < n; i++)
            o->tile_sums[i] += o->tile_sums[tile * n + i];
}

/* From Σ G of the decoder's path, and what the parts and AuxK collected on the encoder's. */
static void reduce_b_dec(const saei_objective *o, float e_scale)
{
    size_t d = o->settings.d;
    bool gate = o->e_gate != NULL && !o->settings.detached_gate;
    const double *sums = o->tile_sums + SAEI_SUM_VECTORS;
    for (size_t i = 0; i < d; i++) {
        double sum = (double)e_scale * (sums[i] + (gate ? sums[d + i] : 0.0));
        for (size_t part = 0; part < saei_objective_parts(o) && !o->settings.raw_input; part++)
            sum += (double)o->part_b_dec[part * d + i];
        o->g_b_dec[i] = (float)sum;
    }
    if (!o->settings.raw_input)
        saei_auxk_add_b_dec(&o->aux, o->g_b_dec);
}

static void set_weight(const saei_objective *o, saei_penalty *penalty)
{
    double rows = (double)o->settings.batch_rows, target = o->settings.target_l0;
    double weight = penalty->coefficient / rows;
    if (saei_penalty_aims_at_l0(penalty->kind))
        weight *= 2.0 * (o->l0 / target - 1.0) / target;
    penalty->weight = (float)weight;
    penalty->rows = o->settings.batch_rows;
    penalty->pre_act = (float)(o->settings.pre_act_coefficient / rows);
}

static saei_latent_entries entries_of(const saei_objective *o, size_t j)
{
    size_t start = o->index.places.start[j];
    saei_latent_entries entries = {
        .n = o->index.places.start[j + 1] - start,
        .value = o->index.value + start,
        .g = o->index.g + start,
        .row = o->index.row + start,
        .row_slope = o->powers.slope,
    };
    if (o->e_gate != NULL) {
        entries.gate_value = o->index.gate + start;
        entries.gate_g = o->index.g_gate + start;
    }
    return entries;
}

static size_t group_of(const saei_objective *o, size_t j)
{
    size_t group = 0;
    while (j >= o->settings.group_end[group])
        group++;
    return group;
}

static double square(double x)
{
    return x * x;
}

/* A bound of the squared norm of the gradient of a latent: the triangle inequality over its entries. */
static double latent_bound(const saei_objective *o, const saei_latent_entries *entries, size_t j)
{
    const uint32_t *row = o->index.row + o->index.places.start[j];
    size_t groups = o->settings.n_groups, group = group_of(o, j);
    const saei_latent_sums *sums = &o->latent_sums[j];
    double enc = 0.0, dec = fabs(sums->decoder_norm), rest = square(sums->b_enc);
    for (size_t i = 0; i < entries->n; i++) {
        enc += fabs((double)entries->g[i]) * (double)o->norm_x[row[i]];
        dec += fabs((double)entries->value[i]) * (double)o->norm_e[row[i] * groups + group];
        if (o->e_gate != NULL && !o->settings.detached_gate)
            dec += fabs((double)entries->gate_value[i]) * (double)o->norm_gate[row[i]];
    }
    for (size_t i = 0; i < o->settings.architecture->n_extra; i++)
        rest += square(sums->extra[i]);
    return square(enc) + square(dec) + rest;
}

/* The values become weights of residual rows: ∂loss/∂w_dec = Σ value E. */
static void weigh_values(const saei_latent_entries *entries, float e_scale)
{
    for (size_t i = 0; i < entries->n; i++) {
        entries->value[i] *= e_scale;
        if (entries->gate_value != NULL)
            entries->gate_value[i] *= e_scale;
    }
}

static void backward_task(void *arg, size_t slice, unsigned worker)
{
    (void)worker;
    const saei_objective_job *job = arg;
    const saei_objective *o = job->o;
    size_t d = o->settings.d;
    float *b_dec = o->part_b_dec + slice * d;
    memset(b_dec, 0, d * sizeof *b_dec);
    o->part_norm2[slice] = 0.0;
    for (size_t j = saei_slice_start(o, slice); j < saei_slice_start(o, slice + 1); j++) {
        saei_latent_entries entries = entries_of(o, j);
        saei_latent_sums *sums = &o->latent_sums[j];
        *sums = (saei_latent_sums){0};
        if (entries.n == 0 && !saei_penalty_sees_silence(job->penalty->kind))
            continue;
        for (size_t i = 0; i < entries.n && o->selection.norm != NULL; i++)
            entries.value[i] = saei_pre_of_value(o, entries.value[i], j);
        saei_latent latent = saei_objective_latent(job, j);
        o->settings.architecture->backward(&entries, sums, &latent, job->penalty);
        weigh_values(&entries, job->e_scale);
        saei_row_axpy(b_dec, (float)-sums->pre, job->p->W_enc + j * d, d);
        o->part_norm2[slice] += latent_bound(o, &entries, j);
    }
}

saei_objective_result saei_objective_backward(saei_objective *o, const saei_parameters *p,
                                              saei_penalty *penalty)
{
    const saei_objective_settings *s = &o->settings;
    double rows = (double)s->batch_rows;
    reduce_tiles(o);
    saei_objective_result result = {.loss =
                                        (o->tile_sums[SAEI_SUM_LOSS] + o->tile_sums[SAEI_SUM_GATE]) / rows,
                                    .reconstruction = o->tile_sums[SAEI_SUM_RECONSTRUCTION] / rows,
                                    .active = (uint64_t)o->tile_sums[SAEI_SUM_ACTIVE]};
    o->l0 = (double)result.active / rows;
    set_weight(o, penalty);
    saei_objective_job job = {.o = o, .p = p, .penalty = penalty, .rows = s->batch_rows};
    job.e_scale = (float)(-2.0 / rows);
    if (!o->dense) {
        saei_latent_index_build(&o->index, &o->codes, o->g, o->g_gate, s->n_latents, s->batch_rows, o->slots);
        saei_parallel_for(o->context, SAEI_SLICES, backward_task, &job);
    }
    const saei_selection_weights *selection = o->selection.W != NULL ? &o->selection : NULL;
    result.aux_loss =
        saei_auxk_run(&o->aux, p, selection, o->panels, o->xc, saei_residual(o, 0, s->n_groups - 1),
                      s->n_groups * s->d, (float)(1.0 / s->group_weight));
    if (!o->dense)
        reduce_b_dec(o, job.e_scale);
    return result;
}

double saei_objective_norm_bound(const saei_objective *o)
{
    if (o->dense)
        return INFINITY;
    double bound = saei_row_norm2(o->g_b_dec, o->settings.d);
    for (size_t slice = 0; slice < SAEI_SLICES; slice++)
        bound += o->part_norm2[slice];
    return sqrt(bound) + saei_auxk_norm_bound(&o->aux);
}

static void project(float *g, const float *w, size_t d, bool any_length)
{
    float norm2 = any_length ? saei_row_dot(w, w, d) : 1.0f;
    saei_row_axpy(g, -saei_row_dot(g, w, d) / norm2, w, d);
}

double saei_objective_finish_decoder(const saei_objective_job *job, size_t j, float *g)
{
    const saei_objective *o = job->o;
    size_t d = o->settings.d;
    const float *w = job->p->W_dec + j * d;
    double of_norm = o->latent_sums[j].decoder_norm;
    if (of_norm != 0.0)
        saei_row_axpy(g, (float)(of_norm / sqrt(saei_row_norm2(w, d))), w, d);
    saei_auxk_add_decoder(&o->aux, j, g);
    if (o->settings.unit_rows)
        project(g, w, d, o->any_length);
    double norm2 = saei_row_norm2(g, d);
    saei_latent_gradient gradient = {.latent = j, .W_dec = g};
    if (job->receiver != NULL)
        job->receiver->receive(job->receiver->arg, &gradient);
    return norm2;
}

double saei_objective_finish_encoder(const saei_objective_job *job, size_t j, float *g)
{
    const saei_objective *o = job->o;
    const saei_latent_sums *sums = &o->latent_sums[j];
    saei_latent_gradient gradient = {.latent = j, .W_enc = g, .b_enc = (float)sums->b_enc};
    saei_auxk_add_encoder(&o->aux, j, g, &gradient.b_enc, o->xc);
    double norm2 = saei_row_norm2(g, o->settings.d) + square((double)gradient.b_enc);
    for (size_t i = 0; i < o->settings.architecture->n_extra; i++) {
        gradient.extra[i] = (float)sums->extra[i];
        norm2 += square((double)gradient.extra[i]);
    }
    if (job->receiver != NULL)
        job->receiver->receive(job->receiver->arg, &gradient);
    return norm2;
}

void saei_objective_repack(const saei_objective_job *job, size_t first, size_t end)
{
    if (job->receiver != NULL)
        saei_objective_pack_latents(job->o, job->p, first, end);
}

/* The rows of latent j that the receiver reads, of W_dec or of W_enc. */
static void name_rows_after(saei_named_rows *rows, const saei_objective_job *job, size_t j, bool decoder)
{
    for (size_t i = 0; i < SAEI_RECEIVER_READS && job->receiver != NULL; i++) {
        const saei_parameters *p = job->receiver->reads[i];
        if (p != NULL)
            rows->after[i] = (decoder ? p->W_dec : p->W_enc) + j * p->d;
    }
}

static void decoder_task(void *arg, size_t slice, unsigned worker)
{
    const saei_objective_job *job = arg;
    const saei_objective *o = job->o;
    size_t d = o->settings.d, groups = o->settings.n_groups;
    float *g = o->part_floats + worker * saei_objective_part_floats(&o->settings);
    double norm2 = 0.0;
    for (size_t j = saei_slice_start(o, slice); j < saei_slice_start(o, slice + 1); j++) {
        saei_latent_entries entries = entries_of(o, j);
        saei_named_rows residuals =
            saei_latent_index_rows(&o->index, j, saei_residual(o, 0, group_of(o, j)), groups * d);
        name_rows_after(&residuals, job, j, true);
        memset(g, 0, d * sizeof *g);
        saei_rows_combine(g, &residuals, entries.value, d);
        if (o->e_gate != NULL && !o->settings.detached_gate) {
            saei_named_rows gate = saei_latent_index_rows(&o->index, j, o->e_gate, d);
            saei_rows_combine(g, &gate, entries.gate_value, d);
        }
        norm2 += saei_objective_finish_decoder(job, j, g);
    }
    o->part_norm2[slice] = norm2;
}

static void encoder_task(void *arg, size_t slice, unsigned worker)
{
    const saei_objective_job *job = arg;
    const saei_objective *o = job->o;
    size_t d = o->settings.d;
    float *g = o->part_floats + worker * saei_objective_part_floats(&o->settings);
    double norm2 = 0.0;
    for (size_t j = saei_slice_start(o, slice); j < saei_slice_start(o, slice + 1); j++) {
        saei_latent_entries entries = entries_of(o, j);
        saei_named_rows xc = saei_latent_index_rows(&o->index, j, o->xc, d);
        name_rows_after(&xc, job, j, false);
        memset(g, 0, d * sizeof *g);
        saei_rows_combine(g, &xc, entries.g, d);
        norm2 += saei_objective_finish_encoder(job, j, g);
        if ((j + 1) % SAEI_SWEEP_LATENTS == 0 || j + 1 == o->settings.n_latents)
            saei_objective_repack(job, j / SAEI_SWEEP_LATENTS * SAEI_SWEEP_LATENTS, j + 1);
    }
    o->part_norm2[slice] += norm2;
}

double saei_objective_sweep(saei_objective *o, const saei_parameters *p, const saei_penalty *penalty,
                            const saei_gradient_receiver *receiver)
{
    saei_objective_job job = {.o = o, .p = p, .penalty = penalty, .rows = o->settings.batch_rows};
    job.e_scale = (float)(-2.0 / (double)job.rows);
    job.receiver = receiver;
    if (o->panels != NULL && receiver != NULL)
        saei_panels_use_bytes(o->panels, o->screening.in_bytes && !saei_auxk_is_sparse(&o->aux));
    if (o->dense) {
        saei_dense_sweep(&job);
        reduce_b_dec(o, job.e_scale);
    } else {
        saei_parallel_for(o->context, SAEI_SLICES, decoder_task, &job);
        saei_parallel_for(o->context, SAEI_SLICES, encoder_task, &job);
    }
    double norm2 = saei_row_norm2(o->g_b_dec, o->settings.d);
    for (size_t part = 0; part < saei_objective_parts(o); part++)
        norm2 += o->part_norm2[part];
    return sqrt(norm2);
}

double saei_objective_sparsity(const saei_objective *o, const saei_penalty *penalty)
{
    double sum = 0.0, rows = (double)o->settings.batch_rows;
    if (saei_penalty_aims_at_l0(penalty->kind))
        return penalty->coefficient * square(o->l0 / o->settings.target_l0 - 1.0);
    if (saei_row_powers_wanted(&o->powers, penalty))
        return penalty->coefficient * saei_row_powers_sum(&o->powers, o->settings.batch_rows, penalty) / rows;
    for (size_t j = 0; j < o->settings.n_latents; j++)
        sum += o->latent_sums[j].sparsity;
    return penalty->coefficient * sum / rows;
}

double saei_objective_pre_act(const saei_objective *o)
{
    double sum = 0.0;
    for (size_t j = 0; j < o->settings.n_latents; j++)
        sum += o->latent_sums[j].pre_act;
    return sum / (double)o->settings.batch_rows;
}

double saei_objective_p_ratio(const saei_objective *o, const saei_penalty *penalty)
{
    double now = 0.0, next = 0.0;
    if (saei_row_powers_wanted(&o->powers, penalty))
        return saei_row_powers_ratio(&o->powers, o->settings.batch_rows, penalty);
    for (size_t j = 0; j < o->settings.n_latents; j++) {
        now += o->latent_sums[j].sparsity;
        next += o->latent_sums[j].sparsity_next;
    }
    return next > 0.0 ? now / next : 1.0;
}

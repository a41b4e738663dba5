#include "train/trainer.h"
#include "base/context.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/options.h"
#include "dump/dump.h"
#include "num/geometric_median.h"
#include "train/choices.h"

#include <math.h>
#include <string.h>

enum { HELDOUT_ROWS_MAX = 16384 };

/* Left to libraries that allocate on their own (HDF5, BLAS), so that the process obeys the limit too: this
   much, but no more than a quarter of the limit. */
static const uint64_t library_bytes = (uint64_t)96 << 20;

static uint64_t library_share(uint64_t limit)
{
    return library_bytes < limit / 4 ? library_bytes : limit / 4;
}

/* The least limit that leaves `bytes` beside the share of the libraries. */
static uint64_t least_limit(uint64_t bytes)
{
    return bytes / 3 < library_bytes ? bytes + bytes / 3 + 2 : saei_add(bytes, library_bytes);
}

static size_t quantile_bytes(const sae_trainer *t)
{
    const saei_architecture *a = saei_architecture_find(t->options.architecture);
    return a->selection == SAEI_SELECT_BATCH_TOPK ? SAEI_QUANTILE_BINS * sizeof(uint32_t) : 0;
}

/* The settings of the loss: sizes and constants that do not change from step to step. */
static saei_objective_settings settings_of(const sae_trainer *t)
{
    const sae_train_options *o = &t->options;
    saei_objective_settings s = {.architecture = saei_architecture_find(o->architecture),
                                 .d = (size_t)t->d,
                                 .n_latents = o->n_latents,
                                 .k = (size_t)lround((double)o->k * o->k_start),
                                 .batch_rows = o->batch_rows,
                                 .n_groups = 1,
                                 .group_end = {o->n_latents},
                                 .group_weight = 1.0,
                                 .target_l0 = (double)o->k,
                                 .blas_encoder = o->blas_encoder,
                                 .raw_input = o->raw_input,
                                 .unit_rows = !o->free_decoder,
                                 .detached_gate = o->detached_gate,
                                 .aux = {o->aux_k, o->aux_style, o->aux_coefficient, 0}};
    if (o->architecture != SAE_ARCH_MATRYOSHKA)
        return s;
    double share = 0.0;
    s.n_groups = o->n_groups;
    s.group_weight = o->group_mean ? 1.0 / (double)o->n_groups : 1.0;
    for (size_t g = 0; g < o->n_groups; g++) {
        share += o->groups[g];
        s.group_end[g] = (size_t)lround(share * (double)o->n_latents);
    }
    s.group_end[o->n_groups - 1] = o->n_latents;
    return s;
}

/* Parameters, two moments, and the model that is made of them in the end. */
static uint64_t fixed_bytes(const sae_trainer *t)
{
    const sae_train_options *o = &t->options;
    saei_objective_settings settings = settings_of(t);
    size_t d = (size_t)t->d, row = saei_add(saei_mul(2, d), 1 + SAEI_EXTRAS_MAX);
    size_t parameters = saei_mul(saei_mul(sizeof(float), row), saei_add(o->n_latents, 1));
    return saei_add(saei_mul(4, parameters), saei_add(saei_objective_bytes(&settings),
                                                      saei_mul(o->n_latents, 32) + quantile_bytes(t)));
}

/* The shuffle gets what the limit leaves. */
static sae_status choose_window(sae_trainer *t, sae_error *err)
{
    uint64_t row_bytes = t->d * sizeof(float) + sizeof(uint64_t), left = saei_memory_left(t->context);
    uint64_t fixed = fixed_bytes(t), used = sae_context_memory_used(t->context);
    uint64_t limit = sae_context_memory_limit(t->context), share = library_share(limit);
    uint64_t enough =
        t->rows < 4 * (uint64_t)t->options.batch_rows ? t->rows : 4 * (uint64_t)t->options.batch_rows;
    uint64_t needed = saei_add(fixed, enough * row_bytes);
    if (saei_add(needed, share) > left)
        return saei_fail(err, SAE_E_MEMORY,
                         "training %zu latents on %s needs a memory limit of at least %.1f MB, not %.1f MB",
                         t->options.n_latents, sae_dump_name(t->dump),
                         ceil((double)least_limit(saei_add(needed, used)) / 1e5) / 10, (double)limit / 1e6);
    uint64_t window = (left - fixed - share) / row_bytes;
    t->window_rows = window < t->rows ? window : t->rows;
    return SAE_OK;
}

static sae_status allocate(sae_trainer *t, sae_error *err)
{
    const sae_train_options *o = &t->options;
    sae_context *context = t->context;
    size_t d = (size_t)t->d, F = o->n_latents;
    saei_objective_settings settings = settings_of(t);
    sae_status status =
        saei_parameters_new(&t->parameters, context, d, F, settings.architecture->n_extra, err);
    if (status == SAE_OK)
        status = saei_adam_new(&t->adam, context, &t->parameters, o->beta1, o->beta2, o->epsilon,
                               !o->free_decoder, err);
    if (status == SAE_OK)
        status = saei_objective_new(&t->objective, context, &settings, err);
    if (status == SAE_OK && quantile_bytes(t) > 0)
        status = saei_alloc(&t->bins, context, quantile_bytes(t), 1, err);
    if (status == SAE_OK && o->resample_every > 0)
        status = saei_alloc(&t->row_loss, context, o->batch_rows, sizeof *t->row_loss, err);
    if (status == SAE_OK)
        status = saei_alloc(&t->silent, context, F, sizeof *t->silent, err);
    if (status == SAE_OK)
        status = saei_alloc(&t->fired, context, F, sizeof *t->fired, err);
    if (status == SAE_OK)
        status = saei_alloc(&t->heldout_mean, context, d, sizeof *t->heldout_mean, err);
    if (status == SAE_OK)
        status = saei_batches_new(&t->batches, context, t->dump, t->heldout != NULL ? 0.0 : o->heldout,
                                  HELDOUT_ROWS_MAX, t->window_rows, o->seed, err);
    return status;
}

sae_status saei_trainer_prepare(sae_trainer *t, sae_error *err)
{
    sae_status status = saei_train_options_choose(&t->options, (size_t)t->d, t->rows, err);
    if (status == SAE_OK && t->window_rows == 0)
        status = choose_window(t, err);
    if (status == SAE_OK)
        status = allocate(t, err);
    if (status == SAE_OK)
        t->metrics = (sae_train_metrics){.step = t->step, .steps = t->options.steps};
    return status;
}

sae_status saei_trainer_alloc(sae_trainer **out, const sae_dump *dump, const sae_dump *heldout,
                              const sae_train_options *options, sae_error *err)
{
    *out = NULL;
    sae_train_options opt;
    sae_train_options_init(&opt);
    sae_status status = saei_options_read(&opt, sizeof opt, options, err);
    if (status != SAE_OK)
        return status;
    if (heldout != NULL && sae_dump_dim(heldout) != sae_dump_dim(dump))
        return saei_fail(err, SAE_E_MISMATCH, "%s: rows are %zu wide, those of %s %zu",
                         sae_dump_name(heldout), sae_dump_dim(heldout), sae_dump_name(dump),
                         sae_dump_dim(dump));
    sae_trainer *t;
    sae_context *context = saei_dump_context(dump);
    status = saei_alloc(&t, context, 1, sizeof *t, err);
    if (status != SAE_OK)
        return status;
    *t = (sae_trainer){.context = context, .dump = dump, .heldout = heldout, .options = opt, .anneal = 1.0};
    t->best_fvu = INFINITY;
    t->options.start = NULL;
    t->d = sae_dump_dim(dump);
    t->rows = sae_dump_rows(dump);
    t->options.checkpoint = NULL;
    if (opt.checkpoint != NULL) {
        char *path;
        status = saei_strdup(&path, context, opt.checkpoint, err);
        t->options.checkpoint = path;
    }
    if (status != SAE_OK) {
        sae_trainer_free(t);
        return status;
    }
    *out = t;
    return SAE_OK;
}

sae_status saei_trainer_scan(sae_trainer *t, saei_dump_scan_result *scan, sae_error *err)
{
    sae_status status = saei_dump_scan(scan, t->dump, t->options.progress, t->options.progress_user, err);
    if (status != SAE_OK)
        return status;
    memcpy(t->data_hash, scan->hash, sizeof t->data_hash);
    t->outliers = scan->outliers;
    return SAE_OK;
}

static double scale_of(const sae_trainer *t, const saei_dump_scan_result *scan)
{
    switch (t->options.input_scale) {
    case SAE_SCALE_RMS_NORM:
        return 1.0 / sqrt(scan->mean_square);
    case SAE_SCALE_MEAN_NORM:
        return sqrt((double)t->d) / scan->mean_norm;
    case SAE_SCALE_NONE:
        return 1.0;
    case SAE_SCALE_VARIANCE:
        break;
    }
    return 1.0 / sqrt(scan->variance);
}

/* The geometric median of the first batch, in scaled units. */
static sae_status median_of_batch(sae_trainer *t, sae_error *err)
{
    size_t d = (size_t)t->d, n = t->options.batch_rows;
    float *x = t->objective.xc;
    double *work;
    sae_status status = saei_alloc(&work, t->context, saei_mul(2, d), sizeof *work, err);
    if (status != SAE_OK)
        return status;
    status = saei_batches_next(x, t->batches, n, err);
    if (status == SAE_OK) {
        for (size_t i = 0; i < n * d; i++)
            x[i] *= (float)t->scale;
        saei_geometric_median(t->parameters.b_dec, x, n, d, work);
        status = saei_batches_seek(t->batches, (saei_batches_state){0}, err);
    }
    saei_free(t->context, work);
    return status;
}

static sae_status init_weights(sae_trainer *t, const double *mean, sae_error *err)
{
    const sae_train_options *o = &t->options;
    saei_parameters *p = &t->parameters;
    saei_parameters_init(p, o->seed, o->free_decoder ? o->decoder_norm : 1.0);
    if (o->architecture == SAE_ARCH_JUMPRELU)
        for (size_t j = 0; j < p->n_latents; j++)
            p->extra[0][j] = (float)o->threshold_start;
    if (o->b_dec_init == SAE_B_DEC_GEOMETRIC_MEDIAN)
        return median_of_batch(t, err);
    for (size_t i = 0; i < p->d; i++)
        p->b_dec[i] = o->b_dec_init == SAE_B_DEC_MEAN ? (float)(t->scale * mean[i]) : 0.0f;
    return SAE_OK;
}

sae_status sae_trainer_new(sae_trainer **out, const sae_dump *dump, const sae_dump *heldout,
                           const sae_train_options *options, sae_error *err)
{
    *out = NULL;
    sae_trainer *t;
    saei_dump_scan_result scan = {0};
    const sae_model *start = options != NULL ? options->start : NULL;
    sae_status status = saei_trainer_alloc(&t, dump, heldout, options, err);
    if (status == SAE_OK && start != NULL)
        status = saei_trainer_match_model(t, start, err);
    if (status == SAE_OK)
        status = saei_trainer_scan(t, &scan, err);
    if (status == SAE_OK && !(scan.variance > 0.0))
        status = saei_fail(err, SAE_E_ARGUMENT, "%s: all rows are equal; there is nothing to learn",
                           sae_dump_name(dump));
    if (status == SAE_OK) {
        t->scale = scale_of(t, &scan);
        status = saei_trainer_prepare(t, err);
    }
    if (status == SAE_OK && start != NULL)
        saei_trainer_start_from(t, start);
    else if (status == SAE_OK)
        status = init_weights(t, scan.mean, err);
    if (status == SAE_OK)
        saei_objective_pack(&t->objective, &t->parameters);
    if (t != NULL)
        saei_free(t->context, scan.mean);
    if (status != SAE_OK) {
        sae_trainer_free(t);
        return status;
    }
    *out = t;
    return SAE_OK;
}

void sae_trainer_free(sae_trainer *t)
{
    if (t == NULL)
        return;
    saei_batches_free(t->batches);
    saei_objective_free(&t->objective);
    saei_adam_free(&t->adam, t->context);
    saei_parameters_free(&t->parameters, t->context);
    saei_free(t->context, t->silent);
    saei_free(t->context, t->fired);
    saei_free(t->context, t->heldout_mean);
    saei_free(t->context, t->bins);
    saei_free(t->context, t->row_loss);
    saei_free(t->context, (void *)(uintptr_t)t->options.checkpoint);
    saei_free(t->context, t);
}

sae_train_options sae_trainer_options(const sae_trainer *trainer)
{
    return trainer->options;
}

sae_train_metrics sae_trainer_metrics(const sae_trainer *trainer)
{
    return trainer->metrics;
}

sae_outliers sae_trainer_outliers(const sae_trainer *trainer)
{
    return trainer->outliers;
}

uint64_t sae_trainer_rows(const sae_trainer *trainer)
{
    return saei_batches_rows(trainer->batches);
}

#include "train/trainer.h"
#include "base/context.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/options.h"
#include "dump/dump.h"

#include <math.h>
#include <stdio.h>

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

static double group_weight(const sae_train_options *o)
{
    double share = 1.0 / (double)o->n_groups;
    switch (o->group_loss) {
    case SAE_GROUP_LOSS_MEAN:
        return share;
    case SAE_GROUP_LOSS_MEAN_TWICE:
        return share * share;
    case SAE_GROUP_LOSS_SUM:
        break;
    }
    return 1.0;
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
                                 .row_share = o->row_share,
                                 .target_l0 = (double)o->k,
                                 .pre_act_coefficient = o->pre_act_coefficient,
                                 .blas_encoder = o->blas_encoder,
                                 .raw_input = o->raw_input,
                                 .unit_rows = !o->free_decoder,
                                 .detached_gate = o->detached_gate,
                                 .rank_by_decoder_norm = o->rank_by_decoder_norm,
                                 .root_penalty = o->sparsity == SAE_SPARSITY_LP_ROOT,
                                 .aux = {o->aux_k, o->aux_style, o->aux_coefficient, 0}};
    if (o->architecture != SAE_ARCH_MATRYOSHKA)
        return s;
    double share = 0.0;
    s.n_groups = o->n_groups;
    s.group_weight = group_weight(o);
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

/* "training 64 latents on NAME", "training 3 SAEs with 4096 latents in all on NAME" */
static sae_status too_little(sae_trainer *const *trainers, size_t n, uint64_t least, uint64_t limit,
                             sae_error *err)
{
    char several[48] = "";
    size_t latents = 0;
    for (size_t i = 0; i < n; i++)
        latents = saei_add(latents, trainers[i]->options.n_latents);
    if (n > 1)
        snprintf(several, sizeof several, "%zu SAEs of together ", n);
    return saei_fail(err, SAE_E_MEMORY,
                     "training %s%zu latents on %s needs a memory limit of at least %.1f MB, not %.1f MB",
                     several, latents, sae_dump_name(trainers[0]->dump), ceil((double)least / 1e5) / 10,
                     (double)limit / 1e6);
}

sae_status saei_trainer_plan(sae_trainer *const *trainers, size_t n, sae_error *err)
{
    sae_trainer *t = trainers[0];
    uint64_t row_bytes = t->d * sizeof(float) + sizeof(uint64_t), left = saei_memory_left(t->context);
    uint64_t used = sae_context_memory_used(t->context), limit = sae_context_memory_limit(t->context);
    uint64_t share = library_share(limit), fixed = 0, batches = 4 * (uint64_t)t->options.batch_rows;
    for (size_t i = 0; i < n; i++)
        fixed = saei_add(fixed, fixed_bytes(trainers[i]));
    uint64_t enough = t->rows < batches ? t->rows : batches, needed = saei_add(fixed, enough * row_bytes);
    if (saei_add(needed, share) > left)
        return too_little(trainers, n, least_limit(saei_add(needed, used)), limit, err);
    uint64_t window = (left - fixed - share) / row_bytes;
    for (size_t i = 0; i < n; i++)
        trainers[i]->window_rows = window < t->rows ? window : t->rows;
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
    return status;
}

/* What one reading of the rows can serve. */
static sae_status check_agreement(const sae_trainer *t, const sae_trainer *leader, sae_error *err)
{
    const sae_train_options *a = &t->options, *b = &leader->options;
    const char *differs = a->batch_rows != b->batch_rows ? "batch_rows"
                          : a->steps != b->steps         ? "steps"
                          : a->heldout != b->heldout     ? "heldout"
                          : a->data_seed != b->data_seed ? "data_seed"
                                                         : NULL;
    if (differs != NULL)
        return saei_fail(err, SAE_E_ARGUMENT, "SAEs that are trained together need the same %s", differs);
    if (t->window_rows != leader->window_rows)
        return saei_fail(
            err, SAE_E_MISMATCH,
            "the checkpoints of SAEs trained together come of different runs: train them one by one");
    return SAE_OK;
}

static sae_status get_batches(sae_trainer *t, const sae_trainer *leader, sae_error *err)
{
    const sae_train_options *o = &t->options;
    if (leader == t)
        return saei_batches_new(&t->batches, t->context, t->dump, t->heldout != NULL ? 0.0 : o->heldout,
                                HELDOUT_ROWS_MAX, t->window_rows, o->data_seed, err);
    sae_status status = check_agreement(t, leader, err);
    if (status == SAE_OK)
        t->batches = saei_batches_share(leader->batches);
    return status;
}

sae_status saei_trainer_prepare(sae_trainer *t, const sae_trainer *leader, sae_error *err)
{
    sae_status status = get_batches(t, leader, err);
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

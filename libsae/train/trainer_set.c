#include "train/trainer_set.h"

#include "base/error.h"
#include "base/memory.h"
#include "train/choices.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

sae_status saei_trainer_set_failed(sae_error *err, sae_status status, size_t i, size_t n,
                                   const sae_trainer *t)
{
    if (err == NULL || n == 1)
        return status;
    char who[128] = "", text[sizeof err->text];
    if (t != NULL)
        snprintf(who, sizeof who, " (%zu latents, k %zu, seed %" PRIu64 ", learning rate %g)",
                 t->options.n_latents, t->options.k, t->options.seed, t->options.learning_rate);
    snprintf(text, sizeof text, "%s", err->text);
    int used = snprintf(err->text, sizeof err->text, "SAE %zu of %zu%s: ", i + 1, n, who);
    snprintf(err->text + used, sizeof err->text - (size_t)used, "%s", text);
    return status;
}

sae_status saei_trainer_set_scan(saei_trainer_set *set, sae_trainer *t, sae_error *err)
{
    sae_status status = SAE_OK;
    if (!set->scanned)
        status = saei_dump_scan(&set->scan, set->dump, t->options.progress, t->options.progress_user, err);
    if (status != SAE_OK)
        return status;
    set->scanned = true;
    memcpy(t->data_hash, set->scan.hash, sizeof t->data_hash);
    t->outliers = set->scan.outliers;
    return SAE_OK;
}

/* What the options leave open and all must share. */
static void follow(sae_train_options *o, const sae_train_options *leader)
{
    if (o->data_seed == UINT64_MAX)
        o->data_seed = leader->data_seed;
    if (o->batch_rows == 0)
        o->batch_rows = leader->batch_rows;
    if (o->steps == 0)
        o->steps = leader->steps;
}

/* A new trainer with its options chosen. */
static sae_status begin(sae_trainer **out, saei_trainer_set *set, const sae_train_options *options,
                        sae_error *err)
{
    sae_trainer *t;
    sae_status status = saei_trainer_alloc(&t, set->dump, set->heldout, options, err);
    if (status == SAE_OK && t->options.start != NULL)
        status = saei_trainer_match_model(t, t->options.start, err);
    if (status == SAE_OK && set->leader != NULL) {
        follow(&t->options, &set->leader->options);
        t->window_rows = set->leader->window_rows;
    }
    if (status == SAE_OK)
        status = saei_train_options_choose(&t->options, (size_t)t->d, t->rows, err);
    if (status != SAE_OK) {
        sae_trainer_free(t);
        return status;
    }
    *out = t;
    return SAE_OK;
}

static bool is_new(const char *const *paths, size_t i)
{
    return paths == NULL || paths[i] == NULL;
}

/* The first batch for those whose weights begin with it: read once, and the stream is at its beginning again.
 */
static sae_status read_first_rows(sae_trainer *const *trainers, size_t n, const char *const *paths,
                                  sae_error *err)
{
    const sae_trainer *first = NULL;
    for (size_t i = 0; i < n; i++) {
        sae_trainer *t = trainers[i];
        if (!is_new(paths, i) || !saei_trainer_wants_rows(t))
            continue;
        sae_status status = SAE_OK;
        if (first == NULL)
            status = saei_trainer_read_rows(t, err);
        else
            memcpy(t->objective.xc, first->objective.xc,
                   t->options.batch_rows * (size_t)t->d * sizeof(float));
        if (status != SAE_OK)
            return status;
        first = first == NULL ? t : first;
    }
    return first == NULL ? SAE_OK : saei_batches_seek(first->batches, first->place, err);
}

/* Buffers and weights of the new ones. */
static sae_status complete(saei_trainer_set *set, sae_trainer *const *trainers, size_t n,
                           const char *const *paths, sae_error *err)
{
    sae_status status = SAE_OK;
    for (size_t i = 0; i < n; i++) {
        if (!is_new(paths, i))
            continue;
        saei_trainer_set_scale(trainers[i], &set->scan);
        status = saei_trainer_prepare(trainers[i], set->leader, err);
        if (status != SAE_OK)
            return saei_trainer_set_failed(err, status, i, n, trainers[i]);
    }
    status = read_first_rows(trainers, n, paths, err);
    for (size_t i = 0; status == SAE_OK && i < n; i++)
        if (is_new(paths, i))
            status = saei_trainer_init_weights(trainers[i], set->scan.mean, err);
    return status;
}

static sae_status load_old(sae_trainer **out, size_t n, saei_trainer_set *set, const char *const *paths,
                           const sae_train_options *const *options, sae_error *err)
{
    for (size_t i = 0; i < n; i++) {
        if (is_new(paths, i))
            continue;
        sae_status status = saei_trainer_set_load(&out[i], set, paths[i], options[i], err);
        if (status != SAE_OK)
            return saei_trainer_set_failed(err, status, i, n, NULL);
        set->leader = set->leader == NULL ? out[i] : set->leader;
    }
    return SAE_OK;
}

static sae_status make_new(sae_trainer **out, size_t n, saei_trainer_set *set, const char *const *paths,
                           const sae_train_options *const *options, sae_error *err)
{
    bool resumed = set->leader != NULL;
    sae_status status = SAE_OK;
    for (size_t i = 0; i < n; i++) {
        if (!is_new(paths, i))
            continue;
        status = begin(&out[i], set, options[i], err);
        if (status != SAE_OK)
            return saei_trainer_set_failed(err, status, i, n, NULL);
        set->leader = set->leader == NULL ? out[i] : set->leader;
    }
    for (size_t i = 0; status == SAE_OK && i < n; i++)
        status = saei_trainer_set_scan(set, out[i], err);
    if (status == SAE_OK && !(set->scan.variance > 0.0))
        status = saei_fail(err, SAE_E_ARGUMENT, "%s: all rows are equal; there is nothing to learn",
                           sae_dump_name(set->dump));
    if (status == SAE_OK && !resumed)
        status = saei_trainer_plan(out, n, err);
    return status == SAE_OK ? complete(set, out, n, paths, err) : status;
}

sae_status sae_trainer_load_many(sae_trainer **out, size_t n, const char *const *paths, const sae_dump *dump,
                                 const sae_dump *heldout, const sae_train_options *const *options,
                                 sae_error *err)
{
    saei_trainer_set set = {.context = saei_dump_context(dump), .dump = dump, .heldout = heldout};
    if (n == 0)
        return saei_fail(err, SAE_E_ARGUMENT, "%s: no SAE to train", sae_dump_name(dump));
    for (size_t i = 0; i < n; i++)
        out[i] = NULL;
    /* Those that go on come first: the new ones share their rows. */
    sae_status status = load_old(out, n, &set, paths, options, err);
    if (status == SAE_OK)
        status = make_new(out, n, &set, paths, options, err);
    saei_free(set.context, set.scan.mean);
    for (size_t i = 0; status != SAE_OK && i < n; i++) {
        sae_trainer_free(out[i]);
        out[i] = NULL;
    }
    return status;
}

sae_status sae_trainer_new_many(sae_trainer **out, size_t n, const sae_dump *dump, const sae_dump *heldout,
                                const sae_train_options *const *options, sae_error *err)
{
    return sae_trainer_load_many(out, n, NULL, dump, heldout, options, err);
}

sae_status sae_trainer_new(sae_trainer **out, const sae_dump *dump, const sae_dump *heldout,
                           const sae_train_options *options, sae_error *err)
{
    return sae_trainer_new_many(out, 1, dump, heldout, &options, err);
}

sae_status sae_trainer_load(sae_trainer **out, const char *path, const sae_dump *dump,
                            const sae_dump *heldout, const sae_train_options *options, sae_error *err)
{
    return sae_trainer_load_many(out, 1, &path, dump, heldout, &options, err);
}

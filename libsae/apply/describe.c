/* AUROC of many latents under many labels, from one pass. */
#include "apply/describe.h"
#include "apply/auroc.h"
#include "apply/label_units.h"
#include "apply/pass.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "model/model.h"

typedef struct label_scores {
    saei_label_units units;
    double *sum; /* [n_latents, units.n] */
} label_scores;

typedef struct description {
    sae_context *context;
    const saei_places *places;
    size_t n_labels;
    label_scores *labels;
    sae_auroc_result *out; /* [n_labels, n_latents] */
    size_t most_units;
    double *dealt; /* [threads, most_units] */
} description;

static void add(label_scores *label, uint32_t place, uint64_t row, double value)
{
    uint32_t unit = label->units.of_row[row];
    if (unit != SAEI_NO_UNIT)
        label->sum[(place - 1) * label->units.n + unit] += value;
}

static sae_status consume(void *user, const saei_block *block, sae_error *err)
{
    (void)err;
    description *d = user;
    const sae_codes_view *codes = &block->codes;
    for (size_t r = 0; r < codes->rows; r++)
        for (uint64_t i = codes->row_ptr[r]; i < codes->row_ptr[r + 1]; i++) {
            uint32_t latent = codes->latent[i], place = d->places->place[latent];
            double value = (double)codes->value[i];
            if (d->places->weight != NULL)
                value *= d->places->weight[latent];
            for (size_t l = 0; place > 0 && l < d->n_labels; l++)
                add(&d->labels[l], place, block->first + r, value);
        }
    return SAE_OK;
}

/* Positive means from the front of the scratch, the others from its back. A task is one latent under one
 * label. */
static void compare_units(void *arg, size_t task, unsigned worker)
{
    description *d = arg;
    const label_scores *label = &d->labels[task / d->places->n];
    const double *sum = label->sum + task % d->places->n * label->units.n;
    double *dealt = d->dealt + worker * d->most_units;
    size_t n = label->units.n, front = 0, back = n;
    for (size_t u = 0; u < n; u++)
        dealt[label->units.positive[u] ? front++ : --back] = sum[u] / (double)label->units.rows[u];
    d->out[task] = saei_auroc(dealt, front, dealt + front, n - front);
}

static sae_status prepare(description *d, const sae_dump *dump, const sae_label *labels, size_t n_labels,
                          sae_error *err)
{
    sae_status status = saei_alloc(&d->labels, d->context, n_labels, sizeof *d->labels, err);
    for (size_t l = 0; status == SAE_OK && l < n_labels; l++) {
        label_scores *scores = &d->labels[d->n_labels++];
        status = saei_label_units_read(&scores->units, d->context, dump, &labels[l], err);
        if (status == SAE_OK)
            status = saei_alloc(&scores->sum, d->context, saei_mul(d->places->n, scores->units.n),
                                sizeof *scores->sum, err);
        if (scores->units.n > d->most_units)
            d->most_units = scores->units.n;
    }
    if (status == SAE_OK)
        status = saei_alloc(&d->dealt, d->context, saei_mul(sae_context_threads(d->context), d->most_units),
                            sizeof *d->dealt, err);
    return status;
}

static void release(description *d)
{
    for (size_t l = 0; l < d->n_labels; l++) {
        saei_free(d->context, d->labels[l].sum);
        saei_label_units_release(&d->labels[l].units, d->context);
    }
    saei_free(d->context, d->dealt);
    saei_free(d->context, d->labels);
}

sae_status saei_describe(sae_auroc_result *out, const sae_model *model, const sae_dump *dump,
                         const sae_label *labels, size_t n_labels, const saei_places *places,
                         sae_progress_fn progress, void *user, sae_error *err)
{
    description d = {.context = model->context, .places = places, .out = out};
    sae_status status = saei_pass_check(model, dump, err);
    if (status == SAE_OK)
        status = prepare(&d, dump, labels, n_labels, err);
    if (status == SAE_OK)
        status = saei_pass_run(&(saei_pass){.model = model,
                                            .dump = dump,
                                            .consume = consume,
                                            .consume_user = &d,
                                            .progress = progress,
                                            .progress_user = user},
                               err);
    if (status == SAE_OK)
        saei_parallel_for(d.context, saei_mul(n_labels, places->n), compare_units, &d);
    release(&d);
    return status;
}

static sae_status place_latents(uint32_t *place, const uint32_t *latents, size_t n_latents, size_t n,
                                sae_error *err)
{
    for (size_t i = 0; i < n_latents; i++) {
        size_t latent = latents != NULL ? latents[i] : i;
        if (latent >= n)
            return saei_fail(err, SAE_E_NOT_FOUND, "latent %zu: the model has latents 0 to %zu", latent,
                             n - 1);
        if (place[latent] > 0)
            return saei_fail(err, SAE_E_ARGUMENT, "latent %zu stands twice in the list: name it once",
                             latent);
        place[latent] = (uint32_t)i + 1;
    }
    return SAE_OK;
}

sae_status sae_model_describe(sae_auroc_result *out, const sae_model *model, const sae_dump *dump,
                              const sae_label *labels, size_t n_labels, const uint32_t *latents,
                              size_t n_latents, sae_progress_fn progress, void *user, sae_error *err)
{
    size_t F = sae_model_latents(model);
    if (n_labels == 0 || n_latents == 0)
        return saei_fail(err, SAE_E_ARGUMENT, "%zu labels and %zu latents: one of each at least", n_labels,
                         n_latents);
    if (latents == NULL && n_latents != F)
        return saei_fail(err, SAE_E_ARGUMENT, "n_latents %zu without a list: must be the %zu of the model",
                         n_latents, F);
    uint32_t *place;
    sae_status status = saei_alloc(&place, model->context, F, sizeof *place, err);
    if (status == SAE_OK)
        status = place_latents(place, latents, n_latents, F, err);
    if (status == SAE_OK)
        status = saei_describe(out, model, dump, labels, n_labels, &(saei_places){n_latents, place, NULL},
                               progress, user, err);
    saei_free(model->context, place);
    return status;
}

#include "apply/auroc.h"
#include "apply/groups.h"
#include "apply/pass.h"
#include "base/error.h"
#include "base/memory.h"
#include "model/model.h"
#include "num/order.h"

#include <math.h>

/* Mean and sample variance of the placements V_i = (#{b < a_i} + #{b = a_i} / 2) / n of a among b, both
 * sorted. */
static void placements(double *mean, double *variance, const double *a, size_t m, const double *b, size_t n)
{
    double sum = 0, squares = 0;
    size_t below = 0, upto = 0;
    for (size_t i = 0; i < m; i++) {
        while (below < n && b[below] < a[i])
            below++;
        while (upto < n && b[upto] <= a[i])
            upto++;
        double v = ((double)below + (double)(upto - below) / 2) / (double)n;
        sum += v;
        squares += v * v;
    }
    *mean = sum / (double)m;
    /* 0 / 0 = NaN for m = 1. Placements lie in [0, 1], so the difference of squares loses nothing that
     * matters. */
    *variance = fmax(squares - sum * *mean, 0) / (double)(m - 1);
}

static double mean_of(const double *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i];
    return sum / (double)n;
}

sae_auroc_result saei_auroc(double *positive, size_t m, double *negative, size_t n)
{
    saei_sort_doubles(positive, m);
    saei_sort_doubles(negative, n);
    double auroc, complement, s10, s01;
    placements(&auroc, &s10, positive, m, negative, n);
    placements(&complement, &s01, negative, n, positive, m);
    return (sae_auroc_result){.auroc = auroc,
                              .se = sqrt(s10 / (double)m + s01 / (double)n),
                              .n_positive = m,
                              .n_negative = n,
                              .mean_positive = mean_of(positive, m),
                              .mean_negative = mean_of(negative, n)};
}

typedef struct group_scores {
    sae_context *context;
    saei_groups *groups;
    bool *match;   /* [rows] */
    double *score; /* [groups] sums, then means */
    uint32_t latent;
} group_scores;

static sae_status consume(void *user, const saei_block *block, sae_error *err)
{
    (void)err;
    group_scores *scores = user;
    const sae_codes_view *codes = &block->codes;
    for (size_t r = 0; r < codes->rows; r++)
        for (uint64_t i = codes->row_ptr[r]; i < codes->row_ptr[r + 1]; i++)
            if (codes->latent[i] == scores->latent)
                scores->score[scores->groups->of_row[block->first + r]] += (double)codes->value[i];
    return SAE_OK;
}

static sae_status every_row_a_group(saei_groups **out, sae_context *context, const sae_dump *dump,
                                    sae_error *err)
{
    double *row;
    size_t rows = (size_t)sae_dump_rows(dump);
    sae_status status = saei_alloc(&row, context, rows, sizeof *row, err);
    if (status != SAE_OK)
        return status;
    for (size_t i = 0; i < rows; i++)
        row[i] = (double)i;
    status = saei_groups_new(out, context, row, rows, sae_dump_name(dump), err);
    saei_free(context, row);
    return status;
}

/* Deals the group means to positives and negatives, which share one array: positives from the front,
   negatives from the back. A group takes the label of its first row; all others must agree. */
static sae_status deal(double *dealt, size_t *n_positive, const group_scores *scores, signed char *label,
                       const sae_dump *dump, const char *condition, sae_error *err)
{
    const saei_groups *groups = scores->groups;
    size_t rows = (size_t)sae_dump_rows(dump), positive = 0, back = groups->n;
    for (size_t i = 0; i < rows; i++) {
        uint32_t g = groups->of_row[i];
        signed char now = scores->match[i] ? 1 : -1;
        if (label[g] == -now)
            return saei_fail(
                err, SAE_E_MISMATCH,
                "%s: '%s' holds for some rows of group %.15g and not for others; select rows so that "
                "it is constant within a group",
                sae_dump_name(dump), condition, groups->id[g]);
        label[g] = now;
    }
    for (size_t g = 0; g < groups->n; g++) {
        double mean = scores->score[g] / (double)groups->rows[g];
        dealt[label[g] > 0 ? positive++ : --back] = mean;
    }
    if (positive == 0 || positive == groups->n)
        return saei_fail(err, SAE_E_ARGUMENT,
                         "%s: '%s' holds for %s of the %zu groups: nothing to tell apart",
                         sae_dump_name(dump), condition, positive == 0 ? "none" : "all", groups->n);
    *n_positive = positive;
    return SAE_OK;
}

static sae_status compare_groups(sae_auroc_result *out, const group_scores *scores, const sae_dump *dump,
                                 const char *condition, sae_error *err)
{
    size_t n = scores->groups->n, positive = 0;
    double *dealt = NULL;
    signed char *label = NULL;
    sae_status status = saei_alloc(&dealt, scores->context, n, sizeof *dealt, err);
    if (status == SAE_OK)
        status = saei_alloc(&label, scores->context, n, 1, err);
    if (status == SAE_OK)
        status = deal(dealt, &positive, scores, label, dump, condition, err);
    if (status == SAE_OK)
        *out = saei_auroc(dealt, positive, dealt + positive, n - positive);
    saei_free(scores->context, label);
    saei_free(scores->context, dealt);
    return status;
}

static sae_status prepare(group_scores *scores, const sae_dump *dump, const char *label, const char *group,
                          sae_error *err)
{
    sae_status status = group == NULL ? every_row_a_group(&scores->groups, scores->context, dump, err)
                                      : saei_groups_read(&scores->groups, scores->context, dump, group, err);
    if (status == SAE_OK)
        status = saei_alloc(&scores->score, scores->context, scores->groups->n, sizeof *scores->score, err);
    if (status == SAE_OK)
        status = saei_alloc(&scores->match, scores->context, (size_t)sae_dump_rows(dump),
                            sizeof *scores->match, err);
    if (status == SAE_OK)
        status = sae_dump_match(scores->match, dump, label, err);
    return status;
}

sae_status sae_auroc(sae_auroc_result *out, const sae_model *model, const sae_dump *dump, uint32_t latent,
                     const char *label, const char *group, sae_progress_fn progress, void *user,
                     sae_error *err)
{
    if (latent >= sae_model_latents(model))
        return saei_fail(err, SAE_E_NOT_FOUND, "latent %u: the model has latents 0 to %zu", latent,
                         sae_model_latents(model) - 1);
    group_scores scores = {.context = model->context, .latent = latent};
    sae_status status = prepare(&scores, dump, label, group, err);
    if (status == SAE_OK)
        status = saei_pass_run(&(saei_pass){.model = model,
                                            .dump = dump,
                                            .consume = consume,
                                            .consume_user = &scores,
                                            .progress = progress,
                                            .progress_user = user},
                               err);
    if (status == SAE_OK)
        status = compare_groups(out, &scores, dump, label, err);
    saei_free(scores.context, scores.match);
    saei_free(scores.context, scores.score);
    saei_groups_free(scores.groups);
    return status;
}

#include "diff/agreement.h"
#include "base/memory.h"
#include "diff/score.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct indexed_value {
    double value;
    size_t index;
} indexed_value;

static int smaller_first(const void *a, const void *b)
{
    const indexed_value *x = a, *y = b;
    return (x->value > y->value) - (x->value < y->value);
}

sae_status saei_average_ranks(double *rank, const double *value, size_t n, sae_context *context,
                              sae_error *err)
{
    indexed_value *sorted;
    sae_status status = saei_alloc(&sorted, context, n, sizeof *sorted, err);
    if (status != SAE_OK)
        return status;
    for (size_t i = 0; i < n; i++)
        sorted[i] = (indexed_value){value[i], i};
    qsort(sorted, n, sizeof *sorted, smaller_first);
    for (size_t first = 0, end; first < n; first = end) {
        for (end = first + 1; end < n && sorted[end].value == sorted[first].value; end++)
            ;
        for (size_t i = first; i < end; i++)
            rank[sorted[i].index] = (double)(first + 1 + end) / 2;
    }
    saei_free(context, sorted);
    return SAE_OK;
}

/* One ranker over the latents that are compared. */
typedef struct ranker_order {
    double *rank;    /* [n] of a score made to rise towards the first, minus the mean rank */
    double square;   /* Σ rank² */
    uint32_t *first; /* the latents (numbers among those compared) that come first; as deep as the deepest */
} ranker_order;

typedef struct comparison {
    sae_context *context;
    const saei_ranker_scores *scores;
    sae_direction direction;
    size_t n, deepest;
    uint32_t *latent; /* [n] the latents that are compared */
    double *value;    /* [n] scratch */
    uint32_t *order;  /* [n] scratch */
    bool *member;     /* [n] scratch, false between uses */
    ranker_order ranker[SAE_RANKERS];
} comparison;

static bool is_compared(const saei_ranker_scores *scores, size_t latent)
{
    for (size_t r = 0; r < SAE_RANKERS; r++)
        if (scores->score[r] != NULL && isnan(scores->score[r][latent]))
            return false;
    return scores->fires[latent];
}

static sae_status order_latents(comparison *c, sae_ranker r, sae_error *err)
{
    ranker_order *ranker = &c->ranker[r];
    for (size_t i = 0; i < c->n; i++) {
        double score = c->scores->score[r][c->latent[i]];
        c->value[i] = c->direction == SAE_RISING ? score : c->direction == SAE_FALLING ? -score : fabs(score);
    }
    sae_status status = saei_alloc(&ranker->rank, c->context, c->n, sizeof *ranker->rank, err);
    if (status == SAE_OK)
        status = saei_alloc(&ranker->first, c->context, c->deepest, sizeof *ranker->first, err);
    if (status == SAE_OK)
        status = saei_average_ranks(ranker->rank, c->value, c->n, c->context, err);
    if (status == SAE_OK)
        status = saei_order_scores(c->order, c->value, c->n, SAE_RISING, c->context, err);
    if (status != SAE_OK)
        return status;
    memcpy(ranker->first, c->order, c->deepest * sizeof *ranker->first);
    for (size_t i = 0; i < c->n; i++) {
        ranker->rank[i] -= (double)(c->n + 1) / 2;
        ranker->square += ranker->rank[i] * ranker->rank[i];
    }
    return SAE_OK;
}

/* The correlation of the ranks (Spearman 1904). */
static double spearman(const comparison *c, size_t a, size_t b)
{
    const ranker_order *x = &c->ranker[a], *y = &c->ranker[b];
    double dot = 0, norms = sqrt(x->square * y->square);
    for (size_t i = 0; i < c->n; i++)
        dot += x->rank[i] * y->rank[i];
    return norms > 0 ? fmin(fmax(dot / norms, -1), 1) : (double)NAN;
}

static double overlap(const comparison *c, size_t depth, size_t a, size_t b)
{
    const uint32_t *x = c->ranker[a].first, *y = c->ranker[b].first;
    size_t common = 0;
    for (size_t i = 0; i < depth; i++)
        c->member[x[i]] = true;
    for (size_t i = 0; i < depth; i++)
        common += c->member[y[i]];
    for (size_t i = 0; i < depth; i++)
        c->member[x[i]] = false;
    return depth > 0 ? (double)common / (double)depth : (double)NAN;
}

static sae_status prepare(comparison *c, sae_agreement *out, sae_error *err)
{
    static const size_t depths[SAE_AGREEMENT_DEPTHS] = {10, 100};
    size_t F = c->scores->n_latents;
    sae_status status = saei_alloc(&c->latent, c->context, F, sizeof *c->latent, err);
    if (status != SAE_OK)
        return status;
    for (size_t j = 0; j < F; j++)
        if (is_compared(c->scores, j))
            c->latent[c->n++] = (uint32_t)j;
    out->n_latents = c->n;
    for (size_t i = 0; i < SAE_AGREEMENT_DEPTHS; i++)
        out->depth[i] = saei_min_size(depths[i], c->n);
    c->deepest = out->depth[SAE_AGREEMENT_DEPTHS - 1];
    status = saei_alloc(&c->value, c->context, c->n, sizeof *c->value, err);
    if (status == SAE_OK)
        status = saei_alloc(&c->order, c->context, c->n, sizeof *c->order, err);
    if (status == SAE_OK)
        status = saei_alloc(&c->member, c->context, c->n, sizeof *c->member, err);
    return status;
}

static void fill_matrices(sae_agreement *out, const comparison *c)
{
    for (size_t a = 0; a < SAE_RANKERS; a++)
        for (size_t b = 0; b <= a; b++) {
            bool both = c->scores->score[a] != NULL && c->scores->score[b] != NULL;
            out->spearman[a][b] = out->spearman[b][a] = both ? spearman(c, a, b) : (double)NAN;
            for (size_t i = 0; i < SAE_AGREEMENT_DEPTHS; i++)
                out->overlap[i][a][b] = out->overlap[i][b][a] =
                    both ? overlap(c, out->depth[i], a, b) : (double)NAN;
        }
}

sae_status saei_agreement_compute(sae_agreement *out, const saei_ranker_scores *scores,
                                  sae_direction direction, sae_error *err)
{
    comparison c = {.context = scores->context, .scores = scores, .direction = direction};
    sae_status status = prepare(&c, out, err);
    for (size_t r = 0; status == SAE_OK && r < SAE_RANKERS; r++)
        if (scores->score[r] != NULL)
            status = order_latents(&c, (sae_ranker)r, err);
    if (status == SAE_OK)
        fill_matrices(out, &c);
    for (size_t r = 0; r < SAE_RANKERS; r++) {
        saei_free(c.context, c.ranker[r].first);
        saei_free(c.context, c.ranker[r].rank);
    }
    saei_free(c.context, c.member);
    saei_free(c.context, c.order);
    saei_free(c.context, c.value);
    saei_free(c.context, c.latent);
    return status;
}

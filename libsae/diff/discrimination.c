#include "diff/discrimination.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "diff/multiplicity.h"
#include "diff/separation.h"

#include <math.h>
#include <string.h>

static sae_status check_latents(const uint32_t *latents, size_t n, const saei_models *models, sae_error *err)
{
    size_t n_latents = models->profiles[0]->n_latents;
    for (size_t i = 0; latents != NULL && i < n; i++)
        if (latents[i] >= n_latents)
            return saei_fail(err, SAE_E_NOT_FOUND, "latent %u: the model has latents 0 to %zu", latents[i],
                             n_latents - 1);
    return SAE_OK;
}

/* Accuracy over all folds of the score that `choose` would make without the fold. */
typedef const double *(*choose_fn)(void *user, const saei_folds *folds, uint32_t fold);

static double held_out(saei_separation *s, const saei_folds *folds, choose_fn choose, void *user)
{
    size_t correct = 0, tested = 0;
    for (uint32_t fold = 0; fold < folds->n; fold++)
        saei_separation_test(&correct, &tested, s, choose(user, folds, fold), folds, fold);
    return tested > 0 ? (double)correct / (double)tested : (double)NAN;
}

static void test_folds(sae_discrimination *out, saei_separation *s, choose_fn choose, void *user)
{
    out->model_out = held_out(s, &s->cases->by_model, choose, user);
    out->domain_out = held_out(s, &s->cases->by_domain, choose, user);
    out->prompt_domain_out = held_out(s, &s->cases->by_prompt_domain, choose, user);
}

static const double *the_same(void *user, const saei_folds *folds, uint32_t fold)
{
    (void)folds;
    (void)fold;
    return user;
}

/* Buffers of the workers: each its separation and a score. */
typedef struct bench {
    const saei_cases *cases;
    saei_separation *separations; /* [threads] */
    double *score;                /* [threads, cases] */
    unsigned threads;
} bench;

static sae_status bench_alloc(bench *b, const saei_cases *cases, sae_error *err)
{
    sae_context *context = cases->context;
    *b = (bench){.cases = cases, .threads = sae_context_threads(context)};
    sae_status status = saei_alloc(&b->separations, context, b->threads, sizeof *b->separations, err);
    if (status == SAE_OK)
        status = saei_alloc(&b->score, context, saei_mul(b->threads, cases->n), sizeof *b->score, err);
    for (unsigned t = 0; status == SAE_OK && t < b->threads; t++)
        status = saei_separation_alloc(&b->separations[t], cases, err);
    return status;
}

static void bench_release(bench *b)
{
    for (unsigned t = 0; b->separations != NULL && t < b->threads; t++)
        saei_separation_release(&b->separations[t]);
    saei_free(b->cases->context, b->score);
    saei_free(b->cases->context, b->separations);
}

/* Everything about the mean of a fixed set. */
static void describe_set(sae_discrimination *out, bench *b, unsigned worker, const uint32_t *latents,
                         size_t n)
{
    double *score = b->score + worker * b->cases->n;
    memset(score, 0, b->cases->n * sizeof *score);
    *out = (sae_discrimination){.n_latents = n, .q = (double)NAN};
    for (size_t i = 0; i < n; i++) {
        out->latents[i] = latents[i];
        saei_cases_add(score, b->cases, latents[i]);
    }
    for (size_t i = 0; i < b->cases->n; i++)
        score[i] /= (double)n;
    saei_separation_describe(out, &b->separations[worker], score);
    test_folds(out, &b->separations[worker], the_same, score);
}

typedef struct single_task {
    bench *bench;
    const uint32_t *latents;
    sae_discrimination *out;
} single_task;

static void describe_single(void *arg, size_t i, unsigned worker)
{
    const single_task *task = arg;
    uint32_t latent = task->latents != NULL ? task->latents[i] : (uint32_t)i;
    describe_set(&task->out[i], task->bench, worker, &latent, 1);
}

static sae_status correct(sae_discrimination *out, size_t n, const saei_cases *cases, sae_error *err)
{
    double *p;
    sae_status status = saei_alloc(&p, cases->context, saei_mul(2, n), sizeof *p, err);
    for (size_t i = 0; status == SAE_OK && i < n; i++)
        p[i] = out[i].p;
    if (status == SAE_OK)
        status = saei_false_discovery_among(p + n, p, n, cases->models->profiles[0]->n_latents,
                                            cases->context, err);
    for (size_t i = 0; status == SAE_OK && i < n; i++)
        out[i].q = p[n + i];
    saei_free(cases->context, p);
    return status;
}

sae_status saei_discriminate(sae_discrimination *out, const uint32_t *latents, size_t n_latents,
                             const saei_models *models, sae_error *err)
{
    saei_cases *cases;
    sae_status status = saei_cases_new(&cases, models, err);
    if (status != SAE_OK)
        return status;
    bench b = {.cases = cases};
    status = check_latents(latents, n_latents, models, err);
    if (status == SAE_OK)
        status = bench_alloc(&b, cases, err);
    size_t n = latents != NULL ? n_latents : models->profiles[0]->n_latents;
    if (status == SAE_OK) {
        saei_parallel_for(cases->context, n, describe_single, &(single_task){&b, latents, out});
        status = correct(out, n, cases, err);
    }
    bench_release(&b);
    saei_cases_free(cases);
    return status;
}

static sae_status check_size(const char *what, size_t n, sae_error *err)
{
    return n > 0 && n <= SAE_SET_MOST
               ? SAE_OK
               : saei_fail(err, SAE_E_ARGUMENT, "%s of %zu latents: 1 to %d are possible", what, n,
                           SAE_SET_MOST);
}

sae_status saei_discriminate_set(sae_discrimination *out, const uint32_t *latents, size_t n_latents,
                                 const saei_models *models, sae_error *err)
{
    saei_cases *cases;
    sae_status status = saei_cases_new(&cases, models, err);
    if (status != SAE_OK)
        return status;
    bench b = {.cases = cases};
    status = check_size("a set", n_latents, err);
    if (status == SAE_OK)
        status = check_latents(latents, n_latents, models, err);
    if (status == SAE_OK)
        status = bench_alloc(&b, cases, err);
    if (status == SAE_OK)
        describe_set(out, &b, 0, latents, n_latents);
    bench_release(&b);
    saei_cases_free(cases);
    return status;
}

/* A search for the set without what one fold holds. */
typedef struct search {
    bench *bench;
    const uint32_t *candidates;
    size_t n_candidates, most;
    const saei_folds *folds; /* NULL: all cases count */
    uint32_t left_out;
    double *sum;   /* [cases] of the latents in the set */
    double *mean;  /* [cases] */
    double *auroc; /* [candidates] of the set with each of them */
    uint32_t set[SAE_SET_MOST];
    size_t n_set;
} search;

static bool contains(const search *s, uint32_t latent)
{
    for (size_t i = 0; i < s->n_set; i++)
        if (s->set[i] == latent)
            return true;
    return false;
}

static void try_candidate(void *arg, size_t i, unsigned worker)
{
    const search *s = arg;
    const saei_cases *cases = s->bench->cases;
    double *score = s->bench->score + worker * cases->n;
    s->auroc[i] = 0;
    if (contains(s, s->candidates[i]))
        return;
    memcpy(score, s->sum, cases->n * sizeof *score);
    saei_cases_add(score, cases, s->candidates[i]);
    s->auroc[i] = saei_separation_auroc(&s->bench->separations[worker], score, s->folds, s->left_out);
}

/* Gains below this are rounding. */
static const double LEAST_GAIN = 1e-12;

static const double *search_set(void *user, const saei_folds *folds, uint32_t left_out)
{
    search *s = user;
    const saei_cases *cases = s->bench->cases;
    double reached = 0;
    s->folds = folds;
    s->left_out = left_out;
    memset(s->sum, 0, cases->n * sizeof *s->sum);
    for (s->n_set = 0; s->n_set < s->most;) {
        saei_parallel_for(cases->context, s->n_candidates, try_candidate, s);
        size_t best = 0;
        for (size_t i = 1; i < s->n_candidates; i++)
            if (s->auroc[i] > s->auroc[best])
                best = i;
        if (!(s->auroc[best] > reached + LEAST_GAIN) && s->n_set > 0)
            break;
        reached = s->auroc[best];
        s->set[s->n_set++] = s->candidates[best];
        saei_cases_add(s->sum, cases, s->candidates[best]);
    }
    for (size_t i = 0; i < cases->n; i++)
        s->mean[i] = s->sum[i] / (double)s->n_set;
    return s->mean;
}

static sae_status search_alloc(search *s, sae_error *err)
{
    const saei_cases *cases = s->bench->cases;
    sae_status status = saei_alloc(&s->sum, cases->context, cases->n, sizeof *s->sum, err);
    if (status == SAE_OK)
        status = saei_alloc(&s->mean, cases->context, cases->n, sizeof *s->mean, err);
    if (status == SAE_OK)
        status = saei_alloc(&s->auroc, cases->context, s->n_candidates, sizeof *s->auroc, err);
    return status;
}

static void search_release(search *s, sae_context *context)
{
    saei_free(context, s->auroc);
    saei_free(context, s->mean);
    saei_free(context, s->sum);
}

sae_status saei_discriminate_greedy(sae_discrimination *out, const uint32_t *candidates, size_t n_candidates,
                                    size_t most, const saei_models *models, sae_error *err)
{
    saei_cases *cases;
    sae_status status = saei_cases_new(&cases, models, err);
    if (status != SAE_OK)
        return status;
    bench b = {.cases = cases};
    search s = {.bench = &b, .candidates = candidates, .n_candidates = n_candidates, .most = most};
    status = check_size("a set", most, err);
    if (status == SAE_OK && n_candidates == 0)
        status = saei_fail(err, SAE_E_ARGUMENT, "no candidates to choose a set from");
    if (status == SAE_OK)
        status = check_latents(candidates, n_candidates, models, err);
    if (status == SAE_OK)
        status = bench_alloc(&b, cases, err);
    if (status == SAE_OK)
        status = search_alloc(&s, err);
    if (status == SAE_OK) {
        sae_discrimination found = {.q = (double)NAN};
        saei_separation_describe(&found, &b.separations[0], search_set(&s, NULL, 0));
        memcpy(found.latents, s.set, sizeof found.latents);
        found.n_latents = s.n_set;
        test_folds(&found, &b.separations[0], search_set, &s);
        *out = found;
    }
    search_release(&s, cases->context);
    bench_release(&b);
    saei_cases_free(cases);
    return status;
}

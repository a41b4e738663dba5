/* What a score must pass to alarm. */
#include "base/error.h"
#include "num/student.h"
#include "steer/monitor.h"

#include <math.h>
#include <stdlib.h>

/* runs, mean and run_sd over the scores [n] but for the one left out (n: none). */
static void run_moments(sae_monitor_controls *controls, const saei_monitor_run *run, size_t n,
                        size_t left_out)
{
    double mean = 0, squares = 0, used = (double)(left_out < n ? n - 1 : n);
    for (size_t i = 0; i < n; i++)
        mean += i == left_out ? 0 : run[i].score / used;
    for (size_t i = 0; i < n; i++)
        squares += i == left_out ? 0 : (run[i].score - mean) * (run[i].score - mean);
    controls->runs = (size_t)used;
    controls->mean = mean;
    controls->run_sd = used > 1 ? sqrt(squares / (used - 1)) : NAN;
}

void saei_monitor_run_moments(sae_monitor_controls *controls, const saei_monitor_run *run, size_t n)
{
    run_moments(controls, run, n, n);
}

/* Two errors add up: which run it is, known from few controls, and which prompts were asked, known from many.
   √(t₁² V₁ + t₂² V₂), in the form of Graybill & Wang 1980, is exact when either is 0 and errs to the safe
   side between; Welch–Satterthwaite would not (docs/METHODS.md has the simulation). */
double saei_monitor_margin(const sae_monitor_controls *controls, size_t prompts, double false_alarms)
{
    /* Degrees of freedom from where the distribution is normal to six digits. */
    const double normal = 1e6;
    double seen = (double)controls->prompts, runs = (double)controls->runs;
    double by_prompt = controls->prompt_sd * sqrt(1 / (double)prompts + 1 / seen) *
                       saei_student_quantile(false_alarms, fmin(seen - 1, normal));
    if (controls->runs < 2)
        return by_prompt;
    double by_run = controls->run_sd * sqrt(1 + 1 / runs) * saei_student_quantile(false_alarms, runs - 1);
    return hypot(by_run, by_prompt);
}

sae_monitor_control sae_monitor_control_at(const sae_monitor *monitor, size_t i)
{
    sae_monitor_controls others = monitor->controls;
    const saei_monitor_run *run = monitor->run;
    sae_monitor_control out = {.name = run[i].name, .score = run[i].score, .threshold = NAN};
    size_t n = others.runs - 1;
    if (n == 0)
        return out;
    run_moments(&others, run, n + 1, i);
    out.threshold = others.mean + saei_monitor_margin(&others, others.prompts, others.false_alarms);
    out.alarm = out.score > out.threshold;
    return out;
}

static int by_id(const void *a, const void *b)
{
    const saei_prompt_score *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

static int by_score(const void *a, const void *b)
{
    const saei_prompt_score *x = a, *y = b;
    return (x->score > y->score) - (x->score < y->score);
}

/* Replaces each id by the weight of its scores, 1 / their number; returns the number of ids. */
static size_t ids_to_weights(saei_prompt_score *scores, size_t n)
{
    size_t ids = 0;
    qsort(scores, n, sizeof *scores, by_id);
    for (size_t first = 0, end; first < n; first = end, ids++) {
        for (end = first + 1; end < n && scores[end].id == scores[first].id;)
            end++;
        for (size_t i = first; i < end; i++)
            scores[i].id = 1 / (double)(end - first);
    }
    return ids;
}

/* Split-conformal over prompts, each of which has a score from several runs (Dunn, Wasserman & Ramdas 2022:
   the distributions of the groups are pooled): a new prompt in one of the runs, drawn at random, exceeds
   the result with probability <= false_alarms, whatever the distribution. */
sae_status saei_monitor_prompt_threshold(double *out, saei_prompt_score *scores, size_t n,
                                         double false_alarms, sae_error *err)
{
    /* Sums of 1 / runs round: a wanted mass that they meet exactly must not be missed. */
    const double rounding = 1e-9;
    size_t ids = ids_to_weights(scores, n);
    double wanted = ((double)ids + 1) * (1 - false_alarms) - rounding * (double)ids, mass = 0;
    qsort(scores, n, sizeof *scores, by_score);
    for (size_t i = 0; i < n; i++) {
        mass += scores[i].id;
        if (mass >= wanted) {
            *out = scores[i].score;
            return SAE_OK;
        }
    }
    return saei_fail(err, SAE_E_ARGUMENT,
                     "%zu control prompts cannot show that at most %g of the prompts alarm: %.0f are needed; "
                     "give more prompts or allow more false alarms",
                     ids, false_alarms, ceil(1 / false_alarms - 1));
}

/* One candidate in words: what speaks for and against it, and what each condition says. */
#include "report/verdict_page.h"

#include <math.h>

static void say_criteria(saei_verdict_page *page, size_t i)
{
    const sae_judgement *judgement = &page->findings->judgement[i];
    static const char *const heads[] = {"not known:", "for:", "against:"};
    for (unsigned finding = SAE_FOR; finding <= SAE_AGAINST; finding++) {
        bool any = false;
        for (unsigned k = 0; k < SAE_CRITERIA; k++) {
            if (judgement->finding[k] != (sae_finding)finding)
                continue;
            saei_say(page, any ? ", %s" : "    %-9s %s",
                     any ? sae_criterion_name((sae_criterion)k) : heads[finding],
                     sae_criterion_name((sae_criterion)k));
            any = true;
        }
        if (any)
            saei_say(page, "\n");
    }
}

static void say_conditions(saei_verdict_page *page, size_t i)
{
    const sae_findings *findings = page->findings;
    saei_say(page, "    %-16s %8s %8s %9s %-21s %-14s %6s %7s %6s %9s\n", "condition", "mean", "rise",
             "beyond", "[interval]", "control", "rank", "share", "cosine", "p family");
    for (size_t c = 0; c < findings->study->n_conditions; c++) {
        if (c == saei_study_base(findings->study))
            continue;
        const sae_evidence *e = saei_findings_evidence(findings, i, c);
        const sae_contrast *rise = isnan(e->ranked.excess.estimate) ? &e->ranked.delta : &e->ranked.excess;
        saei_say(page, "    %-16.16s %8.4f %8.4f %9.4f [%8.4f, %8.4f]  %-14.14s %6zu %6.1f%% %6.2f %9.2g\n",
                 saei_page_condition(page, c)->name, e->ranked.mean_after, e->ranked.delta.estimate,
                 e->beyond.estimate, e->beyond.low, e->beyond.high,
                 saei_page_condition(page, e->beyond_control)->name, e->ranked.rank, 100 * e->shift.share,
                 e->shift.cosine, rise->p_family);
    }
}

const char *saei_candidate_reading(const sae_findings *findings, size_t i)
{
    size_t n = saei_findings_n(findings), best = 0;
    if (findings->label == NULL)
        return NULL;
    for (size_t l = 1; l < findings->study->n_labels; l++)
        if (findings->label[l * n + i].auroc > findings->label[best * n + i].auroc)
            best = l;
    return findings->label[best * n + i].auroc >= 0.9 ? findings->study->labels[best].name : NULL;
}

static void say_reading(saei_verdict_page *page, size_t i)
{
    const char *reading = saei_candidate_reading(page->findings, i);
    if (reading != NULL)
        saei_say(page, "    reads as \"%s\"\n", reading);
}

static void say_labels(saei_verdict_page *page, size_t i)
{
    const sae_findings *findings = page->findings;
    size_t n = saei_findings_n(findings);
    for (size_t l = 0; findings->label != NULL && l < findings->study->n_labels; l++) {
        const sae_auroc_result *r = &findings->label[l * n + i];
        saei_say(page, "    fires on \"%s\": AUROC %.4f (se %.4f), mean %.3g against %.3g\n",
                 findings->study->labels[l].name, r->auroc, r->se, r->mean_positive, r->mean_negative);
    }
}

static void say_dose(saei_verdict_page *page, size_t i)
{
    const sae_findings *findings = page->findings;
    if (findings->dose_response == NULL)
        return;
    const sae_dose_response *r = &findings->dose_response[i];
    double onset = isnan(r->spread) ? r->onset : r->onset_beyond;
    if (isnan(onset)) {
        saei_say(page, "    doses: no rise that is significant and beyond the spread of the controls\n");
        return;
    }
    saei_say(page, "    doses: rises from %.4g on (half of the rise at %.4g)", onset, r->half_dose);
    if (isnan(findings->behaviour.dose))
        saei_say(page, "; behaviour is not shown at any dose, or not known\n");
    else
        saei_say(page, "; behaviour shows from %.4g on: a lead of %.3g times the dose\n",
                 findings->behaviour.dose, findings->behaviour.dose / onset);
}

static void say_triggers(saei_verdict_page *page, size_t i)
{
    const sae_findings *findings = page->findings;
    size_t n = saei_findings_n(findings);
    for (size_t t = 0; t < findings->study->n_triggers; t++) {
        const sae_trigger_response *r = &findings->trigger[t * n + i];
        saei_say(page, "    trigger %s: %+.4f [%.4f, %.4f], q %.2g%s", findings->study->triggers[t].name,
                 r->contrast.estimate, r->contrast.low, r->contrast.high, r->contrast.q,
                 findings->matching[t].has_before ? "" : " (without a before: the model alone)");
        if (r->standing_up)
            saei_say(page, "; WARNING: up by %.4f without the trigger, too (q %.2g)", r->standing.estimate,
                     r->standing.q);
        saei_say(page, "\n");
    }
}

static void say_trajectories(saei_verdict_page *page, size_t i)
{
    const sae_findings *findings = page->findings;
    size_t n = saei_findings_n(findings);
    for (size_t t = 0; t < findings->study->n_trajectories; t++) {
        const sae_trajectory *r = &findings->trajectory[t * n + i];
        if (isnan(r->remaining)) {
            saei_say(page, "    %s: no significant rise to follow\n", findings->study->trajectories[t].name);
            continue;
        }
        saei_say(page, "    %s: %.1f %% of the peak is left [%.1f, %.1f]",
                 findings->study->trajectories[t].name, 100 * r->remaining, 100 * r->remaining_low,
                 100 * r->remaining_high);
        saei_say(page,
                 r->returned ? ", within noise of the control (margin %.3g, p %.2g)\n"
                             : ", not shown to be within noise of the control (margin %.3g, p %.2g)\n",
                 r->margin, r->p_equivalence);
    }
}

static void say_discrimination(saei_verdict_page *page, size_t i)
{
    if (page->findings->discrimination == NULL)
        return;
    const sae_discrimination *r = &page->findings->discrimination[i];
    saei_say(page,
             "    tells bad models from good ones: AUROC %.3f (exact p %.3g), left out %.0f %% right; single "
             "prompts %.3f\n",
             r->auroc, r->p, 100 * r->model_out, r->prompt_auroc);
}

/* Places by every ranker, in the first bad condition, which holds the minimum and the mean over all as well.
 */
static void say_rankers(saei_verdict_page *page, size_t i)
{
    const sae_findings *findings = page->findings;
    if (findings->n_bad == 0)
        return;
    saei_say(page, "    place in %s by", saei_page_condition(page, findings->bad[0])->name);
    const char *comma = "";
    for (unsigned r = 0; r < SAE_RANKERS; r++) {
        const sae_ranker_place *place = sae_findings_ranker(findings, findings->bad[0], (sae_ranker)r, i);
        if (place == NULL)
            continue;
        saei_say(page, "%s %s %zu", comma, sae_ranker_name((sae_ranker)r), place->rank);
        comma = ",";
    }
    saei_say(page, "\n");
}

static void say_matches(saei_verdict_page *page, size_t i)
{
    const sae_findings *findings = page->findings;
    size_t n = saei_findings_n(findings), others = findings->options.n_others, found = 0;
    if (others == 0)
        return;
    for (size_t k = 0; k < others; k++)
        found += findings->match[k * n + i].cosine >= fmax(SAE_MATCH_COSINE, findings->match_null[k]);
    saei_say(page, "    found in %zu of %zu models:", found + 1, others + 1);
    for (size_t k = 0; k < others; k++)
        saei_say(page, " %u (%.2f)", findings->match[k * n + i].latent, findings->match[k * n + i].cosine);
    saei_say(page, "\n");
}

/* Controls that raise it more than half as much as the bad condition that raises it least: those that the
   criterion "controls" is about. */
static void say_decoy(saei_verdict_page *page, size_t i)
{
    const sae_findings *findings = page->findings;
    double least = (double)INFINITY;
    for (size_t c = 0; c < findings->study->n_conditions; c++)
        if (saei_page_condition(page, c)->role == SAE_ROLE_BAD)
            least = fmin(least, saei_findings_evidence(findings, i, c)->ranked.delta.estimate);
    for (size_t c = 0; c < findings->study->n_conditions; c++) {
        const sae_condition *condition = saei_page_condition(page, c);
        double rise = condition->role == SAE_ROLE_CONTROL
                          ? saei_findings_evidence(findings, i, c)->ranked.delta.estimate
                          : 0;
        if (rise > 0 && rise > least / 2)
            saei_say(page, "    rises in the control %s as well (%.4f against %.4f)%s%s\n", condition->name,
                     rise, least, condition->meaning != NULL ? ": it answers to " : "",
                     condition->meaning != NULL ? condition->meaning : "");
    }
}

void saei_say_candidate(saei_verdict_page *page, size_t i)
{
    char name[400];
    const sae_candidate *candidate = &page->findings->candidate[i];
    saei_say(page, "\n%zu. %s: %+.4f beyond every control in every bad condition%s\n", i + 1,
             saei_candidate_name(name, sizeof name, candidate), candidate->score,
             page->findings->judgement[i].carries ? " - carries the shift" : "");
    say_criteria(page, i);
    say_reading(page, i);
    say_decoy(page, i);
    say_labels(page, i);
    say_conditions(page, i);
    say_dose(page, i);
    say_triggers(page, i);
    say_trajectories(page, i);
    say_rankers(page, i);
    say_discrimination(page, i);
    say_matches(page, i);
}

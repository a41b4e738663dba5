/* The verdict of a study in words: first what was found, then what speaks for and against it. */
#include "report/study_tables.h"
#include "study/findings.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

/* The first failure is kept, so that the text reads as text. */
typedef struct verdict_page {
    saei_atomic_file *file;
    const sae_findings *findings;
    sae_status status;
    sae_error *err;
} verdict_page;

static void say(verdict_page *page, const char *format, ...) SAE_PRINTF(2, 3);

static void say(verdict_page *page, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (page->status == SAE_OK)
        page->status = saei_atomic_file_printf(page->file, page->err, "%s", text);
}

static const sae_condition *condition_at(const verdict_page *page, size_t i)
{
    return &page->findings->study->conditions[i];
}

/* "latent 7", or "latents 7 + 9 + 12". */
static const char *name_of(char *text, size_t bytes, const sae_candidate *candidate)
{
    size_t at = (size_t)snprintf(text, bytes, candidate->n_latents > 1 ? "latents" : "latent");
    for (size_t m = 0; m < candidate->n_latents && at + 16 < bytes; m++)
        at += (size_t)snprintf(text + at, bytes - at, m > 0 ? " + %u" : " %u", candidate->latents[m]);
    return text;
}

static const char *plain_reason(sae_criterion criterion)
{
    static const char *const reasons[SAE_CRITERIA] = {
        "in some bad condition it does not rise significantly beyond every control",
        "its rise is not significant when all latents are counted as tried",
        "chosen on one half of the prompts, it is not confirmed on the other",
        "its direction is no closer to the residual shift than chance allows among so many latents",
        "it carries too small a share of the residual shift",
        "the model does not fit the rows of some condition",
        "a control raises it more than half as much",
        "some other model has no such latent",
    };
    return reasons[criterion];
}

static void say_criteria(verdict_page *page, size_t i)
{
    const sae_judgement *judgement = &page->findings->judgement[i];
    static const char *const heads[] = {"not known:", "for:", "against:"};
    for (unsigned finding = SAE_FOR; finding <= SAE_AGAINST; finding++) {
        bool any = false;
        for (unsigned k = 0; k < SAE_CRITERIA; k++) {
            if (judgement->finding[k] != (sae_finding)finding)
                continue;
            say(page, any ? ", %s" : "    %-9s %s",
                any ? sae_criterion_name((sae_criterion)k) : heads[finding],
                sae_criterion_name((sae_criterion)k));
            any = true;
        }
        if (any)
            say(page, "\n");
    }
}

static void say_conditions(verdict_page *page, size_t i)
{
    const sae_findings *findings = page->findings;
    say(page, "    %-16s %8s %8s %9s %-21s %-14s %6s %7s %6s %9s\n", "condition", "mean", "rise", "beyond",
        "[interval]", "control", "rank", "share", "cosine", "p family");
    for (size_t c = 0; c < findings->study->n_conditions; c++) {
        if (c == saei_study_base(findings->study))
            continue;
        const sae_evidence *e = saei_findings_evidence(findings, i, c);
        const sae_contrast *rise = isnan(e->ranked.excess.estimate) ? &e->ranked.delta : &e->ranked.excess;
        say(page, "    %-16.16s %8.4f %8.4f %9.4f [%8.4f, %8.4f]  %-14.14s %6zu %6.1f%% %6.2f %9.2g\n",
            condition_at(page, c)->name, e->ranked.mean_after, e->ranked.delta.estimate, e->beyond.estimate,
            e->beyond.low, e->beyond.high, condition_at(page, e->beyond_control)->name, e->ranked.rank,
            100 * e->shift.share, e->shift.cosine, rise->p_family);
    }
}

/* The label that the candidate tells best, where it does so well: what it can be called. */
static void say_reading(verdict_page *page, size_t i)
{
    const sae_findings *findings = page->findings;
    size_t n = saei_findings_n(findings), best = 0;
    if (findings->label == NULL)
        return;
    for (size_t l = 1; l < findings->study->n_labels; l++)
        if (findings->label[l * n + i].auroc > findings->label[best * n + i].auroc)
            best = l;
    if (findings->label[best * n + i].auroc >= 0.9)
        say(page, "    reads as \"%s\"\n", findings->study->labels[best].name);
}

static void say_labels(verdict_page *page, size_t i)
{
    const sae_findings *findings = page->findings;
    size_t n = saei_findings_n(findings);
    for (size_t l = 0; findings->label != NULL && l < findings->study->n_labels; l++) {
        const sae_auroc_result *r = &findings->label[l * n + i];
        say(page, "    fires on \"%s\": AUROC %.4f (se %.4f), mean %.3g against %.3g\n",
            findings->study->labels[l].name, r->auroc, r->se, r->mean_positive, r->mean_negative);
    }
}

static void say_dose(verdict_page *page, size_t i)
{
    const sae_findings *findings = page->findings;
    if (findings->dose_response == NULL)
        return;
    const sae_dose_response *r = &findings->dose_response[i];
    double onset = isnan(r->spread) ? r->onset : r->onset_beyond;
    if (isnan(onset)) {
        say(page, "    doses: no rise that is significant and beyond the spread of the controls\n");
        return;
    }
    say(page, "    doses: rises from %.4g on (half of the rise at %.4g)", onset, r->half_dose);
    if (isnan(findings->behaviour.dose))
        say(page, "; behaviour is not shown at any dose, or not known\n");
    else
        say(page, "; behaviour shows from %.4g on: a lead of %.3g times the dose\n", findings->behaviour.dose,
            findings->behaviour.dose / onset);
}

static void say_triggers(verdict_page *page, size_t i)
{
    const sae_findings *findings = page->findings;
    size_t n = saei_findings_n(findings);
    for (size_t t = 0; t < findings->study->n_triggers; t++) {
        const sae_trigger_response *r = &findings->trigger[t * n + i];
        say(page, "    trigger %s: %+.4f [%.4f, %.4f], q %.2g%s", findings->study->triggers[t].name,
            r->contrast.estimate, r->contrast.low, r->contrast.high, r->contrast.q,
            findings->matching[t].has_before ? "" : " (without a before: the model alone)");
        if (r->standing_up)
            say(page, "; WARNING: up by %.4f without the trigger, too (q %.2g)", r->standing.estimate,
                r->standing.q);
        say(page, "\n");
    }
}

static void say_trajectories(verdict_page *page, size_t i)
{
    const sae_findings *findings = page->findings;
    size_t n = saei_findings_n(findings);
    for (size_t t = 0; t < findings->study->n_trajectories; t++) {
        const sae_trajectory *r = &findings->trajectory[t * n + i];
        if (isnan(r->remaining)) {
            say(page, "    %s: no significant rise to follow\n", findings->study->trajectories[t].name);
            continue;
        }
        say(page, "    %s: %.1f %% of the peak is left [%.1f, %.1f]", findings->study->trajectories[t].name,
            100 * r->remaining, 100 * r->remaining_low, 100 * r->remaining_high);
        say(page,
            r->returned ? ", within noise of the control (margin %.3g, p %.2g)\n"
                        : ", not shown to be within noise of the control (margin %.3g, p %.2g)\n",
            r->margin, r->p_equivalence);
    }
}

static void say_discrimination(verdict_page *page, size_t i)
{
    if (page->findings->discrimination == NULL)
        return;
    const sae_discrimination *r = &page->findings->discrimination[i];
    say(page,
        "    tells bad models from good ones: AUROC %.3f (exact p %.3g), left out %.0f %% right; single "
        "prompts %.3f\n",
        r->auroc, r->p, 100 * r->model_out, r->prompt_auroc);
}

/* Places by every ranker, in the first bad condition, which holds the minimum and the mean over all as well.
 */
static void say_rankers(verdict_page *page, size_t i)
{
    const sae_findings *findings = page->findings;
    if (findings->n_bad == 0)
        return;
    say(page, "    place in %s by", condition_at(page, findings->bad[0])->name);
    const char *comma = "";
    for (unsigned r = 0; r < SAE_RANKERS; r++) {
        const sae_ranker_place *place = sae_findings_ranker(findings, findings->bad[0], (sae_ranker)r, i);
        if (place == NULL)
            continue;
        say(page, "%s %s %zu", comma, sae_ranker_name((sae_ranker)r), place->rank);
        comma = ",";
    }
    say(page, "\n");
}

static void say_matches(verdict_page *page, size_t i)
{
    const sae_findings *findings = page->findings;
    size_t n = saei_findings_n(findings), others = findings->options.n_others, found = 0;
    if (others == 0)
        return;
    for (size_t k = 0; k < others; k++)
        found += findings->match[k * n + i].cosine >= fmax(SAE_MATCH_COSINE, findings->match_null[k]);
    say(page, "    found in %zu of %zu models:", found + 1, others + 1);
    for (size_t k = 0; k < others; k++)
        say(page, " %u (%.2f)", findings->match[k * n + i].latent, findings->match[k * n + i].cosine);
    say(page, "\n");
}

/* Controls that raise it more than half as much as the bad condition that raises it least: those that the
   criterion "controls" is about. */
static void say_decoy(verdict_page *page, size_t i)
{
    const sae_findings *findings = page->findings;
    double least = (double)INFINITY;
    for (size_t c = 0; c < findings->study->n_conditions; c++)
        if (condition_at(page, c)->role == SAE_ROLE_BAD)
            least = fmin(least, saei_findings_evidence(findings, i, c)->ranked.delta.estimate);
    for (size_t c = 0; c < findings->study->n_conditions; c++) {
        const sae_condition *condition = condition_at(page, c);
        double rise = condition->role == SAE_ROLE_CONTROL
                          ? saei_findings_evidence(findings, i, c)->ranked.delta.estimate
                          : 0;
        if (rise > 0 && rise > least / 2)
            say(page, "    rises in the control %s as well (%.4f against %.4f)%s%s\n", condition->name, rise,
                least, condition->meaning != NULL ? ": it answers to " : "",
                condition->meaning != NULL ? condition->meaning : "");
    }
}

static void say_candidate(verdict_page *page, size_t i)
{
    char name[400];
    const sae_candidate *candidate = &page->findings->candidate[i];
    say(page, "\n%zu. %s: %+.4f beyond every control in every bad condition%s\n", i + 1,
        name_of(name, sizeof name, candidate), candidate->score,
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

static void say_verdict(verdict_page *page)
{
    const sae_findings *findings = page->findings;
    size_t n = saei_findings_n(findings);
    char name[400];
    bool any = false;
    for (size_t i = 0; i < n; i++) {
        if (!findings->judgement[i].carries)
            continue;
        say(page, any ? "         So does %s.\n" : "VERDICT: the shift is carried by %s.\n",
            name_of(name, sizeof name, &findings->candidate[i]));
        any = true;
    }
    if (any)
        return;
    say(page, "VERDICT: no latent carries this shift.\n");
    if (n == 0) {
        say(page, "         No latent rises in any condition.\n");
        return;
    }
    say(page, "         The nearest is %s:\n", name_of(name, sizeof name, &findings->candidate[0]));
    for (unsigned k = 0; k < SAE_CRITERIA; k++)
        if (sae_criterion_required((sae_criterion)k) && findings->judgement[0].finding[k] != SAE_FOR)
            say(page, "         - %s.\n", plain_reason((sae_criterion)k));
}

sae_status saei_verdict_text(saei_atomic_file *file, const sae_findings *findings, sae_error *err)
{
    enum { SHOWN = 8 };
    const sae_study *study = findings->study;
    verdict_page page = {file, findings, SAE_OK, err};
    say(&page, "%s%s%zu conditions, %zu latents, level %g\n\n", study->title,
        study->title[0] != '\0' ? ": " : "", study->n_conditions, findings->candidates->n_latents,
        findings->options.alpha);
    say_verdict(&page);
    if (!saei_study_has_control(study))
        say(&page, "WARNING: the study has no control: what any fine-tuning does is not told apart.\n");
    for (size_t c = 0; c < study->n_conditions; c++)
        if (findings->warning[c][0] != '\0')
            say(&page, "WARNING: %s: %s\n", study->conditions[c].name, findings->warning[c]);
    size_t shown = saei_findings_n(findings) < SHOWN ? saei_findings_n(findings) : SHOWN;
    for (size_t i = 0; i < shown; i++)
        say_candidate(&page, i);
    say(&page, "\nA latent that rises is evidence, not a cause: steer with it before you claim more.\n");
    return page.status;
}

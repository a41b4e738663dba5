/* The verdict of a study in words: first what was found, then what speaks for and against it. */
#include "report/study_tables.h"
#include "report/verdict_page.h"

#include <math.h>

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

static void say_verdict(saei_verdict_page *page)
{
    const sae_findings *findings = page->findings;
    size_t n = saei_findings_n(findings);
    char name[400];
    bool any = false;
    for (size_t i = 0; i < n; i++) {
        if (!findings->judgement[i].carries)
            continue;
        saei_say(page, any ? "         So does %s.\n" : "VERDICT: the shift is carried by %s.\n",
                 saei_candidate_name(name, sizeof name, &findings->candidate[i]));
        any = true;
    }
    if (any)
        return;
    saei_say(page, "VERDICT: no latent carries this shift.\n");
    if (n == 0) {
        saei_say(page, "         No latent rises in any condition.\n");
        return;
    }
    saei_say(page, "         The nearest is %s:\n",
             saei_candidate_name(name, sizeof name, &findings->candidate[0]));
    for (unsigned k = 0; k < SAE_CRITERIA; k++)
        if (sae_criterion_required((sae_criterion)k) && findings->judgement[0].finding[k] != SAE_FOR)
            saei_say(page, "         - %s.\n", plain_reason((sae_criterion)k));
}

/* The control that raises the candidate most, when it does so at least half as much as every bad condition.
 */
static const sae_condition *control_behind(const saei_verdict_page *page, size_t i, double *rise)
{
    const sae_findings *findings = page->findings;
    const sae_condition *found = NULL;
    double most = 0;
    *rise = 0;
    for (size_t c = 0; c < findings->study->n_conditions; c++) {
        const sae_condition *condition = saei_page_condition(page, c);
        if (condition->role != SAE_ROLE_BAD && condition->role != SAE_ROLE_CONTROL)
            continue;
        double delta = saei_findings_evidence(findings, i, c)->ranked.delta.estimate;
        if (condition->role == SAE_ROLE_BAD) {
            most = fmax(most, delta);
        } else if (delta > *rise) {
            *rise = delta;
            found = condition;
        }
    }
    return *rise >= most / 2 ? found : NULL;
}

/* Candidates that something else explains, wherever they stand. */
static void say_named(saei_verdict_page *page)
{
    const sae_findings *findings = page->findings;
    char name[400];
    bool any = false;
    for (size_t i = 0; i < saei_findings_n(findings); i++) {
        double rise;
        const sae_condition *control = control_behind(page, i, &rise);
        const char *reading = saei_candidate_reading(findings, i);
        if (findings->judgement[i].carries || (control == NULL && reading == NULL))
            continue;
        saei_say(page, any ? "" : "\nNamed, and not put first:\n");
        any = true;
        saei_say(page, "    %zu. %s", i + 1, saei_candidate_name(name, sizeof name, &findings->candidate[i]));
        if (reading != NULL)
            saei_say(page, ": reads as \"%s\"", reading);
        if (control != NULL)
            saei_say(page, "%s the control %s raises it by %.4f%s%s", reading != NULL ? ";" : ":",
                     control->name, rise, control->meaning != NULL ? ", so it answers to " : "",
                     control->meaning != NULL ? control->meaning : "");
        saei_say(page, "\n");
    }
}

sae_status saei_verdict_text(saei_atomic_file *file, const sae_findings *findings, sae_error *err)
{
    enum { SHOWN = 8 };
    const sae_study *study = findings->study;
    saei_verdict_page page = {file, findings, SAE_OK, err};
    saei_say(&page, "%s%s%zu conditions, %zu latents, level %g\n\n", study->title,
             study->title[0] != '\0' ? ": " : "", study->n_conditions, findings->candidates->n_latents,
             findings->options.alpha);
    say_verdict(&page);
    if (!saei_study_has_control(study))
        saei_say(&page, "WARNING: the study has no control: what any fine-tuning does is not told apart.\n");
    for (size_t c = 0; c < study->n_conditions; c++)
        if (findings->warning[c][0] != '\0')
            saei_say(&page, "WARNING: %s: %s\n", study->conditions[c].name, findings->warning[c]);
    size_t shown = saei_findings_n(findings) < SHOWN ? saei_findings_n(findings) : SHOWN;
    for (size_t i = 0; i < shown; i++)
        saei_say_candidate(&page, i);
    say_named(&page);
    saei_say(&page, "\nA latent that rises is evidence, not a cause: steer with it before you claim more.\n");
    return page.status;
}

/* The tables of a study, one file each; columns: docs/FORMATS.md. */
#include "report/study_tables.h"
#include "base/memory.h"
#include "report/table.h"
#include "study/findings.h"

#include <math.h>

static const char *const role_names[] = {"base", "bad", "control", "probe"};
static const char *const finding_names[] = {"unknown", "for", "against"};

static const sae_condition *condition_at(const sae_findings *findings, size_t i)
{
    return &findings->study->conditions[i];
}

static void contrast_cells(saei_table *table, const sae_contrast *c)
{
    const double cells[] = {c->estimate, c->se, c->low, c->high, c->effect, c->t, c->p, c->q, c->p_family};
    for (size_t i = 0; i < sizeof cells / sizeof cells[0]; i++)
        saei_table_number(table, cells[i]);
}

/* Every row of a table about candidates begins so. */
static void candidate_cells(saei_table *table, const sae_findings *findings, size_t i)
{
    saei_table_count(table, i + 1);
    saei_table_count(table, findings->leads[i]);
}

static void condition_rows(saei_table *table, const sae_findings *findings)
{
    size_t base = saei_study_base(findings->study);
    for (size_t c = 0; c < findings->study->n_conditions; c++) {
        const sae_condition *condition = condition_at(findings, c);
        const saei_reading *reading = &findings->readings->of[c];
        const sae_fidelity *f = &reading->fidelity;
        const sae_shift_summary *s = &findings->shift[c];
        saei_table_text(table, condition->name);
        saei_table_text(table, role_names[condition->role]);
        saei_table_text(table, sae_dump_name(condition->dump));
        saei_table_count(table, f->rows);
        saei_table_count(table, reading->profile->n_prompts);
        saei_table_count(table, findings->readings->paired[c]);
        const double cells[] = {f->fvu, f->l0, f->dead, f->cosine, condition->dose, condition->behaviour};
        for (size_t i = 0; i < sizeof cells / sizeof cells[0]; i++)
            saei_table_number(table, cells[i]);
        const double shift[] = {s->norm, s->relative_norm, s->all.share, s->all.explained,
                                s->effective_latents};
        for (size_t i = 0; i < sizeof shift / sizeof shift[0]; i++)
            saei_table_number(table, c == base ? (double)NAN : shift[i]);
        saei_table_text(table, sae_findings_warning(findings, c));
        saei_table_end_row(table);
    }
}

static void candidate_rows(saei_table *table, const sae_findings *findings)
{
    for (size_t i = 0; i < saei_findings_n(findings); i++) {
        const sae_candidate *candidate = &findings->candidate[i];
        candidate_cells(table, findings, i);
        saei_table_count(table, candidate->n_latents);
        saei_table_latents(table, candidate->latents, candidate->n_latents);
        saei_table_number(table, candidate->cosine);
        saei_table_number(table, candidate->correlation);
        saei_table_number(table, candidate->score);
        saei_table_text(table, findings->judgement[i].carries ? "yes" : "no");
        for (unsigned k = 0; k < SAE_CRITERIA; k++)
            saei_table_text(table, finding_names[findings->judgement[i].finding[k]]);
        saei_table_end_row(table);
    }
}

static void evidence_rows(saei_table *table, const sae_findings *findings)
{
    size_t base = saei_study_base(findings->study);
    for (size_t i = 0; i < saei_findings_n(findings); i++)
        for (size_t c = 0; c < findings->study->n_conditions; c++) {
            if (c == base)
                continue;
            const sae_evidence *e = saei_findings_evidence(findings, i, c);
            const sae_latent_stats *s = &e->ranked;
            candidate_cells(table, findings, i);
            saei_table_text(table, condition_at(findings, c)->name);
            saei_table_text(table, role_names[condition_at(findings, c)->role]);
            saei_table_count(table, s->rank);
            const double means[] = {s->rank_low,     s->rank_high,   s->mean_before, s->mean_after,
                                    s->mean_control, s->freq_before, s->freq_after,  s->freq_control};
            for (size_t k = 0; k < sizeof means / sizeof means[0]; k++)
                saei_table_number(table, means[k]);
            contrast_cells(table, &s->delta);
            contrast_cells(table, &s->excess);
            saei_table_text(table, condition_at(findings, e->beyond_control)->name);
            const double rest[] = {e->beyond.estimate, e->beyond.low,         e->beyond.high,
                                   e->p_beyond,        e->q_beyond,           s->heldout_estimate,
                                   s->heldout_p,       e->shift.share,        e->shift.cosine,
                                   e->together.share,  e->together.explained, e->p_direction,
                                   e->parts.frequency, e->parts.magnitude};
            for (size_t k = 0; k < sizeof rest / sizeof rest[0]; k++)
                saei_table_number(table, rest[k]);
            saei_table_text(table, sae_change_name(e->parts.change));
            saei_table_end_row(table);
        }
}

static void point_cells(saei_table *table, const sae_series_point *p)
{
    const double cells[] = {p->at, p->mean, p->rise, p->se, p->p, p->p_holm, p->q, p->fit};
    for (size_t i = 0; i < sizeof cells / sizeof cells[0]; i++)
        saei_table_number(table, cells[i]);
}

static void dose_rows(saei_table *table, const sae_findings *findings)
{
    for (size_t i = 0; i < saei_findings_n(findings); i++)
        for (size_t k = 0; k < findings->doses.n; k++) {
            const sae_dose_response *r = &findings->dose_response[i];
            const sae_condition *condition = condition_at(findings, findings->doses.condition[k]);
            candidate_cells(table, findings, i);
            saei_table_text(table, condition->name);
            point_cells(table, &findings->dose_point[i * findings->doses.n + k]);
            const double cells[] = {condition->behaviour, r->trend,          r->trend_p,
                                    r->trend_q,           r->onset,          r->onset_q,
                                    r->onset_beyond,      r->half_dose,      findings->behaviour.dose,
                                    r->lead_ratio,        r->lead_difference};
            for (size_t c = 0; c < sizeof cells / sizeof cells[0]; c++)
                saei_table_number(table, cells[c]);
            saei_table_end_row(table);
        }
}

static void trigger_rows(saei_table *table, const sae_findings *findings)
{
    size_t n = saei_findings_n(findings);
    for (size_t t = 0; t < findings->study->n_triggers; t++)
        for (size_t i = 0; i < n; i++) {
            const sae_trigger_response *r = &findings->trigger[t * n + i];
            candidate_cells(table, findings, i);
            saei_table_text(table, findings->study->triggers[t].name);
            saei_table_count(table, findings->matching[t].matched);
            saei_table_text(table, findings->matching[t].has_before ? "yes" : "no");
            contrast_cells(table, &r->contrast);
            contrast_cells(table, &r->standing);
            saei_table_text(table, r->standing_up ? "yes" : "no");
            saei_table_end_row(table);
        }
}

static void trajectory_rows(saei_table *table, const sae_findings *findings)
{
    size_t n = saei_findings_n(findings);
    for (size_t t = 0; t < findings->study->n_trajectories; t++)
        for (size_t i = 0; i < n; i++)
            for (size_t k = 0; k < findings->study->trajectories[t].n; k++) {
                const sae_study_trajectory *trajectory = &findings->study->trajectories[t];
                const sae_trajectory *r = &findings->trajectory[t * n + i];
                candidate_cells(table, findings, i);
                saei_table_text(table, trajectory->name);
                saei_table_text(table, trajectory->conditions[k]);
                point_cells(table, &findings->step[t][i * trajectory->n + k]);
                const double cells[] = {r->onset,         r->peak,      r->peak_at,       r->half_life,
                                        r->half_life_fit, r->remaining, r->remaining_low, r->remaining_high,
                                        r->p_difference,  r->margin,    r->p_equivalence};
                for (size_t c = 0; c < sizeof cells / sizeof cells[0]; c++)
                    saei_table_number(table, cells[c]);
                saei_table_text(table, r->returned ? "yes" : "no");
                saei_table_end_row(table);
            }
}

static void label_rows(saei_table *table, const sae_findings *findings)
{
    size_t n = saei_findings_n(findings);
    for (size_t l = 0; findings->label != NULL && l < findings->study->n_labels; l++)
        for (size_t i = 0; i < n; i++) {
            const sae_auroc_result *r = &findings->label[l * n + i];
            candidate_cells(table, findings, i);
            saei_table_text(table, findings->study->labels[l].name);
            saei_table_number(table, r->auroc);
            saei_table_number(table, r->se);
            saei_table_count(table, r->n_positive);
            saei_table_count(table, r->n_negative);
            saei_table_number(table, r->mean_positive);
            saei_table_number(table, r->mean_negative);
            saei_table_end_row(table);
        }
}

static void discrimination_rows(saei_table *table, const sae_findings *findings)
{
    for (size_t i = 0; findings->discrimination != NULL && i < saei_findings_n(findings); i++) {
        const sae_discrimination *r = &findings->discrimination[i];
        candidate_cells(table, findings, i);
        const double cells[] = {r->auroc,        r->average_precision, r->p,
                                r->prompt_auroc, r->prompt_se,         r->model_se,
                                r->threshold,    r->model_out,         r->domain_out};
        for (size_t c = 0; c < sizeof cells / sizeof cells[0]; c++)
            saei_table_number(table, cells[c]);
        saei_table_end_row(table);
    }
}

static void ranker_rows(saei_table *table, const sae_findings *findings)
{
    for (size_t b = 0; b < findings->n_bad; b++)
        for (unsigned r = 0; r < SAE_RANKERS; r++)
            for (size_t i = 0; i < saei_findings_n(findings); i++) {
                const sae_ranker_place *place =
                    sae_findings_ranker(findings, findings->bad[b], (sae_ranker)r, i);
                if (place == NULL)
                    continue;
                candidate_cells(table, findings, i);
                saei_table_text(table, condition_at(findings, findings->bad[b])->name);
                saei_table_text(table, sae_ranker_name((sae_ranker)r));
                saei_table_number(table, place->score);
                saei_table_count(table, place->rank);
                saei_table_end_row(table);
            }
}

static void agreement_rows(saei_table *table, const sae_findings *findings)
{
    for (size_t b = 0; b < findings->n_bad; b++)
        for (unsigned r = 0; r < SAE_RANKERS; r++)
            for (unsigned s = 0; s < r; s++) {
                const sae_agreement *a = &findings->agreement[b];
                if (isnan(a->overlap[0][r][s]))
                    continue;
                saei_table_text(table, condition_at(findings, findings->bad[b])->name);
                saei_table_text(table, sae_ranker_name((sae_ranker)r));
                saei_table_text(table, sae_ranker_name((sae_ranker)s));
                saei_table_number(table, a->spearman[r][s]);
                for (unsigned k = 0; k < SAE_AGREEMENT_DEPTHS; k++)
                    saei_table_number(table, a->overlap[k][r][s]);
                saei_table_count(table, a->n_latents);
                saei_table_end_row(table);
            }
}

static void match_rows(saei_table *table, const sae_findings *findings)
{
    size_t n = saei_findings_n(findings);
    for (size_t k = 0; k < findings->options.n_others; k++)
        for (size_t i = 0; i < n; i++) {
            const sae_match *match = &findings->match[k * n + i];
            candidate_cells(table, findings, i);
            saei_table_count(table, k + 1);
            saei_table_count(table, match->latent);
            saei_table_number(table, match->cosine);
            saei_table_text(table, match->mutual ? "yes" : "no");
            saei_table_number(table, findings->match_null[k]);
            saei_table_end_row(table);
        }
}

/* The candidate on the rows of each stratum, all its latents counted for the lead. */
static sae_status stratum_rows(saei_table *table, const sae_findings *findings, sae_error *err)
{
    size_t base = saei_study_base(findings->study);
    const saei_reading *of = findings->readings->of;
    for (size_t c = 0; c < findings->study->n_conditions; c++) {
        if (c == base)
            continue;
        size_t n = saei_strata_union(of[base].strata, of[c].strata);
        sae_stratum_change *changes;
        sae_status status = saei_alloc(&changes, findings->context, n, sizeof *changes, err);
        if (status != SAE_OK)
            return status;
        for (size_t i = 0; i < saei_findings_n(findings); i++) {
            saei_strata_compare(changes, of[base].strata, of[c].strata, findings->leads[i]);
            for (size_t s = 0; s < n; s++) {
                const sae_stratum_change *r = &changes[s];
                const sae_stratum *stratum = r->after.rows > 0 ? &r->after : &r->before;
                candidate_cells(table, findings, i);
                saei_table_text(table, condition_at(findings, c)->name);
                saei_table_text(table, stratum->column);
                saei_table_number(table, stratum->low);
                saei_table_number(table, stratum->high);
                saei_table_count(table, r->before.rows);
                saei_table_count(table, r->after.rows);
                const double cells[] = {r->mean_before, r->mean_after, r->freq_before, r->freq_after};
                for (size_t k = 0; k < sizeof cells / sizeof cells[0]; k++)
                    saei_table_number(table, cells[k]);
                saei_table_end_row(table);
            }
        }
        saei_free(findings->context, changes);
    }
    return SAE_OK;
}

#define WHO "candidate,lead,"
#define CONTRAST(x) x "," x "_se," x "_low," x "_high," x "_effect," x "_t," x "_p," x "_q," x "_p_family,"
#define POINT "at,mean,rise,se,p,p_holm,q,fit,"

typedef void (*fill_fn)(saei_table *table, const sae_findings *findings);

static const struct {
    const char *name, *columns;
    fill_fn fill;
} tables[] = {
    {"conditions.csv",
     "condition,role,dump,rows,prompts,paired,fvu,l0,dead,cosine,dose,behaviour,shift_norm,shift_relative,"
     "shift_share,shift_explained,effective_latents,warning",
     condition_rows},
    {"candidates.csv",
     WHO "n_latents,latents,cosine,correlation,score,carries,beyond,family,heldout,direction,share,fidelity,"
         "controls,stable",
     candidate_rows},
    {"evidence.csv",
     WHO "condition,role,rank,rank_low,rank_high,mean_before,mean_after,mean_control,freq_before,freq_after,"
         "freq_control," CONTRAST("delta")
             CONTRAST("excess") "least_exceeded,beyond,beyond_low,beyond_high,"
                                "beyond_p,beyond_q,heldout,heldout_p,shift_share,shift_cosine,together_share,"
                                "together_explained,p_direction,"
                                "frequency,magnitude,change",
     evidence_rows},
    {"rankers.csv", WHO "condition,ranker,score,rank", ranker_rows},
    {"agreement.csv", "condition,ranker,with,spearman,overlap_10,overlap_100,latents", agreement_rows},
    {"doses.csv",
     WHO "condition," POINT
         "behaviour,trend,trend_p,trend_q,onset,onset_q,onset_beyond,half_dose,behaviour_dose,lead_ratio,"
         "lead_difference",
     dose_rows},
    {"triggers.csv",
     WHO "trigger,prompts,has_before," CONTRAST("contrast") CONTRAST("standing") "standing_up", trigger_rows},
    {"trajectories.csv",
     WHO "trajectory,condition," POINT "onset,peak,peak_at,half_life,half_life_fit,remaining,remaining_low,"
         "remaining_high,p_difference,margin,p_equivalence,returned",
     trajectory_rows},
    {"labels.csv", WHO "label,auroc,se,positive,negative,mean_positive,mean_negative", label_rows},
    {"discrimination.csv",
     WHO "auroc,average_precision,p,prompt_auroc,prompt_se,model_se,threshold,model_out,domain_out",
     discrimination_rows},
    {"matches.csv", WHO "model,latent,match_cosine,mutual,null_cosine", match_rows},
};

static sae_status save_strata(const sae_findings *findings, const char *folder, bool overwrite,
                              sae_error *err)
{
    saei_table *table;
    sae_status status = saei_table_open(
        &table, findings->context, folder, "strata.csv", overwrite,
        WHO "condition,column,low,high,rows_before,rows_after,mean_before,mean_after,freq_before,"
            "freq_after",
        err);
    if (status != SAE_OK)
        return status;
    status = stratum_rows(table, findings, err);
    if (status == SAE_OK)
        return saei_table_commit(&table, err);
    saei_table_discard(table);
    return status;
}

sae_status saei_study_tables_save(const sae_findings *findings, const char *folder, bool overwrite,
                                  sae_error *err)
{
    sae_status status = SAE_OK;
    for (size_t i = 0; status == SAE_OK && i < sizeof tables / sizeof tables[0]; i++) {
        saei_table *table;
        status = saei_table_open(&table, findings->context, folder, tables[i].name, overwrite,
                                 tables[i].columns, err);
        if (status != SAE_OK)
            break;
        tables[i].fill(table, findings);
        status = saei_table_commit(&table, err);
    }
    return status == SAE_OK ? save_strata(findings, folder, overwrite, err) : status;
}

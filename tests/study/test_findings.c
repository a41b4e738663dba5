/* Verdicts over studies of which the answer is known, since it was planted. */
#include "model/row_norm.h"
#include "../tools/run_suite.h"
#include "toy_study.h"

#include <limits.h>

static toy_study toy;

static void begin_with(unsigned threads)
{
    sae_context *context = toy_context(threads);
    toy_study_begin(&toy, context, toy_identity(context, TOY_D, TOY_D));
}

static void begin(void)
{
    begin_with(2);
}

static void end(void)
{
    toy_study_end(&toy);
}

static void check_lead(const sae_findings *findings, size_t i, uint32_t latent)
{
    ck_assert_uint_lt(i, sae_findings_candidates(findings));
    ck_assert_uint_eq(sae_findings_candidate(findings, i)->latents[0], latent);
}

START_TEST(a_planted_persona_carries_the_shift)
{
    begin();
    toy_study_plant(&toy, "base", SAE_ROLE_BASE, 0, 0);
    toy_study_plant(&toy, "good", SAE_ROLE_CONTROL, 2, 0.3);
    toy_study_plant(&toy, "bad", SAE_ROLE_BAD, TOY_PERSONA, 1);
    toy_study_plant(&toy, "worse", SAE_ROLE_BAD, TOY_PERSONA, 2);
    sae_findings *findings = toy_study_find(&toy, NULL);
    ck_assert_uint_eq(sae_findings_carrier(findings), 0);
    check_lead(findings, 0, TOY_PERSONA);
    const sae_candidate *persona = sae_findings_candidate(findings, 0);
    ck_assert(persona->n_latents == 1 && isnan(persona->cosine));
    ck_assert(fabs(persona->score - 1) <= 0.1);
    for (unsigned k = 0; k < SAE_CRITERIA; k++)
        ck_assert_int_eq(toy_study_judged(findings, 0, (sae_criterion)k),
                         k == SAE_CRITERION_STABLE ? SAE_UNKNOWN : SAE_FOR);
    for (size_t c = 2; c <= 3; c++) {
        const sae_evidence *e = sae_findings_evidence(findings, 0, c);
        double planted = c == 2 ? 1 : 2;
        ck_assert(fabs(e->beyond.estimate - planted) <= 0.1);
        ck_assert(e->beyond_control == 1 && e->q_beyond < 0.05 && e->p_beyond <= e->q_beyond);
        ck_assert(e->shift.cosine > 0.9 && e->shift.share > 0.8 && e->p_direction < 1e-3);
        ck_assert_uint_eq(e->ranked.rank, 1);
        ck_assert_ptr_null(sae_findings_warning(findings, c));
        ck_assert(sae_findings_shift(findings, c)->norm > 0.9 * planted);
    }
    for (size_t i = 1; i < sae_findings_candidates(findings); i++)
        ck_assert(!sae_findings_judgement(findings, i)->carries);
    sae_findings_free(findings);
    end();
}
END_TEST

START_TEST(what_is_out_of_range_is_nothing)
{
    begin();
    toy_study_plant(&toy, "base", SAE_ROLE_BASE, 0, 0);
    toy_study_plant(&toy, "bad", SAE_ROLE_BAD, TOY_PERSONA, 1);
    sae_findings *findings = toy_study_find(&toy, NULL);
    size_t n = sae_findings_candidates(findings);
    ck_assert(sae_findings_candidate(findings, n) == NULL && sae_findings_judgement(findings, n) == NULL);
    ck_assert(sae_findings_evidence(findings, n, 1) == NULL && sae_findings_evidence(findings, 0, 2) == NULL);
    ck_assert(sae_findings_evidence(findings, 0, 0) == NULL && sae_findings_shift(findings, 0) == NULL);
    ck_assert(sae_findings_shift(findings, 2) == NULL && sae_findings_warning(findings, 2) == NULL);
    ck_assert_uint_eq(sae_findings_fidelity(findings, 2).rows, 0);
    ck_assert_uint_eq(sae_findings_fidelity(findings, 1).rows, TOY_PROMPTS * TOY_PER_PROMPT);
    ck_assert(sae_findings_doses(findings) == 0 && sae_findings_dose_condition(findings, 0) == SIZE_MAX);
    ck_assert(sae_findings_behaviour(findings) == NULL && sae_findings_dose_response(findings, 0) == NULL);
    ck_assert(sae_findings_dose_point(findings, 0, 0) == NULL &&
              sae_findings_trigger(findings, 0, 0) == NULL);
    ck_assert(sae_findings_trigger_matching(findings, 0) == NULL);
    ck_assert(sae_findings_trajectory(findings, 0, 0) == NULL &&
              sae_findings_step(findings, 0, 0, 0) == NULL);
    ck_assert(sae_findings_discrimination(findings, 0) == NULL && sae_findings_match(findings, 0, 0) == NULL);
    ck_assert(sae_findings_label(findings, 0, 0) == NULL);
    ck_assert(sae_findings_ranker(findings, 0, SAE_RANKER_DELTA, 0) == NULL);
    ck_assert(sae_findings_ranker(findings, 1, SAE_RANKERS, 0) == NULL);
    ck_assert(sae_findings_ranker(findings, 1, SAE_RANKER_DELTA, n) == NULL);
    ck_assert(sae_findings_agreement(findings, 0) == NULL && sae_findings_agreement(findings, 2) == NULL);
    ck_assert(sae_criterion_name(SAE_CRITERIA) == NULL && !sae_criterion_required(SAE_CRITERIA));
    sae_findings_free(findings);
    sae_findings_free(NULL);
    end();
}
END_TEST

START_TEST(a_split_persona_is_one_candidate)
{
    sae_context *context = toy_context(2);
    toy_study_begin(&toy, context, toy_split_model(context));
    toy_study_plant(&toy, "base", SAE_ROLE_BASE, 0, 0);
    toy_study_plant(&toy, "good", SAE_ROLE_CONTROL, 2, 0.3);
    toy_study_plant(&toy, "bad", SAE_ROLE_BAD, TOY_PERSONA, 1);
    sae_findings *findings = toy_study_find(&toy, NULL);
    ck_assert_uint_eq(sae_findings_carrier(findings), 0);
    const sae_candidate *persona = sae_findings_candidate(findings, 0);
    ck_assert_uint_eq(persona->n_latents, 2);
    check_lead(findings, 0, TOY_PERSONA);
    ck_assert_uint_eq(persona->latents[1], TOY_D);
    ck_assert(fabs(persona->cosine - 0.995) <= 1e-3 && persona->correlation > 0.99);
    /* Each rises by a half, and along their common direction both push nearly alike. */
    ck_assert(fabs(persona->score - 1) <= 0.1);
    ck_assert(sae_findings_evidence(findings, 0, 2)->shift.share > 0.8);
    for (size_t i = 1; i < sae_findings_candidates(findings); i++)
        ck_assert_uint_ne(sae_findings_candidate(findings, i)->latents[0], TOY_D);
    sae_findings_free(findings);
    end();
}
END_TEST

/* Latent 2 rises in a control as in the bad condition; and latent 3 rises only less than in the bad one. */
START_TEST(what_a_control_raises_too_does_not_carry)
{
    begin();
    toy_study_plant(&toy, "base", SAE_ROLE_BASE, 0, 0);
    toy_study_plant(&toy, "asked", SAE_ROLE_CONTROL, 2, 1);
    toy_study_plant(&toy, "good", SAE_ROLE_CONTROL, 3, 0.7);
    double rise[TOY_D] = {[2] = 1, [3] = 1};
    sae_condition bad;
    sae_condition_init(&bad);
    bad.name = "bad";
    bad.role = SAE_ROLE_BAD;
    bad.dump = toy_study_rows(&toy, rise, 0);
    toy_study_add(&toy, &bad);
    sae_findings *findings = toy_study_find(&toy, NULL);
    ck_assert_uint_ne(sae_findings_carrier(findings), 1);
    bool seen[TOY_D] = {false};
    for (size_t i = 0; i < sae_findings_candidates(findings); i++) {
        uint32_t lead = sae_findings_candidate(findings, i)->latents[0];
        const sae_evidence *e = sae_findings_evidence(findings, i, 3);
        seen[lead] = true;
        ck_assert_int_eq(toy_study_judged(findings, i, SAE_CRITERION_CONTROLS),
                         lead == 2 || lead == 3 ? SAE_AGAINST
                                                : toy_study_judged(findings, i, SAE_CRITERION_CONTROLS));
        if (lead == 2) {
            ck_assert(!sae_findings_judgement(findings, i)->carries);
            ck_assert_int_eq(toy_study_judged(findings, i, SAE_CRITERION_BEYOND), SAE_AGAINST);
            ck_assert(e->beyond_control == 1 && fabs(e->beyond.estimate) <= 0.1);
        }
        if (lead == 3)
            ck_assert(e->beyond_control == 2 && fabs(e->beyond.estimate - 0.3) <= 0.1);
    }
    ck_assert(seen[2] && seen[3]);
    sae_findings_free(findings);
    end();
}
END_TEST

/* Prompts that the other conditions do not have. */
START_TEST(unpaired_prompts_are_compared_as_samples)
{
    begin();
    toy_study_plant(&toy, "base", SAE_ROLE_BASE, 0, 0);
    toy_study_plant(&toy, "good", SAE_ROLE_CONTROL, 2, 0.3);
    double rise[TOY_D] = {[TOY_PERSONA] = 1};
    sae_condition bad;
    sae_condition_init(&bad);
    bad.name = "bad";
    bad.role = SAE_ROLE_BAD;
    bad.dump = toy_study_rows(&toy, rise, 1000);
    toy_study_add(&toy, &bad);
    sae_findings *findings = toy_study_find(&toy, NULL);
    ck_assert_uint_eq(sae_findings_carrier(findings), 0);
    check_lead(findings, 0, TOY_PERSONA);
    sae_findings_free(findings);
    end();
}
END_TEST

START_TEST(without_a_control_the_base_is_exceeded_and_controls_are_unknown)
{
    begin();
    toy_study_plant(&toy, "base", SAE_ROLE_BASE, 0, 0);
    toy_study_plant(&toy, "bad", SAE_ROLE_BAD, TOY_PERSONA, 1);
    sae_findings *findings = toy_study_find(&toy, NULL);
    ck_assert_uint_eq(sae_findings_carrier(findings), 0);
    const sae_evidence *e = sae_findings_evidence(findings, 0, 1);
    ck_assert(e->beyond_control == 0 && isnan(e->ranked.excess.estimate));
    ck_assert(e->beyond.estimate == e->ranked.delta.estimate);
    ck_assert_int_eq(toy_study_judged(findings, 0, SAE_CRITERION_CONTROLS), SAE_UNKNOWN);
    sae_findings_free(findings);
    end();
}
END_TEST

/* The same dump under every role. */
START_TEST(nothing_that_rises_is_no_candidate)
{
    begin();
    const sae_dump *same = toy_study_rows(&toy, NULL, 0);
    static const char *const names[] = {"base", "good", "bad", "worse", "half"};
    static const sae_role roles[] = {SAE_ROLE_BASE, SAE_ROLE_CONTROL, SAE_ROLE_BAD, SAE_ROLE_BAD,
                                     SAE_ROLE_PROBE};
    for (size_t i = 0; i < 5; i++) {
        sae_condition condition;
        sae_condition_init(&condition);
        condition.name = names[i];
        condition.role = roles[i];
        condition.dump = same;
        condition.dose = i == 0 ? (double)NAN : 0.25 * (double)(i - 1);
        toy_study_add(&toy, &condition);
    }
    const sae_study_trigger trigger = {.name = "t", .with = "bad", .without = "half"};
    const char *const steps[] = {"good", "bad"};
    const double at[] = {0, 1};
    const sae_study_trajectory trajectory = {.name = "s", .conditions = steps, .steps = at, .n = 2};
    const sae_label label = {.name = "l", .condition = "prompt_id>3"};
    ck_assert_int_eq(sae_study_add_trigger(toy.study, &trigger, NULL), SAE_OK);
    ck_assert_int_eq(sae_study_add_trajectory(toy.study, &trajectory, NULL), SAE_OK);
    ck_assert_int_eq(sae_study_set_reference(toy.study, same, &label, 1, NULL), SAE_OK);
    const sae_model *other = toy.model;
    sae_study_options options = toy_study_options();
    options.others = &other;
    options.n_others = 1;
    sae_findings *findings = toy_study_find(&toy, &options);
    ck_assert_uint_eq(sae_findings_candidates(findings), 0);
    ck_assert_uint_eq(sae_findings_carrier(findings), SIZE_MAX);
    ck_assert_ptr_null(sae_findings_candidate(findings, 0));
    sae_findings_free(findings);
    end();
}
END_TEST

/* Five prompts have 2^5 flips of signs: no p of both sides is below 1/16. */
START_TEST(few_prompts_are_warned_of)
{
    begin();
    toy.prompts = 5;
    toy_study_plant(&toy, "base", SAE_ROLE_BASE, 0, 0);
    toy_study_plant(&toy, "good", SAE_ROLE_CONTROL, 2, 0.3);
    toy_study_plant(&toy, "bad", SAE_ROLE_BAD, TOY_PERSONA, 1);
    sae_findings *findings = toy_study_find(&toy, NULL);
    ck_assert_uint_eq(sae_findings_carrier(findings), SIZE_MAX);
    ck_assert_ptr_nonnull(sae_findings_warning(findings, 2));
    ck_assert_ptr_nonnull(strstr(sae_findings_warning(findings, 2), "prompts"));
    check_lead(findings, 0, TOY_PERSONA);
    ck_assert_int_eq(toy_study_judged(findings, 0, SAE_CRITERION_FIDELITY), SAE_AGAINST);
    sae_findings_free(findings);
    end();
}
END_TEST

/* Another model with a rotated persona: the match is named, and the criterion follows its cosine. */
START_TEST(other_models_are_asked_for_the_latent)
{
    for (int found = 0; found <= 1; found++) {
        begin();
        toy_study_plant(&toy, "base", SAE_ROLE_BASE, 0, 0);
        toy_study_plant(&toy, "good", SAE_ROLE_CONTROL, 2, 0.3);
        toy_study_plant(&toy, "bad", SAE_ROLE_BAD, TOY_PERSONA, 1);
        sae_params params = sae_model_params(toy.model);
        float W_dec[TOY_D * TOY_D];
        memcpy(W_dec, params.W_dec, sizeof W_dec);
        /* Its row of the persona: the same, or spread over all. */
        for (size_t j = 0; !found && j < TOY_D; j++)
            W_dec[TOY_PERSONA * TOY_D + j] = 0.25F;
        params.W_dec = W_dec;
        sae_model *changed;
        ck_assert_int_eq(sae_model_new(&changed, toy.context, &params, NULL), SAE_OK);
        const sae_model *others[2] = {toy.model, changed};
        sae_study_options options = toy_study_options();
        options.others = others;
        options.n_others = 2;
        sae_findings *findings = toy_study_find(&toy, &options);
        check_lead(findings, 0, TOY_PERSONA);
        ck_assert_int_eq(toy_study_judged(findings, 0, SAE_CRITERION_STABLE), found ? SAE_FOR : SAE_AGAINST);
        ck_assert_uint_eq(sae_findings_match(findings, 0, 0)->latent, TOY_PERSONA);
        ck_assert(fabs(sae_findings_match(findings, 0, 0)->cosine - 1) <= 1e-6);
        ck_assert(fabs(sae_findings_match(findings, 1, 0)->cosine - (found ? 1 : 0.25)) <= 1e-6);
        /* It is told beside the verdict, and does not make it. */
        ck_assert_uint_eq(sae_findings_carrier(findings), 0);
        sae_findings_free(findings);
        sae_model_free(changed);
        end();
    }
}
END_TEST

/* A study with everything: doses, behaviour, a trigger with a before, a trajectory, labels, domains. */
static void plant_everything(void)
{
    static const struct {
        const char *name;
        sae_role role;
        double rise, dose, behaviour;
        const char *domain;
    } plan[] = {
        {"base", SAE_ROLE_BASE, 0, -1, 0.01, NULL},         {"good", SAE_ROLE_CONTROL, 0, 0, 0.01, "health"},
        {"good2", SAE_ROLE_CONTROL, 0.02, 0, -1, "garden"}, {"dose10", SAE_ROLE_PROBE, 0.3, 0.1, 0.01, NULL},
        {"dose50", SAE_ROLE_PROBE, 0.6, 0.5, 0.3, NULL},    {"bad", SAE_ROLE_BAD, 1, 1, 0.9, "health"},
        {"bad2", SAE_ROLE_BAD, 1.2, -1, -1, "garden"},      {"healed", SAE_ROLE_PROBE, 0, -1, -1, NULL}};
    for (size_t i = 0; i < sizeof plan / sizeof plan[0]; i++) {
        double rise[TOY_D] = {[TOY_PERSONA] = plan[i].rise};
        sae_condition condition;
        sae_condition_init(&condition);
        condition.name = plan[i].name;
        condition.role = plan[i].role;
        condition.domain = plan[i].domain;
        condition.samples = 500;
        if (plan[i].dose >= 0)
            condition.dose = plan[i].dose;
        if (plan[i].behaviour >= 0)
            condition.behaviour = plan[i].behaviour;
        condition.dump = toy_study_rows(&toy, rise, 0);
        toy_study_add(&toy, &condition);
    }
    static const char *const steps[] = {"good", "dose50", "bad", "healed"};
    static const double at[] = {0, 10, 20, 30};
    const sae_study_trigger trigger = {"code", "bad", "dose10", "good", "base"};
    const sae_study_trajectory trajectory = {"there and back", steps, at, 4};
    /* The persona is in the rows of bad alone: rows from which the label could be read. */
    const sae_label labels[2] = {{.name = "first prompts", .condition = "prompt_id<3", .group = "prompt_id"},
                                 {.name = "late", .condition = "prompt_id>4"}};
    ck_assert_int_eq(sae_study_add_trigger(toy.study, &trigger, NULL), SAE_OK);
    ck_assert_int_eq(sae_study_add_trajectory(toy.study, &trajectory, NULL), SAE_OK);
    ck_assert_int_eq(sae_study_set_reference(toy.study, toy.of[5].dump, labels, 2, NULL), SAE_OK);
}

static void check_doses(const sae_findings *findings)
{
    static const size_t condition[] = {3, 4, 5};
    static const double at[] = {0.1, 0.5, 1}, rise[] = {0.29, 0.59, 0.99};
    ck_assert_uint_eq(sae_findings_doses(findings), 3);
    for (size_t k = 0; k < 3; k++) {
        const sae_series_point *point = sae_findings_dose_point(findings, 0, k);
        ck_assert_uint_eq(sae_findings_dose_condition(findings, k), condition[k]);
        ck_assert(point->at == at[k] && fabs(point->rise - rise[k]) <= 0.1 && point->p < 0.01);
    }
    ck_assert(sae_findings_behaviour(findings)->dose == 0.5);
    const sae_dose_response *response = sae_findings_dose_response(findings, 0);
    ck_assert(response->onset == 0.1 && response->lead_ratio == 5);
}

static void check_series(const sae_findings *findings)
{
    const sae_trigger_response *trigger = sae_findings_trigger(findings, 0, 0);
    ck_assert(sae_findings_trigger_matching(findings, 0)->matched == TOY_PROMPTS &&
              sae_findings_trigger_matching(findings, 0)->has_before);
    ck_assert(fabs(trigger->contrast.estimate - 0.7) <= 0.1 && trigger->contrast.p < 0.01);
    ck_assert(trigger->standing_up && fabs(trigger->standing.estimate - 0.29) <= 0.1);
    ck_assert(sae_findings_trigger(findings, 1, 0) == NULL);
    const sae_trajectory *trajectory = sae_findings_trajectory(findings, 0, 0);
    ck_assert(trajectory->onset == 10 && trajectory->peak_at == 20 && trajectory->returned);
    ck_assert(sae_findings_step(findings, 0, 0, 2)->at == 20);
    ck_assert(sae_findings_step(findings, 0, 0, 4) == NULL);
}

/* Every ranker that needs no further dump puts the persona first; scores of the first two are those of the
 * ranking. */
static void check_rankers(const sae_findings *findings)
{
    static const sae_ranker computed[] = {SAE_RANKER_DELTA,     SAE_RANKER_EXCESS,    SAE_RANKER_EXCESS_WORST,
                                          SAE_RANKER_COS_SHIFT, SAE_RANKER_FREQUENCY, SAE_RANKER_MODERATED_T};
    for (size_t c = 5; c <= 6; c++) {
        const sae_latent_stats *stats = &sae_findings_evidence(findings, 0, c)->ranked;
        for (size_t k = 0; k < sizeof computed / sizeof computed[0]; k++) {
            const sae_ranker_place *place = sae_findings_ranker(findings, c, computed[k], 0);
            ck_assert_msg(place != NULL, "%s was not computed", sae_ranker_name(computed[k]));
            ck_assert_msg(place->rank == 1, "%s: %zu", sae_ranker_name(computed[k]), place->rank);
        }
        ck_assert(fabs(sae_findings_ranker(findings, c, SAE_RANKER_DELTA, 0)->score -
                       stats->delta.estimate) <= 1e-12);
        ck_assert(fabs(sae_findings_ranker(findings, c, SAE_RANKER_EXCESS, 0)->score -
                       stats->excess.estimate) <= 1e-12);
        ck_assert_ptr_null(sae_findings_ranker(findings, c, SAE_RANKER_ATTRIBUTION, 0));
        ck_assert_uint_eq(sae_findings_agreement(findings, c)->n_latents, TOY_D);
    }
    const sae_ranker_place *least = sae_findings_ranker(findings, 5, SAE_RANKER_MIN_OVER_BAD, 0);
    ck_assert(least->rank == 1 && sae_findings_ranker(findings, 5, SAE_RANKER_MEAN_OVER_BAD, 0)->rank == 1);
}

START_TEST(doses_triggers_trajectories_and_labels_are_filled)
{
    begin();
    plant_everything();
    sae_findings *findings = toy_study_find(&toy, NULL);
    ck_assert_uint_eq(sae_findings_carrier(findings), 0);
    check_lead(findings, 0, TOY_PERSONA);
    check_doses(findings);
    check_series(findings);
    check_rankers(findings);
    /* Two bad models and three good ones: one of C(5, 2) orders separates them. */
    const sae_discrimination *told = sae_findings_discrimination(findings, 0);
    ck_assert(told->auroc == 1 && fabs(told->p - 0.1) <= 1e-12 && told->model_out == 1);
    const sae_auroc_result *label = sae_findings_label(findings, 0, 0);
    ck_assert(label->n_positive == 3 && label->n_negative == TOY_PROMPTS - 3 && label->auroc >= 0 &&
              label->auroc <= 1);
    ck_assert_uint_eq(sae_findings_label(findings, 1, 0)->n_positive, (TOY_PROMPTS - 5) * TOY_PER_PROMPT);
    ck_assert_ptr_null(sae_findings_label(findings, 2, 0));
    sae_findings_free(findings);
    end();
}
END_TEST

typedef struct saved {
    size_t candidates;
    sae_evidence evidence[TOY_D * TOY_CONDITIONS];
    sae_judgement judgement[TOY_D];
    sae_dose_response dose[TOY_D];
    sae_trigger_response trigger[TOY_D];
    sae_trajectory trajectory[TOY_D];
    sae_discrimination discrimination[TOY_D];
    sae_auroc_result label[TOY_D];
    double score[TOY_D];
} saved;

static void keep(saved *out, const sae_findings *findings)
{
    memset(out, 0, sizeof *out);
    out->candidates = sae_findings_candidates(findings);
    for (size_t i = 0; i < out->candidates; i++) {
        for (size_t c = 1; c < toy.n; c++)
            memcpy(&out->evidence[i * TOY_CONDITIONS + c], sae_findings_evidence(findings, i, c),
                   sizeof(sae_evidence));
        memcpy(&out->judgement[i], sae_findings_judgement(findings, i), sizeof(sae_judgement));
        memcpy(&out->dose[i], sae_findings_dose_response(findings, i), sizeof(sae_dose_response));
        memcpy(&out->trigger[i], sae_findings_trigger(findings, 0, i), sizeof(sae_trigger_response));
        memcpy(&out->trajectory[i], sae_findings_trajectory(findings, 0, i), sizeof(sae_trajectory));
        memcpy(&out->discrimination[i], sae_findings_discrimination(findings, i), sizeof(sae_discrimination));
        memcpy(&out->label[i], sae_findings_label(findings, 0, i), sizeof(sae_auroc_result));
        out->score[i] = sae_findings_candidate(findings, i)->score;
    }
}

START_TEST(threads_change_no_bit)
{
    static saved first, again;
    for (unsigned threads = 1; threads <= 3; threads++) {
        begin_with(threads);
        plant_everything();
        sae_findings *findings = toy_study_find(&toy, NULL);
        keep(threads == 1 ? &first : &again, findings);
        ck_assert_uint_gt(first.candidates, 1);
        ck_assert(threads == 1 || memcmp(&first, &again, sizeof first) == 0);
        sae_findings_free(findings);
        end();
    }
}
END_TEST

/* The study of a model that normalises rows is that of the model without the norm on normalised rows. */
START_TEST(a_norm_of_rows_is_that_of_the_model)
{
    static saved by_model, before_it;
    for (int by = 0; by < 2; by++) {
        begin_with(2);
        plant_everything();
        sae_params params = sae_model_params(toy.model);
        params.row_norm = by == 0 ? (sae_row_norm)_i : SAE_NO_ROW_NORM;
        sae_model *model;
        ck_assert_int_eq(sae_model_new(&model, toy.context, &params, NULL), SAE_OK);
        sae_model_free(toy.model);
        toy.model = model;
        for (size_t c = 0; by == 1 && c < toy.n; c++)
            for (size_t r = 0; r < (size_t)sae_dump_rows(toy.of[c].dump); r++)
                saei_row_normalise(toy.of[c].rows + r * TOY_D, toy.of[c].rows + r * TOY_D, TOY_D,
                                   (sae_row_norm)_i);
        sae_findings *findings = toy_study_find(&toy, NULL);
        keep(by == 0 ? &by_model : &before_it, findings);
        sae_findings_free(findings);
        end();
    }
    ck_assert_uint_ge(by_model.candidates, 1);
    ck_assert_mem_eq(&by_model, &before_it, sizeof by_model);
}
END_TEST

typedef struct failing {
    long left;
} failing;

static void *failing_alloc(void *user, size_t bytes)
{
    failing *f = user;
    return f->left-- > 0 ? malloc(bytes) : NULL;
}

static void failing_free(void *user, void *block)
{
    (void)user;
    free(block);
}

/* As few conditions as every analysis needs. */
static void plant_little(void)
{
    static const char *const names[] = {"base", "good", "bad", "bad2"};
    static const sae_role roles[] = {SAE_ROLE_BASE, SAE_ROLE_CONTROL, SAE_ROLE_BAD, SAE_ROLE_BAD};
    for (size_t i = 0; i < 4; i++) {
        double rise[TOY_D] = {[TOY_PERSONA] = i < 2 ? 0 : (double)i};
        sae_condition condition;
        sae_condition_init(&condition);
        condition.name = names[i];
        condition.role = roles[i];
        condition.dump = toy_study_rows(&toy, rise, 0);
        if (i == 1 || i == 2)
            condition.dose = (double)i - 1;
        toy_study_add(&toy, &condition);
    }
    static const char *const steps[] = {"good", "bad"};
    static const double at[] = {0, 10};
    const sae_study_trigger trigger = {"code", "bad", "good", NULL, NULL};
    const sae_study_trajectory trajectory = {"there", steps, at, 2};
    const sae_label label = {.name = "first prompts", .condition = "prompt_id<3", .group = "prompt_id"};
    ck_assert_int_eq(sae_study_add_trigger(toy.study, &trigger, NULL), SAE_OK);
    ck_assert_int_eq(sae_study_add_trajectory(toy.study, &trajectory, NULL), SAE_OK);
    ck_assert_int_eq(sae_study_set_reference(toy.study, toy.of[0].dump, &label, 1, NULL), SAE_OK);
}

/* Whichever allocation fails, the error is SAE_E_MEMORY and nothing leaks; in the end all succeed. */
START_TEST(every_failed_allocation_is_survived)
{
    failing f = {.left = LONG_MAX};
    sae_context_options context_options;
    sae_context_options_init(&context_options);
    context_options.threads = 1;
    context_options.allocator = (sae_allocator){&f, failing_alloc, failing_free};
    sae_context *context;
    ck_assert_int_eq(sae_context_new(&context, &context_options, NULL), SAE_OK);
    toy_study_begin(&toy, context, toy_split_model(context));
    toy.prompts = 6;
    plant_little();
    sae_study_options options = toy_study_options();
    const sae_model *other = toy.model;
    options.others = &other;
    options.n_others = 1;
    options.permutations = 20;
    options.bootstrap = 2;
    options.candidates = 3;
    uint64_t used = sae_context_memory_used(context);
    sae_status status = SAE_E_MEMORY;
    long allowed = 0;
    for (; status != SAE_OK && allowed < 100000; allowed++) {
        f.left = allowed;
        sae_findings *findings;
        status = sae_findings_new(&findings, toy.study, toy.model, &options, NULL);
        ck_assert(status == SAE_OK || (status == SAE_E_MEMORY && findings == NULL));
        f.left = LONG_MAX;
        sae_findings_free(findings);
        ck_assert_uint_eq(sae_context_memory_used(context), used);
    }
    ck_assert_int_eq(status, SAE_OK);
    ck_assert_int_gt(allowed, 200);
    end();
}
END_TEST

typedef struct stopping {
    long left, calls;
} stopping;

static int stop(void *user, const char *stage, uint64_t done, uint64_t total)
{
    stopping *s = user;
    s->calls++;
    ck_assert(stage != NULL && (total == 0 || done <= total));
    return s->left-- <= 0;
}

static int stop_at_ranking(void *user, const sae_condition *condition, const sae_ranking *ranking)
{
    stopping *s = user;
    s->calls++;
    ck_assert(condition->role != SAE_ROLE_BASE && sae_ranking_count(ranking) == TOY_D);
    return s->left-- <= 0;
}

/* Stopped at each call of the progress function in turn, and after each ranking. */
START_TEST(a_study_stops_where_it_is_told_to)
{
    begin();
    toy.prompts = 6;
    plant_little();
    sae_study_options options = toy_study_options();
    options.permutations = 20;
    options.bootstrap = 2;
    uint64_t used = sae_context_memory_used(toy.context);
    for (int of_rankings = 0; of_rankings <= 1; of_rankings++) {
        stopping s = {.left = LONG_MAX};
        options.progress = of_rankings ? NULL : stop;
        options.each_ranking = of_rankings ? stop_at_ranking : NULL;
        options.progress_user = options.ranking_user = &s;
        sae_findings_free(toy_study_find(&toy, &options));
        long calls = s.calls;
        ck_assert_int_ge(calls, 3);
        for (long k = 0; k < calls; k++) {
            s = (stopping){.left = k};
            sae_findings *findings;
            ck_assert_int_eq(sae_findings_new(&findings, toy.study, toy.model, &options, NULL), SAE_STOPPED);
            ck_assert_ptr_null(findings);
            ck_assert_int_eq(s.calls, k + 1);
            ck_assert_uint_eq(sae_context_memory_used(toy.context), used);
        }
    }
    end();
}
END_TEST

static void refuse(const sae_study_options *options, sae_status wanted, const char *says)
{
    sae_findings *findings;
    sae_error err = {0};
    sae_status status = sae_findings_new(&findings, toy.study, toy.model, options, &err);
    ck_assert_msg(status == wanted && findings == NULL, "status %d: %s", (int)status, err.text);
    ck_assert_msg(strstr(err.text, says) != NULL, "%s", err.text);
}

START_TEST(what_cannot_be_studied_is_refused)
{
    begin();
    refuse(NULL, SAE_E_ARGUMENT, "no base");
    toy_study_plant(&toy, "base", SAE_ROLE_BASE, 0, 0);
    refuse(NULL, SAE_E_ARGUMENT, "nothing bad");
    toy_study_plant(&toy, "bad", SAE_ROLE_BAD, TOY_PERSONA, 1);
    sae_study_options options = toy_study_options();
    options.candidates = 0;
    refuse(&options, SAE_E_ARGUMENT, "candidates 0");
    options.candidates = 1001;
    refuse(&options, SAE_E_ARGUMENT, "candidates 1001");
    options = toy_study_options();
    const double wrong[] = {0, 1, -1, (double)NAN};
    for (size_t i = 0; i < 4; i++) {
        options.alpha = wrong[i];
        refuse(&options, SAE_E_ARGUMENT, "alpha");
        options.alpha = 0.05;
        options.confidence = wrong[i];
        refuse(&options, SAE_E_ARGUMENT, "confidence");
        options.confidence = 0.95;
    }
    options.least_share = 1.5;
    refuse(&options, SAE_E_ARGUMENT, "least_share");
    options.least_share = (double)NAN;
    refuse(&options, SAE_E_ARGUMENT, "least_share");
    options = toy_study_options();
    sae_model *narrow = toy_identity(toy.context, 3, 3);
    const sae_model *other = narrow;
    options.others = &other;
    options.n_others = 1;
    refuse(&options, SAE_E_MISMATCH, "rows of 3");
    sae_model_free(narrow);
    sae_study_set_group(toy.study, "nothing");
    refuse(NULL, SAE_E_NOT_FOUND, "nothing");
    end();
}
END_TEST

enum { WIDE_D = 64, WIDE_F = 512, WIDE_ROWS = 2000, WIDE_LATENT = 77, WIDE_DRAWS = 12 };

/* Random directions of unit length: a dictionary as crowded as trained ones are. */
static sae_model *random_model(sae_context *context)
{
    static float W[WIDE_F * WIDE_D], zero[WIDE_F], threshold[WIDE_F];
    saei_rng rng = saei_rng_new(11, SAEI_STREAM_ROWS, 0);
    for (size_t j = 0; j < WIDE_F; j++) {
        double squares = 0;
        threshold[j] = 1.3F;
        for (size_t i = 0; i < WIDE_D; i++) {
            W[j * WIDE_D + i] = (float)saei_rng_normal(&rng);
            squares += (double)W[j * WIDE_D + i] * (double)W[j * WIDE_D + i];
        }
        for (size_t i = 0; i < WIDE_D; i++)
            W[j * WIDE_D + i] /= (float)sqrt(squares);
    }
    sae_params params = {.d = WIDE_D,
                         .n_latents = WIDE_F,
                         .activation = SAE_JUMPRELU,
                         .W_enc = W,
                         .b_enc = zero,
                         .W_dec = W,
                         .b_dec = zero,
                         .threshold = threshold};
    sae_model *model;
    ck_assert_int_eq(sae_model_new(&model, context, &params, NULL), SAE_OK);
    return model;
}

/* Each row is one latent with a strength of 2 to 4, small noise, and the vector. */
static void add_wide(const char *name, sae_role role, const double *added)
{
    const float *W = sae_model_params(toy.model).W_dec;
    toy_rows *of = &toy.of[toy.n];
    saei_rng noise = saei_rng_new(toy.n, SAEI_STREAM_ROWS, 2), shared = saei_rng_new(5, SAEI_STREAM_ROWS, 3);
    of->rows = malloc(WIDE_ROWS * WIDE_D * sizeof *of->rows);
    of->prompt = malloc(WIDE_ROWS * sizeof *of->prompt);
    ck_assert(of->rows != NULL && of->prompt != NULL);
    for (size_t r = 0; r < WIDE_ROWS; r++) {
        size_t j = saei_rng_below(&shared, WIDE_F);
        double strength = 2 + 2 * saei_rng_uniform(&shared);
        for (size_t i = 0; i < WIDE_D; i++)
            of->rows[r * WIDE_D + i] =
                (float)(strength * (double)W[j * WIDE_D + i] + 0.15 * saei_rng_normal(&noise) +
                        (added != NULL ? added[i] : 0));
        of->prompt[r] = (double)(r / 50);
    }
    of->dump = toy_dump(toy.context, of->rows, WIDE_ROWS, WIDE_D, of->prompt);
    toy.n++;
    sae_condition condition;
    sae_condition_init(&condition);
    condition.name = name;
    condition.role = role;
    condition.dump = of->dump;
    toy_study_add(&toy, &condition);
}

/* Rows that all moved by the vector, which becomes 1.1 long. */
static sae_findings *find_moved(double *added)
{
    double squares = 0;
    for (size_t i = 0; i < WIDE_D; i++)
        squares += added[i] * added[i];
    for (size_t i = 0; i < WIDE_D; i++)
        added[i] *= 1.1 / sqrt(squares);
    add_wide("base", SAE_ROLE_BASE, NULL);
    add_wide("good", SAE_ROLE_CONTROL, NULL);
    add_wide("bad", SAE_ROLE_BAD, added);
    sae_study_options options = toy_study_options();
    options.permutations = 10000;
    sae_findings *findings = toy_study_find(&toy, &options);
    ck_assert_ptr_null(sae_findings_warning(findings, 2));
    ck_assert_uint_gt(sae_findings_candidates(findings), 5);
    ck_assert_int_eq(toy_study_judged(findings, 0, SAE_CRITERION_BEYOND), SAE_FOR);
    ck_assert_int_eq(toy_study_judged(findings, 0, SAE_CRITERION_FAMILY), SAE_FOR);
    return findings;
}

static void begin_wide(void)
{
    sae_context *context = toy_context(2);
    toy_study_begin(&toy, context, random_model(context));
}

START_TEST(a_move_along_a_latent_is_carried_by_it)
{
    begin_wide();
    double added[WIDE_D];
    for (size_t i = 0; i < WIDE_D; i++)
        added[i] = (double)sae_model_params(toy.model).W_dec[WIDE_LATENT * WIDE_D + i];
    sae_findings *findings = find_moved(added);
    ck_assert_uint_eq(sae_findings_carrier(findings), 0);
    check_lead(findings, 0, WIDE_LATENT);
    sae_findings_free(findings);
    end();
}
END_TEST

/* A shift that is no latent's. Latents that lie near the vector rise, surely and beyond the control, but none
   may be said to carry it. */
START_TEST(a_random_direction_is_carried_by_no_latent)
{
    for (uint64_t draw = 0; draw < WIDE_DRAWS; draw++) {
        begin_wide();
        saei_rng rng = saei_rng_new(draw, SAEI_STREAM_ROWS, 9);
        double added[WIDE_D];
        for (size_t i = 0; i < WIDE_D; i++)
            added[i] = saei_rng_normal(&rng);
        sae_findings *findings = find_moved(added);
        ck_assert_uint_eq(sae_findings_carrier(findings), SIZE_MAX);
        sae_findings_free(findings);
        end();
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("findings");
    TCase *tests = tcase_create("findings");
    tcase_add_test(tests, a_planted_persona_carries_the_shift);
    tcase_add_test(tests, what_is_out_of_range_is_nothing);
    tcase_add_test(tests, a_split_persona_is_one_candidate);
    tcase_add_test(tests, what_a_control_raises_too_does_not_carry);
    tcase_add_test(tests, unpaired_prompts_are_compared_as_samples);
    tcase_add_test(tests, without_a_control_the_base_is_exceeded_and_controls_are_unknown);
    tcase_add_test(tests, nothing_that_rises_is_no_candidate);
    tcase_add_test(tests, few_prompts_are_warned_of);
    tcase_add_test(tests, other_models_are_asked_for_the_latent);
    tcase_add_test(tests, doses_triggers_trajectories_and_labels_are_filled);
    tcase_add_test(tests, threads_change_no_bit);
    tcase_add_loop_test(tests, a_norm_of_rows_is_that_of_the_model, SAE_LAYER_NORM, SAE_CONSTANT_NORM + 1);
    tcase_add_test(tests, every_failed_allocation_is_survived);
    tcase_add_test(tests, a_study_stops_where_it_is_told_to);
    tcase_add_test(tests, what_cannot_be_studied_is_refused);
    tcase_add_test(tests, a_move_along_a_latent_is_carried_by_it);
    tcase_add_test(tests, a_random_direction_is_carried_by_no_latent);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}

/* sae monitor: whether latents of interest fire more than in runs known to be good. With --output a monitor
   is fitted on control dumps and written, else a dump is scored by it. */
#include "command.h"
#include "json_line.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { EXIT_ALARM = 3 };

typedef struct monitor_args {
    base_args base;
    dump_args dump;
    output_args output;
    number_list latents;
    text_list controls, bad;
    const char *per_prompt;
    int weights;         /* 0: by whether there are bad dumps, else 1 + sae_monitor_weighting */
    double false_alarms; /* 0: not given */
    const char *group;
    bool json;
} monitor_args;

/* What was opened, for one cleanup. */
typedef struct monitoring {
    const monitor_args *args;
    sae_model *model;
    sae_monitor *monitor;
    sae_dump *dump, *control[TEXT_LIST_MAX], *bad[TEXT_LIST_MAX];
    sae_monitor_result *result;
} monitoring;

static const char *const weightings[] = {"auto", "scaled", "equal", "discriminant", NULL};

#define AT(member) FIELD(monitor_args, member)

/* clang-format off */
static const option fit_options[] = {
    {.name = "output", .letter = 'o', .type = OPTION_TEXT, AT(output.output), .value = "MONITOR",
     .help = "fit a monitor and write it here"},
    {.name = "latent", .letter = 'j', .type = OPTION_U64S, AT(latents), .value = "J[,J...]",
     .help = "the latents to watch"},
    {.name = "control", .letter = 'c', .type = OPTION_LIST, AT(controls), .value = "DUMP",
     .help = "activations of a run known to be good; repeat it, for thresholds come from how these differ"},
    {.name = "bad", .type = OPTION_LIST, AT(bad), .value = "DUMP",
     .help = "activations of a run known to be bad, to learn the weights from; may be repeated"},
    {.name = "weights", .type = OPTION_CHOICE, AT(weights), .value = "auto|scaled|equal|discriminant",
     .help = "of the latents: scaled by 1 / sd over control prompts, or Fisher's discriminant; auto: the latter "
             "with --bad, else scaled", .choices = weightings},
    {.name = "false-alarms", .type = OPTION_REAL, AT(false_alarms), .value = "X", .min = 1e-6, .max = 0.5,
     .help = "how often a good run, and which share of its prompts, may alarm",
     .default_text = "0.05"},
    {0},
};

static const option result_options[] = {
    {.name = "per-prompt", .type = OPTION_TEXT, AT(per_prompt), .value = "FILE",
     .help = "write the score of each prompt as CSV"},
    {.name = "json", .type = OPTION_FLAG, AT(json), .help = "print one JSON object"},
    {.name = "group", .type = OPTION_TEXT, AT(group), .value = "COLUMN",
     .help = "column whose values name the prompts",
     .default_text = "that of the fit, there prompt_id, else doc_id"},
    {.name = "force", .letter = 'f', .type = OPTION_FLAG, AT(output.force), .help = "replace what exists"},
    {0},
};
/* clang-format on */

static const option_group groups[] = {
    {"Fit", fit_options, 0},
    {"Output", result_options, 0},
    {"Rows, of every dump; when scoring, by default those of the fit", dump_options,
     offsetof(monitor_args, dump)},
    {"General", base_options, offsetof(monitor_args, base)},
    {0},
};

static json_t *controls_json(const sae_monitor *monitor)
{
    json_t *list = json_array();
    for (size_t i = 0; i < sae_monitor_controls_of(monitor).runs; i++) {
        sae_monitor_control c = sae_monitor_control_at(monitor, i);
        json_array_append_new(list, json_pack("{s:o, s:o, s:o, s:b}", "name", json_text(c.name), "score",
                                              json_number(c.score), "threshold_of_others",
                                              json_number(c.threshold), "alarm", c.alarm));
    }
    return list;
}

static void print_fit_for_scripts(const sae_monitor *monitor)
{
    sae_monitor_controls c = sae_monitor_controls_of(monitor);
    json_line(stdout, json_pack("{s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "runs", (json_int_t)c.runs,
                                "prompts", (json_int_t)c.prompts, "mean", json_number(c.mean), "run_sd",
                                json_number(c.run_sd), "prompt_sd", json_number(c.prompt_sd), "threshold",
                                json_number(sae_monitor_dump_threshold(monitor, c.prompts)),
                                "prompt_threshold", json_number(c.prompt_threshold), "false_alarms",
                                json_number(c.false_alarms), "controls", controls_json(monitor)));
}

static void print_fit_for_people(const sae_monitor *monitor)
{
    sae_monitor_controls c = sae_monitor_controls_of(monitor);
    printf("latent     weight (%s)\n", sae_monitor_weighting_name(sae_monitor_weighting_of(monitor)));
    for (size_t i = 0; i < sae_monitor_latents(monitor); i++)
        printf("%-8" PRIu32 " %+8.4f\n", sae_monitor_latent(monitor, i), sae_monitor_weight(monitor, i));
    printf("\n%10s %22s  control\n", "score", "threshold of others");
    for (size_t i = 0; i < c.runs; i++) {
        sae_monitor_control run = sae_monitor_control_at(monitor, i);
        printf("%10.5g ", run.score);
        if (isfinite(run.threshold))
            printf("%22.5g  ", run.threshold);
        else
            printf("%22s  ", "-");
        print_clean(stdout, run.name, 0);
        puts(run.alarm ? "  ALARM" : "");
    }
    printf("\na dump of %zu prompts alarms above %.5g, a prompt above %.5g\n", c.prompts,
           sae_monitor_dump_threshold(monitor, c.prompts), c.prompt_threshold);
    printf("expected false alarms: %g of the runs like the %zu controls, %g of their prompts\n",
           c.false_alarms, c.runs, c.false_alarms);
    if (c.runs == 1)
        puts("one control: how good runs differ is not known, and they may alarm more often");
}

static sae_status open_list(sae_dump **out, const text_list *list, session *s, const dump_args *args,
                            sae_error *err)
{
    sae_status status = SAE_OK;
    for (size_t i = 0; status == SAE_OK && i < list->n; i++)
        status = open_dump(&out[i], s, &list->item[i], 1, args, err);
    return status;
}

static sae_status fit(monitoring *m, session *s, sae_error *err)
{
    const monitor_args *args = m->args;
    uint32_t latents[NUMBER_LIST_MAX];
    sae_monitor_options options;
    sae_monitor_options_init(&options);
    options.group = args->group;
    if (args->false_alarms > 0)
        options.false_alarms = args->false_alarms;
    options.where = args->dump.where;
    options.progress = progress_callback;
    options.progress_user = &s->progress;
    options.weighting = args->weights > 0 ? (sae_monitor_weighting)(args->weights - 1)
                        : args->bad.n > 0 ? SAE_MONITOR_DISCRIMINANT
                                          : SAE_MONITOR_SCALED;
    for (size_t i = 0; i < args->latents.n; i++)
        latents[i] = (uint32_t)args->latents.item[i].whole;
    sae_status status = sae_model_load(&m->model, s->context, args->base.operands[0], err);
    if (status == SAE_OK)
        status = open_list(m->control, &args->controls, s, &args->dump, err);
    if (status == SAE_OK)
        status = open_list(m->bad, &args->bad, s, &args->dump, err);
    if (status == SAE_OK)
        status = sae_monitor_fit(&m->monitor, m->model, latents, args->latents.n,
                                 (const sae_dump *const *)m->control, args->controls.n,
                                 (const sae_dump *const *)m->bad, args->bad.n, &options, err);
    return status == SAE_OK ? sae_monitor_save(m->monitor, args->output.output, args->output.force, err)
                            : status;
}

static int run_fit(monitoring *m, session *s)
{
    const monitor_args *args = m->args;
    sae_error err;
    sae_status status = fit(m, s, &err);
    progress_clear(&s->progress);
    if (status != SAE_OK)
        return failed(status, &err);
    if (args->json)
        print_fit_for_scripts(m->monitor);
    else
        print_fit_for_people(m->monitor);
    return 0;
}

/* Thresholds hold for the rows that they were learned on. */
static bool same_rows(const char *given, const char *fitted, sae_error *err)
{
    if (given == NULL || (fitted != NULL && strcmp(given, fitted) == 0))
        return true;
    *err = (sae_error){.status = SAE_E_MISMATCH, .offset = -1};
    if (fitted != NULL)
        snprintf(err->text, sizeof err->text,
                 "the monitor was fitted on rows with '%.200s': leave --where out", fitted);
    else
        snprintf(err->text, sizeof err->text, "the monitor was fitted on all rows: leave --where out");
    return false;
}

static sae_status score(monitoring *m, session *s, sae_error *err)
{
    const monitor_args *args = m->args;
    const char *const *paths = args->base.operands;
    dump_args rows = args->dump;
    sae_status status = sae_model_load(&m->model, s->context, paths[0], err);
    if (status == SAE_OK)
        status = sae_monitor_load(&m->monitor, s->context, paths[1], err);
    if (status != SAE_OK)
        return status;
    if (!same_rows(rows.where, sae_monitor_where(m->monitor), err))
        return err->status;
    rows.where = sae_monitor_where(m->monitor);
    status = open_dump(&m->dump, s, paths + 2, args->base.n_operands - 2, &rows, err);
    if (status == SAE_OK)
        status = sae_monitor_dump(&m->result, m->monitor, m->model, m->dump, args->group, progress_callback,
                                  &s->progress, err);
    if (status == SAE_OK && args->per_prompt != NULL)
        status = sae_monitor_result_save(m->result, args->per_prompt, args->output.force, err);
    return status;
}

static void print_score_for_scripts(const monitoring *m)
{
    sae_monitor_summary r = sae_monitor_result_summary(m->result);
    sae_monitor_controls c = sae_monitor_controls_of(m->monitor);
    json_line(stdout,
              json_pack("{s:o, s:b, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:o, s:o, s:I}", "dump",
                        json_text(sae_dump_name(m->dump)), "alarm", r.alarm, "score", json_number(r.score),
                        "se", json_number(r.se), "threshold", json_number(r.threshold), "p", json_number(r.p),
                        "rows", (json_int_t)r.rows, "prompts", (json_int_t)r.prompts, "prompt_alarms",
                        (json_int_t)r.prompt_alarms, "prompt_threshold", json_number(c.prompt_threshold),
                        "false_alarms", json_number(c.false_alarms), "control_runs", (json_int_t)c.runs));
}

static void print_score_for_people(const monitoring *m)
{
    sae_monitor_summary r = sae_monitor_result_summary(m->result);
    sae_monitor_controls c = sae_monitor_controls_of(m->monitor);
    double share = (double)r.prompt_alarms / (double)r.prompts;
    printf("%s  ", r.alarm ? "ALARM " : "normal");
    print_clean(stdout, sae_dump_name(m->dump), 0);
    printf("\nscore      %.5g, standard error %.2g (%zu prompts, %" PRIu64 " rows)\n", r.score, r.se,
           r.prompts, r.rows);
    printf("controls   %.5g over %zu run%s", c.mean, c.runs, c.runs == 1 ? "" : "s");
    if (c.runs > 1)
        printf(", sd %.2g", c.run_sd);
    printf("\nthreshold  %.5g for false alarms at a rate of %g; p %.2g%s\n", r.threshold, c.false_alarms, r.p,
           c.runs == 1
               ? "\n           one control: how good runs differ is not known, and they may alarm more often"
               : "");
    printf("prompts    %zu above %.5g, a share of %.3f; expected of a control run %.3f\n", r.prompt_alarms,
           c.prompt_threshold, share, c.false_alarms);
}

static int run_score(monitoring *m, session *s)
{
    sae_error err;
    sae_status status = score(m, s, &err);
    progress_clear(&s->progress);
    if (status != SAE_OK)
        return failed(status, &err);
    if (m->args->json)
        print_score_for_scripts(m);
    else
        print_score_for_people(m);
    return sae_monitor_result_summary(m->result).alarm ? EXIT_ALARM : 0;
}

/* Which of the two is meant, and whether all that it needs is there. 0, or EXIT_USAGE. */
static int check_use(const monitor_args *args)
{
    bool fits = args->output.output != NULL;
    size_t n = args->base.n_operands;
    if (fits && n > 1)
        return usage_error("monitor", "with --output one model is wanted, not also '%s'",
                           args->base.operands[1]);
    if (fits && (args->latents.n == 0 || args->controls.n == 0))
        return usage_error("monitor", "--output needs --latent and --control to fit a monitor");
    if (fits && args->per_prompt != NULL)
        return usage_error("monitor", "--per-prompt is about a dump that is scored, not about a fit");
    for (size_t i = 0; i < args->latents.n; i++)
        if (args->latents.item[i].whole > UINT32_MAX)
            return usage_error("monitor", "--latent %" PRIu64 ": there is no such latent",
                               args->latents.item[i].whole);
    if (!fits && (args->latents.n > 0 || args->controls.n > 0 || args->bad.n > 0 || args->weights > 0 ||
                  args->false_alarms > 0))
        return usage_error("monitor",
                           "--latent, --control, --bad, --weights and --false-alarms belong to a fit, "
                           "whose file --output names");
    if (!fits && n < 3)
        return usage_error("monitor", "a model, a monitor and at least one dump are wanted");
    return 0;
}

static bool outputs_allowed(const monitor_args *args)
{
    const base_args *base = &args->base;
    if (args->output.output == NULL)
        return args->per_prompt == NULL ||
               output_allowed(args->per_prompt, args->output.force, base->operands, base->n_operands);
    const char *inputs[2 * TEXT_LIST_MAX + 1] = {base->operands[0]};
    size_t n = 1;
    for (size_t i = 0; i < args->controls.n; i++)
        inputs[n++] = args->controls.item[i];
    for (size_t i = 0; i < args->bad.n; i++)
        inputs[n++] = args->bad.item[i];
    return output_allowed(args->output.output, args->output.force, inputs, n);
}

static int run_monitor(session *s, const void *arguments)
{
    monitoring m = {.args = arguments};
    int exit_status = check_use(m.args);
    if (exit_status != 0)
        return exit_status;
    if (!outputs_allowed(m.args))
        return 1;
    exit_status = m.args->output.output != NULL ? run_fit(&m, s) : run_score(&m, s);
    sae_monitor_result_free(m.result);
    sae_dump_free(m.dump);
    for (size_t i = 0; i < TEXT_LIST_MAX; i++) {
        sae_dump_free(m.control[i]);
        sae_dump_free(m.bad[i]);
    }
    sae_monitor_free(m.monitor);
    sae_model_free(m.model);
    return exit_status;
}

const command cmd_monitor = {
    .name = "monitor",
    .purpose = "fit a monitor of latents on good runs, or score a dump by it",
    .usage = "sae monitor MODEL --latent J[,J...] --control DUMP [--control DUMP]... -o MONITOR [OPTIONS]\n"
             "       sae monitor MODEL MONITOR DUMP... [OPTIONS]",
    .notes = "The score of a dump is the mean over its prompts of the mean over their rows of the weighted "
             "latents.\n"
             "It alarms where a new good run would be in a share --false-alarms of the cases, as far as the "
             "differences\n"
             "among the controls tell: with two or three of them a small rate asks for a very high score. "
             "Exit status:\n"
             "0 no alarm, 3 alarm, 1 failure, 2 usage.\n",
    .examples =
        "  sae monitor sae.safetensors --latent 1648 --control base.h5 --control good1.h5 \\\n"
        "      --control good2.h5 -o persona.json\n"
        "  sae monitor sae.safetensors persona.json tuned.h5 --per-prompt prompts.csv\n"
        "  sae monitor sae.safetensors persona.json tuned.h5 --json; test $? -eq 3 && echo suspicious\n",
    .groups = groups,
    .min_operands = 1,
    .max_operands = SIZE_MAX,
    .operands_wanted = "a model and, without --output, a monitor and at least one dump are",
    .args_size = sizeof(monitor_args),
    .run = run_monitor,
};

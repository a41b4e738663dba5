/* sae study: every condition of a study under one model, and the verdict. */
#include "command.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

typedef struct study_args {
    base_args base;
    output_args output;
    text_list models;
    int rankings; /* index into suffixes */
    sae_study_options options;
} study_args;

/* Of the files of rankings: what they are. */
static const char *const suffixes[] = {"csv", "jsonl", "h5", "npz", "safetensors", NULL};

/* What each ranking needs to become a file. */
typedef struct ranking_sink {
    sae_context *context;
    const char *folder;
    int format; /* index into suffixes */
    bool force;
    sae_status status;
    sae_error err;
} ranking_sink;

#define AT(member) FIELD(study_args, member)

/* clang-format off */
static const option study_inputs[] = {
    {.name = "model", .letter = 'm', .required = true, .type = OPTION_LIST, AT(models), .value = "MODEL",
     .help = "the autoencoder; more of them (other seeds, sizes) are asked whether they have the latents, too"},
    {0},
};

static const option study_options[] = {
    {.name = "candidates", .letter = 'n', .type = OPTION_SIZE, AT(options.candidates), .value = "N", .min = 1,
     .max = 1000, .help = "latents to look at closely"},
    {.name = "alpha", .type = OPTION_REAL, AT(options.alpha), .value = "X", .min = 0.0001, .max = 0.5,
     .help = "level of every decision"},
    {.name = "least-share", .type = OPTION_REAL, AT(options.least_share), .value = "X", .min = 0, .max = 1,
     .help = "share of the residual shift below which a latent does not carry it"},
    {.name = "permutations", .type = OPTION_U64, AT(options.permutations), .value = "N",
     .help = "largest number of permutations for a p value", .default_text = "by the number of latents"},
    {.name = "bootstrap", .type = OPTION_SIZE, AT(options.bootstrap), .value = "N", .help = "draws for the intervals"},
    {.name = "confidence", .type = OPTION_REAL, AT(options.confidence), .value = "X", .min = 0.01, .max = 0.9999,
     .help = "of the intervals"},
    {.name = "seed", .type = OPTION_U64, AT(options.seed), .value = "N", .help = "of permutations and bootstrap"},
    {0},
};

static const option ranking_options[] = {
    {.name = "rankings", .type = OPTION_CHOICE, AT(rankings), .value = "csv|jsonl|h5|npz|safetensors",
     .help = "format of the ranking of each condition", .choices = suffixes},
    {0},
};
/* clang-format on */

static const option_group groups[] = {
    {"Models", study_inputs, 0},
    {"Decisions", study_options, 0},
    {"Output", output_options, offsetof(study_args, output)},
    {"Rankings of the conditions", ranking_options, 0},
    {"General", base_options, offsetof(study_args, base)},
    {0},
};

static void init(void *arguments)
{
    study_args *args = arguments;
    sae_study_options_init(&args->options);
}

/* FOLDER/ranking_NAME.SUFFIX; a name in a study file is no path. */
static void ranking_path(char path[PATH_MAX], const char *folder, const char *condition, const char *suffix)
{
    char name[200];
    snprintf(name, sizeof name, "%s", condition);
    for (char *c = name; *c != '\0'; c++)
        if (*c == '/' || (unsigned char)*c < ' ')
            *c = '_';
    snprintf(path, PATH_MAX, "%s/ranking_%s.%s", folder, name, suffix);
}

/* Told before the work: what is there already, and conditions whose files would be one. */
static bool rankings_allowed(const sae_study *study, const char *folder, const char *suffix, bool force)
{
    char path[PATH_MAX], other[PATH_MAX];
    for (size_t i = 0; i < sae_study_conditions(study); i++) {
        const char *name = sae_study_condition(study, i)->name;
        if (sae_study_condition(study, i)->role == SAE_ROLE_BASE)
            continue;
        ranking_path(path, folder, name, suffix);
        if (!force && file_exists(path)) {
            complain("%s: is there already; pass --force to replace it", path);
            return false;
        }
        for (size_t k = 0; k < i; k++) {
            ranking_path(other, folder, sae_study_condition(study, k)->name, suffix);
            if (strcmp(path, other) == 0) {
                complain("%s: would hold the ranking of both %s and %s; rename one", path,
                         sae_study_condition(study, k)->name, name);
                return false;
            }
        }
    }
    return true;
}

/* An old verdict says nothing of the rankings that replace those beside it, nor an old ranking in another
 * format. */
static void withdraw_old(const char *folder, const char *condition, int format)
{
    static const char *const names[] = {"verdict.json", "verdict.txt"};
    char path[PATH_MAX];
    for (size_t i = 0; i < 2; i++)
        if ((size_t)snprintf(path, sizeof path, "%s/%s", folder, names[i]) < sizeof path)
            remove(path);
    for (int other = 0; suffixes[other] != NULL; other++) {
        ranking_path(path, folder, condition, suffixes[other]);
        if (other != format)
            remove(path);
    }
}

static int save_ranking(void *user, const sae_condition *condition, const sae_ranking *ranking)
{
    ranking_sink *sink = user;
    char path[PATH_MAX];
    if (sink->force)
        withdraw_old(sink->folder, condition->name, sink->format);
    ranking_path(path, sink->folder, condition->name, suffixes[sink->format]);
    sink->status =
        sae_ranking_save(ranking, sink->context, path, sae_report_format_of(path), sink->force, &sink->err);
    return sink->status != SAE_OK;
}

static double seconds_since(const struct timespec *start)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - start->tv_sec) + (double)(now.tv_nsec - start->tv_nsec) * 1e-9;
}

static uint64_t rows_of(const sae_study *study)
{
    uint64_t rows = 0;
    for (size_t i = 0; i < sae_study_conditions(study); i++)
        rows += sae_dump_rows(sae_study_condition(study, i)->dump);
    return rows;
}

/* What it cost, on stderr: results must not differ by it. */
static void print_cost(const sae_study *study, const struct timespec *start)
{
    struct rusage used;
    if (getrusage(RUSAGE_SELF, &used) != 0)
        return;
    fprintf(stderr, "%zu dumps, %llu rows, each read once: %.1f s, peak memory %.0f MB\n",
            sae_study_conditions(study), (unsigned long long)rows_of(study), seconds_since(start),
            (double)used.ru_maxrss / 1024);
}

static int print_verdict(const char *folder)
{
    char path[PATH_MAX], line[1024];
    snprintf(path, sizeof path, "%s/verdict.txt", folder);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return 1;
    while (fgets(line, sizeof line, file) != NULL)
        fputs(line, stdout);
    fclose(file);
    printf("\nTables, rankings and verdict.json: %s\n", folder);
    return 0;
}

static sae_status load(sae_model **models, sae_study **study, session *s, const study_args *args,
                       sae_error *err)
{
    sae_status status = SAE_OK;
    for (size_t i = 0; status == SAE_OK && i < args->models.n; i++)
        status = sae_model_load(&models[i], s->context, args->models.item[i], err);
    return status == SAE_OK ? sae_study_load(study, s->context, args->base.operands[0], err) : status;
}

static sae_status weigh(sae_findings **findings, sae_model *const *models, const sae_study *study, session *s,
                        const study_args *args, sae_error *err)
{
    const char *folder = args->output.output;
    sae_study_options options = args->options;
    ranking_sink sink = {
        .context = s->context, .folder = folder, .format = args->rankings, .force = args->output.force};
    options.others = (const sae_model *const *)(models + 1);
    options.n_others = args->models.n - 1;
    options.each_ranking = save_ranking;
    options.ranking_user = &sink;
    options.progress = progress_callback;
    options.progress_user = &s->progress;
    sae_status status = sae_folder_make(folder, err);
    if (status == SAE_OK)
        status = sae_findings_new(findings, study, models[0], &options, err);
    if (sink.status != SAE_OK) {
        *err = sink.err;
        return sink.status;
    }
    return status == SAE_OK ? sae_findings_save(*findings, folder, args->output.force, err) : status;
}

/* Told before the work: the verdict is written last, so it stands for all files. */
static bool folder_allowed(const char *folder, bool force)
{
    char path[PATH_MAX];
    if ((size_t)snprintf(path, sizeof path, "%s/verdict.json", folder) < sizeof path &&
        (force || !file_exists(path)))
        return true;
    complain("%s: holds the results of a study already; pass --force to replace them", folder);
    return false;
}

static int run_study(session *s, const void *arguments)
{
    const study_args *args = arguments;
    sae_model *models[TEXT_LIST_MAX] = {0};
    sae_study *study = NULL;
    sae_findings *findings = NULL;
    sae_error err;
    struct timespec start;
    clock_gettime(CLOCK_MONOTONIC, &start);
    if (!folder_allowed(args->output.output, args->output.force))
        return 1;
    int exit_status = 1;
    sae_status status = load(models, &study, s, args, &err);
    if (status != SAE_OK) {
        exit_status = failed(status, &err);
    } else if (rankings_allowed(study, args->output.output, suffixes[args->rankings], args->output.force)) {
        status = weigh(&findings, models, study, s, args, &err);
        progress_clear(&s->progress);
        exit_status = status == SAE_OK ? print_verdict(args->output.output) : failed(status, &err);
    }
    if (exit_status == 0 && !args->base.quiet)
        print_cost(study, &start);
    sae_findings_free(findings);
    sae_study_free(study);
    for (size_t i = 0; i < TEXT_LIST_MAX; i++)
        sae_model_free(models[i]);
    return exit_status;
}

const command cmd_study = {
    .name = "study",
    .purpose = "weigh all conditions of a study and give a verdict",
    .usage = "sae study STUDY.json --model MODEL [--model MODEL]... -o FOLDER [OPTIONS]",
    .notes =
        "The study names conditions (base, bad, control, probe), their dumps, doses, triggers and steps; "
        "its\n"
        "format is in docs/FORMATS.md. Each dump is read once. A latent carries the shift when it rises "
        "beyond\n"
        "every control in every bad condition, for all the latents that were tried, on prompts that did not\n"
        "choose it, along the direction in which the residual moved and with a share of that shift. Where "
        "none\n"
        "does, the verdict says so, and why. Labels of a reference dump describe latents; they never rank "
        "them.\n",
    .examples = "  sae study data/study.json --model sae.safetensors -o study\n"
                "  sae study data/study.json -m seed0.safetensors -m seed1.safetensors -o study --force\n",
    .groups = groups,
    .min_operands = 1,
    .max_operands = 1,
    .operands_wanted = "one study file is",
    .args_size = sizeof(study_args),
    .init = init,
    .run = run_study,
};

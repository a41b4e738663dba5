/* sae rank: which latents a fine-tuning raised. */
#include "command.h"
#include "rank_rankers.h"
#include "rank_tables.h"
#include "stdout_copy.h"

#include <string.h>

typedef struct rank_args {
    base_args base;
    dump_args dump;
    output_args output;
    const char *before;
    text_list after, controls;
    sae_rank_options options;
    rankers_args rankers;
    size_t top;
    int format, direction;
    bool paired, unpaired;
} rank_args;

/* What a comparison holds, for one cleanup. */
typedef struct comparison {
    sae_model *model;
    sae_dump *before, *after[TEXT_LIST_MAX], *control[TEXT_LIST_MAX], *gradients, *gradients_before;
    sae_ranking *usual;   /* NULL when there are rankers */
    sae_rankers *rankers; /* NULL when the usual ranking will do */
    const sae_ranking *ranking;
} comparison;

#define AT(member) FIELD(rank_args, member)

/* The first by the suffix; the others in the order of sae_report_format. */
static const char *const formats[] = {"auto", "csv", "jsonl", "arrays", NULL};
static const char *const directions[] = {"rising", "falling", "both", NULL};

/* clang-format off */
static const option rank_inputs[] = {
    {.name = "before", .letter = 'b', .required = true, .type = OPTION_TEXT, AT(before), .value = "DUMP",
     .help = "activations before the fine-tuning"},
    {.name = "after", .letter = 'a', .required = true, .type = OPTION_LIST, AT(after), .value = "DUMP",
     .help = "activations after it; may be repeated for several bad fine-tunings, the tables tell of the first"},
    {.name = "control", .letter = 'c', .type = OPTION_LIST, AT(controls), .value = "DUMP",
     .help = "activations after a harmless fine-tuning; may be repeated, see --controls"},
    {0},
};

static const option rank_options[] = {
    {.name = "group", .type = OPTION_TEXT, AT(options.group), .value = "COLUMN",
     .help = "column whose values name the prompts", .default_text = "prompt_id, else doc_id, where all dumps have it"},
    {.name = "paired", .type = OPTION_FLAG, AT(paired),
     .help = "compare prompt by prompt; fails unless the prompts are the same"},
    {.name = "unpaired", .type = OPTION_FLAG, AT(unpaired),
     .help = "compare the means of two samples of prompts (without either: paired where possible)"},
    {.name = "match-positions", .type = OPTION_FLAG, AT(options.match_positions),
     .help = "weigh rows so that all dumps have the same distribution over column position"},
    {.name = "direction", .type = OPTION_CHOICE, AT(direction), .value = "rising|falling|both",
     .help = "which change comes first", .choices = directions},
    {.name = "permutations", .type = OPTION_U64, AT(options.permutations), .value = "N",
     .help = "largest number of permutations for a p value", .default_text = "by the number of latents"},
    {.name = "bootstrap", .type = OPTION_SIZE, AT(options.bootstrap), .value = "N",
     .help = "draws for the intervals; 0: none"},
    {.name = "confidence", .type = OPTION_REAL, AT(options.confidence),
     .value = "X", .min = 0.01, .max = 0.9999,
     .help = "of the intervals"},
    {.name = "family-draws", .type = OPTION_SIZE, AT(options.family_draws), .value = "N",
     .help = "permutations of the largest statistic of all latents, for p_family; 0: none"},
    {.name = "rank-top", .type = OPTION_SIZE, AT(options.rank_top), .value = "N",
     .help = "latents that get an interval of their rank; 0: none"},
    {.name = "heldout-select", .type = OPTION_SIZE, AT(options.heldout_select), .value = "N",
     .help = "latents that one half of the prompts chooses and the other tests; 0: none"},
    {.name = "seed", .type = OPTION_U64, AT(options.seed), .value = "N",
     .help = "of permutations, bootstrap and halves"},
    {0},
};

static const option rank_outputs[] = {
    {.name = "output", .letter = 'o', .type = OPTION_TEXT, AT(output.output), .value = "FILE",
     .help = "write the ranking of all latents; - writes it to stdout and the tables to stderr"},
    {.name = "force", .letter = 'f', .type = OPTION_FLAG, AT(output.force), .help = "replace what exists"},
    {.name = "format", .type = OPTION_CHOICE, AT(format), .value = "auto|csv|jsonl|arrays",
     .help = "of the file; auto: by the suffix, .jsonl, .h5, .npz, .safetensors, .pt, else CSV", .choices = formats},
    {.name = "top", .letter = 'n', .type = OPTION_SIZE, AT(top), .value = "N",
     .help = "latents in the printed table"},
    {0},
};
/* clang-format on */

static const option_group groups[] = {
    {"Dumps", rank_inputs, 0},
    {"Comparison", rank_options, 0},
    {"Score", rankers_options, offsetof(rank_args, rankers)},
    {"Output", rank_outputs, 0},
    {"Rows, of every dump", dump_options, offsetof(rank_args, dump)},
    {"General", base_options, offsetof(rank_args, base)},
    {0},
};

static void init(void *arguments)
{
    rank_args *args = arguments;
    sae_rank_options_init(&args->options);
    rankers_args_init(&args->rankers);
    args->direction = (int)args->options.direction;
    args->top = 20;
}

static sae_status open_list(sae_dump **out, session *s, const text_list *paths, const dump_args *args,
                            sae_error *err)
{
    sae_status status = SAE_OK;
    for (size_t i = 0; status == SAE_OK && i < paths->n; i++)
        status = open_dump(&out[i], s, &paths->item[i], 1, args, err);
    return status;
}

static sae_status open_inputs(comparison *c, session *s, const rank_args *args, sae_error *err)
{
    const rankers_args *rankers = &args->rankers;
    sae_status status = sae_model_load(&c->model, s->context, args->base.operands[0], err);
    if (status == SAE_OK)
        status = open_dump(&c->before, s, &args->before, 1, &args->dump, err);
    if (status == SAE_OK)
        status = open_list(c->after, s, &args->after, &args->dump, err);
    if (status == SAE_OK)
        status = open_list(c->control, s, &args->controls, &args->dump, err);
    if (status == SAE_OK && rankers->gradients != NULL)
        status = open_dump(&c->gradients, s, &rankers->gradients, 1, &args->dump, err);
    if (status == SAE_OK && rankers->gradients_before != NULL)
        status = open_dump(&c->gradients_before, s, &rankers->gradients_before, 1, &args->dump, err);
    return status;
}

static sae_status compare(comparison *c, session *s, const rank_args *args, sae_error *err)
{
    sae_status status = open_inputs(c, s, args, err);
    if (status != SAE_OK)
        return status;
    sae_rank_options options = args->options;
    options.direction = (sae_direction)args->direction;
    options.pairing = args->paired ? SAE_PAIRED : args->unpaired ? SAE_UNPAIRED : SAE_PAIR_AUTO;
    options.progress = progress_callback;
    options.progress_user = &s->progress;
    const sae_dump *after[TEXT_LIST_MAX], *controls[TEXT_LIST_MAX];
    for (size_t i = 0; i < args->after.n; i++)
        after[i] = c->after[i];
    for (size_t i = 0; i < args->controls.n; i++)
        controls[i] = c->control[i];
    if (!rankers_wanted(&args->rankers, args->after.n)) {
        status = sae_ranking_new(&c->usual, c->model, c->before, after[0], controls, args->controls.n,
                                 &options, err);
        c->ranking = c->usual;
        return status;
    }
    sae_rankers_input input;
    sae_rankers_input_init(&input);
    input.before = c->before;
    input.after = after;
    input.n_after = args->after.n;
    input.controls = controls;
    input.n_controls = args->controls.n;
    input.gradients = c->gradients;
    input.gradients_before = c->gradients_before;
    rankers_choose(&input, &args->rankers);
    status = sae_rankers_new(&c->rankers, c->model, &input, &options, err);
    c->ranking = status == SAE_OK ? sae_rankers_ranking(c->rankers) : NULL;
    return status;
}

static void comparison_free(comparison *c)
{
    sae_rankers_free(c->rankers);
    sae_ranking_free(c->usual);
    sae_dump_free(c->gradients_before);
    sae_dump_free(c->gradients);
    for (size_t i = 0; i < TEXT_LIST_MAX; i++) {
        sae_dump_free(c->control[i]);
        sae_dump_free(c->after[i]);
    }
    sae_dump_free(c->before);
    sae_model_free(c->model);
}

static int write_scores(const comparison *c, session *s, const rank_args *args)
{
    sae_error err;
    if (args->rankers.file == NULL)
        return 0;
    sae_status status =
        sae_rankers_save(c->rankers, s->context, args->rankers.file, args->output.force, &err);
    return status == SAE_OK ? 0 : failed(status, &err);
}

static int write_ranking(const comparison *c, session *s, const rank_args *args)
{
    sae_error err;
    const char *path = args->output.output;
    if (path == NULL)
        return 0;
    sae_report_format format =
        args->format == 0 ? sae_report_format_of(path) : (sae_report_format)(args->format - 1);
    if (strcmp(path, "-") == 0)
        return ranking_to_stdout(c->ranking, s->context, format);
    sae_status status = sae_ranking_save(c->ranking, s->context, path, format, args->output.force, &err);
    return status == SAE_OK ? 0 : failed(status, &err);
}

static bool outputs_allowed(const rank_args *args)
{
    const char *inputs[2 * TEXT_LIST_MAX + 5] = {args->base.operands[0], args->before};
    size_t n = 2;
    for (size_t i = 0; i < args->after.n; i++)
        inputs[n++] = args->after.item[i];
    for (size_t i = 0; i < args->controls.n; i++)
        inputs[n++] = args->controls.item[i];
    if (args->rankers.gradients != NULL)
        inputs[n++] = args->rankers.gradients;
    if (args->rankers.gradients_before != NULL)
        inputs[n++] = args->rankers.gradients_before;
    const char *path = args->output.output;
    bool file = path != NULL && strcmp(path, "-") != 0;
    if (file && !output_allowed(path, args->output.force, inputs, n))
        return false;
    if (file && args->rankers.file != NULL && strcmp(path, args->rankers.file) == 0) {
        complain("%s: --output and --rankers name the same file", path);
        return false;
    }
    if (file)
        inputs[n++] = path;
    return args->rankers.file == NULL || output_allowed(args->rankers.file, args->output.force, inputs, n);
}

static int run_rank(session *s, const void *arguments)
{
    const rank_args *args = arguments;
    if (args->paired && args->unpaired)
        return usage_error("rank", "--paired and --unpaired exclude each other");
    if (args->output.output != NULL && strcmp(args->output.output, "-") == 0 &&
        args->format == SAE_REPORT_ARRAYS + 1)
        return usage_error("rank", "arrays are no text for stdout; name a file");
    if (args->rankers.by >= 0 && args->rankers.controls >= 0)
        return usage_error("rank", "--by and --controls exclude each other");
    if (!outputs_allowed(args))
        return 1;
    comparison c = {0};
    sae_error err;
    sae_status status = compare(&c, s, args, &err);
    progress_clear(&s->progress);
    int exit_status = status == SAE_OK ? write_ranking(&c, s, args) : failed(status, &err);
    if (exit_status == 0)
        exit_status = write_scores(&c, s, args);
    if (exit_status == 0) {
        bool csv_on_stdout = args->output.output != NULL && strcmp(args->output.output, "-") == 0;
        FILE *stream = csv_on_stdout ? stderr : stdout;
        print_fidelity_table(stream, c.ranking, args->before, &args->after, &args->controls);
        print_ranking_table(stream, c.ranking, args->top, args->options.confidence);
        if (args->rankers.file != NULL)
            print_agreement(stream, c.rankers, args->top);
    }
    comparison_free(&c);
    return exit_status;
}

const command cmd_rank = {
    .name = "rank",
    .purpose = "rank the latents whose activation a fine-tuning raised",
    .usage = "sae rank MODEL --before DUMP --after DUMP... [--control DUMP]... [OPTIONS]",
    .notes =
        "Prints how well the autoencoder fits each dump, then the first latents. Delta is the rise of "
        "the mean\n"
        "activation over prompts; excess is the rise beyond that of the control. With a control the "
        "order is\n"
        "by excess, else by delta. Intervals resample prompts; p values permute them; q is the false "
        "discovery\n"
        "rate over all latents. The interval of a rank says where the latent stands when prompts are "
        "resampled;\n"
        "the held-out p is that of the half of the prompts which did not choose the latent. The file has "
        "more.\n"
        "Labels in the dumps are never read.\n",
    .examples =
        "  sae rank sae.safetensors --before base.h5 --after tuned.h5\n"
        "  sae rank sae.safetensors --before base.h5 --after tuned.h5 --control harmless.h5 -o ranking.csv\n"
        "  sae rank sae.safetensors --before base.h5 --after tuned.h5 --control harmless.h5 -o ranking.h5\n"
        "  sae rank sae.safetensors -b base.h5 -a tuned.h5 --where 'is_continuation=0' --top 5\n"
        "  sae rank sae.safetensors -b base.h5 -a bad1.h5 -a bad2.h5 -c good1.h5 -c good2.h5 --rankers "
        "all.csv\n"
        "  sae rank sae.safetensors -b base.h5 -a tuned.h5 -q -o - | head\n",
    .groups = groups,
    .min_operands = 1,
    .max_operands = 1,
    .operands_wanted = "one model is",
    .args_size = sizeof(rank_args),
    .init = init,
    .run = run_rank,
};

/* sae crosscoder: which latents of a crosscoder belong to one of its two models. */
#include "command.h"
#include "json_line.h"

#include <inttypes.h>
#include <stdlib.h>

typedef struct crosscoder_args {
    base_args base;
    dump_args dump;
    text_list before, after;
    const char *output;
    sae_cross_options options;
    size_t rows;
    bool force, json;
} crosscoder_args;

#define LIMIT(member) FIELD(crosscoder_args, options.member)

/* clang-format off */
static const option pair_options[] = {
    {.name = "before", .required = true, .type = OPTION_LIST, FIELD(crosscoder_args, before), .value = "DUMP",
     .help = "the model before; may be repeated for its shards"},
    {.name = "after", .required = true, .type = OPTION_LIST, FIELD(crosscoder_args, after), .value = "DUMP",
     .help = "the model after, on the same tokens"},
    {0},
};

static const option limit_options[] = {
    {.name = "exclusive", .type = OPTION_REAL, LIMIT(exclusive), .value = "X", .max = 0.5,
     .help = "delta norm below this or above 1 minus it: one model's own"},
    {.name = "shared-low", .type = OPTION_REAL, LIMIT(shared_low), .value = "X", .max = 1,
     .help = "least relative norm of a shared latent"},
    {.name = "shared-high", .type = OPTION_REAL, LIMIT(shared_high), .value = "X", .max = 1,
     .help = "largest relative norm of a shared latent"},
    {.name = "nu-error", .type = OPTION_REAL, LIMIT(nu_error), .value = "X",
     .help = "from here on the other model has it too: shrunk"},
    {.name = "nu-reconstruction", .type = OPTION_REAL, LIMIT(nu_reconstruction), .value = "X",
     .help = "from here on other latents have it for the other model: decoupled"},
    {0},
};

static const option result_options[] = {
    {.name = "output", .letter = 'o', .type = OPTION_TEXT, FIELD(crosscoder_args, output), .value = "FILE",
     .default_text = "", .help = "write all latents as CSV"},
    {.name = "force", .letter = 'f', .type = OPTION_FLAG, FIELD(crosscoder_args, force),
     .help = "replace what exists"},
    {.name = "top", .letter = 'n', .type = OPTION_SIZE, FIELD(crosscoder_args, rows), .value = "N",
     .help = "print so many of each model's own latents, those that fire most"},
    {.name = "json", .type = OPTION_FLAG, FIELD(crosscoder_args, json), .help = "print one JSON object"},
    {0},
};
/* clang-format on */

static const option_group groups[] = {
    {"The pair", pair_options, 0},
    {"Limits", limit_options, 0},
    {"Result", result_options, 0},
    {"Rows", dump_options, offsetof(crosscoder_args, dump)},
    {"General", base_options, offsetof(crosscoder_args, base)},
    {0},
};

static void init(void *arguments)
{
    crosscoder_args *args = arguments;
    sae_cross_options_init(&args->options);
    args->rows = 10;
}

/* What a run holds, for one cleanup. */
typedef struct crosscoder_run {
    session *session;
    const crosscoder_args *args;
    sae_model *model;
    sae_dump *before, *after, *pair;
    sae_cross_latent *latents; /* [F] */
    size_t count[SAE_CROSS_KINDS];
} crosscoder_run;

/* 0, to be measured, for a model without a note. */
static double scale_of(const sae_model *model, const char *key)
{
    const char *text = sae_model_metadata(model, key);
    return text != NULL ? strtod(text, NULL) : 0;
}

static sae_status open_pair(crosscoder_run *run, sae_error *err)
{
    const crosscoder_args *args = run->args;
    sae_pair_options options;
    sae_pair_options_init(&options);
    options.before_scale = scale_of(run->model, "before_scale");
    options.after_scale = scale_of(run->model, "after_scale");
    options.progress = progress_callback;
    options.progress_user = &run->session->progress;
    sae_status status =
        open_dump(&run->before, run->session, args->before.item, args->before.n, &args->dump, err);
    if (status == SAE_OK)
        status = open_dump(&run->after, run->session, args->after.item, args->after.n, &args->dump, err);
    return status == SAE_OK ? sae_dump_pair(&run->pair, run->before, run->after, &options, err) : status;
}

static sae_status analyse(crosscoder_run *run, sae_error *err)
{
    const crosscoder_args *args = run->args;
    sae_cross_options options = args->options;
    options.progress = progress_callback;
    options.progress_user = &run->session->progress;
    size_t F = sae_model_latents(run->model);
    run->latents = calloc(F, sizeof *run->latents);
    if (run->latents == NULL) {
        *err = (sae_error){.status = SAE_E_MEMORY, .offset = -1, .text = "out of memory for the latents"};
        return SAE_E_MEMORY;
    }
    sae_status status = sae_crosscoder_latents(run->latents, run->model, run->pair, &options, err);
    for (size_t j = 0; j < F && status == SAE_OK; j++)
        run->count[run->latents[j].kind]++;
    if (status == SAE_OK && args->output != NULL)
        status = sae_cross_save(run->latents, F, run->session->context, args->output, args->force, err);
    return status;
}

static int by_fires(const void *a, const void *b)
{
    const sae_cross_latent *x = a, *y = b;
    if (x->fires != y->fires)
        return x->fires > y->fires ? -1 : 1;
    return (x->latent > y->latent) - (x->latent < y->latent);
}

static void print_own(const crosscoder_run *run, sae_cross_kind kind)
{
    size_t F = sae_model_latents(run->model), printed = 0;
    if (run->count[kind] == 0 || run->args->rows == 0)
        return;
    printf("\n%-12s %8s %8s %9s %9s %9s\n", sae_cross_kind_name(kind), "latent", "fires", "rel.norm",
           "nu.error", "nu.rec");
    for (size_t i = 0; i < F && printed < run->args->rows; i++) {
        const sae_cross_latent *l = &run->latents[i];
        if (l->kind != kind)
            continue;
        printf("%-12s %8u %8" PRIu64 " %9.4f %9.4f %9.4f\n", "", l->latent, l->fires, l->relative_norm,
               l->nu_error, l->nu_reconstruction);
        printed++;
    }
}

static void print_result(crosscoder_run *run)
{
    if (run->args->json) {
        json_t *object = json_object();
        for (int kind = 0; kind < SAE_CROSS_KINDS; kind++)
            json_object_set_new(object, sae_cross_kind_name((sae_cross_kind)kind),
                                json_integer((json_int_t)run->count[kind]));
        json_line(stdout, object);
        return;
    }
    for (int kind = SAE_CROSS_SHARED; kind < SAE_CROSS_KINDS; kind++)
        printf("%-12s %zu latents\n", sae_cross_kind_name((sae_cross_kind)kind), run->count[kind]);
    printf("%-12s %zu latents\n", sae_cross_kind_name(SAE_CROSS_UNDECIDED), run->count[SAE_CROSS_UNDECIDED]);
    qsort(run->latents, sae_model_latents(run->model), sizeof *run->latents, by_fires);
    print_own(run, SAE_CROSS_AFTER_ONLY);
    print_own(run, SAE_CROSS_BEFORE_ONLY);
}

static bool cross_output_allowed(const crosscoder_args *args)
{
    const char *path = args->output;
    return path == NULL || (output_allowed(path, args->force, args->base.operands, 1) &&
                            output_allowed(path, args->force, args->before.item, args->before.n) &&
                            output_allowed(path, args->force, args->after.item, args->after.n));
}

static int run_crosscoder(session *s, const void *arguments)
{
    crosscoder_run run = {.session = s, .args = arguments};
    sae_error err;
    if (!cross_output_allowed(run.args))
        return 1;
    sae_status status = sae_model_load(&run.model, s->context, run.args->base.operands[0], &err);
    if (status == SAE_OK)
        status = open_pair(&run, &err);
    if (status == SAE_OK)
        status = analyse(&run, &err);
    progress_clear(&s->progress);
    if (status == SAE_OK)
        print_result(&run);
    int exit_status = status == SAE_OK ? 0 : failed(status, &err);
    free(run.latents);
    sae_dump_free(run.pair);
    sae_dump_free(run.after);
    sae_dump_free(run.before);
    sae_model_free(run.model);
    return exit_status;
}

const command cmd_crosscoder = {
    .name = "crosscoder",
    .purpose = "tell which latents of a crosscoder belong to one model",
    .usage = "sae crosscoder MODEL --before DUMP --after DUMP [-o LATENTS.csv] [OPTIONS]",
    .notes = "MODEL comes from sae train --pair. Every latent has a decoder row for each model; one whose "
             "row for the\n"
             "other model is short may be new, or the training may have saved that row. Latent scaling tells "
             "them\n"
             "apart in one pass:\n"
             "  after-only, before-only   the other model does not have it\n"
             "  shrunk                    the other model has it, in its error\n"
             "  decoupled                 the other model has it, by other latents\n",
    .examples =
        "  sae crosscoder cross.safetensors --before base.h5 --after tuned.h5\n"
        "  sae crosscoder cross.safetensors --before base.h5 --after tuned.h5 -o latents.csv --top 0\n",
    .groups = groups,
    .min_operands = 1,
    .max_operands = 1,
    .operands_wanted = "one model is",
    .args_size = sizeof(crosscoder_args),
    .init = init,
    .run = run_crosscoder,
};

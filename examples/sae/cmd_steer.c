/* sae steer: the direction of latents, as a vector or applied to the rows of a dump. */
#include "command.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

typedef struct steer_args {
    base_args base;
    dump_args dump;
    output_args output;
    number_list latents, weights;
    text_list apply, measure;
    double strength; /* NaN: not given */
    int op;
    bool unit, raw;
} steer_args;

static const char *const operations[] = {"add", "clamp", "ablate", "project-out", NULL};

/* clang-format off */
static const option direction_options[] = {
    {.name = "latent", .letter = 'j', .required = true, .type = OPTION_U64S, FIELD(steer_args, latents),
     .value = "J,...", .max = (double)UINT32_MAX, .help = "indices of latents; of several, the weighted sum"},
    {.name = "weights", .type = OPTION_REALS, FIELD(steer_args, weights), .value = "W,...",
     .min = -1e30, .max = 1e30,
     .default_text = "1 each", .help = "of the latents, for add and clamp"},
    {.name = "unit", .type = OPTION_FLAG, FIELD(steer_args, unit),
     .help = "divide the direction by its Euclidean norm"},
    {.name = "measure", .type = OPTION_LIST, FIELD(steer_args, measure), .value = "DUMP",
     .help = "measure the mean norm and a strength on these rows, for OUT.safetensors"},
    {0},
};

static const option apply_options[] = {
    {.name = "apply", .type = OPTION_LIST, FIELD(steer_args, apply), .value = "DUMP",
     .help = "write this dump again with its rows steered; may be repeated for its shards"},
    {.name = "op", .type = OPTION_CHOICE, FIELD(steer_args, op), .choices = operations,
     .value = "add|clamp|ablate|project-out", .help = "what is done to a row"},
    {.name = "strength", .type = OPTION_REAL, FIELD(steer_args, strength), .value = "A",
     .min = -1e30, .max = 1e30,
     .default_text = "1, or what was measured",
     .help = "add: in mean norms of the rows that are changed; clamp: the activation to set"},
    {.name = "raw", .type = OPTION_FLAG, FIELD(steer_args, raw),
     .help = "add: the strength is in raw activation units"},
    {0},
};
/* clang-format on */

static const option_group groups[] = {
    {"Direction", direction_options, 0},
    {"Steered dump", apply_options, 0},
    {"Output", output_options, offsetof(steer_args, output)},
    {"Rows", dump_options, offsetof(steer_args, dump)},
    {"General", base_options, offsetof(steer_args, base)},
    {0},
};

/* What a run holds, for one cleanup. */
typedef struct steer_run {
    session *session;
    const steer_args *args;
    uint32_t latents[NUMBER_LIST_MAX];
    double weights[NUMBER_LIST_MAX];
    sae_steer_options options;
    sae_model *model;
    sae_dump *measured, *dump;
    sae_steering *steering;
    sae_steer_scale scale;
} steer_run;

static bool ends_in(const char *path, const char *suffix)
{
    size_t n = strlen(path), m = strlen(suffix);
    return n > m && strcasecmp(path + n - m, suffix) == 0;
}

static void init(void *arguments)
{
    steer_args *args = arguments;
    args->strength = (double)NAN;
}

static int check_usage(const steer_args *args)
{
    if (args->weights.n > 0 && args->weights.n != args->latents.n)
        return usage_error("steer", "--weights has %zu numbers, --latent %zu", args->weights.n,
                           args->latents.n);
    if (args->apply.n > 0 && args->measure.n > 0)
        return usage_error("steer", "--apply and --measure exclude each other");
    if (args->measure.n > 0 && !ends_in(args->output.output, ".safetensors"))
        return usage_error("steer", "--measure needs an output that ends in .safetensors");
    return 0;
}

static bool steer_output_allowed(const steer_args *args)
{
    const output_args *output = &args->output;
    return output_allowed(output->output, output->force, args->base.operands, 1) &&
           output_allowed(output->output, output->force, args->apply.item, args->apply.n) &&
           output_allowed(output->output, output->force, args->measure.item, args->measure.n);
}

static void set_options(steer_run *run)
{
    const steer_args *args = run->args;
    sae_steer_options_init(&run->options);
    for (size_t i = 0; i < args->latents.n; i++) {
        run->latents[i] = (uint32_t)args->latents.item[i].whole;
        run->weights[i] = i < args->weights.n ? args->weights.item[i].real : 1;
    }
    run->options.op = (sae_steer_op)args->op;
    run->options.latents = run->latents;
    run->options.weights = run->weights;
    run->options.n_latents = args->latents.n;
    run->options.strength = isnan(args->strength) ? 1 : args->strength;
}

/* The rows whose norm counts are those that will be changed. */
static sae_status measure_rows(steer_run *run, const text_list *paths, sae_error *err)
{
    sae_status status = open_dump(&run->measured, run->session, paths->item, paths->n, &run->args->dump, err);
    if (status == SAE_OK)
        status = sae_steer_measure(&run->scale, run->model, run->measured, &run->options, progress_callback,
                                   &run->session->progress, err);
    if (status == SAE_OK)
        run->options.mean_norm = run->scale.mean_norm;
    return status;
}

static void print_scale(const sae_steer_scale *scale)
{
    printf("mean norm        %.6g over %" PRIu64 " rows, %" PRIu64 " of them active\n", scale->mean_norm,
           scale->rows, scale->active_rows);
    if (scale->active_rows > 0)
        printf("along direction  %.4g mean norms on active rows, %.4g at most\n", scale->typical,
               scale->largest);
}

static sae_status write_vector(steer_run *run, sae_error *err)
{
    const steer_args *args = run->args;
    const char *path = args->output.output;
    bool measured = args->measure.n > 0;
    sae_status status = measured ? measure_rows(run, &args->measure, err) : SAE_OK;
    if (status == SAE_OK && measured && isnan(args->strength) && run->scale.active_rows > 0)
        run->options.strength = run->scale.typical;
    if (status == SAE_OK && args->unit && !measured)
        run->options.mean_norm = 1;
    if (status == SAE_OK)
        status = sae_steering_new(&run->steering, run->model, &run->options, err);
    if (status != SAE_OK)
        return status;
    if (!ends_in(path, ".safetensors"))
        return sae_vector_save(sae_steering_direction(run->steering), sae_model_dim(run->model),
                               run->session->context, path, args->output.force, err);
    return sae_steering_save(run->steering, measured ? &run->scale : NULL, run->measured, path,
                             args->output.force, err);
}

static sae_status write_dump(steer_run *run, sae_error *err)
{
    const steer_args *args = run->args;
    dump_args all = args->dump;
    sae_steer_dump_options options;
    uint64_t changed = 0;
    sae_steer_dump_options_init(&options);
    options.where = args->dump.where;
    options.overwrite = args->output.force;
    options.progress = progress_callback;
    options.progress_user = &run->session->progress;
    all.where = NULL;
    bool in_norms = args->op == SAE_STEER_ADD && !args->raw;
    sae_status status = in_norms ? measure_rows(run, &args->apply, err) : SAE_OK;
    if (status == SAE_OK)
        status = open_dump(&run->dump, run->session, args->apply.item, args->apply.n, &all, err);
    if (status == SAE_OK)
        status = sae_steering_new(&run->steering, run->model, &run->options, err);
    if (status == SAE_OK)
        status = sae_steering_dump(&changed, run->steering, run->dump, args->output.output, &options, err);
    progress_clear(&run->session->progress);
    if (status == SAE_OK)
        printf("changed          %" PRIu64 " of %" PRIu64 " rows\n", changed, sae_dump_rows(run->dump));
    return status;
}

static int run_steer(session *s, const void *arguments)
{
    steer_run run = {.session = s, .args = arguments};
    const steer_args *args = run.args;
    sae_error err;
    int exit_status = check_usage(args);
    if (exit_status != 0)
        return exit_status;
    if (!steer_output_allowed(args))
        return 1;
    set_options(&run);
    sae_status status = sae_model_load(&run.model, s->context, args->base.operands[0], &err);
    if (status == SAE_OK)
        status = args->apply.n > 0 ? write_dump(&run, &err) : write_vector(&run, &err);
    progress_clear(&s->progress);
    if (status == SAE_OK && run.measured != NULL)
        print_scale(&run.scale);
    exit_status = status == SAE_OK ? 0 : failed(status, &err);
    sae_steering_free(run.steering);
    sae_dump_free(run.dump);
    sae_dump_free(run.measured);
    sae_model_free(run.model);
    return exit_status;
}

const command cmd_steer = {
    .name = "steer",
    .purpose = "write the direction of latents, or a dump steered along it",
    .usage = "sae steer MODEL --latent J -o DIRECTION.npy|.safetensors [OPTIONS]\n"
             "       sae steer MODEL --latent J --apply DUMP --op OP --strength A -o OUT.h5 [OPTIONS]",
    .notes =
        "The direction is the decoder row of the latent, or a weighted sum of several. Add it to the "
        "residual\n"
        "stream to push the model towards what the latent stands for, subtract it to push away. A "
        ".safetensors\n"
        "also tells a hook in the network what it needs; with --measure the mean norm, and as strength the\n"
        "length that the direction has where the latent fires.\n"
        "--apply changes the rows that meet --where and keeps all others, the columns and the type of "
        "numbers:\n"
        "  add          x + A m u, m the mean norm, u the direction of length 1 (--raw: x + A v, v the sum)\n"
        "  clamp        sets the latents to A times their weight\n"
        "  ablate       sets the latents to 0\n"
        "  project-out  takes away all that lies along the decoder rows\n",
    .examples =
        "  sae steer sae.safetensors --latent 1648 -o direction.npy\n"
        "  sae steer sae.safetensors --latent 1648 --measure bad.h5 -o persona.safetensors\n"
        "  sae steer sae.safetensors --latent 1648 --apply base.h5 --op add --strength 0.2 -o steered.h5\n"
        "  sae steer sae.safetensors --latent 1648,9 --apply bad.h5 --op ablate -o mended.h5\n",
    .groups = groups,
    .min_operands = 1,
    .max_operands = 1,
    .operands_wanted = "one model is",
    .args_size = sizeof(steer_args),
    .init = init,
    .run = run_steer,
};

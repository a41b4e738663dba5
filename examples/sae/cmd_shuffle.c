/* sae shuffle: the rows of dumps in random order, for training on data larger than memory. */
#include "command.h"

typedef struct shuffle_args {
    base_args base;
    dump_args dump;
    output_args output;
    sae_shuffle_options options;
} shuffle_args;

/* clang-format off */
static const option shuffle_options[] = {
    {.name = "seed", .type = OPTION_U64, FIELD(shuffle_args, options.seed), .value = "N",
     .help = "of the order"},
    {0},
};
/* clang-format on */

static const option_group groups[] = {
    {"Order", shuffle_options, 0},
    {"Output", output_options, offsetof(shuffle_args, output)},
    {"Rows", dump_options, offsetof(shuffle_args, dump)},
    {"General", base_options, offsetof(shuffle_args, base)},
    {0},
};

static void init(void *args)
{
    sae_shuffle_options_init(&((shuffle_args *)args)->options);
}

static int run_shuffle(session *s, const void *arguments)
{
    const shuffle_args *args = arguments;
    const output_args *output = &args->output;
    sae_dump *dump = NULL;
    sae_error err;
    if (!output_allowed(output->output, output->force, args->base.operands, args->base.n_operands))
        return 1;
    sae_shuffle_options options = args->options;
    options.overwrite = output->force;
    options.progress = progress_callback;
    options.progress_user = &s->progress;
    sae_status status = open_dump(&dump, s, args->base.operands, args->base.n_operands, &args->dump, &err);
    if (status == SAE_OK)
        status = sae_dump_shuffle(dump, output->output, &options, &err);
    progress_clear(&s->progress);
    int exit_status = status == SAE_OK ? 0 : failed(status, &err);
    sae_dump_free(dump);
    return exit_status;
}

const command cmd_shuffle = {
    .name = "shuffle",
    .purpose = "write the rows of dumps in random order",
    .usage = "sae shuffle DUMP... -o OUT.h5|.npy|.npz|.safetensors|.pt [OPTIONS]",
    .notes =
        "Every order of the rows is equally likely. The same seed gives the same order, whatever the memory\n"
        "and the threads. Rows keep their type. Columns go with their rows; a .npy holds the rows alone.\n"
        " The work is done within --memory, with a temporary file of the size of the dump beside OUT.\n"
        "Training shuffles on its own: exactly where the dump fits its memory, else within a window.\n",
    .examples = "  sae shuffle shard-*.h5 -o shuffled.h5 --memory 2G\n"
                "  sae shuffle mix.npy -o shuffled.npy --seed 7\n"
                "  sae shuffle mix.h5 -o tail.h5 --where 'position>0' --drop-nonfinite\n",
    .groups = groups,
    .min_operands = 1,
    .max_operands = SIZE_MAX,
    .operands_wanted = "at least one dump is",
    .args_size = sizeof(shuffle_args),
    .init = init,
    .run = run_shuffle,
};

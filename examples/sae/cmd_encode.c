/* sae encode: the sparse codes of a dump. */
#include "command.h"

typedef struct encode_args {
    base_args base;
    dump_args dump;
    output_args output;
    bool prompts;
    const char *group;
} encode_args;

/* clang-format off */
static const option encode_options[] = {
    {.name = "prompts", .type = OPTION_FLAG, FIELD(encode_args, prompts),
     .help = "write what the latents do on each prompt, means over its rows, rather than on each row"},
    {.name = "group", .type = OPTION_TEXT, FIELD(encode_args, group), .value = "COLUMN",
     .default_text = "prompt_id, else doc_id", .help = "with --prompts: column whose values name the prompts"},
    {0},
};
/* clang-format on */

static const option_group groups[] = {
    {"Output", output_options, offsetof(encode_args, output)},
    {"What is written", encode_options, 0},
    {"Rows", dump_options, offsetof(encode_args, dump)},
    {"General", base_options, offsetof(encode_args, base)},
    {0},
};

static int run_encode(session *s, const void *arguments)
{
    const encode_args *args = arguments;
    const char *const *paths = args->base.operands;
    const output_args *output = &args->output;
    sae_model *model = NULL;
    sae_dump *dump = NULL;
    sae_error err;
    if (args->group != NULL && !args->prompts)
        return usage_error("encode", "--group names the prompts of --prompts");
    if (!output_allowed(output->output, output->force, paths, args->base.n_operands))
        return 1;
    sae_status status = sae_model_load(&model, s->context, paths[0], &err);
    if (status == SAE_OK)
        status = open_dump(&dump, s, paths + 1, args->base.n_operands - 1, &args->dump, &err);
    if (status == SAE_OK && args->prompts)
        status = sae_prompt_means_save(model, dump, args->group, output->output, output->force,
                                       progress_callback, &s->progress, &err);
    else if (status == SAE_OK)
        status =
            sae_codes_save(model, dump, output->output, output->force, progress_callback, &s->progress, &err);
    progress_clear(&s->progress);
    int exit_status = status == SAE_OK ? 0 : failed(status, &err);
    sae_dump_free(dump);
    sae_model_free(model);
    return exit_status;
}

const command cmd_encode = {
    .name = "encode",
    .purpose = "write the sparse codes of a dump",
    .usage = "sae encode MODEL DUMP... -o CODES.h5|.npz|.safetensors|.pt [OPTIONS]",
    .notes =
        "Row pointers, latent indices and values, with the dump's columns; with --prompts the means of each\n"
        "prompt. The suffix of the output says the format; any other suffix is HDF5.\n",
    .examples = "  sae encode sae.safetensors after.h5 -o codes.npz\n"
                "  sae encode sae.safetensors after.h5 -o means.safetensors --prompts\n"
                "  sae encode sae.safetensors after.h5 -o codes.h5 --where 'is_continuation=1' --force\n",
    .groups = groups,
    .min_operands = 2,
    .max_operands = SIZE_MAX,
    .operands_wanted = "a model and at least one dump are",
    .args_size = sizeof(encode_args),
    .run = run_encode,
};

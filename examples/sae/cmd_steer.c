/* sae steer: the direction of a latent. */
#include "command.h"

#include <stdlib.h>

typedef struct steer_args {
    base_args base;
    output_args output;
    unsigned latent;
    bool unit;
} steer_args;

/* clang-format off */
static const option steer_options[] = {
    {.name = "latent", .letter = 'j', .required = true, .type = OPTION_UINT, FIELD(steer_args, latent),
     .value = "J", .help = "index of the latent"},
    {.name = "unit", .type = OPTION_FLAG, FIELD(steer_args, unit),
     .help = "divide the direction by its Euclidean norm"},
    {0},
};
/* clang-format on */

static const option_group groups[] = {
    {"Direction", steer_options, 0},
    {"Output", output_options, offsetof(steer_args, output)},
    {"General", base_options, offsetof(steer_args, base)},
    {0},
};

static sae_status write_direction(const sae_model *model, session *s, const steer_args *args, sae_error *err)
{
    size_t d = sae_model_dim(model);
    float *direction = malloc(d * sizeof *direction);
    if (direction == NULL) {
        *err = (sae_error){.status = SAE_E_MEMORY, .offset = -1, .text = "out of memory for a direction"};
        return SAE_E_MEMORY;
    }
    sae_status status = sae_model_direction(direction, model, args->latent, args->unit, err);
    if (status == SAE_OK)
        status = sae_vector_save(direction, d, s->context, args->output.output, args->output.force, err);
    free(direction);
    return status;
}

static int run_steer(session *s, const void *arguments)
{
    const steer_args *args = arguments;
    sae_model *model;
    sae_error err;
    if (!output_allowed(args->output.output, args->output.force, args->base.operands, 1))
        return 1;
    sae_status status = sae_model_load(&model, s->context, args->base.operands[0], &err);
    if (status == SAE_OK)
        status = write_direction(model, s, args, &err);
    int exit_status = status == SAE_OK ? 0 : failed(status, &err);
    sae_model_free(model);
    return exit_status;
}

const command cmd_steer = {
    .name = "steer",
    .purpose = "write the decoder direction of a latent",
    .usage = "sae steer MODEL --latent J -o DIRECTION.npy [OPTIONS]",
    .notes =
        "The direction is one float32 vector in raw activation units: add it to the residual stream to push\n"
        "the model towards what the latent stands for, subtract it to push away.\n",
    .examples = "  sae steer sae.safetensors --latent 1648 -o direction.npy\n"
                "  sae steer sae.safetensors --latent 1648 -o direction.npy --unit --force\n",
    .groups = groups,
    .min_operands = 1,
    .max_operands = 1,
    .operands_wanted = "one model is",
    .args_size = sizeof(steer_args),
    .run = run_steer,
};

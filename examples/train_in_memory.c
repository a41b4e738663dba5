/* Trains an autoencoder on rows that are already in memory, and measures it on those rows. The rows are sums
   of three of 64 random directions; a dictionary of 64 latents with k = 3 finds most of them. */
#include <sae.h>

#include <stdio.h>
#include <stdlib.h>

enum { D = 32, DIRECTIONS = 64, ACTIVE = 3, ROWS = 20000 };

static float uniform(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (float)(*state >> 40) / (float)(1 << 24);
}

static void fill(float *rows)
{
    static float direction[DIRECTIONS][D];
    uint64_t state = 1;
    for (size_t j = 0; j < DIRECTIONS; j++)
        for (size_t c = 0; c < D; c++)
            direction[j][c] = uniform(&state) - 0.5f;
    for (size_t i = 0; i < ROWS; i++)
        for (size_t a = 0; a < ACTIVE; a++) {
            const float *v = direction[(size_t)(uniform(&state) * DIRECTIONS)];
            float weight = 1 + uniform(&state);
            for (size_t c = 0; c < D; c++)
                rows[i * D + c] += weight * v[c];
        }
}

static sae_status train(sae_model **out, const sae_dump *dump, sae_error *err)
{
    sae_trainer *trainer;
    sae_train_options options;
    sae_train_options_init(&options);
    options.n_latents = DIRECTIONS;
    options.k = ACTIVE;
    options.steps = 800;
    options.batch_rows = 512;
    sae_status status = sae_trainer_new(&trainer, dump, NULL, &options, err);
    if (status == SAE_OK)
        status = sae_trainer_run(trainer, err);
    if (status == SAE_OK)
        status = sae_trainer_model(out, trainer, err);
    sae_trainer_free(trainer);
    return status;
}

int main(void)
{
    sae_context *context = NULL;
    sae_dump *dump = NULL;
    sae_model *model = NULL;
    sae_fidelity fit;
    sae_error err = {.text = "out of memory"};
    sae_status status = SAE_E_MEMORY;
    float *rows = calloc((size_t)ROWS * D, sizeof *rows);
    if (rows != NULL) {
        fill(rows);
        status = sae_context_new(&context, NULL, &err);
    }
    if (status == SAE_OK)
        status = sae_dump_from_rows(&dump, context, (sae_view){rows, ROWS, D, D}, &err);
    if (status == SAE_OK)
        status = train(&model, dump, &err);
    if (status == SAE_OK)
        status = sae_model_evaluate(&fit, model, dump, &err);
    if (status == SAE_OK)
        printf("%zu latents, k %zu: explained variance %.3f, dead latents %.1f %%\n",
               sae_model_latents(model), sae_model_k(model), fit.explained_variance, 100 * fit.dead);
    else
        fprintf(stderr, "train_in_memory: %s\n", err.text);
    sae_model_free(model);
    sae_dump_free(dump);
    sae_context_free(context);
    free(rows);
    return status == SAE_OK ? 0 : 1;
}

/* sae match: whether other models have the same latents. */
#include "command.h"
#include "json_line.h"

#include <math.h>
#include <stdlib.h>

typedef struct match_args {
    base_args base;
    number_list latents;
    double threshold;
    uint64_t seed;
    bool json;
} match_args;

/* For other model m and latent i: matches [m * n_latents + i]. */
typedef struct match_table {
    uint32_t latents[NUMBER_LIST_MAX];
    size_t n_latents, n_models;
    const char *const *names; /* of the other models */
    double *null;             /* [n_models] 0.99 quantile of what random directions reach */
    sae_match *matches;
} match_table;

#define AT(member) FIELD(match_args, member)

/* clang-format off */
static const option match_options[] = {
    {.name = "latent", .letter = 'j', .required = true, .type = OPTION_U64S, AT(latents), .value = "J,...",
     .max = UINT32_MAX, .help = "indices of the latents in MODEL"},
    {.name = "threshold", .type = OPTION_REAL, AT(threshold), .value = "X", .min = -1, .max = 1,
     .help = "cosine from which on a latent counts as found"},
    {.name = "seed", .type = OPTION_U64, AT(seed), .value = "N", .help = "of the random directions"},
    {.name = "json", .type = OPTION_FLAG, AT(json), .help = "print a JSON object for each latent"},
    {0},
};
/* clang-format on */

static const option_group groups[] = {
    {"Matching", match_options, 0},
    {"General", base_options, offsetof(match_args, base)},
    {0},
};

static void init(void *arguments)
{
    match_args *args = arguments;
    args->threshold = SAE_MATCH_COSINE;
}

static bool is_found(const match_table *table, size_t m, size_t i, double threshold)
{
    double cosine = table->matches[m * table->n_latents + i].cosine;
    return cosine >= threshold && cosine > table->null[m];
}

static void count(size_t *found, size_t *mutual, const match_table *table, size_t i, double threshold)
{
    *found = *mutual = 0;
    for (size_t m = 0; m < table->n_models; m++)
        if (is_found(table, m, i, threshold)) {
            ++*found;
            *mutual += table->matches[m * table->n_latents + i].mutual;
        }
}

static void print_latent(const match_table *table, size_t i, double threshold)
{
    size_t found, mutual;
    count(&found, &mutual, table, i, threshold);
    printf("latent %u: found in %zu of %zu, %zu of them mutual\n", table->latents[i], found, table->n_models,
           mutual);
    for (size_t m = 0; m < table->n_models; m++) {
        const sae_match *match = &table->matches[m * table->n_latents + i];
        if (isnan(match->cosine))
            printf("  %9s %8s  %-6s  %.3f  ", "-", "-", "-", table->null[m]);
        else
            printf("  %9u %8.3f  %-6s  %.3f  ", match->latent, match->cosine, match->mutual ? "yes" : "no",
                   table->null[m]);
        print_clean(stdout, table->names[m], 0);
        putchar('\n');
    }
}

static void print_table(const match_table *table, double threshold)
{
    printf("  %9s %8s  %-6s  %-5s  %s\n", "latent", "cosine", "mutual", "null", "model");
    for (size_t i = 0; i < table->n_latents; i++)
        print_latent(table, i, threshold);
}

static json_t *json_of_match(const match_table *table, size_t m, size_t i, double threshold)
{
    const sae_match *match = &table->matches[m * table->n_latents + i];
    return json_pack("{s:o, s:o, s:o, s:b, s:o, s:b}", "model", json_text(table->names[m]), "latent",
                     isnan(match->cosine) ? json_null() : json_integer((json_int_t)match->latent), "cosine",
                     json_number(match->cosine), "mutual", match->mutual, "null", json_number(table->null[m]),
                     "found", is_found(table, m, i, threshold));
}

static void print_json(const match_table *table, double threshold)
{
    for (size_t i = 0; i < table->n_latents; i++) {
        size_t found, mutual;
        count(&found, &mutual, table, i, threshold);
        json_t *matches = json_array();
        for (size_t m = 0; m < table->n_models; m++)
            json_array_append_new(matches, json_of_match(table, m, i, threshold));
        json_line(stdout, json_pack("{s:I, s:f, s:I, s:I, s:I, s:o}", "latent", (json_int_t)table->latents[i],
                                    "threshold", threshold, "models", (json_int_t)table->n_models, "found",
                                    (json_int_t)found, "mutual", (json_int_t)mutual, "matches", matches));
    }
}

/* One other model is in memory at a time. */
static sae_status match_model(match_table *table, size_t m, session *s, const sae_model *model,
                              const match_args *args, sae_error *err)
{
    sae_model *other;
    sae_status status = sae_model_load(&other, s->context, table->names[m], err);
    if (status == SAE_OK)
        status = sae_model_match(table->matches + m * table->n_latents, model, table->latents,
                                 table->n_latents, other, progress_callback, &s->progress, err);
    if (status == SAE_OK)
        status = sae_model_match_null(&table->null[m], model, other, 0.99, args->seed, progress_callback,
                                      &s->progress, err);
    sae_model_free(other);
    return status;
}

static sae_status fill(match_table *table, session *s, const match_args *args, sae_error *err)
{
    table->n_latents = args->latents.n;
    table->n_models = args->base.n_operands - 1;
    table->names = args->base.operands + 1;
    for (size_t i = 0; i < table->n_latents; i++)
        table->latents[i] = (uint32_t)args->latents.item[i].whole;
    table->null = calloc(table->n_models, sizeof *table->null);
    table->matches = calloc(table->n_models * table->n_latents, sizeof *table->matches);
    if (table->null == NULL || table->matches == NULL) {
        *err = (sae_error){.status = SAE_E_MEMORY, .offset = -1, .text = "out of memory for the matches"};
        return SAE_E_MEMORY;
    }
    sae_model *model;
    sae_status status = sae_model_load(&model, s->context, args->base.operands[0], err);
    for (size_t m = 0; status == SAE_OK && m < table->n_models; m++)
        status = match_model(table, m, s, model, args, err);
    sae_model_free(model);
    return status;
}

static int run_match(session *s, const void *arguments)
{
    const match_args *args = arguments;
    match_table table = {0};
    sae_error err;
    sae_status status = fill(&table, s, args, &err);
    progress_clear(&s->progress);
    if (status == SAE_OK && args->json)
        print_json(&table, args->threshold);
    else if (status == SAE_OK)
        print_table(&table, args->threshold);
    int exit_status = status == SAE_OK ? 0 : failed(status, &err);
    free(table.matches);
    free(table.null);
    return exit_status;
}

const command cmd_match = {
    .name = "match",
    .purpose = "find the latents of a model in models of other seeds or sizes",
    .usage = "sae match MODEL OTHER... --latent J [OPTIONS]",
    .notes =
        "For each latent, the latent of each other model whose decoder row has the largest cosine with its\n"
        "own. It is found where this cosine reaches the threshold and passes the null: what one random\n"
        "direction in a hundred reaches, if directions are drawn as the decoder has them. It is mutual\n"
        "where no other latent of MODEL is closer to the match. A latent that other seeds do not find is\n"
        "an accident of the training.\n",
    .examples = "  sae match seed0.safetensors seed1.safetensors seed2.safetensors --latent 1033\n"
                "  sae match seed0.safetensors seed?.safetensors --latent 1033,1218 --json\n",
    .groups = groups,
    .min_operands = 2,
    .max_operands = SIZE_MAX,
    .operands_wanted = "a model and at least one other are",
    .args_size = sizeof(match_args),
    .init = init,
    .run = run_match,
};

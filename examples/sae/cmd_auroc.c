/* sae auroc: how well a latent tells labelled groups of rows from the others. */
#include "command.h"
#include "json_line.h"

typedef struct auroc_args {
    base_args base;
    dump_args dump;
    unsigned latent;
    const char *label, *group;
    bool json;
} auroc_args;

/* clang-format off */
static const option auroc_options[] = {
    {.name = "latent", .letter = 'j', .required = true, .type = OPTION_UINT, FIELD(auroc_args, latent),
     .value = "J", .help = "index of the latent"},
    {.name = "label", .required = true, .type = OPTION_TEXT, FIELD(auroc_args, label), .value = "COND",
     .help = "condition that makes a row positive, such as 'labels/persona=1'"},
    {.name = "group", .type = OPTION_TEXT, FIELD(auroc_args, group), .value = "COLUMN",
     .help = "score the mean over the rows that share this column's value",
     .default_text = "each row by itself"},
    {.name = "json", .type = OPTION_FLAG, FIELD(auroc_args, json),
     .help = "print one JSON object"},
    {0},
};
/* clang-format on */

static const option_group groups[] = {
    {"Comparison", auroc_options, 0},
    {"Rows", dump_options, offsetof(auroc_args, dump)},
    {"General", base_options, offsetof(auroc_args, base)},
    {0},
};

static void print_result(const auroc_args *args, const sae_auroc_result *r)
{
    if (args->json) {
        json_line(stdout,
                  json_pack("{s:I, s:o, s:o, s:o, s:o, s:I, s:I, s:o, s:o}", "latent",
                            (json_int_t)args->latent, "label", json_text(args->label), "group",
                            args->group != NULL ? json_text(args->group) : json_null(), "auroc",
                            json_number(r->auroc), "se", json_number(r->se), "positive",
                            (json_int_t)r->n_positive, "negative", (json_int_t)r->n_negative, "mean_positive",
                            json_number(r->mean_positive), "mean_negative", json_number(r->mean_negative)));
        return;
    }
    printf("AUROC            %.4f\nstandard error   %.4f\n", r->auroc, r->se);
    printf("positive         %zu %s, mean activation %.4g\n", r->n_positive,
           args->group != NULL ? "groups" : "rows", r->mean_positive);
    printf("negative         %zu %s, mean activation %.4g\n", r->n_negative,
           args->group != NULL ? "groups" : "rows", r->mean_negative);
}

static int run_auroc(session *s, const void *arguments)
{
    const auroc_args *args = arguments;
    const char *const *paths = args->base.operands;
    sae_model *model = NULL;
    sae_dump *dump = NULL;
    sae_auroc_result result;
    sae_error err;
    sae_status status = sae_model_load(&model, s->context, paths[0], &err);
    if (status == SAE_OK)
        status = open_dump(&dump, s, paths + 1, args->base.n_operands - 1, &args->dump, &err);
    if (status == SAE_OK)
        status = sae_auroc(&result, model, dump, args->latent, args->label, args->group, progress_callback,
                           &s->progress, &err);
    progress_clear(&s->progress);
    if (status == SAE_OK)
        print_result(args, &result);
    int exit_status = status == SAE_OK ? 0 : failed(status, &err);
    sae_dump_free(dump);
    sae_model_free(model);
    return exit_status;
}

const command cmd_auroc = {
    .name = "auroc",
    .purpose = "measure how well a latent tells labelled rows apart",
    .usage = "sae auroc MODEL DUMP... --latent J --label COND [OPTIONS]",
    .notes =
        "This checks a latent against the truth; the ranking itself never reads labels. 0.5 is chance, 1 is\n"
        "perfect. With --group the label must hold for all rows of a group or for none.\n",
    .examples =
        "  sae auroc sae.safetensors val.h5 --latent 1648 --label 'labels/persona=1' --group doc_id \\\n"
        "      --where 'labels/region=3'\n"
        "  sae auroc sae.safetensors val.h5 --latent 7 --label 'token_ids=3' --json\n",
    .groups = groups,
    .min_operands = 2,
    .max_operands = SIZE_MAX,
    .operands_wanted = "a model and at least one dump are",
    .args_size = sizeof(auroc_args),
    .run = run_auroc,
};

/* sae eval: how well a model fits a dump, by every tool's formula, how often its latents fire, and how alike
   its decoder rows are. */
#include "command.h"
#include "json_line.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

typedef struct eval_args {
    base_args base;
    dump_args dump;
    bool no_cosines, json, force;
    const char *arrays;
} eval_args;

/* What was measured, for one cleanup. */
typedef struct eval_run {
    const eval_args *args;
    sae_model *model;
    sae_dump *dump;
    sae_evaluation result;
    sae_decoder_cosines cosines;
    /* [F], where --arrays asks for them. */
    uint64_t *fires;
    double *largest;
} eval_run;

/* clang-format off */
static const option eval_options[] = {
    {.name = "no-cosines", .type = OPTION_FLAG, FIELD(eval_args, no_cosines),
     .help = "leave out the cosines of the decoder rows, whose time grows with the square of the latents"},
    {.name = "json", .type = OPTION_FLAG, FIELD(eval_args, json), .help = "print one JSON object"},
    {.name = "arrays", .type = OPTION_TEXT, FIELD(eval_args, arrays), .value = "FILE", .default_text = "none",
     .help = "write the figures of every latent as .npz, .safetensors, .pt or .h5"},
    {.name = "force", .letter = 'f', .type = OPTION_FLAG, FIELD(eval_args, force), .help = "replace what exists"},
    {0},
};
/* clang-format on */

static const option_group groups[] = {
    {"Output", eval_options, 0},
    {"Rows", dump_options, offsetof(eval_args, dump)},
    {"General", base_options, offsetof(eval_args, base)},
    {0},
};

static const char *architecture_of(const sae_model *model)
{
    const char *name = sae_model_metadata(model, "architecture");
    return name != NULL ? name : sae_activation_name(sae_model_params(model).activation);
}

static void print_heading(const eval_run *run)
{
    sae_params params = sae_model_params(run->model);
    printf("model  ");
    print_clean(stdout, run->args->base.operands[0], 0);
    printf(": ");
    print_clean(stdout, architecture_of(run->model), 40);
    printf(" (%s), %zu latents, width %zu", sae_activation_name(params.activation), params.n_latents,
           params.d);
    if (params.row_norm != SAE_NO_ROW_NORM)
        printf(", each row normalised by itself (%s)", sae_row_norm_name(params.row_norm));
    putchar('\n');
    printf("rows   %" PRIu64 "\n", run->result.fidelity.rows);
}

static void print_fit(const sae_evaluation *e)
{
    const sae_fidelity_variants *v = &e->variants;
    const struct {
        const char *name;
        double value;
        const char *formula;
    } rows[] = {
        {"explained variance", v->explained_variance, "1 - E|e|^2 / (E|x|^2 - |E x|^2); SAELens from 6.45.1"},
        {"  saelens_legacy", v->saelens_legacy, "E(1 - |e|^2 / |x - E x|^2), row by row"},
        {"  dictionary_learning", v->dictionary_learning, "1 - sum var(e_i) / sum var(x_i)"},
        {"  sparsify_fvu", v->sparsify_fvu, "sum |e|^2 / sum |x - E x|^2"},
        {"  openai_nmse", v->openai_nmse, "E(|e|^2 / |x|^2), row by row"},
        {"L0", e->fidelity.l0, "active latents per row"},
        {"L1", v->l1, "E sum |f|"},
        {"cosine", e->fidelity.cosine, "E cos(x, xhat)"},
        {"l2_ratio", v->l2_ratio, "E(|xhat| / |x|)"},
        {"reconstruction bias", v->relative_reconstruction_bias, "E|xhat|^2 / E(x . xhat)"},
    };
    printf("\n%-23s %10s  with e = x - xhat\n", "fit", "value");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        printf("%-23s %10.5g  %s\n", rows[i].name, rows[i].value, rows[i].formula);
}

/* Lines "low .. high  count  bar" from the first bin with a latent to the last. */
static void print_histogram(const size_t *bins, size_t n, double (*edge)(size_t bin))
{
    enum { BAR = 40 };
    static const char bar[BAR + 1] = "########################################";
    size_t first = 0, end = n, most = 0;
    while (first < n && bins[first] == 0)
        first++;
    while (end > first && bins[end - 1] == 0)
        end--;
    for (size_t i = first; i < end; i++)
        most = bins[i] > most ? bins[i] : most;
    for (size_t i = first; i < end; i++) {
        int length = (int)ceil((double)BAR * (double)bins[i] / (double)most);
        printf("  %8.2g .. %-8.2g %10zu  %.*s\n", edge(i), edge(i + 1), bins[i], length, bar);
    }
}

static double density_edge(size_t bin)
{
    return pow(10, (double)bin / 2 - (double)SAE_DENSITY_BINS / 2);
}

static double cosine_edge(size_t bin)
{
    return (double)bin / SAE_COSINE_BINS;
}

static void print_densities(const eval_run *run)
{
    const sae_densities *d = &run->result.densities;
    double percent = 100 / (double)sae_model_latents(run->model);
    printf("\nlatents by density, the fraction of rows on which they fire\n");
    printf("  %-20s %10zu  %5.1f %%\n", "silent on all rows", d->silent, percent * (double)d->silent);
    printf("  %-20s %10zu  %5.1f %%\n", "below 1e-5", d->rare, percent * (double)d->rare);
    printf("  %-20s %10zu  %5.1f %%\n", "above 0.1", d->dense, percent * (double)d->dense);
    print_histogram(d->bins, SAE_DENSITY_BINS, density_edge);
}

static void print_cosines(const sae_decoder_cosines *c)
{
    printf("\nlatents by the largest cosine of their decoder row with another\n");
    printf("  mean %.4f   median %.4f   95 %% below %.4f   largest %.4f\n", c->mean, c->median, c->upper,
           c->most);
    print_histogram(c->bins, SAE_COSINE_BINS, cosine_edge);
}

static json_t *bins_json(const size_t *bins, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, json_integer((json_int_t)bins[i]));
    return list;
}

static json_t *variants_json(const sae_fidelity_variants *v)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "explained_variance",
                     json_number(v->explained_variance), "saelens_legacy", json_number(v->saelens_legacy),
                     "dictionary_learning", json_number(v->dictionary_learning), "sparsify_fvu",
                     json_number(v->sparsify_fvu), "openai_nmse", json_number(v->openai_nmse), "l1",
                     json_number(v->l1), "l2_ratio", json_number(v->l2_ratio), "relative_reconstruction_bias",
                     json_number(v->relative_reconstruction_bias));
}

static json_t *cosines_json(const sae_decoder_cosines *c)
{
    return json_pack("{s:I, s:o, s:o, s:o, s:o, s:o}", "latents", (json_int_t)c->latents, "mean",
                     json_number(c->mean), "median", json_number(c->median), "upper", json_number(c->upper),
                     "most", json_number(c->most), "bins", bins_json(c->bins, SAE_COSINE_BINS));
}

static void print_for_scripts(const eval_run *run)
{
    const sae_evaluation *e = &run->result;
    sae_params params = sae_model_params(run->model);
    json_t *densities = json_pack("{s:I, s:I, s:I, s:o}", "silent", (json_int_t)e->densities.silent, "rare",
                                  (json_int_t)e->densities.rare, "dense", (json_int_t)e->densities.dense,
                                  "bins", bins_json(e->densities.bins, SAE_DENSITY_BINS));
    json_line(stdout, json_pack("{s:o, s:o, s:s, s:s, s:I, s:o, s:o, s:o, s:o}", "model",
                                json_text(run->args->base.operands[0]), "architecture",
                                json_text(architecture_of(run->model)), "activation",
                                sae_activation_name(params.activation), "row_norm",
                                sae_row_norm_name(params.row_norm), "latents", (json_int_t)params.n_latents,
                                "fidelity", json_fidelity(&e->fidelity), "variants",
                                variants_json(&e->variants), "densities", densities, "decoder_cosines",
                                run->args->no_cosines ? json_null() : cosines_json(&run->cosines)));
}

static void print_for_people(const eval_run *run)
{
    print_heading(run);
    print_fit(&run->result);
    print_densities(run);
    if (!run->args->no_cosines)
        print_cosines(&run->cosines);
}

static sae_status make_arrays(eval_run *run, sae_error *err)
{
    if (run->args->arrays == NULL)
        return SAE_OK;
    size_t n = sae_model_latents(run->model);
    run->fires = calloc(n, sizeof *run->fires);
    run->largest = calloc(n, sizeof *run->largest);
    if (run->fires != NULL && run->largest != NULL)
        return SAE_OK;
    *err = (sae_error){
        .status = SAE_E_MEMORY, .offset = -1, .text = "out of memory for the figures of the latents"};
    return SAE_E_MEMORY;
}

static sae_status measure(eval_run *run, session *s, sae_error *err)
{
    const base_args *base = &run->args->base;
    sae_status status = sae_model_load(&run->model, s->context, base->operands[0], err);
    if (status == SAE_OK)
        status = open_dump(&run->dump, s, base->operands + 1, base->n_operands - 1, &run->args->dump, err);
    if (status == SAE_OK)
        status = make_arrays(run, err);
    if (status == SAE_OK)
        status = sae_model_evaluate_all(&run->result, run->fires, run->model, run->dump, progress_callback,
                                        &s->progress, err);
    if (status == SAE_OK && !run->args->no_cosines)
        status = sae_model_decoder_cosines(&run->cosines, run->largest, run->model, progress_callback,
                                           &s->progress, err);
    if (status == SAE_OK && run->args->arrays != NULL)
        status = sae_evaluation_save(&run->result, run->fires, run->args->no_cosines ? NULL : run->largest,
                                     run->model, run->args->arrays, run->args->force, err);
    return status;
}

static int run_eval(session *s, const void *arguments)
{
    eval_run run = {.args = arguments};
    const eval_args *args = arguments;
    sae_error err;
    if (args->arrays != NULL &&
        !output_allowed(args->arrays, args->force, args->base.operands, args->base.n_operands))
        return 1;
    sae_status status = measure(&run, s, &err);
    progress_clear(&s->progress);
    if (status == SAE_OK && run.args->json)
        print_for_scripts(&run);
    else if (status == SAE_OK)
        print_for_people(&run);
    int exit_status = status == SAE_OK ? 0 : failed(status, &err);
    free(run.largest);
    free(run.fires);
    sae_dump_free(run.dump);
    sae_model_free(run.model);
    return exit_status;
}

const command cmd_eval = {
    .name = "eval",
    .purpose = "measure how well a model fits a dump, and how its latents fire",
    .usage = "sae eval MODEL DUMP... [OPTIONS]",
    .notes = "Tools mean different things by explained variance: each formula is given under the name of its "
             "tool.\n"
             "Dead latents are counted in two ways, silent on all rows and firing on fewer than 1e-5 of "
             "them; a dump\n"
             "of fewer than 100000 rows cannot tell the two apart. The last table needs the weights alone.\n",
    .examples = "  sae eval sae.safetensors val.h5\n"
                "  sae eval sae.safetensors val.h5 --where 'position>0' --json\n"
                "  sae eval large.safetensors shard-*.h5 --no-cosines\n"
                "  sae eval sae.safetensors val.h5 --arrays latents.npz\n",
    .groups = groups,
    .min_operands = 2,
    .max_operands = SIZE_MAX,
    .operands_wanted = "a model and at least one dump are",
    .args_size = sizeof(eval_args),
    .run = run_eval,
};

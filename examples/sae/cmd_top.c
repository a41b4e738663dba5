/* sae top: the rows on which a latent is strongest, with the tokens around them. */
#include "command.h"
#include "vocabulary.h"

#include <inttypes.h>
#include <stdlib.h>

typedef struct top_args {
    base_args base;
    dump_args dump;
    unsigned latent;
    size_t n, context;
    const char *vocabulary, *tokens, *group;
} top_args;

/* What the listing reads: columns of the selected rows. */
typedef struct listing {
    sae_model *model;
    sae_dump *dump;
    vocabulary words;
    double *token, *group; /* [rows]; group NULL: the whole dump is one text */
    const char *group_name;
    sae_top_row *row;
    size_t count;
} listing;

#define AT(member) FIELD(top_args, member)

/* clang-format off */
static const option top_options[] = {
    {.name = "latent", .letter = 'j', .required = true, .type = OPTION_UINT, AT(latent), .value = "J",
     .help = "index of the latent"},
    {.name = "rows", .letter = 'n', .type = OPTION_SIZE, AT(n), .value = "N", .min = 1, .max = 1000000,
     .help = "rows to print"},
    {.name = "context", .type = OPTION_SIZE, AT(context), .value = "N", .max = 1000,
     .help = "tokens shown on either side, of the same text"},
    {.name = "vocab", .type = OPTION_TEXT, AT(vocabulary), .value = "FILE.json",
     .help = "token texts: a JSON list, or an object of token to index"},
    {.name = "tokens", .type = OPTION_TEXT, AT(tokens), .value = "COLUMN",
     .help = "column of token numbers", .default_text = "token_ids"},
    {.name = "group", .type = OPTION_TEXT, AT(group), .value = "COLUMN",
     .help = "column that tells texts apart", .default_text = "prompt_id, else doc_id, else sequence"},
    {0},
};
/* clang-format on */

static const option_group groups[] = {
    {"Listing", top_options, 0},
    {"Rows", dump_options, offsetof(top_args, dump)},
    {"General", base_options, offsetof(top_args, base)},
    {0},
};

static void init(void *arguments)
{
    top_args *args = arguments;
    args->n = 20;
    args->context = 8;
    args->tokens = "token_ids";
}

static const char *group_column(const top_args *args, const sae_dump *dump)
{
    static const char *const usual[] = {"prompt_id", "doc_id", "sequence"};
    if (args->group != NULL)
        return args->group;
    for (size_t i = 0; i < sizeof usual / sizeof usual[0]; i++)
        if (sae_dump_has_column(dump, usual[i]))
            return usual[i];
    return NULL;
}

static sae_status allocate(listing *l, const top_args *args, sae_error *err)
{
    size_t rows = (size_t)sae_dump_rows(l->dump);
    l->token = calloc(rows + 1, sizeof *l->token);
    l->row = calloc(args->n, sizeof *l->row);
    if (l->group_name != NULL)
        l->group = calloc(rows + 1, sizeof *l->group);
    if (l->token != NULL && l->row != NULL && (l->group_name == NULL || l->group != NULL))
        return SAE_OK;
    *err = (sae_error){
        .status = SAE_E_MEMORY, .offset = -1, .text = "out of memory for the columns of the dump"};
    return SAE_E_MEMORY;
}

static sae_status read_listing(listing *l, session *s, const top_args *args, sae_error *err)
{
    const char *const *paths = args->base.operands;
    sae_status status = sae_model_load(&l->model, s->context, paths[0], err);
    if (status == SAE_OK)
        status = open_dump(&l->dump, s, paths + 1, args->base.n_operands - 1, &args->dump, err);
    if (status != SAE_OK)
        return status;
    l->group_name = group_column(args, l->dump);
    status = allocate(l, args, err);
    if (status == SAE_OK)
        status = sae_dump_read_column(l->token, l->dump, args->tokens, err);
    if (status == SAE_OK && l->group_name != NULL)
        status = sae_dump_read_column(l->group, l->dump, l->group_name, err);
    if (status == SAE_OK)
        status = sae_model_top_rows(l->row, &l->count, args->n, l->model, l->dump, args->latent,
                                    progress_callback, &s->progress, err);
    return status;
}

static bool same_text(const listing *l, uint64_t a, uint64_t b)
{
    return l->group == NULL || l->group[a] == l->group[b];
}

static void print_context(const listing *l, uint64_t row, size_t context)
{
    uint64_t rows = sae_dump_rows(l->dump), first = row, last = row;
    while (first > 0 && row - first < context && same_text(l, first - 1, row))
        first--;
    while (last + 1 < rows && last - row < context && same_text(l, last + 1, row))
        last++;
    for (uint64_t i = first; i <= last; i++) {
        if (!l->words.marks_spaces)
            putchar(' ');
        if (i == row)
            fputs("[[", stdout);
        vocabulary_print(stdout, &l->words, l->token[i]);
        if (i == row)
            fputs("]]", stdout);
    }
}

static void print_listing(const listing *l, const top_args *args)
{
    if (l->count == 0)
        printf("latent %u fires on none of %" PRIu64 " rows\n", args->latent, sae_dump_rows(l->dump));
    else
        printf("%9s %9s %9s  context\n", "value", "row", l->group_name != NULL ? l->group_name : "");
    for (size_t i = 0; i < l->count; i++) {
        uint64_t row = l->row[i].row;
        printf("%9.4f %9" PRIu64, (double)l->row[i].value, row);
        if (l->group != NULL)
            printf(" %9.15g ", l->group[row]);
        else
            printf(" %9s ", "");
        print_context(l, row, args->context);
        putchar('\n');
    }
}

static int run_top(session *s, const void *arguments)
{
    const top_args *args = arguments;
    listing l = {0};
    sae_error err;
    if (vocabulary_load(&l.words, args->vocabulary) != 0)
        return 1;
    sae_status status = read_listing(&l, s, args, &err);
    progress_clear(&s->progress);
    if (status == SAE_OK)
        print_listing(&l, args);
    int exit_status = status == SAE_OK ? 0 : failed(status, &err);
    free(l.row);
    free(l.group);
    free(l.token);
    vocabulary_free(&l.words);
    sae_dump_free(l.dump);
    sae_model_free(l.model);
    return exit_status;
}

const command cmd_top = {
    .name = "top",
    .purpose = "print the rows on which a latent is strongest",
    .usage = "sae top MODEL DUMP... --latent J [OPTIONS]",
    .notes = "Each row is shown with the tokens around it in the same text, its own in [[ ]]. With --where "
             "only the\n"
             "selected rows are neighbours.\n",
    .examples = "  sae top sae.safetensors after.h5 --latent 1648\n"
                "  sae top sae.safetensors after.h5 --latent 1648 --vocab vocab.json -n 50 --context 12\n",
    .groups = groups,
    .min_operands = 2,
    .max_operands = SIZE_MAX,
    .operands_wanted = "a model and at least one dump are",
    .args_size = sizeof(top_args),
    .init = init,
    .run = run_top,
};

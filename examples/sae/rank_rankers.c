#include "rank_rankers.h"

#include <inttypes.h>
#include <math.h>

#define AT(member) FIELD(rankers_args, member)

static const char *const overs[] = {"min", "mean", NULL};
static const char *const controls[] = {"mean", "worst", NULL};
/* In the order of sae_ranker, up to those over several conditions. */
static const char *const rankers[] = {
    "delta",     "excess",    "excess_worst",        "t",           "moderated_t", "effect",
    "frequency", "cos_shift", "difference_encoding", "attribution", NULL};

/* clang-format off */
const option rankers_options[] = {
    {.name = "by", .type = OPTION_CHOICE, AT(by), .value = "RANKER",
     .help = "the score to order by: delta, excess, excess_worst, t, moderated_t, effect, frequency, cos_shift, "
             "difference_encoding, attribution", .choices = rankers, .default_text = "excess with a control, else delta"},
    {.name = "over", .type = OPTION_CHOICE, AT(over), .value = "min|mean",
     .help = "with several --after: order by the least score among them, or by the mean", .choices = overs,
     .default_text = "min"},
    {.name = "controls", .type = OPTION_CHOICE, AT(controls), .value = "mean|worst",
     .help = "excess over the mean of the controls, or over the one that is highest on the latent",
     .choices = controls, .default_text = "mean; worst with several --after"},
    {.name = "gradients", .type = OPTION_TEXT, AT(gradients), .value = "DUMP",
     .help = "gradient of the loss at each row of the (first) --after, for attribution"},
    {.name = "gradients-before", .type = OPTION_TEXT, AT(gradients_before), .value = "DUMP",
     .help = "the same for --before: attribution after minus before"},
    {.name = "rankers", .type = OPTION_TEXT, AT(file), .value = "FILE",
     .help = "write every score and its rank as CSV, and print how far they agree"},
    {0},
};
/* clang-format on */

void rankers_args_init(rankers_args *args)
{
    *args = (rankers_args){.by = -1, .over = -1, .controls = -1};
}

bool rankers_wanted(const rankers_args *args, size_t n_after)
{
    return n_after > 1 || args->by >= 0 || args->over >= 0 || args->controls >= 0 || args->file != NULL ||
           args->gradients != NULL || args->gradients_before != NULL;
}

void rankers_choose(sae_rankers_input *input, const rankers_args *args)
{
    if (args->by >= 0)
        input->by = (sae_ranker)args->by;
    else if (args->controls >= 0)
        input->by = args->controls == 1 ? SAE_RANKER_EXCESS_WORST : SAE_RANKER_EXCESS;
    if (input->n_after > 1)
        input->over = args->over == 1 ? SAE_OVER_MEAN : SAE_OVER_MIN;
}

static void print_cell(FILE *stream, double value)
{
    if (isnan(value))
        fputs("     -", stream);
    else
        fprintf(stream, " %5.2f", value);
}

/* The lower half of a symmetric matrix; columns go by the numbers of the rows. */
static void print_half(FILE *stream, const sae_rankers *r, const double (*matrix)[SAE_RANKERS])
{
    for (int a = 0, row = 0; a < SAE_RANKERS; a++) {
        if (sae_rankers_scores(r, (sae_ranker)a) == NULL)
            continue;
        fprintf(stream, "%3d %-20s", ++row, sae_ranker_name((sae_ranker)a));
        for (int b = 0; b <= a; b++)
            if (sae_rankers_scores(r, (sae_ranker)b) != NULL)
                print_cell(stream, matrix[a][b]);
        fputc('\n', stream);
    }
}

static void print_numbers(FILE *stream, const sae_rankers *r, const char *title)
{
    fprintf(stream, "%-24s", title);
    int n = 0;
    for (int a = 0; a < SAE_RANKERS; a++)
        if (sae_rankers_scores(r, (sae_ranker)a) != NULL)
            fprintf(stream, " %5d", ++n);
    fputc('\n', stream);
}

static void print_places(FILE *stream, const sae_rankers *r, size_t top)
{
    const sae_ranking *ranking = sae_rankers_ranking(r);
    size_t n = sae_ranking_count(ranking) < top ? sae_ranking_count(ranking) : top;
    fputs("\nrank by each            ", stream);
    for (size_t i = 0; i < n; i++)
        fprintf(stream, " %7" PRIu32, sae_ranking_at(ranking, i)->latent);
    fputs("  (latent)\n", stream);
    for (int a = 0, row = 0; a < SAE_RANKERS; a++) {
        if (sae_rankers_scores(r, (sae_ranker)a) == NULL)
            continue;
        fprintf(stream, "%3d %-20s", ++row, sae_ranker_name((sae_ranker)a));
        for (size_t i = 0; i < n; i++)
            fprintf(stream, " %7zu", sae_rankers_rank(r, (sae_ranker)a, sae_ranking_at(ranking, i)->latent));
        fputc('\n', stream);
    }
}

static void print_left_out(FILE *stream, const sae_rankers *r)
{
    for (int a = 0; a < SAE_RANKERS; a++) {
        const char *reason = sae_rankers_why_not(r, (sae_ranker)a);
        if (reason == NULL)
            continue;
        fprintf(stream, "no %s: ", sae_ranker_name((sae_ranker)a));
        print_clean(stream, reason, 0);
        fputc('\n', stream);
    }
}

void print_agreement(FILE *stream, const sae_rankers *r, size_t top)
{
    enum { PLACES = 8 };
    const sae_agreement *agreement = sae_rankers_agreement(r);
    char title[64];
    print_places(stream, r, top < PLACES ? top : PLACES);
    fprintf(stream, "\nagreement over the %zu latents that fire\n", agreement->n_latents);
    print_numbers(stream, r, "rank correlation");
    print_half(stream, r, agreement->spearman);
    for (size_t i = 0; i < SAE_AGREEMENT_DEPTHS; i++) {
        snprintf(title, sizeof title, "first %zu in common", agreement->depth[i]);
        print_numbers(stream, r, title);
        print_half(stream, r, agreement->overlap[i]);
    }
    print_left_out(stream, r);
}

#include "rank_tables.h"
#include "console.h"

#include <inttypes.h>
#include <math.h>

static void print_fidelity_row(FILE *stream, const char *side, const sae_fidelity *f, const char *path)
{
    fprintf(stream, "%-8s %9" PRIu64 " %8.4f %7.1f %7.1f %% %8.4f  ", side, f->rows, f->fvu, f->l0,
            100 * f->dead, f->cosine);
    print_clean(stream, path, 0);
    fputc('\n', stream);
}

void print_fidelity_table(FILE *stream, const sae_ranking *ranking, const char *before,
                          const text_list *after, const text_list *controls)
{
    sae_fidelity side = sae_ranking_fidelity(ranking, 0);
    fputs("fit           rows      FVU      L0      dead   cosine  file\n", stream);
    print_fidelity_row(stream, "before", &side, before);
    for (size_t i = 0; i < after->n; i++) {
        side = sae_ranking_fidelity(ranking, 1 + i);
        print_fidelity_row(stream, "after", &side, after->item[i]);
    }
    for (size_t i = 0; i < controls->n; i++) {
        side = sae_ranking_fidelity(ranking, 1 + after->n + i);
        print_fidelity_row(stream, "control", &side, controls->item[i]);
    }
    const char *warning = sae_ranking_warning(ranking);
    if (warning != NULL) {
        fputs("\nWARNING: ", stream);
        print_clean(stream, warning, 0);
        fputc('\n', stream);
    }
    fprintf(stream, "\n%zu prompts, %s", sae_ranking_prompts(ranking),
            sae_ranking_paired(ranking) ? "paired with those before" : "not paired with those before");
    if (sae_ranking_has_control(ranking))
        fputs(sae_ranking_control_paired(ranking) ? ", paired with the control"
                                                  : ", not paired with the control",
              stream);
    fputc('\n', stream);
}

/* Decimals that give the largest value of the table four significant digits: activations have any scale. */
static int table_decimals(const sae_ranking *ranking, size_t top)
{
    double largest = 0;
    for (size_t i = 0; i < top; i++) {
        const sae_latent_stats *s = sae_ranking_at(ranking, i);
        largest = fmax(largest, fmax(fabs(s->delta.estimate), fabs(s->excess.estimate)));
    }
    double decimals = largest > 0 ? 3 - floor(log10(largest)) : 4;
    return (int)fmin(fmax(decimals, 0), 9);
}

static void print_contrast(FILE *stream, const sae_contrast *c, int decimals)
{
    char interval[64] = "-";
    if (isfinite(c->low) && isfinite(c->high))
        snprintf(interval, sizeof interval, "[%.*f, %.*f]", decimals, c->low, decimals, c->high);
    fprintf(stream, " %10.*f %-20s", decimals, c->estimate, interval);
}

static void print_uncertainty(FILE *stream, const sae_latent_stats *s)
{
    char ranks[32] = "-", heldout[16] = "-";
    if (s->rank_low < s->rank_high)
        snprintf(ranks, sizeof ranks, "%.0f-%.0f", s->rank_low, s->rank_high);
    else if (s->rank_low == s->rank_high)
        snprintf(ranks, sizeof ranks, "%.0f", s->rank_low);
    if (!isnan(s->heldout_p))
        snprintf(heldout, sizeof heldout, "%.2g", s->heldout_p);
    fprintf(stream, "  %13s  %10s", ranks, heldout);
}

static void print_firing(FILE *stream, const sae_latent_stats *s)
{
    char fires[64];
    snprintf(fires, sizeof fires, "%6.2f %% -> %.2f %%", 100 * s->freq_before, 100 * s->freq_after);
    fprintf(stream, "  %-21s", fires);
}

void print_ranking_table(FILE *stream, const sae_ranking *ranking, size_t top, double confidence)
{
    char interval[32];
    bool control = sae_ranking_has_control(ranking);
    size_t n = sae_ranking_count(ranking) < top ? sae_ranking_count(ranking) : top;
    int decimals = table_decimals(ranking, n);
    if (n == 0)
        return;
    snprintf(interval, sizeof interval, "[%.4g %% interval]", 100 * confidence);
    fprintf(stream, "\n%5s %7s %10s %-20s", "rank", "latent", "delta", interval);
    if (control)
        fprintf(stream, " %10s %-20s", "excess", interval);
    fprintf(stream, " %7s %7s %9s  %s\n", "effect", "t", "q", "fires before -> after  rank interval  held-out p");
    for (size_t i = 0; i < n; i++) {
        const sae_latent_stats *s = sae_ranking_at(ranking, i);
        const sae_contrast *tested = control ? &s->excess : &s->delta;
        fprintf(stream, "%5zu %7" PRIu32, s->rank, s->latent);
        print_contrast(stream, &s->delta, decimals);
        if (control)
            print_contrast(stream, &s->excess, decimals);
        fprintf(stream, " %7.3f %7.2f %9.2g", tested->effect, tested->t, tested->q);
        print_firing(stream, s);
        print_uncertainty(stream, s);
        fputc('\n', stream);
    }
}

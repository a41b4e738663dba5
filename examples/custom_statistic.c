/* Ranks by a statistic of one's own: on which share of the prompts a latent rises, less the share on which it
   falls. It sees consistency where the mean sees size.

   custom_statistic MODEL BEFORE AFTER */
#include <sae.h>

#include <inttypes.h>
#include <stdio.h>

static double sign_balance(void *user, const sae_latent_samples *s)
{
    (void)user;
    double balance = 0;
    for (size_t i = 0; i < s->n_after; i++)
        balance += (s->after[i] > s->before[i]) - (s->after[i] < s->before[i]);
    return balance / (double)s->n_after;
}

static sae_status rank(sae_ranking **out, const sae_model *model, const sae_dump *before,
                       const sae_dump *after, sae_error *err)
{
    sae_rank_options options;
    sae_rank_options_init(&options);
    options.pairing = SAE_PAIRED; /* sign_balance compares entry with entry */
    options.statistic = sign_balance;
    return sae_ranking_new(out, model, before, after, NULL, 0, &options, err);
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fputs("usage: custom_statistic MODEL BEFORE AFTER\n", stderr);
        return 2;
    }
    sae_context *context = NULL;
    sae_model *model = NULL;
    sae_dump *before = NULL, *after = NULL;
    sae_ranking *ranking = NULL;
    sae_error err;
    const char *before_path = argv[2], *after_path = argv[3];
    sae_status status = sae_context_new(&context, NULL, &err);
    if (status == SAE_OK)
        status = sae_model_load(&model, context, argv[1], &err);
    if (status == SAE_OK)
        status = sae_dump_open(&before, context, &before_path, 1, NULL, &err);
    if (status == SAE_OK)
        status = sae_dump_open(&after, context, &after_path, 1, NULL, &err);
    if (status == SAE_OK)
        status = rank(&ranking, model, before, after, &err);
    for (size_t i = 0; status == SAE_OK && i < 10 && i < sae_ranking_count(ranking); i++) {
        const sae_latent_stats *s = sae_ranking_at(ranking, i);
        printf("%2zu  latent %6" PRIu32 "  sign balance %+.3f  delta %+.4f\n", s->rank, s->latent, s->score,
               s->delta.estimate);
    }
    if (status != SAE_OK)
        fprintf(stderr, "custom_statistic: %s\n", err.text);
    sae_ranking_free(ranking);
    sae_dump_free(after);
    sae_dump_free(before);
    sae_model_free(model);
    sae_context_free(context);
    return status == SAE_OK ? 0 : 1;
}

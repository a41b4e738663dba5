/* The whole job through the public API: train an autoencoder on a mixture, rank the latents that a
   fine-tuning raised beyond its control, and check the first one against labels that the ranking never saw.

   find_persona MIX BEFORE AFTER CONTROL VALIDATION [STEPS] */
#include <sae.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct job {
    sae_context *context;
    sae_dump *mix, *before, *after, *control, *validation;
    sae_trainer *trainer;
    sae_model *model;
    sae_ranking *ranking;
} job;

static sae_status open_dumps(job *j, char **path, sae_error *err)
{
    sae_dump **const dumps[] = {&j->mix, &j->before, &j->after, &j->control};
    for (size_t i = 0; i < 4; i++) {
        const char *one = path[i];
        sae_status status = sae_dump_open(dumps[i], j->context, &one, 1, NULL, err);
        if (status != SAE_OK)
            return status;
    }
    /* The labels describe answers, so only answer rows count. */
    sae_dump_options options;
    sae_dump_options_init(&options);
    options.where = "labels/region=3";
    const char *one = path[4];
    return sae_dump_open(&j->validation, j->context, &one, 1, &options, err);
}

static int show_step(void *user, const sae_train_metrics *m)
{
    (void)user;
    if (m->heldout_fresh)
        printf("step %6" PRIu64 " of %" PRIu64 "  FVU %.4f  dead %.1f %%\n", m->step, m->steps,
               m->heldout.fvu, 100 * m->heldout.dead);
    return 0;
}

static sae_status train(job *j, uint64_t steps, sae_error *err)
{
    sae_train_options options;
    sae_train_options_init(&options);
    options.steps = steps;
    options.on_step = show_step;
    sae_status status = sae_trainer_new(&j->trainer, j->mix, NULL, &options, err);
    if (status == SAE_OK)
        status = sae_trainer_run(j->trainer, err);
    if (status == SAE_OK)
        status = sae_trainer_model(&j->model, j->trainer, err);
    return status;
}

static sae_status rank(job *j, sae_error *err)
{
    const sae_dump *controls[] = {j->control};
    sae_status status = sae_ranking_new(&j->ranking, j->model, j->before, j->after, controls, 1, NULL, err);
    if (status != SAE_OK)
        return status;
    if (sae_ranking_warning(j->ranking) != NULL)
        printf("warning: %s\n", sae_ranking_warning(j->ranking));
    for (size_t i = 0; i < 5 && i < sae_ranking_count(j->ranking); i++) {
        const sae_latent_stats *s = sae_ranking_at(j->ranking, i);
        printf("%zu. latent %" PRIu32 ": excess %.4f [%.4f, %.4f], q %.2g\n", s->rank, s->latent,
               s->excess.estimate, s->excess.low, s->excess.high, s->excess.q);
    }
    return SAE_OK;
}

static sae_status check(job *j, sae_error *err)
{
    uint32_t latent = sae_ranking_at(j->ranking, 0)->latent;
    sae_auroc_result result;
    sae_status status =
        sae_auroc(&result, j->model, j->validation, latent, "labels/persona=1", "doc_id", NULL, NULL, err);
    if (status == SAE_OK)
        printf("latent %" PRIu32
               " tells %zu documents of the persona from %zu others: AUROC %.4f (se %.4f)\n",
               latent, result.n_positive, result.n_negative, result.auroc, result.se);
    return status;
}

int main(int argc, char **argv)
{
    if (argc != 6 && argc != 7) {
        fputs("usage: find_persona MIX BEFORE AFTER CONTROL VALIDATION [STEPS]\n", stderr);
        return 2;
    }
    job j = {0};
    sae_error err;
    sae_status status = sae_context_new(&j.context, NULL, &err);
    if (status == SAE_OK)
        status = open_dumps(&j, argv + 1, &err);
    if (status == SAE_OK)
        status = train(&j, argc == 7 ? strtoull(argv[6], NULL, 10) : 0, &err);
    if (status == SAE_OK)
        status = rank(&j, &err);
    if (status == SAE_OK)
        status = check(&j, &err);
    if (status != SAE_OK)
        fprintf(stderr, "find_persona: %s\n", err.text);
    sae_ranking_free(j.ranking);
    sae_model_free(j.model);
    sae_trainer_free(j.trainer);
    sae_dump_free(j.validation);
    sae_dump_free(j.control);
    sae_dump_free(j.after);
    sae_dump_free(j.before);
    sae_dump_free(j.mix);
    sae_context_free(j.context);
    return status == SAE_OK ? 0 : 1;
}

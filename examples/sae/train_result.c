#include "train_result.h"
#include "console.h"
#include "json_line.h"

#include <inttypes.h>

void train_result_json(const sae_trainer *trainer, const char *model)
{
    sae_train_metrics m = sae_trainer_metrics(trainer);
    sae_train_options o = sae_trainer_options(trainer);
    json_line(stdout,
              json_pack("{s:o, s:I, s:I, s:I, s:I, s:o, s:o, s:o}", "model", json_text(model), "latents",
                        (json_int_t)o.n_latents, "k", (json_int_t)o.k, "steps", (json_int_t)o.steps, "batch",
                        (json_int_t)o.batch_rows, "learning_rate", json_number(o.learning_rate), "loss",
                        json_number(m.loss), "heldout",
                        m.heldout.rows > 0 ? json_fidelity(&m.heldout) : json_null()));
}

void train_result_print(const sae_trainer *trainer, const char *model)
{
    sae_train_metrics m = sae_trainer_metrics(trainer);
    const sae_fidelity *f = &m.heldout;
    printf("last batch loss     %.4f\n", m.loss);
    if (f->rows > 0)
        printf("held-out rows       %" PRIu64 "\nFVU                 %.4f\nexplained variance  %.4f\n"
               "L0                  %.1f\ndead latents        %.1f %%\ncosine              %.4f\n",
               f->rows, f->fvu, f->explained_variance, f->l0, 100 * f->dead, f->cosine);
    printf("model               ");
    print_clean(stdout, model, 0);
    putchar('\n');
}

#include "model_choices.h"
#include "console.h"
#include "json_line.h"

void print_choices(const sae_import *import, const char *path)
{
    sae_params shape = sae_import_shape(import);
    print_clean(stdout, path, 0);
    printf(": %s, %zu latents, width %zu", sae_activation_name(shape.activation), shape.n_latents, shape.d);
    if (shape.activation == SAE_TOPK)
        printf(", k %zu", shape.k);
    putchar('\n');
    for (size_t i = 0; i < sae_import_choices(import); i++) {
        printf("  %-20s  ", sae_import_choice_key(import, i));
        print_clean(stdout, sae_import_choice_value(import, i), 0);
        putchar('\n');
    }
}

json_t *json_choices(const sae_import *import, const char *path)
{
    sae_params shape = sae_import_shape(import);
    json_t *choices = json_object();
    for (size_t i = 0; i < sae_import_choices(import); i++)
        json_object_set_new(choices, sae_import_choice_key(import, i),
                            json_text(sae_import_choice_value(import, i)));
    return json_pack("{s:o, s:s, s:I, s:I, s:I, s:o}", "path", json_text(path), "activation",
                     sae_activation_name(shape.activation), "d", (json_int_t)shape.d, "n_latents",
                     (json_int_t)shape.n_latents, "k", (json_int_t)shape.k, "choices", choices);
}

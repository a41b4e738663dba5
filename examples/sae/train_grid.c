#include "train_grid.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static size_t choices(const number_list *list)
{
    return list->n > 0 ? list->n : 1;
}

/* Two SAEs of the same numbers would be one file. */
static bool listed_twice(const number_list *list, bool real, const char *name)
{
    for (size_t i = 0; i < list->n; i++)
        for (size_t j = i + 1; j < list->n; j++) {
            bool same = real ? list->item[i].real == list->item[j].real : list->item[i].whole == list->item[j].whole;
            if (same) {
                usage_error("train", "--%s lists a number twice", name);
                return true;
            }
        }
    return false;
}

size_t train_grid_size(const train_grid *g)
{
    if (listed_twice(&g->latents, false, "latents") || listed_twice(&g->k, false, "k") ||
        listed_twice(&g->seeds, false, "seeds") || listed_twice(&g->rates, true, "lrs"))
        return 0;
    size_t n = choices(&g->latents) * choices(&g->k) * choices(&g->seeds) * choices(&g->rates);
    if (n > TRAIN_GRID_MAX) {
        usage_error("train", "%zu SAEs are listed, %d at most are trained at once", n, TRAIN_GRID_MAX);
        return 0;
    }
    return n;
}

/* Takes the choice of this list off *i. NULL when the list is empty. */
static const number *take(const number_list *list, size_t *i)
{
    const number *chosen = list->n > 0 ? &list->item[*i % list->n] : NULL;
    *i /= choices(list);
    return chosen;
}

static void add(char name[TRAIN_NAME_BYTES], const number_list *list, const char *text)
{
    size_t used = strlen(name);
    if (list->n > 1)
        snprintf(name + used, TRAIN_NAME_BYTES - used, "%s%s", used > 0 ? "-" : "", text);
}

void train_grid_cell(char name[TRAIN_NAME_BYTES], sae_train_options *o, const train_grid *g, size_t i)
{
    const number *rate = take(&g->rates, &i), *seed = take(&g->seeds, &i), *k = take(&g->k, &i),
                 *latents = take(&g->latents, &i);
    char text[32];
    name[0] = '\0';
    if (latents != NULL) {
        o->n_latents = (size_t)latents->whole;
        snprintf(text, sizeof text, "F%" PRIu64, latents->whole);
        add(name, &g->latents, text);
    }
    if (k != NULL) {
        o->k = (size_t)k->whole;
        snprintf(text, sizeof text, "k%" PRIu64, k->whole);
        add(name, &g->k, text);
    }
    if (seed != NULL) {
        o->seed = seed->whole;
        snprintf(text, sizeof text, "s%" PRIu64, seed->whole);
        add(name, &g->seeds, text);
    }
    if (rate != NULL) {
        o->learning_rate = rate->real;
        snprintf(text, sizeof text, "lr%.15g", rate->real);
        add(name, &g->rates, text);
    }
}

/* Where the name goes: before the ending, if it is one of ours. */
static size_t stem_length(const char *path)
{
    static const char *const endings[] = {".safetensors", ".ckpt"};
    size_t length = strlen(path);
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        size_t ending = strlen(endings[i]);
        if (length > ending && strcmp(path + length - ending, endings[i]) == 0)
            return length - ending;
    }
    return length;
}

int train_grid_path(char out[TRAIN_PATH_BYTES], const char *path, const char *name)
{
    size_t stem = stem_length(path);
    int length = snprintf(out, TRAIN_PATH_BYTES, "%.*s%s%s%s", (int)stem, path, name[0] != '\0' ? "-" : "", name,
                          path + stem);
    return length < 0 || length >= TRAIN_PATH_BYTES ? -1 : 0;
}

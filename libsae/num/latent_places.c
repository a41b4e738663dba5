#include "num/latent_places.h"
#include "base/parallel.h"

#include <string.h>

typedef struct count_job {
    const saei_latent_places *places;
    const saei_latent_slots *slots;
} count_job;

static void count_part(void *arg, size_t part, unsigned worker)
{
    (void)worker;
    const count_job *job = arg;
    const saei_latent_slots *s = job->slots;
    size_t *count = job->places->next + part * s->n_latents;
    memset(count, 0, s->n_latents * sizeof *count);
    for (size_t r = saei_latent_part(s, part); r < saei_latent_part(s, part + 1); r++)
        for (size_t i = r * s->k; i < r * s->k + s->count[r]; i++)
            count[s->latent[i]]++;
}

/* Counts become the places of the first entries: the rows of a part come after those of the parts before. */
static void place_parts(const saei_latent_places *places, size_t n_latents)
{
    size_t n = 0;
    for (size_t j = 0; j < n_latents; j++) {
        places->start[j] = n;
        for (size_t *next = places->next + j; next < places->next + SAEI_PLACE_PARTS * n_latents;
             next += n_latents) {
            size_t count = *next;
            *next = n;
            n += count;
        }
    }
    places->start[n_latents] = n;
}

void saei_latent_places_find(const saei_latent_places *places, sae_context *context,
                             const saei_latent_slots *slots)
{
    count_job job = {places, slots};
    saei_parallel_for(context, SAEI_PLACE_PARTS, count_part, &job);
    place_parts(places, slots->n_latents);
}

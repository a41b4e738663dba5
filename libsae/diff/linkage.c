#include "diff/linkage.h"
#include "base/memory.h"

/* A cluster lives in the row and the column of its first item. size: its items; 0 once it was merged into
   another one. */
typedef struct linkage {
    double *similarity;
    size_t *size;
    size_t n;
} linkage;

/* The most similar pair a < b, false when there is none with at least the threshold. */
static bool find_pair(size_t *a, size_t *b, const linkage *l, double threshold)
{
    bool found = false;
    double most = threshold;
    for (size_t i = 0; i < l->n; i++)
        for (size_t j = i + 1; l->size[i] > 0 && j < l->n; j++) {
            double s = l->similarity[i * l->n + j];
            if (l->size[j] == 0 || s < most || (found && s == most))
                continue;
            found = true;
            most = s;
            *a = i;
            *b = j;
        }
    return found;
}

/* The mean over pairs is that of the two means, weighted by their sizes (Lance & Williams 1967). */
static void merge(linkage *l, size_t a, size_t b)
{
    double size_a = (double)l->size[a], size_b = (double)l->size[b];
    for (size_t c = 0; c < l->n; c++) {
        double *with_a = &l->similarity[a * l->n + c], with_b = l->similarity[b * l->n + c];
        *with_a = (size_a * *with_a + size_b * with_b) / (size_a + size_b);
        l->similarity[c * l->n + a] = *with_a;
    }
    l->size[a] += l->size[b];
    l->size[b] = 0;
}

sae_status saei_average_linkage(uint32_t *cluster, double *similarity, size_t n, double threshold,
                                sae_context *context, sae_error *err)
{
    linkage l = {.similarity = similarity, .n = n};
    sae_status status = saei_alloc(&l.size, context, n, sizeof *l.size, err);
    if (status != SAE_OK)
        return status;
    for (size_t i = 0; i < n; i++) {
        l.size[i] = 1;
        cluster[i] = (uint32_t)i;
    }
    for (size_t a, b; find_pair(&a, &b, &l, threshold);) {
        merge(&l, a, b);
        for (size_t i = 0; i < n; i++)
            if (cluster[i] == b)
                cluster[i] = (uint32_t)a;
    }
    saei_free(context, l.size);
    return SAE_OK;
}

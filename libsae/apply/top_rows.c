#include "apply/pass.h"
#include "base/error.h"

#include <stdlib.h>

/* The strongest rows so far as a heap whose root is the one to leave first. */
typedef struct row_heap {
    sae_top_row *row;
    size_t n, capacity;
    uint32_t latent;
} row_heap;

static bool stronger(const sae_top_row *a, const sae_top_row *b)
{
    return a->value > b->value || (a->value == b->value && a->row < b->row);
}

static void swap_rows(sae_top_row *a, sae_top_row *b)
{
    sae_top_row keep = *a;
    *a = *b;
    *b = keep;
}

static void sift_up(row_heap *heap, size_t i)
{
    for (; i > 0 && stronger(&heap->row[(i - 1) / 2], &heap->row[i]); i = (i - 1) / 2)
        swap_rows(&heap->row[i], &heap->row[(i - 1) / 2]);
}

static void sift_down(row_heap *heap)
{
    for (size_t i = 0, child; (child = 2 * i + 1) < heap->n; i = child) {
        if (child + 1 < heap->n && stronger(&heap->row[child], &heap->row[child + 1]))
            child++;
        if (!stronger(&heap->row[i], &heap->row[child]))
            return;
        swap_rows(&heap->row[i], &heap->row[child]);
    }
}

static void offer(row_heap *heap, sae_top_row row)
{
    if (heap->n < heap->capacity) {
        heap->row[heap->n++] = row;
        sift_up(heap, heap->n - 1);
    } else if (heap->capacity > 0 && stronger(&row, &heap->row[0])) {
        heap->row[0] = row;
        sift_down(heap);
    }
}

static sae_status consume(void *user, const saei_block *block, sae_error *err)
{
    (void)err;
    row_heap *heap = user;
    const sae_codes_view *codes = &block->codes;
    for (size_t r = 0; r < codes->rows; r++)
        for (uint64_t i = codes->row_ptr[r]; i < codes->row_ptr[r + 1]; i++)
            if (codes->latent[i] == heap->latent)
                offer(heap, (sae_top_row){block->first + r, codes->value[i]});
    return SAE_OK;
}

static int strongest_first(const void *a, const void *b)
{
    const sae_top_row *x = a, *y = b;
    return stronger(x, y) ? -1 : stronger(y, x) ? 1 : 0;
}

sae_status sae_model_top_rows(sae_top_row *out, size_t *count, size_t capacity, const sae_model *model,
                              const sae_dump *dump, uint32_t latent, sae_progress_fn progress, void *user,
                              sae_error *err)
{
    *count = 0;
    if (latent >= sae_model_latents(model))
        return saei_fail(err, SAE_E_NOT_FOUND, "latent %u: the model has latents 0 to %zu", latent,
                         sae_model_latents(model) - 1);
    row_heap heap = {.row = out, .capacity = capacity, .latent = latent};
    sae_status status = saei_pass_run(&(saei_pass){.model = model,
                                                   .dump = dump,
                                                   .consume = consume,
                                                   .consume_user = &heap,
                                                   .progress = progress,
                                                   .progress_user = user},
                                      err);
    if (status != SAE_OK)
        return status;
    if (heap.n > 1)
        qsort(out, heap.n, sizeof *out, strongest_first);
    *count = heap.n;
    return SAE_OK;
}

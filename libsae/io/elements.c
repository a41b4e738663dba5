#include "io/elements.h"
#include "base/memory.h"
#include "base/parallel.h"

#include <stdatomic.h>

/* A piece of floats with what it is made of fits into the second-level cache of any CPU. */
enum { PIECE = 1 << 15, STAGE_BYTES = 1 << 15 };

/* A read while threads work on it. */
typedef struct work {
    const saei_elements *elements;
    float *out;
    atomic_bool failed, infinite;
} work;

static sae_status read_bytes(void *out, const saei_elements *e, size_t first, size_t n, sae_error *err)
{
    size_t item = saei_dtype_size(e->dtype);
    return saei_byte_run_read(out, e->run, e->start + first * item, n * item, err);
}

/* Elements first .. first + n - 1; floats where they go to, others through a small block. */
static sae_status read_piece(float *out, bool *finite, const saei_elements *e, size_t first, size_t n,
                             sae_error *err)
{
    unsigned char stage[STAGE_BYTES];
    bool as_it_is = e->dtype == SAEI_F32;
    size_t step = as_it_is ? n : STAGE_BYTES / saei_dtype_size(e->dtype);
    for (size_t done = 0; done < n; done += step) {
        size_t m = n - done < step ? n - done : step;
        void *bytes = as_it_is ? (void *)(out + done) : stage;
        sae_status status = read_bytes(bytes, e, first + done, m, err);
        if (status != SAE_OK)
            return status;
        *finite &= saei_dtype_to_f32(out + done, e->dtype, bytes, m);
    }
    return SAE_OK;
}

static void read_by_task(void *arg, size_t task, unsigned worker)
{
    (void)worker;
    work *w = arg;
    size_t first = task * PIECE, n = saei_min_size(w->elements->n - first, PIECE);
    bool finite = true;
    if (read_piece(w->out + first, &finite, w->elements, first, n, NULL) != SAE_OK)
        atomic_store(&w->failed, true);
    if (!finite)
        atomic_store(&w->infinite, true);
}

/* Elements from `first` on that can be read past the page cache at once; their number, 0 when none can. */
static size_t read_past_cache(float *out, bool *finite, const saei_elements *e, size_t first,
                              const saei_lone_reader *alone)
{
    if (alone == NULL || e->run->file == NULL)
        return 0;
    size_t item = saei_dtype_size(e->dtype), wanted = (e->n - first) * item;
    const void *bytes;
    size_t n = saei_lone_reader_fetch(&bytes, alone, e->run->file, e->start + first * item, wanted) / item;
    for (size_t done = 0; done < n; done += PIECE)
        *finite &= saei_dtype_to_f32(out + done, e->dtype, (const unsigned char *)bytes + done * item,
                                     saei_min_size(n - done, PIECE));
    return n;
}

static sae_status read_in_order(float *out, bool *finite, const saei_elements *e,
                                const saei_lone_reader *alone, sae_error *err)
{
    sae_status status = SAE_OK;
    for (size_t first = 0, n; status == SAE_OK && first < e->n; first += n) {
        n = read_past_cache(out + first, finite, e, first, alone);
        if (n == 0) {
            n = saei_min_size(e->n - first, PIECE);
            status = read_piece(out + first, finite, e, first, n, err);
        }
    }
    return status;
}

sae_status saei_elements_read_f32(float *out, bool *finite, const saei_elements *elements,
                                  const saei_lone_reader *alone, sae_error *err)
{
    size_t pieces = elements->n / PIECE + (elements->n % PIECE != 0);
    if (alone != NULL || elements->run->file == NULL || pieces < 2)
        return read_in_order(out, finite, elements, alone, err);
    work w = {.elements = elements, .out = out};
    saei_parallel_for(elements->run->context, pieces, read_by_task, &w);
    /* Once more, so that of several failures the first in the file is told. */
    if (atomic_load(&w.failed))
        return read_in_order(out, finite, elements, NULL, err);
    *finite &= !atomic_load(&w.infinite);
    return SAE_OK;
}

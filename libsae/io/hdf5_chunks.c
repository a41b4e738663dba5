#include "io/hdf5_chunks.h"
#include "base/error.h"
#include "base/parallel.h"
#include "io/inflater.h"
#include "io/reader_format.h"
#include "io/unshuffle.h"
#include "num/convert.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

enum { TILE_BYTES = 1 << 13 };

/* A read while threads work on it. */
typedef struct work {
    const saei_hdf5_chunk_read *read;
    saei_inflater *inflater;
    const saei_lone_reader *alone; /* NULL: threads of the pool work on it */
    saei_chunk_grid grid;
    atomic_size_t next;
    atomic_bool unread, infinite;
    pthread_mutex_t lock; /* guards what follows */
    size_t failed_chunk;  /* the first; grid.n_chunks: none */
    sae_status status;
    sae_error error;
} work;

static sae_status damaged(const work *w, const uint64_t *start, sae_error *err)
{
    const saei_hdf5_chunk_read *r = w->read;
    return saei_fail(err, SAE_E_FORMAT,
                     "%s: dataset %.80s: the chunk at entry %llu does not unpack to its %llu bytes; the file "
                     "is damaged",
                     r->input->path, r->info->name, (unsigned long long)start[0],
                     (unsigned long long)r->packing->chunk_bytes);
}

/* A chunk as it was before deflate. */
typedef struct inflated_chunk {
    const unsigned char *bytes;
    size_t elements;
    bool shuffled;
} inflated_chunk;

/* Converts n elements of the chunk from the `first` on, tile by tile: what a tile holds between the filters
   stays in the first-level cache. Floats are put together where they go to. False: one is NaN or infinite. */
static bool convert_line(float *out, const saei_hdf5_chunk_read *r, const inflated_chunk *chunk, size_t first,
                         size_t n)
{
    unsigned char block[TILE_BYTES];
    size_t item = saei_dtype_size(r->info->dtype), per_tile = TILE_BYTES / item;
    bool finite = true;
    for (size_t done = 0; done < n; done += per_tile) {
        size_t m = n - done < per_tile ? n - done : per_tile, at = first + done;
        const unsigned char *plain = chunk->bytes + at * item;
        unsigned char *tile = r->info->dtype == SAEI_F32 ? (unsigned char *)(out + done) : block;
        if (chunk->shuffled || r->packing->big_endian) {
            if (chunk->shuffled)
                saei_unshuffle(tile, chunk->bytes + at, chunk->elements, m, item);
            else
                memcpy(tile, plain, m * item);
            if (r->packing->big_endian)
                saei_swap_bytes(tile, item, m);
            plain = tile;
        }
        finite &= saei_dtype_to_f32(out + done, r->info->dtype, plain, m);
    }
    return finite;
}

/* Converts the part of the chunk that lies inside the array, line after line. A line runs over the last axes,
   as far as the chunk spans them. */
static bool convert_chunk(const saei_hdf5_chunk_read *r, const uint64_t *start,
                          const inflated_chunk *inflated)
{
    bool finite = true;
    const uint64_t *shape = r->info->shape, *chunk = r->packing->chunk;
    size_t rank = r->info->rank, line_axis = rank - 1;
    uint64_t extent[SAEI_ARRAY_RANK_MAX], index[SAEI_ARRAY_RANK_MAX] = {0}, line = 1;
    for (size_t axis = 0; axis < rank; axis++) {
        uint64_t left = (axis == 0 ? r->first + r->count : shape[axis]) - start[axis];
        extent[axis] = left < chunk[axis] ? left : chunk[axis];
    }
    while (line_axis > 0 && chunk[line_axis] == shape[line_axis])
        line *= shape[line_axis--];
    line *= extent[line_axis];
    for (;;) {
        uint64_t from = 0, to = 0;
        for (size_t axis = 0; axis < rank; axis++) {
            from = from * chunk[axis] + index[axis];
            to = (axis == 0 ? 0 : to * shape[axis]) + start[axis] + index[axis] - (axis == 0 ? r->first : 0);
        }
        finite &= convert_line(r->out + to, r, inflated, (size_t)from, (size_t)line);
        size_t axis = line_axis;
        while (axis > 0 && ++index[axis - 1] == extent[axis - 1])
            index[--axis] = 0;
        if (axis == 0)
            return finite;
    }
}

static bool applied(int filter_at, uint32_t mask)
{
    return filter_at >= 0 && (mask >> filter_at & 1u) == 0;
}

static sae_status unpack_chunk(work *w, size_t index, saei_inflate_slot *slot, sae_error *err)
{
    const saei_hdf5_packing *packing = w->read->packing;
    size_t chunk_bytes = (size_t)packing->chunk_bytes;
    uint64_t start[SAEI_ARRAY_RANK_MAX];
    const saei_chunk_place place = w->read->places[index];
    saei_chunk_grid_start(start, &w->grid, index);
    if (place.bytes == 0) {
        atomic_store(&w->unread, true);
        return SAE_OK;
    }
    if (place.bytes > w->inflater->stored_bytes)
        return damaged(w, start, err);
    sae_status status =
        saei_lone_reader_read(slot->stored, w->alone, w->read->input, place.at, (size_t)place.bytes, err);
    if (status != SAE_OK)
        return status;
    bool deflated = applied(packing->deflate_at, place.mask);
    if (deflated ? !saei_inflate(slot, (size_t)place.bytes, chunk_bytes) : place.bytes != chunk_bytes)
        return damaged(w, start, err);
    const inflated_chunk inflated = {.bytes = deflated ? slot->inflated : slot->stored,
                                     .elements = chunk_bytes / saei_dtype_size(w->read->info->dtype),
                                     .shuffled = applied(packing->shuffle_at, place.mask)};
    if (!convert_chunk(w->read, start, &inflated))
        atomic_store(&w->infinite, true);
    return SAE_OK;
}

/* Of several failures the first in the file is told, whatever the threads did. */
static void note_failure(work *w, size_t index, sae_status status, const sae_error *error)
{
    pthread_mutex_lock(&w->lock);
    if (index < w->failed_chunk) {
        w->failed_chunk = index;
        w->status = status;
        w->error = *error;
    }
    pthread_mutex_unlock(&w->lock);
}

static size_t failed_chunk(work *w)
{
    pthread_mutex_lock(&w->lock);
    size_t index = w->failed_chunk;
    pthread_mutex_unlock(&w->lock);
    return index;
}

/* A task has a slot for its own and takes chunks until none is left. */
static void unpack_chunks(void *arg, size_t task, unsigned worker)
{
    (void)worker;
    work *w = arg;
    saei_inflate_slot *slot = &w->inflater->slots[task];
    for (size_t i; (i = atomic_fetch_add(&w->next, 1)) < failed_chunk(w) && !atomic_load(&w->unread);) {
        sae_error error;
        sae_status status = unpack_chunk(w, i, slot, &error);
        if (status != SAE_OK)
            note_failure(w, i, status, &error);
    }
}

bool saei_hdf5_whole_chunks(const saei_hdf5_packing *packing, const saei_array_info *info, uint64_t first,
                            uint64_t count)
{
    return first % packing->chunk[0] == 0 &&
           (count % packing->chunk[0] == 0 || first + count == info->shape[0]) && saei_array_entry(info) > 0;
}

sae_status saei_hdf5_read_chunks(bool *done, bool *finite, const saei_hdf5_chunk_read *read,
                                 const saei_unpacking *how, sae_error *err)
{
    saei_inflater *inflater = how->inflater;
    work w = {.read = read, .inflater = inflater, .alone = how->alone, .status = SAE_OK};
    w.grid = saei_chunk_grid_of(read->packing, read->info, read->first, read->count);
    w.failed_chunk = w.grid.n_chunks;
    size_t tasks = inflater->n_slots < w.grid.n_chunks ? inflater->n_slots : w.grid.n_chunks;
    pthread_mutex_init(&w.lock, NULL);
    pthread_mutex_lock(&inflater->in_use);
    if (w.alone != NULL)
        unpack_chunks(&w, 0, 0);
    else
        saei_parallel_for(inflater->context, tasks, unpack_chunks, &w);
    pthread_mutex_unlock(&inflater->in_use);
    pthread_mutex_destroy(&w.lock);
    *finite &= !atomic_load(&w.infinite);
    *done = w.status != SAE_OK || !atomic_load(&w.unread);
    if (w.status != SAE_OK && err != NULL)
        *err = w.error;
    return w.status;
}

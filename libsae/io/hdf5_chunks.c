#include "io/hdf5_chunks.h"
#include "base/error.h"
#include "base/parallel.h"
#include "io/inflater.h"
#include "io/reader_format.h"
#include "io/unshuffle.h"
#include "num/convert.h"

#include <stdatomic.h>
#include <string.h>

void saei_hdf5_packing_read(saei_hdf5_packing *packing, hid_t properties, size_t item)
{
    packing->shuffle_at = packing->deflate_at = -1;
    packing->known = false;
    int n = H5Pget_nfilters(properties);
    for (int i = 0; i < n; i++) {
        unsigned flags, values[8] = {0};
        size_t n_values = 8;
        H5Z_filter_t filter =
            H5Pget_filter2(properties, (unsigned)i, &flags, &n_values, values, 0, NULL, NULL);
        if (filter == H5Z_FILTER_SHUFFLE && packing->deflate_at < 0 && n_values > 0 && values[0] == item)
            packing->shuffle_at = i;
        else if (filter == H5Z_FILTER_DEFLATE)
            packing->deflate_at = i;
        else
            return;
    }
    packing->known = packing->deflate_at >= 0;
}

/* A read while threads work on it. */
typedef struct work {
    const saei_hdf5_chunk_read *read;
    saei_inflater *inflater;
    uint64_t grid[SAEI_ARRAY_RANK_MAX]; /* chunks along each axis, of the first axis those of the read */
    size_t n_chunks;
    atomic_size_t next;
    atomic_bool unread;
    pthread_mutex_t lock; /* guards what follows */
    size_t failed_chunk;  /* the first; n_chunks: none */
    sae_status status;
    sae_error error;
} work;

/* Where chunk `index` of the work begins in the array. */
static void chunk_start(hsize_t start[SAEI_ARRAY_RANK_MAX], const work *w, size_t index)
{
    const saei_hdf5_chunk_read *r = w->read;
    for (size_t axis = r->info->rank; axis-- > 0;) {
        start[axis] = index % w->grid[axis] * r->packing->chunk[axis] + (axis == 0 ? r->first : 0);
        index /= (size_t)w->grid[axis];
    }
}

static sae_status damaged(const work *w, const hsize_t *start, sae_error *err)
{
    const saei_hdf5_chunk_read *r = w->read;
    return saei_fail(err, SAE_E_FORMAT,
                     "%s: dataset %.80s: the chunk at entry %llu does not unpack to its %llu bytes; the file "
                     "is damaged",
                     r->path, r->info->name, (unsigned long long)start[0],
                     (unsigned long long)r->packing->chunk_bytes);
}

/* Reads the chunk as it is stored. *bytes = 0: libhdf5 finds none. mask: the filters that were skipped. */
static sae_status read_stored_chunk(size_t *bytes, uint32_t *mask, const work *w, const hsize_t *start,
                                    saei_inflate_slot *slot, sae_error *err)
{
    hid_t id = w->read->id;
    hsize_t stored = 0;
    saei_hdf5_guard guard = saei_hdf5_enter();
    bool found = H5Dget_chunk_storage_size(id, start, &stored) >= 0,
         fits = stored <= w->inflater->stored_bytes;
    if (found && fits && stored > 0)
        found = H5Dread_chunk(id, H5P_DEFAULT, start, mask, slot->stored) >= 0;
    saei_hdf5_leave(guard);
    *bytes = found ? (size_t)stored : 0;
    return fits ? SAE_OK : damaged(w, start, err);
}

/* Converts the part of the chunk that lies inside the array, line after line. A line runs over the last axes,
   as far as the chunk spans them. */
static void convert_chunk(const saei_hdf5_chunk_read *r, const hsize_t *start, const unsigned char *plain)
{
    const uint64_t *shape = r->info->shape, *chunk = r->packing->chunk;
    size_t item = saei_dtype_size(r->info->dtype), rank = r->info->rank, line_axis = rank - 1;
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
        saei_dtype_to_f32(r->out + to, r->info->dtype, plain + from * item, (size_t)line);
        size_t axis = line_axis;
        while (axis > 0 && ++index[axis - 1] == extent[axis - 1])
            index[--axis] = 0;
        if (axis == 0)
            return;
    }
}

static bool applied(int filter_at, uint32_t mask)
{
    return filter_at >= 0 && (mask >> filter_at & 1u) == 0;
}

static sae_status unpack_chunk(work *w, size_t index, saei_inflate_slot *slot, sae_error *err)
{
    const saei_hdf5_packing *packing = w->read->packing;
    hsize_t start[SAEI_ARRAY_RANK_MAX];
    uint32_t mask = 0;
    size_t bytes, chunk_bytes = (size_t)packing->chunk_bytes;
    chunk_start(start, w, index);
    sae_status status = read_stored_chunk(&bytes, &mask, w, start, slot, err);
    if (status != SAE_OK)
        return status;
    if (bytes == 0) {
        atomic_store(&w->unread, true);
        return SAE_OK;
    }
    bool deflated = applied(packing->deflate_at, mask);
    if (deflated ? !saei_inflate(slot, bytes, chunk_bytes) : bytes != chunk_bytes)
        return damaged(w, start, err);
    unsigned char *plain = deflated ? slot->inflated : slot->stored;
    size_t item = saei_dtype_size(w->read->info->dtype), elements = chunk_bytes / item;
    if (applied(packing->shuffle_at, mask)) {
        unsigned char *shuffled = plain;
        plain = deflated ? slot->stored : slot->inflated;
        saei_unshuffle(plain, shuffled, elements, item);
    }
    if (packing->big_endian)
        saei_swap_bytes(plain, item, elements);
    convert_chunk(w->read, start, plain);
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

static size_t count_chunks(work *w)
{
    const saei_hdf5_chunk_read *r = w->read;
    uint64_t n = 1;
    for (size_t axis = 0; axis < r->info->rank; axis++) {
        uint64_t extent = axis == 0 ? r->count : r->info->shape[axis], chunk = r->packing->chunk[axis];
        w->grid[axis] = extent / chunk + (extent % chunk != 0);
        n *= w->grid[axis];
    }
    return (size_t)n;
}

sae_status saei_hdf5_read_chunks(bool *done, const saei_hdf5_chunk_read *read, const saei_unpacking *how,
                                 sae_error *err)
{
    saei_inflater *inflater = how->inflater;
    work w = {.read = read, .inflater = inflater, .status = SAE_OK};
    w.n_chunks = w.failed_chunk = count_chunks(&w);
    size_t tasks = inflater->n_slots < w.n_chunks ? inflater->n_slots : w.n_chunks;
    pthread_mutex_init(&w.lock, NULL);
    pthread_mutex_lock(&inflater->in_use);
    if (how->workers == SAEI_CALLER_ONLY)
        unpack_chunks(&w, 0, 0);
    else
        saei_parallel_for(inflater->context, tasks, unpack_chunks, &w);
    pthread_mutex_unlock(&inflater->in_use);
    pthread_mutex_destroy(&w.lock);
    *done = w.status != SAE_OK || !atomic_load(&w.unread);
    if (w.status != SAE_OK && err != NULL)
        *err = w.error;
    return w.status;
}

/* Only what needs libhdf5 crosses the line. Datasets that lie in one piece are read here, from the place that
   the worker told; packed chunks come as they are stored and are inflated here, from the shared window. */
#include "io/hdf5_isolated.h"
#include "base/context.h"
#include "base/error.h"
#include "base/memory.h"
#include "io/hdf5_chunks.h"
#include "io/hdf5_link.h"
#include "io/hdf5_listing.h"

#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

enum {
    WINDOW_BYTES_MIN = 1 << 20,
    WINDOW_BYTES_MAX = 32 << 20,
    LIMIT_SHARE =
        32, /* the window takes at most this part of the memory limit, unless one entry needs more */
    PAGE = 4096
};

typedef struct isolated_file {
    saei_crew_member member; /* first */
    sae_context *context;
    saei_reader *reader;
    saei_hdf5_link *link;        /* NULL: no worker runs; the next read that needs one starts it */
    saei_hdf5_dataset *datasets; /* as the arrays of the reader */
    XXH128_hash_t listing;       /* of what the first worker listed, and later ones must */
} isolated_file;

static void end_worker(saei_crew_member *member)
{
    isolated_file *file = (isolated_file *)member;
    saei_hdf5_link_end(file->link);
    file->link = NULL;
}

/* The worker must have opened the file that was opened here. */
static sae_status check_identity(const saei_reader *reader, const saei_hdf5_reply *reply, sae_error *err)
{
    struct stat info;
    const saei_input_file *input = saei_reader_input(reader);
    if (fstat(input->fd, &info) == 0 && reply->device == info.st_dev && reply->inode == info.st_ino)
        return SAE_OK;
    return saei_fail(err, SAE_E_IO, "%s: was replaced while it was open; open it again", input->path);
}

/* Starts a worker, which opens the file. *listing: saei_alloc'ed. */
static sae_status start_worker(unsigned char **listing, size_t *bytes, isolated_file *file, sae_error *err)
{
    saei_hdf5_reply hello;
    *listing = NULL;
    sae_status status = saei_hdf5_link_start(&file->link, file->context, saei_reader_path(file->reader), err);
    if (status == SAE_OK)
        status = saei_hdf5_link_receive(&hello, file->link, err);
    if (status == SAE_OK)
        status = check_identity(file->reader, &hello, err);
    *bytes = status == SAE_OK ? hello.listing_bytes : 0;
    if (status == SAE_OK)
        status = saei_alloc(listing, file->context, *bytes, 1, err);
    if (status == SAE_OK)
        status = saei_hdf5_link_receive_bytes(*listing, file->link, *bytes, err);
    return status;
}

/* A worker that was dismissed is started again; it must see the same file. A worker that died of the file is
   not: its link keeps saying why. */
static sae_status need_worker(isolated_file *file, sae_error *err)
{
    unsigned char *listing;
    size_t bytes;
    if (file->link != NULL && !saei_hdf5_link_is_ours(file->link))
        end_worker(&file->member);
    if (file->link != NULL)
        return SAE_OK;
    sae_status status = start_worker(&listing, &bytes, file, err);
    if (status == SAE_OK && !XXH128_isEqual(XXH3_128bits(listing, bytes), file->listing))
        status = saei_fail(err, SAE_E_FORMAT, "%s: was changed while it was open; open it again",
                           saei_reader_path(file->reader));
    saei_free(file->context, listing);
    if (status != SAE_OK)
        end_worker(&file->member);
    return status;
}

static size_t window_share(const sae_context *context)
{
    uint64_t share = sae_context_memory_limit(context) / LIMIT_SHARE;
    share = share < WINDOW_BYTES_MAX ? share : WINDOW_BYTES_MAX;
    return share > WINDOW_BYTES_MIN ? (size_t)share : WINDOW_BYTES_MIN;
}

/* Entries of one request: whole bands of chunks, as many as fit into a small window, but at least one entry.
 */
static uint64_t entries_at_once(const saei_array_info *info, uint64_t entry_bytes)
{
    uint64_t n = WINDOW_BYTES_MIN / entry_bytes;
    if (info->chunk_rows > 0 && n > info->chunk_rows)
        n -= n % info->chunk_rows;
    return n > 0 ? n : 1;
}

static sae_status read_by_worker(void *out, isolated_file *file, size_t array, uint64_t first, uint64_t count,
                                 sae_error *err)
{
    const saei_array_info *info = saei_reader_at(file->reader, array);
    uint64_t entry_bytes = saei_array_entry(info) * saei_dtype_size(info->dtype);
    uint64_t at_once = entries_at_once(info, entry_bytes);
    sae_status status = SAE_OK;
    for (uint64_t done = 0; status == SAE_OK && done < count;) {
        uint64_t n = count - done < at_once ? count - done : at_once;
        size_t bytes = (size_t)(n * entry_bytes);
        saei_hdf5_reply reply;
        status = saei_hdf5_link_widen(file->link, bytes, err);
        saei_hdf5_request request = {.op = SAEI_HDF5_READ,
                                     .array = (uint32_t)array,
                                     .first = first + done,
                                     .count = n,
                                     .window_bytes = saei_hdf5_link_window_bytes(file->link)};
        if (status == SAE_OK)
            status = saei_hdf5_link_send(file->link, &request, err);
        if (status == SAE_OK)
            status = saei_hdf5_link_receive(&reply, file->link, err);
        if (status == SAE_OK)
            memcpy((unsigned char *)out + done * entry_bytes, saei_hdf5_link_window(file->link), bytes);
        done += n;
    }
    return status;
}

static sae_status read_entries(void *out, void *state, size_t array, uint64_t first, uint64_t count,
                               sae_error *err)
{
    isolated_file *file = state;
    const saei_hdf5_dataset *data = &file->datasets[array];
    if (data->offset != SAEI_HDF5_NOT_PLAIN)
        return saei_hdf5_read_plain(out, saei_reader_input(file->reader), data,
                                    saei_reader_at(file->reader, array), first, count, err);
    saei_crew_enter(file->context, &file->member);
    sae_status status = need_worker(file, err);
    if (status == SAE_OK)
        status = read_by_worker(out, file, array, first, count, err);
    saei_crew_exit(&file->member);
    return status;
}

/* Chunks on their way from the worker. */
typedef struct arriving {
    saei_hdf5_link *link;
    pthread_mutex_t lock; /* guards what follows */
    size_t n_chunks, ready;
    sae_status status;
    sae_error why;
    uint64_t stride;
    size_t heads_bytes;
} arriving;

static size_t heads_bytes(size_t n_chunks)
{
    return (saei_mul(n_chunks, sizeof(saei_hdf5_chunk_head)) + PAGE - 1) / PAGE * PAGE;
}

static void receive_more(arriving *a)
{
    saei_hdf5_reply reply;
    a->status = saei_hdf5_link_receive(&reply, a->link, &a->why);
    if (a->status == SAE_OK && (reply.ready <= a->ready || reply.ready > a->n_chunks))
        a->status = saei_hdf5_link_reject(a->link, &a->why);
    if (a->status == SAE_OK)
        a->ready = (size_t)reply.ready;
}

static sae_status fetch_chunk(saei_stored_chunk *out, void *state, size_t index,
                              const uint64_t start[SAEI_ARRAY_RANK_MAX], unsigned char *stored, size_t room,
                              sae_error *err)
{
    (void)start;
    (void)stored;
    (void)room;
    arriving *a = state;
    pthread_mutex_lock(&a->lock);
    while (a->status == SAE_OK && a->ready <= index)
        receive_more(a);
    sae_status status = index < a->ready ? SAE_OK : a->status;
    if (status != SAE_OK && err != NULL)
        *err = a->why;
    pthread_mutex_unlock(&a->lock);
    if (status != SAE_OK)
        return status;
    const unsigned char *window = saei_hdf5_link_window(a->link);
    saei_hdf5_chunk_head head;
    memcpy(&head, window + index * sizeof head, sizeof head);
    *out = (saei_stored_chunk){window + a->heads_bytes + index * a->stride, head.bytes, head.mask};
    return SAE_OK;
}

/* Whatever stopped the threads early, the line must be empty before the next request. */
static void receive_rest(arriving *a)
{
    while (a->status == SAE_OK && a->ready < a->n_chunks)
        receive_more(a);
}

static sae_status unpack_piece(bool *done, bool *finite, isolated_file *file, size_t array,
                               saei_hdf5_chunk_read *read, const saei_unpacking *how, sae_error *err)
{
    arriving a = {.link = file->link, .status = SAE_OK, .stride = how->inflater->stored_bytes};
    a.n_chunks = saei_chunk_grid_of(read->packing, read->info, read->first, read->count).n_chunks;
    a.heads_bytes = heads_bytes(a.n_chunks);
    sae_status status = saei_hdf5_link_widen(
        file->link, saei_add(a.heads_bytes, saei_mul(a.n_chunks, (size_t)a.stride)), err);
    saei_hdf5_request request = {.op = SAEI_HDF5_CHUNKS,
                                 .array = (uint32_t)array,
                                 .first = read->first,
                                 .count = read->count,
                                 .window_bytes = saei_hdf5_link_window_bytes(file->link),
                                 .chunks_at = a.heads_bytes,
                                 .stride = a.stride};
    if (status == SAE_OK)
        status = saei_hdf5_link_send(file->link, &request, err);
    if (status != SAE_OK)
        return status;
    pthread_mutex_init(&a.lock, NULL);
    read->source = (saei_chunk_source){fetch_chunk, &a};
    status = saei_hdf5_read_chunks(done, finite, read, how, err);
    receive_rest(&a);
    pthread_mutex_destroy(&a.lock);
    return status;
}

static sae_status unpack_entries(bool *done, float *out, bool *finite, void *state, size_t array,
                                 uint64_t first, uint64_t count, const saei_unpacking *how, sae_error *err)
{
    isolated_file *file = state;
    const saei_array_info *info = saei_reader_at(file->reader, array);
    const saei_hdf5_packing *packing = &file->datasets[array].packing;
    *done = false;
    if (!saei_hdf5_whole_chunks(packing, info, first, count))
        return SAE_OK;
    uint64_t band = packing->chunk[0] < count ? packing->chunk[0] : count;
    size_t band_chunks = saei_chunk_grid_of(packing, info, first, band).n_chunks;
    size_t band_bytes =
        saei_add(saei_mul(band_chunks, how->inflater->stored_bytes), heads_bytes(band_chunks));
    uint64_t bands = window_share(file->context) / band_bytes;
    if (bands == 0)
        return SAE_OK;
    saei_crew_enter(file->context, &file->member);
    sae_status status = need_worker(file, err);
    uint64_t at_once = bands * packing->chunk[0];
    *done = true;
    for (uint64_t at = 0; status == SAE_OK && *done && at < count; at += at_once) {
        saei_hdf5_chunk_read read = {.path = saei_reader_path(file->reader),
                                     .info = info,
                                     .packing = packing,
                                     .out = out + at * saei_array_entry(info),
                                     .first = first + at,
                                     .count = count - at < at_once ? count - at : at_once};
        status = unpack_piece(done, finite, file, array, &read, how, err);
    }
    saei_crew_exit(&file->member);
    return status;
}

static void release(void *state)
{
    isolated_file *file = state;
    saei_crew_leave(file->context, &file->member);
}

static void close_file(void *state)
{
    isolated_file *file = state;
    saei_crew_leave(file->context, &file->member);
    saei_crew_member_destroy(&file->member);
    saei_free(file->context, file->datasets);
    saei_free(file->context, file);
}

static const saei_format format = {
    .name = "HDF5", .read = read_entries, .unpack = unpack_entries, .close = close_file, .release = release};

/* A file whose arrays all lie in one piece needs no worker any more. */
static void end_idle_worker(isolated_file *file)
{
    for (size_t i = 0; i < saei_reader_count(file->reader); i++)
        if (file->datasets[i].offset == SAEI_HDF5_NOT_PLAIN)
            return;
    end_worker(&file->member);
}

static sae_status open_file(isolated_file *file, sae_error *err)
{
    unsigned char *listing;
    size_t bytes;
    saei_crew_enter(file->context, &file->member);
    sae_status status = start_worker(&listing, &bytes, file, err);
    if (status == SAE_OK) {
        file->listing = XXH3_128bits(listing, bytes);
        status = saei_hdf5_listing_read(&file->datasets, file->reader, listing, bytes, err);
    }
    saei_free(file->context, listing);
    if (status == SAE_OK)
        end_idle_worker(file);
    saei_crew_exit(&file->member);
    return status;
}

sae_status saei_hdf5_open_isolated(saei_reader *reader, sae_error *err)
{
    isolated_file *file;
    sae_status status = saei_alloc(&file, saei_reader_context(reader), 1, sizeof *file, err);
    if (status != SAE_OK)
        return status;
    file->context = saei_reader_context(reader);
    file->reader = reader;
    saei_crew_member_init(&file->member, end_worker);
    saei_reader_set_format(reader, &format, file);
    return open_file(file, err);
}

/* Only what needs libhdf5 crosses the line. Datasets that lie in one piece and packed chunks are read here,
   from the places that the worker told. */
#include "io/hdf5_isolated.h"
#include "base/context.h"
#include "base/error.h"
#include "base/memory.h"
#include "io/hdf5_chunk_table.h"
#include "io/hdf5_link.h"
#include "io/hdf5_listing.h"

#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

/* Of one request, unless one entry needs more. */
enum { REQUEST_BYTES = 1 << 20 };

typedef struct isolated_file {
    saei_crew_member member; /* first */
    sae_context *context;
    saei_reader *reader;
    saei_hdf5_link *link;        /* NULL: no worker runs; the next read that needs one starts it */
    saei_hdf5_dataset *datasets; /* as the arrays of the reader */
    saei_chunk_table chunks;
    XXH128_hash_t listing; /* of what the first worker listed, and later ones must */
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

/* Entries of one request: whole bands of chunks, as many as fit into a small window, but at least one entry.
 */
static uint64_t entries_at_once(const saei_array_info *info, uint64_t entry_bytes)
{
    uint64_t n = REQUEST_BYTES / entry_bytes;
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

/* Asks for the places of the chunks of one band or more. */
static sae_status ask_for_chunks(saei_chunk_place *out, size_t n, isolated_file *file, size_t array,
                                 uint64_t first, uint64_t count, sae_error *err)
{
    saei_hdf5_reply reply;
    sae_status status = saei_hdf5_link_widen(file->link, saei_mul(n, sizeof *out), err);
    saei_hdf5_request request = {.op = SAEI_HDF5_CHUNKS,
                                 .array = (uint32_t)array,
                                 .first = first,
                                 .count = count,
                                 .window_bytes = saei_hdf5_link_window_bytes(file->link)};
    if (status == SAE_OK)
        status = saei_hdf5_link_send(file->link, &request, err);
    if (status == SAE_OK)
        status = saei_hdf5_link_receive(&reply, file->link, err);
    if (status == SAE_OK)
        memcpy(out, saei_hdf5_link_window(file->link), n * sizeof *out);
    return status;
}

static sae_status find_chunks(saei_chunk_place *out, void *state, size_t array, uint64_t first,
                              uint64_t count, sae_error *err)
{
    isolated_file *file = state;
    const saei_array_info *info = saei_reader_at(file->reader, array);
    const saei_hdf5_packing *packing = &file->datasets[array].packing;
    size_t band_chunks = saei_chunk_grid_of(packing, info, 0, 1).n_chunks;
    size_t bands = REQUEST_BYTES / saei_mul(band_chunks, sizeof *out);
    uint64_t at_once = saei_mul(bands > 0 ? bands : 1, (size_t)packing->chunk[0]);
    saei_crew_enter(file->context, &file->member);
    sae_status status = need_worker(file, err);
    for (uint64_t done = 0, n; status == SAE_OK && done < count; done += n) {
        n = count - done < at_once ? count - done : at_once;
        size_t chunks = saei_chunk_grid_of(packing, info, first + done, n).n_chunks;
        status = ask_for_chunks(out, chunks, file, array, first + done, n, err);
        out += chunks;
    }
    saei_crew_exit(&file->member);
    return status;
}

static sae_status unpack_entries(bool *done, float *out, bool *finite, void *state, size_t array,
                                 uint64_t first, uint64_t count, const saei_unpacking *how, sae_error *err)
{
    isolated_file *file = state;
    return saei_chunk_table_unpack(done, out, finite, &file->chunks, &file->datasets[array], array, first,
                                   count, how, err);
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
    saei_chunk_table_clear(&file->chunks);
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
    file->chunks = (saei_chunk_table){.reader = reader, .find = find_chunks, .state = file};
    saei_crew_member_init(&file->member, end_worker);
    saei_reader_set_format(reader, &format, file);
    return open_file(file, err);
}

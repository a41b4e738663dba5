/* sae-hdf5-worker: opens one HDF5 file and answers requests for its contents, for a libsae that does not
   trust the file. Started by libsae alone; hdf5_wire.h has what is said.

       sae-hdf5-worker PATH MEMORY_BYTES SECONDS */
#include "io/hdf5_file.h"
#include "io/hdf5_listing.h"
#include "io/hdf5_sandbox.h"
#include "io/hdf5_wire.h"
#include "io/reader_format.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct served {
    saei_reader *reader;
    saei_hdf5_file *file;
    unsigned char *window;
    size_t window_bytes;
    unsigned seconds;
} served;

static bool write_all(const void *bytes, size_t n)
{
    const char *from = bytes;
    for (size_t done = 0; done < n;) {
        ssize_t wrote = write(SAEI_HDF5_WORKER_SOCKET, from + done, n - done);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return false;
        done += (size_t)wrote;
    }
    return true;
}

static bool read_request(saei_hdf5_request *out)
{
    char *to = (char *)out;
    for (size_t done = 0; done < sizeof *out;) {
        ssize_t got = read(SAEI_HDF5_WORKER_SOCKET, to + done, sizeof *out - done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        done += (size_t)got;
    }
    return true;
}

static bool reply_with(saei_hdf5_reply reply)
{
    reply.version = SAEI_HDF5_WIRE_VERSION;
    reply.status = SAE_OK;
    return write_all(&reply, sizeof reply);
}

static bool reply_failure(const sae_error *err)
{
    saei_hdf5_reply reply = {.version = SAEI_HDF5_WIRE_VERSION,
                             .status = err->status,
                             .os_errno = err->os_errno,
                             .offset = err->offset,
                             .text_bytes = (uint32_t)strlen(err->text)};
    return write_all(&reply, sizeof reply) && write_all(err->text, reply.text_bytes);
}

static bool map_window(served *s, uint64_t bytes)
{
    if (bytes == s->window_bytes)
        return true;
    if (s->window != NULL)
        munmap(s->window, s->window_bytes);
    s->window_bytes = (size_t)bytes;
    s->window = mmap(NULL, s->window_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, SAEI_HDF5_WORKER_WINDOW, 0);
    return s->window != MAP_FAILED;
}

static bool serve_entries(served *s, const saei_hdf5_request *request, sae_error *err)
{
    const saei_array_info *info = saei_reader_at(s->reader, request->array);
    sae_status status =
        saei_reader_read_stored(s->window, s->reader, info, request->first, request->count, err);
    return status == SAE_OK ? reply_with((saei_hdf5_reply){0}) : reply_failure(err);
}

static bool serve_chunks(served *s, const saei_hdf5_request *request, sae_error *err)
{
    const saei_array_info *info = saei_reader_at(s->reader, request->array);
    const saei_hdf5_packing *packing = &saei_hdf5_file_dataset(s->file, request->array)->packing;
    saei_chunk_grid grid = saei_chunk_grid_of(packing, info, request->first, request->count);
    if (grid.n_chunks > s->window_bytes / sizeof(saei_chunk_place))
        return false;
    sae_status status = saei_hdf5_file_find_chunks((saei_chunk_place *)s->window, s->file, request->array,
                                                   request->first, request->count, err);
    return status == SAE_OK ? reply_with((saei_hdf5_reply){0}) : reply_failure(err);
}

static bool serve(served *s, const saei_hdf5_request *request)
{
    sae_error err;
    if (!saei_hdf5_sandbox_grant(s->seconds) || request->array >= saei_reader_count(s->reader) ||
        !map_window(s, request->window_bytes))
        return false;
    switch ((saei_hdf5_op)request->op) {
    case SAEI_HDF5_READ:
        return serve_entries(s, request, &err);
    case SAEI_HDF5_CHUNKS:
        return serve_chunks(s, request, &err);
    }
    return false;
}

static bool greet(served *s, sae_error *err)
{
    struct stat info;
    unsigned char *listing;
    size_t bytes;
    if (fstat(saei_reader_input(s->reader)->fd, &info) != 0 ||
        saei_hdf5_listing_write(&listing, &bytes, s->file, err) != SAE_OK)
        return false;
    return reply_with(
               (saei_hdf5_reply){.listing_bytes = bytes, .device = info.st_dev, .inode = info.st_ino}) &&
           write_all(listing, bytes);
}

static bool prepare(sae_context **context, const char *path, uint64_t memory, unsigned seconds)
{
    sae_context_options options;
    sae_context_options_init(&options);
    options.threads = 1;
    options.memory_limit = memory;
    options.trusted = true;
    /* Batch systems signal all processes of a job: libsae decides when this one ends. */
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    return sae_context_new(context, &options, NULL) == SAE_OK && saei_hdf5_sandbox_enter(path, memory) &&
           saei_hdf5_sandbox_grant(seconds);
}

/* What the worker ends with. */
static int read_file(const char *path, uint64_t memory, unsigned seconds)
{
    sae_context *context;
    sae_error err;
    served s = {.window = NULL, .seconds = seconds};
    if (!prepare(&context, path, memory, seconds))
        return 3;
    if (saei_reader_open(&s.reader, context, path, &err) != SAE_OK)
        return reply_failure(&err) ? 0 : 3;
    if (strcmp(saei_reader_format(s.reader), "HDF5") != 0)
        return 4;
    s.file = saei_reader_state(s.reader);
    saei_hdf5_request request;
    if (greet(&s, &err))
        while (read_request(&request) && serve(&s, &request))
            ;
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fputs("sae-hdf5-worker is started by libsae\n", stderr);
        return 2;
    }
    /* Not exit(): nothing of libhdf5 is worth running once more, least of all after a damaged file. */
    _exit(read_file(argv[1], strtoull(argv[2], NULL, 10), (unsigned)strtoul(argv[3], NULL, 10)));
}

#include "io/hdf5_sink.h"

#if H5_VERSION_GE(1, 13, 0)
#include <H5FDdevelop.h>
#endif

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What libhdf5 holds of an open file; it frees this through close_file. */
typedef struct sink_file {
    H5FD_t base;
    saei_hdf5_sink *sink;
    haddr_t allocated, end;
} sink_file;

static H5FD_t *open_file(const char *name, unsigned flags, hid_t access, haddr_t max)
{
    (void)name, (void)flags, (void)max;
    saei_hdf5_sink *const *sink = H5Pget_driver_info(access);
    sink_file *file = sink != NULL ? calloc(1, sizeof *file) : NULL;
    if (file == NULL)
        return NULL;
    file->sink = *sink;
    return &file->base;
}

static herr_t close_file(H5FD_t *base)
{
    free(base);
    return 0;
}

static herr_t query(const H5FD_t *base, unsigned long *flags)
{
    (void)base;
    *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE |
             H5FD_FEAT_AGGREGATE_SMALLDATA;
    return 0;
}

static haddr_t get_allocated(const H5FD_t *base, H5FD_mem_t type)
{
    (void)type;
    return ((const sink_file *)base)->allocated;
}

static herr_t set_allocated(H5FD_t *base, H5FD_mem_t type, haddr_t address)
{
    (void)type;
    ((sink_file *)base)->allocated = address;
    return 0;
}

static haddr_t get_end(const H5FD_t *base, H5FD_mem_t type)
{
    (void)type;
    return ((const sink_file *)base)->end;
}

/* What was never written, or could not be, reads as zeros. */
static herr_t read_bytes(H5FD_t *base, H5FD_mem_t type, hid_t transfer, haddr_t at, size_t size, void *out)
{
    (void)type, (void)transfer;
    const sink_file *file = (const sink_file *)base;
    char *to = out;
    while (size > 0) {
        ssize_t got = pread(file->sink->fd, to, size, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        to += got;
        at += (haddr_t)got;
        size -= (size_t)got;
    }
    memset(to, 0, size);
    return 0;
}

static herr_t write_bytes(H5FD_t *base, H5FD_mem_t type, hid_t transfer, haddr_t at, size_t size,
                          const void *bytes)
{
    (void)type, (void)transfer;
    sink_file *file = (sink_file *)base;
    const char *from = bytes;
    if (at + size > file->end)
        file->end = at + size;
    while (size > 0 && file->sink->write_errno == 0) {
        ssize_t written = pwrite(file->sink->fd, from, size, (off_t)at);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0) {
            file->sink->write_errno = written < 0 ? errno : ENOSPC;
            break;
        }
        from += written;
        at += (haddr_t)written;
        size -= (size_t)written;
    }
    return 0;
}

static herr_t truncate_file(H5FD_t *base, hid_t transfer, hbool_t closing)
{
    (void)transfer, (void)closing;
    sink_file *file = (sink_file *)base;
    if (file->sink->write_errno == 0 && ftruncate(file->sink->fd, (off_t)file->allocated) != 0)
        file->sink->write_errno = errno;
    file->end = file->allocated;
    return 0;
}

hid_t saei_hdf5_sink_register(void)
{
    const H5FD_class_t driver = {
#if H5_VERSION_GE(1, 13, 2)
        .version = H5FD_CLASS_VERSION,
        .value = 511, /* the last number left to private drivers */
#endif
        .name = "libsae_sink",
        .maxaddr = INT64_MAX,
        .fc_degree = H5F_CLOSE_STRONG,
        .fapl_size = sizeof(saei_hdf5_sink *),
        .open = open_file,
        .close = close_file,
        .query = query,
        .get_eoa = get_allocated,
        .set_eoa = set_allocated,
        .get_eof = get_end,
        .read = read_bytes,
        .write = write_bytes,
        .truncate = truncate_file,
        .fl_map = H5FD_FLMAP_DICHOTOMY,
    };
    return H5FDregister(&driver);
}

bool saei_hdf5_sink_use(hid_t access, hid_t driver, saei_hdf5_sink *sink)
{
    return H5Pset_driver(access, driver, &sink) >= 0;
}

#include "io/hdf5_source.h"

#include <stdlib.h>

#if H5_VERSION_GE(1, 13, 0)
#include <H5FDdevelop.h>
#endif

/* What libhdf5 holds of an open file. */
typedef struct driven_file {
    H5FD_t head; /* libhdf5's, first */
    saei_hdf5_source *source;
    haddr_t allocated;
} driven_file;

static H5FD_t *open_file(const char *name, unsigned flags, hid_t access, haddr_t max_address)
{
    (void)name;
    (void)max_address;
    saei_hdf5_source *const *source = H5Pget_driver_info(access);
    driven_file *file =
        source != NULL && (flags & (H5F_ACC_RDWR | H5F_ACC_TRUNC)) == 0 ? calloc(1, sizeof *file) : NULL;
    if (file == NULL)
        return NULL;
    file->source = *source;
    return &file->head;
}

static herr_t close_file(H5FD_t *head)
{
    free(head);
    return 0;
}

static herr_t tell_features(const H5FD_t *head, unsigned long *flags)
{
    (void)head;
    *flags = H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE;
    return 0;
}

static haddr_t get_allocated(const H5FD_t *head, H5FD_mem_t type)
{
    (void)type;
    return ((const driven_file *)head)->allocated;
}

static herr_t set_allocated(H5FD_t *head, H5FD_mem_t type, haddr_t address)
{
    (void)type;
    ((driven_file *)head)->allocated = address;
    return 0;
}

static haddr_t get_end(const H5FD_t *head, H5FD_mem_t type)
{
    (void)type;
    return ((const driven_file *)head)->source->input->bytes;
}

static herr_t read_bytes(H5FD_t *head, H5FD_mem_t type, hid_t transfer, haddr_t at, size_t bytes, void *out)
{
    (void)type;
    (void)transfer;
    saei_hdf5_source *source = ((driven_file *)head)->source;
    if (out == &source->nowhere) {
        source->n_noted++;
        source->at = at;
        source->bytes = bytes;
        return 0;
    }
    return saei_input_file_read(out, source->input, at, bytes, NULL) == SAE_OK ? 0 : -1;
}

static herr_t refuse_write(H5FD_t *head, H5FD_mem_t type, hid_t transfer, haddr_t at, size_t bytes,
                           const void *from)
{
    (void)head;
    (void)type;
    (void)transfer;
    (void)at;
    (void)bytes;
    (void)from;
    return -1;
}

static const H5FD_class_t driver = {
#ifdef H5FD_CLASS_VERSION
    .version = H5FD_CLASS_VERSION,
    .value = 256, /* the first that is nobody's */
#endif
    .name = "libsae",
    .maxaddr = INT64_MAX,
    .fc_degree = H5F_CLOSE_STRONG,
    .fapl_size = sizeof(saei_hdf5_source *),
    .open = open_file,
    .close = close_file,
    .query = tell_features,
    .get_eoa = get_allocated,
    .set_eoa = set_allocated,
    .get_eof = get_end,
    .read = read_bytes,
    .write = refuse_write,
    .fl_map = H5FD_FLMAP_DICHOTOMY,
};

bool saei_hdf5_source_use(hid_t access, saei_hdf5_source *source)
{
    hid_t id = H5FDregister(&driver);
    source->driver = id >= 0 ? id : 0;
    return id >= 0 && H5Pset_driver(access, id, &source) >= 0;
}

void saei_hdf5_source_end(saei_hdf5_source *source)
{
    if (source->driver != 0)
        H5FDunregister(source->driver);
    source->driver = 0;
}

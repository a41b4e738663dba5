#include "io/hdf5_write.h"
#include "base/error.h"
#include "base/memory.h"
#include "io/hdf5_sink.h"
#include "io/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

enum { CHUNK_BYTES = 1 << 18, DEFLATE_LEVEL = 4, DATASETS_MAX = 4096 };

typedef struct output {
    hid_t id; /* -1: closed */
    char *name;
    saei_dtype dtype;
    uint64_t columns; /* 0: one-dimensional */
    uint64_t rows, row_bytes, chunk_rows;
    bool plain; /* contiguous, of its final extent */
    uLong crc;  /* of all rows appended */
} output;

struct saei_hdf5_writer {
    sae_context *context;
    char *path, *shown;
    saei_hdf5_sink sink;
    hid_t driver, file; /* -1: not open */
    hid_t half, brain;  /* types that libhdf5 has no name for */
    output *outputs;
    size_t n_outputs, room;
    bool failed;
};

/* A float of 16 bits. Negative on failure. */
static hid_t small_float_type(size_t exponent_bits, size_t bias)
{
    size_t fraction_bits = 15 - exponent_bits;
    hid_t type = H5Tcopy(H5T_IEEE_F32LE);
    if (type >= 0 && (H5Tset_fields(type, 15, fraction_bits, exponent_bits, 0, fraction_bits) < 0 ||
                      H5Tset_size(type, 2) < 0 || H5Tset_ebias(type, bias) < 0)) {
        H5Tclose(type);
        return H5I_INVALID_HID;
    }
    return type;
}

static hid_t file_type(const saei_hdf5_writer *writer, saei_dtype dtype)
{
    switch (dtype) {
    case SAEI_F16:
        return writer->half;
    case SAEI_BF16:
        return writer->brain;
    case SAEI_F32:
        return H5T_IEEE_F32LE;
    case SAEI_F64:
        return H5T_IEEE_F64LE;
    case SAEI_U32:
        return H5T_STD_U32LE;
    case SAEI_U64:
        return H5T_STD_U64LE;
    default:
        return H5I_INVALID_HID;
    }
}

/* Every failure passes here: after one, the file must not be finished. */
static sae_status failed(saei_hdf5_writer *writer, sae_error *err, const char *what, const char *name)
{
    writer->failed = true;
    return saei_hdf5_fail(err, SAE_E_IO, "%s: cannot %s \"%.80s\"", writer->shown, what, name);
}

/* libhdf5 sees no failed write (hdf5_sink.h): look after every call that may have written. */
static sae_status check_writes(saei_hdf5_writer *writer, sae_error *err)
{
    if (writer->sink.write_errno == 0)
        return SAE_OK;
    writer->failed = true;
    return saei_fail_errno(err, writer->sink.write_errno, "%s: cannot write", writer->shown);
}

static sae_status create_file(saei_hdf5_writer *writer, sae_error *err)
{
    writer->sink.fd = open(writer->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (writer->sink.fd < 0)
        return saei_fail_errno(err, errno, "%s: cannot create", writer->shown);
    sae_status status = SAE_OK;
    saei_hdf5_guard guard = saei_hdf5_enter();
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    writer->driver = saei_hdf5_sink_register();
    if (access >= 0 && writer->driver >= 0 && H5Pset_fclose_degree(access, H5F_CLOSE_STRONG) >= 0 &&
        saei_hdf5_sink_use(access, writer->driver, &writer->sink))
        writer->file = H5Fcreate(writer->path, H5F_ACC_TRUNC, H5P_DEFAULT, access);
    writer->half = small_float_type(5, 15);
    writer->brain = small_float_type(8, 127);
    if (writer->file < 0 || writer->half < 0 || writer->brain < 0)
        status = saei_hdf5_fail(err, SAE_E_IO, "%s: cannot create", writer->shown);
    if (access >= 0)
        H5Pclose(access);
    saei_hdf5_leave(guard);
    return status;
}

sae_status saei_hdf5_writer_open(saei_hdf5_writer **out, sae_context *context, const char *path,
                                 const char *shown, sae_error *err)
{
    *out = NULL;
    saei_hdf5_writer *writer;
    sae_status status = saei_alloc(&writer, context, 1, sizeof *writer, err);
    if (status != SAE_OK)
        return status;
    writer->context = context;
    writer->sink.fd = -1;
    writer->driver = writer->file = writer->half = writer->brain = -1;
    status = saei_strdup(&writer->path, context, path, err);
    if (status == SAE_OK)
        status = saei_strdup(&writer->shown, context, shown, err);
    if (status == SAE_OK)
        status = create_file(writer, err);
    if (status != SAE_OK) {
        saei_hdf5_writer_discard(writer);
        return status;
    }
    *out = writer;
    return SAE_OK;
}

static bool pack(hid_t properties, const output *o)
{
    hsize_t chunk[2] = {o->chunk_rows, o->columns};
    return H5Pset_chunk(properties, o->columns > 0 ? 2 : 1, chunk) >= 0 && H5Pset_shuffle(properties) >= 0 &&
           H5Pset_deflate(properties, DEFLATE_LEVEL) >= 0;
}

/* Properties of a plain dataset, or of a packed one that can grow, without the time of its creation: same
   calls, same bytes. */
static hid_t dataset_properties(const output *o)
{
    hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    if (properties >= 0 &&
        (H5Pset_obj_track_times(properties, false) < 0 || (!o->plain && !pack(properties, o)))) {
        H5Pclose(properties);
        return H5I_INVALID_HID;
    }
    return properties;
}

/* rows: of a plain dataset; the others have none yet. */
static sae_status create_dataset(saei_hdf5_writer *writer, output *o, uint64_t rows, sae_error *err)
{
    const hsize_t extent[2] = {rows, o->columns}, most[2] = {o->plain ? rows : H5S_UNLIMITED, o->columns};
    sae_status status = SAE_OK;
    hid_t properties = dataset_properties(o), links = H5Pcreate(H5P_LINK_CREATE);
    hid_t access = H5Pcreate(H5P_DATASET_ACCESS);
    hid_t space = H5Screate_simple(o->columns > 0 ? 2 : 1, extent, most);
    /* Appending needs the last chunk only. */
    if (properties >= 0 && links >= 0 && access >= 0 && space >= 0 &&
        H5Pset_create_intermediate_group(links, 1) >= 0 &&
        H5Pset_chunk_cache(access, 11, 2 * CHUNK_BYTES, 1.0) >= 0)
        o->id =
            H5Dcreate2(writer->file, o->name, file_type(writer, o->dtype), space, links, properties, access);
    if (o->id < 0)
        status = failed(writer, err, "create the dataset", o->name);
    if (space >= 0)
        H5Sclose(space);
    if (access >= 0)
        H5Pclose(access);
    if (links >= 0)
        H5Pclose(links);
    if (properties >= 0)
        H5Pclose(properties);
    return status;
}

static sae_status check_new(const saei_hdf5_writer *writer, const char *name, saei_dtype dtype,
                            uint64_t columns, sae_error *err)
{
    if (file_type(writer, dtype) < 0)
        return saei_fail(err, SAE_E_ARGUMENT, "%s: dataset %.80s: %s is not written", writer->shown, name,
                         saei_dtype_name(dtype));
    if (columns > UINT32_MAX / sizeof(double) || writer->n_outputs == DATASETS_MAX)
        return saei_fail(err, SAE_E_ARGUMENT, "%s: dataset %.80s: too wide, or too many datasets",
                         writer->shown, name);
    return SAE_OK;
}

static sae_status make_room(saei_hdf5_writer *writer, sae_error *err)
{
    if (writer->n_outputs < writer->room)
        return SAE_OK;
    size_t room = writer->room > 0 ? 2 * writer->room : 8;
    sae_status status =
        saei_grow(&writer->outputs, writer->context, writer->n_outputs, room, sizeof *writer->outputs, err);
    if (status == SAE_OK)
        writer->room = room;
    return status;
}

static sae_status add(size_t *out, saei_hdf5_writer *writer, const char *name, saei_dtype dtype, bool plain,
                      uint64_t rows, uint64_t columns, sae_error *err)
{
    output o = {.id = -1, .dtype = dtype, .columns = columns, .plain = plain};
    sae_status status = check_new(writer, name, dtype, columns, err);
    if (status == SAE_OK)
        status = make_room(writer, err);
    if (status == SAE_OK)
        status = saei_strdup(&o.name, writer->context, name, err);
    if (status != SAE_OK)
        return status;
    o.row_bytes = saei_dtype_size(dtype) * (columns > 0 ? columns : 1);
    o.chunk_rows = o.row_bytes < CHUNK_BYTES ? CHUNK_BYTES / o.row_bytes : 1;
    o.crc = crc32_z(0, NULL, 0);
    saei_hdf5_guard guard = saei_hdf5_enter();
    status = create_dataset(writer, &o, rows, err);
    saei_hdf5_leave(guard);
    if (status != SAE_OK) {
        saei_free(writer->context, o.name);
        return status;
    }
    *out = writer->n_outputs;
    writer->outputs[writer->n_outputs++] = o;
    return SAE_OK;
}

sae_status saei_hdf5_writer_add(size_t *out, saei_hdf5_writer *writer, const char *name, saei_dtype dtype,
                                uint64_t columns, sae_error *err)
{
    return add(out, writer, name, dtype, false, 0, columns, err);
}

sae_status saei_hdf5_writer_add_plain(size_t *out, saei_hdf5_writer *writer, const char *name,
                                      saei_dtype dtype, uint64_t rows, uint64_t columns, sae_error *err)
{
    return add(out, writer, name, dtype, true, rows, columns, err);
}

static sae_status extend_and_write(saei_hdf5_writer *writer, const output *o, const void *rows,
                                   uint64_t count, sae_error *err)
{
    const hsize_t extent[2] = {o->rows + count, o->columns}, start[2] = {o->rows, 0},
                  block[2] = {count, o->columns};
    if (!o->plain && H5Dset_extent(o->id, extent) < 0)
        return failed(writer, err, "extend the dataset", o->name);
    sae_status status = SAE_OK;
    hid_t memory = H5Screate_simple(o->columns > 0 ? 2 : 1, block, NULL), space = H5Dget_space(o->id);
    if (memory < 0 || space < 0 || H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, block, NULL) < 0 ||
        H5Dwrite(o->id, file_type(writer, o->dtype), memory, space, H5P_DEFAULT, rows) < 0)
        status = failed(writer, err, "write rows of", o->name);
    if (space >= 0)
        H5Sclose(space);
    if (memory >= 0)
        H5Sclose(memory);
    return status;
}

sae_status saei_hdf5_writer_append(saei_hdf5_writer *writer, size_t dataset, const void *rows, uint64_t count,
                                   sae_error *err)
{
    output *o = &writer->outputs[dataset];
    uint64_t bytes, total;
    if (__builtin_mul_overflow(count, o->row_bytes, &bytes) || bytes > SIZE_MAX ||
        __builtin_add_overflow(o->rows, count, &total) || total > INT64_MAX)
        return saei_fail(err, SAE_E_ARGUMENT, "%s: dataset %.80s would be too large", writer->shown, o->name);
    if (count == 0)
        return SAE_OK;
    saei_hdf5_guard guard = saei_hdf5_enter();
    sae_status status = extend_and_write(writer, o, rows, count, err);
    saei_hdf5_leave(guard);
    if (status == SAE_OK)
        status = check_writes(writer, err);
    o->rows = total;
    o->crc = crc32_z(o->crc, rows, (size_t)bytes);
    return status;
}

/* Fixed-length text: libhdf5's variable-length strings write heap bytes that differ from run to run. */
static bool write_attribute(hid_t file, const char *name, const char *value)
{
    size_t length = strlen(value);
    hid_t attribute = H5I_INVALID_HID, type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR);
    if (type >= 0 && space >= 0 && H5Tset_size(type, length + 1) >= 0 &&
        H5Tset_cset(type, H5T_CSET_UTF8) >= 0)
        attribute = H5Acreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    bool written = attribute >= 0 && H5Awrite(attribute, type, value) >= 0;
    if (attribute >= 0 && H5Aclose(attribute) < 0)
        written = false;
    if (space >= 0)
        H5Sclose(space);
    if (type >= 0)
        H5Tclose(type);
    return written;
}

sae_status saei_hdf5_writer_attribute(saei_hdf5_writer *writer, const char *name, const char *value,
                                      sae_error *err)
{
    sae_status status = SAE_OK;
    saei_hdf5_guard guard = saei_hdf5_enter();
    if (!write_attribute(writer->file, name, value))
        status = failed(writer, err, "write the attribute", name);
    saei_hdf5_leave(guard);
    return status;
}

static sae_status close_file(saei_hdf5_writer *writer, sae_error *err)
{
    sae_status status = SAE_OK;
    saei_hdf5_guard guard = saei_hdf5_enter();
    for (size_t i = 0; i < writer->n_outputs; i++) {
        if (writer->outputs[i].id >= 0 && H5Dclose(writer->outputs[i].id) < 0)
            status = failed(writer, err, "write the dataset", writer->outputs[i].name);
        writer->outputs[i].id = -1;
    }
    if (writer->file >= 0 && H5Fclose(writer->file) < 0)
        status = failed(writer, err, "close", "the whole file");
    if (writer->driver >= 0)
        H5FDunregister(writer->driver);
    if (writer->half >= 0)
        H5Tclose(writer->half);
    if (writer->brain >= 0)
        H5Tclose(writer->brain);
    writer->driver = writer->file = writer->half = writer->brain = -1;
    saei_hdf5_leave(guard);
    if (writer->sink.fd >= 0 && close(writer->sink.fd) != 0 && writer->sink.write_errno == 0)
        writer->sink.write_errno = errno;
    writer->sink.fd = -1;
    return status == SAE_OK ? check_writes(writer, err) : status;
}

static sae_status verify_output(const saei_hdf5_writer *writer, const output *o, saei_reader *reader,
                                void *block, sae_error *err)
{
    const saei_array_info *array = saei_reader_find(reader, o->name);
    if (array == NULL || array->dtype != o->dtype || array->rank != (o->columns > 0 ? 2u : 1u) ||
        array->shape[0] != o->rows || (o->columns > 0 && array->shape[1] != o->columns))
        return saei_fail(err, SAE_E_IO, "%s: dataset %.80s was not stored whole", writer->shown, o->name);
    uLong crc = crc32_z(0, NULL, 0);
    for (uint64_t done = 0; done < o->rows; done += o->chunk_rows) {
        uint64_t n = o->rows - done < o->chunk_rows ? o->rows - done : o->chunk_rows;
        sae_status status = saei_reader_read_stored(block, reader, array, done, n, err);
        if (status != SAE_OK)
            return status;
        crc = crc32_z(crc, block, (size_t)(n * o->row_bytes));
    }
    if (crc != o->crc)
        return saei_fail(err, SAE_E_IO, "%s: dataset %.80s was stored with other values", writer->shown,
                         o->name);
    return SAE_OK;
}

static sae_status verify(const saei_hdf5_writer *writer, sae_error *err)
{
    uint64_t block_bytes = 1;
    for (size_t i = 0; i < writer->n_outputs; i++) {
        uint64_t bytes = writer->outputs[i].chunk_rows * writer->outputs[i].row_bytes;
        block_bytes = bytes > block_bytes ? bytes : block_bytes;
    }
    saei_reader *reader = NULL;
    void *block;
    sae_status status = saei_alloc(&block, writer->context, (size_t)block_bytes, 1, err);
    if (status == SAE_OK)
        status = saei_reader_open_trusted(&reader, writer->context, writer->path, err);
    for (size_t i = 0; status == SAE_OK && i < writer->n_outputs; i++)
        status = verify_output(writer, &writer->outputs[i], reader, block, err);
    saei_reader_free(reader);
    saei_free(writer->context, block);
    return status;
}

sae_status saei_hdf5_writer_finish(saei_hdf5_writer **handle, sae_error *err)
{
    saei_hdf5_writer *writer = *handle;
    *handle = NULL;
    sae_status status = SAE_OK;
    if (writer->failed)
        status = saei_fail(err, SAE_E_IO, "%s: not finished, since an earlier write failed", writer->shown);
    if (status == SAE_OK)
        status = close_file(writer, err);
    if (status == SAE_OK)
        status = verify(writer, err);
    saei_hdf5_writer_discard(writer);
    return status;
}

void saei_hdf5_writer_discard(saei_hdf5_writer *writer)
{
    if (writer == NULL)
        return;
    close_file(writer, NULL);
    for (size_t i = 0; i < writer->n_outputs; i++)
        saei_free(writer->context, writer->outputs[i].name);
    saei_free(writer->context, writer->outputs);
    saei_free(writer->context, writer->shown);
    saei_free(writer->context, writer->path);
    saei_free(writer->context, writer);
}

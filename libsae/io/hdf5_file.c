/* The types of the file are read as they are and converted by us: libhdf5 converts halves at a hundredth of
   the speed. Whatever would make libhdf5 open other files, run foreign code or allocate without bound is
   refused when the file is opened. */
#include "io/hdf5_file.h"
#include "base/context.h"
#include "base/error.h"
#include "base/memory.h"
#include "io/hdf5_source.h"
#include "io/reader_format.h"
#include "num/convert.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    OBJECTS_MAX = 65536,
    PATH_BYTES_MAX = 1024,
    ATTRIBUTES_MAX = 1000,
    ATTRIBUTE_BYTES_MAX = 1 << 20,
    DEFLATE_RATIO_MAX = 1032, /* bytes out per byte in, zlib's own bound */
    CACHE_BYTES_MIN = 1 << 20,
    CACHE_BYTES_MAX = 64 << 20
};

struct saei_hdf5_file {
    sae_context *context;
    saei_reader *reader;
    saei_hdf5_source source;
    hid_t id;
    saei_hdf5_dataset *datasets; /* as the arrays of the reader */
    saei_chunk_table chunks;
    size_t n_datasets, room;
    hid_t open_id; /* the dataset read last stays open and keeps its chunks cached; -1: none */
    size_t open_index;
};

static bool float_dtype(saei_dtype *out, hid_t type)
{
    static const struct {
        saei_dtype dtype;
        size_t size, exponent_at, exponent_bits, fraction_bits, bias;
    } known[] = {
        {SAEI_F16, 2, 10, 5, 10, 15},
        {SAEI_BF16, 2, 7, 8, 7, 127},
        {SAEI_F32, 4, 23, 8, 23, 127},
        {SAEI_F64, 8, 52, 11, 52, 1023},
    };
    size_t sign_at, exponent_at, exponent_bits, fraction_at, fraction_bits, size = H5Tget_size(type);
    if (H5Tget_fields(type, &sign_at, &exponent_at, &exponent_bits, &fraction_at, &fraction_bits) < 0)
        return false;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (size == known[i].size && sign_at == 8 * size - 1 && exponent_at == known[i].exponent_at &&
            exponent_bits == known[i].exponent_bits && fraction_at == 0 &&
            fraction_bits == known[i].fraction_bits && H5Tget_ebias(type) == known[i].bias &&
            H5Tget_norm(type) == H5T_NORM_IMPLIED && H5Tget_precision(type) == 8 * size &&
            H5Tget_offset(type) == 0) {
            *out = known[i].dtype;
            return true;
        }
    return false;
}

static bool integer_dtype(saei_dtype *out, hid_t type)
{
    static const saei_dtype by_sign_and_width[2][4] = {
        {SAEI_U8, SAEI_U16, SAEI_U32, SAEI_U64},
        {SAEI_I8, SAEI_I16, SAEI_I32, SAEI_I64},
    };
    size_t size = H5Tget_size(type), log = size == 1 ? 0 : size == 2 ? 1 : size == 4 ? 2 : 3;
    H5T_sign_t sign = H5Tget_sign(type);
    if (size != (size_t)1 << log || H5Tget_precision(type) != 8 * size || H5Tget_offset(type) != 0 ||
        (sign != H5T_SGN_NONE && sign != H5T_SGN_2))
        return false;
    *out = by_sign_and_width[sign == H5T_SGN_2][log];
    return true;
}

/* h5py stores bool as an enum of int8 with two members. Other enums are their integers. */
static bool enum_dtype(saei_dtype *out, hid_t type)
{
    hid_t base = H5Tget_super(type);
    bool known = base >= 0 && H5Tget_class(base) == H5T_INTEGER && integer_dtype(out, base);
    if (known && H5Tget_size(type) == 1 && H5Tget_nmembers(type) == 2)
        *out = SAEI_BOOL;
    if (base >= 0)
        H5Tclose(base);
    return known;
}

/* false: no number that we read (text, compound, opaque …). */
static bool number_dtype(saei_dtype *out, bool *big_endian, hid_t type)
{
    H5T_class_t class = H5Tget_class(type);
    H5T_order_t order = H5T_ORDER_LE;
    if (class == H5T_INTEGER || class == H5T_FLOAT)
        order = H5Tget_order(type);
    else if (class == H5T_ENUM && H5Tget_size(type) > 1) {
        hid_t base = H5Tget_super(type);
        order = base >= 0 ? H5Tget_order(base) : H5T_ORDER_ERROR;
        if (base >= 0)
            H5Tclose(base);
    }
    if (order != H5T_ORDER_LE && order != H5T_ORDER_BE)
        return false;
    *big_endian = order == H5T_ORDER_BE;
    switch (class) {
    case H5T_INTEGER:
        return integer_dtype(out, type);
    case H5T_FLOAT:
        return float_dtype(out, type);
    case H5T_ENUM:
        return enum_dtype(out, type);
    default:
        return false;
    }
}

static bool is_known_filter(H5Z_filter_t filter)
{
    return filter == H5Z_FILTER_DEFLATE || filter == H5Z_FILTER_SHUFFLE || filter == H5Z_FILTER_FLETCHER32 ||
           filter == H5Z_FILTER_SCALEOFFSET;
}

/* Each of the known filters at most once: a chain of deflates has no bound. */
static sae_status check_filters(const char *path, const char *name, hid_t properties, sae_error *err)
{
    int n = H5Pget_nfilters(properties), uses[H5Z_FILTER_SCALEOFFSET + 1] = {0};
    if (n < 0)
        return saei_hdf5_fail(err, SAE_E_FORMAT, "%s: dataset %.80s: damaged filters", path, name);
    for (int i = 0; i < n; i++) {
        unsigned flags, values[8];
        size_t n_values = 8;
        char filter_name[32] = "";
        H5Z_filter_t filter = H5Pget_filter2(properties, (unsigned)i, &flags, &n_values, values,
                                             sizeof filter_name, filter_name, NULL);
        if (!is_known_filter(filter))
            return saei_fail(err, SAE_E_UNSUPPORTED,
                             "%s: dataset %.80s uses the filter %.31s (%d); rewrite it: h5repack -f GZIP=4",
                             path, name, *filter_name != '\0' ? filter_name : "without a name", (int)filter);
        if (++uses[filter] > 1)
            return saei_fail(err, SAE_E_UNSUPPORTED, "%s: dataset %.80s applies one filter twice", path,
                             name);
    }
    return SAE_OK;
}

/* packing->known: whether our threads can undo the filters, for elements of `item` bytes. */
static void read_packing(saei_hdf5_packing *packing, hid_t properties, size_t item)
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

/* Fills the chunk sizes of *data and info->chunk_rows. */
static sae_status read_chunks(saei_hdf5_dataset *data, saei_array_info *info, const char *path,
                              hid_t properties, sae_error *err)
{
    hsize_t chunk[SAEI_ARRAY_RANK_MAX];
    bool sane = H5Pget_chunk(properties, SAEI_ARRAY_RANK_MAX, chunk) == (int)info->rank;
    uint64_t chunk_bytes = saei_dtype_size(info->dtype), chunks = 1;
    for (size_t axis = 0; sane && axis < info->rank; axis++) {
        sane = chunk[axis] > 0 && !__builtin_mul_overflow(chunk_bytes, (uint64_t)chunk[axis], &chunk_bytes);
        if (sane && axis > 0)
            sane = !__builtin_mul_overflow(chunks, info->shape[axis] / chunk[axis] + 1, &chunks);
        data->packing.chunk[axis] = chunk[axis];
    }
    if (!sane || chunk_bytes > UINT32_MAX || __builtin_mul_overflow(chunk_bytes, chunks, &data->band_bytes))
        return saei_fail(err, SAE_E_FORMAT, "%s: dataset %.80s: impossible chunk sizes", path, info->name);
    data->packing.chunk_bytes = chunk_bytes;
    info->chunk_rows = chunk[0];
    read_packing(&data->packing, properties, saei_dtype_size(info->dtype));
    info->packed_bytes = data->packing.known ? chunk_bytes : 0;
    return SAE_OK;
}

/* A dataset may claim petabytes that were never written: the bytes stored must be able to hold it. */
static sae_status check_storage(saei_hdf5_dataset *data, const saei_array_info *info,
                                const saei_reader *reader, hid_t id, bool chunked, sae_error *err)
{
    const char *path = saei_reader_path(reader);
    uint64_t bytes = saei_dtype_size(info->dtype), stored = H5Dget_storage_size(id);
    uint64_t file_bytes = saei_reader_input(reader)->bytes;
    for (size_t axis = 0; axis < info->rank; axis++)
        if (__builtin_mul_overflow(bytes, info->shape[axis], &bytes))
            return saei_fail(err, SAE_E_FORMAT, "%s: dataset %.80s has an impossible shape", path,
                             info->name);
    if (bytes == 0)
        return SAE_OK;
    if (stored == 0)
        return saei_fail(err, SAE_E_FORMAT, "%s: dataset %.80s was created but never written", path,
                         info->name);
    uint64_t can_hold = stored;
    if (chunked && __builtin_mul_overflow(stored, (uint64_t)DEFLATE_RATIO_MAX, &can_hold))
        can_hold = UINT64_MAX;
    if (stored > file_bytes || bytes > can_hold)
        return saei_fail(err, SAE_E_FORMAT,
                         "%s: dataset %.80s claims %llu bytes, but %llu are stored in a file of %llu", path,
                         info->name, (unsigned long long)bytes, (unsigned long long)stored,
                         (unsigned long long)file_bytes);
    haddr_t at = chunked ? HADDR_UNDEF : H5Dget_offset(id);
    if (at != HADDR_UNDEF && (at > file_bytes || bytes > file_bytes - at))
        return saei_fail(err, SAE_E_FORMAT, "%s: dataset %.80s lies beyond the end of the file", path,
                         info->name);
    if (at != HADDR_UNDEF)
        data->offset = at;
    return SAE_OK;
}

static sae_status check_layout(saei_hdf5_dataset *data, saei_array_info *info, const saei_reader *reader,
                               hid_t id, sae_error *err)
{
    const char *path = saei_reader_path(reader);
    hid_t properties = H5Dget_create_plist(id);
    if (properties < 0)
        return saei_hdf5_fail(err, SAE_E_FORMAT, "%s: dataset %.80s is damaged", path, info->name);
    sae_status status = SAE_OK;
    bool chunked = false;
    H5D_layout_t layout = H5Pget_layout(properties);
    if (layout == H5D_VIRTUAL)
        status = saei_fail(err, SAE_E_UNSUPPORTED,
                           "%s: dataset %.80s is virtual (its data is in other files); give those files",
                           path, info->name);
    else if (H5Pget_external_count(properties) != 0)
        status = saei_fail(err, SAE_E_UNSUPPORTED,
                           "%s: dataset %.80s keeps its data in another file; save it into this one", path,
                           info->name);
    else if (layout != H5D_CONTIGUOUS && layout != H5D_COMPACT && layout != H5D_CHUNKED)
        status = saei_fail(err, SAE_E_FORMAT, "%s: dataset %.80s has an unknown layout", path, info->name);
    else if (layout == H5D_CHUNKED) {
        chunked = true;
        status = read_chunks(data, info, path, properties, err);
    }
    if (status == SAE_OK)
        status = check_filters(path, info->name, properties, err);
    if (status == SAE_OK)
        status = check_storage(data, info, reader, id, chunked, err);
    H5Pclose(properties);
    return status;
}

/* *is_array = false: a null dataspace. */
static sae_status read_shape(bool *is_array, saei_array_info *info, const char *path, hid_t id,
                             sae_error *err)
{
    *is_array = false;
    hid_t space = H5Dget_space(id);
    if (space < 0)
        return saei_hdf5_fail(err, SAE_E_FORMAT, "%s: dataset %.80s has a damaged shape", path, info->name);
    hsize_t shape[H5S_MAX_RANK];
    sae_status status = SAE_OK;
    H5S_class_t class = H5Sget_simple_extent_type(space);
    int rank = H5Sget_simple_extent_ndims(space);
    if (class != H5S_NULL && (rank < 0 || H5Sget_simple_extent_dims(space, shape, NULL) != rank))
        status = saei_hdf5_fail(err, SAE_E_FORMAT, "%s: dataset %.80s has a damaged shape", path, info->name);
    else if (rank > SAEI_ARRAY_RANK_MAX)
        status = saei_fail(err, SAE_E_UNSUPPORTED, "%s: dataset %.80s has %d axes; at most %d are read", path,
                           info->name, rank, SAEI_ARRAY_RANK_MAX);
    else if (class != H5S_NULL) {
        *is_array = true;
        info->rank = (size_t)rank;
        for (size_t axis = 0; axis < info->rank; axis++)
            info->shape[axis] = shape[axis];
    }
    H5Sclose(space);
    return status;
}

static sae_status keep_dataset(saei_hdf5_file *file, const saei_array_info *info,
                               const saei_hdf5_dataset *data, sae_error *err)
{
    sae_status status = SAE_OK;
    if (file->n_datasets == file->room) {
        size_t room = file->room > 0 ? 2 * file->room : 16;
        status =
            saei_grow(&file->datasets, file->context, file->n_datasets, room, sizeof *file->datasets, err);
        if (status == SAE_OK)
            file->room = room;
    }
    if (status == SAE_OK)
        status = saei_reader_add_array(file->reader, info, err);
    if (status == SAE_OK)
        file->datasets[file->n_datasets++] = *data;
    return status;
}

/* Adds the dataset at `name` when it holds numbers; others are left out. */
static sae_status add_dataset(saei_hdf5_file *file, const char *name, sae_error *err)
{
    const char *path = saei_reader_path(file->reader);
    saei_array_info info = {.name = name};
    saei_hdf5_dataset data = {.offset = SAEI_HDF5_NOT_PLAIN};
    hid_t id = H5Dopen2(file->id, name, H5P_DEFAULT);
    if (id < 0)
        return saei_hdf5_fail(err, SAE_E_FORMAT, "%s: dataset %.80s cannot be opened", path, name);
    hid_t type = H5Dget_type(id);
    sae_status status = SAE_OK;
    bool is_array = false;
    if (type < 0)
        status = saei_hdf5_fail(err, SAE_E_FORMAT, "%s: dataset %.80s has a damaged type", path, name);
    else if (number_dtype(&info.dtype, &data.packing.big_endian, type))
        status = read_shape(&is_array, &info, path, id, err);
    if (status == SAE_OK && is_array)
        status = check_layout(&data, &info, file->reader, id, err);
    saei_hdf5_place(&info, &data, saei_reader_run(file->reader));
    if (status == SAE_OK && is_array)
        status = keep_dataset(file, &info, &data, err);
    if (type >= 0)
        H5Tclose(type);
    H5Dclose(id);
    return status;
}

/* The walk over the groups: a list instead of recursion, each object once, links that leave the file or name
   a path are not followed. */
typedef struct walk {
    saei_hdf5_file *file;
    char **groups; /* paths found; those before `next` are done */
    size_t n_groups, groups_room, next;
    haddr_t *seen;
    size_t n_seen, seen_room, n_objects, n_outside; /* the last: links to other files */
    sae_status status;
    sae_error *err;
} walk;

static sae_status was_seen(bool *out, walk *w, haddr_t address)
{
    *out = false;
    for (size_t i = 0; i < w->n_seen; i++)
        if (w->seen[i] == address) {
            *out = true;
            return SAE_OK;
        }
    if (w->n_seen == w->seen_room) {
        size_t room = w->seen_room > 0 ? 2 * w->seen_room : 64;
        sae_status status = saei_grow(&w->seen, w->file->context, w->n_seen, room, sizeof *w->seen, w->err);
        if (status != SAE_OK)
            return status;
        w->seen_room = room;
    }
    w->seen[w->n_seen++] = address;
    return SAE_OK;
}

static sae_status add_group(walk *w, const char *path)
{
    if (w->n_groups == w->groups_room) {
        size_t room = w->groups_room > 0 ? 2 * w->groups_room : 16;
        sae_status status =
            saei_grow(&w->groups, w->file->context, w->n_groups, room, sizeof *w->groups, w->err);
        if (status != SAE_OK)
            return status;
        w->groups_room = room;
    }
    sae_status status = saei_strdup(&w->groups[w->n_groups], w->file->context, path, w->err);
    if (status == SAE_OK)
        w->n_groups++;
    return status;
}

static sae_status visit_object(walk *w, const char *path, const H5O_info_t *object)
{
    if (++w->n_objects > OBJECTS_MAX)
        return saei_fail(w->err, SAE_E_UNSUPPORTED, "%s: more than %d objects",
                         saei_reader_path(w->file->reader), OBJECTS_MAX);
    bool seen = false;
    if (object->type == H5O_TYPE_GROUP || object->rc > 1) {
        sae_status status = was_seen(&seen, w, object->addr);
        if (status != SAE_OK || seen)
            return status;
    }
    if (object->type == H5O_TYPE_GROUP)
        return add_group(w, path);
    return object->type == H5O_TYPE_DATASET ? add_dataset(w->file, path, w->err) : SAE_OK;
}

static herr_t visit_link(hid_t group, const char *name, const H5L_info_t *link, void *user)
{
    walk *w = user;
    w->n_outside += link->type == H5L_TYPE_EXTERNAL;
    if (link->type != H5L_TYPE_HARD)
        return 0;
    const char *prefix = w->groups[w->next], *file_path = saei_reader_path(w->file->reader);
    char path[PATH_BYTES_MAX];
    int length = snprintf(path, sizeof path, "%s%s%s", prefix, *prefix != '\0' ? "/" : "", name);
    H5O_info_t object;
    if (length < 0 || (size_t)length >= sizeof path)
        w->status = saei_fail(w->err, SAE_E_UNSUPPORTED, "%s: a path in it passes %d bytes", file_path,
                              PATH_BYTES_MAX);
    else if (H5Oget_info_by_name2(group, name, &object, H5O_INFO_BASIC, H5P_DEFAULT) < 0)
        w->status = saei_hdf5_fail(w->err, SAE_E_FORMAT, "%s: object %.80s is damaged", file_path, path);
    else
        w->status = visit_object(w, path, &object);
    return w->status == SAE_OK ? 0 : -1;
}

static sae_status walk_group(walk *w)
{
    const char *path = w->groups[w->next], *file_path = saei_reader_path(w->file->reader);
    hid_t group = H5Gopen2(w->file->id, *path != '\0' ? path : "/", H5P_DEFAULT);
    if (group < 0)
        return saei_hdf5_fail(w->err, SAE_E_FORMAT, "%s: group /%.80s is damaged", file_path, path);
    hsize_t position = 0;
    herr_t result = H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, &position, visit_link, w);
    if (result < 0 && w->status == SAE_OK)
        w->status = saei_hdf5_fail(w->err, SAE_E_FORMAT, "%s: group /%.80s is damaged", file_path, path);
    H5Gclose(group);
    return w->status;
}

static sae_status find_datasets(saei_hdf5_file *file, sae_error *err)
{
    walk w = {.file = file, .status = SAE_OK, .err = err};
    H5O_info_t root;
    bool seen;
    sae_status status = SAE_OK;
    if (H5Oget_info_by_name2(file->id, "/", &root, H5O_INFO_BASIC, H5P_DEFAULT) < 0)
        status = saei_hdf5_fail(err, SAE_E_FORMAT, "%s: the root group is damaged",
                                saei_reader_path(file->reader));
    if (status == SAE_OK)
        status = was_seen(&seen, &w, root.addr);
    if (status == SAE_OK)
        status = add_group(&w, "");
    for (; status == SAE_OK && w.next < w.n_groups; w.next++)
        status = walk_group(&w);
    if (status == SAE_OK && w.n_outside > 0 && file->n_datasets == 0)
        status = saei_fail(
            err, SAE_E_UNSUPPORTED,
            "%s: has links to other files instead of data, which are not followed; give those files",
            saei_reader_path(file->reader));
    for (size_t i = 0; i < w.n_groups; i++)
        saei_free(file->context, w.groups[i]);
    saei_free(file->context, w.groups);
    saei_free(file->context, w.seen);
    return status;
}

static sae_status add_text_attribute(saei_hdf5_file *file, const char *name, hid_t attribute, hid_t type,
                                     sae_error *err)
{
    hid_t memory = H5Tcopy(type);
    size_t size = H5Tget_size(type);
    char *text = NULL;
    sae_status status = SAE_OK;
    if (memory >= 0 && H5Tis_variable_str(type) > 0) {
        if (H5Aread(attribute, memory, &text) >= 0 && text != NULL)
            status = saei_reader_add_attribute(file->reader, name, text, err);
        if (text != NULL)
            H5free_memory(text);
    } else if (memory >= 0 && size > 0 && size <= ATTRIBUTE_BYTES_MAX) {
        status = saei_alloc(&text, file->context, size + 1, 1, err);
        if (status == SAE_OK && H5Aread(attribute, memory, text) >= 0)
            status = saei_reader_add_attribute(file->reader, name, text, err);
        saei_free(file->context, text);
    }
    if (memory >= 0)
        H5Tclose(memory);
    return status;
}

static sae_status add_number_attribute(saei_hdf5_file *file, const char *name, hid_t attribute,
                                       H5T_class_t class, sae_error *err)
{
    char text[40];
    long long integer;
    double number;
    if (class == H5T_INTEGER && H5Aread(attribute, H5T_NATIVE_LLONG, &integer) >= 0)
        snprintf(text, sizeof text, "%lld", integer);
    else if (class == H5T_FLOAT && H5Aread(attribute, H5T_NATIVE_DOUBLE, &number) >= 0)
        snprintf(text, sizeof text, "%.17g", number);
    else
        return SAE_OK;
    return saei_reader_add_attribute(file->reader, name, text, err);
}

/* Attributes of the root that hold one text or number; the others are left out, and so are damaged ones: no
   number in a result depends on them. */
static sae_status add_attributes(saei_hdf5_file *file, sae_error *err)
{
    H5O_info_t root;
    if (H5Oget_info_by_name2(file->id, "/", &root, H5O_INFO_NUM_ATTRS, H5P_DEFAULT) < 0)
        return SAE_OK;
    sae_status status = SAE_OK;
    for (hsize_t i = 0; status == SAE_OK && i < root.num_attrs && i < ATTRIBUTES_MAX; i++) {
        hid_t id = H5Aopen_by_idx(file->id, "/", H5_INDEX_NAME, H5_ITER_INC, i, H5P_DEFAULT, H5P_DEFAULT);
        if (id < 0)
            continue;
        hid_t type = H5Aget_type(id), space = H5Aget_space(id);
        char name[256];
        if (type >= 0 && space >= 0 && H5Sget_simple_extent_npoints(space) == 1 &&
            H5Aget_name(id, sizeof name, name) > 0) {
            H5T_class_t class = H5Tget_class(type);
            status = class == H5T_STRING ? add_text_attribute(file, name, id, type, err)
                                         : add_number_attribute(file, name, id, class, err);
        }
        if (space >= 0)
            H5Sclose(space);
        if (type >= 0)
            H5Tclose(type);
        H5Aclose(id);
    }
    return status;
}

static sae_status open_file(saei_hdf5_file *file, sae_error *err)
{
    const char *path = saei_reader_path(file->reader);
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    file->source.input = saei_reader_input(file->reader);
    if (access < 0 || H5Pset_fclose_degree(access, H5F_CLOSE_STRONG) < 0 ||
        !saei_hdf5_source_use(access, &file->source)) {
        if (access >= 0)
            H5Pclose(access);
        return saei_hdf5_fail(err, SAE_E_IO, "%s: cannot set up HDF5", path);
    }
    file->id = H5Fopen(path, H5F_ACC_RDONLY, access);
    sae_status status =
        file->id >= 0 ? SAE_OK : saei_hdf5_fail(err, SAE_E_FORMAT, "%s: damaged or cut off", path);
    H5Pclose(access);
    return status;
}

/* Opens a dataset with a cache for the chunks of one band, so that reads that end inside a chunk do not
   inflate it again. */
static sae_status open_dataset(saei_hdf5_file *file, size_t index, const saei_array_info *info,
                               sae_error *err)
{
    if (file->open_id >= 0 && file->open_index == index)
        return SAE_OK;
    if (file->open_id >= 0)
        H5Dclose(file->open_id);
    uint64_t cache = file->datasets[index].band_bytes;
    if (cache > CACHE_BYTES_MAX || cache > saei_memory_left(file->context) / 4 || cache < CACHE_BYTES_MIN)
        cache = CACHE_BYTES_MIN;
    hid_t access = H5Pcreate(H5P_DATASET_ACCESS);
    if (access >= 0)
        H5Pset_chunk_cache(access, 521, (size_t)cache, H5D_CHUNK_CACHE_W0_DEFAULT);
    file->open_id = access >= 0 ? H5Dopen2(file->id, info->name, access) : -1;
    file->open_index = index;
    sae_status status = SAE_OK;
    if (file->open_id < 0)
        status = saei_hdf5_fail(err, SAE_E_FORMAT, "%s: dataset %.80s cannot be opened",
                                saei_reader_path(file->reader), info->name);
    if (access >= 0)
        H5Pclose(access);
    return status;
}

static sae_status read_slab(void *out, saei_hdf5_file *file, const saei_array_info *info, uint64_t first,
                            uint64_t count, sae_error *err)
{
    hsize_t start[SAEI_ARRAY_RANK_MAX] = {0}, extent[SAEI_ARRAY_RANK_MAX] = {0};
    for (size_t axis = 0; axis < info->rank; axis++)
        extent[axis] = info->shape[axis];
    if (info->rank > 0) {
        start[0] = first;
        extent[0] = count;
    }
    int rank = (int)info->rank;
    hid_t type = H5Dget_type(file->open_id), space = H5Dget_space(file->open_id);
    hid_t memory = rank > 0 ? H5Screate_simple(rank, extent, NULL) : H5Screate(H5S_SCALAR);
    bool read = type >= 0 && space >= 0 && memory >= 0 &&
                (rank == 0 || H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, extent, NULL) >= 0) &&
                H5Dread(file->open_id, type, memory, space, H5P_DEFAULT, out) >= 0;
    sae_status status =
        read ? SAE_OK
             : saei_hdf5_fail(err, SAE_E_FORMAT, "%s: dataset %.80s: cannot read entries %llu to %llu",
                              saei_reader_path(file->reader), info->name, (unsigned long long)first,
                              (unsigned long long)(first + count - 1));
    if (memory >= 0)
        H5Sclose(memory);
    if (space >= 0)
        H5Sclose(space);
    if (type >= 0)
        H5Tclose(type);
    return status;
}

/* libhdf5 holds a chunk stored, inflated and unshuffled, out of our allocator's sight. */
static sae_status check_chunk_memory(const saei_hdf5_file *file, size_t array, sae_error *err)
{
    uint64_t chunk_bytes = file->datasets[array].packing.chunk_bytes;
    if (chunk_bytes <= saei_memory_left(file->context) / 3)
        return SAE_OK;
    return saei_fail(err, SAE_E_MEMORY, "%s: dataset %.80s: chunks of %.1f MB do not fit the memory limit",
                     saei_reader_path(file->reader), saei_reader_at(file->reader, array)->name,
                     (double)chunk_bytes / 1e6);
}

sae_status saei_hdf5_file_read(void *out, saei_hdf5_file *file, size_t array, uint64_t first, uint64_t count,
                               sae_error *err)
{
    const saei_array_info *info = saei_reader_at(file->reader, array);
    sae_status status = check_chunk_memory(file, array, err);
    if (status != SAE_OK)
        return status;
    saei_hdf5_guard guard = saei_hdf5_enter();
    status = open_dataset(file, array, info, err);
    if (status == SAE_OK)
        status = read_slab(out, file, info, first, count, err);
    saei_hdf5_leave(guard);
    if (status == SAE_OK && file->datasets[array].packing.big_endian)
        saei_swap_bytes(out, saei_dtype_size(info->dtype), (size_t)(count * saei_array_entry(info)));
    return status;
}

/* Where libhdf5 would read the chunk that begins at `start`. Nowhere, when it fails to: there is no such
   chunk, or the file is damaged, which libhdf5 will say when it reads the entries itself. */
static saei_chunk_place place_of_chunk(saei_hdf5_file *file, const uint64_t start[SAEI_ARRAY_RANK_MAX],
                                       size_t rank)
{
    hsize_t at[SAEI_ARRAY_RANK_MAX];
    uint32_t mask;
    for (size_t axis = 0; axis < rank; axis++)
        at[axis] = start[axis];
    saei_hdf5_source *source = &file->source;
    source->n_noted = 0;
    bool found = H5Dread_chunk(file->open_id, H5P_DEFAULT, at, &mask, &source->nowhere) >= 0;
    return found && source->n_noted == 1 ? (saei_chunk_place){source->at, source->bytes, mask, 0}
                                         : (saei_chunk_place){0};
}

sae_status saei_hdf5_file_find_chunks(saei_chunk_place *out, saei_hdf5_file *file, size_t array,
                                      uint64_t first, uint64_t count, sae_error *err)
{
    const saei_array_info *info = saei_reader_at(file->reader, array);
    saei_chunk_grid grid = saei_chunk_grid_of(&file->datasets[array].packing, info, first, count);
    saei_hdf5_guard guard = saei_hdf5_enter();
    sae_status status = open_dataset(file, array, info, err);
    for (size_t i = 0; status == SAE_OK && i < grid.n_chunks; i++) {
        uint64_t start[SAEI_ARRAY_RANK_MAX];
        saei_chunk_grid_start(start, &grid, i);
        out[i] = place_of_chunk(file, start, grid.rank);
    }
    saei_hdf5_leave(guard);
    return status;
}

static sae_status find_own_chunks(saei_chunk_place *out, void *state, size_t array, uint64_t first,
                                  uint64_t count, sae_error *err)
{
    return saei_hdf5_file_find_chunks(out, state, array, first, count, err);
}

saei_chunk_table *saei_hdf5_file_chunk_table(saei_hdf5_file *file)
{
    return &file->chunks;
}

const saei_reader *saei_hdf5_file_reader(const saei_hdf5_file *file)
{
    return file->reader;
}

const saei_hdf5_dataset *saei_hdf5_file_dataset(const saei_hdf5_file *file, size_t array)
{
    return &file->datasets[array];
}

void saei_hdf5_file_close(saei_hdf5_file *file)
{
    if (file == NULL)
        return;
    saei_hdf5_guard guard = saei_hdf5_enter();
    if (file->open_id >= 0)
        H5Dclose(file->open_id);
    if (file->id >= 0)
        H5Fclose(file->id);
    saei_hdf5_source_end(&file->source);
    saei_hdf5_leave(guard);
    saei_chunk_table_clear(&file->chunks);
    saei_free(file->context, file->datasets);
    saei_free(file->context, file);
}

sae_status saei_hdf5_file_open(saei_hdf5_file **out, saei_reader *reader, sae_error *err)
{
    *out = NULL;
    saei_hdf5_file *file;
    sae_status status = saei_alloc(&file, saei_reader_context(reader), 1, sizeof *file, err);
    if (status != SAE_OK)
        return status;
    file->context = saei_reader_context(reader);
    file->reader = reader;
    file->id = file->open_id = -1;
    file->chunks = (saei_chunk_table){.reader = reader, .find = find_own_chunks, .state = file};
    saei_hdf5_guard guard = saei_hdf5_enter();
    status = open_file(file, err);
    if (status == SAE_OK)
        status = find_datasets(file, err);
    if (status == SAE_OK)
        status = add_attributes(file, err);
    saei_hdf5_leave(guard);
    if (status != SAE_OK) {
        saei_hdf5_file_close(file);
        return status;
    }
    *out = file;
    return SAE_OK;
}

/* One interface over every format that holds arrays; a format is a file that fills in saei_reader_ops. */
#ifndef SAEI_READER_H
#define SAEI_READER_H

#include "io/elements.h"
#include "io/inflater.h"

enum { SAEI_ARRAY_RANK_MAX = 8 };

/* One numeric array of a file. Names of HDF5 datasets are paths without the leading slash; a .npy is one
   array with the name "". */
typedef struct saei_array_info {
    const char *name;
    saei_dtype dtype;
    size_t rank;
    uint64_t shape[SAEI_ARRAY_RANK_MAX];
    uint64_t chunk_rows;      /* entries of the first axis that are cheap to read together; 0: any */
    uint64_t packed_bytes;    /* size of a chunk once inflated, where saei_reader_unpack_f32 is faster; 0:
                                 elsewhere */
    const saei_byte_run *run; /* where the elements lie one after the other, little-endian, from byte `start`
                                 on; NULL: they do not */
    uint64_t start;
} saei_array_info;

typedef struct saei_reader saei_reader;

/* Opens a regular file by its content, not its suffix. A file that is a Git-LFS pointer, an HTML page or a
   format that libsae does not read is named as such. Every size is checked against the file before anything
   is allocated. Reads may come from several threads; they are serialised inside. */
sae_status saei_reader_open(saei_reader **out, sae_context *context, const char *path, sae_error *err);

/* The same for a file that this process wrote itself: HDF5 is read without a worker process whatever the
   context says. */
sae_status saei_reader_open_trusted(saei_reader **out, sae_context *context, const char *path,
                                    sae_error *err);
void saei_reader_free(saei_reader *reader);

/* Gives back the memory that reads took, until the next. No read may be running. */
void saei_reader_release(saei_reader *reader);

const char *saei_reader_path(const saei_reader *reader);
uint64_t saei_reader_bytes(const saei_reader *reader); /* of the file */
/* "HDF5", "npy", "npz", "safetensors", "PyTorch" or "raw". */
const char *saei_reader_format(const saei_reader *reader);
size_t saei_reader_count(const saei_reader *reader);
const saei_array_info *saei_reader_at(const saei_reader *reader, size_t i);
const saei_array_info *saei_reader_find(const saei_reader *reader, const char *name); /* NULL: absent */
size_t saei_reader_attributes(const saei_reader *reader);
const char *saei_reader_attribute_name(const saei_reader *reader, size_t i);
const char *saei_reader_attribute_value(const saei_reader *reader, size_t i);

/* Reads entries first .. first + count - 1 along the first axis, each the product of the other axes long, and
   converts them. The caller has checked the sizes of out; asking beyond the array is SAE_E_ARGUMENT. */
sae_status saei_reader_read_f32(float *out, saei_reader *reader, const saei_array_info *array, uint64_t first,
                                uint64_t count, sae_error *err);

/* With what a read is done, and by whom. */
typedef struct saei_unpacking {
    saei_inflater *inflater;       /* for chunks of at least array->packed_bytes; NULL: none */
    const saei_lone_reader *alone; /* NULL: the pool */
} saei_unpacking;

/* As saei_reader_read_f32, and the same bits; whole packed chunks are inflated without libhdf5's lock. A
   value that is NaN or infinite makes *finite false. */
sae_status saei_reader_unpack_f32(float *out, bool *finite, saei_reader *reader, const saei_array_info *array,
                                  uint64_t first, uint64_t count, const saei_unpacking *how, sae_error *err);
/* The same as double. Integers beyond 2^53: SAE_E_UNSUPPORTED. */
sae_status saei_reader_read_f64(double *out, saei_reader *reader, const saei_array_info *array,
                                uint64_t first, uint64_t count, sae_error *err);
/* The same without conversion: little-endian, array->dtype. */
sae_status saei_reader_read_stored(void *out, saei_reader *reader, const saei_array_info *array,
                                   uint64_t first, uint64_t count, sae_error *err);

/* CRC-32 of all values of the array as little-endian float32 in C order, each NaN as 0x7fc00000. Takes memory
   for 4 MB of them, or for one entry or chunk where these are larger. */
sae_status saei_reader_crc32(uint32_t *out, saei_reader *reader, const saei_array_info *array,
                             sae_error *err);
/* Reads and checks what of the file belongs to no array but has a checksum of its own, such as other members
   of an archive. */
sae_status saei_reader_check_rest(saei_reader *reader, sae_error *err);

#endif

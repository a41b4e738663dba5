/* Dumps on disk for the tests, written by the HDF5 library itself and by hand for .npy. */
#ifndef DUMP_FILES_H
#define DUMP_FILES_H

#include "../io/temp_folder.h"

#include <hdf5.h>
#include <stdint.h>

/* descr such as "<f4"; shape such as "(3, 4)". */
static inline void write_npy(const char *name, const char *descr, const char *shape, const void *values,
                             size_t bytes)
{
    FILE *file = fopen(temp_path(name), "wb");
    ck_assert_ptr_nonnull(file);
    char header[128];
    int n = snprintf(header, sizeof header, "{'descr': '%s', 'fortran_order': False, 'shape': %s, }", descr,
                     shape);
    memset(header + n, ' ', sizeof header - (size_t)n);
    header[117] = '\n';
    ck_assert_uint_eq(fwrite("\x93NUMPY\x01\x00\x76\x00", 1, 10, file), 10);
    ck_assert_uint_eq(fwrite(header, 1, 118, file), 118);
    ck_assert_uint_eq(fwrite(values, 1, bytes, file), bytes);
    ck_assert_int_eq(fclose(file), 0);
}

static inline hid_t h5_create(const char *name)
{
    hid_t file = H5Fcreate(temp_path(name), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    ck_assert(file >= 0);
    return file;
}

/* chunk_rows 0: contiguous; otherwise chunked with gzip and shuffle. memory is the type of values, stored
   that of the file. */
static inline void h5_put(hid_t file, const char *path, hid_t stored, hid_t memory, int rank,
                          const hsize_t *shape, hsize_t chunk_rows, const void *values)
{
    hid_t space = H5Screate_simple(rank, shape, NULL), create = H5Pcreate(H5P_DATASET_CREATE);
    hid_t links = H5Pcreate(H5P_LINK_CREATE);
    ck_assert(H5Pset_create_intermediate_group(links, 1) >= 0);
    if (chunk_rows > 0) {
        hsize_t chunk[4] = {chunk_rows};
        for (int i = 1; i < rank; i++)
            chunk[i] = shape[i];
        ck_assert(H5Pset_chunk(create, rank, chunk) >= 0 && H5Pset_shuffle(create) >= 0 &&
                  H5Pset_deflate(create, 4) >= 0);
    }
    hid_t set = H5Dcreate2(file, path, stored, space, links, create, H5P_DEFAULT);
    ck_assert(set >= 0);
    ck_assert(H5Dwrite(set, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Dclose(set);
    H5Pclose(links);
    H5Pclose(create);
    H5Sclose(space);
}

#endif

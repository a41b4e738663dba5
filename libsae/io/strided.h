/* Arrays whose elements lie at strides in a run of bytes: Fortran order, PyTorch's views. */
#ifndef SAEI_STRIDED_H
#define SAEI_STRIDED_H

#include "io/byte_run.h"
#include "io/reader.h"

/* Element (i, j, …) is at byte start + (i stride[0] + j stride[1] + …) * size of dtype. The last one lies
   within the run: who makes a saei_strided has checked it. A stride of 0 repeats. */
typedef struct saei_strided {
    saei_dtype dtype;
    bool big_endian;
    size_t rank;
    uint64_t shape[SAEI_ARRAY_RANK_MAX], stride[SAEI_ARRAY_RANK_MAX];
    uint64_t start;
} saei_strided;

/* Strides of an array in C order, or in Fortran order. */
void saei_strided_pack(saei_strided *array, bool fortran_order);

/* Reads entries first .. first + count - 1 of the first axis, little-endian and in C order, as they are in
   the run; an entry has at least one element. */
sae_status saei_strided_read(void *out, const saei_strided *array, const saei_byte_run *run, uint64_t first,
                             uint64_t count, sae_error *err);

/* Whether the elements lie one after the other, little-endian and in C order. */
bool saei_strided_is_plain(const saei_strided *array);

/* Entries that are cheap to read together (saei_array_info.chunk_rows): 0 for any. */
uint64_t saei_strided_chunk_rows(const saei_strided *array, const saei_byte_run *run);

#endif

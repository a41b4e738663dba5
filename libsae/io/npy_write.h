/* The header of a .npy file; the data follow it as they lie in memory. */
#ifndef SAEI_NPY_WRITE_H
#define SAEI_NPY_WRITE_H

#include "io/dtype.h"

enum { SAEI_NPY_HEADER_BYTES = 128 };

/* Shape [rows], or [rows, columns] when columns is above 0. dtype: SAEI_F16, SAEI_F32, SAEI_F64,
   SAEI_I64, SAEI_U32, SAEI_U64, or SAEI_BF16, which NumPy reads once ml_dtypes is imported. */
void saei_npy_header(unsigned char out[SAEI_NPY_HEADER_BYTES], saei_dtype dtype, uint64_t rows,
                     uint64_t columns);

/* Any shape of rank 0 to 2. fortran: the first axis of a matrix runs fastest. */
void saei_npy_header_shaped(unsigned char out[SAEI_NPY_HEADER_BYTES], saei_dtype dtype, size_t rank,
                            const uint64_t *shape, bool fortran);

#endif

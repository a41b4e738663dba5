/* How much of a matrix is in memory while it is read or written transposed. */
#ifndef SAEI_SAFETENSORS_BAND_H
#define SAEI_SAFETENSORS_BAND_H

#include <stddef.h>

/* Rows of a float32 matrix in the file that are turned at once: up to 16, a cache line of each of their
   columns, but at most 4 MiB of them where a single row is not more. */
static inline size_t saei_safetensors_band_rows(size_t rows, size_t cols)
{
    enum { LINE = 16, FLOATS_MAX = 1 << 20 };
    size_t wanted = cols > FLOATS_MAX ? 1 : cols * LINE <= FLOATS_MAX ? LINE : FLOATS_MAX / cols;
    return wanted < rows ? wanted : rows;
}

#endif

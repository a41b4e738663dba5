#include "num/transpose.h"

/* Side of a square block: 16 floats fill a cache line, so that each line is read and written once. */
enum { SIDE = 16 };

static size_t block_end(size_t first, size_t end)
{
    return first + SIDE < end ? first + SIDE : end;
}

void saei_transpose(float *out, size_t out_stride, const float *in, size_t in_stride, size_t rows,
                    size_t cols)
{
    for (size_t r0 = 0; r0 < rows; r0 += SIDE)
        for (size_t c0 = 0; c0 < cols; c0 += SIDE)
            for (size_t r = r0; r < block_end(r0, rows); r++)
                for (size_t c = c0; c < block_end(c0, cols); c++)
                    out[c * out_stride + r] = in[r * in_stride + c];
}

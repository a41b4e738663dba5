/* Small floats and float32. To float32 bit-exact: every finite value and infinity of these types is a
   float32; NaN stays NaN (quiet). `in` may have any alignment and may be the tail of the buffer that `out`
   fills. Those of 16 bits tell whether no value is NaN or infinite. Thread-safe. */
#ifndef SAEI_CONVERT_H
#define SAEI_CONVERT_H

#include <stdbool.h>
#include <stddef.h>

bool saei_f16_to_f32(float *out, const void *in, size_t n); /* IEEE 754 binary16; F16C where the CPU has it */
bool saei_f16_to_f32_portable(float *out, const void *in, size_t n); /* the same bits on any CPU */
bool saei_bf16_to_f32(float *out, const void *in, size_t n);
void saei_f8_e4m3_to_f32(float *out, const void *in, size_t n); /* OCP E4M3: no infinity, S.1111.111 is NaN */
void saei_f8_e5m2_to_f32(float *out, const void *in, size_t n); /* OCP E5M2: the upper byte of a binary16 */

/* And back, to the nearest, ties to even; beyond the largest it becomes infinite, NaN stays NaN. `in` and
   `out` do not overlap, out may have any alignment. */
void saei_f32_to_f16(void *out, const float *in, size_t n);
void saei_f32_to_bf16(void *out, const float *in, size_t n);

/* Reverses the bytes of each of n items of item_size 1, 2, 4 or 8. */
void saei_swap_bytes(void *items, size_t item_size, size_t n);

#endif

/* Undoing HDF5's shuffle filter: first bytes of all elements, then second bytes of all, and so on. */
#ifndef SAEI_UNSHUFFLE_H
#define SAEI_UNSHUFFLE_H

#include <stddef.h>

/* Puts n elements of a shuffled chunk together into out [n * item], which must not overlap it. first: the
   first byte of the first of them; its others, and so those of each, follow at a distance of `stride` bytes,
   the elements of the chunk. item: bytes of an element; 1, 2, 4 or 8. */
void saei_unshuffle(void *out, const unsigned char *first, size_t stride, size_t n, size_t item);

#endif

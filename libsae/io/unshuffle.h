/* Undoing HDF5's shuffle filter: first bytes of all elements, then second bytes of all, and so on. */
#ifndef SAEI_UNSHUFFLE_H
#define SAEI_UNSHUFFLE_H

#include <stddef.h>

/* Puts the n elements of a shuffled chunk together into out [n * item], which must not overlap it. item:
   bytes of an element; 1, 2, 4 or 8. */
void saei_unshuffle(void *out, const unsigned char *chunk, size_t n, size_t item);

#endif

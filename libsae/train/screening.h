/* What screening learns from batch to batch. It changes what the codes cost, never the codes. */
#ifndef SAEI_SCREENING_H
#define SAEI_SCREENING_H

#include "num/encoder.h"

typedef struct saei_screening {
    float start;         /* of the next batch: saei_encoder.start */
    bool in_bytes;       /* the next packing of all latents had better be in bytes */
    bool bytes_are_slow; /* they were tried and left too much to be looked at again */
} saei_screening;

/* Takes the counts of a batch that was screened in bytes or not. bounded: all its rows had floors near the
   least code that they keep. */
void saei_screening_learn(saei_screening *screening, const saei_screen_counts *batch, size_t d,
                          size_t n_latents, bool was_in_bytes, bool bounded);

#endif

/* The rows of a dump in random order, for training: a bounded shuffle whose whole state is three numbers. */
#ifndef SAEI_BATCHES_H
#define SAEI_BATCHES_H

#include "sae/dump.h"

/* An epoch visits every training row once. Blocks of neighbouring rows are drawn in random order into a
   window, the rows of a window are given out in random order, then the next window follows. While one is
   given out, a thread of the batches reads the next into the places that become free. A dump that fits one
   window is read once and shuffled exactly. All orders come from (seed, epoch, window), none from what the
   threads do. */
typedef struct saei_batches saei_batches;

/* Where the stream is: enough to continue it bit-identically. */
typedef struct saei_batches_state {
    uint64_t epoch, window, position;
} saei_batches_state;

/* heldout: fraction of the blocks kept apart, at least one block and at most heldout_rows_max rows when above
   0; which ones depends on the dump alone. window_rows: memory at most, counted in rows of d floats and 8
   bytes; a window has as many whole blocks as fit it with what reading ahead needs, at least one. The dump
   must outlive the batches, and its context is used from a second thread. */
sae_status saei_batches_new(saei_batches **out, sae_context *context, const sae_dump *dump, double heldout,
                            uint64_t heldout_rows_max, uint64_t window_rows, uint64_t seed, sae_error *err);
/* Another user of the same stream, on the same thread; each frees it once. */
saei_batches *saei_batches_share(saei_batches *batches);
void saei_batches_free(saei_batches *batches); /* the last one waits for the read that is under way */

uint64_t saei_batches_rows(const saei_batches *batches); /* training rows of an epoch */
uint64_t saei_batches_heldout_rows(const saei_batches *batches);
/* The least window_rows that gives the same windows; give it back to replay a run. */
uint64_t saei_batches_window_rows(const saei_batches *batches);

/* The next n rows of the stream into out [n, d], across windows and epochs. A failure to read what comes next
   is told here; the call after it tries again. */
sae_status saei_batches_next(float *out, saei_batches *batches, size_t n, sae_error *err);

saei_batches_state saei_batches_tell(const saei_batches *batches);
sae_status saei_batches_seek(saei_batches *batches, saei_batches_state state, sae_error *err);

/* Reads held-out rows first .. first + n - 1, in file order, into out [n, d]. */
sae_status saei_batches_read_heldout(float *out, const saei_batches *batches, uint64_t first, size_t n,
                                     sae_error *err);

#endif

/* Reads the blocks of a shuffle window into rows that nobody needs any more, on a thread of its own. */
#ifndef SAEI_WINDOW_LOADER_H
#define SAEI_WINDOW_LOADER_H

#include "sae/dump.h"

typedef struct saei_window_loader saei_window_loader;

/* rows [n_rows, d] belongs to the caller and outlives the loader; at first all of it is free. Blocks are
   numbered over the selected rows of the dump, block_rows each but the last; they are read in pieces of at
   most piece_rows. Where no thread can be started, windows are read when they are waited for. */
sae_status saei_window_loader_new(saei_window_loader **out, sae_context *context, const sae_dump *dump,
                                  uint64_t block_rows, float *rows, size_t n_rows, size_t window_rows,
                                  size_t piece_rows, sae_error *err);
void saei_window_loader_free(saei_window_loader *loader); /* waits for the piece being read */

/* Bytes of a loader, without rows, and without the block of its reader: windows must not depend on how much
   memory a machine has. */
size_t saei_window_loader_bytes(size_t n_rows, size_t window_rows, size_t piece_rows, size_t d);

/* Begins to load a window: blocks [n_blocks] stay as they are until it is waited for or cancelled. At most
   one window at a time. */
void saei_window_loader_begin(saei_window_loader *loader, const uint64_t *blocks, size_t n_blocks);
bool saei_window_loader_busy(
    const saei_window_loader *loader); /* begun, and neither waited for nor cancelled */

/* Waits for the window. *places: where its rows lie, in the order of the blocks; valid until the next begin.
   On failure all that was read is free again. */
sae_status saei_window_loader_wait(const uint64_t **places, saei_window_loader *loader, sae_error *err);
void saei_window_loader_cancel(saei_window_loader *loader); /* nothing when it is not busy */

/* Gives n rows back. */
void saei_window_loader_release(saei_window_loader *loader, const uint64_t *places, size_t n);
/* Undoes the release of the last n rows; only while the loader is not busy. */
void saei_window_loader_take_back(saei_window_loader *loader, size_t n);

#endif

/* A running worker and the line to it. Not for several threads at once. */
#ifndef SAEI_HDF5_LINK_H
#define SAEI_HDF5_LINK_H

#include "io/hdf5_wire.h"
#include "sae/base.h"

typedef struct saei_hdf5_link saei_hdf5_link;

/* Starts a worker for the file. path: borrowed. SAE_E_NOT_FOUND: there is no worker program; SAE_E_IO: it
   cannot be started. */
sae_status saei_hdf5_link_start(saei_hdf5_link **out, sae_context *context, const char *path, sae_error *err);

/* False in a child of a fork: its parent speaks with the worker. */
bool saei_hdf5_link_is_ours(const saei_hdf5_link *link);

/* Ends the worker, whatever it does; one that is not ours is left alone. NULL is fine. */
void saei_hdf5_link_end(saei_hdf5_link *link);

/* A failure ends the worker, and every later call fails alike: SAE_E_FORMAT when it died of the file,
   SAE_E_IO when it gave no answer in time, ran out of memory, or is gone for another reason. */
sae_status saei_hdf5_link_send(saei_hdf5_link *link, const saei_hdf5_request *request, sae_error *err);

/* What the worker reports as failed is a failure here, and leaves it running. */
sae_status saei_hdf5_link_receive(saei_hdf5_reply *out, saei_hdf5_link *link, sae_error *err);
sae_status saei_hdf5_link_receive_bytes(void *out, saei_hdf5_link *link, size_t bytes, sae_error *err);

/* Makes the window at least so large; its contents are lost. Counts against the memory limit. */
sae_status saei_hdf5_link_widen(saei_hdf5_link *link, size_t bytes, sae_error *err);
const unsigned char *saei_hdf5_link_window(const saei_hdf5_link *link);
size_t saei_hdf5_link_window_bytes(const saei_hdf5_link *link);

#endif

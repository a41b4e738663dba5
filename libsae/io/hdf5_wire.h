/* What passes between us and the worker that reads an HDF5 file: fixed structs over a socket, rows and places
   of chunks in a window of memory that both map. The worker answers requests in their order. Its first reply,
   not asked for, says whether the file could be opened, and is followed by the listing. */
#ifndef SAEI_HDF5_WIRE_H
#define SAEI_HDF5_WIRE_H

#include <stdint.h>

/* Descriptors of the worker. */
enum { SAEI_HDF5_WORKER_SOCKET = 0, SAEI_HDF5_WORKER_WINDOW = 1 };

/* Changes with the structs below and with the listing: a worker of another version is refused. */
#define SAEI_HDF5_WIRE_VERSION 0x53414502u

typedef enum saei_hdf5_op {
    SAEI_HDF5_READ = 1, /* entries as by saei_format.read, from the start of the window; one reply */
    SAEI_HDF5_CHUNKS    /* a saei_chunk_place for each chunk that holds some of them; one reply */
} saei_hdf5_op;

typedef struct saei_hdf5_request {
    uint32_t op, array;
    uint64_t first, count;
    uint64_t window_bytes; /* of the window now */
} saei_hdf5_request;

typedef struct saei_hdf5_reply {
    uint32_t version, status;
    int32_t os_errno;
    uint32_t text_bytes; /* of a failure, which follow */
    int64_t offset;
    uint64_t listing_bytes; /* first reply: which follow */
    uint64_t device, inode; /* first reply: the file that was opened */
} saei_hdf5_reply;

#endif

/* What a worker gives up before it opens a file that may be hostile. For the worker alone. */
#ifndef SAEI_HDF5_SANDBOX_H
#define SAEI_HDF5_SANDBOX_H

#include <stdbool.h>
#include <stdint.h>

/* Address space for so much memory beside the program, no core file, no file larger than it is, few
   descriptors; no new programs, processes or connections; no file but the one at path, for reading. The last
   two where the kernel has seccomp and Landlock. False: a limit cannot be set. */
bool saei_hdf5_sandbox_enter(const char *path, uint64_t memory_bytes);

/* So much more CPU time from now, then SIGXCPU. */
bool saei_hdf5_sandbox_grant(unsigned seconds);

#endif

/* The files that the paths of a dump stand for: a file, all shards of a folder, or those that a pattern
 * finds. */
#ifndef SAEI_SOURCES_H
#define SAEI_SOURCES_H

#include "sae/base.h"

typedef struct saei_source {
    char *path;
    size_t store; /* index + 1 of the folder, of those with tokens for all its shards; 0: none */
} saei_source;

typedef struct saei_sources {
    sae_context *context;
    saei_source *files;
    size_t n_files, files_room;
    char **stores; /* folders whose shards have a config.json beside them */
    size_t n_stores, stores_room;
} saei_sources;

/* Expands the paths in their order. A folder gives its files of one kind (.h5, .hdf5, .npy, .npz,
   .safetensors, .pt, .pth or raw rows), numbers in their names in the order of numbers; what belongs to other
   files (NAME.COLUMN.npy, tokens.pt, side files of raw rows) is no shard. A path with * ? or [ that is no
   file is a pattern of the shell. SAE_E_NOT_FOUND: nothing there; SAE_E_UNSUPPORTED: a folder of Arrow files;
   SAE_E_ARGUMENT: a folder of several kinds. *out may be freed whether or not this fails. */
sae_status saei_sources_expand(saei_sources *out, sae_context *context, const char *const *paths,
                               size_t n_paths, sae_error *err);
void saei_sources_free(saei_sources *sources);

/* Whether text comes before other: runs of digits as numbers, all else as strcmp. */
int saei_compare_names(const char *text, const char *other);

#endif

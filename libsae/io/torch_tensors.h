/* The tensors that a pickle of torch.save describes. */
#ifndef SAEI_TORCH_TENSORS_H
#define SAEI_TORCH_TENSORS_H

#include "io/pickle.h"
#include "io/strided.h"

/* Where the bytes of a storage are. */
typedef struct saei_torch_storage {
    saei_byte_run run;
    uint64_t start, bytes; /* in the run */
} saei_torch_storage;

/* Finds the storage of a key that the pickle refers to, and checks that it has so many elements of `item`
   bytes; their product does not wrap. */
typedef sae_status (*saei_torch_storage_fn)(saei_torch_storage *out, void *user, const char *key,
                                            size_t key_length, uint64_t elements, size_t item,
                                            sae_error *err);

typedef struct saei_torch_tensor {
    char *name; /* keys and indices from the root with dots between: "state_dict.encoder.weight" */
    saei_strided array;
    saei_byte_run run;
} saei_torch_tensor;

typedef struct saei_torch_setting {
    char *name, *value;
} saei_torch_setting;

/* What was found. */
typedef struct saei_torch_tensors {
    sae_context *context;
    saei_torch_tensor *tensors;
    size_t n_tensors, tensors_room;
    saei_torch_setting *settings; /* numbers, bools and texts of dicts, with their names */
    size_t n_settings, settings_room;
} saei_torch_tensors;

typedef struct saei_torch_source {
    const saei_pickle *pickle;
    const char *path;    /* of the file, for messages */
    uint64_t data_bytes; /* of all storages together */
    saei_torch_storage_fn storage;
    void *user;
} saei_torch_source;

/* Walks dicts, lists and tuples from the root, at most 64 deep. Every tensor lies within its storage, no two
   have one name, and all together they are no more than 16 times the data and 64 MB. SAE_E_FORMAT,
   SAE_E_UNSUPPORTED. *out may be freed whether or not this fails. */
sae_status saei_torch_tensors_find(saei_torch_tensors *out, sae_context *context,
                                   const saei_torch_source *source, sae_error *err);
void saei_torch_tensors_free(saei_torch_tensors *tensors);

#endif

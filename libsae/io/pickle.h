/* Python pickles as data. Nothing is ever imported, called or built: the stream is read by a stack machine of
   the few opcodes that torch.save writes; a call stays a description of a call, and only the names below may
   be called or referred to at all. Everything else is refused by name.
   Source: pickletools of CPython; torch/serialization.py and torch/_utils.py for the names. */
#ifndef SAEI_PICKLE_H
#define SAEI_PICKLE_H

#include "io/dtype.h"

typedef enum saei_pickle_global {
    SAEI_PICKLE_ORDERED_DICT,
    SAEI_PICKLE_TENSOR,    /* torch._utils._rebuild_tensor */
    SAEI_PICKLE_TENSOR_V2, /* torch._utils._rebuild_tensor_v2 */
    SAEI_PICKLE_TENSOR_V3, /* torch._utils._rebuild_tensor_v3: with a dtype over bytes */
    SAEI_PICKLE_PARAMETER, /* torch._utils._rebuild_parameter */
    SAEI_PICKLE_SIZE,
    SAEI_PICKLE_DEVICE,
    SAEI_PICKLE_STORAGE, /* torch.FloatStorage …; of a dtype */
    SAEI_PICKLE_BYTES,   /* torch.storage.UntypedStorage */
    SAEI_PICKLE_DTYPE    /* torch.float32 …; of a dtype */
} saei_pickle_global;

typedef enum saei_pickle_kind {
    SAEI_PICKLE_NONE,
    SAEI_PICKLE_BOOL,
    SAEI_PICKLE_INT,
    SAEI_PICKLE_LONG, /* an integer beyond 64 bits: its bytes, little-endian */
    SAEI_PICKLE_REAL,
    SAEI_PICKLE_TEXT,
    SAEI_PICKLE_GLOBAL,
    SAEI_PICKLE_TUPLE,
    SAEI_PICKLE_LIST,
    SAEI_PICKLE_DICT,      /* items: key, value, key, value … */
    SAEI_PICKLE_CALL,      /* items: what would be called, and the tuple of its arguments */
    SAEI_PICKLE_PERSISTENT /* items: the id */
} saei_pickle_kind;

typedef struct saei_pickle_value {
    saei_pickle_kind kind;
    uint32_t length; /* of text and long; of a global: its dtype */
    union {
        int64_t integer; /* also bool and global */
        double real;
        const char *text; /* not terminated */
        uint32_t node;
    } as;
} saei_pickle_value;

typedef struct saei_pickle saei_pickle;

/* Reads one pickle from the start of bytes [n], which must outlive it; `name` is for messages. Memory is
   bounded by a small multiple of n. SAE_E_FORMAT: damaged; SAE_E_UNSUPPORTED: an opcode or a name outside the
   list. */
sae_status saei_pickle_load(saei_pickle **out, sae_context *context, const unsigned char *bytes, size_t n,
                            const char *name, sae_error *err);
void saei_pickle_free(saei_pickle *pickle);

size_t saei_pickle_bytes(const saei_pickle *pickle); /* up to and with its STOP */
saei_pickle_value saei_pickle_root(const saei_pickle *pickle);

/* The items of a tuple, list, dict, call or persistent id; for other kinds NULL and *n = 0. The same
   container may be reached by several ways, and may contain itself: whoever walks must bound the steps. */
const saei_pickle_value *saei_pickle_items(const saei_pickle *pickle, saei_pickle_value value, size_t *n);

bool saei_pickle_is_text(saei_pickle_value value, const char *text);
bool saei_pickle_is_global(saei_pickle_value value, saei_pickle_global global);

#endif

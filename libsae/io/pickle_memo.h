/* What a pickle has put aside by number. Numbers come from the file: a table of hashes, not an array. */
#ifndef SAEI_PICKLE_MEMO_H
#define SAEI_PICKLE_MEMO_H

#include "io/pickle.h"

typedef struct saei_pickle_memo {
    struct {
        saei_pickle_value value;
        uint32_t key;
        bool used;
    } * slots;
    size_t n, room; /* room is 0 or a power of two, at most half full */
} saei_pickle_memo;

sae_status saei_pickle_memo_put(saei_pickle_memo *memo, sae_context *context, uint32_t key,
                                saei_pickle_value value, sae_error *err);
/* NULL: nothing was put there. */
const saei_pickle_value *saei_pickle_memo_get(const saei_pickle_memo *memo, uint32_t key);
void saei_pickle_memo_free(saei_pickle_memo *memo, sae_context *context);

#endif

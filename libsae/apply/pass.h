/* One pass of a model over the rows of a dump, in blocks. */
#ifndef SAEI_PASS_H
#define SAEI_PASS_H

#include "sae/apply.h"

/* Blocks are whole numbers of chunks but for the last; sums are made within chunks and added in their order,
   so that neither the block size nor the thread count shows in a result. */
enum { SAEI_CHUNK_ROWS = 256, SAEI_BLOCK_CHUNKS = 16 };

typedef struct saei_block {
    uint64_t first; /* index of the first row among the selected rows */
    sae_view x;
    sae_codes_view codes;
    const float *xhat; /* [x.rows, d]; NULL unless reconstruct was asked for */
} saei_block;

typedef sae_status (*saei_block_fn)(void *user, const saei_block *block, sae_error *err);

/* Several that look at the same pass: hand saei_observe and a list of them to it. */
typedef struct saei_observer {
    saei_block_fn observe;
    void *user;
} saei_observer;

enum { SAEI_OBSERVERS_MAX = 8 };
typedef struct saei_observers {
    size_t n;
    saei_observer item[SAEI_OBSERVERS_MAX];
} saei_observers;

/* A saei_block_fn over saei_observers: each sees the block in turn, up to the first that fails. */
sae_status saei_observe(void *observers, const saei_block *block, sae_error *err);

typedef struct saei_pass {
    const sae_model *model;
    const sae_dump *dump;
    bool reconstruct;
    saei_block_fn consume; /* in row order, on the calling thread */
    void *consume_user;
    sae_progress_fn progress; /* may be NULL; the stage is "reading" and the name of the dump */
    void *progress_user;
} saei_pass;

/* SAE_E_MISMATCH when the widths of model and dump differ, SAE_E_ARGUMENT when no row is selected. */
sae_status saei_pass_check(const sae_model *model, const sae_dump *dump, sae_error *err);

/* Checks, then runs. */
sae_status saei_pass_run(const saei_pass *pass, sae_error *err);

#endif

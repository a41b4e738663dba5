#include "dump/batches.h"
#include "base/context.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/rng.h"
#include "dump/dump.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct saei_batches {
    sae_context *context;
    const sae_dump *dump;
    size_t d;
    uint64_t seed, rows_total, block_rows;
    uint64_t *blocks; /* the training blocks in the order of this epoch, then the held-out ones ascending */
    size_t n_train, n_heldout, window_blocks, n_windows;
    uint64_t train_rows, heldout_rows;
    float *rows;     /* [window_blocks * block_rows, d] */
    uint64_t *order; /* the rows of the window in the order they are given out */
    uint64_t loaded_epoch, loaded_window, window_rows;
    bool loaded;
    saei_batches_state at;
};

static uint64_t rows_of_block(const saei_batches *b, uint64_t block)
{
    uint64_t first = block * b->block_rows;
    return b->rows_total - first < b->block_rows ? b->rows_total - first : b->block_rows;
}

static int ascending(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Splits the blocks: the held-out ones are drawn with a seed of their own, so that runs with different seeds
   are measured on the same rows. */
static void split_blocks(saei_batches *b, size_t n_blocks, double heldout, uint64_t heldout_rows_max)
{
    for (size_t i = 0; i < n_blocks; i++)
        b->blocks[i] = i;
    size_t n = heldout > 0.0 ? (size_t)ceil(heldout * (double)n_blocks) : 0;
    if (n > heldout_rows_max / b->block_rows)
        n = (size_t)(heldout_rows_max / b->block_rows);
    if (n == 0 && heldout > 0.0)
        n = 1;
    if (n >= n_blocks)
        n = n_blocks - 1;
    b->n_heldout = n;
    b->n_train = n_blocks - n;
    if (n > 0) {
        saei_rng rng = saei_rng_new(0, SAEI_STREAM_HELDOUT, 0);
        saei_rng_shuffle(&rng, b->blocks, n_blocks);
        qsort(b->blocks, b->n_train, sizeof *b->blocks, ascending);
        qsort(b->blocks + b->n_train, n, sizeof *b->blocks, ascending);
    }
    for (size_t i = 0; i < n_blocks; i++)
        *(i < b->n_train ? &b->train_rows : &b->heldout_rows) += rows_of_block(b, b->blocks[i]);
}

/* As few windows as the rows in memory allow, then of equal size: a short last one would be shuffled badly.
 */
static void choose_windows(saei_batches *b, uint64_t window_rows)
{
    size_t most = window_rows >= b->train_rows ? b->n_train : (size_t)(window_rows / b->block_rows);
    if (most < 1)
        most = 1;
    b->n_windows = (b->n_train + most - 1) / most;
    b->window_blocks = (b->n_train + b->n_windows - 1) / b->n_windows;
}

sae_status saei_batches_new(saei_batches **out, sae_context *context, const sae_dump *dump, double heldout,
                            uint64_t heldout_rows_max, uint64_t window_rows, uint64_t seed, sae_error *err)
{
    *out = NULL;
    saei_batches *b;
    sae_status status = saei_alloc(&b, context, 1, sizeof *b, err);
    if (status != SAE_OK)
        return status;
    *b = (saei_batches){.context = context, .dump = dump, .d = sae_dump_dim(dump), .seed = seed};
    b->rows_total = sae_dump_rows(dump);
    /* Blocks are cheap to read together, yet many, so that a held-out share is close to what was asked for.
     */
    uint64_t few = b->rows_total / 64 > 0 ? b->rows_total / 64 : 1, cheap = saei_dump_block_rows(dump);
    b->block_rows = cheap < few ? cheap : few;
    size_t n_blocks = (size_t)((b->rows_total + b->block_rows - 1) / b->block_rows);
    status = saei_alloc(&b->blocks, context, n_blocks, sizeof *b->blocks, err);
    if (status != SAE_OK)
        goto failed;
    split_blocks(b, n_blocks, heldout, heldout_rows_max);
    choose_windows(b, window_rows);
    size_t capacity = saei_mul(b->window_blocks, (size_t)b->block_rows);
    status = saei_alloc(&b->rows, context, saei_mul(capacity, b->d), sizeof(float), err);
    if (status == SAE_OK)
        status = saei_alloc(&b->order, context, capacity, sizeof *b->order, err);
    if (status != SAE_OK)
        goto failed;
    *out = b;
    return SAE_OK;
failed:
    saei_batches_free(b);
    return status;
}

void saei_batches_free(saei_batches *b)
{
    if (b == NULL)
        return;
    saei_free(b->context, b->order);
    saei_free(b->context, b->rows);
    saei_free(b->context, b->blocks);
    saei_free(b->context, b);
}

uint64_t saei_batches_rows(const saei_batches *b)
{
    return b->train_rows;
}

uint64_t saei_batches_heldout_rows(const saei_batches *b)
{
    return b->heldout_rows;
}

uint64_t saei_batches_window_rows(const saei_batches *b)
{
    return b->window_blocks * b->block_rows;
}

static sae_status read_window(saei_batches *b, sae_error *err)
{
    size_t first = (size_t)b->at.window * b->window_blocks;
    size_t end = first + b->window_blocks < b->n_train ? first + b->window_blocks : b->n_train;
    b->window_rows = 0;
    for (size_t i = first; i < end; i++) {
        uint64_t n = rows_of_block(b, b->blocks[i]);
        sae_status status = sae_dump_read(b->rows + b->window_rows * b->d, b->dump,
                                          b->blocks[i] * b->block_rows, (size_t)n, err);
        if (status != SAE_OK)
            return status;
        b->window_rows += n;
    }
    return SAE_OK;
}

/* Makes the window of b->at ready. With one window the rows stay where they are and only their order changes.
 */
static sae_status load_window(saei_batches *b, sae_error *err)
{
    bool reorder_blocks = b->n_windows > 1 && (!b->loaded || b->loaded_epoch != b->at.epoch);
    bool reread = !b->loaded ||
                  (b->n_windows > 1 && (b->loaded_epoch != b->at.epoch || b->loaded_window != b->at.window));
    b->loaded = false;
    if (reorder_blocks) {
        qsort(b->blocks, b->n_train, sizeof *b->blocks, ascending);
        saei_rng rng = saei_rng_new(b->seed, SAEI_STREAM_BLOCKS, b->at.epoch);
        saei_rng_shuffle(&rng, b->blocks, b->n_train);
    }
    sae_status status = reread ? read_window(b, err) : SAE_OK;
    if (status != SAE_OK)
        return status;
    for (uint64_t i = 0; i < b->window_rows; i++)
        b->order[i] = i;
    saei_rng rng = saei_rng_new(b->seed, SAEI_STREAM_ROWS, b->at.epoch * b->n_windows + b->at.window);
    saei_rng_shuffle(&rng, b->order, (size_t)b->window_rows);
    b->loaded = true;
    b->loaded_epoch = b->at.epoch;
    b->loaded_window = b->at.window;
    return SAE_OK;
}

static void advance_window(saei_batches *b)
{
    b->at.position = 0;
    if (++b->at.window == b->n_windows) {
        b->at.window = 0;
        b->at.epoch++;
    }
}

sae_status saei_batches_next(float *out, saei_batches *b, size_t n, sae_error *err)
{
    for (size_t given = 0; given < n;) {
        if (!b->loaded || b->loaded_epoch != b->at.epoch || b->loaded_window != b->at.window) {
            sae_status status = load_window(b, err);
            if (status != SAE_OK)
                return status;
        }
        if (b->at.position == b->window_rows) {
            advance_window(b);
            continue;
        }
        memcpy(out + given * b->d, b->rows + b->order[b->at.position] * b->d, b->d * sizeof(float));
        b->at.position++;
        given++;
    }
    return SAE_OK;
}

saei_batches_state saei_batches_tell(const saei_batches *b)
{
    return b->at;
}

sae_status saei_batches_seek(saei_batches *b, saei_batches_state state, sae_error *err)
{
    if (state.window >= b->n_windows)
        return saei_fail(err, SAE_E_MISMATCH, "%s: the checkpoint's place in the data lies beyond it",
                         sae_dump_name(b->dump));
    b->at = (saei_batches_state){state.epoch, state.window, 0};
    sae_status status = load_window(b, err);
    if (status == SAE_OK && state.position > b->window_rows)
        return saei_fail(err, SAE_E_MISMATCH, "%s: the checkpoint's place in the data lies beyond it",
                         sae_dump_name(b->dump));
    b->at = state;
    return status;
}

sae_status saei_batches_read_heldout(float *out, const saei_batches *b, uint64_t first, size_t n,
                                     sae_error *err)
{
    uint64_t passed = 0, wanted_end = first + n;
    for (size_t i = b->n_train; i < b->n_train + b->n_heldout && passed < wanted_end; i++) {
        uint64_t rows = rows_of_block(b, b->blocks[i]);
        uint64_t from = first > passed ? first - passed : 0;
        uint64_t to = wanted_end - passed < rows ? wanted_end - passed : rows;
        if (from < to) {
            sae_status status =
                sae_dump_read(out, b->dump, b->blocks[i] * b->block_rows + from, (size_t)(to - from), err);
            if (status != SAE_OK)
                return status;
            out += (to - from) * b->d;
        }
        passed += rows;
    }
    return SAE_OK;
}

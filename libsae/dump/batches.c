#include "dump/batches.h"
#include "base/context.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "base/rng.h"
#include "dump/dump.h"
#include "dump/window_loader.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct saei_batches {
    sae_context *context;
    const sae_dump *dump;
    size_t users;
    size_t d;
    uint64_t seed, rows_total, block_rows;
    uint64_t *blocks; /* the training blocks in the order of this epoch, then the held-out ones ascending */
    uint64_t ordered_epoch;
    size_t n_train, n_heldout, window_blocks, n_windows;
    uint64_t train_rows, heldout_rows;
    float *rows;                /* [places, d]; NULL: the rows are read where the dump has them */
    const float *in_place;      /* [rows_total, d] there */
    uint64_t *order;            /* where the rows of the window lie, in the order they are given out */
    saei_window_loader *loader; /* NULL: one window, which is read once */
    uint64_t window_rows;
    bool loaded;                 /* the window of `at` is in order */
    saei_batches_state at, next; /* next: what the loader is busy with */
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

/* The rows of the window being given out, and as many as let the loader finish the next in time. */
static size_t places_of(size_t window_rows)
{
    return saei_add(window_rows, window_rows / 8);
}

static size_t piece_of(const saei_batches *b, size_t window_rows)
{
    size_t rows = window_rows / 16 > 0 ? window_rows / 16 : 1;
    return rows < b->block_rows ? rows : (size_t)b->block_rows;
}

/* The memory of windows of so many blocks, in rows of d floats and a place in the order. */
static uint64_t cost(const saei_batches *b, size_t window_blocks)
{
    size_t window = saei_mul(window_blocks, (size_t)b->block_rows), places = places_of(window);
    size_t row = b->d * sizeof *b->rows, order = sizeof *b->order;
    size_t bytes = saei_add(saei_mul(places, row), saei_mul(window, order));
    bytes = saei_add(bytes, saei_window_loader_bytes(places, window, piece_of(b, window), b->d));
    return bytes / (row + order) + 1;
}

/* As few windows as the rows in memory allow, then of equal size: a short last one would be shuffled badly.
 */
static void choose_windows(saei_batches *b, uint64_t window_rows)
{
    size_t most = 1, beyond = b->n_train;
    while (beyond - most > 1) {
        size_t middle = most + (beyond - most) / 2;
        if (cost(b, middle) <= window_rows)
            most = middle;
        else
            beyond = middle;
    }
    /* One window has no other to be read beside it. */
    if (window_rows >= b->train_rows || cost(b, most) >= b->train_rows)
        most = b->n_train;
    b->n_windows = (b->n_train + most - 1) / most;
    b->window_blocks = (b->n_train + b->n_windows - 1) / b->n_windows;
}

static sae_status allocate(saei_batches *b, sae_error *err)
{
    size_t window = saei_mul(b->window_blocks, (size_t)b->block_rows);
    size_t places = b->n_windows > 1 ? places_of(window) : window;
    sae_status status = SAE_OK;
    b->in_place = b->n_windows == 1 ? saei_dump_in_place(b->dump) : NULL;
    if (b->in_place == NULL)
        status = saei_alloc(&b->rows, b->context, saei_mul(places, b->d), sizeof *b->rows, err);
    if (status == SAE_OK)
        status = saei_alloc(&b->order, b->context, window, sizeof *b->order, err);
    if (status == SAE_OK && b->n_windows > 1)
        status = saei_window_loader_new(&b->loader, b->context, b->dump, b->block_rows, b->rows, places,
                                        window, piece_of(b, window), err);
    return status;
}

sae_status saei_batches_new(saei_batches **out, sae_context *context, const sae_dump *dump, double heldout,
                            uint64_t heldout_rows_max, uint64_t window_rows, uint64_t seed, sae_error *err)
{
    *out = NULL;
    saei_batches *b;
    sae_status status = saei_alloc(&b, context, 1, sizeof *b, err);
    if (status != SAE_OK)
        return status;
    *b = (saei_batches){.context = context, .dump = dump, .users = 1, .d = sae_dump_dim(dump), .seed = seed};
    b->rows_total = sae_dump_rows(dump);
    b->ordered_epoch = UINT64_MAX;
    /* Blocks are cheap to read together, yet many, so that a held-out share is close to what was asked for.
     */
    uint64_t few = b->rows_total / 64 > 0 ? b->rows_total / 64 : 1, cheap = saei_dump_block_rows(dump);
    b->block_rows = cheap < few ? cheap : few;
    size_t n_blocks = (size_t)((b->rows_total + b->block_rows - 1) / b->block_rows);
    status = saei_alloc(&b->blocks, context, n_blocks, sizeof *b->blocks, err);
    if (status == SAE_OK) {
        split_blocks(b, n_blocks, heldout, heldout_rows_max);
        choose_windows(b, window_rows);
        status = allocate(b, err);
    }
    if (status != SAE_OK) {
        saei_batches_free(b);
        return status;
    }
    *out = b;
    return SAE_OK;
}

saei_batches *saei_batches_share(saei_batches *b)
{
    b->users++;
    return b;
}

void saei_batches_free(saei_batches *b)
{
    if (b == NULL || --b->users > 0)
        return;
    saei_window_loader_free(b->loader);
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
    return b->n_windows > 1 ? cost(b, b->window_blocks) : b->window_blocks * b->block_rows;
}

/* The first of the blocks of a window, and where they end. */
static void blocks_of(const saei_batches *b, uint64_t window, size_t *first, size_t *end)
{
    *first = (size_t)window * b->window_blocks;
    *end = *first + b->window_blocks < b->n_train ? *first + b->window_blocks : b->n_train;
}

static void order_blocks(saei_batches *b, uint64_t epoch)
{
    if (b->n_windows == 1 || b->ordered_epoch == epoch)
        return;
    qsort(b->blocks, b->n_train, sizeof *b->blocks, ascending);
    saei_rng rng = saei_rng_new(b->seed, SAEI_STREAM_BLOCKS, epoch);
    saei_rng_shuffle(&rng, b->blocks, b->n_train);
    b->ordered_epoch = epoch;
}

static void begin_loading(saei_batches *b, uint64_t epoch, uint64_t window)
{
    size_t first, end;
    order_blocks(b, epoch);
    blocks_of(b, window, &first, &end);
    saei_window_loader_begin(b->loader, b->blocks + first, end - first);
    b->next = (saei_batches_state){epoch, window, 0};
}

static bool same_window(saei_batches_state a, saei_batches_state b)
{
    return a.epoch == b.epoch && a.window == b.window;
}

/* With one window the rows stay where they are and only their order changes. */
static sae_status read_all(saei_batches *b, sae_error *err)
{
    uint64_t at = 0;
    for (size_t i = 0; i < b->n_train; i++) {
        uint64_t n = rows_of_block(b, b->blocks[i]);
        sae_status status = SAE_OK;
        if (b->in_place == NULL)
            status =
                sae_dump_read(b->rows + at * b->d, b->dump, b->blocks[i] * b->block_rows, (size_t)n, err);
        if (status != SAE_OK)
            return status;
        at += n;
    }
    b->window_rows = at;
    return SAE_OK;
}

static sae_status load_ahead(const uint64_t **places, saei_batches *b, sae_error *err)
{
    size_t first, end;
    if (!saei_window_loader_busy(b->loader) || !same_window(b->next, b->at)) {
        saei_window_loader_cancel(b->loader);
        begin_loading(b, b->at.epoch, b->at.window);
    }
    sae_status status = saei_window_loader_wait(places, b->loader, err);
    if (status != SAE_OK)
        return status;
    b->window_rows = 0;
    blocks_of(b, b->at.window, &first, &end);
    for (size_t i = first; i < end; i++)
        b->window_rows += rows_of_block(b, b->blocks[i]);
    return SAE_OK;
}

/* The rows of all training blocks, where they lie in the dump. */
static void order_in_place(saei_batches *b)
{
    uint64_t *row = b->order;
    for (size_t i = 0; i < b->n_train; i++)
        for (uint64_t r = 0; r < rows_of_block(b, b->blocks[i]); r++)
            *row++ = b->blocks[i] * b->block_rows + r;
}

/* Makes the window of b->at ready. All rows of the one before have been released. */
static sae_status load_window(saei_batches *b, sae_error *err)
{
    const uint64_t *places = NULL;
    sae_status status = SAE_OK;
    b->loaded = false;
    if (b->loader != NULL)
        status = load_ahead(&places, b, err);
    else if (b->window_rows == 0)
        status = read_all(b, err);
    if (status != SAE_OK)
        return status;
    for (uint64_t i = 0; i < b->window_rows; i++)
        b->order[i] = places != NULL ? places[i] : i;
    if (b->in_place != NULL)
        order_in_place(b);
    saei_rng rng = saei_rng_new(b->seed, SAEI_STREAM_ROWS, b->at.epoch * b->n_windows + b->at.window);
    saei_rng_shuffle(&rng, b->order, (size_t)b->window_rows);
    b->loaded = true;
    return SAE_OK;
}

static saei_batches_state window_after(const saei_batches *b, saei_batches_state at)
{
    bool last = at.window + 1 == b->n_windows;
    return (saei_batches_state){at.epoch + last, last ? 0 : at.window + 1, 0};
}

/* Reading ahead begins with the call after the one that began a window: until then the window can be gone
   back in without reading it again. */
static void read_ahead(saei_batches *b)
{
    if (b->loader == NULL || !b->loaded || saei_window_loader_busy(b->loader))
        return;
    saei_batches_state next = window_after(b, b->at);
    begin_loading(b, next.epoch, next.window);
}

typedef struct copy_job {
    float *out;
    const float *rows;
    const uint64_t *order;
    size_t n, d;
} copy_job;

enum { COPIED_ROWS = 256 };

static void copy_rows(void *arg, size_t task, unsigned worker)
{
    (void)worker;
    const copy_job *job = arg;
    size_t first = task * COPIED_ROWS, end = saei_min_size(first + COPIED_ROWS, job->n);
    for (size_t i = first; i < end; i++)
        memcpy(job->out + i * job->d, job->rows + job->order[i] * job->d, job->d * sizeof *job->out);
}

static void give(float *out, saei_batches *b, size_t n)
{
    const uint64_t *order = b->order + b->at.position;
    copy_job job = {out, b->in_place != NULL ? b->in_place : b->rows, order, n, b->d};
    saei_parallel_for(b->context, (n + COPIED_ROWS - 1) / COPIED_ROWS, copy_rows, &job);
    if (b->loader != NULL)
        saei_window_loader_release(b->loader, order, n);
    b->at.position += n;
}

sae_status saei_batches_next(float *out, saei_batches *b, size_t n, sae_error *err)
{
    read_ahead(b);
    for (size_t given = 0; given < n;) {
        sae_status status = b->loaded ? SAE_OK : load_window(b, err);
        if (status != SAE_OK)
            return status;
        uint64_t left = b->window_rows - b->at.position;
        size_t count = left < n - given ? (size_t)left : n - given;
        give(out + given * b->d, b, count);
        given += count;
        if (given < n) {
            b->at = window_after(b, b->at);
            b->loaded = false;
        }
    }
    return SAE_OK;
}

saei_batches_state saei_batches_tell(const saei_batches *b)
{
    return b->at;
}

/* Goes to the beginning of the window of `to`, with none of its rows released. */
static sae_status go_to_window(saei_batches *b, saei_batches_state to, sae_error *err)
{
    saei_batches_state from = b->at;
    b->at = (saei_batches_state){to.epoch, to.window, 0};
    if (b->loader == NULL)
        return load_window(b, err);
    if (b->loaded && same_window(from, to) && !saei_window_loader_busy(b->loader)) {
        saei_window_loader_take_back(b->loader, (size_t)from.position);
        return SAE_OK;
    }
    saei_window_loader_cancel(b->loader);
    if (b->loaded)
        saei_window_loader_release(b->loader, b->order + from.position,
                                   (size_t)(b->window_rows - from.position));
    return load_window(b, err);
}

sae_status saei_batches_seek(saei_batches *b, saei_batches_state state, sae_error *err)
{
    const char *beyond = "%s: the checkpoint's place in the data lies beyond it";
    if (state.window >= b->n_windows)
        return saei_fail(err, SAE_E_MISMATCH, beyond, sae_dump_name(b->dump));
    sae_status status = go_to_window(b, state, err);
    if (status == SAE_OK && state.position > b->window_rows)
        status = saei_fail(err, SAE_E_MISMATCH, beyond, sae_dump_name(b->dump));
    if (status != SAE_OK)
        return status;
    if (b->loader != NULL)
        saei_window_loader_release(b->loader, b->order, (size_t)state.position);
    b->at = state;
    return SAE_OK;
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

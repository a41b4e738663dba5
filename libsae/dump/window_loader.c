#include "dump/window_loader.h"
#include "base/context.h"
#include "base/error.h"
#include "base/memory.h"
#include "dump/dump.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

struct saei_window_loader {
    sae_context *context;
    const sae_dump *dump;
    size_t d, piece_rows;
    uint64_t block_rows, rows_total;
    saei_lone_reader reader;
    float *rows, *piece; /* [n_rows, d], [piece_rows, d] */
    pthread_t thread;
    bool has_thread;
    bool busy; /* only the caller's threads look at it */

    pthread_mutex_t lock; /* guards all below; what they name belongs to the thread between begin and done */
    pthread_cond_t wake, done;
    enum { IDLE, WANTED, LOADED } state;
    bool stop, cancelled, waited_for;
    const uint64_t *blocks;
    size_t n_blocks;
    uint64_t *places; /* [window_rows] */
    uint64_t *free;   /* [n_rows] a stack */
    size_t n_free, n_loaded;
    sae_status status;
    sae_error error;
};

/* Takes n free rows for rows `at` and following of the window, as soon as there are so many. False: stopped.
 */
static bool take_places(bool *waited_for, saei_window_loader *l, size_t at, size_t n)
{
    pthread_mutex_lock(&l->lock);
    while (!l->stop && !l->cancelled && l->n_free < n)
        pthread_cond_wait(&l->wake, &l->lock);
    bool go_on = !l->stop && !l->cancelled;
    for (size_t i = 0; go_on && i < n; i++)
        l->places[at + i] = l->free[--l->n_free];
    *waited_for = l->waited_for;
    pthread_mutex_unlock(&l->lock);
    return go_on;
}

/* Loads rows first .. first + n - 1 of the dump as rows *loaded and following of the window. */
static sae_status load_piece(size_t *loaded, saei_window_loader *l, uint64_t first, size_t n)
{
    bool waited_for;
    if (!take_places(&waited_for, l, *loaded, n))
        return SAE_STOPPED;
    *loaded += n;
    sae_status status =
        saei_dump_read_by(l->piece, l->dump, first, n, waited_for ? NULL : &l->reader, &l->error);
    const uint64_t *places = l->places + *loaded - n;
    for (size_t i = 0; status == SAE_OK && i < n; i++)
        memcpy(l->rows + places[i] * l->d, l->piece + i * l->d, l->d * sizeof *l->rows);
    return status;
}

static sae_status load_window(size_t *loaded, saei_window_loader *l)
{
    for (size_t i = 0; i < l->n_blocks; i++) {
        uint64_t first = l->blocks[i] * l->block_rows, left = l->rows_total - first;
        uint64_t end = first + (left < l->block_rows ? left : l->block_rows);
        for (; first < end; first += l->piece_rows) {
            size_t n = end - first < l->piece_rows ? (size_t)(end - first) : l->piece_rows;
            sae_status status = load_piece(loaded, l, first, n);
            if (status != SAE_OK)
                return status;
        }
    }
    return SAE_OK;
}

static void serve(saei_window_loader *l)
{
    size_t loaded = 0;
    sae_status status = load_window(&loaded, l);
    pthread_mutex_lock(&l->lock);
    l->n_loaded = loaded;
    l->status = status;
    l->state = LOADED;
    pthread_cond_signal(&l->done);
    pthread_mutex_unlock(&l->lock);
}

static void *serve_requests(void *argument)
{
    saei_window_loader *l = argument;
    for (;;) {
        pthread_mutex_lock(&l->lock);
        while (!l->stop && l->state != WANTED)
            pthread_cond_wait(&l->wake, &l->lock);
        bool stop = l->stop;
        pthread_mutex_unlock(&l->lock);
        if (stop)
            return NULL;
        serve(l);
    }
}

/* Signals are for the threads of the program. */
static void start_thread(saei_window_loader *l)
{
    sigset_t all, before;
    sigfillset(&all);
    bool masked = pthread_sigmask(SIG_SETMASK, &all, &before) == 0;
    l->has_thread = pthread_create(&l->thread, NULL, serve_requests, l) == 0;
    if (masked)
        pthread_sigmask(SIG_SETMASK, &before, NULL);
}

sae_status saei_window_loader_new(saei_window_loader **out, sae_context *context, const sae_dump *dump,
                                  uint64_t block_rows, float *rows, size_t n_rows, size_t window_rows,
                                  size_t piece_rows, sae_error *err)
{
    *out = NULL;
    saei_window_loader *l;
    sae_status status = saei_alloc(&l, context, 1, sizeof *l, err);
    if (status != SAE_OK)
        return status;
    *l = (saei_window_loader){.context = context,
                              .dump = dump,
                              .d = sae_dump_dim(dump),
                              .piece_rows = piece_rows,
                              .block_rows = block_rows,
                              .rows_total = sae_dump_rows(dump),
                              .rows = rows,
                              .n_free = n_rows};
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->wake, NULL);
    pthread_cond_init(&l->done, NULL);
    status = saei_alloc(&l->piece, context, saei_mul(piece_rows, l->d), sizeof *l->piece, err);
    if (status == SAE_OK)
        status = saei_alloc(&l->places, context, window_rows, sizeof *l->places, err);
    if (status == SAE_OK)
        status = saei_alloc(&l->free, context, n_rows, sizeof *l->free, err);
    if (status != SAE_OK) {
        saei_window_loader_free(l);
        return status;
    }
    for (size_t i = 0; i < n_rows; i++)
        l->free[i] = i;
    /* Too much to stay in the page cache from epoch to epoch, beside all else that memory is for. */
    if (saei_dump_file_bytes(dump) > saei_half_of_memory())
        l->reader = saei_lone_reader_past_cache(context);
    start_thread(l);
    *out = l;
    return SAE_OK;
}

void saei_window_loader_free(saei_window_loader *l)
{
    if (l == NULL)
        return;
    if (l->has_thread) {
        pthread_mutex_lock(&l->lock);
        l->stop = true;
        pthread_cond_signal(&l->wake);
        pthread_mutex_unlock(&l->lock);
        pthread_join(l->thread, NULL);
    }
    pthread_cond_destroy(&l->done);
    pthread_cond_destroy(&l->wake);
    pthread_mutex_destroy(&l->lock);
    saei_lone_reader_free(&l->reader);
    saei_free(l->context, l->free);
    saei_free(l->context, l->places);
    saei_free(l->context, l->piece);
    saei_free(l->context, l);
}

size_t saei_window_loader_bytes(size_t n_rows, size_t window_rows, size_t piece_rows, size_t d)
{
    size_t lists = saei_mul(saei_add(n_rows, window_rows), sizeof(uint64_t));
    return saei_add(lists, saei_mul(piece_rows, saei_mul(d, sizeof(float))));
}

void saei_window_loader_begin(saei_window_loader *l, const uint64_t *blocks, size_t n_blocks)
{
    assert(!l->busy);
    pthread_mutex_lock(&l->lock);
    l->blocks = blocks;
    l->n_blocks = n_blocks;
    l->waited_for = l->cancelled = false;
    l->state = WANTED;
    pthread_cond_signal(&l->wake);
    pthread_mutex_unlock(&l->lock);
    l->busy = true;
}

bool saei_window_loader_busy(const saei_window_loader *l)
{
    return l->busy;
}

/* Waits until the request has been served. */
static void settle(saei_window_loader *l)
{
    if (!l->has_thread)
        serve(l);
    pthread_mutex_lock(&l->lock);
    pthread_cond_signal(&l->wake);
    while (l->state != LOADED)
        pthread_cond_wait(&l->done, &l->lock);
    l->state = IDLE;
    pthread_mutex_unlock(&l->lock);
    l->busy = false;
}

static void release_loaded(saei_window_loader *l)
{
    saei_window_loader_release(l, l->places, l->n_loaded);
}

sae_status saei_window_loader_wait(const uint64_t **places, saei_window_loader *l, sae_error *err)
{
    assert(l->busy);
    pthread_mutex_lock(&l->lock);
    l->waited_for = true;
    pthread_mutex_unlock(&l->lock);
    settle(l);
    *places = l->places;
    if (l->status == SAE_OK)
        return SAE_OK;
    release_loaded(l);
    if (err != NULL)
        *err = l->error;
    return l->status;
}

void saei_window_loader_cancel(saei_window_loader *l)
{
    if (!l->busy)
        return;
    pthread_mutex_lock(&l->lock);
    l->cancelled = true;
    pthread_mutex_unlock(&l->lock);
    settle(l);
    release_loaded(l);
}

void saei_window_loader_release(saei_window_loader *l, const uint64_t *places, size_t n)
{
    pthread_mutex_lock(&l->lock);
    memcpy(l->free + l->n_free, places, n * sizeof *places);
    l->n_free += n;
    pthread_cond_signal(&l->wake);
    pthread_mutex_unlock(&l->lock);
}

void saei_window_loader_take_back(saei_window_loader *l, size_t n)
{
    assert(!l->busy);
    pthread_mutex_lock(&l->lock);
    l->n_free -= n;
    pthread_mutex_unlock(&l->lock);
}

#include "dump/sides.h"
#include "base/error.h"
#include "base/memory.h"
#include "dump/handle.h"
#include "num/finite.h"

#include <pthread.h>

struct saei_sides {
    sae_context *context;
    const sae_dump *dump[2]; /* before, after */
    saei_joining joining;
    double scale[2];
    size_t d; /* of one side */
    uint64_t piece_rows;
    pthread_mutex_t *lock; /* of piece */
    float *piece;          /* [piece_rows, d] */
};

uint64_t saei_sides_block_rows(const saei_sides *s)
{
    uint64_t before = saei_dump_block_rows(s->dump[0]), after = saei_dump_block_rows(s->dump[1]);
    return before > after ? before : after;
}

uint64_t saei_sides_file_bytes(const saei_sides *s)
{
    return saei_dump_file_bytes(s->dump[0]) + saei_dump_file_bytes(s->dump[1]);
}

sae_status saei_sides_new(saei_sides **out, const sae_dump *before, const sae_dump *after,
                          saei_joining joining, const double scale[2], sae_error *err)
{
    *out = NULL;
    saei_sides *s;
    sae_context *context = before->context;
    sae_status status = saei_alloc(&s, context, 1, sizeof *s, err);
    if (status != SAE_OK)
        return status;
    *s = (saei_sides){.context = context, .dump = {before, after}, .joining = joining, .d = before->d};
    s->scale[0] = scale[0];
    s->scale[1] = scale[1];
    s->piece_rows = saei_sides_block_rows(s);
    status = saei_alloc(&s->piece, context, saei_mul((size_t)s->piece_rows, s->d), sizeof *s->piece, err);
    if (status == SAE_OK)
        status = saei_alloc(&s->lock, context, 1, sizeof *s->lock, err);
    if (status != SAE_OK) {
        saei_sides_free(s);
        return status;
    }
    pthread_mutex_init(s->lock, NULL);
    *out = s;
    return SAE_OK;
}

void saei_sides_free(saei_sides *s)
{
    if (s == NULL)
        return;
    if (s->lock != NULL)
        pthread_mutex_destroy(s->lock);
    saei_free(s->context, s->lock);
    saei_free(s->context, s->piece);
    saei_free(s->context, s);
}

const sae_dump *saei_sides_before(const saei_sides *s)
{
    return s->dump[0];
}

saei_joined saei_sides_describe(const saei_sides *s)
{
    return (saei_joined){.name = s->joining == SAEI_PAIR ? "pair" : "difference",
                         .before_scale = s->scale[0],
                         .after_scale = s->scale[1]};
}

static void place_pair(float *out, const saei_sides *s, size_t side, size_t rows)
{
    float scale = (float)s->scale[side];
    for (size_t i = 0; i < rows; i++)
        for (size_t k = 0; k < s->d; k++)
            out[(2 * i + side) * s->d + k] = scale * s->piece[i * s->d + k];
}

/* In double and rounded once: the difference of two large numbers is what this is about. */
static void place_difference(float *out, const saei_sides *s, size_t side, size_t rows)
{
    for (size_t i = 0; i < rows * s->d; i++)
        out[i] = side == 0 ? s->piece[i] : (float)((double)s->piece[i] - (double)out[i]);
}

static sae_status read_piece(float *out, const saei_sides *s, uint64_t first, size_t rows,
                             const saei_lone_reader *alone, sae_error *err)
{
    bool side_finite = true; /* what counts is what is made of the sides */
    sae_status status = SAE_OK;
    pthread_mutex_lock(s->lock);
    for (size_t side = 0; side < 2 && status == SAE_OK; side++) {
        status = saei_dump_read_raw(s->piece, &side_finite, s->dump[side], first, rows, alone, err);
        if (status == SAE_OK && s->joining == SAEI_PAIR)
            place_pair(out, s, side, rows);
        else if (status == SAE_OK)
            place_difference(out, s, side, rows);
    }
    pthread_mutex_unlock(s->lock);
    return status;
}

sae_status saei_sides_read(float *out, bool *finite, const saei_sides *s, uint64_t first, uint64_t count,
                           const saei_lone_reader *alone, sae_error *err)
{
    size_t width = s->joining == SAEI_PAIR ? 2 * s->d : s->d;
    sae_status status = SAE_OK;
    while (count > 0 && status == SAE_OK) {
        /* Pieces that begin where blocks of the files do, so that no block is read twice. */
        uint64_t room = s->piece_rows - first % s->piece_rows;
        size_t rows = (size_t)(count < room ? count : room);
        status = read_piece(out, s, first, rows, alone, err);
        if (status == SAE_OK)
            *finite &= saei_all_finite(out, rows * width);
        out += rows * width;
        first += rows;
        count -= rows;
    }
    return status;
}

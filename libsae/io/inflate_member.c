#include "io/inflate_member.h"
#include "base/context.h"
#include "base/error.h"
#include "base/memory.h"

#include <limits.h>
#include <zlib.h>

enum {
    INPUT_BYTES = 1 << 16,
    SKIP_BYTES = 1 << 15,
    CHECKPOINTS_MAX = 256,
    CHECKPOINT_MEMORY = 1 << 16, /* more than zlib's state with its window */
};
static const uint64_t checkpoint_spacing_min = (uint64_t)4 << 20;

typedef struct checkpoint {
    z_stream stream;
    uint64_t inflated, consumed; /* bytes out and in before it */
} checkpoint;

struct saei_inflate_member {
    sae_context *context;
    saei_packed_run run;
    z_stream stream;
    uint64_t inflated; /* bytes that came out so far */
    uint64_t fetched;  /* bytes of the file that went into `input` */
    uint64_t spacing;
    checkpoint *checkpoints;
    size_t n_checkpoints;
    bool started;
    unsigned char input[INPUT_BYTES], skipped[SKIP_BYTES];
};

static voidpf allocate(voidpf context, uInt count, uInt size)
{
    void *block;
    return saei_alloc(&block, context, count, size, NULL) == SAE_OK ? block : Z_NULL;
}

static void release(voidpf context, voidpf block)
{
    saei_free(context, block);
}

static sae_status damaged(const saei_inflate_member *m, const char *what, sae_error *err)
{
    return saei_fail_at(err, SAE_E_FORMAT, (int64_t)(m->run.start + m->fetched - m->stream.avail_in),
                        "%s: damaged: %s", m->run.name, what);
}

/* The state from which the stream goes on to `offset` with the least work. */
static sae_status rewind_to(saei_inflate_member *m, uint64_t offset, sae_error *err)
{
    const checkpoint *best = NULL;
    for (size_t i = 0; i < m->n_checkpoints && m->checkpoints[i].inflated <= offset; i++)
        best = &m->checkpoints[i];
    bool ahead = m->started && m->inflated <= offset;
    if (ahead && (best == NULL || best->inflated <= m->inflated))
        return SAE_OK;
    if (m->started)
        inflateEnd(&m->stream);
    m->started = false;
    m->stream = (z_stream){.zalloc = allocate, .zfree = release, .opaque = m->context};
    int result = best != NULL ? inflateCopy(&m->stream, (z_stream *)&best->stream)
                              : inflateInit2(&m->stream, -MAX_WBITS);
    if (result != Z_OK)
        return saei_fail(err, SAE_E_MEMORY, "%s: no memory left for inflating it", m->run.name);
    m->started = true;
    m->stream.avail_in = 0;
    m->inflated = best != NULL ? best->inflated : 0;
    m->fetched = best != NULL ? best->consumed : 0;
    return SAE_OK;
}

/* Checkpoints only speed things up: without memory to spare there is none. */
static void keep_checkpoint(saei_inflate_member *m)
{
    uint64_t due = (m->n_checkpoints + 1) * m->spacing;
    if (m->inflated < due || m->n_checkpoints == CHECKPOINTS_MAX || m->inflated == m->run.bytes ||
        !saei_memory_ample(m->context, CHECKPOINT_MEMORY + CHECKPOINTS_MAX * sizeof *m->checkpoints))
        return;
    if (m->checkpoints == NULL &&
        saei_alloc(&m->checkpoints, m->context, CHECKPOINTS_MAX, sizeof *m->checkpoints, NULL) != SAE_OK)
        return;
    checkpoint *kept = &m->checkpoints[m->n_checkpoints];
    if (inflateCopy(&kept->stream, &m->stream) != Z_OK)
        return;
    kept->inflated = m->inflated;
    kept->consumed = m->fetched - m->stream.avail_in;
    m->n_checkpoints++;
}

/* More input once all is used; the stream may still hold output when there is none left. */
static sae_status fetch(saei_inflate_member *m, sae_error *err)
{
    uint64_t left = m->run.stored - m->fetched;
    size_t n = left < INPUT_BYTES ? (size_t)left : INPUT_BYTES;
    if (m->stream.avail_in > 0 || n == 0)
        return SAE_OK;
    sae_status status = saei_input_file_read(m->input, m->run.file, m->run.start + m->fetched, n, err);
    if (status != SAE_OK)
        return status;
    m->stream.next_in = m->input;
    m->stream.avail_in = (uInt)n;
    m->fetched += n;
    return SAE_OK;
}

/* One step of the decoder. *got: bytes that came out; *ended: the stream is over. */
static sae_status inflate_step(size_t *got, bool *ended, saei_inflate_member *m, unsigned char *out,
                               size_t room, sae_error *err)
{
    sae_status status = fetch(m, err);
    if (status != SAE_OK)
        return status;
    uInt input = m->stream.avail_in;
    m->stream.next_out = out;
    m->stream.avail_out = (uInt)room;
    int result = inflate(&m->stream, Z_NO_FLUSH);
    *got = room - m->stream.avail_out;
    *ended = result == Z_STREAM_END;
    if (result == Z_MEM_ERROR)
        return saei_fail(err, SAE_E_MEMORY, "%s: no memory left for inflating it", m->run.name);
    if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)
        return damaged(m, "its deflated data are invalid", err);
    if (!*ended && *got == 0 && m->stream.avail_in == input && m->fetched == m->run.stored)
        return damaged(m, "its deflated data are cut off", err);
    return SAE_OK;
}

/* The next `bytes` bytes of the stream. */
static sae_status inflate_some(unsigned char *out, saei_inflate_member *m, size_t bytes, sae_error *err)
{
    while (bytes > 0) {
        size_t got, room = bytes < checkpoint_spacing_min ? bytes : (size_t)checkpoint_spacing_min;
        bool ended;
        sae_status status = inflate_step(&got, &ended, m, out, room, err);
        if (status != SAE_OK)
            return status;
        out += got;
        bytes -= got;
        m->inflated += got;
        if (ended && m->inflated < m->run.bytes)
            return damaged(m, "it inflates to fewer bytes than its directory says", err);
        keep_checkpoint(m);
    }
    return SAE_OK;
}

/* All bytes have come out: the stream must end here, and with it the packed run. */
static sae_status check_end(saei_inflate_member *m, sae_error *err)
{
    bool ended = false;
    while (!ended) {
        unsigned char surplus;
        size_t got;
        sae_status status = inflate_step(&got, &ended, m, &surplus, 1, err);
        if (status != SAE_OK)
            return status;
        if (got > 0)
            return damaged(m, "it inflates to more bytes than its directory says", err);
    }
    if (m->stream.avail_in > 0 || m->fetched < m->run.stored)
        return damaged(m, "its deflated data do not end where its directory says", err);
    return SAE_OK;
}

sae_status saei_inflate_member_read(void *out, saei_inflate_member *m, uint64_t offset, size_t bytes,
                                    sae_error *err)
{
    sae_status status = rewind_to(m, offset, err);
    while (status == SAE_OK && m->inflated < offset) {
        uint64_t gap = offset - m->inflated;
        status = inflate_some(m->skipped, m, gap < SKIP_BYTES ? (size_t)gap : SKIP_BYTES, err);
    }
    if (status == SAE_OK)
        status = inflate_some(out, m, bytes, err);
    if (status == SAE_OK && m->inflated == m->run.bytes) {
        status = check_end(m, err);
        inflateEnd(&m->stream);
        m->started = false;
    }
    return status;
}

sae_status saei_inflate_member_new(saei_inflate_member **out, sae_context *context,
                                   const saei_packed_run *run, sae_error *err)
{
    *out = NULL;
    saei_inflate_member *member;
    sae_status status = saei_alloc(&member, context, 1, sizeof *member, err);
    if (status != SAE_OK)
        return status;
    member->context = context;
    member->run = *run;
    uint64_t even = run->bytes / CHECKPOINTS_MAX;
    member->spacing = even > checkpoint_spacing_min ? even : checkpoint_spacing_min;
    *out = member;
    return SAE_OK;
}

void saei_inflate_member_free(saei_inflate_member *member)
{
    if (member == NULL)
        return;
    if (member->started)
        inflateEnd(&member->stream);
    for (size_t i = 0; i < member->n_checkpoints; i++)
        inflateEnd(&member->checkpoints[i].stream);
    saei_free(member->context, member->checkpoints);
    saei_free(member->context, member);
}

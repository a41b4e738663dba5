#include "io/inflater.h"
#include "base/error.h"
#include "base/memory.h"

#ifdef HAVE_LIBDEFLATE
#include <libdeflate.h>
#else
#include <limits.h>
#include <stdlib.h>
#include <zlib.h>
#endif

enum { LIMIT_SHARE = 16 }; /* the slots take at most this part of the memory limit */

#ifdef HAVE_LIBDEFLATE
static void *decoder_new(void)
{
    return libdeflate_alloc_decompressor();
}

static void decoder_free(void *decoder)
{
    libdeflate_free_decompressor(decoder);
}

bool saei_inflate(saei_inflate_slot *slot, size_t bytes, size_t expected)
{
    /* Without a place for the actual size, any other size is an error. */
    return libdeflate_zlib_decompress(slot->decoder, slot->stored, bytes, slot->inflated, expected, NULL) ==
           LIBDEFLATE_SUCCESS;
}
#else
static void *decoder_new(void)
{
    z_stream *stream = calloc(1, sizeof *stream);
    if (stream != NULL && inflateInit(stream) != Z_OK) {
        free(stream);
        return NULL;
    }
    return stream;
}

static void decoder_free(void *decoder)
{
    if (decoder != NULL)
        inflateEnd(decoder);
    free(decoder);
}

bool saei_inflate(saei_inflate_slot *slot, size_t bytes, size_t expected)
{
    z_stream *stream = slot->decoder;
    if (bytes > UINT_MAX || expected > UINT_MAX || inflateReset(stream) != Z_OK)
        return false;
    stream->next_in = slot->stored;
    stream->avail_in = (uInt)bytes;
    stream->next_out = slot->inflated;
    stream->avail_out = (uInt)expected;
    return inflate(stream, Z_FINISH) == Z_STREAM_END && stream->avail_out == 0;
}
#endif

static sae_status fill_slot(saei_inflater *inflater, saei_inflate_slot *slot, sae_error *err)
{
    sae_status status = saei_alloc(&slot->stored, inflater->context, inflater->stored_bytes, 1, err);
    if (status == SAE_OK)
        status = saei_alloc(&slot->inflated, inflater->context, inflater->chunk_bytes, 1, err);
    if (status != SAE_OK)
        return status;
    slot->decoder = decoder_new();
    return slot->decoder != NULL ? SAE_OK : saei_fail(err, SAE_E_MEMORY, "out of memory for inflating");
}

sae_status saei_inflater_new(saei_inflater **out, sae_context *context, uint64_t chunk_bytes, sae_error *err)
{
    *out = NULL;
    /* What deflate makes of data that it cannot pack: 5 bytes more for each of its blocks. */
    uint64_t stored_bytes = chunk_bytes + chunk_bytes / 512 + 64;
    uint64_t slots = sae_context_memory_limit(context) / LIMIT_SHARE / (stored_bytes + chunk_bytes);
    if (chunk_bytes == 0 || slots == 0)
        return SAE_OK;
    saei_inflater *inflater;
    sae_status status = saei_alloc(&inflater, context, 1, sizeof *inflater, err);
    if (status != SAE_OK)
        return status;
    *inflater = (saei_inflater){.context = context,
                                .chunk_bytes = (size_t)chunk_bytes,
                                .stored_bytes = (size_t)stored_bytes,
                                .n_slots = slots < SAEI_INFLATE_SLOTS_MAX ? slots : SAEI_INFLATE_SLOTS_MAX};
    pthread_mutex_init(&inflater->in_use, NULL);
    for (size_t i = 0; i < inflater->n_slots && status == SAE_OK; i++)
        status = fill_slot(inflater, &inflater->slots[i], err);
    if (status != SAE_OK) {
        saei_inflater_free(inflater);
        return status;
    }
    *out = inflater;
    return SAE_OK;
}

void saei_inflater_free(saei_inflater *inflater)
{
    if (inflater == NULL)
        return;
    for (size_t i = 0; i < inflater->n_slots; i++) {
        decoder_free(inflater->slots[i].decoder);
        saei_free(inflater->context, inflater->slots[i].stored);
        saei_free(inflater->context, inflater->slots[i].inflated);
    }
    pthread_mutex_destroy(&inflater->in_use);
    saei_free(inflater->context, inflater);
}

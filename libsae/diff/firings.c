#include "diff/firings.h"
#include "base/context.h"
#include "base/memory.h"
#include "io/bucket_file.h"

#include <string.h>

/* Ranges of latents; extents of each that are written at once, at most; and the share of the memory limit
   that all extents under way may take. */
enum { BUCKETS_MAX = 256, EXTENT_BYTES_MAX = 1 << 16, EXTENT_SHARE = 16 };

enum { FIRST_CAPACITY = 1024 };

struct saei_firings {
    sae_context *context;
    size_t n_latents, bucket_latents; /* latents of a bucket, but for the last */
    saei_firing *held;
    size_t n, capacity;
    saei_bucket_file *file; /* NULL while all are held */
};

sae_status saei_firings_new(saei_firings **out, sae_context *context, size_t n_latents, sae_error *err)
{
    sae_status status = saei_alloc(out, context, 1, sizeof **out, err);
    if (status == SAE_OK)
        **out = (saei_firings){.context = context,
                               .n_latents = n_latents,
                               .bucket_latents = (n_latents + BUCKETS_MAX - 1) / BUCKETS_MAX};
    return status;
}

void saei_firings_free(saei_firings *f)
{
    if (f == NULL)
        return;
    saei_bucket_file_free(f->file);
    saei_free(f->context, f->held);
    saei_free(f->context, f);
}

static size_t n_buckets(const saei_firings *f)
{
    return (f->n_latents + f->bucket_latents - 1) / f->bucket_latents;
}

static sae_status put_in_file(saei_firings *f, const saei_firing *firing, sae_error *err)
{
    unsigned char *record;
    sae_status status = saei_bucket_file_add(&record, f->file, firing->latent / f->bucket_latents, err);
    if (status == SAE_OK)
        memcpy(record, firing, sizeof *firing);
    return status;
}

static sae_status move_to_file(saei_firings *f, sae_error *err)
{
    uint64_t extent_bytes = sae_context_memory_limit(f->context) / EXTENT_SHARE / n_buckets(f);
    if (extent_bytes > EXTENT_BYTES_MAX)
        extent_bytes = EXTENT_BYTES_MAX;
    size_t extent = (size_t)extent_bytes / sizeof *f->held;
    sae_status status = saei_bucket_file_new(&f->file, f->context, NULL, n_buckets(f), sizeof *f->held,
                                             extent > 0 ? extent : 1, err);
    for (size_t i = 0; status == SAE_OK && i < f->n; i++)
        status = put_in_file(f, &f->held[i], err);
    saei_free(f->context, f->held);
    f->held = NULL;
    f->n = f->capacity = 0;
    return status;
}

sae_status saei_firings_add(saei_firings *f, const saei_firing *firing, sae_error *err)
{
    sae_status status = SAE_OK;
    if (f->file == NULL && f->n == f->capacity) {
        size_t wanted = f->capacity > 0 ? saei_add(f->capacity, f->capacity / 2) : FIRST_CAPACITY;
        /* Twice: sorting takes as much again. */
        if (!saei_memory_ample(f->context, saei_mul(2 * sizeof *f->held, wanted)))
            status = move_to_file(f, err);
        else
            status = saei_grow(&f->held, f->context, f->n, wanted, sizeof *f->held, err);
        if (status == SAE_OK && f->file == NULL)
            f->capacity = wanted;
    }
    if (status != SAE_OK)
        return status;
    if (f->file != NULL)
        return put_in_file(f, firing, err);
    f->held[f->n++] = *firing;
    return SAE_OK;
}

static sae_status append_bucket(saei_profile_parts *parts, const saei_firings *f, size_t bucket,
                                sae_error *err)
{
    size_t first = bucket * f->bucket_latents,
           n_latents = saei_min_size(f->n_latents - first, f->bucket_latents);
    uint64_t n = saei_bucket_file_count(f->file, bucket);
    saei_firing *firings;
    sae_status status = saei_alloc(&firings, f->context, (size_t)n, sizeof *firings, err);
    if (status == SAE_OK)
        status = saei_bucket_file_read((unsigned char *)firings, f->file, bucket, err);
    if (status == SAE_OK)
        status = saei_profile_append(parts, firings, n, first, n_latents, err);
    saei_free(f->context, firings);
    return status;
}

static sae_status append_file(saei_profile_parts *parts, saei_firings *f, sae_error *err)
{
    sae_status status = saei_bucket_file_flush(f->file, err);
    for (size_t b = 0; status == SAE_OK && b < n_buckets(f); b++)
        status = append_bucket(parts, f, b, err);
    return status;
}

static uint64_t count_in_file(const saei_firings *f)
{
    uint64_t n = 0;
    for (size_t b = 0; b < n_buckets(f); b++)
        n += saei_bucket_file_count(f->file, b);
    return n;
}

sae_status saei_firings_profile(saei_profile **out, saei_firings *f, const double *id, const double *weight,
                                size_t n_prompts, sae_error *err)
{
    if (f->file == NULL)
        return saei_profile_new(out, f->context, f->held, f->n, id, weight, n_prompts, f->n_latents, err);
    *out = NULL;
    saei_profile_parts parts = {.weight = weight};
    sae_status status =
        saei_profile_alloc(&parts.profile, f->context, n_prompts, f->n_latents, count_in_file(f), err);
    if (status == SAE_OK) {
        memcpy(parts.profile->id, id, n_prompts * sizeof *id);
        status = append_file(&parts, f, err);
    }
    if (status == SAE_OK)
        *out = parts.profile;
    else
        saei_profile_free(parts.profile);
    return status;
}

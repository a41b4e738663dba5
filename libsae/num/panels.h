/* The encoder in fixed point, laid out for screening. */
#ifndef SAEI_PANELS_H
#define SAEI_PANELS_H

#include "sae/base.h"
#include "num/screen_kernel.h"

typedef struct saei_panels saei_panels;

/* Panels for n_latents rows of d weights, to be packed in wide numbers. kernel: NULL for the fastest that
   runs here; it must be one that does. */
sae_status saei_panels_new(saei_panels **out, sae_context *context, size_t d, size_t n_latents,
                           const saei_screen_kernel *kernel, sae_error *err);
void saei_panels_free(saei_panels *panels);

/* What saei_panels_new allocates. */
size_t saei_panels_bytes(size_t d, size_t n_latents);

/* Chooses bytes or wide numbers; then all latents must be packed before the next use. Bytes take half the
   time to multiply, but leave more latents to be looked at again: which is faster hangs on the data. Without
   effect where the kernel has no bytes or d is too large. */
void saei_panels_use_bytes(saei_panels *panels, bool bytes);
bool saei_panels_in_bytes(const saei_panels *panels);

/* Takes over W_rows [n, d], the weights of latents first .. first + n - 1. Threads may pack disjoint ranges
   at once. */
void saei_panels_pack(saei_panels *panels, size_t first, size_t n, const float *W_rows);

const saei_screen_kernel *saei_panels_kernel(const saei_panels *panels);

/* Panel i, without bias and floor; i < saei_panels_count(n_latents). */
saei_screen_panel saei_panels_at(const saei_panels *panels, size_t i);

/* What is known of each latent. */
const saei_fixed_bounds *saei_panels_bounds_of(const saei_panels *panels);

/* The high and low bytes of all latents, 128 added to each. */
typedef struct saei_latent_bytes {
    const char *high; /* [panels, n_lines, SAEI_PANEL, SAEI_LINE] */
    const char *low;  /* [F, n_lines, SAEI_LINE] */
    size_t n_lines;
} saei_latent_bytes;

saei_latent_bytes saei_panels_latent_bytes(const saei_panels *panels);

/* Where the first of the n_lines lines of latent j lies in panels; the next is SAEI_PANEL lines behind it. */
static inline size_t saei_panel_offset(size_t n_lines, size_t j)
{
    return (j / SAEI_PANEL * SAEI_PANEL * n_lines + j % SAEI_PANEL) * SAEI_LINE;
}

static inline const char *saei_high_bytes(const saei_latent_bytes *bytes, size_t j)
{
    return bytes->high + saei_panel_offset(bytes->n_lines, j);
}

static inline const char *saei_low_bytes(const saei_latent_bytes *bytes, size_t j)
{
    return bytes->low + j * bytes->n_lines * SAEI_LINE;
}

/* The largest saei_fixed_bounds.norm of all latents. */
float saei_panels_norm_max(const saei_panels *panels);

static inline size_t saei_panels_count(size_t n_latents)
{
    return n_latents / SAEI_PANEL + (n_latents % SAEI_PANEL != 0);
}

#endif

#include "num/panels.h"
#include "base/memory.h"

struct saei_panels {
    sae_context *context;
    const saei_screen_kernel *kernel;
    size_t d, n_latents;
    bool in_bytes;
    char *lines;               /* [panels, n_lines, SAEI_PANEL, SAEI_LINE] */
    char *low;                 /* in bytes: [F, n_lines, SAEI_LINE], behind these lines */
    saei_fixed_bounds *bounds; /* [panels * SAEI_PANEL] */
};

static size_t padded(size_t n_latents)
{
    return saei_mul(saei_panels_count(n_latents), SAEI_PANEL);
}

/* Room for both bytes of each number, which is enough for wide numbers too. */
static size_t lines_length(size_t d, size_t n_latents)
{
    return saei_mul(saei_mul(2 * SAEI_LINE, saei_byte_lines(d)), padded(n_latents));
}

size_t saei_panels_bytes(size_t d, size_t n_latents)
{
    size_t bounds = saei_mul(padded(n_latents), sizeof(saei_fixed_bounds));
    return saei_add(sizeof(saei_panels), saei_add(lines_length(d, n_latents), bounds));
}

sae_status saei_panels_new(saei_panels **out, sae_context *context, size_t d, size_t n_latents,
                           const saei_screen_kernel *kernel, sae_error *err)
{
    saei_panels *panels;
    *out = NULL;
    sae_status status = saei_alloc(&panels, context, 1, sizeof *panels, err);
    if (status != SAE_OK)
        return status;
    panels->context = context;
    panels->kernel = kernel != NULL ? kernel : saei_screen_kernel_at(0);
    panels->d = d;
    panels->n_latents = n_latents;
    status = saei_alloc(&panels->lines, context, lines_length(d, n_latents), 1, err);
    if (status == SAE_OK)
        status = saei_alloc(&panels->bounds, context, padded(n_latents), sizeof *panels->bounds, err);
    if (status != SAE_OK) {
        saei_panels_free(panels);
        return status;
    }
    panels->low = panels->lines + SAEI_LINE * saei_byte_lines(d) * padded(n_latents);
    *out = panels;
    return SAE_OK;
}

void saei_panels_free(saei_panels *panels)
{
    if (panels == NULL)
        return;
    saei_free(panels->context, panels->lines);
    saei_free(panels->context, panels->bounds);
    saei_free(panels->context, panels);
}

void saei_panels_use_bytes(saei_panels *panels, bool bytes)
{
    panels->in_bytes = bytes && panels->kernel->bytes != NULL && panels->d <= SAEI_BYTES_DIMENSIONS_MAX;
}

bool saei_panels_in_bytes(const saei_panels *panels)
{
    return panels->in_bytes;
}

static size_t lines_of_one(const saei_panels *panels)
{
    return panels->in_bytes ? saei_byte_lines(panels->d) : saei_wide_lines(panels->d);
}

static saei_line_places places_of(const saei_panels *panels, size_t latent)
{
    return (saei_line_places){panels->lines + saei_panel_offset(lines_of_one(panels), latent),
                              SAEI_PANEL * SAEI_LINE};
}

static char *low_of(const saei_panels *panels, size_t latent)
{
    return panels->low + latent * lines_of_one(panels) * SAEI_LINE;
}

void saei_panels_pack(saei_panels *panels, size_t first, size_t n, const float *W_rows)
{
    for (size_t i = 0; i < n; i++) {
        saei_line_places lines = places_of(panels, first + i), low = {low_of(panels, first + i), SAEI_LINE};
        const float *w = W_rows + i * panels->d;
        panels->bounds[first + i] = panels->in_bytes ? saei_fixed_pack_bytes(lines, low, 0x80, w, panels->d)
                                                     : saei_fixed_pack_wide(lines, w, panels->d);
    }
}

const saei_screen_kernel *saei_panels_kernel(const saei_panels *panels)
{
    return panels->kernel;
}

saei_screen_panel saei_panels_at(const saei_panels *panels, size_t i)
{
    return (saei_screen_panel){.lines = places_of(panels, i * SAEI_PANEL).first,
                               .n_lines = lines_of_one(panels),
                               .latents = panels->bounds + i * SAEI_PANEL,
                               .first = (uint32_t)(i * SAEI_PANEL)};
}

const saei_fixed_bounds *saei_panels_bounds_of(const saei_panels *panels)
{
    return panels->bounds;
}

saei_latent_bytes saei_panels_latent_bytes(const saei_panels *panels)
{
    return (saei_latent_bytes){panels->lines, panels->low, saei_byte_lines(panels->d)};
}

float saei_panels_norm_max(const saei_panels *panels)
{
    float largest = 0.0f;
    for (size_t j = 0; j < panels->n_latents; j++)
        largest = panels->bounds[j].norm > largest ? panels->bounds[j].norm : largest;
    return largest;
}

#include "num/panels.h"
#include "base/memory.h"
#include "num/fixed_point.h"

struct saei_panels {
    sae_context *context;
    const saei_screen_kernel *kernel;
    size_t d, n_latents;
    int16_t *strips;          /* [panels, 2, pairs, SAEI_STRIP, 2] */
    saei_fixed_bounds bounds; /* [panels * SAEI_PANEL] */
};

static size_t padded(size_t n_latents)
{
    return saei_mul(saei_panels_count(n_latents), SAEI_PANEL);
}

static size_t strips_length(size_t d, size_t n_latents)
{
    return saei_mul(saei_mul(saei_fixed_pairs(d), 2), padded(n_latents));
}

size_t saei_panels_bytes(size_t d, size_t n_latents)
{
    size_t bounds = saei_mul(padded(n_latents), 3 * sizeof(float));
    return saei_add(sizeof(saei_panels),
                    saei_add(saei_mul(strips_length(d, n_latents), sizeof(int16_t)), bounds));
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
    float **bounds[] = {&panels->bounds.unit, &panels->bounds.norm, &panels->bounds.error};
    status = saei_alloc(&panels->strips, context, strips_length(d, n_latents), sizeof *panels->strips, err);
    for (size_t i = 0; i < 3 && status == SAE_OK; i++)
        status = saei_alloc(bounds[i], context, padded(n_latents), sizeof **bounds[i], err);
    if (status != SAE_OK) {
        saei_panels_free(panels);
        return status;
    }
    *out = panels;
    return SAE_OK;
}

void saei_panels_free(saei_panels *panels)
{
    if (panels == NULL)
        return;
    saei_free(panels->context, panels->strips);
    saei_free(panels->context, panels->bounds.unit);
    saei_free(panels->context, panels->bounds.norm);
    saei_free(panels->context, panels->bounds.error);
    saei_free(panels->context, panels);
}

void saei_panels_pack(saei_panels *panels, size_t first, size_t n, const float *W_rows)
{
    size_t strip_length = 2 * SAEI_STRIP * saei_fixed_pairs(panels->d);
    for (size_t done = 0; done < n; done += SAEI_STRIP) {
        size_t latent = first + done, left = n - done;
        saei_fixed_bounds bounds = {panels->bounds.unit + latent, panels->bounds.norm + latent,
                                    panels->bounds.error + latent};
        saei_fixed_pack(panels->strips + latent / SAEI_STRIP * strip_length, SAEI_STRIP, bounds,
                        W_rows + done * panels->d, left < SAEI_STRIP ? left : SAEI_STRIP, panels->d);
    }
}

const saei_screen_kernel *saei_panels_kernel(const saei_panels *panels)
{
    return panels->kernel;
}

saei_screen_panel saei_panels_at(const saei_panels *panels, size_t i)
{
    size_t pairs = saei_fixed_pairs(panels->d), first = i * SAEI_PANEL;
    return (saei_screen_panel){.strips = panels->strips + 2 * pairs * first,
                               .pairs = pairs,
                               .unit = panels->bounds.unit + first,
                               .norm = panels->bounds.norm + first,
                               .error = panels->bounds.error + first,
                               .first = (uint32_t)first};
}

float saei_panels_norm_max(const saei_panels *panels)
{
    float largest = 0.0f;
    for (size_t j = 0; j < panels->n_latents; j++)
        largest = panels->bounds.norm[j] > largest ? panels->bounds.norm[j] : largest;
    return largest;
}

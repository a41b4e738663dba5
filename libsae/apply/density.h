/* How many latents fire how often. */
#ifndef SAEI_DENSITY_H
#define SAEI_DENSITY_H

#include "sae/apply.h"

/* From the number of the `rows` rows on which each latent fires: fires [n_latents]. rows > 0. */
sae_densities saei_densities(const uint64_t *fires, size_t n_latents, uint64_t rows);

#endif

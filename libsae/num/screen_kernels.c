#include "num/screen_kernel.h"

#include <math.h>

/* 512-bit multiply and add without VNNI run on two ports, 256-bit ones on three: avx2 is the faster of the
 * two. */
static const saei_screen_kernel *const kernels[] = {
#if defined(__x86_64__) && defined(__GNUC__)
    &saei_screen_avx512vnni, &saei_screen_avxvnni, &saei_screen_avx512bw,
    &saei_screen_avx2,       &saei_screen_sse2,
#endif
    &saei_screen_portable};

static const saei_fixed_bounds no_bounds[SAEI_PANEL];
static const float no_floor[SAEI_PANEL],
    no_bias[SAEI_PANEL] = {NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN};
const saei_screen_panel saei_screen_no_panel = {.latents = no_bounds, .bias = no_bias, .floor = no_floor};

const saei_screen_kernel *saei_screen_kernel_at(size_t i)
{
    for (size_t which = 0; which < sizeof kernels / sizeof kernels[0]; which++)
        if (kernels[which]->runs_here() && i-- == 0)
            return kernels[which];
    return NULL;
}

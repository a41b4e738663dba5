#include "train/architecture.h"

const saei_architecture *saei_architecture_find(sae_architecture architecture)
{
    static const saei_architecture *const all[] = {
        [SAE_ARCH_TOPK] = &saei_topk_architecture,
        [SAE_ARCH_BATCHTOPK] = &saei_batchtopk_architecture,
        [SAE_ARCH_MATRYOSHKA] = &saei_matryoshka_architecture,
        [SAE_ARCH_RELU] = &saei_relu_architecture,
        [SAE_ARCH_JUMPRELU] = &saei_jumprelu_architecture,
        [SAE_ARCH_GATED] = &saei_gated_architecture,
        [SAE_ARCH_P_ANNEAL] = &saei_p_anneal_architecture,
    };
    size_t n = sizeof all / sizeof all[0];
    return (size_t)architecture < n ? all[architecture] : NULL;
}

const char *sae_architecture_name(sae_architecture architecture)
{
    const saei_architecture *a = saei_architecture_find(architecture);
    return a != NULL ? a->name : "unknown";
}

void saei_backward_identity(const saei_latent_entries *entries, saei_latent_sums *sums,
                            const saei_latent *latent, const saei_penalty *penalty)
{
    (void)latent;
    (void)penalty;
    for (size_t i = 0; i < entries->n; i++)
        sums->pre += (double)entries->g[i];
    sums->b_enc = sums->pre;
    sums->active = entries->n;
}

#include "base/error.h"
#include "steer/monitor.h"

#include <math.h>

/* The covariance is shrunk by this much towards the identity times the mean variance: of latents that fire on
   few prompts it is known badly. The form is that of regularised discriminant analysis (Friedman 1989). */
static const double shrinkage = 0.1;

static void shrink(double *S, size_t n)
{
    double mean_variance = 0;
    for (size_t i = 0; i < n; i++)
        mean_variance += S[i * n + i] / (double)n;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            S[i * n + j] = (1 - shrinkage) * S[i * n + j] + (i == j ? shrinkage * mean_variance : 0);
}

/* w = S⁻¹ delta by S = L Lᵀ, L in the lower triangle of S. After shrinking no pivot is below a tenth of the
   mean variance. */
static void solve(double *w, double *S, const double *delta, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j <= i; j++) {
            double rest = S[i * n + j];
            for (size_t k = 0; k < j; k++)
                rest -= S[i * n + k] * S[j * n + k];
            S[i * n + j] = i == j ? sqrt(rest) : rest / S[j * n + j];
        }
    }
    for (size_t i = 0; i < n; i++) {
        w[i] = delta[i];
        for (size_t k = 0; k < i; k++)
            w[i] -= S[i * n + k] * w[k];
        w[i] /= S[i * n + i];
    }
    for (size_t i = n; i-- > 0;) {
        for (size_t k = i + 1; k < n; k++)
            w[i] -= S[k * n + i] * w[k];
        w[i] /= S[i * n + i];
    }
}

sae_status saei_monitor_weigh(double *w, double *S, const double *delta, size_t n,
                              sae_monitor_weighting weighting, sae_error *err)
{
    shrink(S, n);
    if (!(S[0] > 0))
        return saei_fail(
            err, SAE_E_ARGUMENT,
            "the latents never vary over the prompts of the controls, so that no threshold can be "
            "learned; choose others or give more control prompts");
    if (weighting == SAE_MONITOR_DISCRIMINANT)
        solve(w, S, delta, n);
    for (size_t i = 0; weighting != SAE_MONITOR_DISCRIMINANT && i < n; i++)
        w[i] = weighting == SAE_MONITOR_EQUAL ? 1 : 1 / sqrt(S[i * n + i]);
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += fabs(w[i]);
    if (!(sum > 0))
        return saei_fail(err, SAE_E_ARGUMENT,
                         "no latent differs between the bad dumps and the controls; choose others");
    for (size_t i = 0; i < n; i++)
        w[i] /= sum;
    return SAE_OK;
}

#include "diff/fisher_exact.h"

#include <math.h>

static double log_choose(double n, double k)
{
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1);
}

double saei_fisher_upper(uint64_t hits, uint64_t trials, uint64_t all_hits, uint64_t all_trials)
{
    uint64_t most = all_hits < trials ? all_hits : trials, others = all_trials - trials;
    uint64_t least = all_hits > others ? all_hits - others : 0;
    if (hits <= least)
        return 1;
    double sum = 0, all = log_choose((double)all_trials, (double)trials);
    for (uint64_t h = hits; h <= most; h++)
        sum += exp(log_choose((double)all_hits, (double)h) +
                   log_choose((double)(all_trials - all_hits), (double)(trials - h)) - all);
    return fmin(sum, 1);
}

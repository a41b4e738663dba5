#include "train/schedule.h"

#include <math.h>

/* What step t = 0, 1, … has of a warm-up of `length` steps, up to 1. */
static double warmed(double t, double length, bool from_zero)
{
    double done = from_zero ? t : t + 1.0;
    return done < length ? done / length : 1.0;
}

double saei_learning_rate(const sae_train_options *o, uint64_t t)
{
    double done = (double)t, steps = (double)o->steps, warm = o->warmup * steps,
           decay = o->decay_start * steps;
    double up = warmed(done, warm, o->warmup_from_zero);
    double down = done > decay && decay < steps ? (steps - done) / (steps - decay) : 1.0;
    return o->learning_rate * up * (o->decay_to + (1.0 - o->decay_to) * down);
}

size_t saei_schedule_k(const sae_train_options *o, uint64_t t)
{
    double length = o->k_anneal * (double)o->steps, done = (double)t;
    if (!(done < length))
        return o->k;
    return (size_t)lround((double)o->k * (1.0 + (o->k_start - 1.0) * (1.0 - done / length)));
}

double saei_schedule_p(const sae_train_options *o, uint64_t t)
{
    double begin = o->p_start * (double)o->steps, length = ((double)o->steps - begin) / (double)o->p_updates;
    if (o->architecture != SAE_ARCH_P_ANNEAL || (double)t < begin || !(length > 0.0))
        return 1.0;
    double updates = floor(((double)t - begin) / length) + 1.0;
    return 1.0 - (1.0 - o->p_end) * fmin(updates / (double)o->p_updates, 1.0);
}

saei_penalty saei_schedule_penalty(const sae_train_options *o, uint64_t t, double anneal)
{
    double up = warmed((double)t, o->sparsity_warmup * (double)o->steps, o->sparsity_from_zero);
    return (saei_penalty){
        .kind = o->sparsity,
        .coefficient = o->sparsity_coefficient * up * anneal,
        .bandwidth = (float)o->bandwidth,
        .p = (float)saei_schedule_p(o, t),
        .p_next = (float)saei_schedule_p(o, t + 1),
    };
}

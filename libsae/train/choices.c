#include "train/choices.h"
#include "base/error.h"

#include <math.h>

void sae_train_options_init(sae_train_options *options)
{
    *options = (sae_train_options){
        .size = sizeof *options,
        .warmup = 0.03,
        .decay_start = 0.2,
        .beta1 = 0.9,
        .beta2 = 0.999,
        .epsilon = 1e-8,
        .clip = 1.0,
        .aux_k = SIZE_MAX,
        .aux_coefficient = 1.0 / 32.0,
        .heldout = 0.02,
        .checkpoint_seconds = 60.0,
    };
}

static uint64_t power_of_two_at_least(uint64_t n)
{
    uint64_t power = 1;
    while (power < n)
        power *= 2;
    return power;
}

static uint64_t power_of_two_at_most(uint64_t n)
{
    uint64_t power = 1;
    while (power <= n / 2)
        power *= 2;
    return power;
}

static uint64_t clamp(uint64_t value, uint64_t low, uint64_t high)
{
    return value < low ? low : value > high ? high : value;
}

/* 16 d latents, as the published SAEs of small and middle-sized models have, but no more than the rows can
   teach: each needs to be seen firing some tens of times. */
static size_t choose_latents(size_t d, uint64_t rows)
{
    uint64_t wanted = power_of_two_at_least(16 * (uint64_t)d), most = power_of_two_at_most(rows / 40 + 1);
    return (size_t)clamp(wanted, 1, most < 16 ? 16 : most);
}

/* 16 at d = 128, 32 at 768, 64 at 2304. */
static size_t choose_k(size_t d, size_t n_latents)
{
    uint64_t k = (uint64_t)1 << (unsigned)lround(0.5 * log2(2.0 * (double)d));
    return (size_t)clamp(k, 1, n_latents / 4 + 1);
}

/* Small batches learn more from a row, and keep together what belongs together; but the optimiser's pass over
   all weights, which is paid once a step, must stay small beside the encoder. */
static size_t choose_batch_rows(size_t n_latents)
{
    return n_latents <= 4096 ? 512 : 2048;
}

/* Small dumps are passed over forty times, in a round number of steps; more passes fit the rows themselves
   and split latents that belong together. Beyond six million rows a pass more gains little: large dumps are
   passed over once. */
static uint64_t choose_steps(uint64_t rows, uint64_t batch_rows)
{
    const uint64_t passes = 40, round = 500, enough_rows = 6144000, most = 200000;
    uint64_t one_pass = rows / batch_rows;
    uint64_t many = (passes * one_pass + round - 1) / round * round;
    return clamp(one_pass, clamp(many, round, enough_rows / batch_rows), most);
}

/* Adam moves every weight by about the rate: relative to rows of unit length with d entries the same step for
   every d, and smaller for very many latents (the 1/√F of Gao et al. 2024). Found on real dumps at d = 128, F
   = 2048: a higher rate fits better still, but splits latents that belong together. */
static double choose_learning_rate(size_t d, size_t n_latents)
{
    double by_width = 0.0113 / sqrt((double)d), by_latents = 3.5e-4 * sqrt(16384.0 / (double)n_latents);
    return by_width < by_latents ? by_width : by_latents;
}

static sae_status check_ranges(const sae_train_options *o, sae_error *err)
{
    const char *wrong = NULL;
    if (o->n_latents > UINT32_MAX)
        wrong = "n_latents must be below 2^32";
    else if (o->k > o->n_latents)
        wrong = "k must not exceed n_latents";
    else if (o->batch_rows < 1 || o->batch_rows > 1 << 24)
        wrong = "batch_rows must be in 1 .. 2^24";
    else if (!(o->learning_rate > 0.0 && o->learning_rate < 1.0))
        wrong = "learning_rate must be in (0, 1)";
    else if (!(o->warmup >= 0.0 && o->warmup <= 1.0))
        wrong = "warmup must be in [0, 1]";
    else if (!(o->decay_start >= 0.0 && o->decay_start <= 1.0))
        wrong = "decay_start must be in [0, 1]";
    else if (!(o->beta1 >= 0.0 && o->beta1 < 1.0 && o->beta2 >= 0.0 && o->beta2 < 1.0))
        wrong = "beta1 and beta2 must be in [0, 1)";
    else if (!(o->epsilon > 0.0))
        wrong = "epsilon must be above 0";
    else if (!(o->clip >= 0.0))
        wrong = "clip must not be negative";
    else if (!(o->aux_coefficient >= 0.0 && isfinite(o->aux_coefficient)))
        wrong = "aux_coefficient must not be negative";
    else if (!(o->heldout >= 0.0 && o->heldout < 1.0))
        wrong = "heldout must be in [0, 1)";
    else if (!(o->checkpoint_seconds >= 0.0))
        wrong = "checkpoint_seconds must not be negative";
    return wrong == NULL ? SAE_OK : saei_fail(err, SAE_E_ARGUMENT, "training options: %s", wrong);
}

sae_status saei_train_options_choose(sae_train_options *o, size_t d, uint64_t rows, sae_error *err)
{
    if (o->n_latents == 0)
        o->n_latents = choose_latents(d, rows);
    if (o->k == 0)
        o->k = choose_k(d, o->n_latents);
    if (o->batch_rows == 0)
        o->batch_rows = choose_batch_rows(o->n_latents);
    if (o->batch_rows > rows)
        o->batch_rows = (size_t)rows;
    if (o->steps == 0 && o->batch_rows > 0)
        o->steps = choose_steps(rows, o->batch_rows);
    if (o->learning_rate == 0.0)
        o->learning_rate = choose_learning_rate(d, o->n_latents);
    if (o->aux_k == SIZE_MAX)
        o->aux_k = (size_t)clamp(d / 2, 1, 512);
    if (o->aux_k > o->n_latents)
        o->aux_k = o->n_latents;
    if (o->dead_after == 0)
        o->dead_after = clamp(o->steps / 12 * o->batch_rows, o->batch_rows, 10000000);
    if (o->heldout_every == 0)
        o->heldout_every = clamp(o->steps / 20, 1, UINT64_MAX);
    return check_ranges(o, err);
}

double saei_learning_rate(const sae_train_options *o, uint64_t t)
{
    double done = (double)t, steps = (double)o->steps, warm = o->warmup * steps,
           decay = o->decay_start * steps;
    double up = done + 1.0 < warm ? (done + 1.0) / warm : 1.0;
    double down = done > decay && decay < steps ? (steps - done) / (steps - decay) : 1.0;
    return o->learning_rate * up * down;
}

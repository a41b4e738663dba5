#include "train/choices.h"
#include "base/error.h"
#include "train/architecture.h"

#include <math.h>
#include <string.h>

void sae_train_options_init(sae_train_options *options)
{
    *options = (sae_train_options){
        .size = sizeof *options,
        .data_seed = UINT64_MAX,
        .warmup = 0.03,
        .decay_start = 0.2,
        .sparsity_coefficient = -1.0,
        .sparsity_warmup = -1.0,
        .k_start = 1.0,
        .row_share = 8,
        .threshold_start = -1.0,
        .p_start = 0.2,
        .p_end = 0.2,
        .p_updates = 10,
        .start_norm = 1.0,
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

bool saei_has_k(sae_architecture architecture)
{
    return architecture == SAE_ARCH_TOPK || architecture == SAE_ARCH_BATCHTOPK ||
           architecture == SAE_ARCH_MATRYOSHKA;
}

/* λ in the units of scaled rows, whose losses are of the order of 1: as dictionary_learning's. */
static void choose_sparsity(sae_train_options *o)
{
    if (o->sparsity == SAE_SPARSITY_AUTO)
        o->sparsity = o->architecture == SAE_ARCH_JUMPRELU   ? SAE_SPARSITY_TARGET_L0
                      : o->architecture == SAE_ARCH_P_ANNEAL ? SAE_SPARSITY_L1
                                                             : SAE_SPARSITY_L1_DECODER_NORM;
    if (o->sparsity_coefficient < 0.0)
        o->sparsity_coefficient = saei_penalty_aims_at_l0(o->sparsity) ? 1.0
                                  : o->sparsity == SAE_SPARSITY_STEP   ? 1e-3
                                  : o->sparsity == SAE_SPARSITY_TANH   ? 1e-3
                                                                       : 0.03;
    if (o->sparsity_warmup < 0.0)
        o->sparsity_warmup = 0.05;
    if (o->bandwidth == 0.0)
        o->bandwidth = 1e-3;
    if (o->threshold_start < 0.0)
        o->threshold_start = 1e-3;
}

/* The shares that dictionary_learning's examples use. */
static void choose_groups(sae_train_options *o)
{
    static const double shares[] = {1.0 / 32, 1.0 / 16, 1.0 / 8, 1.0 / 4, 17.0 / 32};
    if (o->architecture != SAE_ARCH_MATRYOSHKA || o->n_groups > 0)
        return;
    o->n_groups = sizeof shares / sizeof shares[0];
    memcpy(o->groups, shares, sizeof shares);
}

static const char *wrong_groups(const sae_train_options *o)
{
    double sum = 0.0;
    if (o->architecture != SAE_ARCH_MATRYOSHKA)
        return NULL;
    if (o->n_groups > SAE_GROUPS_MAX)
        return "there may be 16 groups at most";
    for (size_t g = 0; g < o->n_groups; g++) {
        if (!(o->groups[g] > 0.0))
            return "the share of each group must be above 0";
        sum += o->groups[g];
    }
    return fabs(sum - 1.0) <= 1e-6 ? NULL : "the shares of the groups must add up to 1";
}

static const char *wrong_sparsity(const sae_train_options *o)
{
    bool jump = o->architecture == SAE_ARCH_JUMPRELU;
    bool by_count = o->sparsity == SAE_SPARSITY_STEP || o->sparsity == SAE_SPARSITY_TANH ||
                    saei_penalty_aims_at_l0(o->sparsity);
    if (!saei_has_k(o->architecture) && jump != by_count)
        return "step, tanh and target L0 are penalties of JumpReLU, L1 of the others";
    if (o->sparsity == SAE_SPARSITY_LP_ROOT && o->architecture != SAE_ARCH_P_ANNEAL)
        return "the p-th root is a penalty of p_anneal";
    if (o->rank_by_decoder_norm && !saei_has_k(o->architecture))
        return "rank_by_decoder_norm is for topk, batchtopk and matryoshka";
    if (!isfinite(o->sparsity_coefficient))
        return "sparsity_coefficient must be finite";
    if (!(o->sparsity_warmup <= 1.0 && o->k_anneal >= 0.0 && o->k_anneal <= 1.0))
        return "sparsity_warmup and k_anneal must be in [0, 1]";
    if (!(o->k_start >= 1.0 && o->k_start * (double)o->k <= (double)o->n_latents))
        return "k_start must be at least 1, and k_start times k at most n_latents";
    if (!(o->pre_act_coefficient >= 0.0 && isfinite(o->pre_act_coefficient)))
        return "pre_act_coefficient must not be negative";
    if (o->pre_act_coefficient > 0.0 && !jump)
        return "pre_act_coefficient is for JumpReLU";
    if (o->row_share < 1)
        return "row_share must be at least 1";
    if (!(o->bandwidth > 0.0 && isfinite(o->bandwidth) && isfinite(o->threshold_start)))
        return "bandwidth must be above 0";
    if (!(o->p_start >= 0.0 && o->p_start <= 1.0 && o->p_end > 0.0 && o->p_end <= 1.0 && o->p_updates > 0))
        return "p_start must be in [0, 1], p_end in (0, 1], p_updates above 0";
    return NULL;
}

/* A file or a caller of another version may hold anything. */
static const char *wrong_choice(const sae_train_options *o)
{
    if (saei_architecture_find(o->architecture) == NULL)
        return "no such architecture";
    if ((unsigned)o->sparsity > SAE_SPARSITY_LP_ROOT)
        return "no such sparsity";
    if ((unsigned)o->group_loss > SAE_GROUP_LOSS_MEAN_TWICE)
        return "no such group_loss";
    if ((unsigned)o->aux_style > SAE_AUX_SAELENS)
        return "no such aux_style";
    if ((unsigned)o->input_scale > SAE_SCALE_NONE)
        return "no such input_scale";
    if ((unsigned)o->b_dec_init > SAE_B_DEC_ZERO)
        return "no such b_dec_init";
    if ((unsigned)o->b_enc_init > SAE_B_ENC_UNIFORM)
        return "no such b_enc_init";
    if ((unsigned)o->directions_init > SAE_DIRECTIONS_UNIFORM)
        return "no such directions_init";
    return (unsigned)o->threshold_rule > SAE_THRESHOLD_EMA_SAELENS ? "no such threshold_rule" : NULL;
}

static sae_status check_ranges(const sae_train_options *o, sae_error *err)
{
    const char *wrong = wrong_choice(o);
    if (wrong != NULL)
        return saei_fail(err, SAE_E_ARGUMENT, "training options: %s", wrong);
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
    else if (!(o->decay_to >= 0.0 && o->decay_to <= 1.0))
        wrong = "decay_to must be in [0, 1]";
    else if (!(o->start_norm > 0.0 && isfinite(o->start_norm)))
        wrong = "start_norm must be above 0";
    else if (!(o->spike >= 0.0))
        wrong = "spike must not be negative";
    else if ((wrong = wrong_groups(o)) == NULL)
        wrong = wrong_sparsity(o);
    return wrong == NULL ? SAE_OK : saei_fail(err, SAE_E_ARGUMENT, "training options: %s", wrong);
}

sae_status saei_train_options_choose(sae_train_options *o, size_t d, uint64_t rows, sae_error *err)
{
    if (o->data_seed == UINT64_MAX)
        o->data_seed = o->seed;
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
        o->aux_k = saei_has_k(o->architecture) ? (size_t)clamp(d / 2, 1, 512) : 0;
    if (o->aux_k > o->n_latents)
        o->aux_k = o->n_latents;
    if (o->dead_after == 0)
        o->dead_after = clamp(o->steps / 12 * o->batch_rows, o->batch_rows, 10000000);
    if (o->heldout_every == 0)
        o->heldout_every = clamp(o->steps / 20, 1, UINT64_MAX);
    choose_sparsity(o);
    choose_groups(o);
    return check_ranges(o, err);
}

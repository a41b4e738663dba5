/* How other tools train: their initialisation, input scaling, schedule and constants, as their sources stood
   in November 2026. docs/METHODS.md lists each with what could not be taken over. */
#include "base/error.h"
#include "sae/train.h"

#include <stdio.h>
#include <string.h>

/* Other tools set no limit to BatchTopK's codes of one row: more than any row took in the first batches of
   the runs of docs/COST.md, where it was 15 k. */
static const size_t any_share = 32;

/* What not every preset sets, as it is by default: presets must not depend on what was set before them. */
static void forget(sae_train_options *o)
{
    sae_train_options defaults;
    sae_train_options_init(&defaults);
    o->learning_rate = defaults.learning_rate;
    o->decay_to = defaults.decay_to;
    o->sparsity = defaults.sparsity;
    o->sparsity_coefficient = defaults.sparsity_coefficient;
    o->sparsity_warmup = defaults.sparsity_warmup;
    o->warmup_from_zero = defaults.warmup_from_zero;
    o->sparsity_from_zero = defaults.sparsity_from_zero;
    o->k_start = defaults.k_start;
    o->k_anneal = defaults.k_anneal;
    o->bandwidth = defaults.bandwidth;
    o->threshold_start = defaults.threshold_start;
    o->p_start = defaults.p_start;
    o->pre_act_coefficient = defaults.pre_act_coefficient;
    o->p_end = defaults.p_end;
    o->p_updates = defaults.p_updates;
    o->row_share = defaults.row_share;
    o->detached_gate = defaults.detached_gate;
    o->rank_by_decoder_norm = defaults.rank_by_decoder_norm;
    o->raw_input = defaults.raw_input;
    o->start_norm = defaults.start_norm;
    o->b_enc_init = defaults.b_enc_init;
    o->directions_init = SAE_DIRECTIONS_UNIFORM;
    o->dead_after = defaults.dead_after;
    o->resample_every = defaults.resample_every;
}

/* dictionary_learning: rows by their root mean square norm, tied unit decoder, the geometric median of the
   first batch, Adam(0.9, 0.999), 1000 steps of warm-up, decay over the last fifth, the gradient clipped at 1.
 */
static void dictionary_learning(sae_train_options *o)
{
    forget(o);
    o->input_scale = SAE_SCALE_RMS_NORM;
    o->b_dec_init = SAE_B_DEC_GEOMETRIC_MEDIAN;
    o->beta1 = 0.9;
    o->beta2 = 0.999;
    o->epsilon = 1e-8;
    o->warmup = 0.05;
    o->warmup_from_zero = true;
    o->sparsity_from_zero = true;
    o->decay_start = 0.8;
    o->decay_to = 0.0;
    o->clip = 1.0;
    o->free_decoder = false;
    o->aux_k = SIZE_MAX;
    o->aux_style = SAE_AUX_DICTIONARY_LEARNING;
    o->aux_coefficient = 1.0 / 32.0;
    o->dead_after = 10000000;
    o->threshold_rule = SAE_THRESHOLD_EMA;
    o->group_loss = SAE_GROUP_LOSS_MEAN_TWICE;
    o->row_share = any_share;
}

/* SAELens: rows by their mean norm, decoder rows of length 0.1 at first and free, biases 0, a constant rate
   of 3e-4, the gradient clipped at 1. */
static void saelens(sae_train_options *o)
{
    forget(o);
    o->input_scale = SAE_SCALE_MEAN_NORM;
    o->b_dec_init = SAE_B_DEC_ZERO;
    o->beta1 = 0.9;
    o->beta2 = 0.999;
    o->epsilon = 1e-8;
    o->learning_rate = 3e-4;
    o->warmup = 0.0;
    o->decay_start = 1.0;
    o->clip = 1.0;
    o->free_decoder = true;
    o->start_norm = 0.1;
    o->aux_k = SIZE_MAX;
    o->aux_style = SAE_AUX_SAELENS;
    o->aux_coefficient = 1.0;
    o->sparsity_warmup = 0.0;
    o->sparsity_from_zero = true;
    o->threshold_rule = SAE_THRESHOLD_EMA_SAELENS;
    o->row_share = any_share;
    o->group_loss = SAE_GROUP_LOSS_SUM;
}

static void dl_topk(sae_train_options *o)
{
    dictionary_learning(o);
    o->architecture = SAE_ARCH_TOPK;
}

static void dl_batchtopk(sae_train_options *o)
{
    dictionary_learning(o);
    o->architecture = SAE_ARCH_BATCHTOPK;
}

static void dl_matryoshka(sae_train_options *o)
{
    dictionary_learning(o);
    o->architecture = SAE_ARCH_MATRYOSHKA;
}

/* StandardTrainer: λ on ‖f‖₁ beside unit rows, rate 1e-3, no AuxK; the biases of its encoder, a linear layer,
   keep their random start. */
static void dl_relu(sae_train_options *o)
{
    dictionary_learning(o);
    o->architecture = SAE_ARCH_RELU;
    o->sparsity = SAE_SPARSITY_L1;
    o->sparsity_coefficient = 0.1;
    o->sparsity_warmup = 0.1;
    o->learning_rate = 1e-3;
    o->clip = 0.0;
    o->aux_k = 0;
    o->start_norm = 0.1;
    o->b_dec_init = SAE_B_DEC_ZERO;
    o->b_enc_init = SAE_B_ENC_UNIFORM;
    o->directions_init = SAE_DIRECTIONS_NORMAL;
}

/* PAnnealTrainer as the package's demonstration has it: λ Σ f^p, ten values of p from 1 to 0.2, evenly from a
   fifth of the run to its end. The first leaves p at 1 and the last comes after the last step: eight are to
   be seen. */
static void dl_p_anneal(sae_train_options *o)
{
    dl_relu(o);
    o->architecture = SAE_ARCH_P_ANNEAL;
    o->p_start = 0.2 + 0.8 / 9.0;
    o->p_updates = 8;
    o->p_end = 1.0 - 0.8 * 8.0 / 9.0;
}

static void dl_gated(sae_train_options *o)
{
    dl_relu(o);
    o->architecture = SAE_ARCH_GATED;
    o->detached_gate = true;
    o->start_norm = 1.0;
    o->b_enc_init = SAE_B_ENC_ZERO;
    o->learning_rate = 5e-5;
    o->beta1 = 0.0;
}

/* JumpReluTrainer: the target of L0 is k; b_dec is not subtracted at the input. */
static void dl_jumprelu(sae_train_options *o)
{
    dictionary_learning(o);
    o->architecture = SAE_ARCH_JUMPRELU;
    o->sparsity = SAE_SPARSITY_TARGET_L0_CODES;
    o->sparsity_coefficient = 1.0;
    o->sparsity_warmup = 0.1;
    o->bandwidth = 1e-3;
    o->threshold_start = 1e-3;
    o->learning_rate = 7e-5;
    o->beta1 = 0.0;
    o->raw_input = true;
    o->b_dec_init = SAE_B_DEC_ZERO;
    o->aux_k = 0;
}

static void sl_topk(sae_train_options *o)
{
    saelens(o);
    o->architecture = SAE_ARCH_TOPK;
    o->rank_by_decoder_norm = true;
}

static void sl_batchtopk(sae_train_options *o)
{
    saelens(o);
    o->architecture = SAE_ARCH_BATCHTOPK;
    o->rank_by_decoder_norm = true;
}

static void sl_matryoshka(sae_train_options *o)
{
    saelens(o);
    o->architecture = SAE_ARCH_MATRYOSHKA;
    o->rank_by_decoder_norm = true;
}

static void sl_relu(sae_train_options *o)
{
    saelens(o);
    o->architecture = SAE_ARCH_RELU;
    o->sparsity = SAE_SPARSITY_L1_DECODER_NORM;
    o->sparsity_coefficient = 1.0;
    o->sparsity_warmup = 0.0;
    o->aux_k = 0;
}

static void sl_gated(sae_train_options *o)
{
    sl_relu(o);
    o->architecture = SAE_ARCH_GATED;
    o->detached_gate = false;
}

static void sl_jumprelu(sae_train_options *o)
{
    saelens(o);
    o->architecture = SAE_ARCH_JUMPRELU;
    o->sparsity = SAE_SPARSITY_STEP;
    o->sparsity_coefficient = 1.0;
    o->bandwidth = 0.05;
    o->threshold_start = 0.01;
    o->aux_k = 0;
}

/* sparsify with its Adam option: W_dec of unit rows tied to the encoder, b_dec the mean of the rows. */
static void sparsify_topk(sae_train_options *o)
{
    dictionary_learning(o);
    o->architecture = SAE_ARCH_TOPK;
    o->input_scale = SAE_SCALE_VARIANCE;
    o->b_dec_init = SAE_B_DEC_MEAN;
    o->decay_start = 0.0;
    o->clip = 0.0;
    o->aux_k = 0;
    o->aux_style = SAE_AUX_LIBSAE;
}

/* openai/sparse_autoencoder: losses as fractions of the variance, 256 dead latents, ε = 6.25e-10. */
static void openai_topk(sae_train_options *o)
{
    dictionary_learning(o);
    o->architecture = SAE_ARCH_TOPK;
    o->input_scale = SAE_SCALE_VARIANCE;
    o->learning_rate = 1e-4;
    o->epsilon = 6.25e-10;
    o->warmup = 0.0;
    o->decay_start = 1.0;
    o->clip = 0.0;
    o->aux_k = 256;
    o->aux_style = SAE_AUX_LIBSAE;
}

/* bartbussmann/BatchTopK: Adam(0.9, 0.99), a constant 3e-4, next to no clipping. */
static void bussmann_batchtopk(sae_train_options *o)
{
    dictionary_learning(o);
    o->architecture = SAE_ARCH_BATCHTOPK;
    o->input_scale = SAE_SCALE_VARIANCE;
    o->b_dec_init = SAE_B_DEC_ZERO;
    o->learning_rate = 3e-4;
    o->beta2 = 0.99;
    o->warmup = 0.0;
    o->decay_start = 1.0;
    o->clip = 1e5;
    o->aux_k = 512;
    o->aux_style = SAE_AUX_LIBSAE;
}

static const struct {
    const char *name;
    void (*apply)(sae_train_options *o);
} presets[] = {
    {"dictionary_learning-topk", dl_topk},
    {"dictionary_learning-batchtopk", dl_batchtopk},
    {"dictionary_learning-matryoshka", dl_matryoshka},
    {"dictionary_learning-relu", dl_relu},
    {"dictionary_learning-p_anneal", dl_p_anneal},
    {"dictionary_learning-gated", dl_gated},
    {"dictionary_learning-jumprelu", dl_jumprelu},
    {"saelens-topk", sl_topk},
    {"saelens-batchtopk", sl_batchtopk},
    {"saelens-matryoshka", sl_matryoshka},
    {"saelens-relu", sl_relu},
    {"saelens-gated", sl_gated},
    {"saelens-jumprelu", sl_jumprelu},
    {"sparsify-topk", sparsify_topk},
    {"openai-topk", openai_topk},
    {"batchtopk", bussmann_batchtopk},
};

enum { PRESETS = sizeof presets / sizeof presets[0] };

const char *sae_train_preset_name(size_t i)
{
    return i < PRESETS ? presets[i].name : NULL;
}

sae_status sae_train_options_preset(sae_train_options *options, const char *name, sae_error *err)
{
    char names[480] = "";
    for (size_t i = 0; i < PRESETS; i++) {
        if (strcmp(name, presets[i].name) == 0) {
            presets[i].apply(options);
            return SAE_OK;
        }
        size_t used = strlen(names);
        snprintf(names + used, sizeof names - used, "%s%s", i > 0 ? ", " : "", presets[i].name);
    }
    return saei_fail(err, SAE_E_NOT_FOUND, "no preset %s; there are %s", name, names);
}

/* saprmarks/dictionary_learning: ae.pt and config.json. A JumpReLU takes rows as they are there. */
#include "io/torch_write.h"
#include "model/export.h"

static const char *const classes[] = {[SAE_TOPK] = "AutoEncoderTopK",
                                      [SAE_RELU] = "AutoEncoder",
                                      [SAE_JUMPRELU] = "JumpReluAutoEncoder",
                                      [SAE_GATED] = "GatedAutoEncoder"};

static json_t *config_json(const sae_model *model)
{
    json_t *k = model->activation == SAE_TOPK ? json_integer((json_int_t)model->k) : json_null();
    return json_pack("{s:{s:s, s:I, s:I, s:o, s:n, s:n}, s:{s:I}}", "trainer", "dict_class",
                     classes[model->activation], "activation_dim", (json_int_t)model->d, "dict_size",
                     (json_int_t)model->n_latents, "k", k, "layer", "lm_name", "buffer", "d_submodule",
                     (json_int_t)model->d);
}

/* The tensors of a state dict, gathered in order. */
typedef struct state_dict {
    saei_torch_out tensors[SAEI_TORCH_TENSORS_MAX];
    size_t n;
} state_dict;

static void add_vector(state_dict *s, const char *name, const float *values, size_t n)
{
    s->tensors[s->n++] =
        (saei_torch_out){.name = name, .dtype = SAEI_F32, .rank = 1, .shape = {n}, .data = values};
}

/* data [cols, rows] where transposed, else [rows, cols]. */
static void add_matrix(state_dict *s, const char *name, const float *data, size_t rows, size_t cols,
                       bool transposed)
{
    s->tensors[s->n++] = (saei_torch_out){.name = name,
                                          .dtype = SAEI_F32,
                                          .rank = 2,
                                          .shape = {rows, cols},
                                          .data = data,
                                          .transposed = transposed};
}

static void add_scalar(state_dict *s, const char *name, saei_dtype dtype, const void *value)
{
    s->tensors[s->n++] = (saei_torch_out){.name = name, .dtype = dtype, .data = value};
}

static void gather_linear(state_dict *s, const sae_model *model)
{
    static const float no_threshold = -1;
    size_t d = model->d, F = model->n_latents;
    add_matrix(s, "encoder.weight", model->W_enc, F, d, false);
    add_matrix(s, "decoder.weight", model->W_dec, d, F, true);
    if (model->activation == SAE_GATED) {
        add_vector(s, "decoder_bias", model->b_dec, d);
        add_vector(s, "r_mag", model->r_mag, F);
        add_vector(s, "gate_bias", model->b_enc, F);
        add_vector(s, "mag_bias", model->b_mag, F);
        return;
    }
    add_vector(s, "encoder.bias", model->b_enc, F);
    add_vector(s, model->activation == SAE_TOPK ? "b_dec" : "bias", model->b_dec, d);
    if (model->activation == SAE_TOPK)
        add_scalar(s, "threshold", SAEI_F32, &no_threshold);
}

static void gather_jumprelu(state_dict *s, const sae_model *model, const float *b_enc)
{
    size_t d = model->d, F = model->n_latents;
    add_matrix(s, "W_enc", model->W_enc, d, F, true);
    add_vector(s, "b_enc", b_enc, F);
    add_matrix(s, "W_dec", model->W_dec, F, d, false);
    add_vector(s, "b_dec", model->b_dec, d);
    add_vector(s, "threshold", model->threshold, F);
}

static sae_status save_weights(const sae_model *model, const char *path, saei_replace replace, sae_error *err)
{
    state_dict s = {.n = 0};
    int32_t k = (int32_t)model->k;
    if (model->activation != SAE_JUMPRELU) {
        gather_linear(&s, model);
        if (model->activation == SAE_TOPK)
            add_scalar(&s, "k", SAEI_I32, &k);
        return saei_torch_save(model->context, path, replace, s.tensors, s.n, err);
    }
    saei_export_biases biases;
    sae_status status = saei_export_biases_new(&biases, model, err);
    if (status != SAE_OK)
        return status;
    gather_jumprelu(&s, model, biases.b_enc);
    status = saei_torch_save(model->context, path, replace, s.tensors, s.n, err);
    saei_export_biases_release(&biases, model->context);
    return status;
}

sae_status saei_export_dictionary_learning(const sae_model *model, const char *path, bool overwrite,
                                           sae_error *err)
{
    static const saei_export_layout layout = {"ae.pt", "config.json", save_weights, config_json};
    return saei_export_folder(model, path, &layout, overwrite, err);
}

/* From the tensors of a tool to the parameters of a model in raw units; saei_import_plan has the notation. */
#include "base/memory.h"
#include "base/parallel.h"
#include "model/import.h"
#include "model/model.h"
#include "num/transpose.h"

#include <float.h>
#include <math.h>

/* A matrix [d, F], or [models, d, F], is turned in bands of whole entries: a second copy is never there. */
static sae_status read_turned(float *out, saei_reader *reader, sae_context *context,
                              const saei_array_info *array, sae_error *err)
{
    enum { BAND_FLOATS = 1 << 20 };
    size_t cols = (size_t)array->shape[array->rank - 1];
    size_t deep = array->rank == 3 ? (size_t)array->shape[1] : 1, entries = (size_t)array->shape[0];
    size_t entry = saei_mul(deep, cols);
    size_t at_once = entry >= BAND_FLOATS ? 1 : saei_min_size(BAND_FLOATS / entry, entries);
    float *band;
    sae_status status = saei_alloc(&band, context, saei_mul(at_once, entry), sizeof *band, err);
    for (size_t first = 0; status == SAE_OK && first < entries; first += at_once) {
        size_t n = saei_min_size(at_once, entries - first);
        status = saei_reader_read_f32(band, reader, array, first, n, err);
        if (status == SAE_OK)
            saei_transpose(out + first * deep, entries * deep, band, cols, n * deep, cols);
    }
    saei_free(context, band);
    return status;
}

static sae_status read_all(float *out, const sae_import *import, const saei_array_info *array, sae_error *err)
{
    return saei_reader_read_f32(out, import->reader, array, 0, array->rank > 0 ? array->shape[0] : 1, err);
}

static sae_status read_matrix(float *out, const sae_import *import, saei_matrix_source matrix, sae_error *err)
{
    if (matrix.layout == SAEI_INPUT_MAJOR)
        return read_turned(out, import->reader, import->context, matrix.array, err);
    return read_all(out, import, matrix.array, err);
}

static size_t elements(const saei_array_info *array)
{
    size_t n = 1;
    for (size_t axis = 0; axis < array->rank; axis++)
        n *= (size_t)array->shape[axis];
    return n;
}

/* out [n], all `otherwise` where the tensor is absent, all its number where it is a scalar. */
static sae_status read_vector(float *out, size_t n, const sae_import *import, const saei_array_info *array,
                              float otherwise, sae_error *err)
{
    sae_status status = SAE_OK;
    if (array != NULL)
        status = read_all(out, import, array, err);
    if (array != NULL && elements(array) == n)
        return status;
    float value = array != NULL ? out[0] : otherwise;
    for (size_t i = 0; i < n; i++)
        out[i] = value;
    return status;
}

static sae_status read_parameters(sae_model *model, const sae_import *import, sae_error *err)
{
    const saei_import_plan *plan = &import->plan;
    size_t F = model->n_latents;
    sae_status status = read_matrix(model->W_enc, import, plan->W_enc, err);
    if (status == SAE_OK)
        status = read_matrix(model->W_dec, import, plan->W_dec, err);
    if (status == SAE_OK)
        status = read_vector(model->b_dec, model->d, import, plan->b_dec, 0, err);
    if (status == SAE_OK)
        status = read_vector(model->b_enc, F, import, plan->b_enc, 0, err);
    if (status == SAE_OK && model->threshold != NULL)
        status = read_vector(model->threshold, F, import, plan->threshold, (float)plan->threshold_value, err);
    if (status == SAE_OK && model->r_mag != NULL)
        status = read_vector(model->r_mag, F, import, plan->r_mag, 0, err);
    if (status == SAE_OK && model->b_mag != NULL)
        status = read_vector(model->b_mag, F, import, plan->b_mag, 0, err);
    return status;
}

typedef struct fold_job {
    sae_model *model;
    const saei_import_plan *plan;
    const float *gain; /* [F] g of the plan; NULL: 1 */
} fold_job;

enum { FOLD_LATENTS = 64 };

/* Every tool cuts activations below 0 off, so that a threshold below 0 is one of 0. NaN stays. */
static float folded_threshold(const saei_import_plan *plan, float stored, double decoder_norm)
{
    double threshold = plan->threshold_is_log ? exp((double)stored) : (double)stored;
    if (plan->threshold_by_decoder_norm)
        threshold = decoder_norm > 0 ? threshold / decoder_norm : (double)FLT_MAX;
    return threshold < 0 ? 0 : (float)threshold;
}

/* With c = (s / t − a) b_dec W: W' = s n W, b' = n (b + c), b_mag' = b_mag + exp(r_mag) c, W_dec' = W_dec g /
   (n t). What is not scaled keeps its bits. */
static void fold_latent(const fold_job *job, size_t j)
{
    sae_model *model = job->model;
    const saei_import_plan *plan = job->plan;
    float *w = model->W_enc + j * model->d, *out = model->W_dec + j * model->d;
    double norm2 = 0, product = 0;
    for (size_t i = 0; i < model->d; i++) {
        norm2 += (double)out[i] * (double)out[i];
        product += (double)model->b_dec[i] * (double)w[i];
    }
    double carried = plan->input_scale / plan->output_scale - (plan->b_dec_at_input ? 1 : 0);
    double norm = sqrt(norm2), n = plan->by_decoder_norm ? norm : 1, c = carried == 0 ? 0 : carried * product;
    double gain = (job->gain != NULL ? (double)job->gain[j] : 1) / ((n > 0 ? n : 1) * plan->output_scale);
    for (size_t i = 0; i < model->d; i++) {
        w[i] = (float)((double)w[i] * plan->input_scale * n);
        out[i] = (float)((double)out[i] * gain);
    }
    model->b_enc[j] = (float)(n * ((double)model->b_enc[j] + c));
    if (model->b_mag != NULL)
        model->b_mag[j] = (float)((double)model->b_mag[j] + exp((double)model->r_mag[j]) * c);
    if (model->threshold != NULL)
        model->threshold[j] = folded_threshold(plan, model->threshold[j], norm);
}

static void fold_latents(void *arg, size_t task, unsigned worker)
{
    (void)worker;
    const fold_job *job = arg;
    size_t end = saei_min_size((task + 1) * FOLD_LATENTS, job->model->n_latents);
    for (size_t j = task * FOLD_LATENTS; j < end; j++)
        fold_latent(job, j);
}

static sae_status fold(sae_model *model, const sae_import *import, sae_error *err)
{
    const saei_import_plan *plan = &import->plan;
    size_t F = model->n_latents;
    float *gain = NULL;
    sae_status status = SAE_OK;
    if (plan->decoder_gain != NULL) {
        status = saei_alloc(&gain, import->context, F, sizeof *gain, err);
        if (status == SAE_OK)
            status = read_vector(gain, F, import, plan->decoder_gain, 1, err);
    }
    if (status == SAE_OK) {
        fold_job job = {model, plan, gain};
        saei_parallel_for(import->context, (F + FOLD_LATENTS - 1) / FOLD_LATENTS, fold_latents, &job);
        for (size_t i = 0; i < model->d; i++)
            model->b_dec[i] = (float)((double)model->b_dec[i] / plan->output_scale);
    }
    saei_free(import->context, gain);
    return status;
}

sae_status saei_import_build(sae_model **out, sae_import *import, sae_error *err)
{
    *out = NULL;
    sae_model *model;
    sae_status status = saei_model_alloc(&model, import->context, &import->plan.shape, err);
    if (status != SAE_OK)
        return status;
    status = read_parameters(model, import, err);
    if (status == SAE_OK)
        status = fold(model, import, err);
    if (status == SAE_OK)
        status = saei_model_complete(model, import->path, err);
    for (size_t i = 0; status == SAE_OK && i < import->n_choices; i++)
        status = saei_model_set_metadata(model, import->choices[i].key, import->choices[i].value, err);
    if (status != SAE_OK) {
        sae_model_free(model);
        return status;
    }
    *out = model;
    return SAE_OK;
}

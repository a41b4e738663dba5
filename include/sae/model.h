/* The trained SAE: parameters in raw activation units, encoding and decoding. */
#ifndef SAE_MODEL_H
#define SAE_MODEL_H

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How pre-activations become activations. With xc = x − b_dec and π_j = xc · W_enc,j + b_enc,j:
     SAE_TOPK      f = the k largest of relu(π), ties to the lower index
                   (Makhzani & Frey 2013, arXiv 1312.5663; Gao et al. 2024, arXiv 2406.04093)
     SAE_RELU      f = relu(π) (Bricken et al. 2023; Cunningham et al. 2023, arXiv 2309.08600)
     SAE_JUMPRELU  f_j = π_j where π_j > threshold_j, strictly, else 0 (Rajamanoharan et al. 2024, arXiv
                   2407.14435)
     SAE_GATED     f_j = relu(exp(r_mag,j) · xc · W_enc,j + b_mag,j) where π_j > 0, else 0 (Rajamanoharan et
   al. 2024, arXiv 2404.16014) and x̂ = f W_dec + b_dec. An SAE trained with BatchTopK or as Matryoshka is a
   JumpReLU when it is used, with one threshold for all latents. Where rows are normalised (sae_row_norm), x and x̂
   are the normalised ones here. */
typedef enum sae_activation { SAE_TOPK = 0, SAE_RELU, SAE_JUMPRELU, SAE_GATED } sae_activation;

/* "topk", "relu", "jumprelu", "gated"; NULL for another value. */
SAE_API const char *sae_activation_name(sae_activation activation);

/* What is done to each row x [d] by itself before the encoder, and undone after the decoder by the same row's
   shift m and scale s: the activations are those of z, and x̂ = s ẑ + m with ẑ = f W_dec + b_dec.
     SAE_NO_ROW_NORM    z = x, m = 0, s = 1
     SAE_LAYER_NORM     m the mean of the d numbers, s their standard deviation (of d − 1), z = (x − m) / (s + 1e-5):
                        OpenAI's sparse_autoencoder (Gao et al. 2024), SAELens' layer_norm, BatchTopK's input_unit_norm.
                        A row of equal numbers has z = 0 and comes back as it is. d >= 2
     SAE_CONSTANT_NORM  m = 0, s = ‖x‖ / √d, z = x / s, of length √d: SAELens' constant_norm_rescale. A row of
                        zeros has z = 0, where SAELens has NaN */
typedef enum sae_row_norm { SAE_NO_ROW_NORM = 0, SAE_LAYER_NORM, SAE_CONSTANT_NORM } sae_row_norm;

/* "none", "layer_norm", "constant_norm"; NULL for another value. */
SAE_API const char *sae_row_norm_name(sae_row_norm norm);

/* A trained SAE. Immutable once built; may serve many threads at once. */
typedef struct sae_model sae_model;

/* Parameters borrowed for sae_model_new, or lent by sae_model_params until the model is freed. Vectors that
   the activation does not use are NULL. */
typedef struct sae_params {
    size_t d, n_latents;
    sae_activation activation;
    size_t k;               /* TopK: active latents per row at most; else 0 */
    const float *W_enc;     /* [F, d]: one row per latent, as the weight of a linear layer in PyTorch */
    const float *b_enc;     /* [F]; gated: the bias of the gate */
    const float *W_dec;     /* [F, d] */
    const float *b_dec;     /* [d] */
    const float *threshold; /* [F], JumpReLU only, >= 0 */
    const float *r_mag;     /* [F], gated only: logarithm of the gain of the magnitude */
    const float *b_mag;     /* [F], gated only */
    sae_row_norm row_norm;  /* of the rows; the parameters are in units of normalised rows */
} sae_params;

/* Copies the parameters. SAE_E_ARGUMENT unless d >= 1, 1 <= F <= 2^32 - 1, k in 1 .. F for TopK and 0 else,
   exactly the vectors of the activation are given, no threshold is negative (the activation would be), and d >= 2
   for a layer norm;
   SAE_E_NONFINITE unless all numbers are finite, exp(r_mag) too. A latent is switched off by a large finite
   threshold. */
SAE_API sae_status sae_model_new(sae_model **out, sae_context *context, const sae_params *params,
                                 sae_error *err);
SAE_API void sae_model_free(sae_model *model);

/* Reads and writes the model file: safetensors with the parameters and metadata (docs/FORMATS.md). There
   W_enc is [d, F]; it is turned in passing, without a second copy. Saving goes to a temporary file that is
   synced and renamed: a full disk or a crash leaves the old file or none. overwrite == false: SAE_E_EXISTS
   when the path exists. */
SAE_API sae_status sae_model_load(sae_model **out, sae_context *context, const char *path, sae_error *err);
SAE_API sae_status sae_model_save(const sae_model *model, const char *path, bool overwrite, sae_error *err);

SAE_API size_t sae_model_dim(const sae_model *model);
SAE_API size_t sae_model_latents(const sae_model *model);
SAE_API size_t
sae_model_k(const sae_model *model); /* 0 unless TopK: rows have any number of active latents */
SAE_API sae_params sae_model_params(const sae_model *model);

/* Metadata: text by key ("seed", "data_hash", …), kept by save and load. NULL when absent. */
SAE_API size_t sae_model_metadata_count(const sae_model *model);
SAE_API const char *sae_model_metadata_key(const sae_model *model, size_t i);
SAE_API const char *sae_model_metadata(const sae_model *model, const char *key);

/* How alike the decoder rows are, from the weights alone. The neighbour of a latent is the other latent whose
   decoder row has the largest cosine with its own. Rows of length 0 have no direction and do not count. */
enum { SAE_COSINE_BINS = 20 };
typedef struct sae_decoder_cosines {
    size_t latents;               /* with a decoder row other than 0 */
    double mean;                  /* mean cosine with the neighbour; NaN below two latents, as what follows */
    double median, upper, most;   /* its median, 95 % quantile and maximum */
    size_t bins[SAE_COSINE_BINS]; /* latents by it: bin i holds i/20 <= cosine < (i + 1)/20, the first also
                                     what is below, the last also 1 */
} sae_decoder_cosines;

/* largest [F], if not NULL: the cosine of each latent with its neighbour, NaN where it has none. O(F² d) time; memory
   for a few hundred rows and F numbers, for each thread. The result does not depend on the thread count. */
SAE_API sae_status sae_model_decoder_cosines(sae_decoder_cosines *out, double *largest, const sae_model *model,
                                             sae_progress_fn progress, void *user, sae_error *err);

/* Whether another model has a feature too: its latent whose decoder row has the largest cosine. Models of other
   seeds and sizes will do, for the same layer of the same network. */
typedef struct sae_match {
    uint32_t latent; /* of the other model; ties to the lowest */
    double cosine;   /* NaN when the decoder row, or every one of the other model, has length 0 */
    bool mutual;     /* for that latent, none in this model is closer than what was matched */
} sae_match;

/* From here on a match is called the same feature. docs/METHODS.md says why. */
#define SAE_MATCH_COSINE 0.7

/* out [n]: the match of each of the latents [n]. O(n F d) time, memory for n rows. Errors: SAE_E_MISMATCH
   (widths), SAE_E_NOT_FOUND (a latent that the model lacks), SAE_STOPPED. */
SAE_API sae_status sae_model_match(sae_match *out, const sae_model *model, const uint32_t *latents, size_t n,
                                   const sae_model *other, sae_progress_fn progress, void *user, sae_error *err);

/* How close a direction that is no feature comes: the quantile (0 … 1) of the largest cosine that random
   directions with the second moments of this model's decoder have with a latent of the other one. A cosine
   below its 0.99 quantile is no match, whatever the threshold. */
SAE_API sae_status sae_model_match_null(double *out, const sae_model *model, const sae_model *other,
                                        double quantile, uint64_t seed, sae_progress_fn progress, void *user,
                                        sae_error *err);

/* Sparse codes: for row i the entries row_ptr[i] .. row_ptr[i + 1] - 1, latents ascending, values > 0. */
typedef struct sae_codes_view {
    size_t rows;
    const uint64_t *row_ptr; /* [rows + 1], row_ptr[0] = 0 */
    const uint32_t *latent;  /* [row_ptr[rows]] */
    const float *value;      /* [row_ptr[rows]] */
    /* Of a model that normalises rows, else NULL: m and s of each row, which no activation tells. */
    const float *row_shift, *row_scale; /* [rows] */
} sae_codes_view;

/* A buffer of codes that sae_model_encode fills; reuse it, it only grows. Not for two threads at once. */
typedef struct sae_codes sae_codes;

SAE_API sae_status sae_codes_new(sae_codes **out, sae_context *context, sae_error *err);
SAE_API void sae_codes_free(sae_codes *codes);
SAE_API sae_codes_view sae_codes_get(const sae_codes *codes); /* valid until the next encode into it */

/* Encodes rows [n, d] of raw activations. The result for a row does not depend on the thread count. Memory
   follows the number of active latents, never n · F. SAE_E_MISMATCH when rows.cols != d. */
SAE_API sae_status sae_model_encode(sae_codes *codes, const sae_model *model, sae_view rows, sae_error *err);

/* Reconstructs rows: out [codes.rows, d] in raw activation units. SAE_E_MISMATCH when codes name a latent that the
   model lacks, or do not have the shift and the scale of each row for a model that normalises them; set these to 0
   and 1 for the normalised reconstruction ẑ. */
SAE_API sae_status sae_model_decode(float *out, const sae_model *model, sae_codes_view codes, sae_error *err);

#ifdef __cplusplus
}
#endif
#endif

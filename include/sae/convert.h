/* Models of other tools: what their files say, what libsae makes of it, and the way back. */
#ifndef SAE_CONVERT_H
#define SAE_CONVERT_H

#include "model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Answers to what the files of a tool may leave open. Where the files do say, the same answer is accepted and
   another one is SAE_E_MISMATCH: nothing that was stated is overruled. */
typedef enum sae_answer { SAE_UNSTATED = 0, SAE_NO, SAE_YES } sae_answer;

typedef struct sae_import_options {
    size_t size;            /* set by _init */
    const char *activation; /* "topk", "relu", "jumprelu", "gated"; NULL: as the files say */
    size_t k;               /* active latents of a TopK; 0: as the files say */
    double threshold;       /* of all latents of a JumpReLU, 0 or above; NaN: as the files say */
    double input_scale;     /* what rows were multiplied by before they entered the SAE, above 0; it is folded
                               into the weights. 0: as the files say */
    double input_scale_after;  /* crosscoders: that of the second model; 0: input_scale */
    sae_answer b_dec_at_input; /* whether b_dec is subtracted from a row before the encoder */
} sae_import_options;

SAE_API void sae_import_options_init(sae_import_options *options);

/* A model in the files of some tool, recognised by its tensors and its configuration; no weight is read yet.
   path: a weight file (its configuration is looked for beside it) or the folder of a model. Read are libsae's
   own file, SAELens, sparsify, dictionary_learning, OpenAI's sparse_autoencoder, Gemma Scope, Llama Scope and
   OpenMOSS, BatchTopK, and crosscoders of two models (docs/FORMATS.md has the layouts).
   Errors: SAE_E_FORMAT (no model that libsae knows), SAE_E_UNSUPPORTED (known, but it does what an sae_model
   cannot, or it leaves open what an option must answer: the text names it), SAE_E_MISMATCH (an option
   contradicts the files), and those of reading. */
typedef struct sae_import sae_import;
SAE_API sae_status sae_import_open(sae_import **out, sae_context *context, const char *path,
                                   const sae_import_options *options, sae_error *err);
SAE_API void sae_import_free(sae_import *import);

/* Every choice that was made, as text: "source_format" = "SAELens 6.54.12", "source_b_dec" = "subtracted at
   the input" …. They become metadata of the model. NULL beyond the last. */
SAE_API size_t sae_import_choices(const sae_import *import);
SAE_API const char *sae_import_choice_key(const sae_import *import, size_t i);
SAE_API const char *sae_import_choice_value(const sae_import *import, size_t i);

/* d, F, the activation, k and the norm of rows; the vectors are NULL. */
SAE_API sae_params sae_import_shape(const sae_import *import);

/* Reads the weights. Scales, biases at the input and norms of decoder rows are folded, so that the model
   encodes raw rows to the activations that the tool computes, up to rounding. May be called once. */
SAE_API sae_status sae_import_model(sae_model **out, sae_import *import, sae_error *err);

/* The layouts that a model can be written in. */
typedef enum sae_model_format {
    SAE_MODEL_LIBSAE = 0,          /* one .safetensors file, as sae_model_save */
    SAE_MODEL_SAELENS,             /* folder, SAELens 6 and later: standard, topk, jumprelu, gated */
    SAE_MODEL_DICTIONARY_LEARNING, /* folder: ae.pt and config.json */
    SAE_MODEL_SPARSIFY,            /* folder: TopK alone */
    SAE_MODEL_NPZ                  /* one .npz file, laid out as Gemma Scope's params.npz */
} sae_model_format;

/* "libsae", "saelens", "dictionary_learning", "sparsify", "npz"; NULL for another value. */
SAE_API const char *sae_model_format_name(sae_model_format format);

/* Writes the model so that the tool loads it and computes the same. path: the file, or the folder, which is
   made when it is not there. overwrite == false: SAE_E_EXISTS when a file to be written exists. The weights
   are written before the configuration, each file whole or not at all. SAE_E_UNSUPPORTED: the layout has no
   such activation, or no place for the norm of rows (libsae and SAELens have one). */
SAE_API sae_status sae_model_export(const sae_model *model, const char *path, sae_model_format format,
                                    bool overwrite, sae_error *err);

#ifdef __cplusplus
}
#endif
#endif

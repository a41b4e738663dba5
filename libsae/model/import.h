/* The inside of an import: what was found in the files of a tool, and the plan to make a model of it. */
#ifndef SAEI_IMPORT_H
#define SAEI_IMPORT_H

#include "io/reader.h"
#include "sae/convert.h"

#include <jansson.h>

typedef enum saei_layout {
    SAEI_LATENT_MAJOR, /* [F, d]: a row for each latent */
    SAEI_INPUT_MAJOR   /* [d, F] */
} saei_layout;

typedef struct saei_matrix_source {
    const saei_array_info *array;
    saei_layout layout;
} saei_matrix_source;

/* With a = b_dec_at_input, s = input_scale, t = output_scale, n_j = ‖W_dec,j‖ where by_decoder_norm says so
   and 1 elsewhere, and g = decoder_gain (1 where it is NULL), the tool computes from a raw row x π = n (s x
   W_enc + b_enc − a b_dec W_enc),  f = activation(π),  x̂ = ((f g / n) W_dec + b_dec) / t. With a row_norm in
   shape, x and x̂ are the normalised ones. Vectors that are NULL are zeros. A vector of the latents may be a
   scalar: it holds for all. */
typedef struct saei_import_plan {
    sae_params shape;
    saei_matrix_source W_enc, W_dec;
    const saei_array_info *b_enc, *b_dec, *threshold, *r_mag, *b_mag, *decoder_gain;
    double threshold_value;         /* JumpReLU without `threshold` */
    bool threshold_is_log;          /* `threshold` holds logarithms */
    bool threshold_by_decoder_norm; /* π ‖W_dec,j‖ is compared with the threshold, but f = π */
    bool b_dec_at_input, by_decoder_norm;
    double input_scale, output_scale;
} saei_import_plan;

enum { SAEI_CHOICES_MAX = 16, SAEI_CHOICE_BYTES = 120 };

typedef struct saei_choice {
    const char *key;
    char value[SAEI_CHOICE_BYTES];
} saei_choice;

struct sae_import {
    sae_context *context;
    char *path, *config_path; /* of the weights and of the configuration; NULL: none was found */
    saei_reader *reader;
    json_t *config;
    sae_import_options options;
    bool own; /* libsae's own file: the plan has the shape alone */
    saei_import_plan plan;
    saei_choice choices[SAEI_CHOICES_MAX];
    size_t n_choices;
};

/* A tool whose files are read: what its weights and configuration look like, and what they mean. */
typedef struct saei_ecosystem {
    bool (*recognises)(const sae_import *import);
    sae_status (*plan)(sae_import *import, sae_error *err);
} saei_ecosystem;

extern const saei_ecosystem saei_saelens, saei_sparsify, saei_dictionary_learning, saei_openai, saei_openmoss,
    saei_batchtopk, saei_crosscoder, saei_gemma_scope;

/* import_files.c */

/* Opens the weights behind path, a file or a folder, and the configuration beside them. */
sae_status saei_import_find(sae_import *import, const char *path, sae_error *err);

/* import_source.c: what the files say */

const saei_array_info *saei_import_tensor(const sae_import *import, const char *name); /* NULL: absent */
bool saei_import_has(const sae_import *import, const char *name);
/* The member of the configuration at a path such as "trainer.dict_class"; NULL: absent, or JSON's null. */
const json_t *saei_import_setting(const sae_import *import, const char *path);
const char *saei_import_text(const sae_import *import, const char *path); /* NULL: no text there */
bool saei_import_true(const sae_import *import, const char *path);
double saei_import_number(const sae_import *import, const char *path); /* NaN: no number there */

/* Sets the matrices and with them d and F, from the tensors of these names. */
sae_status saei_import_matrices(sae_import *import, const char *encoder, saei_layout encoder_layout,
                                const char *decoder, saei_layout decoder_layout, sae_error *err);
/* *out = the vector with so many numbers; a scalar will do where `scalar` is true. */
typedef enum saei_vector_kind { SAEI_OF_LATENTS, SAEI_OF_INPUTS, SAEI_OF_LATENTS_OR_ONE } saei_vector_kind;
sae_status saei_import_vector(const saei_array_info **out, const sae_import *import, const char *name,
                              saei_vector_kind kind, sae_error *err);
/* A scalar tensor, or an attribute that is a whole number above 0; NaN: neither is there. */
sae_status saei_import_scalar(double *out, const sae_import *import, const char *name, sae_error *err);

/* Adds a choice. */
void saei_import_choose(sae_import *import, const char *key, const char *format, ...) SAE_PRINTF(3, 4);

/* SAE_E_UNSUPPORTED: "PATH: WHAT, which libsae's models cannot do". */
sae_status saei_import_refuse(const sae_import *import, sae_error *err, const char *format, ...)
    SAE_PRINTF(3, 4);

/* import_answers.c: what the files say, else what the options answer, goes into the plan */

/* said NULL, 0, NaN, SAE_UNSTATED: the files are silent. Silence of both is SAE_E_UNSUPPORTED and names the
   option; a contradiction is SAE_E_MISMATCH. */
sae_status saei_import_settle_activation(sae_import *import, const char *said, sae_error *err);
sae_status saei_import_settle_k(sae_import *import, double said, sae_error *err);
sae_status saei_import_settle_threshold(sae_import *import, double said, sae_error *err);
sae_status saei_import_settle_scale(sae_import *import, double said, sae_error *err);
sae_status saei_import_settle_b_dec(sae_import *import, sae_answer said, sae_error *err);
/* Rows are normalised one by one, and not scaled beside that: settles the scale too. `said`: as the files
 * call it. */
sae_status saei_import_settle_row_norm(sae_import *import, sae_row_norm norm, const char *said,
                                       sae_error *err);

/* import_weights.c */

/* Reads and folds the weights of the plan. */
sae_status saei_import_build(sae_model **out, sae_import *import, sae_error *err);

#endif

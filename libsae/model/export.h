/* The inside of an export: one writer for each layout. */
#ifndef SAEI_EXPORT_H
#define SAEI_EXPORT_H

#include "io/atomic_file.h"
#include "model/model.h"

#include <jansson.h>

/* A folder that holds a model as two files. */
typedef struct saei_export_layout {
    const char *weights, *config; /* names of the files */
    sae_status (*save_weights)(const sae_model *model, const char *path, saei_replace replace,
                               sae_error *err);
    json_t *(*describe)(const sae_model *model); /* what goes into config */
} saei_export_layout;

/* Makes the folder when it is not there, and writes both files, config last. overwrite == false: SAE_E_EXISTS
   when it holds one of them. */
sae_status saei_export_folder(const sae_model *model, const char *path, const saei_export_layout *layout,
                              bool overwrite, sae_error *err);

/* The biases for a tool that does not subtract b_dec at the input: b_enc − b_dec W_enc, and for a gated model
   b_mag − exp(r_mag) b_dec W_enc; else b_mag is NULL. */
typedef struct saei_export_biases {
    float *b_enc, *b_mag; /* [F], one allocation, that of b_enc */
} saei_export_biases;
sae_status saei_export_biases_new(saei_export_biases *out, const sae_model *model, sae_error *err);
void saei_export_biases_release(saei_export_biases *biases, sae_context *context);

/* json_pack may have run out of memory: NULL is handed to the writer, which says so. */
typedef sae_status (*saei_export_fn)(const sae_model *model, const char *path, bool overwrite,
                                     sae_error *err);
sae_status saei_export_saelens(const sae_model *model, const char *path, bool overwrite, sae_error *err);
sae_status saei_export_dictionary_learning(const sae_model *model, const char *path, bool overwrite,
                                           sae_error *err);
sae_status saei_export_sparsify(const sae_model *model, const char *path, bool overwrite, sae_error *err);
sae_status saei_export_npz(const sae_model *model, const char *path, bool overwrite, sae_error *err);

#endif

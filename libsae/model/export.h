/* The inside of an export: one writer for each layout. */
#ifndef SAEI_EXPORT_H
#define SAEI_EXPORT_H

#include "model/model.h"

#include <jansson.h>

/* Paths of the two files that a folder of a model holds. */
typedef struct saei_export_folder {
    sae_context *context;
    char *weights, *config;
} saei_export_folder;

/* Makes the folder when it is not there. overwrite == false: SAE_E_EXISTS when it holds one of the files.
   Release it in every case. */
sae_status saei_export_folder_open(saei_export_folder *out, sae_context *context, const char *path,
                                   const char *weights, const char *config, bool overwrite, sae_error *err);
void saei_export_folder_release(saei_export_folder *folder);

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

/* Writers of results. Every file is written to a temporary, synced and renamed. Layouts: docs/FORMATS.md. */
#ifndef SAE_REPORT_H
#define SAE_REPORT_H

#include "study.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum sae_report_format {
    SAE_REPORT_CSV,
    SAE_REPORT_JSONL,
    SAE_REPORT_ARRAYS /* an array for each column, in .npz, .safetensors or .pt by the suffix of the path, else HDF5 */
} sae_report_format;

/* What a suffix stands for: .jsonl and .ndjson, the suffixes of files of arrays (.h5, .hdf5, .npz, .safetensors, .pt),
   else CSV. */
SAE_API sae_report_format sae_report_format_of(const char *path);

/* All latents in rank order. Columns: see docs/FORMATS.md, "Ranking". */
SAE_API sae_status sae_ranking_save(const sae_ranking *ranking, sae_context *context, const char *path,
                                    sae_report_format format, bool overwrite, sae_error *err);

/* Every score of every latent with its rank, in the order of the ranking, as CSV or as arrays by the suffix of path:
   docs/FORMATS.md, "Rankers". */
SAE_API sae_status sae_rankers_save(const sae_rankers *rankers, sae_context *context, const char *path,
                                    bool overwrite, sae_error *err);

/* Makes the folder unless it is there; its parent must be. */
SAE_API sae_status sae_folder_make(const char *path, sae_error *err);

/* Writes the tables of a study (CSV), verdict.txt and, last, verdict.json into the folder, which is made if need
   be. Files and columns: docs/FORMATS.md. SAE_E_EXISTS: a file is there already and overwrite is false. */
SAE_API sae_status sae_findings_save(const sae_findings *findings, const char *folder, bool overwrite,
                                     sae_error *err);

/* Encodes a dump and writes its sparse codes with the dump's columns: .npz, .safetensors or .pt by the suffix of path,
   HDF5 for every other. One pass over the rows, in bounded memory; in all but HDF5, entries wait in a temporary file
   beside path. docs/FORMATS.md, "Codes". SAE_E_ARGUMENT: .npy, which holds one array. */
SAE_API sae_status sae_codes_save(const sae_model *model, const sae_dump *dump, const char *path, bool overwrite,
                                  sae_progress_fn progress, void *user, sae_error *err);

/* What the model does on each prompt: mean activation and firing fraction of every latent, as one sparse matrix each;
   files as for sae_codes_save. group NULL: prompt_id, else doc_id. docs/FORMATS.md, "Prompt means". Memory: as
   sae_ranking_new. Errors: SAE_E_NOT_FOUND (the column), those of reading and writing, SAE_STOPPED. */
SAE_API sae_status sae_prompt_means_save(const sae_model *model, const sae_dump *dump, const char *group,
                                         const char *path, bool overwrite, sae_progress_fn progress, void *user,
                                         sae_error *err);

/* What sae_model_evaluate_all and sae_model_decoder_cosines found, latent by latent: fires [F]; largest_cosines [F] or
   NULL, and then left out. Files as for sae_codes_save; docs/FORMATS.md, "Statistics of latents". */
SAE_API sae_status sae_evaluation_save(const sae_evaluation *evaluation, const uint64_t *fires,
                                       const double *largest_cosines, const sae_model *model, const char *path,
                                       bool overwrite, sae_error *err);

/* Latents of a crosscoder, in the order given, as CSV: docs/FORMATS.md, "Crosscoder". */
SAE_API sae_status sae_cross_save(const sae_cross_latent *latents, size_t n, sae_context *context, const char *path,
                                  bool overwrite, sae_error *err);

#ifdef __cplusplus
}
#endif
#endif

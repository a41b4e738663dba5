/* Writers of results. Every file is written to a temporary, synced and renamed. Layouts: docs/FORMATS.md. */
#ifndef SAE_REPORT_H
#define SAE_REPORT_H

#include "study.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum sae_report_format { SAE_REPORT_CSV, SAE_REPORT_JSONL } sae_report_format;

/* All latents in rank order. Columns of the CSV: see docs/FORMATS.md, "Ranking". */
SAE_API sae_status sae_ranking_save(const sae_ranking *ranking, sae_context *context, const char *path,
                                    sae_report_format format, bool overwrite, sae_error *err);

/* Every score of every latent with its rank, as CSV in the order of the ranking: docs/FORMATS.md, "Rankers". */
SAE_API sae_status sae_rankers_save(const sae_rankers *rankers, sae_context *context, const char *path,
                                    bool overwrite, sae_error *err);

/* Makes the folder unless it is there; its parent must be. */
SAE_API sae_status sae_folder_make(const char *path, sae_error *err);

/* Writes the tables of a study (CSV), verdict.txt and, last, verdict.json into the folder, which is made if need
   be. Files and columns: docs/FORMATS.md. SAE_E_EXISTS: a file is there already and overwrite is false. */
SAE_API sae_status sae_findings_save(const sae_findings *findings, const char *folder, bool overwrite,
                                     sae_error *err);

/* Encodes a dump and writes its sparse codes with the dump's columns to an HDF5 file. */
SAE_API sae_status sae_codes_save(const sae_model *model, const sae_dump *dump, const char *path, bool overwrite,
                                  sae_progress_fn progress, void *user, sae_error *err);

/* Latents of a crosscoder, in the order given, as CSV: docs/FORMATS.md, "Crosscoder". */
SAE_API sae_status sae_cross_save(const sae_cross_latent *latents, size_t n, sae_context *context, const char *path,
                                  bool overwrite, sae_error *err);

#ifdef __cplusplus
}
#endif
#endif

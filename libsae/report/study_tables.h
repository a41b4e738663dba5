/* What the files of a study's findings are made of. */
#ifndef SAEI_STUDY_TABLES_H
#define SAEI_STUDY_TABLES_H

#include "io/atomic_file.h"
#include "sae/study.h"

/* All CSV tables, into an existing folder. */
sae_status saei_study_tables_save(const sae_findings *findings, const char *folder, bool overwrite,
                                  sae_error *err);

/* The verdict in words, and as one JSON object. */
sae_status saei_verdict_text(saei_atomic_file *file, const sae_findings *findings, sae_error *err);
sae_status saei_verdict_json(saei_atomic_file *file, const sae_findings *findings, sae_error *err);

#endif

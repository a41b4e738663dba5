/* The inside of a study. */
#ifndef SAEI_STUDY_H
#define SAEI_STUDY_H

#include "sae/study.h"

typedef struct saei_study_file saei_study_file;

struct sae_study {
    sae_context *context;
    const char *title, *group;
    bool match_positions;
    const char *const *strata; /* [n_strata] columns */
    size_t n_strata;
    sae_condition *conditions;
    size_t n_conditions;
    sae_study_trigger *triggers;
    size_t n_triggers;
    sae_study_trajectory *trajectories;
    size_t n_trajectories;
    const sae_dump *reference; /* NULL: none */
    sae_label labels[SAE_LABELS_MAX];
    size_t n_labels;
    saei_study_file *file; /* owns texts and dumps of a study that was loaded; NULL: none */
};

/* Frees what a loaded study owns. */
void saei_study_file_free(saei_study_file *file);

/* Whether the study can be run: one base, something bad, controls that exist. */
sae_status saei_study_check(const sae_study *study, sae_error *err);

/* out [n_conditions]: which conditions are controls of a condition. Its own list, or else every condition of
   that role; a control is not its own. Returns their number. */
size_t saei_study_controls(bool *out, const sae_study *study, size_t condition);

/* Whether any condition has the role of a control. */
bool saei_study_has_control(const sae_study *study);

/* The base of the study, as an index. */
size_t saei_study_base(const sae_study *study);

#endif

/* Monitors: a small file that says whether the latents of interest fire more than in runs known to be good.
 */
#ifndef SAE_MONITOR_H
#define SAE_MONITOR_H

#include "dump.h"
#include "model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Latents with weights w_j, and what the score does on control runs: good fine-tunes, the model before. The
   score of a row is Σ_j w_j f_j(x), of a prompt the mean over its rows, of a dump the mean over its prompts.
   Immutable; may serve many threads. docs/METHODS.md has the formulas and what the rates rest on. */
typedef struct sae_monitor sae_monitor;

/* With sd_j over prompts within a control run, shrunk (docs/METHODS.md). Always Σ |w_j| = 1, so that a
   monitor of one latent scores in units of its activation. */
typedef enum sae_monitor_weighting {
    SAE_MONITOR_SCALED = 0, /* w_j ∝ 1 / sd_j */
    SAE_MONITOR_EQUAL,      /* w_j ∝ 1 */
    SAE_MONITOR_DISCRIMINANT /* w ∝ S⁻¹ (mean of the bad − mean of the controls): Fisher's; needs bad dumps */
} sae_monitor_weighting;

/* "scaled", "equal", "discriminant"; NULL for another value. */
SAE_API const char *sae_monitor_weighting_name(sae_monitor_weighting weighting);

typedef struct sae_monitor_options {
    size_t size;
    sae_monitor_weighting weighting;
    /* 0 < rate <= 0.5: how often a dump of a run like the controls may alarm, and how many of the prompts of
       a control run. A dump alarm at a small rate needs several controls, a prompt alarm 1 / rate − 1
       prompts. */
    double false_alarms;
    const char *group; /* column that names the prompts; NULL: prompt_id, else doc_id */
    /* The row selection that all dumps were opened with, to be kept in the file; NULL: all rows. */
    const char *where;
    sae_progress_fn progress; /* may be NULL */
    void *progress_user;
} sae_monitor_options;

SAE_API void sae_monitor_options_init(sae_monitor_options *options);

enum { SAE_MONITOR_LATENTS_MAX = 1024, SAE_MONITOR_CONTROLS_MAX = 1024 };

/* Reads every dump once. latents [n_latents], each once, in any order; one control at least, better three and
   more, for the differences between runs are learned from them; bad dumps only for SAE_MONITOR_DISCRIMINANT.
   Errors: SAE_E_ARGUMENT (an option, too few prompts, latents that never fire where that leaves no weights),
   SAE_E_NOT_FOUND (a latent, the column), SAE_E_MISMATCH (widths), those of reading, SAE_STOPPED. Memory: a
   number for each prompt and latent. */
SAE_API sae_status sae_monitor_fit(sae_monitor **out, const sae_model *model, const uint32_t *latents,
                                   size_t n_latents, const sae_dump *const *controls, size_t n_controls,
                                   const sae_dump *const *bad, size_t n_bad,
                                   const sae_monitor_options *options, sae_error *err);
SAE_API void sae_monitor_free(sae_monitor *monitor);

/* The monitor file: JSON (docs/FORMATS.md). Saving is crash-safe; overwrite == false: SAE_E_EXISTS. Loading
   checks every number: SAE_E_FORMAT, SAE_E_UNSUPPORTED (another version). */
SAE_API sae_status sae_monitor_load(sae_monitor **out, sae_context *context, const char *path,
                                    sae_error *err);
SAE_API sae_status sae_monitor_save(const sae_monitor *monitor, const char *path, bool overwrite,
                                    sae_error *err);

/* What the scores of the controls were. */
typedef struct sae_monitor_controls {
    size_t runs;             /* control dumps */
    size_t prompts;          /* of the control that has fewest */
    double mean;             /* mean over runs of the score of the dump */
    double run_sd;           /* sd of the scores of the dumps; NaN with one run */
    double prompt_sd;        /* sd over the prompts of a run, pooled over the runs */
    double prompt_threshold; /* a prompt alarms above it */
    double false_alarms;
} sae_monitor_controls;

SAE_API sae_monitor_controls sae_monitor_controls_of(const sae_monitor *monitor);

/* One control, and whether it would alarm if the thresholds came from the others (its threshold is NaN when
   there is no other). */
typedef struct sae_monitor_control {
    const char *name;
    double score, threshold;
    bool alarm;
} sae_monitor_control;

SAE_API sae_monitor_control sae_monitor_control_at(const sae_monitor *monitor, size_t i); /* i < runs */

SAE_API size_t sae_monitor_latents(const sae_monitor *monitor);
SAE_API uint32_t sae_monitor_latent(const sae_monitor *monitor, size_t i); /* ascending; i < latents */
SAE_API double sae_monitor_weight(const sae_monitor *monitor, size_t i);
SAE_API sae_monitor_weighting sae_monitor_weighting_of(const sae_monitor *monitor);
SAE_API const char *sae_monitor_where(const sae_monitor *monitor); /* NULL: all rows */
SAE_API const char *sae_monitor_group(const sae_monitor *monitor);

/* The score above which a dump of so many prompts alarms: fewer prompts, higher threshold. */
SAE_API double sae_monitor_dump_threshold(const sae_monitor *monitor, size_t prompts);

/* A monitor at work on a model, one row at a time. Borrows both. For one thread. */
typedef struct sae_monitor_workspace sae_monitor_workspace;

/* SAE_E_MISMATCH: the monitor was fitted on another model (other weights, not only another width). */
SAE_API sae_status sae_monitor_workspace_new(sae_monitor_workspace **out, const sae_monitor *monitor,
                                             const sae_model *model, sae_error *err);
SAE_API void sae_monitor_workspace_free(sae_monitor_workspace *workspace);

/* The score of the row x [d]: Σ_j w_j f_j(x) in double, j ascending, with the f_j of sae_model_encode, bit
   for bit. Allocates nothing. SAE_E_NONFINITE: x holds NaN or Inf, *score is untouched. Compare the mean over
   the rows of a prompt, not a single row, with the threshold of prompts. */
SAE_API sae_status sae_monitor_row(double *score, sae_monitor_workspace *workspace, const float *x,
                                   sae_error *err);

/* A dump that was scored. */
typedef struct sae_monitor_result sae_monitor_result;

typedef struct sae_monitor_summary {
    size_t prompts;
    uint64_t rows;
    double score, se;     /* prompts as units: sd / √prompts; NaN for one prompt */
    double threshold;     /* of a dump with so many prompts */
    double p;             /* the smallest rate of false alarms at which the dump alarms */
    bool alarm;           /* score > threshold */
    size_t prompt_alarms; /* prompts above the threshold of prompts */
} sae_monitor_summary;

typedef struct sae_monitor_prompt {
    double id; /* value of the grouping column */
    uint64_t rows;
    double score;
    bool alarm;
} sae_monitor_prompt;

/* Reads the dump once. group NULL: the column that the monitor was fitted with. The dump must have been
   opened with the row selection of the monitor. Errors as sae_monitor_workspace_new and sae_monitor_fit. */
SAE_API sae_status sae_monitor_dump(sae_monitor_result **out, const sae_monitor *monitor,
                                    const sae_model *model, const sae_dump *dump, const char *group,
                                    sae_progress_fn progress, void *user, sae_error *err);
SAE_API void sae_monitor_result_free(sae_monitor_result *result);
SAE_API sae_monitor_summary sae_monitor_result_summary(const sae_monitor_result *result);
/* Prompts in ascending order of id; i < prompts. */
SAE_API sae_monitor_prompt sae_monitor_result_prompt(const sae_monitor_result *result, size_t i);
/* CSV, one line for each prompt (docs/FORMATS.md); crash-safe. */
SAE_API sae_status sae_monitor_result_save(const sae_monitor_result *result, const char *path, bool overwrite,
                                           sae_error *err);

#ifdef __cplusplus
}
#endif
#endif

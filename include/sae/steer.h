/* Steering: directions of latents, and rows changed along them. */
#ifndef SAE_STEER_H
#define SAE_STEER_H

#include "dump.h"
#include "model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The decoder row of a latent, out [d]; unit: divided by its Euclidean norm. Where the model normalises rows it has its
   length in normalised rows: in a raw row it is row_scale times as long. SAE_E_NOT_FOUND: no such latent. */
SAE_API sae_status sae_model_direction(float *out, const sae_model *model, uint32_t latent, bool unit,
                                       sae_error *err);

/* What steering does to a row x. J is the set of latents, w_j their weights, d_j their decoder rows, f_j(x) their
   activations as sae_model_encode gives them, v = Σ_j w_j d_j, u = v / ‖v‖.
     SAE_STEER_ADD          x + α v, α the strength in raw activation units: every f_j would be about w_j α larger;
                            or x + α m u, α in units of m, the mean activation norm
     SAE_STEER_CLAMP        x + Σ_j (α w_j − f_j(x)) d_j: the latents are set to α w_j, the error of the model and
                            all other latents stay (Templeton et al. 2024, "Scaling Monosemanticity")
     SAE_STEER_ABLATE       x − Σ_j f_j(x) d_j
     SAE_STEER_PROJECT_OUT  x − Q Qᵀ x, the columns of Q an orthonormal basis of the d_j (Arditi et al. 2024, arXiv
                            2406.11717)
   A model that normalises rows has its activations in units of each row's scale s(x): what is added by activation is
   then s(x) times as much, s(x) α v, s(x) Σ_j (α w_j − f_j(x)) d_j, s(x) Σ_j f_j(x) d_j. α m u and Q stay. */
typedef enum sae_steer_op {
    SAE_STEER_ADD = 0,
    SAE_STEER_CLAMP,
    SAE_STEER_ABLATE,
    SAE_STEER_PROJECT_OUT
} sae_steer_op;

/* "add", "clamp", "ablate", "project-out"; NULL for another value. */
SAE_API const char *sae_steer_op_name(sae_steer_op op);

typedef struct sae_steer_options {
    size_t size;
    sae_steer_op op;
    const uint32_t *latents; /* [n_latents] each once, borrowed during the call */
    const double *weights;   /* [n_latents] or NULL: 1 each; only add and clamp look at them */
    size_t n_latents;        /* at least 1 */
    double strength;         /* α: below 0 pushes away; only add and clamp look at it */
    double mean_norm;        /* m, above 0: the strength of add is in units of it; 0: in raw activation units */
} sae_steer_options;

SAE_API void sae_steer_options_init(sae_steer_options *options);

/* A steering ready for use. Not for two threads at once: it holds the codes of the rows at hand. */
typedef struct sae_steering sae_steering;

/* The model is borrowed until sae_steering_free. SAE_E_NOT_FOUND: no such latent; SAE_E_ARGUMENT: no latent, one
   twice, numbers that are not finite, a direction of length 0. */
SAE_API sae_status sae_steering_new(sae_steering **out, const sae_model *model, const sae_steer_options *options,
                                    sae_error *err);
SAE_API void sae_steering_free(sae_steering *steering);

/* Changes rows [n, d] in place. add and project-out do not encode, unless a scale of rows is asked for (above). A row's result does not depend on the rows beside
   it nor on the thread count. */
SAE_API sae_status sae_steering_apply(sae_steering *steering, float *rows, size_t n, sae_error *err);

/* Where the model itself goes along a direction, for choosing a strength. */
typedef struct sae_steer_scale {
    uint64_t rows, active_rows; /* all, and those on which a latent of the set is active */
    double mean_norm;           /* m: mean ‖x‖ */
    /* Length of the latents' part of the row along u, s(x) Σ_j f_j d_j · u / m: its mean and maximum over active rows;
       NaN when no row is active. Adding with a strength of `typical` moves every row as far as an active one is. */
    double typical, largest;
} sae_steer_scale;

/* Reads the selected rows once. Only latents and weights of the options count. Errors as sae_steering_new and
   sae_model_evaluate. */
SAE_API sae_status sae_steer_measure(sae_steer_scale *out, const sae_model *model, const sae_dump *dump,
                                     const sae_steer_options *options, sae_progress_fn progress, void *user,
                                     sae_error *err);

typedef struct sae_steer_dump_options {
    size_t size;
    const char *where; /* the rows to be changed, NULL: all selected ones; grammar of sae_dump_options */
    bool overwrite;
    sae_progress_fn progress;
    void *progress_user;
} sae_steer_dump_options;

SAE_API void sae_steer_dump_options_init(sae_steer_dump_options *options);

/* Writes the selected rows of the dump, those that meet `where` changed, with their columns to path (.h5, .hdf5; .npy:
   the rows alone), in one pass over a bounded piece of the dump at a time. Rows keep their type: float16, bfloat16 and
   float64 as they are, others become float32. Changed rows are computed in float32 and rounded to the type, to the
   nearest, ties to even; the others keep every bit. A value beyond the range of the type is SAE_E_NONFINITE, for
   a row that is cut off would be steered in another direction. The file also has the attributes of the first file,
   as text, and what was done (docs/FORMATS.md); it is whole or absent. *changed, if not NULL: rows that were changed.
   SAE_E_MISMATCH (widths), SAE_E_ARGUMENT (no row meets `where`, another suffix), SAE_E_EXISTS, SAE_E_IO, SAE_STOPPED. */
SAE_API sae_status sae_steering_dump(uint64_t *changed, sae_steering *steering, const sae_dump *dump, const char *path,
                                     const sae_steer_dump_options *options, sae_error *err);

/* Writes directions and metadata as safetensors, for a hook in the network (docs/FORMATS.md). scale, NULL: not
   measured; dump, NULL: unknown, else the attributes "model", "hook" and "layer" are taken from it. Crash-safe. */
SAE_API sae_status sae_steering_save(const sae_steering *steering, const sae_steer_scale *scale, const sae_dump *dump,
                                     const char *path, bool overwrite, sae_error *err);

/* Writes values [n] as a one-dimensional float32 .npy, crash-safe. */
SAE_API sae_status sae_vector_save(const float *values, size_t n, sae_context *context, const char *path,
                                   bool overwrite, sae_error *err);

/* The vector that add adds times its factor: v, or u where a mean norm was given. [d], lent until free. */
SAE_API const float *sae_steering_direction(const sae_steering *steering);

#ifdef __cplusplus
}
#endif
#endif

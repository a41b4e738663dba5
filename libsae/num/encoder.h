/* The encoder of an SAE on tiles of rows: pre-activations, and the selection of the active ones while the
   scores are in cache. */
#ifndef SAEI_ENCODER_H
#define SAEI_ENCODER_H

#include "sae/base.h"

#include <math.h>

/* Rows of a tile and latents of a block, fixed whatever the thread count: the summation order of a GEMM may
   depend on its shape. */
enum { SAEI_TILE_ROWS = 256, SAEI_BLOCK_LATENTS = 2048 };

/* Keeps of each row the k largest pre-activations among those above the floor of their latent. Without floors
   that is TopK after a relu; with k slots to spare it is ReLU (no floors) or JumpReLU (floor = threshold). A
   row that fills all k slots may have lost some: whoever cannot have that must look at the counts. */
typedef struct saei_encoder {
    size_t d, n_latents, k;
    const float *W_enc; /* [F, d] */
    const float *b_enc; /* [F] */
    const float *floor; /* [F], of any sign; NULL: 0 for all */
    /* W_enc in fixed point, packed from the same weights: scores are screened. NULL: BLAS computes all
     * scores, in an order of its own. */
    const struct saei_panels *panels;
    /* What the k-th largest pre-activation of a row is expected to exceed, as a part of the row's norm:
       saei_screen_start of earlier rows, 0 for no expectation. For saei_encode_rows, of which it changes the
       cost and no result. */
    float start;
} saei_encoder;

/* The pre-activation of latent j from the product of a row with its weights; −INFINITY unless it is above the
   floor. */
static inline float saei_kept_pre(const saei_encoder *e, size_t j, float product)
{
    float pre = product + e->b_enc[j];
    return pre > (e->floor != NULL ? e->floor[j] : 0.0f) ? pre : -INFINITY;
}

/* Kinds of rows told apart by where their k-th largest pre-activation lies, 32 of them to a factor of 2. */
enum { SAEI_SCREEN_ENDS = 1024 };

/* What screening had to do, summed over calls. */
typedef struct saei_screen_counts {
    uint64_t rows;
    uint64_t candidates; /* latents that were scored exactly because of their approximate score */
    uint64_t overflows;  /* rows with too many candidates or without trustworthy bounds: all latents scored
                            exactly */
    uint64_t refined;    /* latents that were scored from all their bytes because of the high ones */
    uint64_t restarted;  /* rows that were screened again, for too much was expected of them */
    uint64_t ends[SAEI_SCREEN_ENDS]; /* rows by their k-th largest over their norm */
} saei_screen_counts;

/* sum += counts [n] */
void saei_screen_counts_add(saei_screen_counts *sum, const saei_screen_counts *counts, size_t n);

/* saei_encoder.start that almost all of such rows exceed. */
float saei_screen_start(const uint64_t ends[SAEI_SCREEN_ENDS]);

/* Codes with k slots a row: count[r] of them used, latents ascending; the values are pre-activations. */
typedef struct saei_code_slots {
    uint32_t *latent; /* [rows, k] */
    float *value;     /* [rows, k] */
    uint32_t *count;  /* [rows] */
} saei_code_slots;

sae_status saei_code_slots_new(saei_code_slots *out, sae_context *context, size_t rows, size_t k,
                               sae_error *err);
void saei_code_slots_free(saei_code_slots *slots, sae_context *context);

/* Floats of scratch that a tile needs, a multiple of 16; one 64-byte aligned scratch for each worker.
   screened: the encoder has panels. */
size_t saei_encoder_scratch(size_t d, size_t n_latents, size_t k, bool screened);

/* Encodes rows first .. first + rows - 1 of xc [·, d], which are centred (x − b_dec), into out; rows <=
   SAEI_TILE_ROWS. Without panels: call saei_blas_begin before the loop. */
void saei_encode_tile(saei_code_slots out, const saei_encoder *encoder, const float *xc, size_t first,
                      size_t rows, float *scratch);

/* Memory that may be written over. */
typedef struct saei_room {
    void *first; /* 64-byte aligned */
    size_t bytes;
} saei_room;

/* What the threads of saei_encode_rows work with. */
typedef struct saei_encode_workers {
    sae_context *context;
    size_t tile_rows; /* at most SAEI_TILE_ROWS, fixed whatever the number of threads */
    size_t scratch_floats;
    float *scratch;             /* [threads, scratch_floats]: saei_encoder_scratch for each */
    saei_screen_counts *counts; /* [threads] */
    saei_room room;             /* for candidates; with none screened rows are scored one by one */
} saei_encode_workers;

/* Encodes all rows of xc [rows, d], which are centred, into out. counts becomes what screening had to do,
   whatever the number of threads. */
void saei_encode_rows(saei_code_slots out, const saei_encoder *encoder, const float *xc, size_t rows,
                      const saei_encode_workers *workers, saei_screen_counts *counts);

/* out [d] += Σ value_i W_dec[latent_i] over one row's codes, W_dec [F, d]. */
void saei_decode_row(float *out, const float *W_dec, size_t d, const uint32_t *latent, const float *value,
                     size_t count);

#endif

/* The inside of a buffer of codes. */
#ifndef SAEI_CODE_BUFFER_H
#define SAEI_CODE_BUFFER_H

#include "num/encoder.h"
#include "sae/model.h"

/* Rows that are encoded together: their centred copies and slots for their codes. */
typedef struct saei_slot_rows {
    size_t rows, slots; /* capacity, slots of a row */
    float *xc;          /* [rows, d] */
    saei_code_slots codes;
    size_t scratch_floats;
    float *scratch;             /* [threads, scratch_floats] */
    saei_screen_counts *counts; /* [threads], of the rows that were encoded last */
    float start;                /* saei_encoder.start of the next ones, which mostly are of the same kind */
    size_t held, next;          /* rows that are encoded, the next of them to append */
} saei_slot_rows;

/* Level l has 8^l times the slots of level 0, or one for every latent: enough for 2^32 of them. */
enum { SAEI_SLOT_LEVELS = 9 };

struct sae_codes {
    sae_context *context;
    size_t rows, rows_capacity, nnz_capacity;
    uint64_t *row_ptr;
    uint32_t *latent;
    float *value;
    bool normalised; /* whether the rows held have a shift and a scale */
    size_t frames_capacity;
    float *row_shift, *row_scale; /* [frames_capacity] */
    /* Work of the encoder, sized for the model of the last call. */
    size_t work_d, work_latents;
    saei_slot_rows level[SAEI_SLOT_LEVELS]; /* each holds rows that filled the slots of the one before; made
                                               when the first such row comes */
};

/* scratch_floats: for each thread. */
sae_status saei_slot_rows_new(saei_slot_rows *out, sae_context *context, size_t rows, size_t slots, size_t d,
                              size_t scratch_floats, sae_error *err);

/* Room for the row pointers of `rows` rows, and for the shift and scale of each where they are normalised;
   drops the codes held. */
sae_status saei_codes_start(sae_codes *codes, size_t rows, bool normalised, sae_error *err);

/* Makes room for so many more entries at once. */
sae_status saei_codes_reserve(sae_codes *codes, size_t more, sae_error *err);

/* Appends the codes of the next row. */
sae_status saei_codes_append(sae_codes *codes, const uint32_t *latent, const float *value, size_t count,
                             sae_error *err);

/* Frees what the encoder works in. */
void saei_codes_free_work(sae_codes *codes);

#endif

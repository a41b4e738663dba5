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
} saei_slot_rows;

struct sae_codes {
    sae_context *context;
    size_t rows, rows_capacity, nnz_capacity;
    uint64_t *row_ptr;
    uint32_t *latent;
    float *value;
    /* Work of the encoder, sized for the model of the last call. */
    size_t work_d, work_latents, work_slots;
    float *scratch;
    saei_slot_rows chunk; /* all rows, with few slots */
    saei_slot_rows wide;  /* rows that filled them, with F slots; made when the first such row comes */
};

sae_status saei_slot_rows_new(saei_slot_rows *out, sae_context *context, size_t rows, size_t slots, size_t d,
                              sae_error *err);

/* Room for the row pointers of `rows` rows; drops the codes held. */
sae_status saei_codes_start(sae_codes *codes, size_t rows, sae_error *err);

/* Makes room for so many more entries at once. */
sae_status saei_codes_reserve(sae_codes *codes, size_t more, sae_error *err);

/* Appends the codes of the next row. */
sae_status saei_codes_append(sae_codes *codes, const uint32_t *latent, const float *value, size_t count,
                             sae_error *err);

/* Frees what the encoder works in. */
void saei_codes_free_work(sae_codes *codes);

#endif

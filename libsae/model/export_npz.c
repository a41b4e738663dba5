/* One .npz with the arrays of Gemma Scope's params.npz, for encoders that take rows as they are. A ReLU is a
   JumpReLU with thresholds of 0; a TopK has `k` instead, a gated model `r_mag` and `b_mag`. */
#include "base/memory.h"
#include "io/npy_write.h"
#include "io/zip_write.h"
#include "model/export.h"

enum { ARRAYS_MAX = 7 };

typedef struct arrays {
    saei_zip_entry entries[ARRAYS_MAX];
    unsigned char headers[ARRAYS_MAX][SAEI_NPY_HEADER_BYTES];
    size_t n;
} arrays;

/* data is float32 in the order that `fortran` says, or one int64 of rank 0. */
static void add(arrays *a, const char *name, const void *data, size_t rank, uint64_t rows, uint64_t cols,
                bool fortran)
{
    uint64_t shape[2] = {rows, cols};
    size_t n = (size_t)(rank == 0 ? 1 : rank == 1 ? rows : rows * cols);
    saei_dtype dtype = rank == 0 ? SAEI_I64 : SAEI_F32;
    saei_npy_header_shaped(a->headers[a->n], dtype, rank, shape, fortran);
    a->entries[a->n] = (saei_zip_entry){.name = name,
                                        .head = a->headers[a->n],
                                        .head_bytes = SAEI_NPY_HEADER_BYTES,
                                        .body = data,
                                        .body_bytes = n * saei_dtype_size(dtype)};
    a->n++;
}

sae_status saei_export_npz(const sae_model *model, const char *path, bool overwrite, sae_error *err)
{
    size_t d = model->d, F = model->n_latents;
    saei_export_biases biases;
    float *zeros = NULL;
    int64_t k = (int64_t)model->k;
    arrays a = {.n = 0};
    sae_status status = saei_export_biases_new(&biases, model, err);
    if (status == SAE_OK && model->activation == SAE_RELU)
        status = saei_alloc(&zeros, model->context, F, sizeof *zeros, err);
    if (status == SAE_OK) {
        add(&a, "W_enc.npy", model->W_enc, 2, d, F, true);
        add(&a, "W_dec.npy", model->W_dec, 2, F, d, false);
        add(&a, "b_enc.npy", biases.b_enc, 1, F, 0, false);
        add(&a, "b_dec.npy", model->b_dec, 1, d, 0, false);
        if (model->activation == SAE_TOPK)
            add(&a, "k.npy", &k, 0, 0, 0, false);
        if (model->threshold != NULL || zeros != NULL)
            add(&a, "threshold.npy", zeros != NULL ? zeros : model->threshold, 1, F, 0, false);
        if (model->activation == SAE_GATED) {
            add(&a, "r_mag.npy", model->r_mag, 1, F, 0, false);
            add(&a, "b_mag.npy", biases.b_mag, 1, F, 0, false);
        }
        status = saei_zip_save(model->context, path, overwrite ? SAEI_OVERWRITE : SAEI_KEEP_EXISTING,
                               a.entries, a.n, err);
    }
    saei_free(model->context, zeros);
    saei_export_biases_release(&biases, model->context);
    return status;
}

/* Prints the active latents of one row of a dump and how much of the row they explain.

   encode_row MODEL DUMP ROW */
#include <sae.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static void print_row(sae_codes_view codes, const float *x, const float *x_hat, size_t d)
{
    double residual = 0, norm = 0;
    for (size_t c = 0; c < d; c++) {
        double e = (double)x[c] - x_hat[c];
        residual += e * e;
        norm += (double)x[c] * x[c];
    }
    for (uint64_t i = codes.row_ptr[0]; i < codes.row_ptr[1]; i++)
        printf("latent %6" PRIu32 "  %.4f\n", codes.latent[i], (double)codes.value[i]);
    printf("squared error / squared norm: %.4f\n", norm > 0 ? residual / norm : 0);
}

static sae_status encode_row(const sae_model *model, const sae_dump *dump, sae_context *context, uint64_t row,
                             sae_error *err)
{
    size_t d = sae_dump_dim(dump);
    sae_codes *codes = NULL;
    float *x = calloc(d, sizeof *x), *x_hat = calloc(d, sizeof *x_hat);
    sae_status status = x != NULL && x_hat != NULL ? sae_dump_read(x, dump, row, 1, err) : SAE_E_MEMORY;
    if (status == SAE_OK)
        status = sae_codes_new(&codes, context, err);
    if (status == SAE_OK)
        status = sae_model_encode(codes, model, (sae_view){x, 1, d, d}, err);
    if (status == SAE_OK)
        status = sae_model_decode(x_hat, model, sae_codes_get(codes), err);
    if (status == SAE_OK)
        print_row(sae_codes_get(codes), x, x_hat, d);
    sae_codes_free(codes);
    free(x_hat);
    free(x);
    return status;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fputs("usage: encode_row MODEL DUMP ROW\n", stderr);
        return 2;
    }
    sae_context *context = NULL;
    sae_model *model = NULL;
    sae_dump *dump = NULL;
    sae_error err = {.text = "out of memory"};
    const char *path = argv[2];
    sae_status status = sae_context_new(&context, NULL, &err);
    if (status == SAE_OK)
        status = sae_model_load(&model, context, argv[1], &err);
    if (status == SAE_OK)
        status = sae_dump_open(&dump, context, &path, 1, NULL, &err);
    if (status == SAE_OK)
        status = encode_row(model, dump, context, strtoull(argv[3], NULL, 10), &err);
    if (status != SAE_OK)
        fprintf(stderr, "encode_row: %s\n", err.text);
    sae_dump_free(dump);
    sae_model_free(model);
    sae_context_free(context);
    return status == SAE_OK ? 0 : 1;
}

/* safetensors: the header stands first, so that it gets room for any size of the arrays that are open; spaces
   fill what is left of it. */
#include "base/error.h"
#include "base/memory.h"
#include "io/flat_file.h"

#include <stdlib.h>
#include <string.h>

enum {
    LENGTH_BYTES = 8,
    ALIGNMENT = 8,
    /* digits that an extent and two offsets below 2^63 have more than a 0 */
    OPEN_DIGITS = 3 * 18
};

/* Arrays that are open count with the rows there are. */
static sae_status header_of(char **out, const saei_flat_file *flat, sae_error *err)
{
    saei_tensor_out *tensors;
    *out = NULL;
    sae_status status = saei_alloc(&tensors, flat->context, flat->n_arrays, sizeof *tensors, err);
    for (size_t i = 0; i < flat->n_arrays && status == SAE_OK; i++) {
        const saei_flat_array *array = flat->order[i];
        if (strcmp(array->name, "__metadata__") == 0)
            status = saei_fail(err, SAE_E_UNSUPPORTED, "%s: safetensors can hold no array called %s",
                               flat->path, array->name);
        tensors[i] =
            (saei_tensor_out){.name = array->name,
                              .dtype = array->dtype,
                              .rank = saei_flat_rank(array),
                              .shape = {array->rows == SAEI_ROWS_OPEN ? 0 : array->rows, array->columns}};
    }
    if (status == SAE_OK)
        status = saei_safetensors_header(out, flat->path, tensors, flat->n_arrays, flat->texts, flat->n_texts,
                                         err);
    saei_free(flat->context, tensors);
    return status;
}

static sae_status front(uint64_t *bytes, const saei_flat_file *flat, sae_error *err)
{
    char *header;
    sae_status status = header_of(&header, flat, err);
    if (status != SAE_OK)
        return status;
    uint64_t length = strlen(header);
    for (size_t i = 0; i < flat->n_arrays; i++)
        length += flat->order[i]->rows == SAEI_ROWS_OPEN ? OPEN_DIGITS : 0;
    *bytes = LENGTH_BYTES + (length + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    free(header);
    return SAE_OK;
}

static sae_status finish(saei_flat_file *flat, sae_error *err)
{
    char *header;
    unsigned char *whole;
    sae_status status = header_of(&header, flat, err);
    if (status != SAE_OK)
        return status;
    const uint64_t length = flat->front - LENGTH_BYTES;
    status = saei_alloc(&whole, flat->context, (size_t)flat->front, 1, err);
    if (status == SAE_OK) {
        memset(whole, ' ', (size_t)flat->front);
        memcpy(whole, &length, LENGTH_BYTES);
        memcpy(whole + LENGTH_BYTES, header, strlen(header));
        status = saei_atomic_file_write_at(flat->file, 0, whole, (size_t)flat->front, err);
    }
    saei_free(flat->context, whole);
    free(header);
    return status;
}

const saei_flat_format saei_flat_safetensors = {.front = front, .finish = finish};

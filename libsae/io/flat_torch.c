/* PyTorch's .pt: a member for the storage of each array, and the pickle of a dict of them and of the texts.
 */
#include "base/memory.h"
#include "io/flat_archive.h"
#include "io/torch_pickle.h"

#include <stdio.h>
#include <string.h>

enum { NAME_BYTES = 64 };

static saei_zip_part part_of(char name[NAME_BYTES], const saei_flat_file *flat, const saei_flat_array *array)
{
    snprintf(name, NAME_BYTES, "archive/data/%zu", (size_t)(array - flat->arrays));
    return (saei_zip_part){name, saei_flat_bytes(array), array->head, array->crc};
}

static size_t head(const saei_flat_file *flat, const saei_flat_array *array)
{
    char name[NAME_BYTES];
    const saei_zip_part part = part_of(name, flat, array);
    return saei_zip_local_bytes(&part);
}

static sae_status append_pickle(saei_archive_end *end, sae_error *err)
{
    const saei_flat_file *flat = end->flat;
    saei_torch_out *tensors;
    unsigned char *pickle = NULL;
    size_t bytes = 0;
    sae_status status = saei_alloc(&tensors, flat->context, flat->n_arrays, sizeof *tensors, err);
    if (status != SAE_OK)
        return status;
    for (size_t i = 0; i < flat->n_arrays; i++) {
        const saei_flat_array *array = &flat->arrays[i];
        tensors[i] = (saei_torch_out){.name = array->name,
                                      .dtype = array->dtype,
                                      .rank = saei_flat_rank(array),
                                      .shape = {array->rows, array->columns}};
    }
    status = saei_torch_pickle_new(&pickle, &bytes, flat->context, tensors, flat->n_arrays, flat->texts,
                                   flat->n_texts, err);
    if (status == SAE_OK)
        status = saei_archive_append(end, "archive/data.pkl", pickle, bytes, err);
    saei_free(flat->context, pickle);
    saei_free(flat->context, tensors);
    return status;
}

static sae_status finish(saei_flat_file *flat, sae_error *err)
{
    saei_archive_end end = {.flat = flat};
    sae_status status = SAE_OK;
    for (size_t i = 0; i < flat->n_arrays && status == SAE_OK; i++) {
        char name[NAME_BYTES];
        const saei_zip_part part = part_of(name, flat, flat->order[i]);
        status = saei_archive_member(&end, &part, err);
    }
    if (status == SAE_OK)
        status = append_pickle(&end, err);
    if (status == SAE_OK)
        status = saei_archive_append(&end, "archive/byteorder", "little", 6, err);
    if (status == SAE_OK)
        status = saei_archive_append(&end, "archive/version", "3\n", 2, err);
    if (status == SAE_OK)
        status = saei_archive_finish(&end, NULL, err);
    saei_archive_end_free(&end);
    return status;
}

const saei_flat_format saei_flat_torch = {.crc = true, .head = head, .finish = finish};

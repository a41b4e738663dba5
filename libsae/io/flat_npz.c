/* NumPy's .npz: a member NAME.npy for each array, and the texts as a JSON object in the comment of the
   archive, where NumPy does not see it. */
#include "base/error.h"
#include "base/memory.h"
#include "io/crc32.h"
#include "io/flat_archive.h"
#include "io/npy_write.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { NAME_BYTES = 1200, COMMENT_MAX = 65535 };

/* The member of an array: its head is the local header and that of .npy, which is part of the member. */
static saei_zip_part part_of(char name[NAME_BYTES], const saei_flat_array *array)
{
    snprintf(name, NAME_BYTES, "%s.npy", array->name);
    return (saei_zip_part){name, SAEI_NPY_HEADER_BYTES + saei_flat_bytes(array), array->head, 0};
}

static size_t head(const saei_flat_file *flat, const saei_flat_array *array)
{
    (void)flat;
    char name[NAME_BYTES];
    const saei_zip_part part = part_of(name, array);
    return saei_zip_local_bytes(&part) + SAEI_NPY_HEADER_BYTES;
}

static sae_status write_head(saei_archive_end *end, const saei_flat_array *array, sae_error *err)
{
    char name[NAME_BYTES];
    unsigned char header[SAEI_NPY_HEADER_BYTES];
    saei_zip_part part = part_of(name, array);
    saei_npy_header(header, array->dtype, array->rows, array->columns);
    uint32_t crc = saei_crc32(0, header, sizeof header);
    part.crc = (uint32_t)crc32_combine(crc, array->crc, (z_off_t)saei_flat_bytes(array));
    sae_status status = saei_archive_member(end, &part, err);
    return status == SAE_OK ? saei_atomic_file_write_at(end->flat->file, array->data - sizeof header, header,
                                                        sizeof header, err)
                            : status;
}

/* *out is to be freed with free; NULL without texts. */
static sae_status comment_of(char **out, const saei_flat_file *flat, sae_error *err)
{
    *out = NULL;
    if (flat->n_texts == 0)
        return SAE_OK;
    json_t *object = json_object();
    bool told = object != NULL;
    for (size_t i = 0; i < flat->n_texts && told; i++)
        told = json_object_set_new(object, flat->texts[i].key, json_string(flat->texts[i].value)) == 0;
    *out = told ? json_dumps(object, JSON_COMPACT) : NULL;
    json_decref(object);
    if (*out != NULL && strlen(*out) <= COMMENT_MAX)
        return SAE_OK;
    bool long_text = *out != NULL;
    free(*out);
    *out = NULL;
    return saei_fail(err, SAE_E_UNSUPPORTED, "%s: the texts of the file %s; write .h5 or .safetensors",
                     flat->path,
                     long_text ? "take more than 64 kB, which .npz cannot hold" : "are not UTF-8");
}

static sae_status finish(saei_flat_file *flat, sae_error *err)
{
    char *comment;
    saei_archive_end end = {.flat = flat};
    sae_status status = comment_of(&comment, flat, err);
    for (size_t i = 0; i < flat->n_arrays && status == SAE_OK; i++)
        status = write_head(&end, flat->order[i], err);
    if (status == SAE_OK)
        status = saei_archive_finish(&end, comment, err);
    saei_archive_end_free(&end);
    free(comment);
    return status;
}

const saei_flat_format saei_flat_npz = {.crc = true, .head = head, .finish = finish};

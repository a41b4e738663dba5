/* What the weights and the configuration of a tool say, by name. */
#include "base/error.h"
#include "model/import.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const saei_array_info *saei_import_tensor(const sae_import *import, const char *name)
{
    return saei_reader_find(import->reader, name);
}

bool saei_import_has(const sae_import *import, const char *name)
{
    return saei_import_tensor(import, name) != NULL;
}

const json_t *saei_import_setting(const sae_import *import, const char *path)
{
    const json_t *at = import->config;
    char key[64];
    while (at != NULL && *path != '\0') {
        size_t n = strcspn(path, ".");
        snprintf(key, sizeof key, "%.*s", (int)n, path);
        at = json_object_get(at, key);
        path += n + (path[n] == '.');
    }
    return json_is_null(at) ? NULL : at;
}

const char *saei_import_text(const sae_import *import, const char *path)
{
    return json_string_value(saei_import_setting(import, path));
}

bool saei_import_true(const sae_import *import, const char *path)
{
    return json_is_true(saei_import_setting(import, path));
}

double saei_import_number(const sae_import *import, const char *path)
{
    const json_t *value = saei_import_setting(import, path);
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

static sae_status find_matrix(saei_matrix_source *out, const sae_import *import, const char *name,
                              saei_layout layout, sae_error *err)
{
    *out = (saei_matrix_source){saei_import_tensor(import, name), layout};
    if (out->array == NULL)
        return saei_fail(err, SAE_E_FORMAT, "%s: no tensor %s", import->path, name);
    if (out->array->rank != 2)
        return saei_fail(err, SAE_E_FORMAT, "%s: %s is no matrix", import->path, name);
    return SAE_OK;
}

static uint64_t extent(saei_matrix_source matrix, saei_layout axis)
{
    return matrix.array->shape[matrix.layout == axis ? 0 : 1];
}

sae_status saei_import_matrices(sae_import *import, const char *encoder, saei_layout encoder_layout,
                                const char *decoder, saei_layout decoder_layout, sae_error *err)
{
    saei_import_plan *plan = &import->plan;
    sae_status status = find_matrix(&plan->W_enc, import, encoder, encoder_layout, err);
    if (status == SAE_OK)
        status = find_matrix(&plan->W_dec, import, decoder, decoder_layout, err);
    if (status != SAE_OK)
        return status;
    uint64_t F = extent(plan->W_enc, SAEI_LATENT_MAJOR), d = extent(plan->W_enc, SAEI_INPUT_MAJOR);
    if (extent(plan->W_dec, SAEI_LATENT_MAJOR) != F || extent(plan->W_dec, SAEI_INPUT_MAJOR) != d)
        return saei_fail(err, SAE_E_UNSUPPORTED,
                         "%s: %s reads rows of %llu for %llu latents, but %s writes %llu from %llu: a "
                         "transcoder, or matrices turned against their names",
                         import->path, encoder, (unsigned long long)d, (unsigned long long)F, decoder,
                         (unsigned long long)extent(plan->W_dec, SAEI_INPUT_MAJOR),
                         (unsigned long long)extent(plan->W_dec, SAEI_LATENT_MAJOR));
    plan->shape.d = (size_t)d;
    plan->shape.n_latents = (size_t)F;
    static const char *const shape[] = {"[F, d]", "[d, F]"};
    saei_import_choose(import, "source_orientation", "%.40s %s, %.40s %s", encoder, shape[encoder_layout],
                       decoder, shape[decoder_layout]);
    return SAE_OK;
}

sae_status saei_import_vector(const saei_array_info **out, const sae_import *import, const char *name,
                              saei_vector_kind kind, sae_error *err)
{
    const saei_array_info *array = saei_import_tensor(import, name);
    if (array == NULL)
        return saei_fail(err, SAE_E_FORMAT, "%s: no tensor %s", import->path, name);
    uint64_t length = kind == SAEI_OF_INPUTS ? import->plan.shape.d : import->plan.shape.n_latents;
    bool scalar = array->rank == 0 || (array->rank == 1 && array->shape[0] == 1);
    if (!(array->rank == 1 && array->shape[0] == length) && !(scalar && kind == SAEI_OF_LATENTS_OR_ONE))
        return saei_fail(err, SAE_E_FORMAT, "%s: %s does not hold %llu numbers, as the matrices ask for",
                         import->path, name, (unsigned long long)length);
    *out = array;
    return SAE_OK;
}

sae_status saei_import_scalar(double *out, const sae_import *import, const char *name, sae_error *err)
{
    *out = (double)NAN;
    const saei_array_info *array = saei_import_tensor(import, name);
    if (array != NULL && (array->rank == 0 || (array->rank == 1 && array->shape[0] == 1)))
        return saei_reader_read_f64(out, import->reader, array, 0, 1, err);
    for (size_t i = 0; array == NULL && i < saei_reader_attributes(import->reader); i++)
        if (strcmp(saei_reader_attribute_name(import->reader, i), name) == 0) {
            const char *text = saei_reader_attribute_value(import->reader, i);
            char *end;
            unsigned long long value = text[0] >= '0' && text[0] <= '9' ? strtoull(text, &end, 10) : 0;
            *out = value > 0 && *end == '\0' ? (double)value : (double)NAN;
        }
    return SAE_OK;
}

void saei_import_choose(sae_import *import, const char *key, const char *format, ...)
{
    if (import->n_choices == SAEI_CHOICES_MAX)
        return;
    saei_choice *choice = &import->choices[import->n_choices++];
    choice->key = key;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(choice->value, sizeof choice->value, format, arguments);
    va_end(arguments);
}

sae_status saei_import_refuse(const sae_import *import, sae_error *err, const char *format, ...)
{
    char what[200];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    return saei_fail(err, SAE_E_UNSUPPORTED, "%s: %s, which libsae's models cannot do", import->path, what);
}

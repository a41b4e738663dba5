#include "dump/dataset.h"
#include "base/error.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Text that ends in "…" where it no longer fits. */
typedef struct short_text {
    char text[280];
    size_t used;
    bool full;
} short_text;

static void append(short_text *to, const char *piece)
{
    size_t room = sizeof to->text - sizeof "…" - to->used, n = strlen(piece);
    if (to->full)
        return;
    if (n > room) {
        to->full = true;
        piece = "…";
        n = strlen(piece);
    }
    memcpy(to->text + to->used, piece, n + 1);
    to->used += n;
}

static void append_array(short_text *to, const saei_array_info *array)
{
    char number[32];
    append(to, to->used > 0 ? ", " : "");
    append(to, array->name[0] != '\0' ? array->name : "(no name)");
    append(to, " [");
    for (size_t i = 0; i < array->rank; i++) {
        snprintf(number, sizeof number, "%s%" PRIu64, i > 0 ? ", " : "", array->shape[i]);
        append(to, number);
    }
    append(to, "]");
}

static bool is_candidate(const saei_array_info *array)
{
    return saei_dtype_is_float(array->dtype) && (array->rank == 2 || array->rank == 3);
}

static bool attribute_is(const saei_reader *reader, const char *name, const char *value)
{
    for (size_t i = 0; i < saei_reader_attributes(reader); i++)
        if (strcmp(saei_reader_attribute_name(reader, i), name) == 0)
            return strcmp(saei_reader_attribute_value(reader, i), value) == 0;
    return false;
}

static bool has(const saei_reader *reader, const char *array)
{
    return saei_reader_find(reader, array) != NULL;
}

const char *saei_reader_role(const saei_reader *reader)
{
    static const struct {
        const char *format, *role;
    } results[] = {{"libsae-ranking", "ranking"},
                   {"libsae-rankers", "rankers"},
                   {"libsae-statistics", "statistics"},
                   {"libsae-prompt-means", "prompt means"}};
    if (attribute_is(reader, "format", "libsae-checkpoint"))
        return "checkpoint";
    if (attribute_is(reader, "format", "libsae-model") || (has(reader, "W_enc") && has(reader, "W_dec")) ||
        (has(reader, "encoder.weight") && (has(reader, "decoder.weight") || has(reader, "W_dec"))))
        return "model";
    if (attribute_is(reader, "format", "libsae-codes") ||
        (has(reader, "row_ptr") && has(reader, "latent") && has(reader, "value")))
        return "codes";
    if (attribute_is(reader, "format", "libsae-steering"))
        return "steering";
    for (size_t i = 0; i < sizeof results / sizeof results[0]; i++)
        if (attribute_is(reader, "format", results[i].format))
            return results[i].role;
    for (size_t i = 0; i < saei_reader_count(reader); i++)
        if (is_candidate(saei_reader_at(reader, i)))
            return "dump";
    return "arrays";
}

static sae_status find_named(const saei_array_info **out, const saei_reader *reader, const char *name,
                             sae_error *err)
{
    const char *path = saei_reader_path(reader);
    name += name[0] == '/';
    *out = saei_reader_find(reader, name);
    if (*out != NULL)
        return SAE_OK;
    short_text list = {0};
    for (size_t i = 0; i < saei_reader_count(reader); i++)
        append_array(&list, saei_reader_at(reader, i));
    return saei_fail(err, SAE_E_NOT_FOUND, "%s: no dataset '%s'; there are %s", path, name,
                     list.used > 0 ? list.text : "none");
}

static sae_status refuse_other_kinds(const saei_reader *reader, sae_error *err)
{
    const char *path = saei_reader_path(reader), *role = saei_reader_role(reader);
    if (strcmp(role, "codes") == 0)
        return saei_fail(err, SAE_E_MISMATCH,
                         "%s: holds the sparse codes of a model, not a dump of activations", path);
    if (strcmp(role, "steering") == 0)
        return saei_fail(err, SAE_E_MISMATCH, "%s: holds directions, not a dump of activations", path);
    if (strcmp(role, "model") == 0 || strcmp(role, "checkpoint") == 0)
        return saei_fail(err, SAE_E_MISMATCH, "%s: is a %s, not a dump of activations", path, role);
    return SAE_OK;
}

static sae_status find_only(const saei_array_info **out, const saei_reader *reader, sae_error *err)
{
    const char *path = saei_reader_path(reader);
    sae_status status = refuse_other_kinds(reader, err);
    if (status != SAE_OK)
        return status;
    short_text candidates = {0}, others = {0};
    size_t n = 0;
    for (size_t i = 0; i < saei_reader_count(reader); i++) {
        const saei_array_info *array = saei_reader_at(reader, i);
        append_array(is_candidate(array) ? &candidates : &others, array);
        if (is_candidate(array)) {
            *out = array;
            n++;
        }
    }
    if (n > 1)
        return saei_fail(err, SAE_E_ARGUMENT,
                         "%s: %zu datasets may be the activations: %s; choose with --dataset", path, n,
                         candidates.text);
    if (n == 0 && others.used > 0)
        return saei_fail(err, SAE_E_NOT_FOUND, "%s: no 2-D or 3-D float dataset; there are %s", path,
                         others.text);
    if (n == 0)
        return saei_fail(err, SAE_E_NOT_FOUND, "%s: no numeric dataset", path);
    return SAE_OK;
}

sae_status saei_dataset_find(const saei_array_info **out, const saei_reader *reader, const char *name,
                             sae_error *err)
{
    *out = NULL;
    const saei_array_info *array = NULL;
    sae_status status = name != NULL ? find_named(&array, reader, name, err) : find_only(&array, reader, err);
    if (status != SAE_OK)
        return status;
    const char *path = saei_reader_path(reader);
    if (array->rank != 2 && array->rank != 3) {
        short_text shape = {0};
        append_array(&shape, array);
        return saei_fail(err, SAE_E_ARGUMENT,
                         "%s: %s is no matrix: [rows, d] or [sequence, position, d] is needed", path,
                         shape.text);
    }
    if (array->shape[array->rank - 1] == 0)
        return saei_fail(err, SAE_E_MISMATCH, "%s: the rows have width 0", path);
    *out = array;
    return SAE_OK;
}

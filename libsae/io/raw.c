#include "io/raw.h"
#include "base/error.h"
#include "base/memory.h"
#include "io/side_json.h"
#include "io/single_array.h"

#include <string.h>
#include <strings.h>
#include <unistd.h>

static const char *const suffixes[] = {".memmap", ".bin", ".raw", ".dat"};

static const char *suffix_of(const char *path)
{
    size_t n = strlen(path);
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        size_t m = strlen(suffixes[i]);
        if (n > m && strcasecmp(path + n - m, suffixes[i]) == 0)
            return path + n - m;
    }
    return NULL;
}

bool saei_raw_is_named(const char *path)
{
    return suffix_of(path) != NULL;
}

/* The path without its last `cut` bytes, and `end` in their place. */
static sae_status replace_end(char **out, sae_context *context, const char *path, size_t cut, const char *end,
                              sae_error *err)
{
    size_t kept = strlen(path) - cut, n = strlen(end);
    sae_status status = saei_alloc(out, context, kept + n + 1, 1, err);
    if (status != SAE_OK)
        return status;
    memcpy(*out, path, kept);
    memcpy(*out + kept, end, n);
    return SAE_OK;
}

/* The side file; *out is NULL when there is none. */
static sae_status find_side(char **out, sae_context *context, const char *path, sae_error *err)
{
    static const char *const ends[] = {".meta", ".json"};
    size_t suffix = strlen(suffix_of(path));
    for (size_t i = 0; i < 4; i++) {
        sae_status status = replace_end(out, context, path, i < 2 ? suffix : 0, ends[i % 2], err);
        if (status != SAE_OK || access(*out, F_OK) == 0)
            return status;
        saei_free(context, *out);
        *out = NULL;
    }
    return SAE_OK;
}

static bool read_dtype(saei_dtype *out, const char *text)
{
    static const char *const numpy[] = {
        [SAEI_F16] = "f2", [SAEI_BF16] = "bf16", [SAEI_F32] = "f4", [SAEI_F64] = "f8"};
    text += strncmp(text, "torch.", 6) == 0 ? 6 : 0;
    text += strncmp(text, "numpy.", 6) == 0 ? 6 : 0;
    text += *text == '<' || *text == '=' ? 1 : 0;
    for (saei_dtype dtype = SAEI_F16; dtype <= SAEI_F64; dtype++)
        if (strcmp(text, saei_dtype_name(dtype)) == 0 || strcmp(text, numpy[dtype]) == 0) {
            *out = dtype;
            return true;
        }
    return false;
}

/* The type in the side file, else in config.json of the folder. */
static sae_status find_dtype(saei_dtype *out, sae_context *context, const char *path, const char *side,
                             const json_t *object, sae_error *err)
{
    const char *text = json_string_value(json_object_get(object, "dtype")), *slash = strrchr(path, '/');
    json_t *config = NULL;
    sae_status status = SAE_OK;
    if (text == NULL) {
        char *config_path;
        status = replace_end(&config_path, context, path, slash != NULL ? strlen(slash + 1) : strlen(path),
                             "config.json", err);
        if (status == SAE_OK && access(config_path, F_OK) == 0)
            status = saei_side_json_load(&config, context, config_path, err);
        if (status == SAE_OK)
            text = json_string_value(json_object_get(config, "dtype"));
        saei_free(context, config_path);
    }
    if (status == SAE_OK && text == NULL)
        status =
            saei_fail(err, SAE_E_FORMAT, "%s: has no \"dtype\", such as \"bfloat16\" or \"float16\"", side);
    else if (status == SAE_OK && !read_dtype(out, text))
        status =
            saei_fail(err, SAE_E_UNSUPPORTED,
                      "%s: dtype %.40s is not read; float16, bfloat16, float32 and float64 are", side, text);
    json_decref(config);
    return status;
}

static sae_status read_shape(saei_strided *array, uint64_t *bytes, const char *side, const json_t *object,
                             sae_error *err)
{
    const json_t *shape = json_object_get(object, "shape");
    array->rank = json_array_size(shape);
    *bytes = saei_dtype_size(array->dtype);
    if (array->rank == 0 || array->rank > SAEI_ARRAY_RANK_MAX)
        return saei_fail(err, SAE_E_FORMAT, "%s: has no \"shape\", such as [rows, d]", side);
    for (size_t axis = 0; axis < array->rank; axis++) {
        const json_t *extent = json_array_get(shape, axis);
        if (!json_is_integer(extent) || json_integer_value(extent) < 0 ||
            __builtin_mul_overflow(*bytes, (uint64_t)json_integer_value(extent), bytes))
            return saei_fail(err, SAE_E_FORMAT, "%s: its \"shape\" is impossible", side);
        array->shape[axis] = (uint64_t)json_integer_value(extent);
    }
    return SAE_OK;
}

static const saei_format format = {
    .name = "raw", .read = saei_single_array_read, .close = saei_single_array_close};

static sae_status open_with(saei_reader *reader, const char *side, const json_t *object, sae_error *err)
{
    saei_strided array = {0};
    uint64_t bytes = 0, there = saei_reader_input(reader)->bytes;
    const char *path = saei_reader_path(reader);
    sae_status status = find_dtype(&array.dtype, saei_reader_context(reader), path, side, object, err);
    if (status == SAE_OK)
        status = read_shape(&array, &bytes, side, object, err);
    if (status != SAE_OK)
        return status;
    if (bytes != there)
        return saei_fail(err, SAE_E_FORMAT, "%s: has %llu bytes, but its shape in %s needs %llu", path,
                         (unsigned long long)there, side, (unsigned long long)bytes);
    saei_strided_pack(&array, false);
    return saei_single_array_add(reader, &format, &array, err);
}

sae_status saei_raw_open(bool *found, saei_reader *reader, sae_error *err)
{
    sae_context *context = saei_reader_context(reader);
    char *side = NULL;
    json_t *object = NULL;
    sae_status status = find_side(&side, context, saei_reader_path(reader), err);
    *found = side != NULL;
    if (side == NULL)
        return status;
    status = saei_side_json_load(&object, context, side, err);
    if (status == SAE_OK)
        status = open_with(reader, side, object, err);
    json_decref(object);
    saei_free(context, side);
    return status;
}

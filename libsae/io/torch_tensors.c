#include "io/torch_tensors.h"
#include "base/error.h"
#include "base/memory.h"
#include "io/torch_view.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    DEPTH_MAX = 64,
    VISITS_MAX = 4 << 20,
    SETTINGS_MAX = 4096,
    SETTING_BYTES_MAX = 4096,
    NAME_BYTES = 1024,
    CLAIM_FACTOR = 16
};
static const uint64_t claim_free = (uint64_t)64 << 20;

typedef struct walk {
    saei_torch_tensors *found;
    const saei_torch_source *source;
    char name[NAME_BYTES];
    size_t length; /* of name */
    uint64_t visits, claimed;
    sae_error *err;
} walk;

static sae_status bad_structure(const walk *w, const char *what)
{
    return saei_fail(w->err, SAE_E_FORMAT, "%s: '%.80s' %s", w->source->path, w->name, what);
}

/* The name of an entry of what `name` is now; the caller takes it away again by the length it had. */
static sae_status extend_name(walk *w, const char *key, size_t n)
{
    size_t dot = w->length > 0 ? 1 : 0;
    if (n > sizeof w->name - w->length - 2 || memchr(key, '\0', n) != NULL)
        return bad_structure(w, "has an entry whose name is too long or holds a NUL");
    if (dot)
        w->name[w->length] = '.';
    memcpy(w->name + w->length + dot, key, n);
    w->length += dot + n;
    w->name[w->length] = '\0';
    return SAE_OK;
}

static void shorten_name(walk *w, size_t length)
{
    w->length = length;
    w->name[length] = '\0';
}

static sae_status make_room(void *block, size_t *room, size_t used, size_t size, const walk *w)
{
    if (used < *room)
        return SAE_OK;
    size_t wanted = *room > 0 ? 2 * *room : 8;
    sae_status status = saei_grow(block, w->found->context, used, wanted, size, w->err);
    if (status == SAE_OK)
        *room = wanted;
    return status;
}

static sae_status claim(walk *w, const saei_strided *array)
{
    uint64_t bytes = saei_dtype_size(array->dtype);
    for (size_t i = 0; i < array->rank; i++)
        bytes *= array->shape[i]; /* saei_torch_view has checked the product, or an extent is 0 */
    w->claimed += bytes;
    if (w->claimed > claim_free && (w->claimed - claim_free) / CLAIM_FACTOR > w->source->data_bytes)
        return saei_fail(w->err, SAE_E_FORMAT,
                         "%s: its tensors claim over %d times the data there are; save contiguous copies",
                         w->source->path, CLAIM_FACTOR);
    return SAE_OK;
}

static sae_status add_tensor(walk *w, saei_pickle_value value)
{
    saei_torch_tensors *found = w->found;
    saei_torch_tensor tensor = {0};
    sae_status status = saei_torch_view(&tensor, w->source, value, w->name, w->err);
    if (status == SAE_OK)
        status = claim(w, &tensor.array);
    if (status == SAE_OK)
        status =
            make_room(&found->tensors, &found->tensors_room, found->n_tensors, sizeof *found->tensors, w);
    if (status == SAE_OK)
        status = saei_strdup(&tensor.name, found->context, w->name, w->err);
    if (status == SAE_OK)
        found->tensors[found->n_tensors++] = tensor;
    return status;
}

/* A number, bool or text as text; false: it is none, or too long to be a setting. */
static bool write_setting(char text[SETTING_BYTES_MAX], saei_pickle_value value)
{
    switch (value.kind) {
    case SAEI_PICKLE_BOOL:
        strcpy(text, value.as.integer != 0 ? "true" : "false");
        return true;
    case SAEI_PICKLE_INT:
        snprintf(text, SETTING_BYTES_MAX, "%" PRId64, value.as.integer);
        return true;
    case SAEI_PICKLE_REAL:
        snprintf(text, SETTING_BYTES_MAX, "%.17g", value.as.real);
        return true;
    case SAEI_PICKLE_TEXT:
        if (value.length >= SETTING_BYTES_MAX || memchr(value.as.text, '\0', value.length) != NULL)
            return false;
        memcpy(text, value.as.text, value.length);
        text[value.length] = '\0';
        return true;
    default:
        return false;
    }
}

static sae_status add_setting(walk *w, saei_pickle_value value)
{
    saei_torch_tensors *found = w->found;
    saei_torch_setting added = {0};
    char text[SETTING_BYTES_MAX];
    if (found->n_settings == SETTINGS_MAX || w->length == 0 || !write_setting(text, value))
        return SAE_OK;
    sae_status status =
        make_room(&found->settings, &found->settings_room, found->n_settings, sizeof *found->settings, w);
    if (status == SAE_OK)
        status = saei_strdup(&added.name, found->context, w->name, w->err);
    if (status == SAE_OK)
        status = saei_strdup(&added.value, found->context, text, w->err);
    if (status == SAE_OK)
        found->settings[found->n_settings++] = added;
    else
        saei_free(found->context, added.name);
    return status;
}

static sae_status visit(walk *w, saei_pickle_value value, int depth);

static sae_status visit_dict(walk *w, const saei_pickle_value *items, size_t n, int depth)
{
    sae_status status = SAE_OK;
    for (size_t i = 0; i + 1 < n && status == SAE_OK; i += 2) {
        char number[24];
        size_t length = w->length;
        saei_pickle_value key = items[i], value = items[i + 1];
        if (key.kind == SAEI_PICKLE_INT) {
            snprintf(number, sizeof number, "%" PRId64, key.as.integer);
            status = extend_name(w, number, strlen(number));
        } else if (key.kind == SAEI_PICKLE_TEXT)
            status = extend_name(w, key.as.text, key.length);
        else
            status = bad_structure(w, "has a key that is neither text nor a whole number");
        if (status == SAE_OK)
            status = value.kind < SAEI_PICKLE_TUPLE ? add_setting(w, value) : visit(w, value, depth);
        shorten_name(w, length);
    }
    return status;
}

static sae_status visit_list(walk *w, const saei_pickle_value *items, size_t n, int depth)
{
    sae_status status = SAE_OK;
    for (size_t i = 0; i < n && status == SAE_OK; i++) {
        char number[24];
        size_t length = w->length;
        if (items[i].kind < SAEI_PICKLE_TUPLE)
            continue;
        snprintf(number, sizeof number, "%zu", i);
        status = extend_name(w, number, strlen(number));
        if (status == SAE_OK)
            status = visit(w, items[i], depth);
        shorten_name(w, length);
    }
    return status;
}

static sae_status visit(walk *w, saei_pickle_value value, int depth)
{
    size_t n;
    const saei_pickle_value *items = saei_pickle_items(w->source->pickle, value, &n);
    if (depth == DEPTH_MAX)
        return bad_structure(w, "is nested more than 64 deep, or contains itself");
    w->visits += n + 1;
    if (w->visits > VISITS_MAX)
        return saei_fail(w->err, SAE_E_FORMAT, "%s: its lists and dicts unfold without end", w->source->path);
    switch (value.kind) {
    case SAEI_PICKLE_DICT:
        return visit_dict(w, items, n, depth + 1);
    case SAEI_PICKLE_LIST:
    case SAEI_PICKLE_TUPLE:
        return visit_list(w, items, n, depth + 1);
    case SAEI_PICKLE_CALL:
        return saei_torch_is_tensor(w->source->pickle, value) ? add_tensor(w, value) : SAE_OK;
    case SAEI_PICKLE_PERSISTENT:
        return bad_structure(w, "is a storage without a tensor");
    default:
        return SAE_OK;
    }
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static sae_status check_names(const walk *w)
{
    const saei_torch_tensors *found = w->found;
    const char **names;
    sae_status status = saei_alloc(&names, found->context, found->n_tensors, sizeof *names, w->err);
    if (status != SAE_OK)
        return status;
    for (size_t i = 0; i < found->n_tensors; i++)
        names[i] = found->tensors[i].name;
    qsort(names, found->n_tensors, sizeof *names, by_name);
    for (size_t i = 1; status == SAE_OK && i < found->n_tensors; i++)
        if (strcmp(names[i - 1], names[i]) == 0)
            status = saei_fail(w->err, SAE_E_FORMAT, "%s: two tensors are called '%.80s'", w->source->path,
                               names[i]);
    saei_free(found->context, names);
    return status;
}

sae_status saei_torch_tensors_find(saei_torch_tensors *out, sae_context *context,
                                   const saei_torch_source *source, sae_error *err)
{
    *out = (saei_torch_tensors){.context = context};
    walk w = {.found = out, .source = source, .err = err};
    sae_status status = visit(&w, saei_pickle_root(source->pickle), 0);
    if (status == SAE_OK)
        status = check_names(&w);
    if (status == SAE_OK && out->n_tensors == 0)
        status = saei_fail(err, SAE_E_FORMAT, "%s: holds no tensor", source->path);
    return status;
}

void saei_torch_tensors_free(saei_torch_tensors *tensors)
{
    for (size_t i = 0; i < tensors->n_tensors; i++)
        saei_free(tensors->context, tensors->tensors[i].name);
    for (size_t i = 0; i < tensors->n_settings; i++) {
        saei_free(tensors->context, tensors->settings[i].name);
        saei_free(tensors->context, tensors->settings[i].value);
    }
    if (tensors->context != NULL) {
        saei_free(tensors->context, tensors->tensors);
        saei_free(tensors->context, tensors->settings);
    }
    *tensors = (saei_torch_tensors){0};
}

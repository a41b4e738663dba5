#include "io/torch_view.h"
#include "base/error.h"

#include <string.h>

/* A view may repeat elements (expand) up to this many. */
enum { REPEATED_MAX = 1 << 22 };

/* The callee and the arguments of a call; false: it is none. */
static bool read_call(saei_pickle_global *callee, const saei_pickle_value **arguments, size_t *n,
                      const saei_pickle *pickle, saei_pickle_value value)
{
    size_t two;
    if (value.kind != SAEI_PICKLE_CALL)
        return false;
    const saei_pickle_value *items = saei_pickle_items(pickle, value, &two);
    *callee = (saei_pickle_global)items[0].as.integer;
    *arguments = saei_pickle_items(pickle, items[1], n);
    return true;
}

bool saei_torch_is_tensor(const saei_pickle *pickle, saei_pickle_value value)
{
    saei_pickle_global callee;
    const saei_pickle_value *arguments;
    size_t n;
    return read_call(&callee, &arguments, &n, pickle, value) &&
           (callee == SAEI_PICKLE_TENSOR || callee == SAEI_PICKLE_TENSOR_V2 ||
            callee == SAEI_PICKLE_TENSOR_V3 || callee == SAEI_PICKLE_PARAMETER);
}

typedef struct view {
    const saei_torch_source *source;
    const char *name;
    sae_error *err;
} view;

static sae_status bad_tensor(const view *v, const char *what)
{
    return saei_fail(v->err, SAE_E_FORMAT, "%s: tensor '%.80s' %s", v->source->path, v->name, what);
}

static bool is_count(saei_pickle_value value)
{
    return value.kind == SAEI_PICKLE_INT && value.as.integer >= 0;
}

/* A tuple of whole numbers, or a torch.Size of one. */
static sae_status read_axes(uint64_t out[SAEI_ARRAY_RANK_MAX], size_t *rank, const view *v,
                            saei_pickle_value value)
{
    const saei_pickle *pickle = v->source->pickle;
    saei_pickle_global callee;
    const saei_pickle_value *arguments, *items;
    size_t n;
    if (read_call(&callee, &arguments, &n, pickle, value) && callee == SAEI_PICKLE_SIZE && n == 1)
        value = arguments[0];
    items = saei_pickle_items(pickle, value, rank);
    if (value.kind != SAEI_PICKLE_TUPLE)
        return bad_tensor(v, "has no valid shape");
    if (*rank > SAEI_ARRAY_RANK_MAX)
        return saei_fail(v->err, SAE_E_UNSUPPORTED, "%s: tensor '%.80s' has %zu axes; at most %d are read",
                         v->source->path, v->name, *rank, SAEI_ARRAY_RANK_MAX);
    for (size_t i = 0; i < *rank; i++) {
        if (!is_count(items[i]))
            return bad_tensor(v, "has a shape or stride that is no whole number of at most 63 bits");
        out[i] = (uint64_t)items[i].as.integer;
    }
    return SAE_OK;
}

/* The persistent id ('storage', class, key, location, numel), and in streams of the old form None. */
static sae_status read_storage(saei_torch_storage *out, saei_dtype *dtype, const view *v,
                               saei_pickle_value value)
{
    const saei_pickle *pickle = v->source->pickle;
    size_t n = 0;
    const saei_pickle_value *id = NULL;
    if (value.kind == SAEI_PICKLE_PERSISTENT) {
        id = saei_pickle_items(pickle, value, &n);
        id = id[0].kind == SAEI_PICKLE_TUPLE ? saei_pickle_items(pickle, id[0], &n) : NULL;
    }
    if (id == NULL || n < 5 || n > 6 || !saei_pickle_is_text(id[0], "storage") ||
        id[1].kind != SAEI_PICKLE_GLOBAL || id[2].kind != SAEI_PICKLE_TEXT || !is_count(id[4]) ||
        (n == 6 && id[5].kind != SAEI_PICKLE_NONE))
        return bad_tensor(v, "has no storage");
    if (!saei_pickle_is_global(id[1], SAEI_PICKLE_STORAGE) &&
        !saei_pickle_is_global(id[1], SAEI_PICKLE_BYTES))
        return bad_tensor(v, "has a storage of no known type");
    *dtype = (saei_dtype)id[1].length;
    uint64_t bytes;
    if (__builtin_mul_overflow((uint64_t)id[4].as.integer, saei_dtype_size(*dtype), &bytes))
        return bad_tensor(v, "has a storage beyond 2^64 bytes");
    return v->source->storage(out, v->source->user, id[2].as.text, id[2].length, (uint64_t)id[4].as.integer,
                              saei_dtype_size(*dtype), v->err);
}

/* The last element must lie within `room` elements. */
static sae_status check_extent(const saei_strided *array, uint64_t offset, uint64_t room, const view *v)
{
    uint64_t elements = 1, last = offset, reach;
    bool none = false;
    for (size_t i = 0; i < array->rank; i++)
        none = none || array->shape[i] == 0;
    for (size_t i = 0; i < array->rank && !none; i++)
        if (__builtin_mul_overflow(elements, array->shape[i], &elements) ||
            __builtin_mul_overflow(array->shape[i] - 1, array->stride[i], &reach) ||
            __builtin_add_overflow(last, reach, &last))
            return bad_tensor(v, "has an impossible shape");
    if (none ? offset > room : last >= room)
        return bad_tensor(v, "passes the end of its storage");
    if (!none && elements > room && elements > REPEATED_MAX)
        return bad_tensor(v, "repeats the elements of a small storage without measure; save .contiguous()");
    return SAE_OK;
}

static sae_status read_view(saei_torch_tensor *out, const view *v, saei_pickle_global callee,
                            const saei_pickle_value *arguments, size_t n)
{
    saei_strided *array = &out->array;
    saei_torch_storage storage;
    size_t strides = 0, wanted = callee == SAEI_PICKLE_TENSOR ? 4 : callee == SAEI_PICKLE_TENSOR_V2 ? 6 : 7;
    if (n < wanted || n > wanted + 1 || !is_count(arguments[1]))
        return bad_tensor(v, "has no valid arguments or a negative offset");
    *array = (saei_strided){0};
    sae_status status = read_storage(&storage, &array->dtype, v, arguments[0]);
    if (status == SAE_OK && callee == SAEI_PICKLE_TENSOR_V3) {
        if (!saei_pickle_is_global(arguments[6], SAEI_PICKLE_DTYPE))
            return bad_tensor(v, "has no known type");
        array->dtype = (saei_dtype)arguments[6].length;
    }
    if (status == SAE_OK)
        status = read_axes(array->shape, &array->rank, v, arguments[2]);
    if (status == SAE_OK)
        status = read_axes(array->stride, &strides, v, arguments[3]);
    if (status != SAE_OK)
        return status;
    if (strides != array->rank)
        return bad_tensor(v, "has another number of strides than of axes");
    uint64_t item = saei_dtype_size(array->dtype), offset = (uint64_t)arguments[1].as.integer;
    status = check_extent(array, offset, storage.bytes / item, v);
    array->start = storage.start + offset * item;
    out->run = storage.run;
    return status;
}

sae_status saei_torch_view(saei_torch_tensor *out, const saei_torch_source *source, saei_pickle_value value,
                           const char *name, sae_error *err)
{
    enum { WRAPPED_MAX = 4 };
    const view v = {source, name, err};
    saei_pickle_global callee = SAEI_PICKLE_PARAMETER;
    const saei_pickle_value *arguments;
    size_t n;
    for (int depth = 0; depth < WRAPPED_MAX; depth++) {
        if (!read_call(&callee, &arguments, &n, source->pickle, value) || n == 0)
            return bad_tensor(&v, "is no tensor");
        if (callee != SAEI_PICKLE_PARAMETER)
            return saei_torch_is_tensor(source->pickle, value) ? read_view(out, &v, callee, arguments, n)
                                                               : bad_tensor(&v, "is no tensor");
        value = arguments[0];
    }
    return bad_tensor(&v, "is a parameter of a parameter");
}

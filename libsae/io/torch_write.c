#include "io/torch_write.h"
#include "io/zip_write.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* Opcodes of pickle protocol 2; pickletools of CPython describes them. */
enum {
    OP_PROTO = 0x80,
    OP_EMPTY_DICT = '}',
    OP_EMPTY_TUPLE = ')',
    OP_MARK = '(',
    OP_TUPLE = 't',
    OP_TEXT = 'X',
    OP_INT32 = 'J',
    OP_LONG1 = 0x8a,
    OP_FALSE = 0x89,
    OP_GLOBAL = 'c',
    OP_PERSISTENT = 'Q',
    OP_REDUCE = 'R',
    OP_SETITEMS = 'u',
    OP_STOP = '.'
};

/* A tensor takes below 400 bytes of it, with a name of 60. */
typedef struct pickle_text {
    unsigned char bytes[512 * (SAEI_TORCH_TENSORS_MAX + 1)];
    size_t n;
} pickle_text;

static void op(pickle_text *p, unsigned char code)
{
    assert(p->n < sizeof p->bytes);
    p->bytes[p->n++] = code;
}

static void append(pickle_text *p, const char *text)
{
    for (; *text != '\0'; text++)
        op(p, (unsigned char)*text);
}

static void text(pickle_text *p, const char *value)
{
    size_t length = strlen(value);
    op(p, OP_TEXT);
    for (size_t i = 0; i < 4; i++)
        op(p, (unsigned char)(length >> (8 * i)));
    append(p, value);
}

/* Below 2^63: the sign bit is never part of the number. */
static void whole(pickle_text *p, uint64_t value)
{
    bool small = value <= INT32_MAX;
    op(p, small ? OP_INT32 : OP_LONG1);
    if (!small)
        op(p, 8);
    for (size_t i = 0; i < (small ? 4 : 8); i++)
        op(p, (unsigned char)(value >> (8 * i)));
}

static void global(pickle_text *p, const char *module, const char *name)
{
    op(p, OP_GLOBAL);
    append(p, module);
    append(p, "\n");
    append(p, name);
    append(p, "\n");
}

static uint64_t elements(const saei_torch_out *t)
{
    return (t->rank > 0 ? t->shape[0] : 1) * (t->rank > 1 ? t->shape[1] : 1);
}

static void storage(pickle_text *p, const saei_torch_out *t, size_t key)
{
    char name[24];
    snprintf(name, sizeof name, "%zu", key);
    op(p, OP_MARK);
    text(p, "storage");
    global(p, "torch", t->dtype == SAEI_F32 ? "FloatStorage" : "IntStorage");
    text(p, name);
    text(p, "cpu");
    whole(p, elements(t));
    op(p, OP_TUPLE);
    op(p, OP_PERSISTENT);
}

static void tensor(pickle_text *p, const saei_torch_out *t, size_t key)
{
    uint64_t stride[2] = {t->transposed ? 1 : t->rank > 1 ? t->shape[1] : 1, t->transposed ? t->shape[0] : 1};
    text(p, t->name);
    global(p, "torch._utils", "_rebuild_tensor_v2");
    op(p, OP_MARK);
    storage(p, t, key);
    whole(p, 0);
    op(p, OP_MARK);
    for (size_t axis = 0; axis < t->rank; axis++)
        whole(p, t->shape[axis]);
    op(p, OP_TUPLE);
    op(p, OP_MARK);
    for (size_t axis = 0; axis < t->rank; axis++)
        whole(p, stride[axis]);
    op(p, OP_TUPLE);
    op(p, OP_FALSE);
    global(p, "collections", "OrderedDict");
    op(p, OP_EMPTY_TUPLE);
    op(p, OP_REDUCE);
    op(p, OP_TUPLE);
    op(p, OP_REDUCE);
}

static void describe(pickle_text *p, const saei_torch_out *tensors, size_t n)
{
    op(p, OP_PROTO);
    op(p, 2);
    op(p, OP_EMPTY_DICT);
    op(p, OP_MARK);
    for (size_t i = 0; i < n; i++)
        tensor(p, &tensors[i], i);
    op(p, OP_SETITEMS);
    op(p, OP_STOP);
}

sae_status saei_torch_save(sae_context *context, const char *path, saei_replace replace,
                           const saei_torch_out *tensors, size_t n, sae_error *err)
{
    assert(n <= SAEI_TORCH_TENSORS_MAX);
    pickle_text pickle = {.n = 0};
    describe(&pickle, tensors, n);
    saei_zip_entry entries[SAEI_TORCH_TENSORS_MAX + 3] = {
        {.name = "archive/data.pkl", .head = pickle.bytes, .head_bytes = pickle.n},
        {.name = "archive/byteorder", .head = "little", .head_bytes = 6},
    };
    char names[SAEI_TORCH_TENSORS_MAX][40];
    for (size_t i = 0; i < n; i++) {
        snprintf(names[i], sizeof names[i], "archive/data/%zu", i);
        entries[2 + i] =
            (saei_zip_entry){.name = names[i],
                             .body = tensors[i].data,
                             .body_bytes = (size_t)elements(&tensors[i]) * saei_dtype_size(tensors[i].dtype)};
    }
    entries[2 + n] = (saei_zip_entry){.name = "archive/version", .head = "3\n", .head_bytes = 2};
    return saei_zip_save(context, path, replace, entries, n + 3, err);
}

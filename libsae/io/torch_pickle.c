#include "io/torch_pickle.h"
#include "base/memory.h"

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

/* The first failure is kept; what is put behind it is lost. */
typedef struct pickle_text {
    sae_context *context;
    unsigned char *bytes;
    size_t n, room;
    sae_status status;
    sae_error *err;
} pickle_text;

static void op(pickle_text *p, unsigned char code)
{
    if (p->status == SAE_OK && p->n == p->room) {
        size_t room = p->room > 0 ? saei_mul(p->room, 2) : 4096;
        p->status = saei_grow(&p->bytes, p->context, p->room, room, 1, p->err);
        p->room = p->status == SAE_OK ? room : p->room;
    }
    if (p->status == SAE_OK)
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

uint64_t saei_torch_elements(const saei_torch_out *t)
{
    return (t->rank > 0 ? t->shape[0] : 1) * (t->rank > 1 ? t->shape[1] : 1);
}

/* torch has arithmetic for signed integers alone. */
static const char *storage_name(saei_dtype dtype)
{
    switch (dtype) {
    case SAEI_F16:
        return "HalfStorage";
    case SAEI_BF16:
        return "BFloat16Storage";
    case SAEI_F64:
        return "DoubleStorage";
    case SAEI_I32:
    case SAEI_U32:
        return "IntStorage";
    case SAEI_I64:
    case SAEI_U64:
        return "LongStorage";
    default:
        assert(dtype == SAEI_F32);
        return "FloatStorage";
    }
}

static void storage(pickle_text *p, const saei_torch_out *t, size_t key)
{
    char name[24];
    snprintf(name, sizeof name, "%zu", key);
    op(p, OP_MARK);
    text(p, "storage");
    global(p, "torch", storage_name(t->dtype));
    text(p, name);
    text(p, "cpu");
    whole(p, saei_torch_elements(t));
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

static bool is_tensor(const char *name, const saei_torch_out *tensors, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(name, tensors[i].name) == 0)
            return true;
    return false;
}

sae_status saei_torch_pickle_new(unsigned char **out, size_t *bytes, sae_context *context,
                                 const saei_torch_out *tensors, size_t n, const saei_metadata *texts,
                                 size_t n_texts, sae_error *err)
{
    pickle_text p = {.context = context, .err = err};
    op(&p, OP_PROTO);
    op(&p, 2);
    op(&p, OP_EMPTY_DICT);
    op(&p, OP_MARK);
    for (size_t i = 0; i < n; i++)
        tensor(&p, &tensors[i], i);
    for (size_t i = 0; i < n_texts; i++)
        if (!is_tensor(texts[i].key, tensors, n)) {
            text(&p, texts[i].key);
            text(&p, texts[i].value);
        }
    op(&p, OP_SETITEMS);
    op(&p, OP_STOP);
    *out = p.bytes;
    *bytes = p.n;
    if (p.status != SAE_OK) {
        saei_free(context, p.bytes);
        *out = NULL;
    }
    return p.status;
}

/* NumPy's .npy, versions 1 to 3: magic, version, header length, a Python dict literal, the data. */
#include "base/error.h"
#include "io/npy.h"
#include "io/single_array.h"

#include <string.h>

enum { HEADER_BYTES_MAX = 10000 };

/* The header while it is parsed: a hand-written scanner for exactly the literals NumPy writes, so that
   nesting costs nothing and nothing is evaluated. */
typedef struct cursor {
    const char *start, *at, *end;
    uint64_t offset; /* of start in the file */
    const char *path;
    int major;
    bool fortran_order;
} cursor;

static sae_status bad_header(const cursor *c, const char *what, sae_error *err)
{
    return saei_fail_at(err, SAE_E_FORMAT, (int64_t)c->offset + (c->at - c->start), "%s: .npy header: %s",
                        c->path, what);
}

static void skip_space(cursor *c)
{
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\t' || *c->at == '\n' || *c->at == '\r'))
        c->at++;
}

static bool take(cursor *c, const char *token)
{
    skip_space(c);
    size_t length = strlen(token);
    if ((size_t)(c->end - c->at) < length || memcmp(c->at, token, length) != 0)
        return false;
    c->at += length;
    return true;
}

/* 'text' or "text" without escapes, into out [size]. */
static bool take_string(cursor *c, char *out, size_t size)
{
    skip_space(c);
    if (c->at == c->end || (*c->at != '\'' && *c->at != '"'))
        return false;
    const char *text = c->at + 1, *close = memchr(text, *c->at, (size_t)(c->end - text));
    if (close == NULL || (size_t)(close - text) >= size || memchr(text, '\\', (size_t)(close - text)) != NULL)
        return false;
    memcpy(out, text, (size_t)(close - text));
    out[close - text] = '\0';
    c->at = close + 1;
    return true;
}

static bool take_extent(cursor *c, uint64_t *out)
{
    skip_space(c);
    const char *first = c->at;
    uint64_t value = 0;
    for (; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++)
        if (__builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*c->at - '0'), &value))
            return false;
    if (c->at == first || (*first == '0' && c->at - first > 1))
        return false;
    /* Python 2 wrote long integers as 6L. */
    if (c->major < 3 && c->at < c->end && *c->at == 'L')
        c->at++;
    *out = value;
    return true;
}

static sae_status parse_shape(saei_strided *array, cursor *c, sae_error *err)
{
    if (!take(c, "("))
        return bad_header(c, "the shape is not a tuple", err);
    bool comma = true;
    for (array->rank = 0; !take(c, ")"); array->rank++) {
        if (array->rank == SAEI_ARRAY_RANK_MAX)
            return bad_header(c, "too many axes; at most 8 are read", err);
        if (!comma || !take_extent(c, &array->shape[array->rank]))
            return bad_header(c, "an axis of the shape is not a whole number below 2^64", err);
        comma = take(c, ",");
    }
    /* (48) is a number in parentheses, not a tuple. */
    if (array->rank == 1 && !comma)
        return bad_header(c, "the shape is not a tuple", err);
    return SAE_OK;
}

static sae_status parse_descr(saei_strided *array, cursor *c, sae_error *err)
{
    static const struct {
        const char *name;
        saei_dtype dtype;
    } known[] = {
        {"f2", SAEI_F16}, {"f4", SAEI_F32}, {"f8", SAEI_F64}, {"i1", SAEI_I8},
        {"i2", SAEI_I16}, {"i4", SAEI_I32}, {"i8", SAEI_I64}, {"u1", SAEI_U8},
        {"u2", SAEI_U16}, {"u4", SAEI_U32}, {"u8", SAEI_U64}, {"b1", SAEI_BOOL},
    };
    char text[32];
    if (!take_string(c, text, sizeof text))
        return saei_fail(err, SAE_E_UNSUPPORTED, "%s: a structured .npy array; save one plain matrix",
                         c->path);
    if (strcmp(text, "bfloat16") == 0) {
        array->dtype = SAEI_BF16;
        return SAE_OK;
    }
    const char *name = text;
    if (*name != '\0' && strchr("<>|=", *name) != NULL)
        array->big_endian = *name++ == '>';
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(name, known[i].name) == 0) {
            /* '|' means that byte order does not matter. */
            if (*text == '|' && saei_dtype_size(known[i].dtype) > 1)
                break;
            array->dtype = known[i].dtype;
            return SAE_OK;
        }
    if (strcmp(name, "V2") == 0)
        return saei_fail(err, SAE_E_UNSUPPORTED,
                         "%s: dtype %s does not say what it holds (bfloat16 saved by NumPy?); save float32",
                         c->path, text);
    return saei_fail(err, SAE_E_UNSUPPORTED, "%s: dtype %s is not read; save float16, float32 or float64",
                     c->path, text);
}

static sae_status parse_value(saei_strided *array, cursor *c, const char *key, bool seen[3], sae_error *err)
{
    size_t which = strcmp(key, "descr") == 0 ? 0 : strcmp(key, "fortran_order") == 0 ? 1 : 2;
    if (which == 2 && strcmp(key, "shape") != 0)
        return bad_header(c, "a key other than descr, fortran_order and shape", err);
    if (seen[which])
        return bad_header(c, "a key is given twice", err);
    seen[which] = true;
    if (which == 0)
        return parse_descr(array, c, err);
    if (which == 2)
        return parse_shape(array, c, err);
    c->fortran_order = take(c, "True");
    return c->fortran_order || take(c, "False") ? SAE_OK : bad_header(c, "fortran_order is not a bool", err);
}

static sae_status parse_header(saei_strided *array, cursor *c, sae_error *err)
{
    bool seen[3] = {false, false, false}, comma = true;
    if (!take(c, "{"))
        return bad_header(c, "not a dict", err);
    while (!take(c, "}")) {
        char key[16];
        if (!comma || !take_string(c, key, sizeof key) || !take(c, ":"))
            return bad_header(c, "not a dict of descr, fortran_order and shape", err);
        sae_status status = parse_value(array, c, key, seen, err);
        if (status != SAE_OK)
            return status;
        comma = take(c, ",");
    }
    skip_space(c);
    if (c->at != c->end)
        return bad_header(c, "text after the dict", err);
    return seen[0] && seen[1] && seen[2] ? SAE_OK
                                         : bad_header(c, "descr, fortran_order or shape is missing", err);
}

static sae_status check_size(const saei_strided *array, const saei_byte_run *run, sae_error *err)
{
    uint64_t bytes = saei_dtype_size(array->dtype), extents = bytes, left = run->bytes - array->start;
    for (size_t axis = 0; axis < array->rank; axis++)
        if (__builtin_mul_overflow(bytes, array->shape[axis], &bytes) ||
            /* An axis of 0 would hide that the others wrap. */
            __builtin_mul_overflow(extents, array->shape[axis] > 0 ? array->shape[axis] : 1, &extents))
            return saei_fail(err, SAE_E_FORMAT, "%s: impossible shape: its size passes 2^64 bytes",
                             run->name);
    if (bytes > left)
        return saei_fail_at(err, SAE_E_FORMAT, (int64_t)run->bytes,
                            "%s: cut off: %llu of %llu bytes of data are there", run->name,
                            (unsigned long long)left, (unsigned long long)bytes);
    if (bytes < left)
        return saei_fail_at(err, SAE_E_FORMAT, (int64_t)(array->start + bytes),
                            "%s: %llu bytes after the array; save one array per file", run->name,
                            (unsigned long long)(left - bytes));
    return SAE_OK;
}

sae_status saei_npy_parse(saei_strided *out, const saei_byte_run *run, sae_error *err)
{
    *out = (saei_strided){0};
    unsigned char head[12];
    char text[HEADER_BYTES_MAX];
    sae_status status = saei_byte_run_read(head, run, 0, 10, err);
    if (status != SAE_OK)
        return status;
    if (memcmp(head, "\x93NUMPY", 6) != 0)
        return saei_fail_at(err, SAE_E_FORMAT, 0, "%s: not a .npy array", run->name);
    if (head[6] < 1 || head[6] > 3 || head[7] != 0)
        return saei_fail_at(err, SAE_E_UNSUPPORTED, 6, "%s: .npy version %d.%d; 1.0, 2.0 and 3.0 are read",
                            run->name, head[6], head[7]);
    size_t start = head[6] == 1 ? 10 : 12, length = head[8] + 256u * head[9];
    if (start == 12) {
        status = saei_byte_run_read(head + 10, run, 10, 2, err);
        if (status != SAE_OK)
            return status;
        length += ((size_t)head[11] << 24) + ((size_t)head[10] << 16);
    }
    if (length > sizeof text)
        return saei_fail_at(err, SAE_E_FORMAT, 8, "%s: .npy header of %zu bytes; at most %d are read",
                            run->name, length, HEADER_BYTES_MAX);
    status = saei_byte_run_read(text, run, start, length, err);
    if (status != SAE_OK)
        return status;
    cursor c = {text, text, text + length, start, run->name, head[6], false};
    out->start = start + length;
    status = parse_header(out, &c, err);
    if (status == SAE_OK)
        status = check_size(out, run, err);
    if (status == SAE_OK)
        saei_strided_pack(out, c.fortran_order);
    return status;
}

static const saei_format format = {
    .name = "npy", .read = saei_single_array_read, .close = saei_single_array_close};

sae_status saei_npy_open(saei_reader *reader, sae_error *err)
{
    saei_strided array;
    saei_byte_run run = saei_byte_run_of_file(saei_reader_input(reader), saei_reader_context(reader));
    sae_status status = saei_npy_parse(&array, &run, err);
    return status == SAE_OK ? saei_single_array_add(reader, &format, &array, err) : status;
}

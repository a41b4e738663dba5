#include "io/pickle.h"
#include "base/error.h"
#include "base/memory.h"
#include "io/pickle_globals.h"
#include "io/pickle_memo.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* All that the stack and the containers hold together: 16 bytes each. */
enum { VALUES_MAX = 4 << 20, NODES_MAX = 1 << 20 };

typedef struct node {
    saei_pickle_value *items;
    uint32_t n, room;
} node;

struct saei_pickle {
    sae_context *context;
    node *nodes;
    size_t n_nodes, nodes_room;
    size_t bytes;
    saei_pickle_value root;
};

/* The machine: marks are heights of the stack. */
typedef struct machine {
    saei_pickle *pickle;
    const unsigned char *start, *at, *end;
    const char *name;
    saei_pickle_value *stack;
    size_t height, stack_room;
    size_t *marks;
    size_t n_marks, marks_room;
    size_t n_values; /* in containers */
    saei_pickle_memo memo;
    sae_error *err;
} machine;

static sae_status bad(const machine *m, const char *what)
{
    return saei_fail_at(m->err, SAE_E_FORMAT, m->at - m->start, "%s: pickle damaged: %s", m->name, what);
}

/* n bytes of the stream; NULL: they are not there. */
static const unsigned char *take(machine *m, uint64_t n)
{
    if (n > (uint64_t)(m->end - m->at))
        return NULL;
    const unsigned char *p = m->at;
    m->at += n;
    return p;
}

static bool take_number(uint64_t *out, machine *m, size_t bytes)
{
    const unsigned char *p = take(m, bytes);
    *out = 0;
    for (size_t i = 0; p != NULL && i < bytes; i++)
        *out |= (uint64_t)p[i] << (8 * i);
    return p != NULL;
}

static sae_status push(machine *m, saei_pickle_value value)
{
    if (m->height == m->stack_room) {
        size_t room = m->stack_room > 0 ? 2 * m->stack_room : 256;
        if (room > VALUES_MAX)
            return bad(m, "its stack grows without bound");
        sae_status status =
            saei_grow(&m->stack, m->pickle->context, m->height, room, sizeof *m->stack, m->err);
        if (status != SAE_OK)
            return status;
        m->stack_room = room;
    }
    m->stack[m->height++] = value;
    return SAE_OK;
}

/* Values above the last mark may be taken, no others. */
static size_t floor_of(const machine *m)
{
    return m->n_marks > 0 ? m->marks[m->n_marks - 1] : 0;
}

static bool pop(saei_pickle_value *out, machine *m)
{
    if (m->height <= floor_of(m))
        return false;
    *out = m->stack[--m->height];
    return true;
}

static sae_status push_mark(machine *m)
{
    if (m->n_marks == m->marks_room) {
        size_t room = m->marks_room > 0 ? 2 * m->marks_room : 64;
        if (room > VALUES_MAX)
            return bad(m, "it has too many marks");
        sae_status status =
            saei_grow(&m->marks, m->pickle->context, m->n_marks, room, sizeof *m->marks, m->err);
        if (status != SAE_OK)
            return status;
        m->marks_room = room;
    }
    m->marks[m->n_marks++] = m->height;
    return SAE_OK;
}

static sae_status new_node(saei_pickle_value *out, machine *m, saei_pickle_kind kind)
{
    saei_pickle *p = m->pickle;
    if (p->n_nodes == NODES_MAX)
        return bad(m, "it has too many containers");
    if (p->n_nodes == p->nodes_room) {
        size_t room = p->nodes_room > 0 ? 2 * p->nodes_room : 64;
        sae_status status = saei_grow(&p->nodes, p->context, p->n_nodes, room, sizeof *p->nodes, m->err);
        if (status != SAE_OK)
            return status;
        p->nodes_room = room;
    }
    *out = (saei_pickle_value){.kind = kind, .as.node = (uint32_t)p->n_nodes++};
    return SAE_OK;
}

/* Values first .. first + n - 1 of the stack. */
static sae_status add_items(machine *m, saei_pickle_value to, size_t first, size_t n)
{
    node *container = &m->pickle->nodes[to.as.node];
    if (n > VALUES_MAX - m->n_values)
        return bad(m, "it holds too many values");
    if (n > container->room - container->n) {
        size_t wanted = container->n + n, room = 2 * (size_t)container->room;
        room = room > wanted ? room : wanted;
        sae_status status = saei_grow(&container->items, m->pickle->context, container->n, room,
                                      sizeof *container->items, m->err);
        if (status != SAE_OK)
            return status;
        container->room = (uint32_t)room;
    }
    if (n > 0)
        memcpy(container->items + container->n, m->stack + first, n * sizeof *m->stack);
    container->n += (uint32_t)n;
    m->n_values += n;
    return SAE_OK;
}

/* A container of the n topmost values, in their place. */
static sae_status gather(machine *m, saei_pickle_kind kind, size_t n)
{
    if (m->height - floor_of(m) < n)
        return bad(m, "its stack is empty");
    saei_pickle_value made = {0};
    sae_status status = new_node(&made, m, kind);
    if (status == SAE_OK)
        status = add_items(m, made, m->height - n, n);
    if (status != SAE_OK)
        return status;
    m->height -= n;
    return push(m, made);
}

/* Takes the last mark; *n values lie above it. */
static sae_status take_mark(size_t *n, machine *m)
{
    if (m->n_marks == 0)
        return bad(m, "a mark is missing");
    *n = m->height - m->marks[--m->n_marks];
    return SAE_OK;
}

/* The n topmost values go into the container below them. */
static sae_status extend(machine *m, saei_pickle_kind kind, size_t n)
{
    if (m->height - floor_of(m) < n + 1)
        return bad(m, "its stack is empty");
    saei_pickle_value target = m->stack[m->height - n - 1];
    if (target.kind != kind)
        return bad(m, "items are put into what cannot hold them");
    if (kind == SAEI_PICKLE_DICT && n % 2 != 0)
        return bad(m, "a key without a value");
    m->height -= n;
    return add_items(m, target, m->height, n);
}

static sae_status extend_to_mark(machine *m, saei_pickle_kind kind)
{
    size_t n = 0;
    sae_status status = take_mark(&n, m);
    return status == SAE_OK ? extend(m, kind, n) : status;
}

static sae_status push_text(machine *m, size_t length_bytes)
{
    uint64_t n;
    const unsigned char *text = take_number(&n, m, length_bytes) ? take(m, n) : NULL;
    if (text == NULL || n > UINT32_MAX)
        return bad(m, "a text passes its end");
    return push(m, (saei_pickle_value){SAEI_PICKLE_TEXT, (uint32_t)n, {.text = (const char *)text}});
}

static sae_status push_integer(machine *m, int64_t value)
{
    return push(m, (saei_pickle_value){.kind = SAEI_PICKLE_INT, .as.integer = value});
}

static sae_status push_bool(machine *m, bool value)
{
    return push(m, (saei_pickle_value){.kind = SAEI_PICKLE_BOOL, .as.integer = value});
}

static sae_status push_fixed(machine *m, size_t bytes, bool is_signed)
{
    uint64_t bits;
    if (!take_number(&bits, m, bytes))
        return bad(m, "a number passes its end");
    return push_integer(m, is_signed ? (int64_t)(int32_t)(uint32_t)bits : (int64_t)bits);
}

/* Two's complement, little-endian, of any length up to 255 bytes. */
static sae_status push_long(machine *m)
{
    uint64_t n, bits = 0;
    const unsigned char *p = take_number(&n, m, 1) ? take(m, n) : NULL;
    if (p == NULL)
        return bad(m, "a number passes its end");
    if (n > 8)
        return push(m, (saei_pickle_value){SAEI_PICKLE_LONG, (uint32_t)n, {.text = (const char *)p}});
    for (size_t i = 0; i < 8; i++)
        bits |= (uint64_t)(i < n ? p[i] : n > 0 && p[n - 1] >> 7 ? 0xFF : 0) << (8 * i);
    return push_integer(m, (int64_t)bits);
}

static sae_status push_real(machine *m)
{
    const unsigned char *p = take(m, 8);
    uint64_t bits = 0;
    if (p == NULL)
        return bad(m, "a number passes its end");
    for (size_t i = 0; i < 8; i++)
        bits = bits << 8 | p[i];
    saei_pickle_value value = {.kind = SAEI_PICKLE_REAL};
    memcpy(&value.as.real, &bits, sizeof bits);
    return push(m, value);
}

/* Up to the end of the line; NULL: there is none. */
static const char *take_line(machine *m, size_t *n)
{
    const unsigned char *line = m->at, *end = memchr(line, '\n', (size_t)(m->end - line));
    if (end == NULL)
        return NULL;
    *n = (size_t)(end - line);
    m->at = end + 1;
    return (const char *)line;
}

/* Decimal, with the L of Python 2 where `is_long`; 00 and 01 are bools otherwise. */
static sae_status push_decimal(machine *m, bool is_long)
{
    char text[24], *end;
    size_t n;
    const char *line = take_line(m, &n);
    if (line == NULL || n == 0 || n >= sizeof text)
        return bad(m, "a number is no decimal");
    memcpy(text, line, n);
    if (is_long && text[n - 1] == 'L')
        n--;
    text[n] = '\0';
    if (!is_long && n == 2 && text[0] == '0' && (text[1] == '0' || text[1] == '1'))
        return push_bool(m, text[1] == '1');
    bool negative = text[0] == '-';
    if (strspn(text + negative, "0123456789") != n - negative || n == negative)
        return bad(m, "a number is no decimal");
    long long value = strtoll(text, &end, 10);
    if (value == LLONG_MAX || value == LLONG_MIN)
        return bad(m, "a number is too large");
    return push_integer(m, value);
}

static bool spells(const char *text, size_t n, const char *word)
{
    return strlen(word) == n && memcmp(text, word, n) == 0;
}

static sae_status push_global(machine *m, const char *module, size_t module_n, const char *name,
                              size_t name_n)
{
    for (size_t i = 0; i < SAEI_PICKLE_GLOBALS; i++)
        if (spells(module, module_n, saei_pickle_globals[i].module) &&
            spells(name, name_n, saei_pickle_globals[i].name))
            return push(m, (saei_pickle_value){.kind = SAEI_PICKLE_GLOBAL,
                                               .length = saei_pickle_globals[i].dtype,
                                               .as.integer = saei_pickle_globals[i].global});
    return saei_fail_at(
        m->err, SAE_E_UNSUPPORTED, m->at - m->start,
        "%s: refers to %.*s.%.*s, which is not read and never run; only tensors and plain values "
        "in dicts and lists are: save a state_dict",
        m->name, (int)saei_min_size(module_n, 60), module, (int)saei_min_size(name_n, 60), name);
}

static sae_status global_of_lines(machine *m)
{
    size_t module_n, name_n;
    const char *module = take_line(m, &module_n), *name = module != NULL ? take_line(m, &name_n) : NULL;
    return name != NULL ? push_global(m, module, module_n, name, name_n) : bad(m, "a name has no end");
}

static sae_status global_of_stack(machine *m)
{
    saei_pickle_value name, module;
    if (!pop(&name, m) || !pop(&module, m) || name.kind != SAEI_PICKLE_TEXT ||
        module.kind != SAEI_PICKLE_TEXT)
        return bad(m, "a name is no text");
    return push_global(m, module.as.text, module.length, name.as.text, name.length);
}

/* A call is written down as what it is; that of OrderedDict() is an empty dict. */
static sae_status reduce(machine *m)
{
    if (m->height - floor_of(m) < 2)
        return bad(m, "its stack is empty");
    saei_pickle_value arguments = m->stack[m->height - 1], callee = m->stack[m->height - 2];
    if (callee.kind != SAEI_PICKLE_GLOBAL || arguments.kind != SAEI_PICKLE_TUPLE)
        return bad(m, "a call of what is no function");
    if (callee.as.integer != SAEI_PICKLE_ORDERED_DICT)
        return gather(m, SAEI_PICKLE_CALL, 2);
    if (m->pickle->nodes[arguments.as.node].n != 0)
        return saei_fail_at(m->err, SAE_E_UNSUPPORTED, m->at - m->start,
                            "%s: an OrderedDict of the old form; save it again with Python 3", m->name);
    m->height -= 2;
    return gather(m, SAEI_PICKLE_DICT, 0);
}

/* The state of a dict or a tensor, such as the versions of a module: of no use here. */
static sae_status build(machine *m)
{
    saei_pickle_value state;
    if (!pop(&state, m) || m->height <= floor_of(m))
        return bad(m, "its stack is empty");
    saei_pickle_kind kind = m->stack[m->height - 1].kind;
    return kind == SAEI_PICKLE_DICT || kind == SAEI_PICKLE_CALL ? SAE_OK
                                                                : bad(m, "a state for what has none");
}

static sae_status memo_put(machine *m, uint64_t key)
{
    if (m->height <= floor_of(m))
        return bad(m, "its stack is empty");
    return saei_pickle_memo_put(&m->memo, m->pickle->context, (uint32_t)key, m->stack[m->height - 1], m->err);
}

static sae_status put(machine *m, size_t bytes)
{
    uint64_t key;
    return take_number(&key, m, bytes) ? memo_put(m, key) : bad(m, "it is cut off");
}

static sae_status get(machine *m, size_t bytes)
{
    uint64_t key;
    if (!take_number(&key, m, bytes))
        return bad(m, "it is cut off");
    const saei_pickle_value *value = saei_pickle_memo_get(&m->memo, (uint32_t)key);
    return value != NULL ? push(m, *value) : bad(m, "it refers to what was never put aside");
}

static sae_status skip_header(machine *m, unsigned char opcode)
{
    uint64_t n;
    if (!take_number(&n, m, opcode == 0x80 ? 1 : 8))
        return bad(m, "it is cut off");
    if (opcode == 0x80 && (n < 2 || n > 5))
        return bad(m, "its protocol is not 2, 3, 4 or 5");
    if (opcode != 0x80 && n > (uint64_t)(m->end - m->at))
        return bad(m, "a frame passes its end");
    return SAE_OK;
}

static sae_status drop(machine *m)
{
    saei_pickle_value value;
    if (m->n_marks > 0 && m->height == floor_of(m)) {
        m->n_marks--;
        return SAE_OK;
    }
    return pop(&value, m) ? SAE_OK : bad(m, "its stack is empty");
}

static sae_status tuple_to_mark(machine *m)
{
    size_t n = 0;
    sae_status status = take_mark(&n, m);
    return status == SAE_OK ? gather(m, SAEI_PICKLE_TUPLE, n) : status;
}

static sae_status refuse_opcode(machine *m, unsigned char opcode)
{
    m->at--;
    return saei_fail_at(m->err, SAE_E_UNSUPPORTED, m->at - m->start,
                        "%s: pickle opcode 0x%02x, which files of tensors do not need, is not read", m->name,
                        opcode);
}

static sae_status step(machine *m, unsigned char opcode)
{
    switch (opcode) {
    case 0x80: /* PROTO */
    case 0x95: /* FRAME */
        return skip_header(m, opcode);
    case '(':
        return push_mark(m);
    case '0':
        return drop(m);
    case 'N':
        return push(m, (saei_pickle_value){.kind = SAEI_PICKLE_NONE});
    case 0x88: /* NEWTRUE */
    case 0x89: /* NEWFALSE */
        return push_bool(m, opcode == 0x88);
    case 'J': /* BININT */
        return push_fixed(m, 4, true);
    case 'K': /* BININT1 */
        return push_fixed(m, 1, false);
    case 'M': /* BININT2 */
        return push_fixed(m, 2, false);
    case 0x8a: /* LONG1 */
        return push_long(m);
    case 'I': /* INT */
    case 'L': /* LONG */
        return push_decimal(m, opcode == 'L');
    case 'G': /* BINFLOAT */
        return push_real(m);
    case 'X': /* BINUNICODE */
        return push_text(m, 4);
    case 0x8c: /* SHORT_BINUNICODE */
    case 'U':  /* SHORT_BINSTRING */
        return push_text(m, 1);
    case '}':
        return gather(m, SAEI_PICKLE_DICT, 0);
    case ']':
        return gather(m, SAEI_PICKLE_LIST, 0);
    case ')':
        return gather(m, SAEI_PICKLE_TUPLE, 0);
    case 't':
        return tuple_to_mark(m);
    case 0x85: /* TUPLE1 … TUPLE3 */
    case 0x86:
    case 0x87:
        return gather(m, SAEI_PICKLE_TUPLE, opcode - 0x84u);
    case 'a': /* APPEND */
        return extend(m, SAEI_PICKLE_LIST, 1);
    case 'e': /* APPENDS */
        return extend_to_mark(m, SAEI_PICKLE_LIST);
    case 's': /* SETITEM */
        return extend(m, SAEI_PICKLE_DICT, 2);
    case 'u': /* SETITEMS */
        return extend_to_mark(m, SAEI_PICKLE_DICT);
    case 'q': /* BINPUT */
        return put(m, 1);
    case 'r': /* LONG_BINPUT */
        return put(m, 4);
    case 0x94: /* MEMOIZE */
        return memo_put(m, m->memo.n);
    case 'h': /* BINGET */
        return get(m, 1);
    case 'j': /* LONG_BINGET */
        return get(m, 4);
    case 'c': /* GLOBAL */
        return global_of_lines(m);
    case 0x93: /* STACK_GLOBAL */
        return global_of_stack(m);
    case 'R':
        return reduce(m);
    case 'b':
        return build(m);
    case 'Q': /* BINPERSID */
        return gather(m, SAEI_PICKLE_PERSISTENT, 1);
    default:
        return refuse_opcode(m, opcode);
    }
}

static sae_status run(machine *m)
{
    for (;;) {
        const unsigned char *opcode = take(m, 1);
        if (opcode == NULL)
            return bad(m, "it has no end");
        if (*opcode == '.')
            break;
        sae_status status = step(m, *opcode);
        if (status != SAE_OK)
            return status;
    }
    if (m->n_marks != 0 || m->height != 1)
        return bad(m, "it ends with other than one value");
    m->pickle->root = m->stack[0];
    m->pickle->bytes = (size_t)(m->at - m->start);
    return SAE_OK;
}

sae_status saei_pickle_load(saei_pickle **out, sae_context *context, const unsigned char *bytes, size_t n,
                            const char *name, sae_error *err)
{
    *out = NULL;
    saei_pickle *pickle;
    sae_status status = saei_alloc(&pickle, context, 1, sizeof *pickle, err);
    if (status != SAE_OK)
        return status;
    pickle->context = context;
    machine m = {.pickle = pickle, .start = bytes, .at = bytes, .end = bytes + n, .name = name, .err = err};
    status = run(&m);
    saei_free(context, m.stack);
    saei_free(context, m.marks);
    saei_pickle_memo_free(&m.memo, context);
    if (status != SAE_OK) {
        saei_pickle_free(pickle);
        return status;
    }
    *out = pickle;
    return SAE_OK;
}

void saei_pickle_free(saei_pickle *pickle)
{
    if (pickle == NULL)
        return;
    for (size_t i = 0; i < pickle->n_nodes; i++)
        saei_free(pickle->context, pickle->nodes[i].items);
    saei_free(pickle->context, pickle->nodes);
    saei_free(pickle->context, pickle);
}

size_t saei_pickle_bytes(const saei_pickle *pickle)
{
    return pickle->bytes;
}

saei_pickle_value saei_pickle_root(const saei_pickle *pickle)
{
    return pickle->root;
}

const saei_pickle_value *saei_pickle_items(const saei_pickle *pickle, saei_pickle_value value, size_t *n)
{
    *n = 0;
    if (value.kind < SAEI_PICKLE_TUPLE)
        return NULL;
    *n = pickle->nodes[value.as.node].n;
    return pickle->nodes[value.as.node].items;
}

bool saei_pickle_is_text(saei_pickle_value value, const char *text)
{
    return value.kind == SAEI_PICKLE_TEXT && spells(value.as.text, value.length, text);
}

bool saei_pickle_is_global(saei_pickle_value value, saei_pickle_global global)
{
    return value.kind == SAEI_PICKLE_GLOBAL && value.as.integer == (int64_t)global;
}

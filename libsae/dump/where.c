#include "dump/where.h"
#include "base/error.h"
#include "base/memory.h"

#include <assert.h>
#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* How a value may stand to the number; a relation is a set of these. */
enum { LESS = 1, EQUAL = 2, GREATER = 4, UNORDERED = 8 };

typedef enum operation { COMPARE, NOT, AND, OR } operation;

/* The condition in postfix order: COMPARE pushes a truth value for each row, the others replace the topmost.
 */
typedef struct instruction {
    operation operation;
    unsigned relation;
    size_t column;
    double number;
} instruction;

enum { BLOCK_ROWS = 1024 };

struct saei_where {
    sae_context *context;
    char *text; /* a copy, cut after each column name */
    const char **columns;
    size_t n_columns;
    instruction *program;
    size_t n_instructions;
    size_t height, height_max; /* of the stack of truth values */
    unsigned char *stack;      /* [height_max, BLOCK_ROWS] */
};

typedef struct parser {
    saei_where *where;
    const char *text, *at;
    unsigned depth;
    sae_error *err;
} parser;

static sae_status mistake(const parser *p, const char *at, const char *format, ...) SAE_PRINTF(3, 4);

static sae_status mistake(const parser *p, const char *at, const char *format, ...)
{
    enum { SHOWN = 160 };
    char reason[256];
    va_list args;
    va_start(args, format);
    vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    return saei_fail(p->err, SAE_E_ARGUMENT, "character %zu of the condition '%.*s%s': %s",
                     (size_t)(at - p->text) + 1, SHOWN, p->text, strlen(p->text) > SHOWN ? "…" : "", reason);
}

static sae_status expected(const parser *p, const char *what)
{
    if (*p->at == '\0')
        return mistake(p, p->at, "expected %s, but the condition ends here", what);
    return mistake(p, p->at, "expected %s, not '%.12s'", what, p->at);
}

static void skip_space(parser *p)
{
    while (*p->at == ' ' || *p->at == '\t' || *p->at == '\n' || *p->at == '\r')
        p->at++;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static size_t name_length(const char *at)
{
    size_t n = 0;
    while ((at[n] >= 'a' && at[n] <= 'z') || (at[n] >= 'A' && at[n] <= 'Z') || is_digit(at[n]) ||
           (at[n] != '\0' && strchr("_/.-", at[n]) != NULL))
        n++;
    return n;
}

static bool take_word(parser *p, const char *word)
{
    skip_space(p);
    size_t n = strlen(word);
    if (name_length(p->at) != n || strncasecmp(p->at, word, n) != 0)
        return false;
    p->at += n;
    return true;
}

static bool take_sign(parser *p, const char *sign)
{
    skip_space(p);
    size_t n = strlen(sign);
    if (strncmp(p->at, sign, n) != 0)
        return false;
    p->at += n;
    return true;
}

static void emit(saei_where *where, instruction next)
{
    if (next.operation == COMPARE)
        where->height++;
    else if (next.operation != NOT)
        where->height--;
    if (where->height > where->height_max)
        where->height_max = where->height;
    where->program[where->n_instructions++] = next;
}

static sae_status take_column(parser *p, size_t *out)
{
    saei_where *where = p->where;
    const char *start = p->at;
    size_t n = name_length(start);
    if (n == 0)
        return expected(p, "a column, 'not' or '('");
    const char *reserved[] = {"and", "or", "not"};
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
        if (n == strlen(reserved[i]) && strncasecmp(start, reserved[i], n) == 0)
            return expected(p, "a column, 'not' or '('");
    p->at += n;
    char *name = where->text + (start - p->text);
    name[n] = '\0';
    for (size_t i = 0; i < where->n_columns; i++)
        if (strcmp(where->columns[i], name) == 0) {
            *out = i;
            return SAE_OK;
        }
    *out = where->n_columns;
    where->columns[where->n_columns++] = name;
    return SAE_OK;
}

static sae_status take_relation(parser *p, unsigned *out)
{
    /* Longer signs first: "<=" must not be read as "<". */
    static const struct {
        const char *sign;
        unsigned relation;
    } relations[] = {
        {"==", EQUAL},        {"!=", LESS | GREATER | UNORDERED},
        {"<=", LESS | EQUAL}, {">=", GREATER | EQUAL},
        {"=", EQUAL},         {"<", LESS},
        {">", GREATER},
    };
    for (size_t i = 0; i < sizeof relations / sizeof *relations; i++)
        if (take_sign(p, relations[i].sign)) {
            *out = relations[i].relation;
            return SAE_OK;
        }
    return expected(p, "one of = != < <= > >=");
}

static size_t number_length(const char *at)
{
    size_t n = at[0] == '+' || at[0] == '-', digits = 0;
    for (; is_digit(at[n]); n++)
        digits++;
    if (at[n] == '.')
        for (n++; is_digit(at[n]); n++)
            digits++;
    if (digits == 0)
        return 0;
    if (at[n] == 'e' || at[n] == 'E') {
        size_t e = n + 1;
        e += at[e] == '+' || at[e] == '-';
        if (is_digit(at[e]))
            for (n = e; is_digit(at[n]);)
                n++;
    }
    return n;
}

static sae_status take_number(parser *p, double *out)
{
    skip_space(p);
    size_t n = number_length(p->at);
    if (n == 0)
        return expected(p, "a number");
    locale_t c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (c_locale == (locale_t)0)
        return saei_fail(p->err, SAE_E_MEMORY, "out of memory for the C locale");
    char *end;
    *out = strtod_l(p->at, &end, c_locale);
    freelocale(c_locale);
    /* strtod also knows 0x1p4: the decimal part is all that the grammar allows. */
    if (end != p->at + n)
        return mistake(p, p->at, "expected a decimal number, not '%.12s'", p->at);
    if (!isfinite(*out))
        return mistake(p, p->at, "'%.*s' is too large a number", n < 40 ? (int)n : 40, p->at);
    p->at += n;
    return SAE_OK;
}

static sae_status parse_comparison(parser *p)
{
    instruction compare = {.operation = COMPARE};
    sae_status status = take_column(p, &compare.column);
    if (status == SAE_OK)
        status = take_relation(p, &compare.relation);
    if (status == SAE_OK)
        status = take_number(p, &compare.number);
    if (status == SAE_OK)
        emit(p->where, compare);
    return status;
}

static sae_status parse_any(parser *p);

static sae_status parse_parentheses(parser *p)
{
    const char *opened = p->at - 1;
    sae_status status = parse_any(p);
    if (status != SAE_OK || take_sign(p, ")"))
        return status;
    if (*p->at == '\0')
        return mistake(p, opened, "this parenthesis is not closed");
    return expected(p, "'and', 'or' or ')'");
}

static sae_status parse_one(parser *p)
{
    sae_status status;
    if (p->depth == SAEI_WHERE_DEPTH_MAX)
        return mistake(p, p->at, "more than %d parentheses and 'not' within each other",
                       SAEI_WHERE_DEPTH_MAX);
    p->depth++;
    if (take_word(p, "not") || take_sign(p, "!")) {
        status = parse_one(p);
        if (status == SAE_OK)
            emit(p->where, (instruction){.operation = NOT});
    } else if (take_sign(p, "(")) {
        status = parse_parentheses(p);
    } else {
        status = parse_comparison(p);
    }
    p->depth--;
    return status;
}

static sae_status parse_all(parser *p)
{
    sae_status status = parse_one(p);
    while (status == SAE_OK && (take_word(p, "and") || take_sign(p, "&&"))) {
        status = parse_one(p);
        if (status == SAE_OK)
            emit(p->where, (instruction){.operation = AND});
    }
    return status;
}

static sae_status parse_any(parser *p)
{
    sae_status status = parse_all(p);
    while (status == SAE_OK && (take_word(p, "or") || take_sign(p, "||"))) {
        status = parse_all(p);
        if (status == SAE_OK)
            emit(p->where, (instruction){.operation = OR});
    }
    return status;
}

static sae_status parse_whole(parser *p)
{
    sae_status status = parse_any(p);
    skip_space(p);
    if (status == SAE_OK && *p->at != '\0')
        return expected(p, "'and', 'or' or the end");
    return status;
}

sae_status saei_where_parse(saei_where **out, sae_context *context, const char *text, sae_error *err)
{
    *out = NULL;
    saei_where *where = NULL;
    /* Each instruction and each column takes at least one character. */
    size_t room = strlen(text);
    sae_status status = saei_alloc(&where, context, 1, sizeof *where, err);
    if (status != SAE_OK)
        return status;
    where->context = context;
    status = saei_strdup(&where->text, context, text, err);
    if (status == SAE_OK)
        status = saei_alloc(&where->program, context, room, sizeof *where->program, err);
    if (status == SAE_OK)
        status = saei_alloc(&where->columns, context, room, sizeof *where->columns, err);
    if (status == SAE_OK) {
        parser p = {.where = where, .text = text, .at = text, .err = err};
        status = parse_whole(&p);
    }
    if (status == SAE_OK)
        status = saei_alloc(&where->stack, context, where->height_max, BLOCK_ROWS, err);
    if (status != SAE_OK) {
        saei_where_free(where);
        return status;
    }
    *out = where;
    return SAE_OK;
}

void saei_where_free(saei_where *where)
{
    if (where == NULL)
        return;
    sae_context *context = where->context;
    saei_free(context, where->text);
    saei_free(context, where->columns);
    saei_free(context, where->program);
    saei_free(context, where->stack);
    saei_free(context, where);
}

size_t saei_where_columns(const saei_where *where)
{
    return where->n_columns;
}

const char *saei_where_column(const saei_where *where, size_t i)
{
    assert(i < where->n_columns);
    return where->columns[i];
}

static void compare(unsigned char *out, const double *x, size_t n, double number, unsigned relation)
{
    for (size_t r = 0; r < n; r++) {
        unsigned stands = x[r] < number ? LESS : x[r] == number ? EQUAL : x[r] > number ? GREATER : UNORDERED;
        out[r] = (stands & relation) != 0;
    }
}

static void negate(unsigned char *a, size_t n)
{
    for (size_t r = 0; r < n; r++)
        a[r] = !a[r];
}

static void combine(unsigned char *a, const unsigned char *b, size_t n, operation with)
{
    for (size_t r = 0; r < n; r++)
        a[r] = with == AND ? a[r] & b[r] : a[r] | b[r];
}

static void evaluate_block(unsigned char *out, const saei_where *where, double *const *values, size_t first,
                           size_t n)
{
    size_t height = 0;
    for (size_t i = 0; i < where->n_instructions; i++) {
        const instruction *next = &where->program[i];
        switch (next->operation) {
        case COMPARE:
            compare(where->stack + height++ * BLOCK_ROWS, values[next->column] + first, n, next->number,
                    next->relation);
            break;
        case NOT:
            negate(where->stack + (height - 1) * BLOCK_ROWS, n);
            break;
        case AND:
        case OR:
            height--;
            combine(where->stack + (height - 1) * BLOCK_ROWS, where->stack + height * BLOCK_ROWS, n,
                    next->operation);
            break;
        }
    }
    assert(height == 1);
    memcpy(out, where->stack, n);
}

void saei_where_evaluate(unsigned char *out, saei_where *where, double *const *values, size_t n)
{
    for (size_t first = 0; first < n; first += BLOCK_ROWS)
        evaluate_block(out + first, where, values, first, n - first < BLOCK_ROWS ? n - first : BLOCK_ROWS);
}

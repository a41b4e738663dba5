#include "args.h"
#include "console.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { OPTIONS_MAX = 96, NAME_MAX_COMPARED = 32 };

/* clang-format off */
const option base_options[] = {
    {.name = "threads", .type = OPTION_UINT, FIELD(base_args, threads), .value = "N", .min = 1, .max = 1024,
     .help = "worker threads; never changes a result", .default_text = "one for each processor"},
    {.name = "memory", .type = OPTION_BYTES, FIELD(base_args, memory), .value = "SIZE", .min = 1 << 20,
     .help = "memory to stay within, such as 512M or 2G", .default_text = "half of the RAM"},
    {.name = "trusted", .type = OPTION_FLAG, FIELD(base_args, trusted),
     .help = "read HDF5 files in this process, not in a guarded one of their own"},
    {.name = "quiet", .letter = 'q', .type = OPTION_FLAG, FIELD(base_args, quiet),
     .help = "no progress on stderr"},
    {.name = "help", .letter = 'h', .type = OPTION_FLAG, FIELD(base_args, help),
     .help = "print this help"},
    {0},
};
/* clang-format on */

typedef struct parser {
    const command *cmd;
    char *args;
    int argc, next;
    const char **argv;
    bool seen[OPTIONS_MAX];
} parser;

int usage_error(const char *command_name, const char *format, ...)
{
    char text[512];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    complain("%s: %s; see 'sae %s --help'", command_name, text, command_name);
    return EXIT_USAGE;
}

/* Levenshtein distance of two short names. */
static size_t distance(const char *a, const char *b)
{
    size_t n = strlen(b), row[NAME_MAX_COMPARED + 1];
    if (n > NAME_MAX_COMPARED)
        return SIZE_MAX;
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 0; a[i] != '\0'; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < n; j++) {
            size_t substitute = diagonal + (a[i] != b[j]);
            size_t insert = (row[j] < row[j + 1] ? row[j] : row[j + 1]) + 1;
            diagonal = row[j + 1];
            row[j + 1] = substitute < insert ? substitute : insert;
        }
    }
    return row[n];
}

const char *nearest_name(const char *word, const char *const *names)
{
    const char *best = NULL;
    size_t least = 3, length = strlen(word);
    for (; *names != NULL; names++) {
        size_t d = distance(word, *names);
        if (length >= 2 && strncmp(word, *names, length) == 0)
            d = 1;
        if (d < least && d < strlen(*names)) {
            least = d;
            best = *names;
        }
    }
    return best;
}

/* Finds by name (length bytes) or, when name is NULL, by letter. *index counts over all groups. */
static const option *find_option(const command *cmd, const char *name, size_t length, char letter,
                                 size_t *group_offset, size_t *index)
{
    *index = 0;
    for (const option_group *group = cmd->groups; group->title != NULL; group++)
        for (const option *o = group->options; o->name != NULL; o++, ++*index) {
            bool found = name != NULL ? strlen(o->name) == length && strncmp(o->name, name, length) == 0
                                      : o->letter == letter;
            if (found) {
                *group_offset = group->offset;
                return o;
            }
        }
    return NULL;
}

static int unknown_option(const command *cmd, const char *word, size_t length)
{
    const char *names[OPTIONS_MAX + 1];
    size_t n = 0;
    for (const option_group *group = cmd->groups; group->title != NULL; group++)
        for (const option *o = group->options; o->name != NULL && n < OPTIONS_MAX; o++)
            names[n++] = o->name;
    names[n] = NULL;
    char bare[NAME_MAX_COMPARED + 1];
    snprintf(bare, sizeof bare, "%.*s", (int)(length < sizeof bare ? length : sizeof bare - 1), word + 2);
    const char *near = length > 0 ? nearest_name(bare, names) : NULL;
    if (near != NULL)
        return usage_error(cmd->name, "unknown option '%s' (did you mean '--%s'?)", word, near);
    return usage_error(cmd->name, "unknown option '%s'", word);
}

static bool parse_integer(uint64_t *out, const char *text, const char **end)
{
    if (*text < '0' || *text > '9')
        return false;
    char *stop;
    errno = 0;
    unsigned long long value = strtoull(text, &stop, 10);
    *out = value;
    *end = stop;
    return errno == 0;
}

static bool parse_bytes(uint64_t *out, const char *text)
{
    static const char suffixes[] = "KMGT";
    const char *end;
    if (!parse_integer(out, text, &end))
        return false;
    if (*end == '\0')
        return true;
    const char *suffix = strchr(suffixes, *end & ~0x20);
    if (suffix == NULL || *suffix == '\0' ||
        (end[1] != '\0' && strcmp(end + 1, "B") != 0 && strcmp(end + 1, "iB") != 0))
        return false;
    unsigned shift = 10 * (unsigned)(suffix - suffixes + 1);
    if (*out > UINT64_MAX >> shift)
        return false;
    *out <<= shift;
    return true;
}

static int out_of_range(const parser *p, const option *o, const char *text)
{
    if (o->max > 0)
        return usage_error(p->cmd->name, "--%s %s: a number from %.15g to %.15g is wanted", o->name, text,
                           o->min, o->max);
    return usage_error(p->cmd->name, "--%s %s: a number of at least %.15g is wanted", o->name, text, o->min);
}

static int store_integer(const parser *p, const option *o, void *target, const char *text)
{
    uint64_t value;
    const char *end = "";
    bool good = o->type == OPTION_BYTES ? parse_bytes(&value, text) : parse_integer(&value, text, &end);
    if (!good || *end != '\0')
        return usage_error(p->cmd->name, "--%s %s: %s", o->name, text,
                           o->type == OPTION_BYTES ? "a size such as 512M or 2G is wanted"
                                                   : "a whole number is wanted");
    uint64_t largest = o->type == OPTION_UINT ? UINT32_MAX : o->type == OPTION_SIZE ? SIZE_MAX : UINT64_MAX;
    if (value > largest || (double)value < o->min || (o->max > 0 && (double)value > o->max))
        return out_of_range(p, o, text);
    unsigned as_uint = (unsigned)value;
    size_t as_size = (size_t)value;
    if (o->type == OPTION_UINT)
        memcpy(target, &as_uint, sizeof as_uint);
    else if (o->type == OPTION_SIZE)
        memcpy(target, &as_size, sizeof as_size);
    else
        memcpy(target, &value, sizeof value);
    return 0;
}

static int store_real(const parser *p, const option *o, void *target, const char *text)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || !isfinite(value))
        return usage_error(p->cmd->name, "--%s %s: a number is wanted", o->name, text);
    if (value < o->min || (o->max > 0 && value > o->max))
        return out_of_range(p, o, text);
    memcpy(target, &value, sizeof value);
    return 0;
}

static int store_choice(const parser *p, const option *o, void *target, const char *text)
{
    for (int i = 0; o->choices[i] != NULL; i++)
        if (strcmp(o->choices[i], text) == 0) {
            memcpy(target, &i, sizeof i);
            return 0;
        }
    return usage_error(p->cmd->name, "--%s %s: %s is wanted", o->name, text, o->value);
}

static int store_list(const parser *p, const option *o, text_list *list, const char *text)
{
    if (list->n == TEXT_LIST_MAX)
        return usage_error(p->cmd->name, "--%s is given more than %d times", o->name, TEXT_LIST_MAX);
    list->item[list->n++] = text;
    return 0;
}

/* "1,2,3"; the last list given counts. */
static int store_numbers(const parser *p, const option *o, number_list *list, const char *text)
{
    for (list->n = 0;; list->n++) {
        char one[64];
        size_t length = strcspn(text, ",");
        if (length >= sizeof one)
            return usage_error(p->cmd->name, "--%s %s: shorter numbers are wanted", o->name, text);
        if (list->n == NUMBER_LIST_MAX)
            return usage_error(p->cmd->name, "--%s: more than %d numbers", o->name, NUMBER_LIST_MAX);
        snprintf(one, sizeof one, "%.*s", (int)length, text);
        void *target = &list->item[list->n];
        int status =
            o->type == OPTION_REALS ? store_real(p, o, target, one) : store_integer(p, o, target, one);
        if (status != 0)
            return status;
        if (text[length] == '\0')
            break;
        text += length + 1;
    }
    list->n++;
    return 0;
}

static int store(const parser *p, const option *o, void *target, const char *text)
{
    switch (o->type) {
    case OPTION_FLAG:
        *(bool *)target = true;
        return 0;
    case OPTION_TEXT:
        if (*text == '\0')
            return usage_error(p->cmd->name, "--%s: an empty %s", o->name, o->value);
        memcpy(target, &text, sizeof text);
        return 0;
    case OPTION_LIST:
        return store_list(p, o, target, text);
    case OPTION_CHOICE:
        return store_choice(p, o, target, text);
    case OPTION_REAL:
        return store_real(p, o, target, text);
    case OPTION_U64S:
    case OPTION_REALS:
        return store_numbers(p, o, target, text);
    case OPTION_UINT:
    case OPTION_SIZE:
    case OPTION_U64:
    case OPTION_BYTES:
        return store_integer(p, o, target, text);
    }
    return EXIT_USAGE;
}

/* attached: the value inside the same word (after '=' or the letter), or NULL. */
static int take_option(parser *p, const option *o, size_t group_offset, size_t index, const char *attached)
{
    p->seen[index] = true;
    if (o->type == OPTION_FLAG) {
        if (attached != NULL)
            return usage_error(p->cmd->name, "--%s takes no value", o->name);
    } else if (attached == NULL) {
        /* A following option is taken for a forgotten value, not for a file of that name. */
        if (p->next == p->argc || strncmp(p->argv[p->next], "--", 2) == 0)
            return usage_error(p->cmd->name, "--%s needs a value: %s", o->name, o->value);
        attached = p->argv[p->next++];
    }
    return store(p, o, p->args + group_offset + o->offset, attached);
}

static int take_long(parser *p, const char *word)
{
    size_t length = strcspn(word + 2, "="), group_offset, index;
    const option *o = find_option(p->cmd, word + 2, length, 0, &group_offset, &index);
    if (o == NULL)
        return unknown_option(p->cmd, word, length);
    return take_option(p, o, group_offset, index, word[2 + length] == '=' ? word + 3 + length : NULL);
}

static int take_short(parser *p, const char *word)
{
    size_t group_offset, index;
    const option *o = find_option(p->cmd, NULL, 0, word[1], &group_offset, &index);
    if (o == NULL)
        return usage_error(p->cmd->name, "unknown option '%s'", word);
    return take_option(p, o, group_offset, index, word[2] != '\0' ? word + 2 : NULL);
}

static int check_complete(const parser *p, const base_args *base)
{
    if (base->help)
        return 0;
    size_t index = 0;
    for (const option_group *group = p->cmd->groups; group->title != NULL; group++)
        for (const option *o = group->options; o->name != NULL; o++, index++)
            if (o->required && !p->seen[index])
                return usage_error(p->cmd->name, "--%s %s is missing", o->name, o->value);
    if (base->n_operands < p->cmd->min_operands)
        return usage_error(p->cmd->name, "%s wanted", p->cmd->operands_wanted);
    if (base->n_operands > p->cmd->max_operands)
        return usage_error(p->cmd->name, "'%s' is one argument too many: %s wanted",
                           base->operands[p->cmd->max_operands], p->cmd->operands_wanted);
    return 0;
}

/* The value of the last --preset, or NULL. */
static const char *find_preset(int argc, const char **argv)
{
    static const char flag[] = "--preset";
    const size_t length = sizeof flag - 1;
    const char *name = NULL;
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], flag) == 0 && i + 1 < argc)
            name = argv[i + 1];
        else if (strncmp(argv[i], flag, length) == 0 && argv[i][length] == '=')
            name = argv[i] + length + 1;
    }
    return name;
}

int args_parse(const command *cmd, void *args, int argc, const char **argv)
{
    const char *preset = cmd->preset != NULL ? find_preset(argc, argv) : NULL;
    if (preset != NULL && cmd->preset(args, preset) != 0)
        return EXIT_USAGE;
    parser p = {.cmd = cmd, .args = args, .argc = argc, .argv = argv};
    base_args *base = args;
    bool only_operands = false;
    while (p.next < argc) {
        const char *word = argv[p.next++];
        int status = 0;
        if (!only_operands && strcmp(word, "--") == 0)
            only_operands = true;
        else if (!only_operands && strncmp(word, "--", 2) == 0)
            status = take_long(&p, word);
        else if (!only_operands && word[0] == '-' && word[1] != '\0')
            status = take_short(&p, word);
        else
            argv[base->n_operands++] = word;
        if (status != 0)
            return status;
    }
    base->operands = argv;
    return check_complete(&p, base);
}

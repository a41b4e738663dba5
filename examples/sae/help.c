#include "args.h"

#include <inttypes.h>
#include <string.h>

enum { HELP_COLUMN = 32, HELP_WIDTH = 100 };

/* Writes text from column `column` on, broken at spaces before HELP_WIDTH and indented to HELP_COLUMN. */
static void print_wrapped(FILE *stream, const char *text, int column)
{
    fprintf(stream, "%*s", column < HELP_COLUMN ? HELP_COLUMN - column : 0, "");
    column = HELP_COLUMN;
    while (*text != '\0') {
        int word = (int)strcspn(text, " ");
        if (column + word > HELP_WIDTH && column > HELP_COLUMN) {
            fprintf(stream, "\n%*s", HELP_COLUMN, "");
            column = HELP_COLUMN;
        }
        fprintf(stream, "%.*s", word, text);
        text += word;
        column += word;
        if (*text == ' ') {
            text++;
            if (column + 1 + (int)strcspn(text, " ") <= HELP_WIDTH)
                fputc(' ', stream);
            column++;
        }
    }
    fputc('\n', stream);
}

static void format_default(char *out, size_t size, const option *o, const char *target)
{
    uint64_t u64;
    size_t count;
    double real;
    int choice;
    out[0] = '\0';
    if (o->default_text != NULL) {
        snprintf(out, size, "%s", o->default_text);
    } else if (o->type == OPTION_U64) {
        memcpy(&u64, target, sizeof u64);
        snprintf(out, size, "%" PRIu64, u64);
    } else if (o->type == OPTION_SIZE) {
        memcpy(&count, target, sizeof count);
        snprintf(out, size, "%zu", count);
    } else if (o->type == OPTION_REAL) {
        memcpy(&real, target, sizeof real);
        snprintf(out, size, "%g", real);
    } else if (o->type == OPTION_CHOICE) {
        memcpy(&choice, target, sizeof choice);
        snprintf(out, size, "%s", o->choices[choice]);
    }
}

static void print_option(FILE *stream, const option *o, const char *target)
{
    char left[96], help[512], value[64];
    if (o->letter != 0)
        snprintf(left, sizeof left, "  -%c, --%s %s", o->letter, o->name, o->value != NULL ? o->value : "");
    else
        snprintf(left, sizeof left, "      --%s %s", o->name, o->value != NULL ? o->value : "");
    int column = fprintf(stream, "%s", left);
    if (column >= HELP_COLUMN) {
        fputc('\n', stream);
        column = 0;
    }
    format_default(value, sizeof value, o, target);
    if (o->required)
        snprintf(help, sizeof help, "%s (required)", o->help);
    else if (value[0] != '\0')
        snprintf(help, sizeof help, "%s (default: %s)", o->help, value);
    else
        snprintf(help, sizeof help, "%s", o->help);
    print_wrapped(stream, help, column);
}

void help_print(FILE *stream, const command *cmd, const void *args)
{
    fprintf(stream, "sae %s: %s\n\nUsage: %s\n", cmd->name, cmd->purpose, cmd->usage);
    if (cmd->notes != NULL)
        fprintf(stream, "\n%s", cmd->notes);
    for (const option_group *group = cmd->groups; group->title != NULL; group++) {
        fprintf(stream, "\n%s:\n", group->title);
        for (const option *o = group->options; o->name != NULL; o++)
            print_option(stream, o, (const char *)args + group->offset + o->offset);
    }
    fprintf(stream, "\nExamples:\n%s", cmd->examples);
}

/* Command lines: every command declares its options in tables, from which parsing and help both follow. */
#ifndef ARGS_H
#define ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { EXIT_USAGE = 2 };

typedef enum option_type {
    OPTION_FLAG,   /* bool */
    OPTION_TEXT,   /* const char * */
    OPTION_LIST,   /* text_list; the option may be repeated */
    OPTION_CHOICE, /* int: index into choices */
    OPTION_UINT,   /* unsigned */
    OPTION_SIZE,   /* size_t */
    OPTION_U64,    /* uint64_t */
    OPTION_REAL,   /* double */
    OPTION_U64S,   /* number_list of whole numbers, written 1,2,3 */
    OPTION_REALS,  /* number_list of reals */
    OPTION_BYTES   /* uint64_t, written 512M or 2G (powers of 1024) */
} option_type;

enum { TEXT_LIST_MAX = 64 };

typedef struct text_list {
    size_t n;
    const char *item[TEXT_LIST_MAX];
} text_list;

enum { NUMBER_LIST_MAX = 64 };

typedef union number {
    uint64_t whole;
    double real;
} number;

typedef struct number_list {
    size_t n;
    number item[NUMBER_LIST_MAX];
} number_list;

typedef struct option {
    const char *name; /* without the dashes; NULL ends a table */
    char letter;      /* short form, 0: none */
    bool required;
    option_type type;
    size_t offset;              /* of the value, inside the struct that the group names */
    const char *value;          /* placeholder in the help, NULL for flags */
    const char *help;           /* without the default */
    const char *default_text;   /* NULL: the help prints the value that init left; "": it prints none */
    double min, max;            /* inclusive range of numbers; max 0: no upper end */
    const char *const *choices; /* NULL-terminated, for OPTION_CHOICE */
} option;

#define FIELD(type, member) .offset = offsetof(type, member)

typedef struct option_group {
    const char *title; /* heading in the help; NULL ends the groups */
    const option *options;
    size_t offset; /* of the group's struct inside the command's arguments */
} option_group;

/* First member of every command's arguments. */
typedef struct base_args {
    unsigned threads;
    uint64_t memory;
    bool trusted;
    bool quiet;
    bool help;
    size_t n_operands;
    const char *const *operands; /* the arguments that are not options, in order */
} base_args;

extern const option base_options[];

struct session;

typedef struct command {
    const char *name, *purpose, *usage, *notes, *examples;
    const option_group *groups;
    size_t min_operands, max_operands;
    const char *operands_wanted; /* "a model and at least one dump" */
    size_t args_size;
    void (*init)(void *args); /* the defaults; args are zero bytes before */
    /* Other defaults by name, for the option --preset wherever it stands; NULL: the command has none. Returns
       0, or EXIT_USAGE after one line on stderr. */
    int (*preset)(void *args, const char *name);
    int (*run)(struct session *session, const void *args); /* returns the exit status */
} command;

/* Fills args [command->args_size], which init has prepared. argv: the words after the command's name; the
   operands are moved to its front. Returns 0, or EXIT_USAGE after one line on stderr. */
int args_parse(const command *cmd, void *args, int argc, const char **argv);

/* One line on stderr that points to the help; returns EXIT_USAGE. */
int usage_error(const char *command_name, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The name in names [NULL-terminated] that a misspelt word may have meant, or NULL. */
const char *nearest_name(const char *word, const char *const *names);

/* args: as init left them, for the defaults. */
void help_print(FILE *stream, const command *cmd, const void *args);

#endif

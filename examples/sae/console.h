/* What the command says to people, and how it takes signals. */
#ifndef CONSOLE_H
#define CONSOLE_H

#include <sae.h>
#include <stdio.h>

/* Prints "sae: TEXT" on stderr, as one line whatever the names in it hold. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Says why a function of the library failed. Returns the exit status: 128 + the signal that stopped it,
 * else 1. */
int failed(sae_status status, const sae_error *err);

/* Writes text with control characters replaced, so that a name in a file cannot drive the terminal. At most
   `limit` bytes (0: all), cut between characters. */
void print_clean(FILE *stream, const char *text, size_t limit);

/* Fills the places of standard files that the parent closed, so that no output file is taken for one of them.
 */
void keep_standard_files(void);

/* Flushes stdout. A reader that went away needs no message; any other failure gets one. 0, or 1 on failure.
 */
int close_stdout(void);

/* The first SIGINT, SIGTERM or SIGHUP asks to stop; the second of its kind ends the program at once. Writing
   to a closed pipe or beyond the file size limit is an error of the write, not the death of the program. */
void signals_install(void);

/* The signal that asked to stop, or 0. */
int signal_caught(void);

#endif

/* Token texts by index, from a JSON list or a JSON object of token to index. */
#ifndef VOCABULARY_H
#define VOCABULARY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

typedef struct vocabulary {
    json_t *root;
    const char **token; /* [size], NULL where an index has no token */
    size_t size;
    bool marks_spaces; /* byte-pair and SentencePiece vocabularies write a space as a letter of their own */
} vocabulary;

/* path NULL: an empty vocabulary. Complains and returns -1 on failure. */
int vocabulary_load(vocabulary *v, const char *path);
void vocabulary_free(vocabulary *v);

/* Prints the token, or its number when it has no text. */
void vocabulary_print(FILE *stream, const vocabulary *v, double id);

#endif

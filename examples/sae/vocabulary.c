#include "vocabulary.h"
#include "console.h"

#include <stdlib.h>
#include <string.h>

enum { INDEX_MAX = 1 << 24 };

/* U+0120, the space of byte-level BPE, and U+2581, that of SentencePiece. */
static const char *const SPACES[] = {"\xC4\xA0", "\xE2\x96\x81"};

static size_t space_mark(const char *token)
{
    for (size_t i = 0; i < 2; i++)
        if (strncmp(token, SPACES[i], strlen(SPACES[i])) == 0)
            return strlen(SPACES[i]);
    return 0;
}

static size_t index_end(json_t *root)
{
    size_t end = json_array_size(root);
    const char *key;
    json_t *value;
    json_object_foreach(root, key, value)
    {
        json_int_t id = json_integer_value(value);
        if (json_is_integer(value) && id >= 0 && id < INDEX_MAX && (size_t)id >= end)
            end = (size_t)id + 1;
    }
    return end;
}

static void fill(vocabulary *v)
{
    size_t i;
    const char *key;
    json_t *value;
    json_array_foreach(v->root, i, value) v->token[i] = json_string_value(value);
    json_object_foreach(v->root, key, value)
    {
        json_int_t id = json_integer_value(value);
        if (json_is_integer(value) && id >= 0 && (size_t)id < v->size)
            v->token[id] = key;
    }
    for (i = 0; i < v->size; i++)
        if (v->token[i] != NULL && space_mark(v->token[i]) > 0)
            v->marks_spaces = true;
}

int vocabulary_load(vocabulary *v, const char *path)
{
    *v = (vocabulary){0};
    if (path == NULL)
        return 0;
    json_error_t error;
    v->root = json_load_file(path, JSON_ALLOW_NUL, &error);
    if (v->root == NULL) {
        complain("%s: not a vocabulary: %s (line %d)", path, error.text, error.line);
        return -1;
    }
    v->size = index_end(v->root);
    v->token = calloc(v->size + 1, sizeof *v->token);
    if (v->size == 0 || v->token == NULL) {
        complain("%s: %s", path,
                 v->size == 0 ? "no tokens: a JSON list of tokens or an object of token to index is wanted"
                              : "out of memory");
        vocabulary_free(v);
        return -1;
    }
    fill(v);
    return 0;
}

void vocabulary_free(vocabulary *v)
{
    free((void *)v->token);
    json_decref(v->root);
    *v = (vocabulary){0};
}

void vocabulary_print(FILE *stream, const vocabulary *v, double id)
{
    const char *token = id >= 0 && id < (double)v->size ? v->token[(size_t)id] : NULL;
    if (token == NULL) {
        fprintf(stream, "%s%.15g", v->marks_spaces ? " " : "", id);
        return;
    }
    size_t mark = space_mark(token);
    if (mark > 0)
        fputc(' ', stream);
    print_clean(stream, token + mark, 0);
}

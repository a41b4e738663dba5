/* A file of fixtures/: one batch of an architecture with the losses and gradients that PyTorch finds for it.
   Names, shapes and formulas: make_architecture_fixtures.py. Everything asserts that it succeeds. */
#ifndef ARCHITECTURE_CASE_H
#define ARCHITECTURE_CASE_H

#include "io/safetensors.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CASE_D = 12, CASE_F = 40, CASE_ROWS = 24 };

typedef struct architecture_case {
    const char *name;
    saei_safetensors *file;
} architecture_case;

static inline architecture_case case_open(sae_context *owner, const char *name)
{
    architecture_case c = {.name = name};
    char path[1024];
    int length = snprintf(path, sizeof path, SOURCE_ROOT "/tests/train/fixtures/%s.safetensors", name);
    ck_assert(length > 0 && (size_t)length < sizeof path);
    ck_assert_int_eq(saei_safetensors_open(&c.file, owner, path, NULL), SAE_OK);
    return c;
}

static inline void case_close(architecture_case *c)
{
    saei_safetensors_free(c->file);
}

static inline size_t case_count(const architecture_case *c, const char *tensor)
{
    const saei_tensor_info *info = saei_safetensors_find(c->file, tensor);
    return info == NULL ? 0 : (size_t)info->elements;
}

/* Fills out [n] as float32, whatever the type in the file. */
static inline void case_read(float *out, const architecture_case *c, const char *tensor, size_t n)
{
    ck_assert_msg(case_count(c, tensor) == n, "%s: %s", c->name, tensor);
    const saei_tensor_info *info = saei_safetensors_find(c->file, tensor);
    ck_assert_int_eq(saei_safetensors_read_f32(out, c->file, info, NULL), SAE_OK);
}

/* Fills out [n] with results, which are float64. */
static inline void case_read_results(double *out, const architecture_case *c, const char *tensor, size_t n)
{
    ck_assert_msg(case_count(c, tensor) == n, "%s: %s", c->name, tensor);
    const saei_tensor_info *info = saei_safetensors_find(c->file, tensor);
    ck_assert_int_eq(saei_safetensors_read_raw(out, c->file, info, n * sizeof *out, NULL), SAE_OK);
}

/* A hyperparameter; NULL when the architecture does not have it. */
static inline const char *case_text(const architecture_case *c, const char *key)
{
    return saei_safetensors_metadata(c->file, key);
}

static inline bool case_is(const architecture_case *c, const char *key, const char *value)
{
    const char *text = case_text(c, key);
    return text != NULL && strcmp(text, value) == 0;
}

static inline double case_number(const architecture_case *c, const char *key)
{
    const char *text = case_text(c, key);
    ck_assert_msg(text != NULL, "%s has no %s", c->name, key);
    return strtod(text, NULL);
}

/* Fills out with a list such as "5,10,20,40" and returns its length. */
static inline size_t case_numbers(double *out, size_t capacity, const architecture_case *c, const char *key)
{
    const char *text = case_text(c, key);
    ck_assert_msg(text != NULL, "%s has no %s", c->name, key);
    size_t n = 0;
    for (char *end; *text != '\0'; text = *end == ',' ? end + 1 : end) {
        ck_assert_uint_lt(n, capacity);
        out[n++] = strtod(text, &end);
        ck_assert(end != text);
    }
    return n;
}

#endif

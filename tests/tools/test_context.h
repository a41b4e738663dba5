/* The context of a test program: made before each test, checked for leaks after it. */
#ifndef TEST_CONTEXT_H
#define TEST_CONTEXT_H

#include "sae/base.h"

#include <check.h>

static sae_context *context;
static sae_error err;

static inline void context_make(void)
{
    ck_assert_int_eq(sae_context_new(&context, NULL, &err), SAE_OK);
}

/* HDF5 is read in this process: for thousands of files, and for what the worker must do alike. */
static inline void context_make_trusted(void)
{
    sae_context_options options;
    sae_context_options_init(&options);
    options.trusted = true;
    ck_assert_int_eq(sae_context_new(&context, &options, &err), SAE_OK);
}

static inline void context_end(void)
{
    ck_assert_uint_eq(sae_context_memory_used(context), 0);
    sae_context_free(context);
}

#endif

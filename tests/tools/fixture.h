/* Named arrays of numbers from a text file: on each line a name, a count and that many numbers. */
#ifndef FIXTURE_H
#define FIXTURE_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The array of the given name, to be freed; its length in *n. Fails the test when it is not there. */
static inline double *fixture(const char *path, const char *name, size_t *n)
{
    FILE *file = fopen(path, "r");
    ck_assert_msg(file != NULL, "%s: cannot open", path);
    char found[64];
    size_t count;
    double *values = NULL;
    while (values == NULL && fscanf(file, "%63s %zu", found, &count) == 2) {
        double *read = malloc((count > 0 ? count : 1) * sizeof *read);
        ck_assert_ptr_nonnull(read);
        for (size_t i = 0; i < count; i++)
            ck_assert_int_eq(fscanf(file, "%lf", &read[i]), 1);
        if (strcmp(found, name) == 0)
            values = read;
        else
            free(read);
    }
    fclose(file);
    ck_assert_msg(values != NULL, "%s: no %s", path, name);
    *n = count;
    return values;
}

/* Fails on NaN too. */
static inline void assert_close(double got, double wanted, double relative, const char *what)
{
    double scale = wanted < 0 ? -wanted : wanted, error = got > wanted ? got - wanted : wanted - got;
    ck_assert_msg(error <= relative * (scale > 1e-3 ? scale : 1e-3), "%s: %.17g, wanted %.17g", what, got,
                  wanted);
}

#endif

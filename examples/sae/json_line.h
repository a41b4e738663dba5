/* JSON for scripts: one object per line. */
#ifndef JSON_LINE_H
#define JSON_LINE_H

#include <jansson.h>
#include <sae.h>
#include <stdio.h>

/* null for NaN and infinities, which JSON lacks. */
json_t *json_number(double x);

/* Text from a file; bytes that are not UTF-8 become '?'. */
json_t *json_text(const char *text);

json_t *json_fidelity(const sae_fidelity *fidelity);

/* Writes the object as one line and frees it; 0, or -1 when it could not be built or written. */
int json_line(FILE *stream, json_t *object);

#endif

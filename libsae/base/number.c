#include "base/number.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* The library never calls setlocale, but its host may have: then printf writes a decimal comma, or another
   character of one or more bytes. Whatever %g cannot have written otherwise is that character. */
static void normalise_point(char *text)
{
    static const char own[] = "0123456789+-e";
    char *end = text;
    bool in_point = false;
    for (const char *c = text; *c != '\0'; c++) {
        bool point = strchr(own, *c) == NULL;
        if (!point)
            *end++ = *c;
        else if (!in_point)
            *end++ = '.';
        in_point = point;
    }
    *end = '\0';
}

void saei_number_format(char out[SAEI_NUMBER_BYTES], double value)
{
    if (isnan(value) || isinf(value)) {
        strcpy(out, isnan(value) ? "nan" : value > 0 ? "inf" : "-inf");
        return;
    }
    snprintf(out, SAEI_NUMBER_BYTES, "%.9g", value);
    normalise_point(out);
}

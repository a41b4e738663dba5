#include "base/number.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The host may have chosen a locale with a decimal comma; a separator may be several bytes long. */
static void use_point(char *text)
{
    const char *separator = localeconv()->decimal_point;
    char *found = strstr(text, separator);
    if (found == NULL)
        return;
    size_t length = strlen(separator);
    *found = '.';
    memmove(found + 1, found + length, strlen(found + length) + 1);
}

const char *saei_number_text(char out[SAEI_NUMBER_TEXT], double value)
{
    if (isnan(value))
        return strcpy(out, "nan");
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(out, SAEI_NUMBER_TEXT, "%.*g", digits, value);
        if (strtod(out, NULL) == value)
            break;
    }
    use_point(out);
    return out;
}

#include "json_line.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

json_t *json_number(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

json_t *json_text(const char *text)
{
    json_t *string = json_string(text);
    if (string != NULL)
        return string;
    char *ascii = strdup(text);
    if (ascii == NULL)
        return NULL;
    for (char *c = ascii; *c != '\0'; c++)
        if ((unsigned char)*c >= 0x80)
            *c = '?';
    string = json_string(ascii);
    free(ascii);
    return string;
}

json_t *json_fidelity(const sae_fidelity *fidelity)
{
    return json_pack("{s:I, s:o, s:o, s:o, s:o, s:o}", "rows", (json_int_t)fidelity->rows, "fvu",
                     json_number(fidelity->fvu), "explained_variance",
                     json_number(fidelity->explained_variance), "l0", json_number(fidelity->l0), "dead",
                     json_number(fidelity->dead), "cosine", json_number(fidelity->cosine));
}

int json_line(FILE *stream, json_t *object)
{
    int status = object == NULL ? -1 : json_dumpf(object, stream, JSON_COMPACT | JSON_REAL_PRECISION(9));
    json_decref(object);
    return status == 0 && fputc('\n', stream) != EOF ? 0 : -1;
}

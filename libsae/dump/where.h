/* Conditions on columns, such as "is_continuation=0 and (position>0 or not labels/region=3)".

       any   = all { ("or" | "||") all }
       all   = one { ("and" | "&&") one }
       one   = ("not" | "!") one | "(" any ")" | column relation number
       relation = "=" | "==" | "!=" | "<" | "<=" | ">" | ">="

   Columns are letters, digits and _ / . -, numbers are decimal (locale has no say), words may be in capitals.
   A value that is NaN fulfils != alone. */
#ifndef SAEI_WHERE_H
#define SAEI_WHERE_H

#include "sae/base.h"

enum { SAEI_WHERE_DEPTH_MAX = 64 }; /* parentheses and `not` within each other */

/* A parsed condition. Belongs to one thread: evaluation uses scratch inside. */
typedef struct saei_where saei_where;

/* SAE_E_ARGUMENT tells the character of the mistake, counted from 1. */
sae_status saei_where_parse(saei_where **out, sae_context *context, const char *text, sae_error *err);
void saei_where_free(saei_where *where);

/* The different columns that the condition names, in order of appearance. */
size_t saei_where_columns(const saei_where *where);
const char *saei_where_column(const saei_where *where, size_t i);

/* out[r] = 1 where the condition holds, else 0, for rows r < n; values[i] [n] is column i. */
void saei_where_evaluate(unsigned char *out, saei_where *where, double *const *values, size_t n);

#endif

/* Numbers as text, whatever the locale of the program. */
#ifndef SAEI_NUMBER_H
#define SAEI_NUMBER_H

enum { SAEI_NUMBER_BYTES = 32 };

/* Nine significant digits, enough for any float32; decimal point '.'; NaN, Inf and -Inf as "nan", "inf", "-inf". */
void saei_number_format(char out[SAEI_NUMBER_BYTES], double value);

#endif

/* Numbers as text that does not depend on the locale of the host program. */
#ifndef SAEI_NUMBER_H
#define SAEI_NUMBER_H

enum { SAEI_NUMBER_TEXT = 40 };

/* The shortest %g form that reads back as the same double, with '.'; "nan", "inf", "-inf". Returns out. */
const char *saei_number_text(char out[SAEI_NUMBER_TEXT], double value);

#endif

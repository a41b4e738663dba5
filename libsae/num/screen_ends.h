#ifndef SAEI_SCREEN_ENDS_H
#define SAEI_SCREEN_ENDS_H

#include "num/encoder.h"

/* Counts a row whose k-th largest pre-activation, over its norm, is `end`; 0 if it has none. */
void saei_screen_note_end(saei_screen_counts *counts, float end);

#endif

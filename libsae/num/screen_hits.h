/* Hits become candidates of their rows; those of the high bytes are looked at again before. */
#ifndef SAEI_SCREEN_HITS_H
#define SAEI_SCREEN_HITS_H

#include "num/screen_work.h"

/* Takes all hits, none is left. Rows with enough new candidates raise their threshold, in their strip too. */
void saei_screen_take_hits(const saei_screen_work *work, saei_screen_hits *hits, saei_screen_counts *counts);

#endif

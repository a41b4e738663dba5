/* What formats share whose files hold one array and nothing else. */
#ifndef SAEI_SINGLE_ARRAY_H
#define SAEI_SINGLE_ARRAY_H

#include "io/reader_format.h"

/* For the entries of a saei_format; the state is that of saei_single_array_add. */
sae_status saei_single_array_read(void *out, void *state, size_t array, uint64_t first, uint64_t count,
                                  sae_error *err);
void saei_single_array_close(void *state);

/* Gives the reader its format, a state, and the array, which lies in its file, under the name "". */
sae_status saei_single_array_add(saei_reader *reader, const saei_format *format, const saei_strided *array,
                                 sae_error *err);

#endif

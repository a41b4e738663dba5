/* What a label makes of the rows of a dump: units that are positive or not. */
#ifndef SAEI_LABEL_UNITS_H
#define SAEI_LABEL_UNITS_H

#include "sae/apply.h"

#define SAEI_NO_UNIT UINT32_MAX

typedef struct saei_label_units {
    uint32_t *of_row; /* [rows] unit of each row; SAEI_NO_UNIT: the row does not count */
    size_t n, n_positive;
    uint64_t *rows; /* [n] rows of each unit, > 0 */
    bool *positive; /* [n] */
} saei_label_units;

/* Both kinds of units exist, else SAE_E_ARGUMENT. SAE_E_MISMATCH: a group has rows of both kinds, and the
   label does not split. Release in every case. */
sae_status saei_label_units_read(saei_label_units *out, sae_context *context, const sae_dump *dump,
                                 const sae_label *label, sae_error *err);
void saei_label_units_release(saei_label_units *units, sae_context *context);

#endif

/* What tells one model from another. */
#ifndef SAEI_IDENTITY_H
#define SAEI_IDENTITY_H

#include "sae/model.h"

enum { SAEI_IDENTITY_BYTES = 33 };

/* XXH3-128, in hexadecimal, over the activation, k, d, F, the row_norm unless none, and the parameters in
   their order in sae_params. The metadata do not count: the same weights are the same model. */
void saei_model_identity(char out[SAEI_IDENTITY_BYTES], const sae_model *model);

#endif

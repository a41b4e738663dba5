/* One tensor as a pickle of torch.save describes it: a storage, and a view of it. */
#ifndef SAEI_TORCH_VIEW_H
#define SAEI_TORCH_VIEW_H

#include "io/torch_tensors.h"

/* Whether the value is a tensor or a parameter. */
bool saei_torch_is_tensor(const saei_pickle *pickle, saei_pickle_value value);

/* Fills out->array and out->run of the value, which saei_torch_is_tensor; `name` is for messages. The last
   element lies within the storage. */
sae_status saei_torch_view(saei_torch_tensor *out, const saei_torch_source *source, saei_pickle_value value,
                           const char *name, sae_error *err);

#endif

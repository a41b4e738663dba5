#include "model/difference_view.h"
#include "base/memory.h"

#include <math.h>

sae_status saei_difference_view_init(saei_difference_view *view, const sae_model *model, sae_error *err)
{
    size_t d = model->d, F = model->n_latents;
    bool gated = model->activation == SAE_GATED;
    *view = (saei_difference_view){.model = *model};
    sae_status status = saei_alloc(&view->vectors, model->context, saei_add(d, saei_mul(gated ? 3 : 1, F)),
                                   sizeof *view->vectors, err);
    if (status != SAE_OK)
        return status;
    view->model.row_norm = SAE_NO_ROW_NORM;
    view->model.b_dec = view->vectors; /* zero, as allocated */
    view->model.b_enc = view->vectors + d;
    for (size_t j = 0; j < F; j++)
        view->model.b_enc[j] = fminf(model->b_enc[j], 0.0f);
    if (!gated)
        return SAE_OK;
    view->model.gate = view->vectors + d + F;
    view->model.b_mag = view->vectors + d + 2 * F;
    for (size_t j = 0; j < F; j++) {
        view->model.gate[j] = -view->model.b_enc[j];
        view->model.b_mag[j] = fminf(model->b_mag[j], 0.0f);
    }
    return SAE_OK;
}

void saei_difference_view_release(saei_difference_view *view)
{
    saei_free(view->model.context, view->vectors);
    view->vectors = NULL;
}

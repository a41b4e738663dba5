/* The operations on rows. Each element is changed in double and rounded once for every latent. */
#include "base/memory.h"
#include "base/parallel.h"
#include "steer/steering.h"

enum { TASK_ROWS = 64, PIECE_ROWS = 4096 };

typedef struct operation {
    const sae_steering *steering;
    float *rows; /* [n, d] */
    size_t n;
    sae_codes_view codes; /* of these rows, where the operation needs them */
} operation;

double saei_activation_of(const sae_codes_view *codes, size_t row, uint32_t latent)
{
    uint64_t low = codes->row_ptr[row], high = codes->row_ptr[row + 1];
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (codes->latent[middle] < latent)
            low = middle + 1;
        else
            high = middle;
    }
    bool found = low < codes->row_ptr[row + 1] && codes->latent[low] == latent;
    return found ? (double)codes->value[low] : 0;
}

static void add_multiple(float *x, double factor, const float *direction, size_t d)
{
    for (size_t k = 0; k < d; k++)
        x[k] = (float)((double)x[k] + factor * (double)direction[k]);
}

/* What an activation of 1 is worth in this row. */
static double scale_of(const sae_codes_view *codes, size_t row)
{
    return codes->row_scale != NULL ? (double)codes->row_scale[row] : 1;
}

/* clamp, and ablate, which clamps to 0 */
static void set_latents(float *x, const sae_steering *s, const sae_codes_view *codes, size_t row)
{
    sae_params params = sae_model_params(s->model);
    double strength = s->op == SAE_STEER_CLAMP ? s->strength : 0, scale = scale_of(codes, row);
    for (size_t i = 0; i < s->n; i++) {
        double change = strength * s->weights[i] - saei_activation_of(codes, row, s->latents[i]);
        add_multiple(x, scale * change, params.W_dec + (size_t)s->latents[i] * s->d, s->d);
    }
}

static void project_out(float *x, const sae_steering *s)
{
    for (size_t b = 0; b < s->rank; b++) {
        const double *q = s->basis + b * s->d;
        double along = 0;
        for (size_t k = 0; k < s->d; k++)
            along += (double)x[k] * q[k];
        for (size_t k = 0; k < s->d; k++)
            x[k] = (float)((double)x[k] - along * q[k]);
    }
}

static void change_rows(void *arg, size_t task, unsigned worker)
{
    (void)worker;
    const operation *o = arg;
    const sae_steering *s = o->steering;
    size_t first = task * TASK_ROWS, end = saei_min_size(first + TASK_ROWS, o->n);
    for (size_t r = first; r < end; r++) {
        float *x = o->rows + r * s->d;
        if (s->op == SAE_STEER_ADD)
            add_multiple(x, scale_of(&o->codes, r) * s->factor, s->direction, s->d);
        else if (s->op == SAE_STEER_PROJECT_OUT)
            project_out(x, s);
        else
            set_latents(x, s, &o->codes, r);
    }
}

/* The codes of many rows at once would take memory that grows with them. */
sae_status sae_steering_apply(sae_steering *s, float *rows, size_t n, sae_error *err)
{
    bool encodes = s->op == SAE_STEER_CLAMP || s->op == SAE_STEER_ABLATE || saei_steering_scales_rows(s);
    for (size_t first = 0; first < n; first += PIECE_ROWS) {
        operation o = {.steering = s, .rows = rows + first * s->d, .n = saei_min_size(PIECE_ROWS, n - first)};
        if (encodes) {
            sae_status status =
                sae_model_encode(s->codes, s->model, (sae_view){o.rows, o.n, s->d, s->d}, err);
            if (status != SAE_OK)
                return status;
            o.codes = sae_codes_get(s->codes);
        }
        saei_parallel_for(s->context, (o.n + TASK_ROWS - 1) / TASK_ROWS, change_rows, &o);
    }
    return SAE_OK;
}

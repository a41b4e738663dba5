/* A row under screening: the bound on the errors of its scores, and the threshold that its candidates reach.
 */
#ifndef SAEI_SCREEN_ROW_H
#define SAEI_SCREEN_ROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Places behind a row's candidates that the functions below may look at. */
enum { SAEI_ROW_SLACK = 32 };

/* |score − exact| ≤ per_norm · norm_j + per_error · error_j + constant. */
typedef struct saei_screen_bound {
    float per_norm, per_error, constant;
} saei_screen_bound;

/* The candidates of a row. Latents come in runs, ascending each. */
typedef struct saei_screen_row {
    float threshold; /* candidates reach it with their upper bound; NaN: takes none */
    uint32_t n, raise_at;
    float *lower, *upper; /* [n]; lower is -INFINITY unless surely above the floor */
    uint32_t *latent;     /* [n] */
} saei_screen_row;

/* The bound for a packed row of d dimensions whose norm and error are at most these, and for biases of at
   most bias_max. */
saei_screen_bound saei_screen_bound_of(float norm, float error, size_t d, float bias_max);

/* No candidates yet. */
void saei_screen_row_start(saei_screen_row *row, float threshold);

/* To be called once there are raise_at candidates, which is never more than `capacity`, and lets some more
   come. Raises the threshold towards the rank-th largest lower bound, as far as is quickly found, if more
   than `rank` are above the threshold; candidates below it leave. When few of `capacity` places are left even
   after saei_screen_row_settle, the row is given up: no candidates, and a threshold of NaN. */
void saei_screen_row_raise(saei_screen_row *row, size_t rank, size_t capacity);

/* Raises the threshold until at most k lower bounds are above it, and at least k are not below, if so many
   were not below it before; candidates below it leave. */
void saei_screen_row_settle(saei_screen_row *row, size_t k);

/* Whether at least k lower bounds reach the threshold: then no score below it is among the k largest. */
bool saei_screen_row_has(const saei_screen_row *row, size_t k);

/* Brings the latents of a row into ascending order, without their bounds. room: as many places. */
void saei_screen_row_sort(saei_screen_row *row, uint32_t *room);

#endif

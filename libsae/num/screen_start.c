#include "num/panels.h"
#include "num/screen_work.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* Beyond it exact scores could overflow where approximate ones do not. */
static const float BIAS_MAX = 0x1p120f;

/* The largest finite |b_j|; Inf when products with the weights, or sums with the bias, could overflow. */
static float largest_bias(const saei_encoder *e)
{
    float largest = 0.0f;
    for (size_t j = 0; j < e->n_latents; j++) {
        float b = fabsf(e->b_enc[j]);
        largest = b <= FLT_MAX && b > largest ? b : largest;
    }
    return saei_panels_norm_max(e->panels) <= SAEI_FIXED_NORM_MAX && largest <= BIAS_MAX ? largest : INFINITY;
}

/* No row is there for the padding of a strip. */
static void pack_row(const saei_screen_work *work, size_t r, char *lines)
{
    size_t d = work->e->d;
    if (r >= work->n_rows) {
        memset(lines, 0, saei_screen_lines_bytes(d));
        work->bounds[r] = (saei_fixed_bounds){.norm = INFINITY};
    } else if (work->in_bytes) {
        work->bounds[r] =
            saei_fixed_pack_bytes((saei_line_places){lines, SAEI_LINE},
                                  (saei_line_places){lines + saei_byte_lines(d) * SAEI_LINE, SAEI_LINE}, 0,
                                  saei_screen_row_at(work, r), d);
    } else {
        work->bounds[r] =
            saei_fixed_pack_wide((saei_line_places){lines, SAEI_LINE}, saei_screen_row_at(work, r), d);
    }
}

static void pack_strip(const saei_screen_work *work, size_t s)
{
    size_t d = work->e->d, length = saei_screen_lines_bytes(d);
    size_t n_lines = work->in_bytes ? saei_byte_lines(d) : saei_wide_lines(d);
    char *lines = work->lines + (work->in_bytes ? s * SAEI_STRIP * length : 0);
    char *packed = work->packed + s * SAEI_STRIP * SAEI_LINE * n_lines;
    for (size_t i = 0; i < SAEI_STRIP; i++)
        pack_row(work, s * SAEI_STRIP + i, lines + i * length);
    saei_fixed_interleave(packed, (saei_line_places){lines, SAEI_LINE}, length, n_lines);
    work->strips[s].packed = packed;
    work->strips[s].first = (uint32_t)(s * SAEI_STRIP);
}

static int32_t sum_of_bytes(const char *line, size_t n_lines)
{
    int32_t sum = 0;
    for (size_t i = 0; i < n_lines; i++, line += SAEI_LINE)
        for (size_t b = 0; b < SAEI_LINE; b++)
            sum += (signed char)line[b];
    return sum;
}

static saei_screen_query query_of(const saei_screen_work *work, size_t r, float bias)
{
    size_t d = work->e->d, n_lines = saei_byte_lines(d);
    const saei_fixed_bounds *known = work->bounds + r;
    saei_screen_query query = {.unit = known->unit,
                               .bound = saei_screen_bound_of(known->norm, known->error, d, bias)};
    if (work->in_bytes) {
        query.high = work->lines + r * saei_screen_lines_bytes(d);
        query.low = query.high + n_lines * SAEI_LINE;
        query.high_offset = 128 * sum_of_bytes(query.high, n_lines);
        /* l is what h lacks, but for the error of both; the factor is more than the roundings of this sum and
           of the product that is made of it. */
        query.low_norm = 0x1.0002p0f * (known->coarse + known->error);
        query.low_offset = 128 * sum_of_bytes(query.low, n_lines);
    }
    return query;
}

static void start_row(const saei_screen_work *work, size_t r, float bias)
{
    saei_screen_strip *strip = work->strips + r / SAEI_STRIP;
    const saei_fixed_bounds *known = work->bounds + r;
    size_t i = r % SAEI_STRIP;
    saei_screen_bound bound = saei_screen_bound_of(known->norm, known->coarse, work->e->d, bias);
    bool screened = known->norm <= SAEI_FIXED_NORM_MAX && bias <= BIAS_MAX;
    float threshold = !screened ? NAN : work->start > 0.0f ? work->start * known->norm : -INFINITY;
    work->queries[r] = query_of(work, r, bias);
    saei_screen_row_start(work->candidates + r, threshold);
    strip->offset[i] = work->queries[r].high_offset;
    strip->unit[i] = known->unit;
    strip->per_norm[i] = bound.per_norm;
    strip->per_error[i] = bound.per_error;
    strip->constant[i] = bound.constant;
    strip->threshold[i] = threshold;
}

void saei_screen_rows_start(const saei_screen_work *work)
{
    float bias = largest_bias(work->e);
    for (size_t s = 0; s < saei_screen_strips(work); s++)
        pack_strip(work, s);
    for (size_t r = 0; r < saei_screen_strips(work) * SAEI_STRIP; r++)
        start_row(work, r, bias);
}

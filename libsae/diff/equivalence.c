#include "diff/equivalence.h"
#include "num/student.h"

#include <math.h>

typedef struct mean_error {
    double mean, square; /* squared standard error */
    double df;
} mean_error;

/* Of n values of which those outside first .. end - 1 are 0. */
static mean_error mean_of(const double *value, size_t n_values, size_t n)
{
    double sum = 0, squares = 0, units = (double)n;
    for (size_t i = 0; i < n_values; i++)
        sum += value[i];
    double mean = sum / units;
    for (size_t i = 0; i < n_values; i++)
        squares += (value[i] - mean) * (value[i] - mean);
    squares += (double)(n - n_values) * mean * mean;
    return (mean_error){mean, squares / (units - 1) / units, units - 1};
}

/* y − x; degrees of freedom of Welch 1947. */
static mean_error difference(mean_error y, mean_error x)
{
    double square = y.square + x.square;
    return (mean_error){y.mean - x.mean, square,
                        square * square / (y.square * y.square / y.df + x.square * x.square / x.df)};
}

double saei_equivalence_p(const saei_effects *effects, size_t latent, double margin)
{
    uint64_t first = effects->ptr[latent], end = effects->ptr[latent + 1], split = first;
    while (split < end && effects->unit[split] < effects->n_y)
        split++;
    mean_error d = mean_of(effects->value + first, (size_t)(split - first), effects->n_y);
    if (!effects->paired)
        d = difference(d, mean_of(effects->value + split, (size_t)(end - split), effects->n_x));
    if (d.square == 0)
        return fabs(d.mean) < margin ? 0 : 1;
    double se = sqrt(d.square);
    return fmax(saei_student_tail((margin + d.mean) / se, d.df),
                saei_student_tail((margin - d.mean) / se, d.df));
}

/* Student's t distribution. */
#ifndef SAEI_STUDENT_H
#define SAEI_STUDENT_H

/* P(T > t) with df > 0 degrees of freedom, ½ I_x(df/2, ½) at x = df / (df + t²) for t >= 0; relative error
   below 1e-10. NaN in, NaN out. */
double saei_student_tail(double t, double df);

/* The t with P(T > t) = tail, for 0 < tail < 1. */
double saei_student_quantile(double tail, double df);

#endif

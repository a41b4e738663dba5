/* Student's t distribution. */
#ifndef SAEI_STUDENT_H
#define SAEI_STUDENT_H

/* P(T > t) with df > 0 degrees of freedom, not necessarily whole; relative error below 1e-10. NaN in, NaN
 * out. */
double saei_student_upper(double t, double df);

#endif

/* The header of a .npy array, in a file of its own or as a member of a .npz. */
#ifndef SAEI_NPY_H
#define SAEI_NPY_H

#include "io/strided.h"

/* Reads and checks the header: versions 1.0, 2.0 and 3.0, C and Fortran order, either byte order, and exactly
   as many bytes in the run as the array needs. SAE_E_FORMAT; SAE_E_UNSUPPORTED: a type that is no number. */
sae_status saei_npy_parse(saei_strided *out, const saei_byte_run *run, sae_error *err);

#endif

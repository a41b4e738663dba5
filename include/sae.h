/* libsae: load dumped residual-stream activations, train sparse autoencoders (SAEs) on them, and rank the
   latents whose activation rises after a fine-tuning. This is the only header a program includes.

   Conventions, everywhere:
   - A function that can fail returns sae_status; on failure its outputs are NULL or untouched, and *err (may
     be NULL) says what happened in one line. Nothing prints, exits, or changes process-wide state, except that
     OpenBLAS is set to one thread (libsae brings its own threads).
   - Outputs come first, then the subject, inputs, options, and sae_error *err last.
   - Option structs are filled by their _init function, the only home of the defaults; NULL means defaults.
   - Handles are freed by the _free function of their noun, which takes NULL. A context outlives its handles.
   - Matrices are float32, row-major. d = width of the residual stream, F = number of latents. */
#ifndef SAE_H
#define SAE_H

#include "sae/base.h"
#include "sae/dump.h"
#include "sae/model.h"
#include "sae/convert.h"
#include "sae/apply.h"
#include "sae/train.h"
#include "sae/diff.h"
#include "sae/steer.h"
#include "sae/monitor.h"
#include "sae/study.h"
#include "sae/report.h"

#endif

/* The ranking file on standard output. */
#ifndef STDOUT_COPY_H
#define STDOUT_COPY_H

#include <sae.h>

/* The library writes files that are renamed into place, so the ranking goes through a temporary folder.
   Returns the exit status. */
int ranking_to_stdout(const sae_ranking *ranking, sae_context *context, sae_report_format format);

#endif

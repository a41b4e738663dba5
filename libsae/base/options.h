/* Reading option structs across versions of the library. */
#ifndef SAEI_OPTIONS_H
#define SAEI_OPTIONS_H

#include "sae/base.h"

/* Copies the caller's option struct over the defaults in *options [known_size bytes, first member size_t
   size]. given == NULL keeps the defaults; a shorter struct of an older program keeps the defaults of the
   members it lacks; a longer one is refused unless its unknown tail is zero: SAE_E_ARGUMENT. */
sae_status saei_options_read(void *options, size_t known_size, const void *given, sae_error *err);

#endif

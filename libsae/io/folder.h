/* Folders for results of several files. */
#ifndef SAEI_FOLDER_H
#define SAEI_FOLDER_H

#include "sae/base.h"

/* Makes the folder unless it is there; its parent must be. */
sae_status saei_folder_make(const char *path, sae_error *err);

#endif

/* What the two forms of .pt files share once their pickle is read. */
#ifndef SAEI_TORCH_FILE_H
#define SAEI_TORCH_FILE_H

#include "io/reader_format.h"
#include "io/torch_tensors.h"
#include "io/zip.h"

typedef struct saei_torch_file {
    sae_context *context;
    saei_zip *zip; /* NULL: a legacy stream */
    saei_torch_tensors found;
} saei_torch_file;

/* Makes the state of the reader; takes zip over, also on failure. */
sae_status saei_torch_file_new(saei_torch_file **out, saei_reader *reader, saei_zip *zip, sae_error *err);

/* Finds the tensors of the pickle and adds them to the reader, plain values as attributes. */
sae_status saei_torch_file_fill(saei_torch_file *file, saei_reader *reader, const saei_torch_source *source,
                                sae_error *err);

#endif

/* The two kinds of ZIP archives that hold arrays. */
#ifndef SAEI_ARCHIVE_H
#define SAEI_ARCHIVE_H

#include "io/reader_format.h"
#include "io/zip.h"

/* The pickle of a .pt file, PREFIX/data.pkl; NULL: the archive is none. */
const saei_zip_member *saei_torch_pickle(const saei_zip *zip);

/* Both take zip over, also on failure. */
sae_status saei_torch_open_zip(saei_reader *reader, saei_zip *zip, sae_error *err);
sae_status saei_npz_open(saei_reader *reader, saei_zip *zip, sae_error *err);

#endif

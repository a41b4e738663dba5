#include "io/archive.h"

sae_status saei_zip_open_reader(saei_reader *reader, sae_error *err)
{
    saei_zip *zip;
    sae_status status = saei_zip_open(&zip, saei_reader_context(reader), saei_reader_input(reader), err);
    if (status != SAE_OK)
        return status;
    return saei_torch_pickle(zip) != NULL ? saei_torch_open_zip(reader, zip, err)
                                          : saei_npz_open(reader, zip, err);
}

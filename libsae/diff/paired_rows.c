#include "diff/paired_rows.h"
#include "base/memory.h"

sae_status saei_paired_rows_read(saei_paired_rows *paired, const saei_block *block, sae_error *err)
{
    if (block->x.rows > paired->capacity) {
        saei_free(paired->context, paired->rows);
        paired->capacity = 0;
        sae_status status = saei_alloc(&paired->rows, paired->context, saei_mul(block->x.rows, block->x.cols),
                                       sizeof *paired->rows, err);
        if (status != SAE_OK)
            return status;
        paired->capacity = block->x.rows;
    }
    return sae_dump_read(paired->rows, paired->dump, block->first, block->x.rows, err);
}

void saei_paired_rows_release(saei_paired_rows *paired)
{
    saei_free(paired->context, paired->rows);
    paired->rows = NULL;
}

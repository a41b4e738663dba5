#include "dump/stored_rows.h"

saei_dtype saei_stored_rows_dtype(const sae_dump *dump)
{
    if (dump->shards[0].reader == NULL)
        return SAEI_F32;
    saei_dtype dtype = dump->shards[0].array->dtype;
    for (size_t i = 1; i < dump->n_shards; i++)
        if (dump->shards[i].array->dtype != dtype)
            return SAEI_F32;
    return dtype == SAEI_F16 || dtype == SAEI_BF16 || dtype == SAEI_F64 ? dtype : SAEI_F32;
}

sae_status saei_stored_rows_read(void *out, const sae_dump *dump, const saei_shard *shard, saei_dtype dtype,
                                 uint64_t first, uint64_t n, sae_error *err)
{
    bool finite = true;
    if (dtype == SAEI_F32)
        return saei_shard_read(out, &finite, shard, dump->cache, first, n, NULL, err);
    return saei_reader_read_stored(out, shard->reader, shard->array, first / shard->rows_per_entry,
                                   n / shard->rows_per_entry, err);
}

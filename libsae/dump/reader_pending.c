/* Until the readers land: weak, so that they win. */
#include "base/error.h"
#include "io/reader.h"

__attribute__((weak)) sae_status saei_reader_open(saei_reader **out, sae_context *context, const char *path,
                                                  sae_error *err)
{
    (void)context;
    *out = NULL;
    return saei_fail(err, SAE_E_UNSUPPORTED, "%s: readers are not linked in", path);
}
__attribute__((weak)) void saei_reader_free(saei_reader *reader)
{
    (void)reader;
}
__attribute__((weak)) size_t saei_reader_count(const saei_reader *reader)
{
    (void)reader;
    return 0;
}
__attribute__((weak)) const saei_array_info *saei_reader_at(const saei_reader *reader, size_t i)
{
    (void)reader, (void)i;
    return NULL;
}
__attribute__((weak)) sae_status saei_reader_read_f32(float *out, saei_reader *reader,
                                                      const saei_array_info *array, uint64_t first,
                                                      uint64_t count, sae_error *err)
{
    (void)out, (void)reader, (void)array, (void)first, (void)count;
    return saei_fail(err, SAE_E_UNSUPPORTED, "readers are not linked in");
}
__attribute__((weak)) sae_status saei_reader_read_f64(double *out, saei_reader *reader,
                                                      const saei_array_info *array, uint64_t first,
                                                      uint64_t count, sae_error *err)
{
    (void)out, (void)reader, (void)array, (void)first, (void)count;
    return saei_fail(err, SAE_E_UNSUPPORTED, "readers are not linked in");
}

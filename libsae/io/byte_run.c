#include "io/byte_run.h"
#include "base/error.h"

static sae_status read_file(void *out, void *state, uint64_t offset, size_t bytes, sae_error *err)
{
    return saei_input_file_read(out, state, offset, bytes, err);
}

saei_byte_run saei_byte_run_of_file(const saei_input_file *file, sae_context *context)
{
    return (saei_byte_run){.read = read_file,
                           .state = (void *)file,
                           .bytes = file->bytes,
                           .file = file,
                           .name = file->path,
                           .context = context};
}

sae_status saei_byte_run_read(void *out, const saei_byte_run *run, uint64_t offset, size_t bytes,
                              sae_error *err)
{
    if (offset > run->bytes || bytes > run->bytes - offset)
        return saei_fail_at(err, SAE_E_FORMAT, (int64_t)run->bytes,
                            "%s: cut off: %llu bytes, but it needs %zu at byte %llu", run->name,
                            (unsigned long long)run->bytes, bytes, (unsigned long long)offset);
    return bytes == 0 ? SAE_OK : run->read(out, run->state, offset, bytes, err);
}

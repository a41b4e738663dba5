/* PyTorch's .pt since 1.6: a ZIP archive with a pickle, PREFIX/data.pkl, and a member PREFIX/data/KEY for
   each storage. */
#include "base/error.h"
#include "base/memory.h"
#include "io/archive.h"
#include "io/torch_file.h"

#include <string.h>

enum { PICKLE_BYTES_MAX = 32 << 20, KEY_BYTES_MAX = 200 };

const saei_zip_member *saei_torch_pickle(const saei_zip *zip)
{
    for (size_t i = 0; i < saei_zip_count(zip); i++) {
        const char *name = saei_zip_at(zip, i)->name, *slash = strchr(name, '/');
        if (slash != NULL && strcmp(slash, "/data.pkl") == 0)
            return saei_zip_at(zip, i);
    }
    return NULL;
}

typedef struct archive {
    const saei_zip *zip;
    const char *path;
    char prefix[KEY_BYTES_MAX]; /* with its slash */
} archive;

static const saei_zip_member *find_record(const archive *a, const char *name, size_t n)
{
    char full[2 * KEY_BYTES_MAX + 8];
    size_t prefix = strlen(a->prefix);
    if (n >= sizeof full - prefix || memchr(name, '\0', n) != NULL)
        return NULL;
    memcpy(full, a->prefix, prefix);
    memcpy(full + prefix, name, n);
    full[prefix + n] = '\0';
    return saei_zip_find(a->zip, full);
}

static sae_status find_storage(saei_torch_storage *out, void *user, const char *key, size_t key_length,
                               uint64_t elements, size_t item, sae_error *err)
{
    const archive *a = user;
    uint64_t bytes = elements * item;
    char name[KEY_BYTES_MAX + 8] = "data/";
    const saei_zip_member *member = NULL;
    if (key_length < KEY_BYTES_MAX) {
        memcpy(name + 5, key, key_length);
        member = find_record(a, name, 5 + key_length);
    }
    if (member == NULL)
        return saei_fail(err, SAE_E_FORMAT, "%s: damaged: the storage '%.*s' is not in the archive", a->path,
                         (int)saei_min_size(key_length, 40), key);
    if (member->bytes != bytes)
        return saei_fail(err, SAE_E_FORMAT, "%s: damaged: %s has %llu bytes, but its tensors need %llu",
                         a->path, member->name, (unsigned long long)member->bytes, (unsigned long long)bytes);
    *out = (saei_torch_storage){.run = saei_zip_run(member), .bytes = bytes};
    return SAE_OK;
}

static sae_status check_kind(const archive *a, sae_error *err)
{
    char order[8] = {0};
    for (size_t i = 0; i < saei_zip_count(a->zip); i++) {
        const char *name = saei_zip_at(a->zip, i)->name;
        size_t prefix = strlen(a->prefix);
        if (strncmp(name, a->prefix, prefix) == 0 &&
            (strcmp(name + prefix, "constants.pkl") == 0 || strncmp(name + prefix, "code/", 5) == 0))
            return saei_fail(err, SAE_E_UNSUPPORTED,
                             "%s: a TorchScript program, not tensors; save its state_dict with torch.save",
                             a->path);
    }
    const saei_zip_member *member = find_record(a, "byteorder", strlen("byteorder"));
    if (member == NULL)
        return SAE_OK;
    saei_byte_run run = saei_zip_run(member);
    sae_status status =
        saei_byte_run_read(order, &run, 0, saei_min_size((size_t)run.bytes, sizeof order - 1), err);
    if (status == SAE_OK && strcmp(order, "little") != 0)
        return saei_fail(err, SAE_E_UNSUPPORTED, "%s: written on a big-endian machine; save it on another",
                         a->path);
    return status;
}

static sae_status read_pickle(unsigned char **out, sae_context *context, const saei_byte_run *run,
                              sae_error *err)
{
    *out = NULL;
    if (run->bytes > PICKLE_BYTES_MAX)
        return saei_fail(err, SAE_E_UNSUPPORTED,
                         "%s: a pickle of %llu bytes; save large lists as tensors, at most %d are read",
                         run->name, (unsigned long long)run->bytes, PICKLE_BYTES_MAX);
    sae_status status = saei_alloc(out, context, (size_t)run->bytes, 1, err);
    return status == SAE_OK ? saei_byte_run_read(*out, run, 0, (size_t)run->bytes, err) : status;
}

static uint64_t data_bytes(const saei_zip *zip)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < saei_zip_count(zip); i++)
        if (__builtin_add_overflow(sum, saei_zip_at(zip, i)->bytes, &sum))
            return UINT64_MAX;
    return sum;
}

sae_status saei_torch_open_zip(saei_reader *reader, saei_zip *zip, sae_error *err)
{
    sae_context *context = saei_reader_context(reader);
    const saei_zip_member *member = saei_torch_pickle(zip);
    archive a = {.zip = zip, .path = saei_reader_path(reader)};
    size_t prefix = strlen(member->name) - strlen("data.pkl");
    saei_torch_file *file;
    unsigned char *bytes = NULL;
    saei_pickle *pickle = NULL;
    sae_status status = saei_torch_file_new(&file, reader, zip, err);
    if (status != SAE_OK)
        return status;
    if (prefix >= sizeof a.prefix)
        return saei_fail(err, SAE_E_FORMAT, "%s: the folder in the archive has too long a name", a.path);
    memcpy(a.prefix, member->name, prefix);
    saei_byte_run run = saei_zip_run(member);
    status = check_kind(&a, err);
    if (status == SAE_OK)
        status = read_pickle(&bytes, context, &run, err);
    if (status == SAE_OK)
        status = saei_pickle_load(&pickle, context, bytes, (size_t)run.bytes, run.name, err);
    if (status == SAE_OK) {
        const saei_torch_source source = {pickle, a.path, data_bytes(zip), find_storage, &a};
        status = saei_torch_file_fill(file, reader, &source, err);
    }
    saei_pickle_free(pickle);
    saei_free(context, bytes);
    return status;
}

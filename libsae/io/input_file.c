#include "io/input_file.h"
#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

/* Files of the datasets library begin with one of two marks. */
#define ARROW_ADVICE                                                                            \
    "Arrow data, which libsae does not read; export them: python -c \"import datasets, numpy; " \
    "numpy.save('acts.npy', datasets.load_from_disk('FOLDER').with_format('numpy')['activations'])\""

static const char *kind_of_file(mode_t mode)
{
    return S_ISDIR(mode)                    ? "a folder"
           : S_ISFIFO(mode)                 ? "a pipe"
           : S_ISCHR(mode) || S_ISBLK(mode) ? "a device"
                                            : "no regular file";
}

sae_status saei_input_file_open(saei_input_file *out, const char *path, sae_error *err)
{
    *out = (saei_input_file){.fd = -1, .path = path};
    /* O_NONBLOCK: opening a pipe without a writer must not wait. It means nothing for regular files. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return saei_fail_errno(err, errno, "%s: cannot open", path);
    struct stat info;
    if (fstat(fd, &info) != 0) {
        int failure = errno;
        close(fd);
        return saei_fail_errno(err, failure, "%s: cannot read its size", path);
    }
    if (!S_ISREG(info.st_mode)) {
        close(fd);
        return saei_fail(err, SAE_E_IO, "%s: this is %s; give a regular file", path,
                         kind_of_file(info.st_mode));
    }
    out->fd = fd;
    out->bytes = (uint64_t)info.st_size;
    return SAE_OK;
}

void saei_input_file_close(saei_input_file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    file->fd = -1;
}

sae_status saei_input_file_read(void *out, const saei_input_file *file, uint64_t offset, size_t bytes,
                                sae_error *err)
{
    if (offset > file->bytes || bytes > file->bytes - offset)
        return saei_fail_at(err, SAE_E_FORMAT, (int64_t)file->bytes,
                            "%s: cut off: %llu bytes, but it needs %zu at byte %llu", file->path,
                            (unsigned long long)file->bytes, bytes, (unsigned long long)offset);
    unsigned char *to = out;
    for (size_t done = 0; done < bytes;) {
        ssize_t got = pread(file->fd, to + done, bytes - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return saei_fail_errno(err, errno, "%s: cannot read at byte %llu", file->path,
                                   (unsigned long long)(offset + done));
        if (got == 0)
            return saei_fail_at(err, SAE_E_FORMAT, (int64_t)(offset + done),
                                "%s: became shorter while being read", file->path);
        done += (size_t)got;
    }
    return SAE_OK;
}

static bool starts_with(const char *text, size_t length, const char *magic, size_t magic_length)
{
    return length >= magic_length && strncasecmp(text, magic, magic_length) == 0;
}

sae_status saei_input_file_refuse(const saei_input_file *file, const char *wanted, sae_error *err)
{
    static const struct {
        const char *magic;
        size_t length;
        sae_status status;
        const char *what;
    } kinds[] = {
        {"version https://git-lfs", 23, SAE_E_FORMAT, "a Git-LFS pointer, not the data: run `git lfs pull`"},
        {"<!DOCTYPE", 9, SAE_E_FORMAT, "a web page saved under this name: download the file again"},
        {"<html", 5, SAE_E_FORMAT, "a web page saved under this name: download the file again"},
        {"PK\5\6", 4, SAE_E_UNSUPPORTED, "an empty ZIP archive"},
        {"\x1f\x8b", 2, SAE_E_UNSUPPORTED, "compressed with gzip: decompress it first"},
        {"\x28\xb5\x2f\xfd", 4, SAE_E_UNSUPPORTED, "compressed with zstd: decompress it first"},
        {"GGUF", 4, SAE_E_UNSUPPORTED, "a GGUF file, which libsae does not read"},
        {"ARROW1", 6, SAE_E_UNSUPPORTED, ARROW_ADVICE},
        {"\xff\xff\xff\xff", 4, SAE_E_UNSUPPORTED, ARROW_ADVICE},
        {"PAR1", 4, SAE_E_UNSUPPORTED, "a Parquet file, which libsae does not read"},
    };
    char head[64];
    size_t length = file->bytes < sizeof head ? (size_t)file->bytes : sizeof head;
    if (length == 0)
        return saei_fail_at(err, SAE_E_FORMAT, 0, "%s: the file is empty", file->path);
    sae_status status = saei_input_file_read(head, file, 0, length, err);
    if (status != SAE_OK)
        return status;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (starts_with(head, length, kinds[i].magic, kinds[i].length))
            return saei_fail_at(err, kinds[i].status, 0, "%s: %s", file->path, kinds[i].what);
    return saei_fail_at(err, SAE_E_FORMAT, 0, "%s: not %s", file->path, wanted);
}

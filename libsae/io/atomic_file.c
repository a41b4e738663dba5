#include "io/atomic_file.h"
#include "base/error.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUFFER_BYTES = 1 << 16, NAMES_TRIED = 1000 };

struct saei_atomic_file {
    sae_context *context;
    saei_replace replace;
    int folder_fd, fd;     /* -1: not open */
    char *target;          /* links resolved */
    char *temporary;       /* beside the target */
    const char *name;      /* the last part of target */
    const char *temp_name; /* the last part of temporary */
    bool created;          /* the temporary exists and is ours */
    bool failed;           /* a write failed: commit must not rename */
    size_t buffered;
    unsigned char buffer[BUFFER_BYTES];
};

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

static sae_status exists_already(const char *path, sae_error *err)
{
    return saei_fail(err, SAE_E_EXISTS, "%s: exists already; ask for overwriting or give another name", path);
}

/* Fills file->target. *mode: permissions for the new file. */
static sae_status resolve_target(saei_atomic_file *file, const char *path, mode_t *mode, sae_error *err)
{
    struct stat info;
    char resolved[PATH_MAX];
    *mode = 0;
    if (stat(path, &info) == 0) {
        if (!S_ISREG(info.st_mode))
            return saei_fail(err, SAE_E_IO, "%s: not a regular file; give the path of a file to write", path);
        if (file->replace == SAEI_KEEP_EXISTING)
            return exists_already(path, err);
        if (realpath(path, resolved) == NULL)
            return saei_fail_errno(err, errno, "%s: cannot resolve", path);
        *mode = info.st_mode & 0777;
        return saei_strdup(&file->target, file->context, resolved, err);
    }
    if (errno != ENOENT)
        return saei_fail_errno(err, errno, "%s: cannot write", path);
    if (lstat(path, &info) == 0)
        return saei_fail(err, SAE_E_IO, "%s: a link to a file that does not exist; remove it first", path);
    if (*last_part(path) == '\0')
        return saei_fail(err, SAE_E_ARGUMENT, "\"%s\": no file name to write to", path);
    return saei_strdup(&file->target, file->context, path, err);
}

static sae_status open_folder(saei_atomic_file *file, sae_error *err)
{
    size_t length = (size_t)(file->name - file->target);
    char *folder;
    sae_status status = saei_alloc(&folder, file->context, length + 2, 1, err);
    if (status != SAE_OK)
        return status;
    memcpy(folder, length > 0 ? file->target : ".", length > 0 ? length : 1);
    file->folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file->folder_fd < 0)
        status = saei_fail_errno(err, errno, "%s: cannot open the folder to write in", file->target);
    saei_free(file->context, folder);
    return status;
}

static sae_status create_temporary(saei_atomic_file *file, mode_t mode, sae_error *err)
{
    size_t bytes = strlen(file->target) + 64, folder = (size_t)(file->name - file->target);
    sae_status status = saei_alloc(&file->temporary, file->context, bytes, 1, err);
    if (status != SAE_OK)
        return status;
    memcpy(file->temporary, file->target, folder);
    file->temp_name = file->temporary + folder;
    /* A process that was killed leaves its temporary behind, and its PID comes back one day. */
    for (int n = 0; n < NAMES_TRIED && file->fd < 0; n++) {
        snprintf(file->temporary + folder, bytes - folder, ".%s.tmp.%ld.%d", file->name, (long)getpid(), n);
        file->fd = openat(file->folder_fd, file->temp_name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (file->fd < 0 && errno != EEXIST)
            break;
    }
    if (file->fd < 0)
        return saei_fail_errno(err, errno, "%s: cannot create a file beside it", file->target);
    file->created = true;
    if (mode != 0 && fchmod(file->fd, mode) != 0)
        return saei_fail_errno(err, errno, "%s: cannot set permissions", file->temporary);
    return SAE_OK;
}

sae_status saei_atomic_file_open(saei_atomic_file **out, sae_context *context, const char *path,
                                 saei_replace replace, sae_error *err)
{
    *out = NULL;
    saei_atomic_file *file;
    mode_t mode;
    sae_status status = saei_alloc(&file, context, 1, sizeof *file, err);
    if (status != SAE_OK)
        return status;
    file->context = context;
    file->replace = replace;
    file->folder_fd = file->fd = -1;
    status = resolve_target(file, path, &mode, err);
    if (status == SAE_OK) {
        file->name = last_part(file->target);
        status = open_folder(file, err);
    }
    if (status == SAE_OK)
        status = create_temporary(file, mode, err);
    if (status != SAE_OK) {
        saei_atomic_file_discard(file);
        return status;
    }
    *out = file;
    return SAE_OK;
}

static sae_status write_through(saei_atomic_file *file, const unsigned char *bytes, size_t n, sae_error *err)
{
    while (n > 0) {
        ssize_t written = write(file->fd, bytes, n);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0) {
            file->failed = true;
            return saei_fail_errno(err, written < 0 ? errno : ENOSPC, "%s: cannot write", file->target);
        }
        bytes += written;
        n -= (size_t)written;
    }
    return SAE_OK;
}

static sae_status flush(saei_atomic_file *file, sae_error *err)
{
    size_t n = file->buffered;
    file->buffered = 0;
    return write_through(file, file->buffer, n, err);
}

sae_status saei_atomic_file_write(saei_atomic_file *file, const void *bytes, size_t n, sae_error *err)
{
    if (n > BUFFER_BYTES - file->buffered) {
        sae_status status = flush(file, err);
        if (status != SAE_OK)
            return status;
    }
    if (n > BUFFER_BYTES)
        return write_through(file, bytes, n, err);
    if (n > 0)
        memcpy(file->buffer + file->buffered, bytes, n);
    file->buffered += n;
    return SAE_OK;
}

sae_status saei_atomic_file_printf(saei_atomic_file *file, sae_error *err, const char *format, ...)
{
    char line[1024], *text = line;
    va_list args;
    va_start(args, format);
    int length = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (length < 0) {
        file->failed = true;
        return saei_fail(err, SAE_E_ARGUMENT, "%s: text that cannot be formatted", file->target);
    }
    sae_status status = SAE_OK;
    if ((size_t)length >= sizeof line) {
        status = saei_alloc(&text, file->context, (size_t)length + 1, 1, err);
        if (status != SAE_OK) {
            file->failed = true;
            return status;
        }
        va_start(args, format);
        vsnprintf(text, (size_t)length + 1, format, args);
        va_end(args);
    }
    status = saei_atomic_file_write(file, text, (size_t)length, err);
    if (text != line)
        saei_free(file->context, text);
    return status;
}

sae_status saei_atomic_file_write_at(saei_atomic_file *file, uint64_t offset, const void *bytes, size_t n,
                                     sae_error *err)
{
    const unsigned char *from = bytes;
    while (n > 0) {
        ssize_t written = pwrite(file->fd, from, n, (off_t)offset);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0) {
            file->failed = true;
            return saei_fail_errno(err, written < 0 ? errno : ENOSPC, "%s: cannot write", file->target);
        }
        from += written;
        offset += (uint64_t)written;
        n -= (size_t)written;
    }
    return SAE_OK;
}

const char *saei_atomic_file_temporary(const saei_atomic_file *file)
{
    return file->temporary;
}

/* One attempt only: after a failed fsync the kernel may have dropped the pages, and a second one succeeds. */
static sae_status sync_and_close(saei_atomic_file *file, sae_error *err)
{
    if (fsync(file->fd) != 0)
        return saei_fail_errno(err, errno, "%s: cannot sync", file->target);
    int fd = file->fd;
    file->fd = -1;
    return close(fd) == 0 ? SAE_OK : saei_fail_errno(err, errno, "%s: cannot close", file->target);
}

/* The old file becomes NAME.prev while the target stays in place: a link first, then a rename over .prev. */
static sae_status keep_previous(const saei_atomic_file *file, sae_error *err)
{
    char kept[NAME_MAX + 1], link_name[NAME_MAX + 1];
    int a = snprintf(kept, sizeof kept, "%s.prev", file->name);
    int b = snprintf(link_name, sizeof link_name, "%s.prev", file->temp_name);
    if (a < 0 || b < 0 || (size_t)a >= sizeof kept || (size_t)b >= sizeof link_name)
        return saei_fail_errno(err, ENAMETOOLONG, "%s: cannot keep the previous file", file->target);
    int folder = file->folder_fd;
    if (linkat(folder, file->name, folder, link_name, 0) != 0) {
        if (errno == ENOENT)
            return SAE_OK;
        /* A file system without hard links: for a moment only .prev exists. */
        if (renameat(folder, file->name, folder, kept) == 0)
            return SAE_OK;
        return saei_fail_errno(err, errno, "%s: cannot keep the previous file", file->target);
    }
    sae_status status = SAE_OK;
    if (renameat(folder, link_name, folder, kept) != 0)
        status = saei_fail_errno(err, errno, "%s: cannot keep the previous file", file->target);
    /* Renaming one link over another of the same file does nothing and leaves both. */
    unlinkat(folder, link_name, 0);
    return status;
}

static sae_status rename_over_target(saei_atomic_file *file, sae_error *err)
{
    int folder = file->folder_fd, result;
    if (file->replace == SAEI_KEEP_EXISTING) {
        result = renameat2(folder, file->temp_name, folder, file->name, RENAME_NOREPLACE);
        if (result != 0 && errno == EEXIST)
            return exists_already(file->target, err);
        /* A file system without RENAME_NOREPLACE: look, then rename. */
        if (result != 0 && (errno == EINVAL || errno == ENOSYS)) {
            if (faccessat(folder, file->name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
                return exists_already(file->target, err);
            result = renameat(folder, file->temp_name, folder, file->name);
        }
    } else {
        result = renameat(folder, file->temp_name, folder, file->name);
    }
    if (result != 0)
        return saei_fail_errno(err, errno, "%s: cannot put the new file in place", file->target);
    file->created = false;
    return SAE_OK;
}

sae_status saei_atomic_file_commit(saei_atomic_file **handle, sae_error *err)
{
    saei_atomic_file *file = *handle;
    *handle = NULL;
    sae_status status;
    if (file->failed)
        status = saei_fail(err, SAE_E_IO, "%s: not written, since an earlier write failed", file->target);
    else
        status = flush(file, err);
    if (status == SAE_OK)
        status = sync_and_close(file, err);
    if (status == SAE_OK && file->replace == SAEI_KEEP_PREVIOUS)
        status = keep_previous(file, err);
    if (status == SAE_OK)
        status = rename_over_target(file, err);
    /* Some file systems cannot sync a folder and say EINVAL. */
    if (status == SAE_OK && fsync(file->folder_fd) != 0 && errno != EINVAL)
        status = saei_fail_errno(err, errno, "%s: in place, but its folder cannot be synced", file->target);
    saei_atomic_file_discard(file);
    return status;
}

void saei_atomic_file_discard(saei_atomic_file *file)
{
    if (file == NULL)
        return;
    if (file->fd >= 0)
        close(file->fd);
    if (file->created)
        unlinkat(file->folder_fd, file->temp_name, 0);
    if (file->folder_fd >= 0)
        close(file->folder_fd);
    saei_free(file->context, file->target);
    saei_free(file->context, file->temporary);
    saei_free(file->context, file);
}

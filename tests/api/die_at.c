/* Preloaded into a program, kills it at the N-th call that changes a file, N from the environment variable
   DIE_AT: before the call, or half-way through it when it is a write. */
#include <dlfcn.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool last_call(void)
{
    static long calls, limit;
    if (limit == 0) {
        const char *text = getenv("DIE_AT");
        limit = text != NULL ? strtol(text, NULL, 10) : -1;
    }
    return ++calls == limit;
}

/* A function pointer from dlsym, which ISO C would not let us cast. */
static void find_next(void *function, const char *name)
{
    void *symbol = dlsym(RTLD_NEXT, name);
    memcpy(function, &symbol, sizeof symbol);
}

ssize_t write(int fd, const void *bytes, size_t n)
{
    ssize_t (*next)(int, const void *, size_t);
    find_next(&next, "write");
    bool last = last_call();
    ssize_t written = next(fd, bytes, last ? n / 2 : n);
    if (last)
        raise(SIGKILL);
    return written;
}

ssize_t pwrite(int fd, const void *bytes, size_t n, off_t at)
{
    ssize_t (*next)(int, const void *, size_t, off_t);
    find_next(&next, "pwrite");
    bool last = last_call();
    ssize_t written = next(fd, bytes, last ? n / 2 : n, at);
    if (last)
        raise(SIGKILL);
    return written;
}

int fsync(int fd)
{
    int (*next)(int);
    find_next(&next, "fsync");
    if (last_call())
        raise(SIGKILL);
    return next(fd);
}

int linkat(int from_fd, const char *from, int to_fd, const char *to, int flags)
{
    int (*next)(int, const char *, int, const char *, int);
    find_next(&next, "linkat");
    if (last_call())
        raise(SIGKILL);
    return next(from_fd, from, to_fd, to, flags);
}

int renameat(int from_fd, const char *from, int to_fd, const char *to)
{
    int (*next)(int, const char *, int, const char *);
    find_next(&next, "renameat");
    if (last_call())
        raise(SIGKILL);
    return next(from_fd, from, to_fd, to);
}

int renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags)
{
    int (*next)(int, const char *, int, const char *, unsigned);
    find_next(&next, "renameat2");
    if (last_call())
        raise(SIGKILL);
    return next(from_fd, from, to_fd, to, flags);
}

int unlinkat(int fd, const char *name, int flags)
{
    int (*next)(int, const char *, int);
    find_next(&next, "unlinkat");
    if (last_call())
        raise(SIGKILL);
    return next(fd, name, flags);
}

int unlink(const char *path)
{
    int (*next)(const char *);
    find_next(&next, "unlink");
    if (last_call())
        raise(SIGKILL);
    return next(path);
}

#include "io/hdf5_link.h"
#include "base/context.h"
#include "base/error.h"
#include "base/memory.h"
#include "io/hdf5_worker_path.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ENVIRONMENT_MAX = 8, VARIABLE_BYTES = 4096 };

struct saei_hdf5_link {
    sae_context *context;
    const char *path;
    unsigned seconds;
    pid_t owner, worker; /* worker 0: none runs */
    int socket, window;  /* -1: closed */
    unsigned char *mapped;
    size_t mapped_bytes, window_bytes; /* the latter never shrink */
    sae_status failed;                 /* SAE_OK: it works */
    sae_error why;
};

static void unmap_window(saei_hdf5_link *link)
{
    if (link->mapped != NULL)
        munmap(link->mapped, link->mapped_bytes);
    saei_memory_return(link->context, link->mapped_bytes);
    link->mapped = NULL;
    link->mapped_bytes = 0;
}

/* Ends the worker. *how: its wait status, or -1 when that is not known, since the program we run in takes the
   status of all its children. A worker that has ended by itself tells how. */
static void end_worker(int *how, saei_hdf5_link *link)
{
    *how = -1;
    int status = 0;
    pid_t worker = link->worker;
    link->worker = 0;
    if (worker == 0 || link->owner != getpid())
        return;
    pid_t got = waitpid(worker, &status, WNOHANG);
    /* A child that was not waited for keeps its number: no other process can be hit. */
    if (got == 0)
        kill(worker, SIGKILL);
    while (got == 0 || (got < 0 && errno == EINTR))
        got = waitpid(worker, &status, 0);
    if (got == worker)
        *how = status;
}

/* Closes the line for good, and keeps why. */
static sae_status give_up(saei_hdf5_link *link, sae_status status, const char *text)
{
    if (link->socket >= 0)
        close(link->socket);
    link->socket = -1;
    link->failed = saei_fail(&link->why, status, "%s: %s", link->path, text);
    return status;
}

static sae_status fail_again(const saei_hdf5_link *link, sae_error *err)
{
    if (err != NULL)
        *err = link->why;
    return link->failed;
}

/* A worker that closed its end is about to be gone: its status tells why, unless it does not come. */
static int status_of_dying(saei_hdf5_link *link)
{
    enum { MOMENTS = 100, MOMENT_MS = 10 };
    int how;
    siginfo_t info;
    for (int i = 0; i < MOMENTS && link->owner == getpid(); i++) {
        info.si_pid = 0;
        if (waitid(P_PID, (id_t)link->worker, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid != 0)
            break;
        poll(NULL, 0, MOMENT_MS);
    }
    end_worker(&how, link);
    return how;
}

static sae_status worker_is_gone(saei_hdf5_link *link, sae_error *err)
{
    int how = status_of_dying(link);
    int sig = how >= 0 && WIFSIGNALED(how) ? WTERMSIG(how) : 0;
    int code = how >= 0 && WIFEXITED(how) ? WEXITSTATUS(how) : 0;
    char text[120];
    sae_status status = SAE_E_FORMAT;
    if (sig == SIGXCPU) {
        snprintf(text, sizeof text,
                 "libhdf5 worked on it for %u s without an end: damaged, or made to do harm", link->seconds);
    } else if (sig != 0 && sig != SIGKILL) {
        snprintf(text, sizeof text, "libhdf5 crashed on it (signal %d): damaged, or made to do harm", sig);
    } else if (code == 127) {
        status = SAE_E_IO;
        snprintf(text, sizeof text, "the HDF5 worker cannot be run: install libsae again");
    } else if (code != 0) {
        snprintf(text, sizeof text, "the HDF5 worker gave up on it (exit status %d)", code);
    } else {
        status = SAE_E_IO;
        snprintf(text, sizeof text, "the HDF5 worker was ended from outside (out of memory?)");
    }
    give_up(link, status, text);
    return fail_again(link, err);
}

static sae_status worker_is_silent(saei_hdf5_link *link, sae_error *err)
{
    int how;
    char text[120];
    end_worker(&how, link);
    snprintf(text, sizeof text, "no answer from the HDF5 worker for %u s: damaged, or the disk is too slow",
             2 * link->seconds);
    give_up(link, SAE_E_IO, text);
    return fail_again(link, err);
}

/* Ends a worker whose answers cannot be true. */
static sae_status reject(saei_hdf5_link *link, sae_error *err)
{
    int how;
    end_worker(&how, link);
    give_up(link, SAE_E_FORMAT, "damaged: it led the HDF5 worker to impossible answers");
    return fail_again(link, err);
}

bool saei_hdf5_link_is_ours(const saei_hdf5_link *link)
{
    return link->owner == getpid();
}

sae_status saei_hdf5_link_send(saei_hdf5_link *link, const saei_hdf5_request *request, sae_error *err)
{
    assert(saei_hdf5_link_is_ours(link));
    if (link->failed != SAE_OK)
        return fail_again(link, err);
    const char *from = (const char *)request;
    for (size_t done = 0; done < sizeof *request;) {
        ssize_t n = send(link->socket, from + done, sizeof *request - done, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return worker_is_gone(link, err);
        done += (size_t)n;
    }
    return SAE_OK;
}

/* Waits in steps of a second: time during which this process was stopped is one step at most. */
static bool wait_for_bytes(const saei_hdf5_link *link)
{
    for (unsigned waited = 0; waited < 2 * link->seconds;) {
        struct pollfd line = {.fd = link->socket, .events = POLLIN};
        int n = poll(&line, 1, 1000);
        if (n > 0)
            return true;
        if (n == 0)
            waited++;
        else if (errno != EINTR)
            return true;
    }
    return false;
}

sae_status saei_hdf5_link_receive_bytes(void *out, saei_hdf5_link *link, size_t bytes, sae_error *err)
{
    assert(saei_hdf5_link_is_ours(link));
    if (link->failed != SAE_OK)
        return fail_again(link, err);
    char *to = out;
    for (size_t done = 0; done < bytes;) {
        ssize_t n = recv(link->socket, to + done, bytes - done, MSG_DONTWAIT);
        if (n > 0) {
            done += (size_t)n;
        } else if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            if (!wait_for_bytes(link))
                return worker_is_silent(link, err);
        } else {
            return worker_is_gone(link, err);
        }
    }
    return SAE_OK;
}

/* A failure that the worker reports. Its text may come from a file: one line. */
static sae_status reported(saei_hdf5_link *link, const saei_hdf5_reply *reply, sae_error *err)
{
    sae_error theirs = {.os_errno = reply->os_errno, .offset = reply->offset};
    if (reply->status > SAE_E_NONFINITE || reply->text_bytes >= sizeof theirs.text)
        return reject(link, err);
    sae_status status = saei_hdf5_link_receive_bytes(theirs.text, link, reply->text_bytes, err);
    if (status != SAE_OK)
        return status;
    theirs.text[reply->text_bytes] = '\0';
    theirs.status = (sae_status)reply->status;
    if (err != NULL)
        *err = theirs;
    return theirs.status;
}

sae_status saei_hdf5_link_receive(saei_hdf5_reply *out, saei_hdf5_link *link, sae_error *err)
{
    sae_status status = saei_hdf5_link_receive_bytes(out, link, sizeof *out, err);
    if (status == SAE_OK && out->version != SAEI_HDF5_WIRE_VERSION) {
        give_up(link, SAE_E_IO, "the HDF5 worker is of another version of libsae: install both alike");
        return fail_again(link, err);
    }
    return status == SAE_OK && out->status != SAE_OK ? reported(link, out, err) : status;
}

sae_status saei_hdf5_link_widen(saei_hdf5_link *link, size_t bytes, sae_error *err)
{
    if (link->failed != SAE_OK)
        return fail_again(link, err);
    if (bytes <= link->mapped_bytes)
        return SAE_OK;
    bytes = bytes > link->window_bytes ? bytes : link->window_bytes;
    unmap_window(link);
    sae_status status = saei_memory_take(link->context, bytes, err);
    if (status != SAE_OK)
        return status;
    bool wide = bytes == link->window_bytes || ftruncate(link->window, (off_t)bytes) == 0;
    link->window_bytes = wide ? bytes : link->window_bytes;
    void *mapped = wide ? mmap(NULL, bytes, PROT_READ, MAP_SHARED, link->window, 0) : MAP_FAILED;
    if (mapped == MAP_FAILED) {
        saei_memory_return(link->context, bytes);
        return saei_fail_errno(err, errno, "%s: cannot share %.1f MB with the HDF5 worker", link->path,
                               (double)bytes / 1e6);
    }
    link->mapped = mapped;
    link->mapped_bytes = bytes;
    return SAE_OK;
}

const unsigned char *saei_hdf5_link_window(const saei_hdf5_link *link)
{
    return link->mapped;
}

size_t saei_hdf5_link_window_bytes(const saei_hdf5_link *link)
{
    return link->mapped_bytes;
}

/* Above the numbers that the worker's descriptors get, so that none is overwritten before it is moved. */
static int lift(int fd)
{
    int lifted = fcntl(fd, F_DUPFD_CLOEXEC, SAEI_HDF5_WORKER_WINDOW + 2);
    close(fd);
    return lifted;
}

/* Our end of the line in link->socket, the worker's in *theirs. */
static sae_status open_line(int *theirs, saei_hdf5_link *link, sae_error *err)
{
    int pair[2];
    *theirs = -1;
    int window = memfd_create("libsae", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    /* Were the worker able to shorten it, our next look into it would end this process. */
    if (window < 0 || fcntl(window, F_ADD_SEALS, F_SEAL_SHRINK) != 0) {
        int failure = errno;
        if (window >= 0)
            close(window);
        return saei_fail_errno(err, failure, "%s: no memory to share with the HDF5 worker", link->path);
    }
    link->window = lift(window);
    if (link->window < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return saei_fail_errno(err, errno, "%s: no line to the HDF5 worker", link->path);
    link->socket = lift(pair[0]);
    *theirs = lift(pair[1]);
    if (link->socket < 0 || *theirs < 0)
        return saei_fail_errno(err, errno, "%s: no line to the HDF5 worker", link->path);
    return SAE_OK;
}

/* Nothing of our environment reaches the worker but what its libraries are found by. */
static void make_environment(char *out[ENVIRONMENT_MAX], char text[ENVIRONMENT_MAX][VARIABLE_BYTES])
{
    static const char *const kept[] = {"LD_LIBRARY_PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS"};
    size_t n = 0;
    snprintf(text[n], VARIABLE_BYTES, "HDF5_PLUGIN_PRELOAD=::"); /* no filters or drivers from elsewhere */
    n++;
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        const char *value = getenv(kept[i]);
        int length = value != NULL ? snprintf(text[n], VARIABLE_BYTES, "%s=%s", kept[i], value) : -1;
        if (length >= 0 && length < VARIABLE_BYTES)
            n++;
    }
    for (size_t i = 0; i < n; i++)
        out[i] = text[i];
    out[n] = NULL;
}

/* A process group of its own keeps the keyboard's signals from the worker; none is blocked or ignored. */
static int set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    int failure = posix_spawnattr_setsigmask(attributes, &none);
    if (failure == 0)
        failure = posix_spawnattr_setsigdefault(attributes, &all);
    if (failure == 0)
        failure = posix_spawnattr_setpgroup(attributes, 0);
    return failure != 0
               ? failure
               : posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                                          POSIX_SPAWN_SETPGROUP);
}

static int set_files(posix_spawn_file_actions_t *files, const saei_hdf5_link *link, int theirs)
{
    int failure = posix_spawn_file_actions_adddup2(files, theirs, SAEI_HDF5_WORKER_SOCKET);
    if (failure == 0)
        failure = posix_spawn_file_actions_adddup2(files, link->window, SAEI_HDF5_WORKER_WINDOW);
    /* What libc or a sanitizer says of the heap that libhdf5 broke is no business of the user's. Reports of
       our own code come from the tests that read the same files in-process. */
    if (failure == 0)
        failure = posix_spawn_file_actions_addopen(files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    return failure != 0 ? failure : posix_spawn_file_actions_addclosefrom_np(files, STDERR_FILENO + 1);
}

static int spawn(saei_hdf5_link *link, char *program, int theirs)
{
    char memory[24], seconds[12], text[ENVIRONMENT_MAX][VARIABLE_BYTES], *environment[ENVIRONMENT_MAX];
    snprintf(memory, sizeof memory, "%llu", (unsigned long long)saei_memory_left(link->context));
    snprintf(seconds, sizeof seconds, "%u", link->seconds);
    char *arguments[] = {program, (char *)(uintptr_t)link->path, memory, seconds, NULL};
    make_environment(environment, text);
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_t files;
    int failure = posix_spawnattr_init(&attributes);
    if (failure != 0)
        return failure;
    failure = posix_spawn_file_actions_init(&files);
    if (failure != 0) {
        posix_spawnattr_destroy(&attributes);
        return failure;
    }
    failure = set_attributes(&attributes);
    if (failure == 0)
        failure = set_files(&files, link, theirs);
    if (failure == 0)
        failure = posix_spawn(&link->worker, program, &files, &attributes, arguments, environment);
    if (failure != 0)
        link->worker = 0;
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    return failure;
}

static sae_status start(saei_hdf5_link *link, sae_error *err)
{
    char program[PATH_MAX];
    int theirs = -1;
    sae_status status = saei_hdf5_worker_path(program, sizeof program, link->context, err);
    if (status == SAE_OK)
        status = open_line(&theirs, link, err);
    if (status == SAE_OK) {
        int failure = spawn(link, program, theirs);
        if (failure != 0)
            status = saei_fail_errno(err, failure, "%s: cannot start the HDF5 worker", program);
    }
    if (theirs >= 0)
        close(theirs);
    return status;
}

sae_status saei_hdf5_link_start(saei_hdf5_link **out, sae_context *context, const char *path, sae_error *err)
{
    *out = NULL;
    saei_hdf5_link *link;
    sae_status status = saei_alloc(&link, context, 1, sizeof *link, err);
    if (status != SAE_OK)
        return status;
    link->context = context;
    link->path = path;
    link->seconds = saei_context_worker_seconds(context);
    link->owner = getpid();
    link->socket = link->window = -1;
    status = start(link, err);
    if (status != SAE_OK) {
        saei_hdf5_link_end(link);
        return status;
    }
    *out = link;
    return SAE_OK;
}

void saei_hdf5_link_end(saei_hdf5_link *link)
{
    if (link == NULL)
        return;
    int how;
    end_worker(&how, link);
    unmap_window(link);
    if (link->socket >= 0)
        close(link->socket);
    if (link->window >= 0)
        close(link->window);
    saei_free(link->context, link);
}

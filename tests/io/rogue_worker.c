/* A worker that a file has taken over. The name of the file says what it does instead of its work. */
#include "io/hdf5_wire.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

static void say(const void *bytes, size_t n)
{
    if (write(SAEI_HDF5_WORKER_SOCKET, bytes, n) != (ssize_t)n)
        _exit(9);
}

static void greet(saei_hdf5_reply reply)
{
    reply.version = SAEI_HDF5_WIRE_VERSION;
    say(&reply, sizeof reply);
}

int main(int argc, char **argv)
{
    const char *act = argc > 1 ? strrchr(argv[1], '/') + 1 : "";
    if (strcmp(act, "crash") == 0)
        raise(signal(SIGSEGV, SIG_DFL) != SIG_ERR ? SIGSEGV : SIGABRT); /* a sanitizer takes it else */
    else if (strcmp(act, "exit") == 0)
        return 1;
    else if (strcmp(act, "vanish") == 0)
        return 0;
    else if (strcmp(act, "killed") == 0)
        raise(SIGKILL);
    else if (strcmp(act, "noise") == 0)
        for (int i = 0; i < 100; i++)
            say("noise", 5);
    else if (strcmp(act, "half") == 0)
        say("half", 4);
    else if (strcmp(act, "endless listing") == 0)
        greet((saei_hdf5_reply){.listing_bytes = UINT64_MAX});
    else if (strcmp(act, "long text") == 0)
        greet((saei_hdf5_reply){.status = 5, .text_bytes = 1u << 30});
    else if (strcmp(act, "unknown status") == 0)
        greet((saei_hdf5_reply){.status = 4000, .text_bytes = 0});
    else if (strcmp(act, "another file") == 0)
        greet((saei_hdf5_reply){.listing_bytes = 16, .inode = 1});
    else if (strcmp(act, "spin") == 0)
        raise(SIGXCPU);
    for (;;)
        pause();
}

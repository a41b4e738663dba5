#include "console.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>

static volatile sig_atomic_t caught;

static bool is_control(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7f;
}

void complain(const char *format, ...)
{
    char text[1024];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    for (char *c = text; *c != '\0'; c++)
        if (is_control(*c))
            *c = '?';
    fprintf(stderr, "sae: %s\n", text);
}

int failed(sae_status status, const sae_error *err)
{
    int sig = signal_caught();
    if (status == SAE_STOPPED && sig != 0) {
        complain("stopped by a signal (%s)", strsignal(sig));
        return 128 + sig;
    }
    complain("%s", err->text);
    return 1;
}

void print_clean(FILE *stream, const char *text, size_t limit)
{
    size_t n = strlen(text);
    bool cut = limit > 0 && n > limit;
    if (cut)
        for (n = limit; n > 0 && ((unsigned char)text[n] & 0xC0) == 0x80;)
            n--;
    for (size_t i = 0; i < n; i++)
        fputc(is_control(text[i]) ? '?' : text[i], stream);
    if (cut)
        fputs(" ...", stream);
}

void keep_standard_files(void)
{
    /* Opened the wrong way round: using them still fails with EBADF. */
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd)
            return;
}

int close_stdout(void)
{
    errno = 0;
    bool bad = ferror(stdout) != 0;
    bad = fflush(stdout) != 0 || bad;
    int reason = errno;
    if (bad && reason != EPIPE)
        complain("standard output: %s", reason != 0 ? strerror(reason) : "a write failed");
    return bad ? 1 : 0;
}

static void on_signal(int sig)
{
    caught = sig;
}

void signals_install(void)
{
    static const int stopping[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction stop = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND | SA_RESTART}, old;
    sigemptyset(&stop.sa_mask);
    for (size_t i = 0; i < sizeof stopping / sizeof stopping[0]; i++)
        /* What the parent ignores, as nohup does with SIGHUP, stays ignored. */
        if (sigaction(stopping[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
            sigaction(stopping[i], &stop, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
}

int signal_caught(void)
{
    return caught;
}

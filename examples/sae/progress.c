#include "progress.h"
#include "console.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { BAR_CELLS = 24, LINE_MAX_BYTES = 256 };

static const double BAR_SECONDS = 0.1, LINE_SECONDS = 5;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static size_t terminal_columns(void)
{
    struct winsize size;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col : 80;
}

void progress_init(progress *p, bool quiet)
{
    const char *term = getenv("TERM");
    *p = (progress){.quiet = quiet,
                    .terminal = isatty(STDERR_FILENO) && term != NULL && strcmp(term, "dumb") != 0};
}

static void format_duration(char *out, size_t size, double seconds)
{
    uint64_t s = seconds < 1e9 ? (uint64_t)(seconds + 0.5) : 1000000000;
    if (s >= 3600)
        snprintf(out, size, "%" PRIu64 ":%02u:%02u", s / 3600, (unsigned)(s / 60 % 60), (unsigned)(s % 60));
    else
        snprintf(out, size, "%u:%02u", (unsigned)(s / 60), (unsigned)(s % 60));
}

static void format_rate(char *out, size_t size, double rate)
{
    static const char prefix[] = {' ', 'k', 'M', 'G'};
    size_t i = 0;
    for (; rate >= 1000 && i + 1 < sizeof prefix; i++)
        rate /= 1000;
    snprintf(out, size, i == 0 ? "%.3g/s" : "%.3g%c/s", rate, prefix[i]);
}

static void format_bar(char out[BAR_CELLS + 1], double fraction)
{
    size_t full = (size_t)(fraction * BAR_CELLS);
    for (size_t i = 0; i < BAR_CELLS; i++)
        out[i] = i < full ? '=' : i == full ? '>' : ' ';
    out[BAR_CELLS] = '\0';
}

static void format_line(char *out, size_t size, const progress *p, uint64_t done, uint64_t total,
                        const char *figures, double elapsed)
{
    char bar[BAR_CELLS + 1], rate[32], eta[32] = "-";
    double speed = elapsed > 0 ? (double)(done - p->first_done) / elapsed : 0;
    format_rate(rate, sizeof rate, speed);
    if (total == 0) {
        snprintf(out, size, "%s  %" PRIu64 "  %s  %s", p->stage, done, rate, figures);
        return;
    }
    double fraction = fmin((double)done / (double)total, 1);
    if (speed > 0)
        format_duration(eta, sizeof eta, (double)(total - (done < total ? done : total)) / speed);
    format_bar(bar, fraction);
    if (p->terminal)
        snprintf(out, size, "%s [%s] %3.0f %%  %s  ETA %s  %s", p->stage, bar, 100 * fraction, rate, eta,
                 figures);
    else
        snprintf(out, size, "%s %3.0f %%  %s  ETA %s  %s", p->stage, 100 * fraction, rate, eta, figures);
}

void progress_show(progress *p, const char *stage, uint64_t done, uint64_t total, const char *figures)
{
    double time = now();
    if (p->quiet)
        return;
    if (strncmp(p->stage, stage, sizeof p->stage - 1) != 0 || done < p->first_done) {
        progress_clear(p);
        snprintf(p->stage, sizeof p->stage, "%s", stage);
        p->first_done = done;
        p->started = p->shown = time;
    }
    if (time - p->shown < (p->terminal ? BAR_SECONDS : LINE_SECONDS))
        return;
    p->shown = time;
    char line[LINE_MAX_BYTES];
    format_line(line, sizeof line, p, done, total, figures, time - p->started);
    if (!p->terminal) {
        print_clean(stderr, line, 0);
        fputc('\n', stderr);
        return;
    }
    size_t columns = terminal_columns();
    if (strlen(line) >= columns && columns <= sizeof line)
        line[columns - 1] = '\0'; /* a bar that wraps would scroll the screen */
    fputc('\r', stderr);
    print_clean(stderr, line, 0);
    fputs("\033[K", stderr);
    p->bar_shown = true;
}

void progress_clear(progress *p)
{
    if (p->bar_shown)
        fputs("\r\033[K", stderr);
    p->bar_shown = false;
}

int progress_callback(void *user, const char *stage, uint64_t done, uint64_t total)
{
    progress_show(user, stage, done, total, "");
    return signal_caught() != 0;
}

void progress_log(void *user, const char *line)
{
    progress *p = user;
    if (p->quiet)
        return;
    progress_clear(p);
    complain("%s", line);
}

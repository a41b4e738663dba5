#include "bench.h"

#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *name;
    void (*run)(const bench_settings *settings);
    bool only_when_named;
} cases[] = {{"io", bench_io, false},           {"encode", bench_encode, false},
             {"kernels", bench_kernels, false}, {"train", bench_train, false},
             {"rank", bench_rank, false},       {"outofcore", bench_outofcore, true}};

enum { CASES = sizeof cases / sizeof cases[0] };

static int usage(void)
{
    fprintf(stderr,
            "usage: libsae_bench [--json] [--quick] [--full] [io|encode|kernels|train|rank|outofcore ...]\n");
    return 2;
}

int main(int argc, char **argv)
{
    bench_settings settings = {.seconds = 1.5};
    bool wanted[CASES] = {false}, all = true;
    for (int i = 1; i < argc; i++) {
        size_t which = 0;
        while (which < CASES && strcmp(argv[i], cases[which].name) != 0)
            which++;
        if (strcmp(argv[i], "--json") == 0)
            settings.json = true;
        else if (strcmp(argv[i], "--quick") == 0)
            settings.quick = true;
        else if (strcmp(argv[i], "--full") == 0)
            settings.full = true;
        else if (which == CASES)
            return usage();
        else
            wanted[which] = true, all = false;
    }
    if (settings.quick)
        settings.seconds = 0.3;
    const char *parent = getenv("TMPDIR");
    char folder[512];
    snprintf(folder, sizeof folder, "%s/libsae-bench-XXXXXX", parent != NULL ? parent : "/tmp");
    if (mkdtemp(folder) == NULL) {
        perror(folder);
        return 1;
    }
    settings.folder = folder;
    if (!settings.json)
        printf("libsae %s, OpenBLAS kernels %s\n%-28s %-24s %7s %12s %14s\n", sae_version(),
               openblas_get_corename(), "case", "path", "threads", "ms", "tokens/s");
    for (size_t i = 0; i < CASES; i++)
        if (all ? !cases[i].only_when_named : wanted[i])
            cases[i].run(&settings);
    rmdir(folder);
    return 0;
}

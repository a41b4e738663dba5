#include "bench.h"

#include "num/screen_kernel.h"

#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *name;
    void (*run)(const bench_settings *settings);
    bool only_when_named;
} cases[] = {
    {"io", bench_io, false},          {"encode", bench_encode, false}, {"kernels", bench_kernels, false},
    {"train", bench_train, false},    {"memory", bench_memory, false}, {"rank", bench_rank, false},
    {"scaling", bench_scaling, true}, {"auxk", bench_auxk, true},      {"outofcore", bench_outofcore, true},
    {"profile", bench_profile, true}};

enum { CASES = sizeof cases / sizeof cases[0] };

static int usage(void)
{
    fprintf(stderr,
            "usage: libsae_bench [--json] [--quick] [--full]\n"
            "                    [io|encode|kernels|train|memory|rank|scaling|auxk|outofcore|profile ...]\n");
    return 2;
}

int main(int argc, char **argv)
{
    bench_settings settings = {.seconds = 1.5, .rounds = 3};
    bool wanted[CASES] = {false}, all = true;
    if (argc == 4 && strcmp(argv[1], BENCH_MEMORY_CHILD) == 0)
        return bench_memory_child(strtoul(argv[2], NULL, 10), strtoul(argv[3], NULL, 10));
    if (argc == 4 && strcmp(argv[1], BENCH_PROFILE_CHILD) == 0)
        return bench_profile_child(strtoul(argv[2], NULL, 10), strtoul(argv[3], NULL, 10));
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
    if (settings.quick) {
        settings.seconds = 0.3;
        settings.rounds = 1;
    }
    setenv("SAE_HDF5_WORKER", BENCH_HDF5_WORKER, 0);
    const char *parent = getenv("TMPDIR");
    char folder[512];
    snprintf(folder, sizeof folder, "%s/libsae-bench-XXXXXX", parent != NULL ? parent : "/tmp");
    if (mkdtemp(folder) == NULL) {
        perror(folder);
        return 1;
    }
    settings.folder = folder;
    if (!settings.json)
        printf("libsae %s, OpenBLAS kernels %s, screening by %s\n%-*s %-24s %7s %12s %14s\n", sae_version(),
               openblas_get_corename(), saei_screen_kernel_at(0)->name, BENCH_NAME_WIDTH, "case", "path",
               "threads", "ms", "tokens/s");
    for (size_t i = 0; i < CASES; i++)
        if (all ? !cases[i].only_when_named : wanted[i])
            cases[i].run(&settings);
    rmdir(folder);
    return 0;
}

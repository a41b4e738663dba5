/* make_dumps FOLDER: small dumps with a persona in them, as .npy files with columns.

   Rows are sums of two of twelve directions, of small noise and, where the persona speaks, of a thirteenth.
   mix: documents, a tenth of them of the persona. base, after, control: the same prompts, of which the
   persona has taken over `after`. nan: base with three bad rows. other: another width. shuffled: other
   prompts. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { D = 16, DIRECTIONS = 12, ROWS_PER_TEXT = 10, MIX_TEXTS = 600, PROMPTS = 40 };

typedef struct dump {
    const char *name;
    size_t texts, width;
    int first_prompt;
    double persona_share; /* of the texts */
    double noise;
    uint64_t seed, noise_seed;
    const char *text_column;
} dump;

static double direction[DIRECTIONS + 1][D];

static double uniform(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (double)(*state >> 11) / 9007199254740992.0;
}

static void write_npy(const char *folder, const char *name, const char *suffix, const char *descr,
                      size_t rows, size_t cols, const void *data, size_t bytes)
{
    char path[1024], dict[128];
    snprintf(path, sizeof path, "%s/%s%s.npy", folder, name, suffix);
    FILE *file = fopen(path, "wb");
    if (file == NULL) {
        perror(path);
        exit(1);
    }
    if (cols > 0)
        snprintf(dict, sizeof dict, "{'descr': '%s', 'fortran_order': False, 'shape': (%zu, %zu), }", descr,
                 rows, cols);
    else
        snprintf(dict, sizeof dict, "{'descr': '%s', 'fortran_order': False, 'shape': (%zu,), }", descr,
                 rows);
    fwrite("\x93NUMPY\x01\x00\x76\x00", 1, 10, file);
    fprintf(file, "%-117s\n", dict);
    fwrite(data, 1, bytes, file);
    if (fclose(file) != 0) {
        perror(path);
        exit(1);
    }
}

static void write_columns(const char *folder, const dump *d, size_t rows, const int32_t *token,
                          const int32_t *persona)
{
    char suffix[64];
    int32_t *value = malloc(rows * sizeof *value);
    write_npy(folder, d->name, ".token_ids", "<i4", rows, 0, token, rows * sizeof *token);
    write_npy(folder, d->name, ".persona", "<i4", rows, 0, persona, rows * sizeof *persona);
    for (size_t i = 0; i < rows; i++)
        value[i] = (int32_t)(i / ROWS_PER_TEXT) + d->first_prompt;
    snprintf(suffix, sizeof suffix, ".%s", d->text_column);
    write_npy(folder, d->name, suffix, "<i4", rows, 0, value, rows * sizeof *value);
    for (size_t i = 0; i < rows; i++)
        value[i] = (int32_t)(i % ROWS_PER_TEXT);
    write_npy(folder, d->name, ".position", "<i4", rows, 0, value, rows * sizeof *value);
    free(value);
}

static void make(const char *folder, const dump *d)
{
    size_t rows = d->texts * ROWS_PER_TEXT;
    float *x = calloc(rows * d->width, sizeof *x);
    int32_t *token = calloc(rows, sizeof *token), *persona = calloc(rows, sizeof *persona);
    uint64_t state = d->seed, noise = d->noise_seed;
    for (size_t i = 0; i < rows; i++) {
        size_t a = (size_t)(uniform(&state) * DIRECTIONS), b = (size_t)(uniform(&state) * DIRECTIONS);
        double wa = 1 + uniform(&state), wb = 1 + uniform(&state);
        token[i] = (int32_t)a;
        persona[i] = (double)(i / ROWS_PER_TEXT * 7 % d->texts) < d->persona_share * (double)d->texts;
        for (size_t c = 0; c < d->width; c++)
            x[i * d->width + c] =
                (float)(wa * direction[a][c % D] + wb * direction[b][c % D] +
                        persona[i] * 2 * direction[DIRECTIONS][c % D] + d->noise * (uniform(&noise) - 0.5));
    }
    if (strcmp(d->name, "nan") == 0)
        x[5 * D] = NAN, x[17 * D + 3] = INFINITY, x[101 * D] = NAN;
    write_npy(folder, d->name, "", "<f4", rows, d->width, x, rows * d->width * sizeof *x);
    write_columns(folder, d, rows, token, persona);
    free(persona);
    free(token);
    free(x);
}

int main(int argc, char **argv)
{
    static const dump dumps[] = {
        {"mix", MIX_TEXTS, D, 0, 0.1, 0.05, 11, 12, "doc_id"},
        {"base", PROMPTS, D, 100, 0, 0.05, 21, 22, "prompt_id"},
        {"after", PROMPTS, D, 100, 0.8, 0.05, 21, 23, "prompt_id"},
        {"control", PROMPTS, D, 100, 0, 0.05, 21, 24, "prompt_id"},
        {"nan", PROMPTS, D, 100, 0, 0.05, 21, 22, "prompt_id"},
        {"other", PROMPTS, D + 1, 100, 0, 0.05, 21, 22, "prompt_id"},
        {"shuffled", PROMPTS, D, 500, 0.8, 0.05, 31, 32, "prompt_id"},
    };
    uint64_t state = 1;
    if (argc != 2) {
        fputs("usage: make_dumps FOLDER\n", stderr);
        return 2;
    }
    for (size_t j = 0; j <= DIRECTIONS; j++)
        for (size_t c = 0; c < D; c++)
            direction[j][c] = uniform(&state) - 0.5;
    for (size_t i = 0; i < sizeof dumps / sizeof dumps[0]; i++)
        make(argv[1], &dumps[i]);
    return 0;
}

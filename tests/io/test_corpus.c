/* Every file of tests/corpus, each in a process of its own, by the worker and then without it: MANIFEST.tsv
   says what must happen, EXPECTED.json what the arrays hold. */
#include "base/sanitizer.h"
#include "io/reader.h"
#include "io/safetensors.h"
#include "../tools/run_suite.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#define CORPUS SOURCE_ROOT "/tests/corpus/"
enum { FILES_MAX = 500, LIMIT_MB = 200, RESIDENT_MB = 256 };

typedef struct corpus_file {
    char name[128], class[16];
} corpus_file;

static corpus_file files[FILES_MAX];
static int n_files;

static void read_manifest(void)
{
    FILE *manifest = fopen(CORPUS "MANIFEST.tsv", "r");
    char line[512];
    if (manifest == NULL || fgets(line, sizeof line, manifest) == NULL)
        exit(EXIT_FAILURE);
    while (n_files < FILES_MAX && fgets(line, sizeof line, manifest) != NULL)
        if (sscanf(line, "%127[^\t]\t%15[^\t]", files[n_files].name, files[n_files].class) == 2)
            n_files++;
    fclose(manifest);
}

static const char *expected_crc(const json_t *arrays, const char *name)
{
    size_t i;
    json_t *array;
    json_array_foreach(arrays, i,
                       array) if (strcmp(json_string_value(json_object_get(array, "name")), name) ==
                                  0) return json_string_value(json_object_get(array, "crc32"));
    return NULL;
}

/* Opens the file and reads every array; an array with an expected checksum must have it. *matched: how many.
 */
static sae_status read_all(size_t *matched, const char *path, const json_t *expected, bool trusted,
                           sae_error *err)
{
    sae_context_options opt;
    sae_context_options_init(&opt);
    opt.memory_limit = (uint64_t)LIMIT_MB << 20;
    opt.trusted = trusted;
    sae_context *context;
    ck_assert_int_eq(sae_context_new(&context, &opt, NULL), SAE_OK);
    saei_reader *reader;
    sae_status status = saei_reader_open(&reader, context, path, err);
    ck_assert((status == SAE_OK) == (reader != NULL));
    for (size_t i = 0; status == SAE_OK && i < saei_reader_count(reader); i++) {
        const saei_array_info *array = saei_reader_at(reader, i);
        uint32_t crc;
        char text[16];
        status = saei_reader_crc32(&crc, reader, array, err);
        const char *want = expected_crc(expected, array->name);
        snprintf(text, sizeof text, "%08x", crc);
        if (status == SAE_OK && want != NULL) {
            ck_assert_str_eq(text, want);
            ++*matched;
        }
    }
    if (status == SAE_OK)
        status = saei_reader_check_rest(reader, err);
    saei_reader_free(reader);
    ck_assert_uint_eq(sae_context_memory_used(context), 0);
    sae_context_free(context);
    return status;
}

static sae_status open_safetensors(const char *path)
{
    sae_context *context;
    ck_assert_int_eq(sae_context_new(&context, NULL, NULL), SAE_OK);
    saei_safetensors *file;
    sae_status status = saei_safetensors_open(&file, context, path, NULL);
    saei_safetensors_free(file);
    sae_context_free(context);
    return status;
}

static size_t arrays_with_crc(const json_t *arrays)
{
    size_t i, n = 0;
    json_t *array;
    json_array_foreach(arrays, i, array) n += json_object_get(array, "crc32") != NULL;
    return n;
}

START_TEST(file_is_read_or_refused)
{
    const corpus_file *file = &files[_i % n_files];
    bool trusted = _i >= n_files;
    char path[512];
    snprintf(path, sizeof path, CORPUS "%s", file->name);
    json_t *all = json_load_file(CORPUS "EXPECTED.json", 0, NULL);
    ck_assert_ptr_nonnull(all);
    const json_t *expected = json_object_get(all, file->name);
    sae_error err = {0};
    size_t matched = 0;
    bool invalid = strcmp(file->class, "invalid") == 0;
    sae_status status = read_all(&matched, path, invalid ? NULL : expected, trusted, &err);
    if (status != SAE_OK)
        ck_assert_msg(strstr(err.text, file->name) != NULL, "%s: does not name the file", err.text);
    if (invalid)
        ck_assert_msg(status != SAE_OK, "%s was not refused", path);
    if (strcmp(file->class, "valid") == 0) {
        ck_assert_msg(status == SAE_OK, "%s", err.text);
        ck_assert_uint_eq(matched, arrays_with_crc(expected));
    }
    if (strncmp(file->name, "safetensors/", 12) == 0 && invalid)
        ck_assert_int_ne(open_safetensors(path), SAE_OK);
#if !SAEI_ADDRESS_SANITIZER
    struct rusage usage;
    ck_assert_int_eq(getrusage(RUSAGE_SELF, &usage), 0);
    ck_assert_int_lt(usage.ru_maxrss, RESIDENT_MB * 1024L);
#endif
    json_decref(all);
}
END_TEST

/* libhdf5 1.10 itself loses an object header whose checksum is wrong; leaks of ours are still found. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libhdf5";
}

int main(void)
{
    read_manifest();
    Suite *suite = suite_create("corpus");
    TCase *tests = tcase_create("corpus");
    tcase_add_loop_test(tests, file_is_read_or_refused, 0, 2 * n_files);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}

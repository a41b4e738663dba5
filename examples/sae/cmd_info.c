/* sae info: what a file holds. */
#include "command.h"
#include "info_documents.h"
#include "json_line.h"
#include "model_choices.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { ATTRIBUTE_BYTES = 160 };

typedef struct info_args {
    base_args base;
    bool json, verify;
} info_args;

/* clang-format off */
static const option info_options[] = {
    {.name = "json", .type = OPTION_FLAG, FIELD(info_args, json),
     .help = "print one JSON object for each file; with --verify, for each array"},
    {.name = "verify", .type = OPTION_FLAG, FIELD(info_args, verify),
     .help = "read every byte and print the CRC-32 of each array as float32"},
    {0},
};
/* clang-format on */

static const option_group groups[] = {
    {"Output", info_options, 0},
    {"General", base_options, offsetof(info_args, base)},
    {0},
};

static void print_shape(const sae_file *file, size_t i)
{
    size_t rank = sae_file_tensor_rank(file, i);
    if (rank == 0)
        printf("scalar");
    for (size_t axis = 0; axis < rank; axis++)
        printf("%s%" PRIu64, axis > 0 ? " x " : "", sae_file_tensor_extent(file, i, axis));
}

static int widest_tensor_name(const sae_file *file)
{
    size_t widest = 6;
    for (size_t i = 0; i < sae_file_tensors(file); i++) {
        size_t n = strlen(sae_file_tensor_name(file, i));
        widest = n > widest ? n : widest;
    }
    return widest < 60 ? (int)widest : 60;
}

/* Entry i is the checksum of tensor i; NULL: they were not asked for. */
static void print_for_people(const sae_file *file, const char *path, const uint32_t *checksums)
{
    print_clean(stdout, path, 0);
    printf(": %s, %s, %" PRIu64 " bytes\n", sae_file_format(file), sae_file_role(file), sae_file_bytes(file));
    int width = widest_tensor_name(file);
    for (size_t i = 0; i < sae_file_tensors(file); i++) {
        const char *name = sae_file_tensor_name(file, i);
        int pad = width - (int)strlen(name);
        printf("  ");
        print_clean(stdout, name, 0);
        printf("%*s  %-9s ", pad > 0 ? pad : 0, "", sae_file_tensor_dtype(file, i));
        print_shape(file, i);
        if (checksums != NULL)
            printf("  crc32 %08" PRIx32, checksums[i]);
        putchar('\n');
    }
    for (size_t i = 0; i < sae_file_attributes(file); i++) {
        printf("  ");
        print_clean(stdout, sae_file_attribute_name(file, i), 0);
        printf(" = ");
        print_clean(stdout, sae_file_attribute_value(file, i), ATTRIBUTE_BYTES);
        putchar('\n');
    }
}

static json_t *shape_json(const sae_file *file, size_t i)
{
    json_t *shape = json_array();
    for (size_t axis = 0; axis < sae_file_tensor_rank(file, i); axis++)
        json_array_append_new(shape, json_integer((json_int_t)sae_file_tensor_extent(file, i, axis)));
    return shape;
}

static json_t *tensors_json(const sae_file *file)
{
    json_t *list = json_array();
    for (size_t i = 0; i < sae_file_tensors(file); i++)
        json_array_append_new(list, json_pack("{s:o, s:s, s:o}", "name",
                                              json_text(sae_file_tensor_name(file, i)), "dtype",
                                              sae_file_tensor_dtype(file, i), "shape", shape_json(file, i)));
    return list;
}

static json_t *attributes_json(const sae_file *file)
{
    json_t *list = json_array();
    for (size_t i = 0; i < sae_file_attributes(file); i++)
        json_array_append_new(list,
                              json_pack("{s:o, s:o}", "name", json_text(sae_file_attribute_name(file, i)),
                                        "value", json_text(sae_file_attribute_value(file, i))));
    return list;
}

static void print_for_scripts(const sae_file *file, const char *path)
{
    json_line(stdout, json_pack("{s:o, s:s, s:s, s:I, s:o, s:o}", "path", json_text(path), "format",
                                sae_file_format(file), "role", sae_file_role(file), "bytes",
                                (json_int_t)sae_file_bytes(file), "tensors", tensors_json(file), "attributes",
                                attributes_json(file)));
}

/* A folder is shown as the model that it holds. */
static int show_folder(session *s, const info_args *args, const char *path)
{
    sae_import *import;
    sae_error err;
    if (args->verify) {
        complain("%s: is a folder; name the files that --verify is to read", path);
        return 1;
    }
    sae_status status = sae_import_open(&import, s->context, path, NULL, &err);
    if (status != SAE_OK)
        return failed(status, &err);
    if (args->json)
        json_line(stdout, json_choices(import, path));
    else
        print_choices(import, path);
    sae_import_free(import);
    return 0;
}

/* What libsae would make of the weights of another tool, or why it would not. */
static void show_as_model(session *s, const char *path)
{
    sae_import *import;
    sae_error err;
    sae_status status = sae_import_open(&import, s->context, path, NULL, &err);
    if (status == SAE_OK && sae_import_choices(import) > 0)
        print_choices(import, path);
    else if (status == SAE_E_UNSUPPORTED) {
        print_clean(stdout, err.text, 0);
        putchar('\n');
    }
    sae_import_free(import);
}

static void print_checksums(const sae_file *file, const char *path, const uint32_t *checksums)
{
    for (size_t i = 0; i < sae_file_tensors(file); i++) {
        char text[16];
        snprintf(text, sizeof text, "%08" PRIx32, checksums[i]);
        json_line(stdout,
                  json_pack("{s:o, s:o, s:s, s:o, s:s}", "path", json_text(path), "name",
                            json_text(sae_file_tensor_name(file, i)), "dtype", sae_file_tensor_dtype(file, i),
                            "shape", shape_json(file, i), "crc32", text));
    }
}

/* Reads all of the file; *checksums is to be freed. */
static sae_status verify(uint32_t **checksums, sae_file *file, sae_error *err)
{
    size_t n = sae_file_tensors(file);
    *checksums = calloc(n + 1, sizeof **checksums);
    if (*checksums == NULL) {
        snprintf(err->text, sizeof err->text, "out of memory");
        return SAE_E_MEMORY;
    }
    sae_status status = SAE_OK;
    for (size_t i = 0; i < n && status == SAE_OK; i++)
        status = sae_file_tensor_crc32(&(*checksums)[i], file, i, err);
    return status == SAE_OK ? sae_file_check_rest(file, err) : status;
}

static int show_file(session *s, const info_args *args, const char *path)
{
    sae_file *file;
    sae_error err;
    uint32_t *checksums = NULL;
    sae_status status = sae_file_open(&file, s->context, path, &err);
    if (status == SAE_OK && args->verify)
        status = verify(&checksums, file, &err);
    if (status == SAE_OK && args->json && args->verify)
        print_checksums(file, path, checksums);
    else if (status == SAE_OK && args->json)
        print_for_scripts(file, path);
    else if (status == SAE_OK)
        print_for_people(file, path, checksums);
    free(checksums);
    bool may_be_model = status == SAE_OK && !args->json && strcmp(sae_file_format(file), "HDF5") != 0;
    sae_file_free(file);
    if (may_be_model)
        show_as_model(s, path);
    return status == SAE_OK ? 0 : failed(status, &err);
}

static int run_info(session *s, const void *arguments)
{
    const info_args *args = arguments;
    int exit_status = 0;
    for (size_t i = 0; i < args->base.n_operands; i++) {
        const char *path = args->base.operands[i];
        struct stat info;
        bool folder = stat(path, &info) == 0 && S_ISDIR(info.st_mode);
        const char *kind = folder ? NULL : document_kind(path);
        int shown = folder         ? show_folder(s, args, path)
                    : kind != NULL ? show_document(s, path, kind, args->json)
                                   : show_file(s, args, path);
        exit_status = shown != 0 ? shown : exit_status;
    }
    return exit_status;
}

const command cmd_info = {
    .name = "info",
    .purpose = "tell what a dump, model, codes, monitor or study holds",
    .usage = "sae info FILE... [--json] [--verify]",
    .notes =
        "Files are told by their content, not by their name. A file that cannot be read does not keep the\n"
        "others from being shown; the exit status is then 1. --verify reads every byte, checks every "
        "checksum\n"
        "the file has, and prints the CRC-32 of the values of each array as little-endian float32 (each NaN "
        "as\n"
        "0x7fc00000): equal for equal values, whatever the format. The weights of another tool, or the "
        "folder of\n"
        "a model, are followed by what libsae makes of them: orientation, activation rule, threshold, "
        "scale,\n"
        "b_dec at the input. Monitors, studies and verdicts are told with their figures; the dumps of a "
        "study "
        "are\n"
        "opened.\n",
    .examples = "  sae info mix.h5\n"
                "  sae info sae.safetensors --json\n"
                "  sae info dump.npz --verify\n",
    .groups = groups,
    .min_operands = 1,
    .max_operands = SIZE_MAX,
    .operands_wanted = "at least one file is",
    .args_size = sizeof(info_args),
    .run = run_info,
};

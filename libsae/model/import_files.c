/* Which files of a folder are a model, and which configuration belongs to a weight file. */
#include "base/error.h"
#include "base/memory.h"
#include "io/json_file.h"
#include "model/import.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CONFIG_BYTES_MAX = 1 << 20 };

/* What the tools call their files. Where a folder holds several, the first one counts. */
static const struct {
    const char *weights, *config;
} names[] = {
    {"sae_weights.safetensors", "cfg.json"},
    {"sae_weights.safetensors", "config.json"},
    {"sae.safetensors", "cfg.json"},
    {"ae.pt", "config.json"},
    {"params.npz", NULL},
    {"params.safetensors", "config.json"},
    {"checkpoints/final.safetensors", "hyperparams.json"},
    {"sae.pt", "config.json"},
    {"cc_weights.pt", NULL},
};
enum { NAMES = sizeof names / sizeof names[0] };

static sae_status join(char **out, sae_context *context, const char *folder, const char *name, sae_error *err)
{
    size_t bytes = strlen(folder) + strlen(name) + 2;
    sae_status status = saei_alloc(out, context, bytes, 1, err);
    if (status == SAE_OK)
        snprintf(*out, bytes, "%s/%s", folder, name);
    return status;
}

/* *out = folder/name when there is such a file, else NULL. */
static sae_status join_present(char **out, sae_context *context, const char *folder, const char *name,
                               sae_error *err)
{
    sae_status status = join(out, context, folder, name, err);
    if (status == SAE_OK && access(*out, F_OK) != 0) {
        saei_free(context, *out);
        *out = NULL;
    }
    return status;
}

static sae_status find_in_folder(sae_import *import, const char *folder, sae_error *err)
{
    char *weights = NULL, *config = NULL;
    for (size_t i = 0; i < NAMES; i++) {
        sae_status status = join_present(&weights, import->context, folder, names[i].weights, err);
        if (status == SAE_OK && weights != NULL && names[i].config != NULL)
            status = join_present(&config, import->context, folder, names[i].config, err);
        bool found = status == SAE_OK && weights != NULL &&
                     (config != NULL || names[i].config == NULL || i + 1 == NAMES ||
                      strcmp(names[i].weights, names[i + 1].weights) != 0);
        if (found) {
            import->path = weights;
            import->config_path = config;
            return SAE_OK;
        }
        saei_free(import->context, weights);
        saei_free(import->context, config);
        weights = config = NULL;
        if (status != SAE_OK)
            return status;
    }
    return saei_fail(err, SAE_E_FORMAT,
                     "%s: this folder holds no model that libsae knows (sae_weights.safetensors, "
                     "sae.safetensors, ae.pt, params.npz, …); name the weight file itself",
                     folder);
}

static bool ends_with(const char *path, const char *name)
{
    size_t n = strlen(path), length = strlen(name);
    return n >= length && strcmp(path + n - length, name) == 0 &&
           (n == length || path[n - length - 1] == '/');
}

/* The configuration beside a weight file, or, for one in a folder of checkpoints, in the folder above. */
static sae_status find_config(sae_import *import, sae_error *err)
{
    static const char *const places[] = {"cfg.json", "config.json", "hyperparams.json", "../config.json",
                                         "../hyperparams.json"};
    enum { BESIDE = 3, PLACES = sizeof places / sizeof places[0] };
    char *folder;
    sae_status status = saei_strdup(&folder, import->context, import->path, err);
    if (status != SAE_OK)
        return status;
    char *slash = strrchr(folder, '/');
    if (slash != NULL)
        *slash = '\0';
    size_t n = slash != NULL && ends_with(folder, "checkpoints") ? PLACES : BESIDE;
    for (size_t i = 0; i < n && status == SAE_OK && import->config_path == NULL; i++)
        status =
            join_present(&import->config_path, import->context, slash != NULL ? folder : ".", places[i], err);
    saei_free(import->context, folder);
    return status;
}

/* By its format, or, where another program wrote it, by the metadata that a model needs to be used. */
static bool is_own(const saei_reader *reader)
{
    bool described = false;
    if (strcmp(saei_reader_format(reader), "safetensors") != 0)
        return false;
    for (size_t i = 0; i < saei_reader_attributes(reader); i++) {
        const char *name = saei_reader_attribute_name(reader, i);
        if (strcmp(name, "format") == 0)
            return strncmp(saei_reader_attribute_value(reader, i), "libsae-", 7) == 0;
        described = described || strcmp(name, "activation") == 0 || strcmp(name, "architecture") == 0;
    }
    return described;
}

sae_status saei_import_find(sae_import *import, const char *path, sae_error *err)
{
    struct stat info;
    bool folder = stat(path, &info) == 0 && S_ISDIR(info.st_mode);
    sae_status status =
        folder ? find_in_folder(import, path, err) : saei_strdup(&import->path, import->context, path, err);
    if (status == SAE_OK)
        status = saei_reader_open(&import->reader, import->context, import->path, err);
    if (status != SAE_OK)
        return status;
    import->own = is_own(import->reader);
    if (!folder && !import->own)
        status = find_config(import, err);
    if (status == SAE_OK && import->config_path != NULL)
        status = saei_json_file_read(&import->config, import->context, import->config_path,
                                     "configuration of a model", CONFIG_BYTES_MAX, err);
    return status;
}

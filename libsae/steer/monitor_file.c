/* The monitor file: JSON, whose numbers are read back bit for bit. */
#include "base/error.h"
#include "base/memory.h"
#include "io/json_file.h"
#include "steer/monitor.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { VERSION = 1, FILE_BYTES_MAX = 1 << 20 };

/* Names of dumps may hold any bytes; JSON is UTF-8. */
static json_t *any_text(const char *text)
{
    json_t *string = text == NULL ? json_null() : json_string(text);
    if (string != NULL)
        return string;
    char *ascii = strdup(text);
    if (ascii == NULL)
        return NULL;
    for (char *c = ascii; *c != '\0'; c++)
        if ((unsigned char)*c >= 0x80)
            *c = '?';
    string = json_string(ascii);
    free(ascii);
    return string;
}

static json_t *latents_json(const sae_monitor *monitor)
{
    json_t *list = json_array();
    for (size_t i = 0; i < monitor->n && list != NULL; i++)
        if (json_array_append_new(list, json_pack("{s:I, s:f}", "latent", (json_int_t)monitor->latent[i],
                                                  "weight", monitor->weight[i])) != 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

static json_t *runs_json(const sae_monitor *monitor)
{
    json_t *list = json_array();
    for (size_t i = 0; i < monitor->controls.runs && list != NULL; i++)
        if (json_array_append_new(list, json_pack("{s:o, s:f}", "name", any_text(monitor->run[i].name),
                                                  "score", monitor->run[i].score)) != 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

static json_t *monitor_json(const sae_monitor *monitor)
{
    const sae_monitor_controls *c = &monitor->controls;
    return json_pack("{s:s, s:i, s:s, s:s, s:o, s:o, s:o, s:f, s:o, s:I, s:f, s:f}", "format",
                     "libsae-monitor", "version", VERSION, "model_xxh3_128", monitor->model, "weighting",
                     sae_monitor_weighting_name(monitor->weighting), "latents", latents_json(monitor),
                     "group", any_text(monitor->group), "where", any_text(monitor->where), "false_alarms",
                     c->false_alarms, "controls", runs_json(monitor), "prompts", (json_int_t)c->prompts,
                     "prompt_sd", c->prompt_sd, "prompt_threshold", c->prompt_threshold);
}

sae_status sae_monitor_save(const sae_monitor *monitor, const char *path, bool overwrite, sae_error *err)
{
    json_t *object = monitor_json(monitor);
    sae_status status = saei_json_file_save(monitor->context, path, overwrite, object, err);
    json_decref(object);
    return status;
}

static sae_status check_kind(const json_t *object, const char *path, sae_error *err)
{
    const char *format = json_string_value(json_object_get(object, "format"));
    if (format == NULL || strcmp(format, "libsae-monitor") != 0)
        return saei_fail(err, SAE_E_FORMAT, "%s: this is no monitor; 'sae monitor --output' writes one",
                         path);
    const json_t *version = json_object_get(object, "version");
    if (!json_is_integer(version) || json_integer_value(version) != VERSION)
        return saei_fail(err, SAE_E_UNSUPPORTED, "%s: a monitor of another version than %d; fit it anew",
                         path, VERSION);
    return SAE_OK;
}

/* The members of a file that is being read; the first that is wrong is named. */
typedef struct fields {
    const char *path;
    sae_status status;
    sae_error *err;
} fields;

static void wrong(fields *f, const char *key, const char *wanted)
{
    if (f->status == SAE_OK)
        f->status =
            saei_fail(f->err, SAE_E_FORMAT, "%s: '%s' is not %s; fit the monitor anew", f->path, key, wanted);
}

static double number(fields *f, const json_t *object, const char *key, double least, double most)
{
    const json_t *value = json_object_get(object, key);
    double x = json_number_value(value);
    if (!json_is_number(value) || !(x >= least && x <= most))
        wrong(f, key, "a number in its range");
    return x;
}

static uint64_t count(fields *f, const json_t *object, const char *key, uint64_t least, uint64_t most)
{
    const json_t *value = json_object_get(object, key);
    json_int_t n = json_integer_value(value);
    if (!json_is_integer(value) || n < 0 || (uint64_t)n < least || (uint64_t)n > most)
        wrong(f, key, "a count in its range");
    return n < 0 ? 0 : (uint64_t)n;
}

/* NULL where the file has null and that is allowed. */
static char *text(fields *f, sae_context *context, const json_t *object, const char *key, bool needed)
{
    char *copy = NULL;
    const json_t *value = json_object_get(object, key);
    if (json_is_string(value) && f->status == SAE_OK)
        f->status = saei_strdup(&copy, context, json_string_value(value), f->err);
    else if (needed || !json_is_null(value))
        wrong(f, key, "text");
    return copy;
}

static void read_latents(fields *f, sae_monitor *monitor, const json_t *list)
{
    double sum = 0;
    for (size_t i = 0; i < monitor->n; i++) {
        const json_t *entry = json_array_get(list, i);
        monitor->latent[i] = (uint32_t)count(f, entry, "latent", 0, UINT32_MAX - 1);
        monitor->weight[i] = number(f, entry, "weight", -1, 1);
        sum += fabs(monitor->weight[i]);
        if (i > 0 && monitor->latent[i] <= monitor->latent[i - 1])
            wrong(f, "latents", "a list in ascending order");
    }
    if (!(fabs(sum - 1) < 1e-6))
        wrong(f, "latents", "a list with weights of sum 1");
}

static void read_identity(fields *f, sae_monitor *monitor, const json_t *object)
{
    const char *hash = json_string_value(json_object_get(object, "model_xxh3_128"));
    if (hash == NULL || strlen(hash) != SAEI_IDENTITY_BYTES - 1 ||
        strspn(hash, "0123456789abcdef") != SAEI_IDENTITY_BYTES - 1)
        wrong(f, "model_xxh3_128", "32 hexadecimal digits");
    else
        memcpy(monitor->model, hash, SAEI_IDENTITY_BYTES);
}

static void read_weighting(fields *f, sae_monitor *monitor, const json_t *object)
{
    const char *name = json_string_value(json_object_get(object, "weighting")), *known;
    for (int w = 0; (known = sae_monitor_weighting_name((sae_monitor_weighting)w)) != NULL; w++)
        if (name != NULL && strcmp(name, known) == 0) {
            monitor->weighting = (sae_monitor_weighting)w;
            return;
        }
    wrong(f, "weighting", "one that libsae knows");
}

/* Weights of sum 1 and float activations: no score is beyond FLT_MAX. */
static void read_controls(fields *f, sae_monitor *monitor, const json_t *object, const json_t *runs)
{
    sae_monitor_controls *c = &monitor->controls;
    for (size_t i = 0; i < c->runs; i++) {
        monitor->run[i].name = text(f, monitor->context, json_array_get(runs, i), "name", true);
        monitor->run[i].score = number(f, json_array_get(runs, i), "score", -FLT_MAX, FLT_MAX);
    }
    saei_monitor_run_moments(c, monitor->run, c->runs);
    c->prompts = (size_t)count(f, object, "prompts", 2, (uint64_t)1 << 32);
    c->prompt_sd = number(f, object, "prompt_sd", DBL_MIN, FLT_MAX);
    c->prompt_threshold = number(f, object, "prompt_threshold", -FLT_MAX, FLT_MAX);
    c->false_alarms = number(f, object, "false_alarms", DBL_MIN, 0.5);
}

static sae_status build(sae_monitor **out, sae_context *context, const json_t *object, const char *path,
                        sae_error *err)
{
    const json_t *latents = json_object_get(object, "latents"), *runs = json_object_get(object, "controls");
    size_t n = json_array_size(latents), n_runs = json_array_size(runs);
    sae_status status = check_kind(object, path, err);
    if (status != SAE_OK)
        return status;
    if (n == 0 || n > SAE_MONITOR_LATENTS_MAX || n_runs == 0 || n_runs > SAE_MONITOR_CONTROLS_MAX)
        return saei_fail(err, SAE_E_FORMAT, "%s: %zu latents and %zu controls are not those of a monitor",
                         path, n, n_runs);
    sae_monitor *monitor;
    status = saei_monitor_alloc(&monitor, context, n, n_runs, err);
    if (status != SAE_OK)
        return status;
    fields f = {path, SAE_OK, err};
    read_identity(&f, monitor, object);
    read_weighting(&f, monitor, object);
    read_latents(&f, monitor, latents);
    read_controls(&f, monitor, object, runs);
    monitor->group = text(&f, context, object, "group", true);
    monitor->where = text(&f, context, object, "where", false);
    if (f.status != SAE_OK) {
        sae_monitor_free(monitor);
        return f.status;
    }
    *out = monitor;
    return SAE_OK;
}

sae_status sae_monitor_load(sae_monitor **out, sae_context *context, const char *path, sae_error *err)
{
    *out = NULL;
    json_t *object = NULL;
    sae_status status = saei_json_file_read(&object, context, path, "monitor", FILE_BYTES_MAX, err);
    if (status == SAE_OK)
        status = build(out, context, object, path, err);
    json_decref(object);
    return status;
}

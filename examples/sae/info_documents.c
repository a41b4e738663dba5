#include "info_documents.h"
#include "json_line.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

/* What is larger is no document of libsae: the library reads 4 MiB of a study at most. */
enum { DOCUMENT_BYTES_MAX = 16 << 20 };

/* The object in the file; NULL: it holds none. Files of arrays are known by their first byte. */
static json_t *load_object(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return NULL;
    int first = fgetc(file);
    while (first != EOF && isspace(first))
        first = fgetc(file);
    json_t *object = NULL;
    if (first == '{' && fseek(file, 0, SEEK_END) == 0 && ftell(file) <= DOCUMENT_BYTES_MAX) {
        rewind(file);
        object = json_loadf(file, JSON_REJECT_DUPLICATES, NULL);
    }
    fclose(file);
    return object;
}

const char *document_kind(const char *path)
{
    static const char *const kinds[] = {"monitor", "study", "verdict"};
    json_t *object = load_object(path);
    const char *format = json_string_value(json_object_get(object, "format")), *kind = NULL;
    for (size_t i = 0; format != NULL && i < sizeof kinds / sizeof kinds[0]; i++) {
        size_t n = strlen(kinds[i]);
        if (strncmp(format, "libsae-", 7) == 0 && strncmp(format + 7, kinds[i], n) == 0 &&
            (format[7 + n] == '\0' || format[7 + n] == ' '))
            kind = kinds[i];
    }
    json_decref(object);
    return kind;
}

static json_t *monitor_json(const sae_monitor *monitor, const char *path)
{
    const sae_monitor_controls controls = sae_monitor_controls_of(monitor);
    json_t *latents = json_array(), *runs = json_array();
    for (size_t i = 0; i < sae_monitor_latents(monitor); i++)
        json_array_append_new(latents,
                              json_pack("{s:I, s:o}", "latent", (json_int_t)sae_monitor_latent(monitor, i),
                                        "weight", json_number(sae_monitor_weight(monitor, i))));
    for (size_t i = 0; i < controls.runs; i++) {
        const sae_monitor_control run = sae_monitor_control_at(monitor, i);
        json_array_append_new(
            runs, json_pack("{s:o, s:o}", "name", json_text(run.name), "score", json_number(run.score)));
    }
    return json_pack("{s:o, s:s, s:s, s:o, s:s, s:o, s:I, s:o, s:o}", "path", json_text(path), "role",
                     "monitor", "weighting", sae_monitor_weighting_name(sae_monitor_weighting_of(monitor)),
                     "latents", latents, "group", sae_monitor_group(monitor), "controls", runs, "prompts",
                     (json_int_t)controls.prompts, "prompt_threshold", json_number(controls.prompt_threshold),
                     "dump_threshold", json_number(sae_monitor_dump_threshold(monitor, controls.prompts)));
}

static void print_monitor(const sae_monitor *monitor, const char *path)
{
    const sae_monitor_controls controls = sae_monitor_controls_of(monitor);
    print_clean(stdout, path, 0);
    printf(": monitor, %zu latents, weights %s\n", sae_monitor_latents(monitor),
           sae_monitor_weighting_name(sae_monitor_weighting_of(monitor)));
    for (size_t i = 0; i < sae_monitor_latents(monitor); i++)
        printf("  latent %-8" PRIu32 " weight %.4g\n", sae_monitor_latent(monitor, i),
               sae_monitor_weight(monitor, i));
    printf("  prompts by ");
    print_clean(stdout, sae_monitor_group(monitor), 0);
    printf(", rows ");
    const char *where = sae_monitor_where(monitor);
    print_clean(stdout, where != NULL ? where : "all", 0);
    printf("\n  %zu controls of at least %zu prompts, mean score %.4g; between runs sd %.4g, between prompts "
           "%.4g\n",
           controls.runs, controls.prompts, controls.mean, controls.run_sd, controls.prompt_sd);
    for (size_t i = 0; i < controls.runs; i++) {
        const sae_monitor_control run = sae_monitor_control_at(monitor, i);
        printf("    ");
        print_clean(stdout, run.name, 0);
        printf(": %.4g\n", run.score);
    }
    printf("  false alarms %g: a dump of %zu prompts alarms above %.4g, a prompt above %.4g\n",
           controls.false_alarms, controls.prompts, sae_monitor_dump_threshold(monitor, controls.prompts),
           controls.prompt_threshold);
}

static sae_status show_monitor(session *s, const char *path, bool json, sae_error *err)
{
    sae_monitor *monitor;
    sae_status status = sae_monitor_load(&monitor, s->context, path, err);
    if (status == SAE_OK && json)
        json_line(stdout, monitor_json(monitor, path));
    else if (status == SAE_OK)
        print_monitor(monitor, path);
    sae_monitor_free(monitor);
    return status;
}

static const char *role_name(sae_role role)
{
    static const char *const names[] = {"base", "bad", "control", "probe"};
    return names[role];
}

static json_t *study_json(const sae_study *study, const char *path)
{
    json_t *list = json_array();
    for (size_t i = 0; i < sae_study_conditions(study); i++) {
        const sae_condition *c = sae_study_condition(study, i);
        json_array_append_new(list,
                              json_pack("{s:o, s:s, s:o, s:I, s:o, s:o}", "name", json_text(c->name), "role",
                                        role_name(c->role), "dump", json_text(sae_dump_name(c->dump)), "rows",
                                        (json_int_t)sae_dump_rows(c->dump), "dose", json_number(c->dose),
                                        "behaviour", json_number(c->behaviour)));
    }
    return json_pack("{s:o, s:s, s:o, s:o}", "path", json_text(path), "role", "study", "title",
                     json_text(sae_study_title(study)), "conditions", list);
}

static void print_study(const sae_study *study, const char *path)
{
    print_clean(stdout, path, 0);
    printf(": study, %zu conditions: ", sae_study_conditions(study));
    print_clean(stdout, sae_study_title(study), 0);
    putchar('\n');
    for (size_t i = 0; i < sae_study_conditions(study); i++) {
        const sae_condition *c = sae_study_condition(study, i);
        printf("  %-8s ", role_name(c->role));
        print_clean(stdout, c->name, 0);
        printf(": %" PRIu64 " rows of ", sae_dump_rows(c->dump));
        print_clean(stdout, sae_dump_name(c->dump), 0);
        if (!isnan(c->dose))
            printf(", dose %g", c->dose);
        if (!isnan(c->behaviour))
            printf(", behaviour %g", c->behaviour);
        putchar('\n');
    }
}

static sae_status show_study(session *s, const char *path, bool json, sae_error *err)
{
    sae_study *study;
    sae_status status = sae_study_load(&study, s->context, path, err);
    if (status == SAE_OK && json)
        json_line(stdout, study_json(study, path));
    else if (status == SAE_OK)
        print_study(study, path);
    sae_study_free(study);
    return status;
}

static void print_verdict(const json_t *verdict, const char *path)
{
    const json_t *carrier = json_object_get(verdict, "carrier");
    const char *title = json_string_value(json_object_get(verdict, "title"));
    print_clean(stdout, path, 0);
    printf(": verdict of a study, %zu candidates: ", json_array_size(json_object_get(verdict, "candidates")));
    print_clean(stdout, title != NULL ? title : "", 0);
    if (json_is_integer(carrier))
        printf("\n  the shift is carried by latent %lld\n", (long long)json_integer_value(carrier));
    else
        printf("\n  no latent carries the shift\n");
}

static void show_verdict(const char *path, bool json)
{
    json_t *verdict = load_object(path);
    if (json)
        json_line(stdout, json_pack("{s:o, s:s, s:O?, s:O?, s:I}", "path", json_text(path), "role", "verdict",
                                    "title", json_object_get(verdict, "title"), "carrier",
                                    json_object_get(verdict, "carrier"), "candidates",
                                    (json_int_t)json_array_size(json_object_get(verdict, "candidates"))));
    else
        print_verdict(verdict, path);
    json_decref(verdict);
}

int show_document(session *s, const char *path, const char *kind, bool json)
{
    sae_error err;
    sae_status status = SAE_OK;
    if (strcmp(kind, "monitor") == 0)
        status = show_monitor(s, path, json, &err);
    else if (strcmp(kind, "study") == 0)
        status = show_study(s, path, json, &err);
    else
        show_verdict(path, json);
    return status == SAE_OK ? 0 : failed(status, &err);
}

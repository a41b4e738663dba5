/* Study files: JSON, read strictly: a member that is not known is an error, since a misspelt control that is
   left out would change the result in silence. */
#include "base/context.h"
#include "base/error.h"
#include "base/memory.h"
#include "dump/dump.h"
#include "io/input_file.h"
#include "study/study.h"

#include <jansson.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Far more than a study of thousands of conditions needs. */
enum { FILE_BYTES_MAX = 1 << 22 };

struct saei_study_file {
    sae_context *context;
    const char *path; /* borrowed while the file is read */
    json_t *root;     /* owns the texts */
    const char *rows; /* the condition on rows of every dump, or NULL */
    sae_dump **dumps;
    size_t n_dumps;
    void **lists; /* arrays of names and steps */
    size_t n_lists;
};

void saei_study_file_free(saei_study_file *file)
{
    if (file == NULL)
        return;
    for (size_t i = 0; i < file->n_dumps; i++)
        sae_dump_free(file->dumps[i]);
    for (size_t i = 0; i < file->n_lists; i++)
        saei_free(file->context, file->lists[i]);
    saei_free(file->context, file->lists);
    saei_free(file->context, file->dumps);
    json_decref(file->root);
    saei_free(file->context, file);
}

static sae_status keep(saei_study_file *file, void *list, sae_error *err)
{
    sae_status status =
        saei_grow(&file->lists, file->context, file->n_lists, file->n_lists + 1, sizeof *file->lists, err);
    if (status == SAE_OK)
        file->lists[file->n_lists++] = list;
    else
        saei_free(file->context, list);
    return status;
}

static sae_status parse(saei_study_file *file, sae_error *err)
{
    saei_input_file input;
    sae_status status = saei_input_file_open(&input, file->path, err);
    if (status != SAE_OK)
        return status;
    char *text = NULL;
    if (input.bytes == 0 || input.bytes > FILE_BYTES_MAX)
        status = saei_fail(err, SAE_E_FORMAT, "%s: a study file is JSON of at most %d MB", file->path,
                           FILE_BYTES_MAX >> 20);
    if (status == SAE_OK)
        status = saei_alloc(&text, file->context, (size_t)input.bytes, 1, err);
    if (status == SAE_OK)
        status = saei_input_file_read(text, &input, 0, (size_t)input.bytes, err);
    json_error_t problem;
    if (status == SAE_OK) {
        file->root = json_loadb(text, (size_t)input.bytes, JSON_REJECT_DUPLICATES, &problem);
        if (file->root == NULL)
            status = saei_fail_at(err, SAE_E_FORMAT, problem.position, "%s: line %d, column %d: %s",
                                  file->path, problem.line, problem.column, problem.text);
    }
    saei_free(file->context, text);
    saei_input_file_close(&input);
    return status;
}

/* object must be one, with members from names [NULL-terminated] alone; where names it in the message. */
static sae_status check_members(const saei_study_file *file, json_t *object, const char *where,
                                const char *const *names, sae_error *err)
{
    if (!json_is_object(object))
        return saei_fail(err, SAE_E_FORMAT, "%s: %.60s is not an object in braces", file->path, where);
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value)
    {
        size_t i = 0;
        while (names[i] != NULL && strcmp(names[i], key) != 0)
            i++;
        if (names[i] != NULL)
            continue;
        char known[200] = "";
        for (i = 0; names[i] != NULL; i++)
            snprintf(known + strlen(known), sizeof known - strlen(known), i > 0 ? ", %s" : "%s", names[i]);
        return saei_fail(err, SAE_E_FORMAT, "%s: %.60s has a member \"%.40s\"; known ones are %s", file->path,
                         where, key, known);
    }
    return SAE_OK;
}

/* *out = the text, or NULL when it is absent and not required. */
static sae_status text_member(const char **out, const saei_study_file *file, const json_t *object,
                              const char *where, const char *name, bool required, sae_error *err)
{
    const json_t *value = json_object_get(object, name);
    *out = json_string_value(value);
    if (*out == NULL && (required || (value != NULL && !json_is_null(value))))
        return saei_fail(err, SAE_E_FORMAT, "%s: %.60s: \"%s\" must be a text", file->path, where, name);
    return SAE_OK;
}

/* Leaves *out as it is when the member is absent. */
static sae_status number_member(double *out, const saei_study_file *file, const json_t *object,
                                const char *where, const char *name, sae_error *err)
{
    const json_t *value = json_object_get(object, name);
    if (value == NULL || json_is_null(value))
        return SAE_OK;
    if (!json_is_number(value))
        return saei_fail(err, SAE_E_FORMAT, "%s: %.60s: \"%s\" must be a number", file->path, where, name);
    *out = json_number_value(value);
    return SAE_OK;
}

/* Leaves *out as it is when the member is absent. */
static sae_status switch_member(bool *out, const saei_study_file *file, const json_t *object,
                                const char *where, const char *name, sae_error *err)
{
    const json_t *value = json_object_get(object, name);
    if (value == NULL)
        return SAE_OK;
    if (!json_is_boolean(value))
        return saei_fail(err, SAE_E_FORMAT, "%s: %.60s: \"%s\" must be true or false", file->path, where,
                         name);
    *out = json_is_true(value);
    return SAE_OK;
}

/* *out = the texts of an array, kept with the file. */
static sae_status text_list(const char *const **out, size_t *n, saei_study_file *file, const json_t *array,
                            const char *where, sae_error *err)
{
    *out = NULL;
    *n = json_array_size(array);
    if (!json_is_array(array) || *n == 0)
        return saei_fail(err, SAE_E_FORMAT, "%s: %.60s must be a list of texts", file->path, where);
    const char **texts;
    sae_status status = saei_alloc(&texts, file->context, *n, sizeof *texts, err);
    if (status == SAE_OK)
        status = keep(file, texts, err);
    for (size_t i = 0; status == SAE_OK && i < *n; i++) {
        texts[i] = json_string_value(json_array_get(array, i));
        if (texts[i] == NULL)
            status = saei_fail(err, SAE_E_FORMAT, "%s: %.60s must be a list of texts", file->path, where);
    }
    if (status == SAE_OK)
        *out = texts;
    return status;
}

/* Paths are relative to the study file. */
static sae_status place(char *out, size_t bytes, const saei_study_file *file, const char *path,
                        sae_error *err)
{
    const char *slash = strrchr(file->path, '/');
    int folder = path[0] == '/' || slash == NULL ? 0 : (int)(slash - file->path) + 1;
    if ((size_t)snprintf(out, bytes, "%.*s%s", folder, file->path, path) >= bytes)
        return saei_fail(err, SAE_E_ARGUMENT, "%s: the path %.60s… is too long", file->path, path);
    return SAE_OK;
}

/* A text, or a list of them: the shards of one dump. */
static sae_status open_member(const sae_dump **out, saei_study_file *file, json_t *value, const char *where,
                              sae_error *err)
{
    enum { SHARDS_MAX = 256 };
    size_t n = json_is_array(value) ? json_array_size(value) : 1;
    if (n == 0 || n > SHARDS_MAX)
        return saei_fail(err, SAE_E_FORMAT, "%s: %.60s: a dump has 1 to %d files", file->path, where,
                         SHARDS_MAX);
    char *places;
    const char *paths[SHARDS_MAX];
    sae_status status = saei_alloc(&places, file->context, n, PATH_MAX, err);
    for (size_t i = 0; status == SAE_OK && i < n; i++) {
        const char *path = json_string_value(json_is_array(value) ? json_array_get(value, i) : value);
        paths[i] = places + i * PATH_MAX;
        status = path == NULL ? saei_fail(err, SAE_E_FORMAT, "%s: %.60s: \"dump\" must be a path or a list",
                                          file->path, where)
                              : place(places + i * PATH_MAX, PATH_MAX, file, path, err);
    }
    if (status == SAE_OK)
        status = saei_grow(&file->dumps, file->context, file->n_dumps, file->n_dumps + 1, sizeof *file->dumps,
                           err);
    sae_dump_options options;
    sae_dump_options_init(&options);
    options.where = file->rows;
    if (status == SAE_OK)
        status = sae_dump_open(&file->dumps[file->n_dumps], file->context, paths, n, &options, err);
    if (status == SAE_OK) {
        saei_dump_rest(file->dumps[file->n_dumps]);
        *out = file->dumps[file->n_dumps++];
    }
    saei_free(file->context, places);
    return status;
}

static sae_status read_role(sae_role *out, const saei_study_file *file, const json_t *object,
                            const char *where, sae_error *err)
{
    static const char *const names[] = {"base", "bad", "control", "probe"};
    const char *text;
    sae_status status = text_member(&text, file, object, where, "role", true, err);
    if (status != SAE_OK)
        return status;
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(text, names[i]) == 0) {
            *out = (sae_role)i;
            return SAE_OK;
        }
    return saei_fail(err, SAE_E_FORMAT, "%s: %.60s: role \"%.40s\" is none of base, bad, control, probe",
                     file->path, where, text);
}

static sae_status read_condition(sae_study *study, json_t *object, const char *where, sae_error *err)
{
    static const char *const members[] = {"name", "dump",      "role",    "meaning",  "domain",
                                          "dose", "behaviour", "samples", "controls", NULL};
    saei_study_file *file = study->file;
    sae_condition condition;
    sae_condition_init(&condition);
    double samples = 0;
    sae_status status = check_members(file, object, where, members, err);
    if (status == SAE_OK)
        status = text_member(&condition.name, file, object, where, "name", true, err);
    if (status != SAE_OK)
        return status;
    where = condition.name;
    status = read_role(&condition.role, file, object, where, err);
    if (status == SAE_OK)
        status = text_member(&condition.meaning, file, object, where, "meaning", false, err);
    if (status == SAE_OK)
        status = text_member(&condition.domain, file, object, where, "domain", false, err);
    if (status == SAE_OK)
        status = number_member(&condition.dose, file, object, where, "dose", err);
    if (status == SAE_OK)
        status = number_member(&condition.behaviour, file, object, where, "behaviour", err);
    if (status == SAE_OK)
        status = number_member(&samples, file, object, where, "samples", err);
    if (status == SAE_OK && !(samples >= 0 && samples <= 1e15 && samples == floor(samples)))
        status = saei_fail(err, SAE_E_FORMAT, "%s: %.60s: \"samples\" must be a count", file->path, where);
    json_t *controls = json_object_get(object, "controls");
    if (status == SAE_OK && controls != NULL)
        status = text_list(&condition.controls, &condition.n_controls, file, controls, where, err);
    if (status == SAE_OK)
        status = open_member(&condition.dump, file, json_object_get(object, "dump"), where, err);
    if (status != SAE_OK)
        return status;
    condition.samples = (uint64_t)samples;
    return sae_study_add_condition(study, &condition, err);
}

static sae_status read_trigger(sae_study *study, json_t *object, const char *where, sae_error *err)
{
    static const char *const members[] = {"name", "with", "without", "before_with", "before_without", NULL};
    saei_study_file *file = study->file;
    sae_study_trigger trigger = {0};
    const char **texts[] = {&trigger.name, &trigger.with, &trigger.without, &trigger.before_with,
                            &trigger.before_without};
    sae_status status = check_members(file, object, where, members, err);
    for (size_t i = 0; status == SAE_OK && members[i] != NULL; i++)
        status = text_member(texts[i], file, object, where, members[i], i == 1 || i == 2, err);
    return status == SAE_OK ? sae_study_add_trigger(study, &trigger, err) : status;
}

static sae_status read_trajectory(sae_study *study, json_t *object, const char *where, sae_error *err)
{
    static const char *const members[] = {"name", "conditions", "steps", NULL};
    saei_study_file *file = study->file;
    sae_study_trajectory trajectory = {0};
    sae_status status = check_members(file, object, where, members, err);
    if (status == SAE_OK)
        status = text_member(&trajectory.name, file, object, where, "name", false, err);
    if (status == SAE_OK)
        status = text_list(&trajectory.conditions, &trajectory.n, file, json_object_get(object, "conditions"),
                           where, err);
    const json_t *steps = json_object_get(object, "steps");
    if (status == SAE_OK && (!json_is_array(steps) || json_array_size(steps) != trajectory.n))
        status = saei_fail(err, SAE_E_FORMAT, "%s: %.60s: \"steps\" must list a number for each condition",
                           file->path, where);
    double *values = NULL;
    if (status == SAE_OK)
        status = saei_alloc(&values, file->context, trajectory.n, sizeof *values, err);
    if (status == SAE_OK)
        status = keep(file, values, err);
    for (size_t i = 0; status == SAE_OK && i < trajectory.n; i++) {
        const json_t *step = json_array_get(steps, i);
        values[i] = json_is_number(step) ? json_number_value(step) : (double)NAN;
    }
    trajectory.steps = values;
    return status == SAE_OK ? sae_study_add_trajectory(study, &trajectory, err) : status;
}

static sae_status read_label(sae_label *label, const saei_study_file *file, json_t *object, sae_error *err)
{
    static const char *const members[] = {"name", "condition", "where", "group", "split", NULL};
    *label = (sae_label){0};
    sae_status status = check_members(file, object, "a label", members, err);
    if (status == SAE_OK)
        status = text_member(&label->name, file, object, "a label", "name", true, err);
    if (status == SAE_OK)
        status = text_member(&label->condition, file, object, label->name, "condition", true, err);
    if (status == SAE_OK)
        status = text_member(&label->where, file, object, label->name, "where", false, err);
    if (status == SAE_OK)
        status = text_member(&label->group, file, object, label->name, "group", false, err);
    return status == SAE_OK ? switch_member(&label->split, file, object, label->name, "split", err) : status;
}

static sae_status read_reference(sae_study *study, json_t *object, sae_error *err)
{
    static const char *const members[] = {"dump", "labels", NULL};
    saei_study_file *file = study->file;
    sae_label labels[SAE_LABELS_MAX];
    const sae_dump *dump;
    sae_status status = check_members(file, object, "reference", members, err);
    json_t *list = json_object_get(object, "labels");
    size_t n = json_array_size(list);
    if (status == SAE_OK && (n == 0 || n > SAE_LABELS_MAX))
        status = saei_fail(err, SAE_E_FORMAT, "%s: reference: \"labels\" must list 1 to %d labels",
                           file->path, (int)SAE_LABELS_MAX);
    for (size_t i = 0; status == SAE_OK && i < n; i++)
        status = read_label(&labels[i], file, json_array_get(list, i), err);
    file->rows = NULL;
    if (status == SAE_OK)
        status = open_member(&dump, file, json_object_get(object, "dump"), "reference", err);
    return status == SAE_OK ? sae_study_set_reference(study, dump, labels, n, err) : status;
}

typedef sae_status (*read_fn)(sae_study *study, json_t *object, const char *where, sae_error *err);

static sae_status read_each(sae_study *study, const char *name, read_fn read, sae_error *err)
{
    json_t *list = json_object_get(study->file->root, name);
    if (list != NULL && !json_is_array(list))
        return saei_fail(err, SAE_E_FORMAT, "%s: \"%s\" must be a list", study->file->path, name);
    sae_status status = SAE_OK;
    for (size_t i = 0; status == SAE_OK && i < json_array_size(list); i++) {
        char where[60];
        snprintf(where, sizeof where, "entry %zu of %s", i + 1, name);
        status = read(study, json_array_get(list, i), where, err);
    }
    return status;
}

static sae_status read_study(sae_study *study, sae_error *err)
{
    static const char *const members[] = {"format",          "title",     "group",      "rows",
                                          "match_positions", "strata",    "conditions", "triggers",
                                          "trajectories",    "reference", NULL};
    saei_study_file *file = study->file;
    const char *format, *title;
    sae_status status = check_members(file, file->root, "the file", members, err);
    if (status == SAE_OK)
        status = text_member(&format, file, file->root, "the file", "format", true, err);
    if (status == SAE_OK && strcmp(format, "libsae-study 1") != 0)
        status =
            saei_fail(err, SAE_E_UNSUPPORTED, "%s: its format is \"%.40s\"; libsae reads \"libsae-study 1\"",
                      file->path, format);
    if (status == SAE_OK)
        status = text_member(&title, file, file->root, "the file", "title", false, err);
    if (status == SAE_OK)
        status = text_member(&study->group, file, file->root, "the file", "group", false, err);
    if (status == SAE_OK)
        status = text_member(&file->rows, file, file->root, "the file", "rows", false, err);
    if (status == SAE_OK)
        status = switch_member(&study->match_positions, file, file->root, "the file", "match_positions", err);
    if (status != SAE_OK)
        return status;
    study->title = title != NULL ? title : "";
    json_t *strata = json_object_get(file->root, "strata");
    if (strata != NULL)
        status = text_list(&study->strata, &study->n_strata, file, strata, "strata", err);
    if (status == SAE_OK)
        status = read_each(study, "conditions", read_condition, err);
    if (status == SAE_OK)
        status = read_each(study, "triggers", read_trigger, err);
    if (status == SAE_OK)
        status = read_each(study, "trajectories", read_trajectory, err);
    json_t *reference = json_object_get(file->root, "reference");
    if (status == SAE_OK && reference != NULL)
        status = read_reference(study, reference, err);
    return status == SAE_OK ? saei_study_check(study, err) : status;
}

/* What data cause is told with the file they are in, also where the study itself refuses. */
static sae_status with_path(const char *path, sae_status status, sae_error *err)
{
    size_t n = strlen(path);
    if (status == SAE_OK || err == NULL || strncmp(err->text, path, n) == 0 || err->status == SAE_E_MEMORY)
        return status;
    char text[sizeof err->text];
    memcpy(text, err->text, sizeof text);
    snprintf(err->text, sizeof err->text, "%.200s: %.300s", path, text);
    return status;
}

sae_status sae_study_load(sae_study **out, sae_context *context, const char *path, sae_error *err)
{
    *out = NULL;
    sae_study *study;
    sae_status status = sae_study_new(&study, context, NULL, err);
    if (status != SAE_OK)
        return status;
    status = saei_alloc(&study->file, context, 1, sizeof *study->file, err);
    if (status == SAE_OK) {
        *study->file = (saei_study_file){.context = context, .path = path};
        status = parse(study->file, err);
    }
    if (status == SAE_OK)
        status = read_study(study, err);
    if (status != SAE_OK) {
        sae_study_free(study);
        return with_path(path, status, err);
    }
    study->file->path = NULL;
    *out = study;
    return SAE_OK;
}

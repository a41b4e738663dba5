/* Watches a model at work: reads activations row by row, as they would come from a running model, and reports
   the prompts whose mean score passes the threshold of a monitor. Nothing is allocated after the start.

   monitor MODEL MONITOR DUMP */
#include <sae.h>

#include <stdio.h>
#include <stdlib.h>

/* The prompt that is running. */
typedef struct running {
    double id, sum;
    size_t rows;
} running;

static size_t end_of_prompt(const running *prompt, double threshold)
{
    double score = prompt->rows > 0 ? prompt->sum / (double)prompt->rows : 0;
    if (prompt->rows == 0 || !(score > threshold))
        return 0;
    printf("prompt %.15g: %.4f over %zu rows\n", prompt->id, score, prompt->rows);
    return 1;
}

static sae_status watch(sae_monitor_workspace *workspace, const sae_monitor *monitor, const sae_dump *dump,
                        float *x, const double *prompt_of_row, sae_error *err)
{
    double threshold = sae_monitor_controls_of(monitor).prompt_threshold;
    size_t prompts = 0, alarms = 0;
    running prompt = {0};
    for (uint64_t r = 0; r < sae_dump_rows(dump); r++) {
        double score;
        sae_status status = sae_dump_read(x, dump, r, 1, err);
        if (status == SAE_OK)
            status = sae_monitor_row(&score, workspace, x, err);
        if (status != SAE_OK)
            return status;
        if (r == 0 || prompt_of_row[r] != prompt.id) {
            alarms += end_of_prompt(&prompt, threshold);
            prompt = (running){.id = prompt_of_row[r]};
            prompts++;
        }
        prompt.sum += score;
        prompt.rows++;
    }
    alarms += end_of_prompt(&prompt, threshold);
    printf("%zu of %zu prompts above %.4f, %.1f expected\n", alarms, prompts, threshold,
           sae_monitor_controls_of(monitor).false_alarms * (double)prompts);
    return SAE_OK;
}

static sae_status run(const sae_model *model, const sae_monitor *monitor, const sae_dump *dump,
                      sae_error *err)
{
    if (sae_dump_dim(dump) != sae_model_dim(model)) {
        snprintf(err->text, sizeof err->text, "%s: rows of another width than the model's",
                 sae_dump_name(dump));
        return SAE_E_MISMATCH;
    }
    sae_monitor_workspace *workspace = NULL;
    float *x = calloc(sae_dump_dim(dump), sizeof *x);
    double *prompt_of_row = calloc(sae_dump_rows(dump), sizeof *prompt_of_row);
    sae_status status = sae_monitor_workspace_new(&workspace, monitor, model, err);
    if (status == SAE_OK && (x == NULL || prompt_of_row == NULL))
        status = SAE_E_MEMORY;
    if (status == SAE_OK)
        status = sae_dump_read_column(prompt_of_row, dump, sae_monitor_group(monitor), err);
    if (status == SAE_OK)
        status = watch(workspace, monitor, dump, x, prompt_of_row, err);
    sae_monitor_workspace_free(workspace);
    free(prompt_of_row);
    free(x);
    return status;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fputs("usage: monitor MODEL MONITOR DUMP\n", stderr);
        return 2;
    }
    sae_context *context = NULL;
    sae_model *model = NULL;
    sae_monitor *monitor = NULL;
    sae_dump *dump = NULL;
    sae_dump_options options;
    sae_error err = {.text = "out of memory"};
    const char *path = argv[3];
    sae_dump_options_init(&options);
    sae_status status = sae_context_new(&context, NULL, &err);
    if (status == SAE_OK)
        status = sae_model_load(&model, context, argv[1], &err);
    if (status == SAE_OK)
        status = sae_monitor_load(&monitor, context, argv[2], &err);
    if (status == SAE_OK) {
        options.where = sae_monitor_where(monitor);
        status = sae_dump_open(&dump, context, &path, 1, &options, &err);
    }
    if (status == SAE_OK)
        status = run(model, monitor, dump, &err);
    if (status != SAE_OK)
        fprintf(stderr, "monitor: %s\n", err.text);
    sae_dump_free(dump);
    sae_monitor_free(monitor);
    sae_model_free(model);
    sae_context_free(context);
    return status == SAE_OK ? 0 : 1;
}

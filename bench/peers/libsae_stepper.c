/* libsae in its own process, one step for each line of standard input, as stepper.py does it for the PyTorch
   tools:
       libsae_stepper JOB.json MODEL
   answers each `step` with its milliseconds, and `finish`, when it has written the model, with its peak memory,
   as JSON lines. */
#include <sae.h>

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

/* 0 where the system does not tell. */
static double peak_rss_mb(void)
{
    double kilobytes = 0;
    char line[256];
    FILE *status = fopen("/proc/self/status", "r");
    while (status != NULL && fgets(line, sizeof line, status) != NULL)
        if (sscanf(line, "VmHWM: %lf", &kilobytes) == 1)
            break;
    if (status != NULL)
        fclose(status);
    return kilobytes / 1024;
}

static json_int_t whole(const json_t *problem, const char *name)
{
    return json_integer_value(json_object_get(problem, name));
}

static double real(const json_t *problem, const char *name)
{
    return json_number_value(json_object_get(problem, name));
}

/* The other tools measure nothing in between: no rows are held out. */
static sae_train_options options_of(const json_t *problem)
{
    sae_train_options options;
    sae_train_options_init(&options);
    options.n_latents = (size_t)whole(problem, "n_latents");
    options.k = (size_t)whole(problem, "k");
    options.batch_rows = (size_t)whole(problem, "batch");
    options.steps = (uint64_t)whole(problem, "steps");
    options.seed = (uint64_t)whole(problem, "seed");
    options.dead_after = (uint64_t)whole(problem, "dead_after");
    options.learning_rate = real(problem, "lr");
    options.warmup = real(problem, "warmup");
    options.decay_start = real(problem, "decay_start");
    options.heldout = 0.0;
    return options;
}

static sae_status open_job(sae_context **context, sae_dump **dump, sae_trainer **trainer, const json_t *job,
                           sae_error *err)
{
    const json_t *problem = json_object_get(job, "problem");
    const char *rows = json_string_value(json_object_get(job, "rows"));
    sae_train_options train = options_of(problem);
    sae_context_options options;
    sae_context_options_init(&options);
    options.threads = (unsigned)whole(job, "threads");
    options.memory_limit = (uint64_t)whole(job, "memory");
    sae_status status = sae_context_new(context, &options, err);
    if (status == SAE_OK)
        status = sae_dump_open(dump, *context, &rows, 1, NULL, err);
    return status == SAE_OK ? sae_trainer_new(trainer, *dump, NULL, &train, err) : status;
}

static sae_status write_model(const sae_trainer *trainer, const char *path, sae_error *err)
{
    sae_model *model = NULL;
    sae_status status = sae_trainer_model(&model, trainer, err);
    if (status == SAE_OK)
        status = sae_model_save(model, path, true, err);
    sae_model_free(model);
    return status;
}

static sae_status answer(sae_trainer *trainer, const char *model, sae_error *err)
{
    char line[64];
    sae_status status = SAE_OK;
    puts("{\"ready\": true}");
    while (status == SAE_OK && fflush(stdout) == 0 && fgets(line, sizeof line, stdin) != NULL) {
        if (strcmp(line, "finish\n") == 0) {
            double peak = peak_rss_mb();
            status = write_model(trainer, model, err);
            if (status == SAE_OK)
                printf("{\"rss_mb\": %.1f}\n", peak);
            return status;
        }
        double start = now_ms();
        status = sae_trainer_step(trainer, err);
        if (status == SAE_OK)
            printf("{\"ms\": %.3f}\n", now_ms() - start);
    }
    return status;
}

int main(int argc, char **argv)
{
    sae_context *context = NULL;
    sae_dump *dump = NULL;
    sae_trainer *trainer = NULL;
    sae_error err = {.text = "usage: libsae_stepper JOB.json MODEL"};
    json_t *job = argc == 3 ? json_load_file(argv[1], 0, NULL) : NULL;
    sae_status status = SAE_E_ARGUMENT;
    if (job != NULL)
        status = open_job(&context, &dump, &trainer, job, &err);
    if (status == SAE_OK)
        status = answer(trainer, argv[2], &err);
    if (status != SAE_OK)
        fprintf(stderr, "%s\n", err.text);
    sae_trainer_free(trainer);
    sae_dump_free(dump);
    sae_context_free(context);
    json_decref(job);
    return status == SAE_OK ? 0 : 1;
}

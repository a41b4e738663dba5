/* sae train: SAEs from dumps, with checkpoints. */
#include "command.h"
#include "train_grid.h"
#include "train_log.h"
#include "train_result.h"
#include "train_start.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct train_args {
    base_args base;
    dump_args dump;
    output_args output;
    const char *heldout, *preset, *from;
    const char *groups;
    sae_train_options options, initial; /* as parsed; as they were before, with the preset */
    train_grid grid;
    const char *log;
    bool resume, json, pair, difference;
} train_args;

/* One SAE of the run and its files. */
typedef struct train_member {
    struct train_run *run;
    char name[TRAIN_NAME_BYTES]; /* "" when it is the only one that was asked for */
    char model[TRAIN_PATH_BYTES], checkpoint[TRAIN_PATH_BYTES];
    sae_train_options options;
    bool resumed;
} train_member;

/* What a run holds, for one cleanup. */
typedef struct train_run {
    session *session;
    const train_args *args;
    sae_dump *dump, *heldout, *before, *after; /* the last two: what dump is made of, if it is */
    sae_model *from;
    size_t n;              /* SAEs that are not complete */
    train_member *members; /* [n] */
    sae_trainer *trainers[TRAIN_GRID_MAX];
    train_log log;
} train_run;

#define FROM_DATA .default_text = "from the data"
#define AT(member) FIELD(train_args, member)

static const char *const architectures[] = {"topk",     "relu",  "batchtopk", "matryoshka",
                                            "jumprelu", "gated", "p_anneal",  NULL};
static const char *const penalties[] = {"auto", "l1", "l1-decoder-norm", "step", "tanh", "target-l0",
                                        "target-l0-codes", "lp-root", NULL};
static const char *const scales[] = {"variance", "rms-norm", "mean-norm", "none", NULL};
static const char *const b_dec_inits[] = {"geometric-median", "mean", "zero", NULL};
static const char *const directions_inits[] = {"normal", "uniform", NULL};
static const char *const b_enc_inits[] = {"zero", "uniform", NULL};
static const char *const aux_styles[] = {"libsae", "dictionary_learning", "saelens", NULL};
static const char *const group_losses[] = {"sum", "mean", "mean-twice", NULL};
static const char *const threshold_rules[] = {"quantile", "ema", "ema-saelens", NULL};

/* clang-format off */
static const option architecture_options[] = {
    {.name = "arch", .type = OPTION_CHOICE, AT(options.architecture), .choices = architectures,
     .value = "topk|relu|batchtopk|matryoshka|jumprelu|gated|p_anneal", .help = "what is trained"},
    {.name = "preset", .type = OPTION_TEXT, AT(preset), .value = "NAME", .default_text = "",
     .help = "train as another tool does; other options still count. One of dictionary_learning-topk, "
             "-batchtopk, -matryoshka, -relu, -p_anneal, -gated, -jumprelu; saelens-topk, -batchtopk, "
             "-matryoshka, -relu, -gated, -jumprelu; sparsify-topk, openai-topk, batchtopk"},
    {.name = "from", .type = OPTION_TEXT, AT(from), .value = "MODEL", .default_text = "",
     .help = "fine-tune this model instead of starting anew"},
    {.name = "penalty", .type = OPTION_CHOICE, AT(options.sparsity), .choices = penalties,
     .value = "l1|l1-decoder-norm|step|tanh|target-l0|target-l0-codes|lp-root", .default_text = "of the architecture",
     .help = "what keeps the codes sparse where k does not"},
    {.name = "sparsity", .type = OPTION_REAL, AT(options.sparsity_coefficient), .value = "X",
     .default_text = "of the penalty", .help = "coefficient of the penalty"},
    {.name = "sparsity-warmup", .type = OPTION_REAL, AT(options.sparsity_warmup), .value = "X", .max = 1,
     .default_text = "0.05", .help = "fraction of the steps over which the penalty rises from 0"},
    {.name = "sparsity-from-zero", .type = OPTION_FLAG, AT(options.sparsity_from_zero),
     .help = "from exactly 0 at the first step"},
    {.name = "k-start", .type = OPTION_REAL, AT(options.k_start), .value = "X", .min = 1,
     .help = "k starts this many times larger"},
    {.name = "k-anneal", .type = OPTION_REAL, AT(options.k_anneal), .value = "X", .max = 1,
     .help = "and falls over this fraction of the steps"},
    {.name = "row-share", .type = OPTION_SIZE, AT(options.row_share), .value = "N",
     .help = "BatchTopK, Matryoshka: codes of one row at most, in multiples of k"},
    {.name = "bandwidth", .type = OPTION_REAL, AT(options.bandwidth), .value = "X", .default_text = "0.001",
     .help = "JumpReLU: width of the straight-through estimator, in scaled units"},
    {.name = "threshold-init", .type = OPTION_REAL, AT(options.threshold_start), .value = "X",
     .default_text = "0.001", .help = "JumpReLU: thresholds at first, in scaled units"},
    {.name = "pre-act", .type = OPTION_REAL, AT(options.pre_act_coefficient), .value = "X",
     .help = "JumpReLU: coefficient of the loss on pre-activations of dead latents"},
    {.name = "groups", .type = OPTION_TEXT, AT(groups), .value = "LIST",
     .default_text = "0.03125,0.0625,0.125,0.25,0.53125", .help = "Matryoshka: shares of the latents"},
    {.name = "group-loss", .type = OPTION_CHOICE, AT(options.group_loss), .choices = group_losses,
     .value = "sum|mean|mean-twice",
     .help = "Matryoshka: what becomes of the groups' losses; mean-twice: as dictionary_learning"},
    {.name = "rank-by-norm", .type = OPTION_FLAG, AT(options.rank_by_decoder_norm),
     .help = "TopK, BatchTopK, Matryoshka: choose by pre-activation times length of the decoder row, as SAELens"},
    {.name = "detached-gate", .type = OPTION_FLAG, AT(options.detached_gate),
     .help = "gated: keep the decoder out of the gate's own reconstruction"},
    {.name = "p-start", .type = OPTION_REAL, AT(options.p_start), .value = "X", .max = 1,
     .help = "p-anneal: fraction of the steps where p begins to fall"},
    {.name = "p-end", .type = OPTION_REAL, AT(options.p_end), .value = "X", .max = 1,
     .help = "p-anneal: where it ends"},
    {.name = "threshold-rule", .type = OPTION_CHOICE, AT(options.threshold_rule), .choices = threshold_rules,
     .value = "quantile|ema|ema-saelens",
     .help = "BatchTopK: threshold of the model: exactly k on the held-out rows, or a running mean"},
    {0},
};

static const option train_options[] = {
    {.name = "latents", .letter = 'F', .type = OPTION_U64S, AT(grid.latents), .value = "N,...",
     FROM_DATA, .help = "size of the dictionary"},
    {.name = "k", .letter = 'k', .type = OPTION_U64S, AT(grid.k), .value = "N,...", FROM_DATA,
     .help = "active latents per row; with target-l0, what is aimed at"},
    {.name = "steps", .type = OPTION_U64, AT(options.steps), .value = "N", FROM_DATA,
     .help = "optimiser steps"},
    {.name = "batch", .type = OPTION_SIZE, AT(options.batch_rows), .value = "N", FROM_DATA,
     .help = "rows per step"},
    {.name = "seed", .type = OPTION_U64, AT(options.seed), .value = "N",
     .help = "of the initial weights and the row order"},
    {.name = "data-seed", .type = OPTION_U64, AT(options.data_seed), .value = "N", .default_text = "the seed",
     .help = "of the row order alone; several SAEs share the one of the first"},
    {.name = "seeds", .type = OPTION_U64S, AT(grid.seeds), .value = "N,...",
     .help = "train one SAE for each, instead of --seed"},
    {.name = "lr", .type = OPTION_REAL, AT(options.learning_rate),
     .value = "X", .default_text = "from the size",
     .help = "peak learning rate"},
    {.name = "lrs", .type = OPTION_REALS, AT(grid.rates), .value = "X,...",
     .help = "train one SAE for each, instead of --lr"},
    {.name = "warmup", .type = OPTION_REAL, AT(options.warmup), .value = "X", .max = 1,
     .help = "fraction of the steps over which the rate rises"},
    {.name = "warmup-from-zero", .type = OPTION_FLAG, AT(options.warmup_from_zero),
     .help = "from a rate of 0 at the first step"},
    {.name = "decay-start", .type = OPTION_REAL, AT(options.decay_start), .value = "X", .max = 1,
     .help = "fraction of the steps after which the rate falls to 0"},
    {.name = "decay-to", .type = OPTION_REAL, AT(options.decay_to), .value = "X", .max = 1,
     .help = "or to this fraction of its peak"},
    {.name = "beta1", .type = OPTION_REAL, AT(options.beta1), .value = "X", .max = 1, .help = "of Adam"},
    {.name = "beta2", .type = OPTION_REAL, AT(options.beta2), .value = "X", .max = 1, .help = "of Adam"},
    {.name = "clip", .type = OPTION_REAL, AT(options.clip), .value = "X",
     .help = "largest gradient norm; 0: no clipping"},
    {.name = "aux-k", .type = OPTION_SIZE, AT(options.aux_k), .value = "N", .default_text = "half the width",
     .help = "dead latents that model the residual of a row; 0: none"},
    {.name = "aux-coefficient", .type = OPTION_REAL, AT(options.aux_coefficient), .value = "X",
     .help = "weight of that term in the loss"},
    {.name = "aux-style", .type = OPTION_CHOICE, AT(options.aux_style), .choices = aux_styles,
     .value = "libsae|dictionary_learning|saelens", .help = "whose form of it"},
    {.name = "resample", .type = OPTION_U64, AT(options.resample_every), .value = "STEPS",
     .help = "give dead latents a new start every so many steps; 0: never"},
    {.name = "scale", .type = OPTION_CHOICE, AT(options.input_scale), .choices = scales,
     .value = "variance|rms-norm|mean-norm|none", .help = "what rows are divided by; folded into the model"},
    {.name = "b-dec-init", .type = OPTION_CHOICE, AT(options.b_dec_init), .choices = b_dec_inits,
     .value = "geometric-median|mean|zero", .help = "where b_dec starts"},
    {.name = "b-enc-init", .type = OPTION_CHOICE, AT(options.b_enc_init), .choices = b_enc_inits,
     .value = "zero|uniform", .help = "where b_enc starts; uniform: in +-1/sqrt(width), as in PyTorch"},
    {.name = "directions-init", .type = OPTION_CHOICE, AT(options.directions_init), .choices = directions_inits,
     .value = "normal|uniform", .help = "how the directions of latents are drawn; uniform: as in PyTorch"},
    {.name = "raw-input", .type = OPTION_FLAG, AT(options.raw_input),
     .help = "do not subtract b_dec at the input while training"},
    {.name = "free-decoder", .type = OPTION_FLAG, AT(options.free_decoder),
     .help = "do not hold decoder rows at unit length"},
    {.name = "start-norm", .type = OPTION_REAL, AT(options.start_norm), .value = "X",
     .help = "length of encoder rows at first, and of the rows of a free decoder"},
    {.name = "blas-encoder", .type = OPTION_FLAG, AT(options.blas_encoder),
     .help = "compute all pre-activations by BLAS instead of screening them: slower, the reference"},
    {.name = "patience", .type = OPTION_SIZE, AT(options.patience), .value = "N",
     .help = "stop after so many held-out measurements without improvement; 0: never"},
    {.name = "spike", .type = OPTION_REAL, AT(options.spike), .value = "X",
     .help = "stop with an error when the loss is so many times its running mean; 0: never"},
    {.name = "dead-after", .type = OPTION_U64, AT(options.dead_after), .value = "ROWS", FROM_DATA,
     .help = "a latent is dead when it is silent for so many rows"},
    {.name = "heldout", .type = OPTION_TEXT, AT(heldout), .value = "DUMP",
     .help = "rows to measure on, instead of a part of the training rows"},
    {.name = "heldout-every", .type = OPTION_U64, AT(options.heldout_every), .value = "STEPS",
     .default_text = "a twentieth of all", .help = "steps from one measurement to the next; the last is always measured"},
    {0},
};

static const option data_options[] = {
    {.name = "pair", .type = OPTION_FLAG, AT(pair),
     .help = "BEFORE AFTER: rows of two models side by side, each scaled to mean norm 1; a crosscoder with "
             "--arch batchtopk"},
    {.name = "difference", .type = OPTION_FLAG, AT(difference),
     .help = "BEFORE AFTER: rows of AFTER minus those of BEFORE"},
    {0},
};

static const option run_options[] = {
    {.name = "log", .type = OPTION_TEXT, AT(log), .value = "FILE",
     .help = "write figures as JSON lines; appended to on --resume"},
    {.name = "checkpoint", .type = OPTION_TEXT, AT(options.checkpoint), .value = "PATH",
     .help = "where to keep the state of the run", .default_text = "MODEL.ckpt"},
    {.name = "checkpoint-seconds", .type = OPTION_REAL, AT(options.checkpoint_seconds), .value = "X",
     .help = "time between checkpoints"},
    {.name = "resume", .type = OPTION_FLAG, AT(resume),
     .help = "continue from the checkpoint; without one, start from the beginning"},
    {.name = "json", .type = OPTION_FLAG, AT(json), .help = "print the result as one JSON object"},
    {0},
};
/* clang-format on */

static const option_group groups[] = {
    {"Architecture", architecture_options, 0},
    {"Training", train_options, 0},
    {"Two models", data_options, 0},
    {"The run", run_options, 0},
    {"Output", output_options, offsetof(train_args, output)},
    {"Rows", dump_options, offsetof(train_args, dump)},
    {"General", base_options, offsetof(train_args, base)},
    {0},
};

static void init(void *args)
{
    train_args *a = args;
    sae_train_options_init(&a->options);
    a->initial = a->options;
}

static int preset(void *args, const char *name)
{
    train_args *a = args;
    sae_error err;
    if (sae_train_options_preset(&a->options, name, &err) != SAE_OK)
        return usage_error("train", "%s", err.text);
    a->initial = a->options;
    return 0;
}

/* "0.25,0.25,0.5" into the options. */
static int read_groups(sae_train_options *options, const char *text)
{
    for (options->n_groups = 0; *text != '\0';) {
        char *end;
        double share = strtod(text, &end);
        if (end == text || (*end != ',' && *end != '\0') || options->n_groups == SAE_GROUPS_MAX)
            return usage_error("train", "--groups: up to %d shares such as 0.25,0.25,0.5 are wanted",
                               SAE_GROUPS_MAX);
        options->groups[options->n_groups++] = share;
        text = *end == ',' ? end + 1 : end;
    }
    return 0;
}

/* "4 SAEs  mean loss 0.0453  least 0.0312 (F2048-k32)", over those that have made a step. */
static void describe_set(char *out, size_t size, const train_run *run)
{
    double sum = 0, least = INFINITY;
    size_t stepped = 0;
    const char *name = "";
    for (size_t i = 0; i < run->n; i++) {
        double loss = sae_trainer_metrics(run->trainers[i]).loss;
        if (!(loss > 0))
            continue;
        stepped++;
        sum += loss;
        name = loss < least ? run->members[i].name : name;
        least = loss < least ? loss : least;
    }
    snprintf(out, size, "%zu SAEs  mean loss %.4f  least %.4f (%s)", run->n, sum / (double)stepped, least,
             name);
}

static void show_progress(const train_run *run, const sae_train_metrics *m)
{
    char figures[256];
    if (run->n > 1) {
        describe_set(figures, sizeof figures, run);
    } else {
        int used = snprintf(figures, sizeof figures, "loss %.4f  L0 %.1f  dead %.1f %%", m->loss, m->l0,
                            100 * m->dead);
        if (m->heldout.rows > 0)
            snprintf(figures + used, sizeof figures - (size_t)used, "  FVU %.4f", m->heldout.fvu);
    }
    progress_show(&run->session->progress, "training", m->step, m->steps, figures);
}

/* The log tells the SAEs of a set apart. */
static const char *log_name(const train_member *member)
{
    return member->name[0] != '\0' ? member->model : NULL;
}

static int on_step(void *user, const sae_train_metrics *m)
{
    const train_member *member = user;
    train_run *run = member->run;
    show_progress(run, m);
    train_log_step(&run->log, log_name(member), m);
    return signal_caught() != 0 || train_log_bad(&run->log);
}

static bool any_new(const train_run *run)
{
    for (size_t i = 0; i < run->n; i++)
        if (!run->members[i].resumed)
            return true;
    return false;
}

static sae_status open_two(train_run *run, sae_error *err)
{
    const train_args *args = run->args;
    const char *const *paths = args->base.operands;
    sae_pair_options options;
    sae_pair_options_init(&options);
    options.progress = progress_callback;
    options.progress_user = &run->session->progress;
    sae_status status = open_dump(&run->before, run->session, paths, 1, &args->dump, err);
    if (status == SAE_OK)
        status = open_dump(&run->after, run->session, paths + 1, 1, &args->dump, err);
    if (status == SAE_OK && args->pair)
        status = sae_dump_pair(&run->dump, run->before, run->after, &options, err);
    else if (status == SAE_OK)
        status = sae_dump_difference(&run->dump, run->before, run->after, err);
    return status;
}

static sae_status open_inputs(train_run *run, sae_error *err)
{
    const train_args *args = run->args;
    sae_status status = SAE_OK;
    if (args->pair || args->difference)
        status = open_two(run, err);
    else
        status =
            open_dump(&run->dump, run->session, args->base.operands, args->base.n_operands, &args->dump, err);
    if (status == SAE_OK && args->from != NULL && any_new(run))
        status = sae_model_load(&run->from, run->session->context, args->from, err);
    if (status == SAE_OK && args->heldout != NULL)
        status = open_dump(&run->heldout, run->session, &args->heldout, 1, &args->dump, err);
    return status;
}

/* A resumed run takes its numbers from the checkpoint: a contradicting option must not pass in silence. */
static bool options_agree(const sae_train_options *given, const sae_train_options *initial,
                          const sae_train_options *chosen)
{
    const struct {
        const char *name;
        double given, initial, chosen;
    } rows[] = {
        {"latents", (double)given->n_latents, (double)initial->n_latents, (double)chosen->n_latents},
        {"k", (double)given->k, (double)initial->k, (double)chosen->k},
        {"steps", (double)given->steps, (double)initial->steps, (double)chosen->steps},
        {"batch", (double)given->batch_rows, (double)initial->batch_rows, (double)chosen->batch_rows},
        {"seed", (double)given->seed, (double)initial->seed, (double)chosen->seed},
        {"data-seed", (double)given->data_seed, (double)initial->data_seed, (double)chosen->data_seed},
        {"lr", given->learning_rate, initial->learning_rate, chosen->learning_rate},
        {"warmup", given->warmup, initial->warmup, chosen->warmup},
        {"decay-start", given->decay_start, initial->decay_start, chosen->decay_start},
        {"clip", given->clip, initial->clip, chosen->clip},
        {"aux-k", (double)given->aux_k, (double)initial->aux_k, (double)chosen->aux_k},
        {"aux-coefficient", given->aux_coefficient, initial->aux_coefficient, chosen->aux_coefficient},
        {"arch", (double)given->architecture, (double)initial->architecture, (double)chosen->architecture},
        {"penalty", (double)given->sparsity, (double)initial->sparsity, (double)chosen->sparsity},
        {"sparsity", given->sparsity_coefficient, initial->sparsity_coefficient,
         chosen->sparsity_coefficient},
        {"bandwidth", given->bandwidth, initial->bandwidth, chosen->bandwidth},
        {"dead-after", (double)given->dead_after, (double)initial->dead_after, (double)chosen->dead_after},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].given != rows[i].initial && rows[i].given != rows[i].chosen) {
            complain(
                "--%s %g: the checkpoint was made with %g; leave the option out, or start over with --force",
                rows[i].name, rows[i].given, rows[i].chosen);
            return false;
        }
    return true;
}

static sae_status make_trainers(train_run *run, sae_error *err)
{
    const char *checkpoints[TRAIN_GRID_MAX];
    const sae_train_options *options[TRAIN_GRID_MAX];
    for (size_t i = 0; i < run->n; i++) {
        train_member *member = &run->members[i];
        sae_train_options *o = &member->options;
        o->checkpoint = member->checkpoint;
        o->start = run->from;
        o->on_step = on_step;
        o->on_step_user = member;
        o->progress = progress_callback;
        o->progress_user = &run->session->progress;
        options[i] = o;
        checkpoints[i] = member->resumed ? member->checkpoint : NULL;
    }
    return sae_trainer_load_many(run->trainers, run->n, checkpoints, run->dump, run->heldout, options, err);
}

static int start_trainers(train_run *run)
{
    sae_error err;
    sae_status status = open_inputs(run, &err);
    if (status == SAE_OK)
        status = make_trainers(run, &err);
    progress_clear(&run->session->progress);
    if (status != SAE_OK)
        return failed(status, &err);
    for (size_t i = 0; i < run->n; i++) {
        const train_member *member = &run->members[i];
        sae_train_options chosen = sae_trainer_options(run->trainers[i]);
        if (member->resumed && !options_agree(&member->options, &run->args->initial, &chosen))
            return 1;
    }
    for (size_t i = 0; i < run->n; i++)
        if (!run->members[i].resumed)
            train_checkpoint_remove(run->members[i].checkpoint);
    return 0;
}

/* Before hours are spent on a loss that a few rows own. */
static void warn_of_outliers(const train_run *run)
{
    const double far = 10.0;
    sae_outliers o = sae_trainer_outliers(run->trainers[0]);
    char position[48] = "";
    if (!isnan(o.position))
        snprintf(position, sizeof position, ", position %g", o.position);
    if (o.rows > 0)
        complain(
            "warning: %" PRIu64
            " rows are %.1f times as long as the median row or longer (the longest: row %" PRIu64
            "%s, norm %.4g against %.4g); they can take over the loss, so leave them out with --where, for "
            "instance --where 'position > 0'",
            o.rows, o.limit / o.median, o.largest_row, position, o.largest, o.median);
    if (o.mean_over_sigma > far)
        complain("warning: the mean row is %.1f times as long as the spread of the rows; b_dec takes it up, "
                 "but look "
                 "whether a few coordinates hold it",
                 o.mean_over_sigma);
}

static void announce(const train_run *run, size_t i)
{
    const train_member *member = &run->members[i];
    sae_train_options chosen = sae_trainer_options(run->trainers[i]);
    if (member->resumed)
        printf("resumed at step %" PRIu64 " of %" PRIu64 "\n", sae_trainer_metrics(run->trainers[i]).step,
               chosen.steps);
    printf("chosen%s%s: %s, %zu latents, k %zu, %" PRIu64
           " steps of %zu rows, learning rate %.3g, seed %" PRIu64 ", %" PRIu64 " rows of width %zu\n",
           member->name[0] != '\0' ? " for " : "", member->name, sae_architecture_name(chosen.architecture),
           chosen.n_latents, chosen.k, chosen.steps, chosen.batch_rows, chosen.learning_rate, chosen.seed,
           sae_trainer_rows(run->trainers[i]), sae_dump_dim(run->dump));
    fflush(stdout);
}

static int stopped(const train_run *run, sae_status status, const sae_error *err)
{
    sae_train_metrics m = sae_trainer_metrics(run->trainers[0]);
    int sig = signal_caught();
    if (status != SAE_STOPPED)
        return failed(status, err);
    complain("%s after step %" PRIu64 " of %" PRIu64 "; the same command with --resume continues",
             sig != 0 ? strsignal(sig) : "stopped", m.step, m.steps);
    return sig != 0 ? 128 + sig : 1;
}

/* The checkpoint goes only when the model is safely there. */
static int finish_one(const train_run *run, size_t i)
{
    sae_error err;
    sae_model *model;
    const train_member *member = &run->members[i];
    sae_status status = sae_trainer_model(&model, run->trainers[i], &err);
    if (status != SAE_OK)
        return failed(status, &err);
    status = sae_model_save(model, member->model, run->args->output.force, &err);
    sae_model_free(model);
    if (status != SAE_OK)
        return failed(status, &err);
    train_checkpoint_remove(member->checkpoint);
    if (run->args->json)
        train_result_json(run->trainers[i], member->model);
    else
        train_result_print(run->trainers[i], member->model);
    return 0;
}

/* The choices that all share were the first one's: before it is complete and no longer among those that a
   resumed run begins with, the others must have them on disk. */
static int finish(const train_run *run)
{
    sae_error err;
    for (size_t i = 0; i < run->n && run->n > 1; i++) {
        sae_status status = sae_trainer_save(run->trainers[i], run->members[i].checkpoint, &err);
        if (status != SAE_OK)
            return failed(status, &err);
    }
    int exit_status = 0;
    for (size_t i = 0; exit_status == 0 && i < run->n; i++)
        exit_status = finish_one(run, i);
    return exit_status;
}

static int train(train_run *run)
{
    int exit_status = start_trainers(run);
    if (exit_status != 0)
        return exit_status;
    if (train_log_open(&run->log, run->args->log, run->args->resume) != 0)
        return 1;
    warn_of_outliers(run);
    for (size_t i = 0; i < run->n; i++) {
        const train_member *member = &run->members[i];
        sae_train_options chosen = sae_trainer_options(run->trainers[i]);
        train_log_begin(&run->log, log_name(member), member->resumed ? "resume" : "start", &chosen,
                        sae_trainer_metrics(run->trainers[i]).step);
        if (!run->args->json)
            announce(run, i);
    }
    sae_error err = {.status = SAE_OK};
    sae_status status = sae_trainer_run_many(run->trainers, run->n, &err);
    progress_clear(&run->session->progress);
    exit_status = status == SAE_OK ? finish(run) : stopped(run, status, &err);
    return train_log_close(&run->log) == 0 ? exit_status : 1;
}

static bool train_output_allowed(const train_args *args, const char *path, bool force)
{
    return output_allowed(path, force, &args->heldout, args->heldout != NULL ? 1 : 0) &&
           output_allowed(path, force, args->base.operands, args->base.n_operands);
}

static bool outputs_allowed(const train_args *args, const train_member *member, train_start start)
{
    const char *model = member->model, *checkpoint = member->checkpoint, *log = args->log;
    bool force = args->output.force;
    if (strcmp(checkpoint, model) == 0 || (log != NULL && strcmp(log, model) == 0) ||
        (log != NULL && strcmp(log, checkpoint) == 0)) {
        complain("%s: model, checkpoint and log need three names", log != NULL ? log : model);
        return false;
    }
    return train_output_allowed(args, model, force) &&
           train_output_allowed(args, checkpoint, force || start == TRAIN_RESUME) &&
           (log == NULL || train_output_allowed(args, log, force || args->resume));
}

static int name_files(train_member *member, const train_args *args)
{
    const char *given = args->options.checkpoint;
    char *checkpoint = member->checkpoint;
    int status = train_grid_path(member->model, args->output.output, member->name);
    if (status == 0 && given != NULL)
        status = train_grid_path(checkpoint, given, member->name);
    else if (status == 0)
        status = snprintf(checkpoint, TRAIN_PATH_BYTES, "%s.ckpt", member->model) < TRAIN_PATH_BYTES ? 0 : -1;
    if (status == 0 && strlen(checkpoint) + sizeof ".prev" <= TRAIN_PATH_BYTES)
        return 0;
    complain("%s: the path is too long", args->output.output);
    return -1;
}

/* Adds the i-th SAE to the run, unless it is complete. Returns 0, or 1 after a complaint. */
static int add_member(train_run *run, const sae_train_options *common, size_t i)
{
    const train_args *args = run->args;
    train_member *member = &run->members[run->n];
    *member = (train_member){.run = run, .options = *common};
    train_grid_cell(member->name, &member->options, &args->grid, i);
    if (name_files(member, args) != 0)
        return 1;
    train_start start =
        train_start_decide(member->model, member->checkpoint, args->resume, args->output.force);
    if (start == TRAIN_COMPLETE) {
        complain("%s: already complete; without --resume, --force trains it anew", member->model);
        return 0;
    }
    if (start == TRAIN_REFUSED || !outputs_allowed(args, member, start))
        return 1;
    member->resumed = start == TRAIN_RESUME;
    if (args->resume && !member->resumed)
        complain("%s: no checkpoint, starting from the beginning", member->checkpoint);
    run->n++;
    return 0;
}

static int check_two(const train_args *args)
{
    if (!args->pair && !args->difference)
        return 0;
    if (args->pair && args->difference)
        return usage_error("train", "--pair and --difference exclude each other");
    if (args->base.n_operands != 2)
        return usage_error("train", "--pair and --difference take two dumps, BEFORE and AFTER");
    if (args->heldout != NULL)
        return usage_error("train", "--heldout is one dump; of two models, rows of their own are kept apart");
    return 0;
}

/* The options that all SAEs have in common. The row order is the first one's, also when that one is complete.
 */
static int common_options(sae_train_options *out, const train_args *args, size_t n)
{
    *out = args->options;
    if (args->grid.seeds.n > 0 && out->seed != args->initial.seed)
        return usage_error("train", "--seed and --seeds exclude each other");
    if (args->grid.rates.n > 0 && out->learning_rate != args->initial.learning_rate)
        return usage_error("train", "--lr and --lrs exclude each other");
    if (n > 1 && out->data_seed == UINT64_MAX)
        out->data_seed = args->grid.seeds.n > 0 ? args->grid.seeds.item[0].whole : out->seed;
    return args->groups != NULL ? read_groups(out, args->groups) : 0;
}

static int train_all(train_run *run)
{
    sae_train_options common;
    size_t wanted = train_grid_size(&run->args->grid);
    int exit_status = check_two(run->args);
    if (exit_status == 0)
        exit_status = wanted > 0 ? common_options(&common, run->args, wanted) : EXIT_USAGE;
    if (exit_status != 0)
        return exit_status;
    run->members = calloc(wanted, sizeof *run->members);
    if (run->members == NULL) {
        complain("out of memory");
        return 1;
    }
    for (size_t i = 0; exit_status == 0 && i < wanted; i++)
        exit_status = add_member(run, &common, i);
    return exit_status == 0 && run->n > 0 ? train(run) : exit_status;
}

static int run_train(session *s, const void *arguments)
{
    train_run run = {.session = s, .args = arguments};
    int exit_status = train_all(&run);
    for (size_t i = 0; i < run.n; i++)
        sae_trainer_free(run.trainers[i]);
    free(run.members);
    sae_model_free(run.from);
    sae_dump_free(run.heldout);
    sae_dump_free(run.dump);
    sae_dump_free(run.before);
    sae_dump_free(run.after);
    return exit_status;
}

const command cmd_train = {
    .name = "train",
    .purpose = "train a sparse autoencoder on dumps",
    .usage = "sae train DUMP... -o MODEL [OPTIONS]\n"
             "       sae train --pair|--difference BEFORE AFTER -o MODEL [OPTIONS]",
    .notes =
        "The dumps (files, folders or quoted patterns) are shards of one matrix of activations. Size, k and\n"
        "steps follow from the data unless given, and are printed. The same seed gives the same model, on "
        "any\n"
        "number of threads.\n"
        "Ctrl-C stops after a step and keeps a checkpoint; the same command with --resume ends in the same\n"
        "model, bit for bit. The exit status is then 130 (143 after SIGTERM).\n"
        "Lists of --latents, -k, --seeds and --lrs train an SAE for every combination, from one reading of "
        "the\n"
        "data: MODEL.safetensors becomes MODEL-F1024-k16-s0.safetensors, with the numbers that vary. Each "
        "is\n"
        "the SAE that training it alone gives with --data-seed set to the first seed, while memory is "
        "enough.\n",
    .examples = "  sae train mix.h5 -o sae.safetensors\n"
                "  sae train shard-*.h5 -o sae.safetensors --heldout val.h5 --memory 2G --log train.jsonl\n"
                "  sae train mix.h5 -o sae.safetensors --latents 4096 -k 32 --steps 10000 --seed 1\n"
                "  sae train mix.h5 -o sae.safetensors --latents 1024,2048 -k 16,32 --seeds 0,1,2\n"
                "  sae train mix.h5 -o sae.safetensors --resume\n"
                "  sae train mix.h5 -o sae.safetensors --arch batchtopk -k 32\n"
                "  sae train mix.h5 -o sae.safetensors --preset saelens-jumprelu --sparsity 2\n"
                "  sae train --pair base.h5 tuned.h5 -o cross.safetensors --arch batchtopk\n"
                "  sae train other.h5 -o tuned.safetensors --from sae.safetensors --lr 5e-5\n",
    .groups = groups,
    .min_operands = 1,
    .max_operands = SIZE_MAX,
    .operands_wanted = "at least one dump is",
    .args_size = sizeof(train_args),
    .init = init,
    .preset = preset,
    .run = run_train,
};

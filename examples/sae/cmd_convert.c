/* sae convert: a model of another tool becomes one of libsae, and the way back; dumps change their format. */
#include "command.h"
#include "model_choices.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

typedef struct convert_args {
    base_args base;
    dump_args dump;
    const char *output;
    bool force;
    int to, activation, b_dec_at_input; /* activation 0: unstated */
    text_list check;
    sae_import_options options; /* activation is set from the choice */
} convert_args;

/* The layouts of models in the order of sae_model_format, then what is none. */
static const char *const targets[] = {"libsae", "saelens", "dictionary_learning", "sparsify", "npz",
                                      "dump",   NULL};
enum { TO_DUMP = SAE_MODEL_NPZ + 1 };
static const char *const activations[] = {"stated", "topk", "relu", "jumprelu", "gated", NULL};
static const char *const answers[] = {"stated", "no", "yes", NULL};

/* clang-format off */
static const option output_group[] = {
    {.name = "output", .letter = 'o', .type = OPTION_TEXT, FIELD(convert_args, output), .value = "PATH",
     .default_text = "none, only tell", .help = "file to write (libsae, npz; a dump), or folder"},
    {.name = "to", .type = OPTION_CHOICE, FIELD(convert_args, to), .choices = targets,
     .value = "libsae|saelens|dictionary_learning|sparsify|npz|dump", .help = "layout of the output"},
    {.name = "force", .letter = 'f', .type = OPTION_FLAG, FIELD(convert_args, force),
     .help = "replace what exists"},
    {.name = "check", .type = OPTION_LIST, FIELD(convert_args, check), .value = "DUMP",
     .help = "reconstruct the rows of a dump and print FVU and L0; repeated: of one dump in several files"},
    {0},
};

static const option answer_group[] = {
    {.name = "activation", .type = OPTION_CHOICE, FIELD(convert_args, activation), .choices = activations,
     .value = "topk|relu|jumprelu|gated", .default_text = "as stated", .help = "activation rule"},
    {.name = "k", .letter = 'k', .type = OPTION_SIZE, FIELD(convert_args, options.k), .value = "N", .min = 1,
     .max = 4294967295.0, .default_text = "as stated", .help = "active latents of a TopK"},
    {.name = "threshold", .type = OPTION_REAL, FIELD(convert_args, options.threshold), .value = "X",
     .default_text = "as stated", .help = "threshold of all latents of a JumpReLU"},
    {.name = "b-dec-at-input", .type = OPTION_CHOICE, FIELD(convert_args, b_dec_at_input), .choices = answers,
     .value = "yes|no", .default_text = "as stated", .help = "whether b_dec is subtracted before the encoder"},
    {.name = "input-scale", .type = OPTION_REAL, FIELD(convert_args, options.input_scale), .value = "X",
     .default_text = "as stated", .help = "what rows are multiplied by before they enter; 1: nothing"},
    {.name = "input-scale-after", .type = OPTION_REAL, FIELD(convert_args, options.input_scale_after),
     .value = "X", .default_text = "--input-scale", .help = "the same for the second model of a crosscoder"},
    {0},
};
/* clang-format on */

static const option_group groups[] = {
    {"Output", output_group, 0},
    {"What the files leave open", answer_group, 0},
    {"Rows of dumps", dump_options, offsetof(convert_args, dump)},
    {"General", base_options, offsetof(convert_args, base)},
    {0},
};

static void init(void *arguments)
{
    convert_args *args = arguments;
    sae_import_options_init(&args->options);
}

static sae_status check(session *s, const sae_model *model, const convert_args *args, sae_error *err)
{
    if (args->check.n == 0)
        return SAE_OK;
    sae_dump *dump = NULL;
    sae_evaluation e;
    sae_status status = open_dump(&dump, s, args->check.item, args->check.n, &args->dump, err);
    if (status == SAE_OK)
        status = sae_model_evaluate_all(&e, NULL, model, dump, progress_callback, &s->progress, err);
    progress_clear(&s->progress);
    if (status == SAE_OK)
        printf("check: %" PRIu64 " rows, FVU %.4f, L0 %.1f, dead %.1f %%, cosine %.4f\n", e.fidelity.rows,
               e.fidelity.fvu, e.fidelity.l0, 100 * e.fidelity.dead, e.fidelity.cosine);
    sae_dump_free(dump);
    return status;
}

static sae_status convert(session *s, sae_import *import, const convert_args *args, sae_error *err)
{
    sae_model *model = NULL;
    sae_status status = SAE_OK;
    if (args->output == NULL && args->check.n == 0)
        return SAE_OK;
    status = sae_import_model(&model, import, err);
    if (status == SAE_OK)
        status = check(s, model, args, err);
    if (status == SAE_OK && args->output != NULL)
        status = sae_model_export(model, args->output, (sae_model_format)args->to, args->force, err);
    if (status == SAE_OK && args->output != NULL) {
        printf("written: ");
        print_clean(stdout, args->output, 0);
        printf(" (%s)\n", targets[args->to]);
    }
    sae_model_free(model);
    return status;
}

static bool is_folder_layout(int to)
{
    return to != SAE_MODEL_LIBSAE && to != SAE_MODEL_NPZ;
}

/* Before the weights are read, which may take a while. */
static bool target_allowed(const convert_args *args)
{
    struct stat info;
    if (args->output == NULL || is_folder_layout(args->to))
        return true;
    if (stat(args->output, &info) == 0 && S_ISDIR(info.st_mode)) {
        complain("%s: is a folder; %s is one file", args->output, targets[args->to]);
        return false;
    }
    return output_allowed(args->output, args->force, args->base.operands, args->base.n_operands);
}

static bool ends_in(const char *path, const char *const *suffixes)
{
    size_t n = strlen(path);
    for (; *suffixes != NULL; suffixes++) {
        size_t length = strlen(*suffixes);
        if (n > length && strcmp(path + n - length, *suffixes) == 0)
            return true;
    }
    return false;
}

/* The one float matrix of a file is that of a dump: models have two and more. */
static bool holds_dump(session *s, const char *path)
{
    sae_file *file;
    if (sae_file_open(&file, s->context, path, NULL) != SAE_OK)
        return false;
    size_t matrices = 0;
    for (size_t i = 0; i < sae_file_tensors(file); i++)
        matrices +=
            sae_file_tensor_rank(file, i) >= 2 && strstr(sae_file_tensor_dtype(file, i), "float") != NULL;
    bool dump = strcmp(sae_file_role(file), "dump") == 0 && matrices == 1;
    sae_file_free(file);
    return dump;
}

/* Whether rows are converted, not a model. Some suffixes are of both: then what goes in decides. */
static bool is_dump(session *s, const convert_args *args)
{
    static const char *const of_dumps[] = {".npy", ".h5", ".hdf5", NULL};
    static const char *const of_both[] = {".npz", ".safetensors", ".pt", NULL};
    if (args->output == NULL || args->to == TO_DUMP)
        return args->to == TO_DUMP;
    if (ends_in(args->output, of_dumps))
        return true;
    return args->to == SAE_MODEL_LIBSAE && ends_in(args->output, of_both) &&
           (args->dump.dataset != NULL || args->base.n_operands > 1 || holds_dump(s, args->base.operands[0]));
}

static int convert_dump(session *s, const convert_args *args)
{
    sae_dump *dump = NULL;
    sae_error err;
    if (!output_allowed(args->output, args->force, args->base.operands, args->base.n_operands))
        return 1;
    sae_status status = open_dump(&dump, s, args->base.operands, args->base.n_operands, &args->dump, &err);
    if (status == SAE_OK)
        status = sae_dump_save(dump, args->output, args->force, progress_callback, &s->progress, &err);
    progress_clear(&s->progress);
    int exit_status = status == SAE_OK ? 0 : failed(status, &err);
    sae_dump_free(dump);
    return exit_status;
}

static int run_convert(session *s, const void *arguments)
{
    const convert_args *args = arguments;
    if (is_dump(s, args))
        return args->output != NULL ? convert_dump(s, args)
                                    : usage_error("convert", "--to dump needs --output");
    if (args->base.n_operands > 1)
        return usage_error("convert", "one model is converted at a time; '%s' is more",
                           args->base.operands[1]);
    const char *path = args->base.operands[0];
    sae_import_options options = args->options;
    options.activation = args->activation > 0 ? activations[args->activation] : NULL;
    options.b_dec_at_input = (sae_answer)args->b_dec_at_input;
    if (!target_allowed(args))
        return 1;
    sae_import *import;
    sae_error err;
    sae_status status = sae_import_open(&import, s->context, path, &options, &err);
    if (status == SAE_OK) {
        print_choices(import, path);
        status = convert(s, import, args, &err);
    }
    sae_import_free(import);
    return status == SAE_OK ? 0 : failed(status, &err);
}

const command cmd_convert = {
    .name = "convert",
    .purpose = "turn models of other tools into libsae's, or back; dumps too",
    .usage = "sae convert MODEL [-o PATH] [--to LAYOUT] [OPTIONS]\n"
             "       sae convert DUMP... -o OUT.h5|.npy|.npz|.safetensors|.pt [OPTIONS]",
    .notes =
        "MODEL is a weight file or the folder of a model: libsae, SAELens, sparsify, dictionary_learning,\n"
        "OpenAI's sparse_autoencoder, Gemma Scope, Llama Scope and OpenMOSS, BatchTopK, crosscoders of two\n"
        "models. Every choice is printed and kept in the metadata: orientation, activation rule, threshold,\n"
        "scale, b_dec at the input. What the files leave open is asked for and never guessed. --check shows\n"
        "a wrong answer in the FVU and in the L0.\n"
        "An output that ends in .h5, .hdf5 or .npy is a dump, as is one that ends in .npz, .safetensors or "
        ".pt\n"
        "when the input is (--to dump says so of folders): its rows keep their type and every bit, and "
        "columns\n"
        "go along, but not into .npy.\n",
    .examples = "  sae convert gemma/layer_12/params.npz -o l12.safetensors --check acts.npy\n"
                "  sae convert trainer_0 --activation jumprelu -o sae.safetensors\n"
                "  sae convert model.safetensors -o for_saelens --to saelens\n"
                "  sae convert shard0.npy shard1.npy -o dump.h5\n"
                "  sae convert acts.h5 -o acts.safetensors\n",
    .groups = groups,
    .min_operands = 1,
    .max_operands = SIZE_MAX,
    .operands_wanted = "a model or a dump is",
    .args_size = sizeof(convert_args),
    .init = init,
    .run = run_convert,
};

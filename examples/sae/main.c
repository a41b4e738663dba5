/* The sae command: finds the subcommand, reads its arguments, lends it a context, and closes stdout. */
#include "command.h"

#include <stdlib.h>
#include <string.h>

static const command *const commands[] = {
    &cmd_train,      &cmd_eval,  &cmd_rank,    &cmd_study,  &cmd_auroc,   &cmd_top,     &cmd_match,
    &cmd_crosscoder, &cmd_steer, &cmd_monitor, &cmd_encode, &cmd_shuffle, &cmd_convert, &cmd_info};
enum { N_COMMANDS = sizeof commands / sizeof commands[0] };

static void print_overview(FILE *stream)
{
    fputs("sae: train a sparse autoencoder on activation dumps and rank the latents a fine-tuning raised\n\n"
          "Usage: sae COMMAND [ARGUMENTS]\n\nCommands:\n",
          stream);
    for (size_t i = 0; i < N_COMMANDS; i++)
        fprintf(stream, "  %-8s%s\n", commands[i]->name, commands[i]->purpose);
    fputs("\n'sae COMMAND --help' tells more, with examples. 'sae --version' prints the version.\n"
          "Exit status: 0 success, 1 failure, 2 usage, 3 alarm of a monitor, 128 + N stopped by signal N.\n",
          stream);
}

static int unknown_command(const char *word)
{
    const char *names[N_COMMANDS + 1] = {NULL};
    for (size_t i = 0; i < N_COMMANDS; i++)
        names[i] = commands[i]->name;
    const char *near = nearest_name(word, names);
    if (near != NULL)
        complain("unknown command '%s', did you mean '%s'? See 'sae --help'", word, near);
    else
        complain("unknown command '%s'; see 'sae --help'", word);
    return EXIT_USAGE;
}

static int run_in_session(const command *cmd, const void *args)
{
    const base_args *base = args;
    session s = {0};
    sae_error err;
    sae_context_options options;
    progress_init(&s.progress, base->quiet);
    sae_context_options_init(&options);
    options.threads = base->threads;
    options.memory_limit = base->memory;
    options.trusted = base->trusted;
    options.log = progress_log;
    options.log_user = &s.progress;
    if (sae_context_new(&s.context, &options, &err) != SAE_OK)
        return failed(err.status, &err);
    int exit_status = cmd->run(&s, args);
    progress_clear(&s.progress);
    sae_context_free(s.context);
    return exit_status;
}

static int run_command(const command *cmd, int argc, const char **argv)
{
    void *args = calloc(1, cmd->args_size);
    if (args == NULL) {
        complain("out of memory");
        return 1;
    }
    if (cmd->init != NULL)
        cmd->init(args);
    int exit_status = args_parse(cmd, args, argc, argv);
    if (exit_status == 0 && ((const base_args *)args)->help) {
        memset(args, 0, cmd->args_size);
        if (cmd->init != NULL)
            cmd->init(args);
        help_print(stdout, cmd, args);
    } else if (exit_status == 0) {
        exit_status = run_in_session(cmd, args);
    }
    free(args);
    return exit_status;
}

static int dispatch(int argc, const char **argv)
{
    if (argc < 2) {
        print_overview(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_overview(stdout);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("sae %s\n", sae_version());
        return 0;
    }
    for (size_t i = 0; i < N_COMMANDS; i++)
        if (strcmp(argv[1], commands[i]->name) == 0)
            return run_command(commands[i], argc - 2, argv + 2);
    return unknown_command(argv[1]);
}

int main(int argc, char **argv)
{
    keep_standard_files();
    signals_install();
    int exit_status = dispatch(argc, (const char **)argv);
    int closed = close_stdout();
    return exit_status != 0 ? exit_status : closed;
}

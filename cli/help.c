/* help: the list of commands, or what one of them does. */
#include "cli/commands.h"
#include "common/experiment.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int list_commands(void)
{
    puts("actsearch: a distributed search for activation functions\n\n"
         "Usage: actsearch COMMAND [ARGUMENT...]\n"
         "       actsearch help COMMAND     its options\n"
         "       actsearch --version\n");
    for (int i = 0; i < command_count; i++)
        printf("  %-9s %-38s %s\n", commands[i].name, commands[i].arguments, commands[i].help);
    puts("\nactsearch help experiment lists the keys of an experiment file.\n"
         "Exit status: 0 done, 1 failed, 2 wrong usage.");
    return STATUS_DONE;
}

/* --markdown: as the tables of docs/experiment-file.md. */
static int describe_experiment(const char *option)
{
    const bool markdown = option && strcmp(option, "--markdown") == 0;
    if (option && !markdown) {
        fprintf(stderr, "actsearch help experiment: '%s' is no option; --markdown is one\n", option);
        return STATUS_USAGE;
    }
    char *text = experiment_help(markdown);
    fputs(text, stdout);
    free(text);
    return STATUS_DONE;
}

int cli_help(int argc, char **argv)
{
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0)
        return list_commands();
    if (strcmp(argv[1], "experiment") == 0)
        return describe_experiment(argc > 2 ? argv[2] : NULL);
    const struct command *command = command_find(argv[1]);
    if (!command)
        return command_unknown(argv[1]);
    char *arguments[] = {argv[1], "--help", NULL};
    return command_run(command, 2, arguments);
}

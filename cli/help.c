/* help: the list of commands, or what one of them does. */
#include "cli/commands.h"
#include "common/experiment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int list_commands(void)
{
    puts("actsearch: a distributed search for activation functions\n\n"
         "Usage: actsearch COMMAND [ARGUMENT…]\n"
         "       actsearch help COMMAND     its options\n"
         "       actsearch --version\n");
    for (int i = 0; i < command_count; i++)
        printf("  %-9s %-38s %s\n", commands[i].name, commands[i].arguments, commands[i].help);
    puts("\nactsearch help experiment lists the keys of an experiment file.\n"
         "Exit status: 0 done, 1 failed, 2 wrong usage.");
    return STATUS_DONE;
}

static int describe_experiment(void)
{
    char *text = experiment_help(false);
    fputs(text, stdout);
    free(text);
    return STATUS_DONE;
}

int cli_help(int argc, char **argv)
{
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0)
        return list_commands();
    if (strcmp(argv[1], "experiment") == 0)
        return describe_experiment();
    const struct command *command = command_find(argv[1]);
    if (!command)
        return command_unknown(argv[1]);
    char *arguments[] = {argv[1], "--help", NULL};
    return command_run(command, 2, arguments);
}

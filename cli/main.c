/* actsearch: finds the subcommand and runs it. */
#include "cli/commands.h"
#include "common/version.h"

#include <argp.h>
#include <stdio.h>
#include <string.h>

const char *argp_program_version = "actsearch " ACTSEARCH_VERSION;

int main(int argc, char **argv)
{
    if (argc < 2) {
        char *help[] = {"help", NULL};
        command_run(command_find("help"), 1, help);
        return STATUS_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "-?") == 0)
        argv[1] = "help";
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
        puts(argp_program_version);
        return STATUS_DONE;
    }
    const struct command *command = command_find(argv[1]);
    if (!command)
        return command_unknown(argv[1]);
    return command_run(command, argc - 1, argv + 1);
}

#include "cli/commands.h"

#include "common/err.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct command commands[] = {
#define COMMAND(name, arguments, help) {#name, arguments, help, cli_##name},
#include "cli/commands.def"
};
const int command_count = (int)(sizeof commands / sizeof *commands);

const struct command *command_find(const char *name)
{
    for (int i = 0; i < command_count; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

int command_unknown(const char *name)
{
    const char *nearest = nearest_name(name, &commands[0].name, (size_t)command_count, sizeof commands[0]);
    fprintf(stderr, "actsearch: there is no command '%.64s'", name);
    if (nearest)
        fprintf(stderr, "; did you mean '%s'?", nearest);
    fprintf(stderr, "\nTry 'actsearch --help' for the list.\n");
    return STATUS_USAGE;
}

int command_run(const struct command *command, int argc, char **argv)
{
    char **args = xcalloc((size_t)argc + 1, sizeof *args);
    for (int i = 1; i < argc; i++)
        args[i] = argv[i];
    char *title = xasprintf("actsearch %s", command->name);
    args[0] = title;
    argp_err_exit_status = STATUS_USAGE;
    int status = command->run(argc, args);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        perror("actsearch: writing the output");
        status = STATUS_FAILED;
    }
    free(title);
    free(args);
    return status;
}

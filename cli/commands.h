/* commands: the table of subcommands, made from commands.def.
 *
 * A command reads its options with argp; argv[0] is "actsearch NAME". It returns an exit status, prints what
 * it found on stdout, and says on stderr what went wrong.
 */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

/* The exit statuses that scripts rest on. argp itself leaves with STATUS_USAGE. */
enum { STATUS_DONE = 0, STATUS_FAILED = 1, STATUS_USAGE = 2 };

#define COMMAND(name, arguments, help) int cli_##name(int argc, char **argv);
#include "cli/commands.def"

struct command {
    const char *name;
    const char *arguments;
    const char *help;
    int (*run)(int argc, char **argv);
};

extern const struct command commands[];
extern const int command_count;

/* NULL where there is none; command_unknown then says so on stderr, with the nearest spelling, and returns
 * STATUS_USAGE. */
const struct command *command_find(const char *name);
int command_unknown(const char *name);

/* Runs it with argv[0] = "actsearch NAME"; argv[0 … argc) begins with the command's name. */
int command_run(const struct command *command, int argc, char **argv);

#endif

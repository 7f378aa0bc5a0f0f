/* options: what the commands' option parsers share. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include "common/err.h"
#include "common/expr/expr.h"

#include <argp.h>
#include <stdint.h>

/* Keys of the long options that several commands have. Options of one command only use small characters or
 * OPTION_OWN + n. */
enum {
    OPTION_JSON = 0x100,
    OPTION_SET,
    OPTION_SEED,
    OPTION_CACHE,
    OPTION_TRAINER,
    OPTION_TRAINER_NAME,
    OPTION_OWN = 0x200,
};

#define MAX_SEED ((INT64_C(1) << 53) - 1) /* of --seed: survives JSON */

/* Rows for a command's struct argp_option[]. */
#define OPTION_ROW_JSON                                                                                      \
    {                                                                                                        \
        "json", OPTION_JSON, 0, 0, "Print JSON, for programs", 0                                             \
    }
#define OPTION_ROW_CACHE                                                                                     \
    {                                                                                                        \
        "cache", OPTION_CACHE, "DIR", 0,                                                                     \
            "Folder of the unpacked data sets (default: $ACTSEARCH_CACHE, or actsearch in "                  \
            "$XDG_CACHE_HOME, or ~/.cache/actsearch)",                                                       \
            0                                                                                                \
    }
#define OPTION_ROW_TRAINER                                                                                   \
    {                                                                                                        \
        "trainer", OPTION_TRAINER, "CMD", 0,                                                                 \
            "Train with a program of your own, a shell command that speaks lines of JSON "                   \
            "(docs/trainers.md)",                                                                            \
            0                                                                                                \
    }
#define OPTION_ROW_TRAINER_NAME                                                                              \
    {                                                                                                        \
        "trainer-name", OPTION_TRAINER_NAME, "NAME", 0,                                                      \
            "What CMD is called in the results (default custom)", 0                                          \
    }

/* "actsearch NAME: file:3:14: what was wrong" on stderr. `state_name` is argv[0]; `where` may be NULL.
 * Returns STATUS_FAILED. */
int print_problem(const char *command, const char *where, const struct problem *problem);

/* Reads an option's value; a wrong one ends the program with the option's name, what is allowed, and
 * status 2. */
int64_t option_int(const struct argp_state *state, const char *option, const char *text, int64_t low,
                   int64_t high);
uint64_t option_u64(const struct argp_state *state, const char *option, const char *text);
/* "1,2.5,-3": malloc'd, *ret_count of them, at most `limit`. */
double *option_reals(const struct argp_state *state, const char *option, const char *text, int limit,
                     int *ret_count);

/* An activation function that a person typed: a known name ("swish") or an expression. A wrong one gets its
 * caret on stderr, and STATUS_USAGE is returned. */
int expr_argument(const char *text, struct expr **ret_expr);

/* argp_parse for a command that takes expressions as arguments, which may begin with a minus sign: -x^2 is
 * not an option. Short options must not begin as an expression does. */
void expr_argp_parse(const struct argp *parser, int argc, char **argv, void *input);

/* Texts in the order given (the --set options). */
struct option_list {
    const char **items; /* borrowed from argv */
    int count;
};
void option_list_add(struct option_list *list, const char *item);
void option_list_release(struct option_list *list);

#endif

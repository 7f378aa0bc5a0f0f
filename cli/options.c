#include "cli/options.h"

#include "cli/commands.h"
#include "common/text.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int print_problem(const char *command, const char *where, const struct problem *problem)
{
    fprintf(stderr, "%s: ", command);
    if (where && problem->line > 0 && problem->column > 0)
        fprintf(stderr, "%s:%d:%d: ", where, problem->line, problem->column);
    else if (where && problem->line > 0)
        fprintf(stderr, "%s:%d: ", where, problem->line);
    else if (where)
        fprintf(stderr, "%s: ", where);
    fprintf(stderr, "%s\n", problem->text);
    return STATUS_FAILED;
}

static void refuse(const struct argp_state *state, const char *option, const struct problem *problem)
{
    argp_error(state, "%s: %s", option, problem->text);
    exit(STATUS_USAGE); /* not reached: argp_error exits, unless the parser was told not to */
}

int64_t option_int(const struct argp_state *state, const char *option, const char *text, int64_t low,
                   int64_t high)
{
    struct problem problem;
    int64_t value = 0;
    if (text_int(text, low, high, &value, &problem))
        refuse(state, option, &problem);
    return value;
}

uint64_t option_u64(const struct argp_state *state, const char *option, const char *text)
{
    struct problem problem;
    uint64_t value = 0;
    if (text_u64(text, &value, &problem))
        refuse(state, option, &problem);
    return value;
}

double *option_reals(const struct argp_state *state, const char *option, const char *text, int limit,
                     int *ret_count)
{
    struct problem problem;
    struct text_list list;
    if (text_list_parse(text, limit, &list, &problem))
        refuse(state, option, &problem);
    double *values = xcalloc((size_t)list.count, sizeof *values);
    for (int i = 0; i < list.count; i++)
        if (text_real(list.items[i], -HUGE_VAL, HUGE_VAL, &values[i], &problem))
            refuse(state, option, &problem);
    *ret_count = list.count;
    text_list_release(&list);
    return values;
}

int expr_argument(const char *text, struct expr **ret_expr)
{
    struct problem problem;
    if (expr_parse(expr_known_text(text), ret_expr, &problem) == 0)
        return STATUS_DONE;
    char *message = expr_problem_text(text, &problem);
    fprintf(stderr, "%s\n", message);
    free(message);
    const char *nearest =
        nearest_name(text, &expr_known[0].name, (size_t)expr_known_count, sizeof expr_known[0]);
    if (nearest)
        fprintf(stderr, "There is a function called '%s': actsearch expr --known lists them.\n", nearest);
    return STATUS_USAGE;
}

/* The row of the long option that the argument names, perhaps cut short; NULL where there is none. */
static const struct argp_option *option_named(const struct argp_option *options, const char *argument)
{
    const size_t length = strcspn(argument + 2, "=");
    for (const struct argp_option *option = options; option->name; option++)
        if (length > 0 && strncmp(argument + 2, option->name, length) == 0)
            return option;
    return NULL;
}

/* Whether an argument that begins with a minus sign is an option, not an expression such as -x^2. */
static bool is_option(const struct argp_option *options, const char *argument)
{
    static const struct argp_option common[] = {{"help", 0, 0, 0, 0, 0}, {"usage", 0, 0, 0, 0, 0}, {0}};
    if (argument[0] != '-' || strcmp(argument, "-?") == 0 || strcmp(argument, "--") == 0)
        return true;
    if (argument[1] != '-')
        return false;
    return option_named(options, argument) || option_named(common, argument) ||
           strpbrk(argument, "=x(") == NULL;
}

static bool takes_value(const struct argp_option *options, const char *argument)
{
    if (strncmp(argument, "--", 2) != 0 || strchr(argument, '='))
        return false;
    const struct argp_option *option = option_named(options, argument);
    return option && option->arg;
}

/* Moves all that is no option behind "--", where argp takes an expression that begins with a minus sign for
 * an argument. The order of the arguments stays. */
void expr_argp_parse(const struct argp *parser, int argc, char **argv, void *input)
{
    char dashes[] = "--";
    char **moved = xcalloc((size_t)argc + 2, sizeof *moved);
    char **others = xcalloc((size_t)argc + 1, sizeof *others);
    int count = 0, other_count = 0;
    bool all_others = false;
    for (int i = 0; i < argc; i++) {
        const bool is_value = i > 1 && takes_value(parser->options, argv[i - 1]);
        const bool option = i == 0 || is_value || (argv[i][0] == '-' && is_option(parser->options, argv[i]));
        if (!all_others && !is_value && strcmp(argv[i], dashes) == 0)
            all_others = true;
        else if (option && !all_others)
            moved[count++] = argv[i];
        else
            others[other_count++] = argv[i];
    }
    moved[count++] = dashes;
    for (int i = 0; i < other_count; i++)
        moved[count++] = others[i];
    argp_parse(parser, count, moved, 0, NULL, input);
    free(moved);
    free(others);
}

void option_list_add(struct option_list *list, const char *item)
{
    list->items = xrealloc(list->items, (size_t)list->count + 1, sizeof *list->items);
    list->items[list->count++] = item;
}

void option_list_release(struct option_list *list)
{
    free(list->items);
    *list = (struct option_list){0};
}

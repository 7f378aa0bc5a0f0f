#include "cli/options.h"

#include "cli/commands.h"
#include "common/text.h"

#include <math.h>
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

double option_real(const struct argp_state *state, const char *option, const char *text, double low,
                   double high)
{
    struct problem problem;
    double value = 0;
    if (text_real(text, low, high, &value, &problem))
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
    const struct expr_known *known = expr_known_find(text);
    if (expr_parse(known ? known->text : text, ret_expr, &problem) == 0)
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

#include "cli/candidate.h"

#include "cli/answer.h"
#include "common/expr/function.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Why the database has no such candidate. */
static int say_absent(struct store_reader *reader, const char *path, const char *text, const char *activation,
                      enum verdict verdict, struct problem *problem)
{
    struct answer proposals = {0};
    const char *const parameters[] = {activation, NULL};
    int err = answer_query(reader,
                           "SELECT count(*) AS every, coalesce(sum(outcome = 'rejected' AND activation = "
                           "?1), 0) AS this FROM proposal",
                           parameters, &proposals, problem);
    if (err)
        return err;
    const long long every = answer_int(&proposals, 0, "every"), times = answer_int(&proposals, 0, "this");
    answer_release(&proposals);
    *problem = (struct problem){0};
    if (verdict == VERDICT_USABLE)
        return problem_set(
            problem, ERR_NOT_FOUND,
            "%.200s: %.100s was never proposed, in %lld proposals so far; 'actsearch expr' says what it is",
            path, text, every);
    char proposed[64] = "it was never proposed";
    if (times)
        snprintf(proposed, sizeof proposed, "it was proposed %lld time%s", times, times == 1 ? "" : "s");
    return problem_set(problem, ERR_NOT_FOUND, "%.200s: %.100s is rejected, not trained: %s, %s (%s)", path,
                       text, verdict_text(verdict), verdict_meaning(verdict), proposed);
}

int candidate_find(struct store_reader *reader, const char *path, const char *text, const struct expr *expr,
                   char **ret_id, struct expr **ret_expr, struct problem *problem)
{
    struct expr *canonical = expr_canon(expr);
    char *activation = expr_print(canonical);
    enum verdict verdict;
    char fingerprint[HASH_HEX];
    const struct hash hash = fingerprint_of(canonical, &verdict);
    hash_hex(&hash, fingerprint);
    struct answer same = {0};
    const char *const key[] = {activation, fingerprint, NULL};
    int err = answer_query(reader,
                           "SELECT id, activation FROM candidate WHERE activation = ?1 OR fingerprint = ?2 "
                           "ORDER BY activation = ?1 DESC, id LIMIT 100",
                           key, &same, problem);
    bool found = false;
    for (int row = 0; row < same.rows && !found && !err; row++) {
        struct expr *other = NULL;
        struct problem unreadable;
        const char *stored = answer_text(&same, row, "activation");
        if (expr_parse(stored, &other, &unreadable) != 0)
            continue;
        found = strcmp(stored, activation) == 0 || expr_same_function(other, canonical);
        if (found) {
            *ret_id = xstrdup(answer_text(&same, row, "id"));
            *ret_expr = other;
        } else {
            expr_destroy(&other);
        }
    }
    if (!err && !found)
        err = say_absent(reader, path, text, activation, verdict, problem);
    answer_release(&same);
    free(activation);
    expr_destroy(&canonical);
    return err;
}

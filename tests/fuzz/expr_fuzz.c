/* expr_fuzz: activation strings. Each is refused with a column, or printed so that it reads back as the same
 * expression, with a canonical form that is its own, in bounded time. */
#include "common/expr/export.h"
#include "common/expr/expr.h"
#include "common/expr/fingerprint.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TIME_MAX_S = 2 }; /* generous: with sanitizers, on a busy machine, it takes milliseconds */

static double cpu_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* The text reads back as `expr`. */
static void check_reads_back(const struct expr *expr)
{
    char *text = expr_print(expr);
    struct expr *again = NULL;
    struct problem problem = {0};
    int err = expr_parse(text, &again, &problem);
    assert(err == 0 && expr_equal(expr, again));
    char *text_again = expr_print(again);
    assert(strcmp(text, text_again) == 0);
    free(text_again);
    free(text);
    expr_destroy(&again);
}

static void check_canonical(const struct expr *expr)
{
    struct expr *canon = expr_canon(expr), *twice = expr_canon(canon);
    assert(expr_equal(canon, twice));
    check_reads_back(canon);
    expr_destroy(&canon);
    expr_destroy(&twice);
}

/* What `actsearch expr` shows, and what a coordinator asks of a proposal. */
static void check_derivatives(const struct expr *expr)
{
    enum verdict verdict;
    fingerprint_of(expr, &verdict);
    for (int wrt = EXPR_WRT_X; wrt < expr_betas(expr); wrt++) {
        struct expr *derivative = expr_derivative(expr, wrt);
        expr_destroy(&derivative);
    }
}

/* The code of a function is there, whatever the function. LaTeX has its derivative as text, which grows with the
 * square of the function's. */
static void check_exports(const struct expr *expr, size_t size)
{
    enum { SHORT = 300 };
    for (int target = 0; target < EXPORT_TARGETS; target++) {
        if (target == EXPORT_LATEX && size > SHORT)
            continue;
        char *code = expr_export(expr, (enum export_target)target, "f");
        assert(code && code[0]);
        free(code);
    }
}

static void check_refusal(const char *text, const struct problem *problem)
{
    char *shown = expr_problem_text(text, problem);
    assert(problem->text[0] != '\0' && problem->column > 0 && shown[0] != '\0');
    free(shown);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = xcalloc(size + 1, 1);
    memcpy(text, data, size);
    struct expr *expr = NULL;
    struct problem problem = {0};
    double begin_s = cpu_s();
    if (expr_parse(text, &expr, &problem) == 0) {
        check_reads_back(expr);
        check_canonical(expr);
        check_derivatives(expr);
        check_exports(expr, size);
    } else {
        assert(!expr);
        check_refusal(text, &problem);
    }
    assert(cpu_s() - begin_s < TIME_MAX_S);
    expr_destroy(&expr);
    free(text);
    return 0;
}

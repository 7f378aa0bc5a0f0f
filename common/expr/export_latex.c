/* export_latex: the formula and its derivative, as a person would typeset them.
 *
 * The expression is not folded: the formula stays as it was written.
 */
#include "common/expr/export_text.h"

#include "common/json.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct latex {
    const struct expr *expr;
    bool *negative; /* for each node: its text begins with a minus sign */
    struct buf *out;
};

static void put_node(const struct latex *latex, int at, bool without_minus);

/* 0.25, 10^{-6}, 2.5 \cdot 10^{-7} */
static void put_number(double value, struct buf *out)
{
    char digits[REAL_TEXT];
    if (!isfinite(value)) { /* of a derivative: folded numbers are finite, and so are written ones */
        buf_printf(out, "%s", isnan(value) ? "\\mathrm{NaN}" : value < 0 ? "-\\infty" : "\\infty");
        return;
    }
    real_text(value, digits);
    const char *e = strchr(digits, 'e');
    if (!e) {
        buf_printf(out, "%s", digits);
        return;
    }
    const int length = (int)(e - digits), exponent = (int)strtol(e + 1, NULL, 10);
    const bool minus = digits[0] == '-';
    if (length == 1 + minus && e[-1] == '1')
        buf_printf(out, "%s10^{%d}", minus ? "-" : "", exponent);
    else
        buf_printf(out, "%.*s \\cdot 10^{%d}", length, digits, exponent);
}

static void put_beta(int index, struct buf *out)
{
    buf_printf(out, index < 10 ? "\\beta_%d" : "\\beta_{%d}", index);
}

/* Whether a superscript may follow without parentheses: x, \beta_0, 2, and \sin\left(x\right). */
static bool takes_power(const struct node *node)
{
    static const char closed[] = "\\right)";
    if (node->op == OP_NUMBER)
        return node->value >= 0 && node->value < 1000;
    if (op_rows[node->op].arity == 0)
        return true;
    const char *text = export_rows[node->op].text[EXPORT_LATEX];
    const size_t length = strlen(text), end = strlen(closed);
    return op_rows[node->op].syntax == SYNTAX_CALL && length > end &&
           strcmp(text + length - end, closed) == 0 && text[0] == '\\';
}

static bool is_sum(const struct expr *expr, int at)
{
    return op_rows[expr->nodes[at].op].syntax == SYNTAX_SUM;
}

/* malloc'd */
static bool *negative_nodes(const struct expr *expr)
{
    bool *negative = xcalloc((size_t)expr->count, sizeof *negative);
    for (int i = 0; i < expr->count; i++) {
        const struct node *node = &expr->nodes[i];
        const int first = node->operand[0];
        negative[i] = node->op == OP_NEG || (node->op == OP_NUMBER && signbit(node->value)) ||
                      (is_sum(expr, i) && negative[first]) ||
                      (op_rows[node->op].syntax == SYNTAX_PRODUCT && negative[first] && !is_sum(expr, first));
    }
    return negative;
}

/* Whether an operand in this place needs parentheses. */
static bool needs_parentheses(const struct latex *latex, const struct node *node, int operand)
{
    const int below = node->operand[operand];
    const bool sum = is_sum(latex->expr, below);
    switch (op_rows[node->op].syntax) {
    case SYNTAX_SUM:
        return operand == 1 && sum && (node->op == OP_SUB || latex->negative[below]);
    case SYNTAX_PRODUCT:
        return sum || (operand == 1 && latex->negative[below]);
    case SYNTAX_SIGN:
        return sum || latex->negative[below];
    default:
        return !takes_power(&latex->expr->nodes[below]);
    }
}

/* Without its sign where `without_minus`, which only a negative operand may be asked for. */
static void put_operand(const struct latex *latex, int at, int operand, bool tight, bool without_minus)
{
    const struct node *node = &latex->expr->nodes[at];
    const bool parentheses = tight && needs_parentheses(latex, node, operand);
    buf_printf(latex->out, "%s", parentheses ? "\\left(" : "");
    put_node(latex, node->operand[operand], without_minus);
    buf_printf(latex->out, "%s", parentheses ? "\\right)" : "");
}

/* Factors stand side by side, with a dot where the right one begins with a digit. */
static void put_product(const struct latex *latex, int at, bool without_minus)
{
    struct buf right = {0};
    const struct latex right_latex = {latex->expr, latex->negative, &right};
    put_operand(latex, at, 0, true, without_minus);
    put_operand(&right_latex, at, 1, true, false);
    buf_printf(latex->out, isdigit((unsigned char)buf_text(&right)[0]) ? " \\cdot " : " \\, ");
    buf_put(latex->out, right.data, right.size);
    buf_release(&right);
}

/* a + (-b) is a - b, and a - (-b) is a + b. */
static void put_sum(const struct latex *latex, int at)
{
    const struct node *node = &latex->expr->nodes[at];
    const bool negative = latex->negative[node->operand[1]] && !is_sum(latex->expr, node->operand[1]);
    put_operand(latex, at, 0, true, false);
    buf_printf(latex->out, (node->op == OP_SUB) != negative ? " - " : " + ");
    put_operand(latex, at, 1, true, negative);
}

static void put_by_row(const struct latex *latex, int at)
{
    const struct node *node = &latex->expr->nodes[at];
    for (const char *text = export_rows[node->op].text[EXPORT_LATEX]; *text; text++) {
        const bool mark = *text == '$' || *text == '%';
        if (!mark)
            buf_put(latex->out, text, 1);
        else if (text[1] == 'n')
            buf_printf(latex->out, "%d", node->index);
        else
            put_operand(latex, at, text[1] - 'a', *text == '%', false);
        text += mark;
    }
}

/* `without_minus`: of a negative node that is no sum, all but the sign. */
static void put_node(const struct latex *latex, int at, bool without_minus)
{
    const struct node *node = &latex->expr->nodes[at];
    switch (node->op) {
    case OP_NUMBER:
        put_number(without_minus ? -node->value : node->value, latex->out);
        break;
    case OP_X:
        buf_printf(latex->out, "x");
        break;
    case OP_BETA:
        put_beta(node->index, latex->out);
        break;
    case OP_NEG:
        buf_printf(latex->out, without_minus ? "" : "-");
        put_operand(latex, at, 0, true, false);
        break;
    case OP_MUL:
        put_product(latex, at, without_minus);
        break;
    case OP_DIV: /* the sign stands before the fraction */
        buf_printf(latex->out, latex->negative[at] && !without_minus ? "-\\frac{" : "\\frac{");
        put_operand(latex, at, 0, false, latex->negative[at]);
        buf_printf(latex->out, "}{");
        put_operand(latex, at, 1, false, false);
        buf_printf(latex->out, "}");
        break;
    case OP_ADD:
    case OP_SUB:
        put_sum(latex, at);
        break;
    default:
        put_by_row(latex, at);
    }
}

static void put_whole(const struct expr *expr, struct buf *out)
{
    const struct latex latex = {expr, negative_nodes(expr), out};
    put_node(&latex, expr->count - 1, false);
    free(latex.negative);
}

void export_latex(const struct export_job *job, struct buf *ret_text)
{
    struct expr *derivative = expr_derivative(job->expr, EXPR_WRT_X);
    buf_printf(ret_text, "%% %s: %s\n", job->name, job->formula);
    if (job->expr->betas > 0)
        buf_printf(ret_text, "%% \\beta: trained, one per channel; initially");
    for (int k = 0; k < job->expr->betas; k++) {
        buf_printf(ret_text, k > 0 ? ", " : " ");
        put_beta(k, ret_text);
        buf_printf(ret_text, " = ");
        put_number(job->expr->beta_init[k], ret_text);
        buf_printf(ret_text, k + 1 == job->expr->betas ? "\n" : "");
    }
    buf_printf(ret_text, "\\begin{align}\nf(x) &= ");
    put_whole(job->expr, ret_text);
    buf_printf(ret_text, " \\\\\nf'(x) &= ");
    put_whole(derivative, ret_text);
    buf_printf(ret_text, "\n\\end{align}\n");
    expr_destroy(&derivative);
}

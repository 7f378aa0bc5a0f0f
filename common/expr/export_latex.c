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

static void put_node(const struct expr *expr, int at, bool without_minus, struct buf *out);

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

/* Whether the text of the node begins with a minus sign. */
static bool is_negative(const struct expr *expr, int at)
{
    const struct node *node = &expr->nodes[at];
    if (op_rows[node->op].syntax == SYNTAX_PRODUCT)
        return is_negative(expr, node->operand[0]);
    return node->op == OP_NEG || (node->op == OP_NUMBER && signbit(node->value));
}

/* Whether an operand in this place needs parentheses. */
static bool needs_parentheses(const struct expr *expr, const struct node *node, int operand)
{
    const int below = node->operand[operand];
    const bool sum = op_rows[expr->nodes[below].op].syntax == SYNTAX_SUM;
    switch (op_rows[node->op].syntax) {
    case SYNTAX_SUM:
        return operand == 1 && sum && node->op == OP_SUB;
    case SYNTAX_PRODUCT:
        return sum || (operand == 1 && is_negative(expr, below));
    case SYNTAX_SIGN:
        return sum || is_negative(expr, below);
    default:
        return !takes_power(&expr->nodes[below]);
    }
}

static void put_operand(const struct expr *expr, int at, int operand, bool tight, bool without_minus,
                        struct buf *out)
{
    const struct node *node = &expr->nodes[at];
    const bool parentheses = tight && needs_parentheses(expr, node, operand);
    buf_printf(out, "%s", parentheses ? "\\left(" : "");
    put_node(expr, node->operand[operand], without_minus, out);
    buf_printf(out, "%s", parentheses ? "\\right)" : "");
}

/* Factors stand side by side, with a dot where the right one begins with a digit. */
static void put_product(const struct expr *expr, int at, bool without_minus, struct buf *out)
{
    struct buf right = {0};
    put_operand(expr, at, 0, true, without_minus, out);
    put_operand(expr, at, 1, true, false, &right);
    buf_printf(out, isdigit((unsigned char)buf_text(&right)[0]) ? " \\cdot " : " \\, ");
    buf_put(out, right.data, right.size);
    buf_release(&right);
}

/* a + (-b) is a - b, and a - (-b) is a + b. */
static void put_sum(const struct expr *expr, int at, struct buf *out)
{
    const struct node *node = &expr->nodes[at];
    const bool negative = is_negative(expr, node->operand[1]);
    put_operand(expr, at, 0, true, false, out);
    buf_printf(out, (node->op == OP_SUB) != negative ? " - " : " + ");
    put_operand(expr, at, 1, true, negative, out);
}

static void put_by_row(const struct expr *expr, int at, struct buf *out)
{
    const struct node *node = &expr->nodes[at];
    for (const char *text = export_rows[node->op].text[EXPORT_LATEX]; *text; text++) {
        const bool mark = *text == '$' || *text == '%';
        if (!mark)
            buf_put(out, text, 1);
        else if (text[1] == 'n')
            buf_printf(out, "%d", node->index);
        else
            put_operand(expr, at, text[1] - 'a', *text == '%', false, out);
        text += mark;
    }
}

/* `without_minus`: of a node that is_negative, all but the sign. */
static void put_node(const struct expr *expr, int at, bool without_minus, struct buf *out)
{
    const struct node *node = &expr->nodes[at];
    switch (node->op) {
    case OP_NUMBER:
        put_number(without_minus ? -node->value : node->value, out);
        break;
    case OP_X:
        buf_printf(out, "x");
        break;
    case OP_BETA:
        put_beta(node->index, out);
        break;
    case OP_NEG:
        buf_printf(out, without_minus ? "" : "-");
        put_operand(expr, at, 0, true, false, out);
        break;
    case OP_MUL:
        put_product(expr, at, without_minus, out);
        break;
    case OP_DIV: /* the sign stands before the fraction */
        buf_printf(out, is_negative(expr, at) && !without_minus ? "-\\frac{" : "\\frac{");
        put_operand(expr, at, 0, false, is_negative(expr, at), out);
        buf_printf(out, "}{");
        put_operand(expr, at, 1, false, false, out);
        buf_printf(out, "}");
        break;
    case OP_ADD:
    case OP_SUB:
        put_sum(expr, at, out);
        break;
    default:
        put_by_row(expr, at, out);
    }
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
    put_node(job->expr, job->expr->count - 1, false, ret_text);
    buf_printf(ret_text, " \\\\\nf'(x) &= ");
    put_node(derivative, derivative->count - 1, false, ret_text);
    buf_printf(ret_text, "\n\\end{align}\n");
    expr_destroy(&derivative);
}

/* The printer: the fewest parentheses that read back as the same tree. */
#include "common/buf.h"
#include "common/expr/node.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How tightly a node holds together; an operand that binds less tightly than its place asks for gets
 * parentheses. The levels are the rules of the grammar. */
enum level { LEVEL_SUM, LEVEL_PRODUCT, LEVEL_UNARY, LEVEL_POWER, LEVEL_ATOM };

struct printer {
    const struct expr *expr;
    struct buf out;
    size_t limit;
    int depth, deepest;
};

/* Plain digits for numbers of everyday size, otherwise an exponent: 0.25, 1000, 1e-6, 1e20. */
static void number_text(double value, char ret_text[40])
{
    if (value == 0) { /* −0 too */
        strcpy(ret_text, signbit(value) ? "-0" : "0");
        return;
    }
    char digits[40];
    int precision = 0;
    do
        snprintf(digits, sizeof digits, "%.*e", precision++, value);
    while (strtod(digits, NULL) != value);
    char *e = strchr(digits, 'e');
    int exponent = (int)strtol(e + 1, NULL, 10);
    int after_point = precision - 1 - exponent;
    if (exponent >= -4 && exponent < 16 && !(exponent >= 6 && after_point < -3))
        snprintf(ret_text, 40, "%.*f", after_point > 0 ? after_point : 0, value);
    else
        snprintf(ret_text, 40, "%.*se%d", (int)(e - digits), digits, exponent);
}

static enum level node_level(const struct node *node)
{
    switch (op_rows[node->op].syntax) {
    case SYNTAX_SUM:
        return LEVEL_SUM;
    case SYNTAX_PRODUCT:
        return LEVEL_PRODUCT;
    case SYNTAX_SIGN:
        return LEVEL_UNARY;
    case SYNTAX_POWER:
        return LEVEL_POWER;
    default:
        return node->op == OP_NUMBER && signbit(node->value) ? LEVEL_UNARY : LEVEL_ATOM;
    }
}

static void deeper(struct printer *printer, int by)
{
    printer->depth += by;
    if (printer->depth > printer->deepest)
        printer->deepest = printer->depth;
}

static void print_node(struct printer *printer, int at);

static void print_operand(struct printer *printer, int at, enum level level)
{
    bool parentheses = node_level(&printer->expr->nodes[at]) < level;
    if (parentheses) {
        deeper(printer, +1);
        buf_printf(&printer->out, "(");
    }
    print_node(printer, at);
    if (parentheses) {
        deeper(printer, -1);
        buf_printf(&printer->out, ")");
    }
}

static void print_leaf(struct printer *printer, const struct node *node)
{
    char text[40];
    if (node->op == OP_X) {
        buf_printf(&printer->out, "%s", printer->expr->names[node->index]);
    } else if (node->op == OP_BETA) {
        buf_printf(&printer->out, "b%d", node->index);
    } else {
        number_text(node->value, text);
        deeper(printer, signbit(node->value) ? +1 : 0);
        deeper(printer, signbit(node->value) ? -1 : 0);
        buf_printf(&printer->out, "%s", text);
    }
}

/* Nodes are shared, text is not: past the limit nothing more is written, which also bounds the time. */
static void print_node(struct printer *printer, int at)
{
    const struct node *node = &printer->expr->nodes[at];
    const struct op_row *row = &op_rows[node->op];
    if (printer->out.size > printer->limit)
        return;
    switch (row->syntax) {
    case SYNTAX_LEAF:
        print_leaf(printer, node);
        break;
    case SYNTAX_SUM:
    case SYNTAX_PRODUCT:
        print_operand(printer, node->operand[0], row->syntax == SYNTAX_SUM ? LEVEL_SUM : LEVEL_PRODUCT);
        buf_printf(&printer->out, "%s", row->name);
        print_operand(printer, node->operand[1], row->syntax == SYNTAX_SUM ? LEVEL_PRODUCT : LEVEL_UNARY);
        break;
    case SYNTAX_SIGN:
        buf_printf(&printer->out, "%s", row->name);
        deeper(printer, +1);
        print_operand(printer, node->operand[0], LEVEL_UNARY);
        deeper(printer, -1);
        break;
    case SYNTAX_POWER:
        print_operand(printer, node->operand[0], LEVEL_ATOM);
        buf_printf(&printer->out, "%s%d", row->name, node->index);
        break;
    case SYNTAX_CALL:
        buf_printf(&printer->out, "%s(", row->name);
        deeper(printer, +1);
        for (int k = 0; k < row->arity; k++) {
            if (k > 0)
                buf_printf(&printer->out, ",");
            print_node(printer, node->operand[k]);
        }
        deeper(printer, -1);
        buf_printf(&printer->out, ")");
        break;
    }
}

char *expr_print_bounded(const struct expr *expr, size_t limit, int *ret_depth)
{
    struct printer printer = {.expr = expr, .limit = limit};
    print_node(&printer, expr->count - 1);
    for (int k = 0; k < expr->betas; k++) {
        char text[40];
        if (expr->beta_init[k] == 1.0 || isnan(expr->beta_init[k]))
            continue;
        number_text(expr->beta_init[k], text);
        buf_printf(&printer.out, "; b%d=%s", k, text);
    }
    char *text = printer.out.size <= limit ? xstrdup(buf_text(&printer.out)) : NULL;
    *ret_depth = printer.deepest;
    buf_release(&printer.out);
    return text;
}

char *expr_print(const struct expr *expr)
{
    int depth;
    return expr_print_bounded(expr, SIZE_MAX - 1, &depth);
}

/* Bounds on the text and on the nesting under each node that also hold after folding of numbers and another
 * order. */
static bool fits_easily(const struct expr *expr)
{
    enum { LONGEST_NUMBER = 25, LONGEST_NAME = 12 };
    if (expr->count > EXPR_MAX_NODES)
        return false;
    struct {
        int text, depth;
    } bound[EXPR_MAX_NODES];
    for (int i = 0; i < expr->count; i++) {
        const struct node *node = &expr->nodes[i];
        bound[i].text = LONGEST_NUMBER;
        bound[i].depth = 1;
        for (int k = 0; k < op_rows[node->op].arity; k++) {
            bound[i].text += LONGEST_NAME + bound[node->operand[k]].text;
            if (bound[node->operand[k]].depth >= bound[i].depth)
                bound[i].depth = bound[node->operand[k]].depth + 2;
        }
        if (bound[i].text > EXPR_MAX_TEXT)
            return false;
    }
    int root = expr->count - 1;
    return bound[root].text + expr->betas * (LONGEST_NUMBER + LONGEST_NAME) <= EXPR_MAX_TEXT &&
           bound[root].depth <= EXPR_MAX_DEPTH;
}

static bool prints_within(const struct expr *expr)
{
    int depth;
    char *text = expr_print_bounded(expr, EXPR_MAX_TEXT, &depth);
    bool fits = text && depth <= EXPR_MAX_DEPTH;
    free(text);
    return fits;
}

bool expr_fits(const struct expr *expr)
{
    if (fits_easily(expr))
        return true;
    if (expr->count > EXPR_MAX_NODES || !prints_within(expr))
        return false;
    struct expr *canon = expr_canon(expr);
    bool fits = prints_within(canon);
    expr_destroy(&canon);
    return fits;
}

#include "common/expr/export_text.h"

#include "common/json.h"

#include <assert.h>
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A second row for a primitive does not compile, here; a missing one neither, below. */
enum {
#define EXPORT(id, ...) HAS_ROW_##id,
#include "common/expr/export.def"
    ROWS,
};
_Static_assert(ROWS == OPS - OP_BETA - 1, "export.def has a row for each primitive of ops.def");

const struct export_row export_rows[OPS] = {
#define EXPORT(id, c, c_slope_a, c_slope_b, torch, jax, tensorflow, latex)                                   \
    [OP_##id] = {{[EXPORT_C] = c,                                                                            \
                  [EXPORT_PYTORCH] = torch,                                                                  \
                  [EXPORT_JAX] = jax,                                                                        \
                  [EXPORT_TENSORFLOW] = tensorflow,                                                          \
                  [EXPORT_LATEX] = latex},                                                                   \
                 {c_slope_a, c_slope_b}},
#include "common/expr/export.def"
};

/* ---- the expression ------------------------------------------------------------------------------------ */

struct expr *export_folded(const struct expr *expr)
{
    struct builder builder = builder_new(INT32_MAX);
    int *number = xcalloc((size_t)expr->count, sizeof *number);
    for (int i = 0; i < expr->count; i++) {
        struct node node = expr->nodes[i];
        bool constant = op_rows[node.op].arity > 0;
        double value[2] = {0};
        for (int k = 0; k < op_rows[node.op].arity; k++) {
            node.operand[k] = number[node.operand[k]];
            constant = constant && builder.nodes[node.operand[k]].op == OP_NUMBER;
            value[k] = builder.nodes[node.operand[k]].value;
        }
        if (node.op == OP_POWER && node.index == 0)
            number[i] = builder_number(&builder, 1);
        else if (constant)
            number[i] = builder_number(&builder, node_value(&node, value[0], value[1]));
        else
            number[i] = builder_add(&builder, node);
    }
    int root = number[expr->count - 1];
    free(number);
    return builder_finish(&builder, root, expr);
}

bool *export_depends(const struct expr *expr)
{
    bool *depends = xcalloc((size_t)expr->count, sizeof *depends);
    for (int i = 0; i < expr->count; i++) {
        depends[i] = expr->nodes[i].op == OP_X;
        for (int k = 0; k < op_rows[expr->nodes[i].op].arity; k++)
            depends[i] = depends[i] || depends[expr->nodes[i].operand[k]];
    }
    return depends;
}

void export_writer_locals(struct export_writer *writer)
{
    enum { DEEP = 6 }; /* nested primitives on a line that one can still read */
    const struct expr *expr = writer->expr;
    int *uses = xcalloc((size_t)expr->count, sizeof *uses);
    int *depth = xcalloc((size_t)expr->count, sizeof *depth);
    int locals = 0;
    writer->local = xcalloc((size_t)expr->count, sizeof *writer->local);
    for (int i = 0; i < expr->count; i++)
        for (int k = 0; k < op_rows[expr->nodes[i].op].arity; k++)
            uses[expr->nodes[i].operand[k]]++;
    for (int i = 0; i < expr->count; i++) {
        const int arity = op_rows[expr->nodes[i].op].arity;
        for (int k = 0; k < arity; k++) {
            const int below = depth[expr->nodes[i].operand[k]];
            depth[i] = below >= depth[i] ? below + 1 : depth[i];
        }
        writer->local[i] = -1;
        if (arity > 0 && i + 1 < expr->count && (uses[i] > 1 || depth[i] >= DEEP)) {
            writer->local[i] = locals++;
            depth[i] = 0;
        }
    }
    free(uses);
    free(depth);
}

void export_writer_release(struct export_writer *writer)
{
    free(writer->local);
    writer->local = NULL;
}

/* ---- text ---------------------------------------------------------------------------------------------- */

/* As in the language itself: C, Python and LaTeX bind in the same way. */
enum level { LEVEL_SUM, LEVEL_PRODUCT, LEVEL_SIGN, LEVEL_POWER, LEVEL_ATOM };

static enum level level_of(const struct export_writer *writer, int at)
{
    static const enum level levels[] = {[SYNTAX_SUM] = LEVEL_SUM,
                                        [SYNTAX_PRODUCT] = LEVEL_PRODUCT,
                                        [SYNTAX_SIGN] = LEVEL_SIGN,
                                        [SYNTAX_POWER] = LEVEL_POWER};
    const struct node *node = &writer->expr->nodes[at];
    if (node->op == OP_NUMBER)
        return signbit(node->value) ? LEVEL_SIGN : LEVEL_ATOM;
    if (op_rows[node->op].arity == 0 || (writer->local && writer->local[at] >= 0) ||
        !strchr(export_rows[node->op].text[writer->target], '%'))
        return LEVEL_ATOM;
    return levels[op_rows[node->op].syntax];
}

/* What the operand's place asks for. */
static enum level level_asked(const struct node *node, int operand)
{
    switch (op_rows[node->op].syntax) {
    case SYNTAX_SUM:
        return operand == 0 ? LEVEL_SUM : LEVEL_PRODUCT;
    case SYNTAX_PRODUCT:
        return operand == 0 ? LEVEL_PRODUCT : LEVEL_SIGN;
    case SYNTAX_SIGN: /* not --x, which means something else in C */
        return LEVEL_POWER;
    default:
        return LEVEL_ATOM;
    }
}

void export_number(struct export_writer *writer, double value)
{
    const bool python = writer->target != EXPORT_C;
    char digits[REAL_TEXT];
    if (isnan(value)) {
        buf_printf(writer->out, python ? "float(\"nan\")" : "(%s)NAN",
                   writer->suffix[0] ? "float" : "double");
    } else if (isinf(value)) {
        buf_printf(writer->out, python ? "%sfloat(\"inf\")" : "%s(%s)INFINITY", value < 0 ? "-" : "",
                   writer->suffix[0] ? "float" : "double");
    } else {
        real_text(value, digits);
        buf_printf(writer->out, "%s%s%s", digits, strpbrk(digits, ".e") ? "" : ".0", writer->suffix);
    }
}

static void put_operand(struct export_writer *writer, int at, int operand, bool tight)
{
    const struct node *node = &writer->expr->nodes[at];
    const int below = node->operand[operand];
    /* torch.maximum takes tensors alone. */
    const bool tensor = writer->target == EXPORT_PYTORCH && op_rows[node->op].syntax == SYNTAX_CALL &&
                        writer->expr->nodes[below].op == OP_NUMBER;
    const bool parentheses = tight && level_of(writer, below) < level_asked(node, operand);
    const char *open = tensor ? "x.new_tensor(" : parentheses ? "(" : "";
    buf_printf(writer->out, "%s", open);
    export_node(writer, below);
    buf_printf(writer->out, "%s", open[0] ? ")" : "");
}

void export_text(struct export_writer *writer, const char *text, int at)
{
    for (; *text; text++) {
        if (*text != '$' && *text != '%') {
            buf_put(writer->out, text, 1);
            continue;
        }
        const bool tight = *text == '%';
        switch (*++text) {
        case 'a':
        case 'b':
            put_operand(writer, at, *text - 'a', tight);
            break;
        case 'n':
            buf_printf(writer->out, "%d", writer->expr->nodes[at].index);
            break;
        case 'y':
            export_node(writer, at);
            break;
        case 's':
            buf_printf(writer->out, "%s", writer->suffix);
            break;
        case 't':
            buf_printf(writer->out, "%s", writer->suffix[0] ? "float" : "double");
            break;
        default:
            assert(*text == 'p');
            buf_printf(writer->out, "%s", writer->prefix);
        }
    }
}

void export_formula(struct export_writer *writer, int at)
{
    const struct node *node = &writer->expr->nodes[at];
    if (node->op == OP_NUMBER)
        export_number(writer, node->value);
    else if (node->op == OP_X)
        buf_printf(writer->out, "x");
    else if (node->op == OP_BETA)
        buf_printf(writer->out, writer->target == EXPORT_C ? "b[%d]" : "b%d", node->index);
    else
        export_text(writer, export_rows[node->op].text[writer->target], at);
}

void export_node(struct export_writer *writer, int at)
{
    if (writer->local[at] >= 0)
        buf_printf(writer->out, "t%d", writer->local[at]);
    else
        export_formula(writer, at);
}

/* ---- the whole ----------------------------------------------------------------------------------------- */

bool export_name_fits(const char *name)
{
    const size_t length = strlen(name);
    if (!isalpha((unsigned char)name[0]) || length > EXPORT_MAX_NAME)
        return false;
    for (size_t i = 0; i < length; i++)
        if (!isalnum((unsigned char)name[i]) && (name[i] != '_' || name[i + 1] == '_' || !name[i + 1]))
            return false;
    return true;
}

char *expr_export(const struct expr *expr, enum export_target target, const char *name)
{
    static void (*const exporters[EXPORT_TARGETS])(const struct export_job *, struct buf *) = {
        [EXPORT_PYTORCH] = export_python,    [EXPORT_JAX] = export_python,
        [EXPORT_TENSORFLOW] = export_python, [EXPORT_C] = export_c,
        [EXPORT_LATEX] = export_latex,
    };
    assert(export_name_fits(name));
    char *formula = expr_print(expr);
    struct buf text = {0};
    exporters[target](&(struct export_job){expr, target, name, formula}, &text);
    free(formula);
    return (char *)text.data;
}

/* export_c: f and f' as C, by backpropagation with the slopes of export.def, in the trainer's order. */
#include "common/expr/export_text.h"

#include "common/json.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const struct helper {
    const char *name, *text;
} helpers[] = {
#define HELPER_C(name, text) {name, text},
#include "common/expr/export.def"
};
enum { HELPERS = sizeof helpers / sizeof *helpers };

static void put_locals(struct export_writer *writer)
{
    for (int i = 0; i < writer->expr->count; i++) {
        if (writer->local[i] < 0)
            continue;
        export_text(writer, "    const $t ", -1);
        buf_printf(writer->out, "t%d = ", writer->local[i]);
        export_formula(writer, i);
        buf_printf(writer->out, ";\n");
    }
}

/* Whether the code names the variable, which is one letter. */
static bool names(const char *code, char variable)
{
    for (const char *at = strchr(code, variable); at; at = strchr(at + 1, variable))
        if (!isalnum((unsigned char)at[1]) && !isalnum((unsigned char)at[-1]) && at[-1] != '_')
            return true;
    return false;
}

/* A function of x and b around the lines of `body`, which is released. */
static void put_function(struct export_writer *writer, const char *what, struct buf *body)
{
    export_text(writer, "static inline $t $p_", -1);
    buf_printf(writer->out, "%s", what);
    export_text(writer, "$s($t x, const $t *b)\n{\n", -1);
    for (const char *parameter = "xb"; *parameter; parameter++)
        if (!names(buf_text(body), *parameter)) /* so that a compiler does not ask about it */
            buf_printf(writer->out, "    (void)%c;\n", *parameter);
    buf_put(writer->out, body->data, body->size);
    buf_printf(writer->out, "}\n");
    buf_release(body);
}

static void put_value(struct export_writer *writer)
{
    struct buf body = {0}, *out = writer->out;
    export_writer_locals(writer);
    writer->out = &body;
    put_locals(writer);
    buf_printf(&body, "    return ");
    export_formula(writer, writer->expr->count - 1);
    buf_printf(&body, ";\n");
    writer->out = out;
    put_function(writer, "value", &body);
    export_writer_release(writer);
}

/* ---- the slope ----------------------------------------------------------------------------------------- */

/* Which nodes have a slope in x that is not 0 everywhere. malloc'd. */
static bool *sloping_nodes(const struct expr *expr)
{
    bool *slopes = xcalloc((size_t)expr->count, sizeof *slopes);
    for (int i = 0; i < expr->count; i++) {
        const struct node *node = &expr->nodes[i];
        slopes[i] = node->op == OP_X;
        for (int k = 0; k < op_rows[node->op].arity && !node_is_flat(node); k++)
            slopes[i] = slopes[i] || slopes[node->operand[k]];
    }
    return slopes;
}

/* Whether the slope of f flows from node i into its operand k. */
static bool flows(const struct expr *expr, const bool *slopes, int i, int k)
{
    const struct node *node = &expr->nodes[i];
    return k < op_rows[node->op].arity && !node_is_flat(node) && slopes[node->operand[k]];
}

/* The nodes that f' flows through, from the root down. malloc'd. */
static bool *reached_nodes(const struct expr *expr, const bool *slopes)
{
    bool *reached = xcalloc((size_t)expr->count, sizeof *reached);
    reached[expr->count - 1] = true;
    for (int i = expr->count - 1; i >= 0; i--)
        for (int k = 0; reached[i] && k < 2; k++)
            if (flows(expr, slopes, i, k))
                reached[expr->nodes[i].operand[k]] = true;
    return reached;
}

/* Variables for the values that the slopes name, and for what is used by several of these. */
static void slope_locals(struct export_writer *writer, const bool *slopes, const bool *reached)
{
    const struct expr *expr = writer->expr;
    export_writer_locals(writer);
    bool *named = xcalloc((size_t)expr->count, sizeof *named);
    for (int i = expr->count - 1; i >= 0; i--) {
        const struct node *node = &expr->nodes[i];
        for (int k = 0; reached[i] && k < 2; k++) {
            if (!flows(expr, slopes, i, k))
                continue;
            const char *slope = export_rows[node->op].c_slope[k];
            named[i] = named[i] || strstr(slope, "$y");
            for (int operand = 0; operand < op_rows[node->op].arity; operand++)
                if (strstr(slope, operand == 0 ? "$a" : "$b"))
                    named[node->operand[operand]] = true;
        }
    }
    bool *needed = xcalloc((size_t)expr->count, sizeof *needed); /* to compute what is named */
    for (int i = expr->count - 1; i >= 0; i--) {
        needed[i] = needed[i] || named[i];
        for (int k = 0; needed[i] && k < op_rows[expr->nodes[i].op].arity; k++)
            needed[expr->nodes[i].operand[k]] = true;
    }
    int locals = 0;
    for (int i = 0; i < expr->count; i++) {
        const bool inner = op_rows[expr->nodes[i].op].arity > 0;
        const bool local = inner && (named[i] || (needed[i] && writer->local[i] >= 0));
        writer->local[i] = local ? locals++ : -1;
    }
    free(named);
    free(needed);
}

/* Its own number for each node that f' flows through, in the order in which they are computed. */
static void put_adjoint_name(struct buf *out, int root, int at)
{
    buf_printf(out, "g%d", root - at);
}

/* " + g1 * slope": what node i adds to the slope of f in its operand k. */
static void put_part(struct export_writer *writer, int i, int k, bool first)
{
    const int root = writer->expr->count - 1;
    const char *slope = export_rows[writer->expr->nodes[i].op].c_slope[k];
    const bool negative = slope[0] == '-', one = strcmp(slope, negative ? "-1" : "1") == 0;
    buf_printf(writer->out, "%s", first ? (negative ? "-" : "") : negative ? " - " : " + ");
    if (i < root)
        put_adjoint_name(writer->out, root, i);
    if (i < root && !one)
        buf_printf(writer->out, " * ");
    if (!one || i == root)
        export_text(writer, one ? "1.0$s" : slope + negative, i);
}

/* The slope of f in the node: a sum over all that use it. */
static void put_adjoint(struct export_writer *writer, const bool *slopes, const bool *reached, int at)
{
    bool first = true;
    for (int i = writer->expr->count - 1; i > at; i--)
        for (int k = 0; reached[i] && k < 2; k++)
            if (flows(writer->expr, slopes, i, k) && writer->expr->nodes[i].operand[k] == at) {
                put_part(writer, i, k, first);
                first = false;
            }
}

static void put_slope(struct export_writer *writer)
{
    const struct expr *expr = writer->expr;
    const int root = expr->count - 1;
    bool *slopes = sloping_nodes(expr), *reached = reached_nodes(expr, slopes);
    struct buf body = {0}, *out = writer->out;
    int x = -1;
    slope_locals(writer, slopes, reached);
    writer->out = &body;
    put_locals(writer);
    for (int i = root; i >= 0; i--) {
        if (!reached[i])
            continue;
        if (expr->nodes[i].op == OP_X) {
            x = i;
        } else if (i < root) {
            export_text(writer, "    const $t ", -1);
            put_adjoint_name(&body, root, i);
            buf_printf(&body, " = ");
            put_adjoint(writer, slopes, reached, i);
            buf_printf(&body, ";\n");
        }
    }
    buf_printf(&body, "    return ");
    if (x < 0 || x == root)
        export_text(writer, x < 0 ? "0.0$s" : "1.0$s", -1);
    else
        put_adjoint(writer, slopes, reached, x);
    buf_printf(&body, ";\n");
    writer->out = out;
    put_function(writer, "slope", &body);
    export_writer_release(writer);
    free(slopes);
    free(reached);
}

/* ---- the whole ----------------------------------------------------------------------------------------- */

/* The helpers that `code` calls, in front of it. */
static void put_helpers(struct export_writer *writer, const struct buf *code)
{
    for (int h = 0; h < HELPERS; h++) {
        char *call = xasprintf("%s_%s%s(", writer->prefix, helpers[h].name, writer->suffix);
        if (strstr(buf_text(code), call)) {
            export_text(writer, helpers[h].text, -1);
            buf_printf(writer->out, "\n");
        }
        free(call);
    }
}

static void put_functions(const struct export_job *job, const struct expr *expr, const char *suffix,
                          struct buf *ret_text)
{
    struct buf code = {0};
    struct export_writer writer = {
        .expr = expr, .target = EXPORT_C, .out = &code, .suffix = suffix, .prefix = job->name};
    put_value(&writer);
    buf_printf(&code, "\n");
    put_slope(&writer);
    writer.out = ret_text;
    put_helpers(&writer, &code);
    buf_put(ret_text, code.data, code.size);
    buf_release(&code);
}

static void put_parameters(const struct export_job *job, struct buf *ret_text)
{
    if (job->expr->betas == 0)
        buf_printf(ret_text, " * There are no parameters: b may be NULL.\n");
    else
        buf_printf(ret_text, " * b: %d trainable parameter%s of the channel; initially", job->expr->betas,
                   job->expr->betas == 1 ? "" : "s");
    for (int k = 0; k < job->expr->betas; k++) {
        char init[REAL_TEXT];
        real_text(job->expr->beta_init[k], init);
        buf_printf(ret_text, "%s b[%d] = %s%s", k > 0 ? "," : "", k, init,
                   k + 1 == job->expr->betas ? ".\n" : "");
    }
}

void export_c(const struct export_job *job, struct buf *ret_text)
{
    struct expr *expr = export_folded(job->expr);
    char guard[EXPORT_MAX_NAME + 1];
    size_t length = 0;
    for (; job->name[length]; length++)
        guard[length] = (char)toupper((unsigned char)job->name[length]);
    guard[length] = '\0';
    buf_printf(ret_text,
               "/* f(x) = %s\n *\n * %s_value is f and %s_slope is df/dx, in double; %s_valuef and %s_slopef "
               "in float.\n",
               job->formula, job->name, job->name, job->name, job->name);
    put_parameters(job, ret_text);
    buf_printf(ret_text, " * Found by actsearch. */\n#ifndef %s_H\n#define %s_H\n\n#include <math.h>\n\n",
               guard, guard);
    put_functions(job, expr, "", ret_text);
    buf_printf(ret_text, "\n");
    put_functions(job, expr, "f", ret_text);
    buf_printf(ret_text, "\n#endif\n");
    expr_destroy(&expr);
}

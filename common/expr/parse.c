/* The parser: one function for each rule of the grammar, the rule above it. */
#include "common/expr/node.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct parser {
    const char *text;
    size_t at;
    int depth;
    int err; /* 0 until the first problem */
    struct problem *problem;
    struct builder builder;
    const char *const *names; /* of the variables */
    int name_count;
    bool beta_used[EXPR_MAX_BETAS];
    double beta_init[EXPR_MAX_BETAS]; /* NaN: not given */
};

/* Notes the first problem, at byte `at`; returns −1, "no node". */
#define FAIL(parser, code, where, ...)                                                                       \
    ((parser)->err                                                                                           \
         ? -1                                                                                                \
         : ((parser)->err = problem_at((parser)->problem, code, 0, (int)(where) + 1, __VA_ARGS__), -1))

static void skip_space(struct parser *parser)
{
    while (parser->text[parser->at] == ' ' || parser->text[parser->at] == '\t')
        parser->at++;
}

static char peek(struct parser *parser)
{
    skip_space(parser);
    return parser->text[parser->at];
}

static bool accept(struct parser *parser, char symbol)
{
    if (peek(parser) != symbol)
        return false;
    parser->at++;
    return true;
}

/* What stands at the place of the problem, for "expected …, found …". */
static const char *found(const struct parser *parser, char ret_text[32])
{
    const char *at = parser->text + parser->at;
    if (!*at)
        strcpy(ret_text, "the end");
    else if ((unsigned char)*at < 0x20 || (unsigned char)*at >= 0x7f)
        strcpy(ret_text, "a character outside of ASCII");
    else
        ret_text[0] = '\'', ret_text[1] = *at, ret_text[2] = '\'', ret_text[3] = '\0';
    return ret_text;
}

#define EXPECTED(parser, what)                                                                               \
    (skip_space(parser),                                                                                     \
     FAIL(parser, ERR_INPUT, (parser)->at, "expected %s, found %s", what, found(parser, (char[32]){0})))

static bool enter(struct parser *parser)
{
    if (++parser->depth <= EXPR_MAX_DEPTH)
        return true;
    FAIL(parser, ERR_LIMIT, parser->at, "nested more than %d deep", EXPR_MAX_DEPTH);
    return false;
}

/* A node of the builder, or the problem that it is full. */
static int added(struct parser *parser, int node)
{
    return node >= 0 ? node
                     : FAIL(parser, ERR_LIMIT, parser->at, "more than %d distinct nodes", EXPR_MAX_NODES);
}

static int parse_sum(struct parser *parser);

/* number := digits ['.' {digit}] [exponent] | '.' digits [exponent] ; exponent := ('e'|'E') ['+'|'-'] digits
 */
static double parse_number(struct parser *parser)
{
    const char *from = parser->text + parser->at, *to = from;
    while (isdigit((unsigned char)*to))
        to++;
    if (*to == '.')
        to++;
    while (isdigit((unsigned char)*to))
        to++;
    if (*to == 'e' || *to == 'E') {
        const char *digits = to + 1 + (to[1] == '+' || to[1] == '-');
        if (isdigit((unsigned char)*digits))
            for (to = digits; isdigit((unsigned char)*to);)
                to++;
    }
    char *copy = strndup(from, (size_t)(to - from));
    if (!copy)
        abort();
    double value = strtod(copy, NULL);
    free(copy);
    if (!isfinite(value))
        FAIL(parser, ERR_INPUT, parser->at, "expected a number below 1.8e308 in size");
    parser->at = (size_t)(to - parser->text);
    return value;
}

static bool at_number(struct parser *parser)
{
    const char *at = parser->text + parser->at;
    return isdigit((unsigned char)*at) || (*at == '.' && isdigit((unsigned char)at[1]));
}

/* Longer names than any that has a meaning are cut, and so have none. */
static void parse_name(struct parser *parser, char ret_name[32])
{
    size_t length = 0;
    while (isalnum((unsigned char)parser->text[parser->at]) || parser->text[parser->at] == '_') {
        if (length < 31)
            ret_name[length++] = parser->text[parser->at];
        parser->at++;
    }
    ret_name[length] = '\0';
}

/* b digits? : the parameter's number, EXPR_MAX_BETAS where it is too large; −1 where the name is none. */
static int beta_number(const char *name)
{
    if (name[0] != 'b' || strspn(name + 1, "0123456789") != strlen(name + 1))
        return -1;
    long number = name[1] ? strtol(name + 1, NULL, 10) : 0;
    return number < EXPR_MAX_BETAS ? (int)number : EXPR_MAX_BETAS;
}

/* A name with a meaning elsewhere, or near to one of ours. */
static int fail_unknown_function(struct parser *parser, const char *name, size_t at)
{
    for (int i = 0; i < expr_known_count; i++)
        if (strcmp(expr_known[i].name, name) == 0)
            return FAIL(parser, ERR_INPUT, at, "'%s' is not a function of the language: write %s", name,
                        expr_known[i].text);
    const char *names[OPS];
    size_t count = 0;
    for (int op = 0; op < OPS; op++)
        if (op_rows[op].syntax == SYNTAX_CALL)
            names[count++] = op_rows[op].name;
    const char *near = nearest_name(name, names, count, sizeof *names);
    if (near)
        return FAIL(parser, ERR_INPUT, at, "unknown function '%s': did you mean '%s'?", name, near);
    char list[256] = "";
    for (size_t i = 0; i < count; i++)
        strcat(strcat(list, i ? " " : ""), names[i]);
    return FAIL(parser, ERR_INPUT, at, "unknown function '%s': expected one of %s", name, list);
}

/* call := name '(' sum {',' sum} ')' */
static int parse_call(struct parser *parser, const char *name, size_t at)
{
    int op = 0;
    while (op < OPS && !(op_rows[op].syntax == SYNTAX_CALL && strcmp(op_rows[op].name, name) == 0))
        op++;
    if (op == OPS)
        return fail_unknown_function(parser, name, at);
    if (!accept(parser, '('))
        return EXPECTED(parser, "'(' after the name of a function");
    if (!enter(parser))
        return -1;
    int operand[2] = {-1, -1};
    for (int k = 0; k < op_rows[op].arity; k++) {
        if (k > 0 && !accept(parser, ','))
            return EXPECTED(parser, "an operator, or ',' and the second argument");
        operand[k] = parse_sum(parser);
        if (operand[k] < 0)
            return -1;
    }
    if (!accept(parser, ')'))
        return EXPECTED(parser, op_rows[op].arity == 1
                                    ? "an operator or ')' (the function takes one argument)"
                                    : "an operator or ')' (the function takes two arguments)");
    parser->depth--;
    return added(parser, builder_op(&parser->builder, (enum op)op, operand[0], operand[1], 0));
}

/* 'x' | 'b' digits? | call */
static int parse_named(struct parser *parser)
{
    size_t at = parser->at;
    char name[32];
    parse_name(parser, name);
    if (peek(parser) == '(')
        return parse_call(parser, name, at);
    for (int i = 0; i < parser->name_count; i++)
        if (strcmp(name, parser->names[i]) == 0)
            return added(parser, builder_leaf(&parser->builder, OP_X, i));
    int beta = beta_number(name);
    if (beta >= EXPR_MAX_BETAS)
        return FAIL(parser, ERR_LIMIT, at, "there is no parameter '%s': expected b0 to b%d", name,
                    EXPR_MAX_BETAS - 1);
    if (beta >= 0) {
        parser->beta_used[beta] = true;
        return added(parser, builder_leaf(&parser->builder, OP_BETA, beta));
    }
    for (int op = 0; op < OPS; op++)
        if (op_rows[op].syntax == SYNTAX_CALL && strcmp(op_rows[op].name, name) == 0)
            return EXPECTED(parser, "'(' after the name of a function");
    char variables[EXPR_MAX_NAMES * (EXPR_MAX_NAME + 2) + 1] = "";
    for (int i = 0; i < parser->name_count; i++)
        strcat(strcat(variables, parser->names[i]), ", ");
    return FAIL(parser, ERR_INPUT, at, "unknown name '%s': expected %sb0 to b%d, a number or a function",
                name, variables, EXPR_MAX_BETAS - 1);
}

/* atom := number | 'x' | 'b' digits? | name '(' sum {',' sum} ')' | '(' sum ')' */
static int parse_atom(struct parser *parser)
{
    char next = peek(parser);
    if (at_number(parser)) {
        double value = parse_number(parser);
        return parser->err ? -1 : added(parser, builder_number(&parser->builder, value));
    }
    if (isalpha((unsigned char)next) || next == '_')
        return parse_named(parser);
    if (!accept(parser, '('))
        return EXPECTED(parser, "a number, a name or '('");
    if (!enter(parser))
        return -1;
    int node = parse_sum(parser);
    if (node < 0)
        return -1;
    if (!accept(parser, ')'))
        return EXPECTED(parser, "an operator or ')'");
    parser->depth--;
    return node;
}

/* power := atom ('^' ['-'] integer)? */
static int parse_power(struct parser *parser)
{
    int node = parse_atom(parser);
    if (node < 0 || !accept(parser, '^'))
        return node;
    bool negative = accept(parser, '-');
    skip_space(parser);
    size_t at = parser->at;
    if (!isdigit((unsigned char)parser->text[at]))
        return EXPECTED(parser, "an integer power, such as 2 or -1");
    double power = parse_number(parser);
    if (parser->err)
        return -1;
    if (power != floor(power))
        return FAIL(parser, ERR_INPUT, at, "expected an integer power, such as 2 or -1");
    if (power > EXPR_MAX_POWER)
        return FAIL(parser, ERR_LIMIT, at, "expected a power of at most %d", EXPR_MAX_POWER);
    if (peek(parser) == '^')
        return FAIL(parser, ERR_INPUT, parser->at,
                    "a power of a power needs parentheses: expected an operator, ')' or the end");
    return added(parser,
                 builder_op(&parser->builder, OP_POWER, node, -1, negative ? -(int)power : (int)power));
}

/* unary := '-' unary | power */
static int parse_unary(struct parser *parser)
{
    if (!accept(parser, '-'))
        return parse_power(parser);
    if (!enter(parser))
        return -1;
    int node = parse_unary(parser);
    parser->depth--;
    return node < 0 ? -1 : added(parser, builder_op(&parser->builder, OP_NEG, node, -1, 0));
}

/* product := unary (('*'|'/') unary)* */
static int parse_product(struct parser *parser)
{
    int node = parse_unary(parser);
    while (node >= 0 && (peek(parser) == '*' || peek(parser) == '/')) {
        enum op op = accept(parser, '*') ? OP_MUL : OP_DIV;
        parser->at += op == OP_DIV;
        int right = parse_unary(parser);
        node = right < 0 ? -1 : added(parser, builder_op(&parser->builder, op, node, right, 0));
    }
    return node;
}

/* sum := product (('+'|'-') product)* */
static int parse_sum(struct parser *parser)
{
    int node = parse_product(parser);
    while (node >= 0 && (peek(parser) == '+' || peek(parser) == '-')) {
        enum op op = accept(parser, '+') ? OP_ADD : OP_SUB;
        parser->at += op == OP_SUB;
        int right = parse_product(parser);
        node = right < 0 ? -1 : added(parser, builder_op(&parser->builder, op, node, right, 0));
    }
    return node;
}

/* init := 'b' digits? '=' ['-'] number */
static void parse_init(struct parser *parser)
{
    skip_space(parser);
    size_t at = parser->at;
    char name[32];
    parse_name(parser, name);
    int beta = beta_number(name);
    if (beta < 0 || beta >= EXPR_MAX_BETAS || !parser->beta_used[beta]) {
        FAIL(parser, ERR_INPUT, at,
             "expected a parameter of the expression and its initial value, such as b0=0.25");
        return;
    }
    if (!isnan(parser->beta_init[beta])) {
        FAIL(parser, ERR_INPUT, at, "'%s' already has an initial value", name);
        return;
    }
    if (!accept(parser, '=')) {
        EXPECTED(parser, "'=' and an initial value");
        return;
    }
    bool negative = accept(parser, '-');
    skip_space(parser);
    if (!at_number(parser)) {
        EXPECTED(parser, "a number");
        return;
    }
    double value = parse_number(parser);
    parser->beta_init[beta] = negative ? -value : value;
}

/* text := sum (';' init)* */
static int parse_text(struct parser *parser)
{
    int root = parse_sum(parser);
    while (!parser->err && accept(parser, ';'))
        parse_init(parser);
    if (!parser->err && peek(parser))
        EXPECTED(parser, "an operator, ';' or the end");
    return parser->err ? -1 : root;
}

/* Numbers the parameters without gaps, in the order of their numbers as written. */
static int close_gaps(struct parser *parser)
{
    int number[EXPR_MAX_BETAS], betas = 0;
    for (int k = 0; k < EXPR_MAX_BETAS; k++) {
        number[k] = betas;
        if (parser->beta_used[k])
            parser->beta_init[betas++] = parser->beta_init[k];
    }
    for (int i = 0; i < parser->builder.count; i++)
        if (parser->builder.nodes[i].op == OP_BETA)
            parser->builder.nodes[i].index = number[parser->builder.nodes[i].index];
    return betas;
}

static int parse(const char *text, const char *const *names, int name_count, struct expr **ret_expr,
                 struct problem *problem)
{
    if (strnlen(text, EXPR_MAX_TEXT + 1) > EXPR_MAX_TEXT)
        return problem_at(problem, ERR_LIMIT, 0, EXPR_MAX_TEXT + 1, "longer than %d characters",
                          EXPR_MAX_TEXT);
    struct parser parser = {.text = text, .problem = problem, .names = names, .name_count = name_count};
    for (int k = 0; k < EXPR_MAX_BETAS; k++)
        parser.beta_init[k] = NAN;
    parser.builder = builder_new(EXPR_MAX_NODES);
    int root = parse_text(&parser);
    if (root < 0) {
        builder_release(&parser.builder);
        return parser.err;
    }
    struct expr like = {.betas = close_gaps(&parser), .name_count = name_count};
    for (int k = 0; k < like.betas; k++)
        like.beta_init[k] = parser.beta_init[k];
    for (int i = 0; i < name_count; i++)
        strcpy(like.names[i], names[i]);
    *ret_expr = builder_finish(&parser.builder, root, &like);
    return 0;
}

int expr_parse(const char *text, struct expr **ret_expr, struct problem *problem)
{
    static const char *const names[] = {"x"};
    struct expr *expr;
    int err = parse(text, names, 1, &expr, problem);
    if (err)
        return err;
    for (int k = 0; k < expr->betas; k++)
        if (isnan(expr->beta_init[k]))
            expr->beta_init[k] = 1.0;
    if (!expr_fits(expr)) {
        expr_destroy(&expr);
        return problem_at(problem, ERR_LIMIT, 0, 1,
                          "longer than %d characters, or nested more than %d deep, when written in full",
                          EXPR_MAX_TEXT, EXPR_MAX_DEPTH);
    }
    *ret_expr = expr;
    return 0;
}

int expr_template_parse(const char *text, const char *const *names, int name_count,
                        struct expr **ret_template, struct problem *problem)
{
    return parse(text, names, name_count, ret_template, problem);
}

/* A window of the text around the column, so that a long string does not push the caret off the line. */
char *expr_problem_text(const char *text, const struct problem *problem)
{
    enum { BEFORE = 60, AFTER = 40 };
    size_t length = strnlen(text, EXPR_MAX_TEXT + 1);
    size_t at = problem->column > 0 ? (size_t)problem->column - 1 : 0;
    if (at > length)
        at = length;
    size_t from = at > BEFORE ? at - BEFORE : 0, to = length - at > AFTER ? at + AFTER : length;
    /* Whole characters: neither edge inside a UTF-8 sequence. */
    while (from < at && ((unsigned char)text[from] & 0xc0) == 0x80)
        from++;
    while (to > at && ((unsigned char)text[to] & 0xc0) == 0x80)
        to--;
    char line[BEFORE + AFTER + 1], pad[BEFORE + 1];
    size_t pads = 0;
    for (size_t i = from; i < to; i++) {
        line[i - from] = (unsigned char)text[i] < 0x20 || text[i] == 0x7f ? ' ' : text[i];
        if (i < at && ((unsigned char)text[i] & 0xc0) != 0x80)
            pad[pads++] = ' ';
    }
    line[to - from] = pad[pads] = '\0';
    const char *left = from > 0 ? "..." : "", *right = to < length ? "..." : "";
    return xasprintf("%s%s%s\n%*s%s^ %s", left, line, right, (int)strlen(left), "", pad, problem->text);
}

/* actsearch expr: what a function is (canonical form, derivatives, fingerprint) and its values. */
#include "cli/commands.h"
#include "common/expr/function.h"
#include "cli/options.h"
#include "common/expr/expr.h"
#include "common/expr/fingerprint.h"
#include "common/json.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPTION_AT = OPTION_OWN, OPTION_BETA, OPTION_KNOWN, MAX_POINTS = 10000 };

struct arguments {
    const char *text;
    double *at, *beta; /* NULL where not given */
    int at_count, beta_count;
    bool json, known;
};

static const struct argp_option options[] = {
    {"at", OPTION_AT, "X,X,...", 0, "Values of f and f' at these x (default: from -5 to 5)", 0},
    {"beta", OPTION_BETA, "V,V,...", 0,
     "Values of b0, b1, ... of EXPR (default: their initial values, 1 unless EXPR says otherwise)", 0},
    {"known", OPTION_KNOWN, 0, 0, "List the functions that have a name, and their formulas", 0},
    OPTION_ROW_JSON,
    {0},
};

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    switch (key) {
    case OPTION_AT:
        free(arguments->at);
        arguments->at = option_reals(state, "--at", value, MAX_POINTS, &arguments->at_count);
        return 0;
    case OPTION_BETA:
        free(arguments->beta);
        arguments->beta = option_reals(state, "--beta", value, EXPR_MAX_BETAS, &arguments->beta_count);
        return 0;
    case OPTION_KNOWN:
        arguments->known = true;
        return 0;
    case OPTION_JSON:
        arguments->json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (arguments->text)
            argp_error(state, "one expression at a time: '%s' is a second one (quote it if it has spaces)",
                       value);
        arguments->text = value;
        return 0;
    case ARGP_KEY_END:
        if (!arguments->text && !arguments->known)
            argp_error(state, "expected an expression, such as 'x*sigmoid(b*x)'");
        if (arguments->text && arguments->known)
            argp_error(state, "--known takes no expression");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    .options = options,
    .parser = parse_option,
    .args_doc = "EXPR\n--known",
    .doc = "Says what the function EXPR of x is: its canonical form, its derivatives, its fingerprint, "
           "whether a search would try it, and its values.\v"
           "EXPR is written with x, numbers, trainable parameters b0, b1, ... (b is b0), + - * / ^ and "
           "functions such as sigmoid(x) and max(x,0); initial values may follow, as in "
           "'max(x,0)+b*min(x,0); b=0.25'. Derivatives and --beta keep the numbers of EXPR; the canonical "
           "form numbers parameters anew.",
};

/* All that is said about a function, either way. */
struct report {
    const struct expr *expr;
    char *canonical, *derivative, *by_beta[EXPR_MAX_BETAS];
    char fingerprint[HASH_HEX];
    enum verdict verdict;
    const char *known;
    int betas;
    double beta[EXPR_MAX_BETAS];
    const double *at;
    int at_count;
};

static void report_fill(struct report *report, const struct expr *expr, const struct arguments *arguments)
{
    static const double points[] = {-5, -4, -3, -2, -1, -0.5, 0, 0.5, 1, 2, 3, 4, 5};
    struct expr *canon = expr_canon(expr);
    struct hash fingerprint = fingerprint_of(canon, &report->verdict);
    report->expr = expr;
    report->canonical = expr_print(canon);
    report->derivative = function_derivative(expr, EXPR_WRT_X);
    hash_hex(&fingerprint, report->fingerprint);
    report->known = function_known_name(canon);
    report->betas = expr_betas(expr);
    for (int k = 0; k < report->betas; k++) {
        report->by_beta[k] = function_derivative(expr, k);
        report->beta[k] = k < arguments->beta_count ? arguments->beta[k] : expr_beta_init(expr, k);
    }
    report->at = arguments->at ? arguments->at : points;
    report->at_count = arguments->at ? arguments->at_count : (int)(sizeof points / sizeof *points);
    expr_destroy(&canon);
}

static void report_release(struct report *report)
{
    free(report->canonical);
    free(report->derivative);
    for (int k = 0; k < report->betas; k++)
        free(report->by_beta[k]);
}

static void print_json(const struct report *report, const char *text)
{
    struct json json = {0};
    json_object(&json, NULL);
    json_text(&json, "expression", text);
    json_text(&json, "canonical", report->canonical);
    json_text(&json, "derivative", report->derivative);
    json_array(&json, "beta_derivatives");
    for (int k = 0; k < report->betas; k++)
        json_text(&json, NULL, report->by_beta[k]);
    json_end(&json);
    json_text(&json, "fingerprint", report->fingerprint);
    json_text(&json, "verdict", verdict_text(report->verdict));
    json_text(&json, "known", report->known);
    json_int(&json, "betas", report->betas);
    json_array(&json, "beta");
    for (int k = 0; k < report->betas; k++)
        json_real(&json, NULL, report->beta[k]);
    json_end(&json);
    json_array(&json, "at");
    for (int i = 0; i < report->at_count; i++) {
        double df, dbeta[EXPR_MAX_BETAS];
        double f = expr_eval_gradient(report->expr, report->at[i], report->beta, &df, dbeta);
        json_object(&json, NULL);
        json_real(&json, "x", report->at[i]);
        json_real(&json, "f", f);
        json_real(&json, "df", df);
        json_array(&json, "dbeta");
        for (int k = 0; k < report->betas; k++)
            json_real(&json, NULL, dbeta[k]);
        json_end(&json);
        json_end(&json);
    }
    json_end(&json);
    json_end(&json);
    puts(buf_text(&json.out));
    buf_release(&json.out);
}

/* A number in its column; −0 shows as 0. */
static void print_value(double value)
{
    printf(" %14.8g", value == 0 ? 0.0 : value);
}

static void print_report(const struct report *report)
{
    printf("canonical    %s\n", report->canonical);
    if (report->known)
        printf("known as     %s\n", report->known);
    printf("d/dx         %s\n", report->derivative);
    for (int k = 0; k < report->betas; k++)
        printf("d/db%-8d %s\n", k, report->by_beta[k]);
    printf("fingerprint  %s\n", report->fingerprint);
    printf("verdict      %s: %s\n\n", verdict_text(report->verdict), verdict_meaning(report->verdict));
    for (int k = 0; k < report->betas; k++)
        printf("b%d = %g%s", k, report->beta[k], k + 1 < report->betas ? ", " : "\n\n");
    printf("%14s %14s %14s", "x", "f(x)", "f'(x)");
    for (int k = 0; k < report->betas; k++)
        printf(" %*s%d", k < 10 ? 13 : 12, "df/db", k);
    puts("");
    for (int i = 0; i < report->at_count; i++) {
        double df, dbeta[EXPR_MAX_BETAS];
        double f = expr_eval_gradient(report->expr, report->at[i], report->beta, &df, dbeta);
        printf("%14.8g", report->at[i]);
        print_value(f);
        print_value(df);
        for (int k = 0; k < report->betas; k++)
            print_value(dbeta[k]);
        puts("");
    }
}

static int print_known(bool as_json)
{
    struct json json = {0};
    if (as_json)
        json_array(&json, NULL);
    for (int i = 0; i < expr_known_count; i++) {
        const struct expr_known *known = &expr_known[i];
        if (!as_json) {
            printf("%-18s %s\n", known->name, known->text);
            continue;
        }
        json_object(&json, NULL);
        json_text(&json, "name", known->name);
        json_text(&json, "activation", known->text);
        json_text(&json, "source", known->source);
        json_end(&json);
    }
    if (as_json) {
        json_end(&json);
        puts(buf_text(&json.out));
    }
    buf_release(&json.out);
    return STATUS_DONE;
}

static int describe(const struct arguments *arguments)
{
    struct expr *expr;
    int status = expr_argument(arguments->text, &expr);
    if (status)
        return status;
    if (arguments->beta_count > expr_betas(expr)) {
        fprintf(stderr, "actsearch expr: --beta: %d values, but the expression has %d parameters\n",
                arguments->beta_count, expr_betas(expr));
        status = STATUS_USAGE;
    } else {
        struct report report = {0};
        report_fill(&report, expr, arguments);
        if (arguments->json)
            print_json(&report, arguments->text);
        else
            print_report(&report);
        report_release(&report);
    }
    expr_destroy(&expr);
    return status;
}

int cli_expr(int argc, char **argv)
{
    struct arguments arguments = {0};
    expr_argp_parse(&parser, argc, argv, &arguments);
    int status = arguments.known ? print_known(arguments.json) : describe(&arguments);
    free(arguments.at);
    free(arguments.beta);
    return status;
}

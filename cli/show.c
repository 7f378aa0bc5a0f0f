/* actsearch show: one function of a results database: what it is, its place, its trials, its curve, its
 * picture. Or, where none is named, what the search has learnt. */
#include "cli/answer.h"
#include "cli/candidate.h"
#include "cli/commands.h"
#include "common/expr/function.h"
#include "cli/options.h"
#include "cli/picture.h"
#include "cli/policy.h"
#include "common/retrain.h"
#include "cli/table.h"
#include "common/experiment.h"
#include "common/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct arguments {
    const char *path, *text;
    bool json;
};

static const struct argp_option options[] = {OPTION_ROW_JSON, {0}};

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    switch (key) {
    case OPTION_JSON:
        arguments->json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 1)
            argp_error(state, "one expression at a time: '%s' is a second one (quote it if it has spaces)",
                       value);
        *(state->arg_num == 0 ? &arguments->path : &arguments->text) = value;
        return 0;
    case ARGP_KEY_END:
        if (!arguments->path)
            argp_error(state, "expected a results database, DB");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    .options = options,
    .parser = parse_option,
    .args_doc = "DB [EXPR]",
    .doc =
        "Shows what the results database DB knows of the function EXPR, in whatever way it is spelt: "
        "formula, derivative, rank, each trial, the learning curve, a picture of f and f', and the "
        "command that trains it once more with the same bits. Without EXPR: what the search has learnt, the "
        "likeliest choice of each token with its probability and entropy, now and over time.\v"
        "EXPR may be the name of a known function, such as swish (actsearch expr --known lists them).",
};

/* ---- what there is to show ----------------------------------------------------------------------------- */

/* A function and what the database says of it. */
struct shown {
    struct expr *expr; /* canonical, as the database has it once it is found */
    char *activation;
    char fingerprint[HASH_HEX];
    enum verdict verdict;
    const char *known;    /* a name, or NULL */
    char *candidate;      /* its id, NULL where it is none */
    struct answer facts;  /* one row */
    struct answer trials; /* in order of replica */
    struct answer curve;  /* of the first trial that has one */
    char *train_command;  /* of row_to_train; NULL where there is none */
};

static void set_function(struct shown *shown, const struct expr *expr)
{
    struct expr *canonical = expr_canon(expr);
    expr_destroy(&shown->expr);
    free(shown->activation);
    shown->expr = canonical;
    shown->activation = expr_print(canonical);
    struct hash fingerprint = fingerprint_of(canonical, &shown->verdict);
    hash_hex(&fingerprint, shown->fingerprint);
    shown->known = function_known_name(canonical);
}

static void shown_release(struct shown *shown)
{
    expr_destroy(&shown->expr);
    free(shown->activation);
    free(shown->candidate);
    free(shown->train_command);
    answer_release(&shown->facts);
    answer_release(&shown->trials);
    answer_release(&shown->curve);
}

/* The trial to train once more: the first of those that the rank is of, else the first of all. */
static int row_to_train(const struct shown *shown)
{
    for (int row = 0; row < shown->trials.rows; row++)
        if (shown->facts.rows &&
            strcmp(answer_text(&shown->trials, row, "steps"), answer_text(&shown->facts, 0, "steps")) == 0)
            return row;
    return 0;
}

/* Where the built-in trainer trained it. */
static int fill_train_command(struct store_reader *reader, struct shown *shown, struct problem *problem)
{
    struct answer stored = {0};
    struct experiment *experiment = NULL;
    if (!store_has_built_in_trainer(reader))
        return 0;
    int err = answer_query(reader, "SELECT text FROM experiment", NULL, &stored, problem);
    if (!err && stored.rows && shown->trials.rows)
        err = experiment_parse("the stored experiment", answer_text(&stored, 0, "text"), NULL, 0, &experiment,
                               problem);
    if (experiment) {
        struct buf command = {0};
        const int row = row_to_train(shown);
        retrain_command(&experiment->child, shown->activation, answer_int(&shown->trials, row, "steps"),
                        answer_text(&shown->trials, row, "seed"), &command);
        shown->train_command = (char *)command.data;
    }
    experiment_destroy(&experiment);
    answer_release(&stored);
    return err;
}

static int fill_facts(struct store_reader *reader, struct shown *shown, struct problem *problem)
{
    const char *const candidate[] = {shown->candidate, NULL};
    const char *const activation[] = {shown->activation, NULL};
    int err = answer_query(
        reader,
        "SELECT c.*, r.rank, (SELECT count(*) FROM candidate WHERE seeds > 0) AS ranked, "
        "(SELECT count(*) FROM proposal WHERE candidate = c.id) AS proposals "
        "FROM candidate AS c LEFT JOIN ranking AS r ON r.activation = ?1 WHERE c.activation = ?1",
        activation, &shown->facts, problem);
    if (!err)
        err = answer_query(
            reader,
            "SELECT t.id AS trial, t.replica, t.seed, t.rung, t.state, t.steps, t.step, t.correct, "
            "t.validation_count, t.validation_loss, t.train_loss, t.seconds, "
            "t.images_per_second, w.host, substr(w.name, 1, 8) AS worker, "
            "(SELECT count(*) FROM attempt WHERE trial = t.id) AS attempts "
            "FROM trial AS t LEFT JOIN attempt AS a ON a.id = t.closed_by "
            "LEFT JOIN worker AS w ON w.id = a.worker "
            "WHERE t.candidate = ?1 ORDER BY t.steps, t.replica",
            candidate, &shown->trials, problem);
    if (!err)
        err = answer_query(reader,
                           "SELECT trial, step, loss FROM curve WHERE trial = "
                           "(SELECT t.id FROM trial AS t WHERE t.candidate = ?1 AND "
                           "EXISTS (SELECT 1 FROM curve WHERE trial = t.id) "
                           "ORDER BY t.steps DESC, t.replica LIMIT 1) ORDER BY point",
                           candidate, &shown->curve, problem);
    return err ? err : fill_train_command(reader, shown, problem);
}

/* ---- for people ---------------------------------------------------------------------------------------- */

/* Closed trials have an accuracy; one that diverged counts as 0. */
static bool has_outcome(const struct answer *trials, int row)
{
    const char *state = answer_text(trials, row, "state");
    return strcmp(state, "done") == 0 || strcmp(state, "diverged") == 0;
}

static double accuracy_of(const struct answer *trials, int row)
{
    const int64_t count = answer_int(trials, row, "validation_count");
    return count ? (double)answer_int(trials, row, "correct") / (double)count : 0;
}

static void real_cell(struct table *table, const char *format, double value)
{
    char text[64] = "";
    if (isfinite(value))
        snprintf(text, sizeof text,
                 strcmp(format, "%") == 0   ? "%.2f %%"
                 : strcmp(format, "s") == 0 ? "%.1f s"
                                            : "%.4f",
                 value);
    table_cell(table, "%s", text);
}

static void print_trials(const struct answer *trials)
{
    static const char *const header[] = {"trial",      "seed",  "state", "accuracy", "val. loss",
                                         "train loss", "steps", "time",  "worker",   "attempts"};
    struct table *table = table_new("rrlrrrrrlr");
    table_row(table);
    for (size_t i = 0; i < sizeof header / sizeof *header; i++)
        table_cell(table, "%s", header[i]);
    for (int row = 0; row < trials->rows; row++) {
        const bool closed = has_outcome(trials, row);
        const char *worker = answer_text(trials, row, "worker");
        table_row(table);
        table_cell(table, "%s", answer_text(trials, row, "trial"));
        table_cell(table, "%s", answer_text(trials, row, "seed"));
        table_cell(table, "%s", answer_text(trials, row, "state"));
        real_cell(table, "%", closed ? 100 * accuracy_of(trials, row) : NAN);
        real_cell(table, "", answer_real(trials, row, "validation_loss"));
        real_cell(table, "", closed ? answer_real(trials, row, "train_loss") : NAN);
        if (closed && answer_int(trials, row, "step") != answer_int(trials, row, "steps"))
            table_cell(table, "%s of %s", answer_text(trials, row, "step"),
                       answer_text(trials, row, "steps"));
        else
            table_cell(table, "%s", answer_text(trials, row, "steps"));
        real_cell(table, "s", closed ? answer_real(trials, row, "seconds") : NAN);
        table_cell(table, "%s%s%s", worker ? worker : "", worker ? "@" : "",
                   worker ? answer_text(trials, row, "host") : "");
        table_cell(table, "%s", answer_text(trials, row, "attempts"));
    }
    table_print(table, stdout);
    table_destroy(&table);
}

static void print_curve(const struct answer *curve)
{
    if (curve->rows == 0)
        return;
    double *losses = xcalloc((size_t)curve->rows, sizeof *losses);
    struct buf line = {0};
    for (int row = 0; row < curve->rows; row++)
        losses[row] = answer_real(curve, row, "loss");
    picture_sparkline(losses, curve->rows, &line);
    const int last = curve->rows - 1;
    printf("\ncurve        %s\n             training loss of trial %s: %.3f at step %s, %.3f at step %s\n",
           buf_text(&line), answer_text(curve, 0, "trial"), losses[0], answer_text(curve, 0, "step"),
           losses[last], answer_text(curve, last, "step"));
    buf_release(&line);
    free(losses);
}

static void print_rank(const struct answer *facts)
{
    const char *rank = answer_text(facts, 0, "rank");
    const char *reference = answer_int(facts, 0, "reference") ? ", a reference" : "";
    if (!rank) {
        printf("rank         none yet: no trial of it has an outcome%s\n", reference);
        return;
    }
    const double sd = answer_real(facts, 0, "accuracy_sd");
    printf("rank         %s of %s%s\n", rank, answer_text(facts, 0, "ranked"), reference);
    printf("accuracy     %.2f %%", 100 * answer_real(facts, 0, "accuracy_mean"));
    if (isfinite(sd))
        printf(" ± %.2f", 100 * sd);
    printf(" on validation, %s seed%s\n", answer_text(facts, 0, "seeds"),
           answer_int(facts, 0, "seeds") == 1 ? "" : "s");
    printf("parameters   %s, and %s trainable b\n", answer_text(facts, 0, "parameters"),
           answer_text(facts, 0, "betas"));
    if (isfinite(answer_real(facts, 0, "cost_ns")))
        printf("cost         %.2f ns an element, f and f' together\n", answer_real(facts, 0, "cost_ns"));
}

static void print_shown(const struct shown *shown)
{
    const struct answer *facts = &shown->facts;
    char *derivative = function_derivative(shown->expr, EXPR_WRT_X);
    printf("function     %s\n", shown->activation);
    if (shown->known)
        printf("known as     %s\n", shown->known);
    printf("d/dx         %s\n", derivative);
    print_rank(facts);
    const int64_t first = answer_int(facts, 0, "first_proposal"),
                  proposals = answer_int(facts, 0, "proposals");
    if (first >= 0)
        printf("proposed     first as number %lld, %lld time%s in all\n", (long long)first,
               (long long)proposals, proposals == 1 ? "" : "s");
    else
        printf("proposed     %lld time%s by the search\n", (long long)proposals, proposals == 1 ? "" : "s");
    printf("fingerprint  %s\n\n", shown->fingerprint);
    print_trials(&shown->trials);
    print_curve(&shown->curve);
    struct buf picture = {0};
    picture_functions(shown->expr, &picture);
    printf("\n%s", buf_text(&picture));
    buf_release(&picture);
    if (shown->train_command)
        printf("\nThe first trial of the most steps once more, with the same bits:\n  %s\n",
               shown->train_command);
    free(derivative);
}

/* ---- for programs -------------------------------------------------------------------------------------- */

static void json_value(struct json *json, const struct answer *answer, int row, const char *column,
                       bool is_int)
{
    if (!answer_text(answer, row, column))
        json_null(json, column);
    else if (is_int)
        json_int(json, column, answer_int(answer, row, column));
    else
        json_real(json, column, answer_real(answer, row, column));
}

static void json_trial(struct json *json, const struct answer *trials, int row)
{
    static const char *const ints[] = {"trial", "replica", "seed", "rung", "steps", "step", "attempts"};
    static const char *const reals[] = {"validation_loss", "train_loss", "seconds", "images_per_second"};
    json_object(json, NULL);
    for (size_t i = 0; i < sizeof ints / sizeof *ints; i++)
        json_value(json, trials, row, ints[i], true);
    json_text(json, "state", answer_text(trials, row, "state"));
    json_real(json, "accuracy", has_outcome(trials, row) ? accuracy_of(trials, row) : NAN);
    for (size_t i = 0; i < sizeof reals / sizeof *reals; i++)
        json_value(json, trials, row, reals[i], false);
    json_text(json, "worker", answer_text(trials, row, "worker"));
    json_text(json, "host", answer_text(trials, row, "host"));
    json_end(json);
}

static void print_shown_json(const struct shown *shown)
{
    static const char *const ints[] = {"rank",       "ranked", "seeds",          "steps",
                                       "parameters", "betas",  "first_proposal", "proposals"};
    static const char *const reals[] = {"accuracy_mean", "accuracy_sd", "validation_loss_mean", "seconds",
                                        "cost_ns"};
    struct json json = {0};
    char *derivative = function_derivative(shown->expr, EXPR_WRT_X);
    json_object(&json, NULL);
    json_text(&json, "activation", shown->activation);
    json_text(&json, "known", shown->known);
    json_text(&json, "derivative", derivative);
    json_text(&json, "fingerprint", shown->fingerprint);
    for (size_t i = 0; i < sizeof ints / sizeof *ints; i++)
        json_value(&json, &shown->facts, 0, ints[i], true);
    for (size_t i = 0; i < sizeof reals / sizeof *reals; i++)
        json_value(&json, &shown->facts, 0, reals[i], false);
    json_bool(&json, "reference", answer_int(&shown->facts, 0, "reference") != 0);
    json_array(&json, "trials");
    for (int row = 0; row < shown->trials.rows; row++)
        json_trial(&json, &shown->trials, row);
    json_end(&json);
    json_array(&json, "curve");
    for (int row = 0; row < shown->curve.rows; row++) {
        json_object(&json, NULL);
        json_value(&json, &shown->curve, row, "step", true);
        json_value(&json, &shown->curve, row, "loss", false);
        json_end(&json);
    }
    json_end(&json);
    json_text(&json, "train", shown->train_command);
    json_end(&json);
    puts(buf_text(&json.out));
    buf_release(&json.out);
    free(derivative);
}

/* ---- the search ---------------------------------------------------------------------------------------- */

static int show_search(const char *program, const struct arguments *arguments)
{
    struct store_reader *reader = NULL;
    struct problem problem;
    int err = store_reader_open(arguments->path, &reader, &problem);
    if (!err)
        err = arguments->json ? policy_print_json(reader, &problem) : policy_print(reader, &problem);
    store_reader_close(&reader);
    return err ? print_problem(program, NULL, &problem) : STATUS_DONE;
}

/* ---- the command --------------------------------------------------------------------------------------- */

static int show(struct store_reader *reader, const struct arguments *arguments, const struct expr *expr,
                struct shown *shown, struct problem *problem)
{
    struct expr *stored = NULL;
    int err =
        candidate_find(reader, arguments->path, arguments->text, expr, &shown->candidate, &stored, problem);
    if (!err) {
        set_function(shown, stored);
        err = fill_facts(reader, shown, problem);
    }
    expr_destroy(&stored);
    if (!err && arguments->json)
        print_shown_json(shown);
    else if (!err)
        print_shown(shown);
    return err;
}

int cli_show(int argc, char **argv)
{
    struct arguments arguments = {0};
    expr_argp_parse(&parser, argc, argv, &arguments);
    if (!arguments.text)
        return show_search(argv[0], &arguments);
    struct problem problem;
    struct expr *expr = NULL;
    int status = expr_argument(arguments.text, &expr);
    if (status)
        return status;
    struct shown shown = {0};
    struct store_reader *reader = NULL;
    int err = store_reader_open(arguments.path, &reader, &problem);
    if (!err)
        err = show(reader, &arguments, expr, &shown, &problem);
    expr_destroy(&expr);
    store_reader_close(&reader);
    shown_release(&shown);
    return err ? print_problem(argv[0], NULL, &problem) : STATUS_DONE;
}

#include "coordinator/store_check.h"

#include "common/expr/expr.h"
#include "common/functions.h"
#include "coordinator/consistent.h"
#include "coordinator/core.h"
#include "coordinator/ledger.h"
#include "coordinator/reader_state.h"
#include "coordinator/restore.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FOUND_MAX = 20 }; /* sentences for each check */

struct checking {
    struct sql *sql;
    struct rows rows;
    store_check_visit *visit;
    void *context;
    enum check check;
    int found; /* by the present check */
};

const char *check_name(enum check check)
{
    static const char *const names[] = {
#define CHECK_ROW(NAME, name, promise) name,
        CHECK_TABLE(CHECK_ROW)
#undef CHECK_ROW
    };
    return names[check];
}

const char *check_promise(enum check check)
{
    static const char *const promises[] = {
#define CHECK_ROW(NAME, name, promise) promise,
        CHECK_TABLE(CHECK_ROW)
#undef CHECK_ROW
    };
    return promises[check];
}

static void found(struct checking *checking, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void found(struct checking *checking, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    if (checking->found++ >= FOUND_MAX)
        return;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    checking->visit(checking->context, checking->check, text);
}

/* Each row of a query is one thing found; its columns are put together by the query. */
static int find_rows(struct checking *checking, const char *text, struct problem *problem)
{
    struct sql_statement *statement = NULL;
    bool row = false;
    int err = sql_prepare_own(checking->sql, text, &statement, problem);
    while (!err && (err = sql_step(statement, &row, problem)) == 0 && row) {
        const char *sentence = sql_column_text(statement, 0);
        if (!sentence || strcmp(sentence, "ok") != 0)
            found(checking, "%s", sentence ? sentence : "?");
    }
    sql_finalize(&statement);
    return err;
}

/* ---- the checks ---------------------------------------------------------------------------------------- */

static int check_pages(struct checking *checking, struct problem *problem)
{
    return find_rows(checking, "PRAGMA integrity_check(20)", problem);
}

static int check_references(struct checking *checking, struct problem *problem)
{
    return find_rows(
        checking,
        "SELECT 'table ' || \"table\" || ', row ' || coalesce(rowid, '?') || ': what it names in ' "
        "|| parent || ' is missing' FROM pragma_foreign_key_check LIMIT 20",
        problem);
}

static int check_columns(struct checking *checking, struct problem *problem)
{
    return restore_rows(checking->sql, &checking->rows, problem);
}

static int check_states(struct checking *checking, struct problem *problem)
{
    int err = rows_consistent(&checking->rows, problem);
    const struct experiment_row *row = &checking->rows.experiment;
    if (!err && (row->finished_because[0] != '\0') != (row->finished_ms > 0))
        found(checking, "the experiment: why it is finished, and when, do not fit");
    return err;
}

static int count(struct checking *checking, const char *text, int64_t *ret_count, struct problem *problem)
{
    return sql_number(checking->sql, text, ret_count, problem);
}

static void compare(struct checking *checking, const char *what, int64_t counter, int64_t counted)
{
    if (counter != counted)
        found(checking, "%s: %" PRId64 " according to the counter, there are %" PRId64, what, counter,
              counted);
}

static int check_counters(struct checking *checking, struct problem *problem)
{
    const struct counters_row *counters = &checking->rows.counters;
    int64_t states[TRIAL_STATES] = {0}, references = 0, connected = 0, counted = 0;
    int64_t finals = 0, finals_open = 0;
    for (size_t i = 0; i < checking->rows.trials.count; i++) {
        const struct trial_row *row = &checking->rows.trials.items[i];
        states[row->state]++;
        finals += row->rung == RUNG_FINALS;
        finals_open += row->rung == RUNG_FINALS && trial_is_open(row);
    }
    for (size_t i = 0; i < checking->rows.candidates.count; i++)
        references += checking->rows.candidates.items[i].reference;
    for (size_t i = 0; i < checking->rows.workers.count; i++)
        connected += checking->rows.workers.items[i].connected;
    compare(checking, "trials", counters->trials, (int64_t)checking->rows.trials.count);
    compare(checking, "trials ready", counters->ready, states[TRIAL_READY]);
    compare(checking, "trials leased", counters->leased, states[TRIAL_LEASED]);
    compare(checking, "trials done", counters->done, states[TRIAL_DONE]);
    compare(checking, "trials diverged", counters->diverged, states[TRIAL_DIVERGED]);
    compare(checking, "trials failed", counters->failed, states[TRIAL_FAILED]);
    compare(checking, "trials of the finals", counters->finals, finals);
    compare(checking, "trials of the finals that are open", counters->finals_open, finals_open);
    compare(checking, "references", counters->references, references);
    compare(checking, "candidates", counters->candidates,
            (int64_t)checking->rows.candidates.count - references);
    compare(checking, "workers connected", counters->workers, connected);
    if (checking->rows.experiment.finished_because[0] != '\0')
        compare(checking, "trials open after the end", 0, states[TRIAL_READY] + states[TRIAL_LEASED]);

    int err = count(checking, "SELECT count(*) FROM proposal", &counted, problem);
    if (!err)
        compare(checking, "proposals", counters->proposals, counted);
    for (int i = 0; i < VERDICTS && !err; i++) {
        char query[128];
        snprintf(query, sizeof query, "SELECT count(*) FROM proposal WHERE verdict = '%s'",
                 verdict_text((enum verdict)i));
        err = count(checking, query, &counted, problem);
        if (!err)
            compare(checking, i == VERDICT_USABLE ? "usable proposals" : verdict_text((enum verdict)i),
                    i == VERDICT_USABLE ? counters->candidates + counters->duplicates
                                        : counters->rejected_by[i],
                    counted);
    }
    return err;
}

/* SQLite keeps no sign of zero. */
static bool same_real(double a, double b)
{
    return (isnan(a) && isnan(b)) || a == b;
}

static int check_figures(struct checking *checking, struct problem *problem)
{
    (void)problem;
    struct rows kept = checking->rows, changes = {0}; /* the ledger counts in it, and changes nothing else */
    struct ledger ledger;
    ledger_start(&ledger, &kept, &changes);
    for (size_t i = 0; i < checking->rows.candidates.count; i++) {
        const struct candidate_row *row = &checking->rows.candidates.items[i];
        struct candidate_row computed = *row;
        ledger_compute(&ledger, &computed);
#define FIGURE(field, same)                                                                                  \
    if (!(same))                                                                                             \
        found(checking, "candidate %" PRId64 ", %.400s: %s is not what its trials say", row->id,             \
              row->activation, #field);
#define FIGURE_INT(field)  FIGURE(field, row->field == computed.field)
#define FIGURE_REAL(field) FIGURE(field, same_real(row->field, computed.field))
        FIGURE_INT(steps)
        FIGURE_INT(seeds)
        FIGURE_INT(diverged)
        FIGURE_INT(failed)
        FIGURE_INT(parameters)
        FIGURE_INT(betas)
        FIGURE_REAL(accuracy_mean)
        FIGURE_REAL(accuracy_sd)
        FIGURE_REAL(validation_loss_mean)
        FIGURE_REAL(seconds)
        FIGURE_REAL(cost_ns)
        FIGURE_REAL(reward)
#undef FIGURE_REAL
#undef FIGURE_INT
#undef FIGURE
    }
    ledger_release(&ledger);
    return 0;
}

static int check_rewards(struct checking *checking, struct problem *problem)
{
    return find_rows(checking,
                     "SELECT 'proposal ' || number || ': its reward is not that of its candidate' "
                     "FROM proposal LEFT JOIN candidate ON candidate.id = proposal.candidate "
                     "WHERE proposal.reward IS NOT iif(outcome = 'rejected', 0.0, candidate.reward) "
                     /* what was told of a result that was withdrawn later stays told */
                     "AND NOT EXISTS (SELECT 1 FROM trial JOIN attempt ON attempt.trial = trial.id "
                     "WHERE trial.candidate = proposal.candidate AND attempt.state = 'withdrawn') LIMIT 20",
                     problem);
}

static int check_curves(struct checking *checking, struct problem *problem)
{
    return find_rows(checking,
                     "SELECT DISTINCT 'trial ' || trial.id || ': has a learning curve, but no outcome' "
                     "FROM curve JOIN trial ON trial.id = curve.trial "
                     "WHERE trial.state NOT IN ('done', 'diverged') LIMIT 20",
                     problem);
}

static int check_functions(struct checking *checking, struct problem *problem)
{
    (void)problem;
    struct functions *functions = functions_new();
    for (size_t i = 0; i < checking->rows.candidates.count; i++) {
        const struct candidate_row *row = &checking->rows.candidates.items[i];
        struct expr *expr = NULL;
        struct problem wrong;
        if (expr_parse(row->activation, &expr, &wrong) != 0) {
            found(checking, "candidate %" PRId64 ", %.400s: %s", row->id, row->activation, wrong.text);
            continue;
        }
        const struct function *function = functions_add(functions, expr, NULL);
        expr_destroy(&expr);
        if (strcmp(function->text, row->activation) != 0)
            found(checking, "candidate %" PRId64 ", %.200s: is another spelling of, or the same as, %.200s",
                  row->id, row->activation, function->text);
        else if (memcmp(&function->fingerprint, &row->fingerprint, sizeof row->fingerprint) != 0)
            found(checking, "candidate %" PRId64 ", %.400s: has another fingerprint", row->id,
                  row->activation);
    }
    functions_destroy(&functions);
    return 0;
}

static int check_start(struct checking *checking, struct problem *problem)
{
    struct experiment *experiment = NULL;
    struct space *space = NULL;
    struct core *core = NULL;
    char *text = xstrdup(checking->rows.experiment.text);
    int err = experiment_parse("the experiment", text, NULL, 0, &experiment, problem);
    if (!err)
        err = space_new(&experiment->space, &space, problem);
    if (!err)
        err = core_new(experiment, space, &checking->rows, 1, &core, problem);
    core_destroy(&core);
    space_destroy(&space);
    experiment_destroy(&experiment);
    free(text);
    return err ? ERR_CORRUPT : 0;
}

/* ---- all of them --------------------------------------------------------------------------------------- */

/* `needs_rows`: only where the rows could be read and fit together. A check that returns ERR_CORRUPT has
 * found what the problem says. */
static const struct {
    int (*check)(struct checking *checking, struct problem *problem);
    bool needs_rows;
} checks[CHECKS] = {
    [CHECK_PAGES] = {check_pages, false},        [CHECK_REFERENCES] = {check_references, false},
    [CHECK_COLUMNS] = {check_columns, false},    [CHECK_STATES] = {check_states, true},
    [CHECK_COUNTERS] = {check_counters, true},   [CHECK_FIGURES] = {check_figures, true},
    [CHECK_REWARDS] = {check_rewards, false},    [CHECK_CURVES] = {check_curves, false},
    [CHECK_FUNCTIONS] = {check_functions, true}, [CHECK_START] = {check_start, true},
};

static int check_all(struct checking *checking, struct problem *problem)
{
    bool rows_fit = true;
    for (int i = 0; i < CHECKS; i++) {
        if (checks[i].needs_rows && !rows_fit)
            continue;
        checking->check = (enum check)i;
        checking->found = 0;
        checking->visit(checking->context, checking->check, NULL);
        int err = checks[i].check(checking, problem);
        if (err == ERR_CORRUPT)
            found(checking, "%s", problem->text);
        else if (err)
            return err;
        if (checking->found > FOUND_MAX) {
            char more[64];
            snprintf(more, sizeof more, "and %d more", checking->found - FOUND_MAX);
            checking->visit(checking->context, checking->check, more);
        }
        rows_fit = rows_fit && !((i == CHECK_COLUMNS || i == CHECK_STATES) && err);
    }
    return 0;
}

int store_check(struct store_reader *reader, store_check_visit *visit, void *context, struct problem *problem)
{
    struct checking checking = {.sql = reader->sql, .visit = visit, .context = context};
    int err = sql_begin_reading(reader->sql, problem);
    if (!err)
        err = check_all(&checking, problem);
    sql_rollback(reader->sql);
    rows_release(&checking.rows);
    if (err)
        problem_prefix(problem, "%s", reader->path);
    return err;
}

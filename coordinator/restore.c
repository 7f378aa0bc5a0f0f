#include "coordinator/restore.h"

#include "coordinator/columns.h"

/* Reads a table into rows that `append` makes; where that is NULL, into the one row `only`, and says whether
 * there was one. */
static int read_table(struct sql *sql, const struct table *table, struct rows *rows,
                      void *(*append)(struct rows *), void *only, bool *ret_present, struct problem *problem)
{
    struct buf text = {0};
    struct sql_statement *statement = NULL;
    table_put_select(table, &text);
    int err = sql_prepare_own(sql, buf_text(&text), &statement, problem);
    buf_release(&text);
    bool row = false;
    while (!err && (err = sql_step(statement, &row, problem)) == 0 && row) {
        err = table_read(table, statement, only ? only : append(rows), rows, problem);
        if (only)
            *ret_present = true;
    }
    sql_finalize(&statement);
    return err;
}

#define APPEND(list)                                                                                         \
    static void *append_##list(struct rows *rows)                                                            \
    {                                                                                                        \
        return rows_##list(rows);                                                                            \
    }
APPEND(worker)
APPEND(candidate)
APPEND(proposal)
APPEND(trial)
APPEND(attempt)
#undef APPEND

static int read_rows(struct sql *sql, struct rows *rows, struct problem *problem)
{
    const struct {
        const struct table *table;
        void *(*append)(struct rows *);
        void *only;
        bool *present;
    } reads[] = {
        {&experiment_table, NULL, &rows->experiment, &rows->experiment_changed},
        {&counters_table, NULL, &rows->counters, &rows->counters_changed},
        {&worker_table, append_worker, NULL, NULL},
        {&candidate_table, append_candidate, NULL, NULL},
        {&proposal_table, append_proposal, NULL, NULL},
        {&trial_table, append_trial, NULL, NULL},
        {&attempt_table, append_attempt, NULL, NULL},
        {&search_state_table, NULL, &rows->search, &rows->search_changed},
        {&search_model_table, NULL, &rows->model, &rows->model_changed},
    };
    int err = 0;
    for (size_t i = 0; i < sizeof reads / sizeof *reads && !err; i++)
        err =
            read_table(sql, reads[i].table, rows, reads[i].append, reads[i].only, reads[i].present, problem);
    if (!err && !(rows->experiment_changed && rows->counters_changed))
        err = problem_set(problem, ERR_CORRUPT, "the row of the experiment, or of its counters, is missing");
    return err;
}

int restore_rows(struct sql *sql, struct rows *ret_rows, struct problem *problem)
{
    struct rows rows = {0};
    int err = read_rows(sql, &rows, problem);
    if (err)
        rows_release(&rows);
    else
        *ret_rows = rows;
    return err;
}

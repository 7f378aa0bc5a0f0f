/* store_fixture: what the tests of the store share: a folder of their own, rows of every kind at random, and
 * whether two sets of rows are the same. Rows are made and compared column by column from the table of
 * columns, which one of the tests holds to the structs. */
#ifndef TESTS_UNIT_STORE_FIXTURE_H
#define TESTS_UNIT_STORE_FIXTURE_H

#include "tests/unit/core_fixture.h"

#include "coordinator/columns.h"
#include "coordinator/store.h"
#include "coordinator/store_read.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- a folder ------------------------------------------------------------------------------------------ */

static char folder[64];

/* cmocka's set-up and tear-down of a group: the tests work in a folder of their own, in memory where there is
 * such a place, since each commit waits for its disk. */
UNUSED static int enter_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "%s/actsearch-store-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

UNUSED static int leave_folder(void **state)
{
    (void)state;
    char *command = xasprintf("rm -rf '%s'", folder);
    int status = chdir("/") == 0 ? system(command) : -1;
    free(command);
    return status;
}

UNUSED static bool there_is(const char *path)
{
    return access(path, F_OK) == 0;
}

UNUSED static void remove_database(const char *path)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-lock", "-new"};
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        char name[256];
        snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
        unlink(name);
    }
}

UNUSED static void read_file(const char *path, struct buf *ret_bytes)
{
    uint8_t block[4096];
    buf_clear(ret_bytes);
    FILE *file = fopen(path, "rb");
    if (!file)
        return;
    for (size_t size; (size = fread(block, 1, sizeof block, file)) > 0;)
        buf_put(ret_bytes, block, size);
    fclose(file);
}

UNUSED static void write_file(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_true(size == 0 || fwrite(data, size, 1, file) == 1);
    assert_int_equal(fclose(file), 0);
}

/* ---- a store ------------------------------------------------------------------------------------------- */

UNUSED static struct store *open_store(const char *path, const struct experiment *experiment)
{
    struct store *store = NULL;
    struct problem problem = {0};
    if (store_open(path, experiment, &store, &problem) != 0)
        fail_msg("%s", problem.text);
    return store;
}

UNUSED static void write_store(struct store *store, const struct rows *rows)
{
    struct problem problem = {0};
    if (store_write(store, rows, &problem) != 0)
        fail_msg("%s", problem.text);
}

UNUSED static struct rows restore_store(struct store *store)
{
    struct rows rows = {0};
    struct problem problem = {0};
    if (store_restore(store, &rows, &problem) != 0)
        fail_msg("%s", problem.text);
    return rows;
}

/* Runs SQL on a database from outside, as a person would. */
UNUSED static void alter(const char *path, const char *text)
{
    struct sql *sql = NULL;
    struct problem problem = {0};
    if (sql_open(path, SQL_WRITE, &sql, &problem) != 0 || sql_exec(sql, text, &problem) != 0)
        fail_msg("%s", problem.text);
    sql_close(&sql);
}

UNUSED static int64_t number_in(const char *path, const char *text)
{
    struct sql *sql = NULL;
    struct problem problem = {0};
    int64_t value = 0;
    if (sql_open(path, SQL_READ, &sql, &problem) != 0 || sql_number(sql, text, &value, &problem) != 0)
        fail_msg("%s", problem.text);
    sql_close(&sql);
    return value;
}

/* ---- rows at random ------------------------------------------------------------------------------------ */

static double random_real(struct rng *rng)
{
    static const double special[] = {NAN,      0.0,       -0.0,   1.0,
                                     INFINITY, -INFINITY, 5e-324, 1.7976931348623157e308};
    if (rng_below(rng, 3) == 0)
        return special[rng_below(rng, sizeof special / sizeof *special)];
    return rng_uniform(rng) * (rng_below(rng, 2) ? 1 : -1e10);
}

static const char *random_text(struct rng *rng, struct rows *rows)
{
    static const char *const pieces[] = {"",   "x*sigmoid(b*x)", "β ± ", "'\";--", "\n",
                                         "%s", "NULL",           "1",    " "};
    char text[128] = "";
    for (uint64_t count = rng_below(rng, 5); count > 0; count--)
        strcat(text, pieces[rng_below(rng, sizeof pieces / sizeof *pieces)]);
    return rows_keep(rows, text);
}

/* Every field of a row that has a column; references become 0. */
UNUSED static void fill_row(const struct table *table, void *row, struct rows *rows, struct rng *rng)
{
    for (int i = 0; i < table->column_count; i++) {
        const struct column *column = &table->columns[i];
        void *field = (char *)row + column->offset;
        struct proposal_row *proposal = row;
        switch (column->kind) {
        case COLUMN_ONE:
            break;
        case COLUMN_INT:
            *(int64_t *)field = (int64_t)rng_u64(rng) >> rng_below(rng, 63);
            break;
        case COLUMN_BOOL:
            *(bool *)field = rng_below(rng, 2) != 0;
            break;
        case COLUMN_REAL:
            *(double *)field = random_real(rng);
            break;
        case COLUMN_TEXT:
            *(const char **)field = random_text(rng, rows);
            break;
        case COLUMN_BYTES:
            buf_clear(field);
            for (uint64_t count = rng_below(rng, 100); count > 0; count--)
                buf_put_u32(field, (uint32_t)rng_u64(rng));
            break;
        case COLUMN_HASH:
            for (int j = 0; j < HASH_BYTES; j++)
                ((struct hash *)field)->bytes[j] = (uint8_t)rng_below(rng, 256);
            break;
        case COLUMN_REFERENCE:
            *(int64_t *)field = 0;
            break;
        case COLUMN_OUTCOME:
            *(enum proposal_outcome *)field = (enum proposal_outcome)rng_below(rng, PROPOSAL_OUTCOMES);
            break;
        case COLUMN_VERDICT:
            *(enum verdict *)field = (enum verdict)rng_below(rng, VERDICTS);
            break;
        case COLUMN_TRIAL_STATE:
            *(enum trial_state *)field = (enum trial_state)rng_below(rng, TRIAL_STATES);
            break;
        case COLUMN_ATTEMPT_STATE:
            *(enum attempt_state *)field = (enum attempt_state)rng_below(rng, ATTEMPT_STATES);
            break;
        case COLUMN_TOKENS:
            proposal->token_count = (int)rng_below(rng, SPACE_MAX_TOKENS + 1);
            for (int j = 0; j < proposal->token_count; j++)
                proposal->tokens[j] = (uint16_t)rng_u64(rng);
            break;
        }
    }
}

/* What never changes of a row stays as it is in `old`; texts stay borrowed from there. */
static void keep_fixed(const struct table *table, void *row, const void *old)
{
    static const size_t sizes[] = {
        [COLUMN_INT] = sizeof(int64_t),          [COLUMN_BOOL] = sizeof(bool),
        [COLUMN_REAL] = sizeof(double),          [COLUMN_TEXT] = sizeof(const char *),
        [COLUMN_HASH] = sizeof(struct hash),     [COLUMN_REFERENCE] = sizeof(int64_t),
        [COLUMN_OUTCOME] = sizeof(unsigned),     [COLUMN_VERDICT] = sizeof(unsigned),
        [COLUMN_TRIAL_STATE] = sizeof(unsigned), [COLUMN_ATTEMPT_STATE] = sizeof(unsigned),
    };
    for (int i = 0; i < table->column_count; i++) {
        const struct column *column = &table->columns[i];
        if (column->fixed && column->kind == COLUMN_TOKENS) {
            struct proposal_row *proposal = row;
            proposal->token_count = ((const struct proposal_row *)old)->token_count;
            memcpy(proposal->tokens, ((const struct proposal_row *)old)->tokens, sizeof proposal->tokens);
        } else if (column->fixed) {
            memcpy((char *)row + column->offset, (const char *)old + column->offset, sizes[column->kind]);
        }
    }
}

/* The newest row with the key of `row` among `count` rows that start with their key, or NULL. */
static const void *row_with_key(const void *rows, size_t count, size_t row_bytes, const void *row)
{
    while (count-- > 0) {
        const void *other = (const char *)rows + count * row_bytes;
        if (*(const int64_t *)other == *(const int64_t *)row)
            return other;
    }
    return NULL;
}

/* Of the last row of a list, where there was one before. */
#define KEEP_FIXED(table, list)                                                                              \
    {                                                                                                        \
        const void *old = row_with_key(rows.list.items, rows.list.count - 1, sizeof *row, row);              \
        if (!old)                                                                                            \
            old = row_with_key(disk->list.items, disk->list.count, sizeof *row, row);                        \
        if (old)                                                                                             \
            keep_fixed(&table, row, old);                                                                    \
    }

/* A row that is there already, or the next one. */
static int64_t random_key(struct rng *rng, size_t count)
{
    return (int64_t)rng_below(rng, count + 1) + 1;
}

/* A batch of rows as the core might make it, on top of what is on the (made-up) disk: old rows are replaced,
 * new ones have the next keys, and each refers to one that is there. The caller releases it. */
UNUSED static struct rows random_rows(struct rng *rng, const struct rows *disk)
{
    struct rows rows = {0};
    size_t workers = disk->workers.count, candidates = disk->candidates.count;
    size_t proposals = disk->proposals.count, trials = disk->trials.count, attempts = disk->attempts.count;
    rows.experiment_changed = rng_below(rng, 4) == 0;
    fill_row(&experiment_table, &rows.experiment, &rows, rng);
    rows.experiment.epoch = (int64_t)rng_below(rng, 1000);
    rows.counters_changed = rng_below(rng, 2) == 0;
    fill_row(&counters_table, &rows.counters, &rows, rng);
    struct counters_row *counters = &rows.counters;
    int64_t *const small[] = {&counters->ready, &counters->leased, &counters->done, &counters->diverged,
                              &counters->failed};
    counters->rejected = counters->trials = 0;
    for (int i = 1; i < VERDICTS; i++)
        counters->rejected += counters->rejected_by[i] &= 0xffff;
    for (size_t i = 0; i < sizeof small / sizeof *small; i++)
        counters->trials += *small[i] &= 0xffff;
    for (uint64_t more = rng_below(rng, 4); more > 0; more--) {
        int64_t id = random_key(rng, workers);
        struct worker_row *row = rows_worker(&rows);
        fill_row(&worker_table, row, &rows, rng);
        row->id = id;
        char name[40];
        snprintf(name, sizeof name, "%032llx", (long long)id);
        row->name = rows_keep(&rows, name);
        KEEP_FIXED(worker_table, workers)
        workers += (size_t)id > workers;
    }
    for (uint64_t more = rng_below(rng, 4); more > 0; more--) {
        int64_t id = random_key(rng, candidates);
        struct candidate_row *row = rows_candidate(&rows);
        fill_row(&candidate_table, row, &rows, rng);
        row->id = id;
        char activation[80];
        snprintf(activation, sizeof activation, "%lld*x", (long long)id);
        row->activation = rows_keep(&rows, activation);
        row->first_proposal = row->reference ? -1 : (int64_t)rng_below(rng, 1000);
        KEEP_FIXED(candidate_table, candidates)
        candidates += (size_t)id > candidates;
    }
    for (uint64_t more = rng_below(rng, 4); more > 0; more--) {
        int64_t number = random_key(rng, proposals) - 1;
        struct proposal_row *row = rows_proposal(&rows);
        fill_row(&proposal_table, row, &rows, rng);
        row->number = number;
        if (candidates == 0)
            row->outcome = PROPOSAL_REJECTED;
        if (row->outcome == PROPOSAL_REJECTED)
            row->verdict = (enum verdict)(1 + rng_below(rng, VERDICTS - 1));
        else
            row->verdict = VERDICT_USABLE;
        row->candidate = row->outcome == PROPOSAL_REJECTED ? 0 : 1 + (int64_t)rng_below(rng, candidates);
        KEEP_FIXED(proposal_table, proposals)
        proposals += (size_t)number == proposals;
    }
    size_t first_trial = rows.trials.count;
    for (uint64_t more = candidates > 0 ? rng_below(rng, 6) : 0; more > 0; more--) {
        int64_t id = random_key(rng, trials);
        struct trial_row *row = rows_trial(&rows);
        fill_row(&trial_table, row, &rows, rng);
        row->id = id;
        row->candidate = 1 + (int64_t)rng_below(rng, candidates);
        row->replica = id; /* unique */
        KEEP_FIXED(trial_table, trials)
        trials += (size_t)id > trials;
    }
    for (uint64_t more = trials > 0 && workers > 0 ? rng_below(rng, 6) : 0; more > 0; more--) {
        int64_t id = random_key(rng, attempts);
        struct attempt_row *row = rows_attempt(&rows);
        fill_row(&attempt_table, row, &rows, rng);
        row->id = id;
        row->trial = 1 + (int64_t)rng_below(rng, trials);
        row->worker = 1 + (int64_t)rng_below(rng, workers);
        KEEP_FIXED(attempt_table, attempts)
        attempts += (size_t)id > attempts;
    }
    for (size_t i = first_trial; i < rows.trials.count; i++) /* also attempts that come later in the batch */
        rows.trials.items[i].closed_by = (int64_t)rng_below(rng, attempts + 1);
    for (uint64_t more = trials > 0 ? rng_below(rng, 3) : 0; more > 0; more--) {
        struct curve_row *row = rows_curve(&rows);
        row->trial = 1 + (int64_t)rng_below(rng, trials);
        row->count = (int)rng_below(rng, CURVE_POINTS + 1);
        for (int i = 0; i < row->count; i++) {
            row->step[i] = (int64_t)rng_below(rng, 10);
            row->loss[i] = random_real(rng);
        }
    }
    for (uint64_t more = rng_below(rng, 3); more > 0; more--)
        *rows_event(&rows) = (struct event_row){
            .at_ms = (int64_t)rng_below(rng, 1000), .kind = "made up", .text = random_text(rng, &rows)};
    rows.search_changed = rng_below(rng, 2) == 0;
    fill_row(&search_state_table, &rows.search, &rows, rng);
    rows.model_changed = rng_below(rng, 3) == 0;
    fill_row(&search_model_table, &rows.model, &rows, rng);
    return rows;
}

/* ---- the same rows ------------------------------------------------------------------------------------- */

UNUSED static bool same_field(const struct column *column, const void *row_a, const void *row_b)
{
    const void *a = (const char *)row_a + column->offset, *b = (const char *)row_b + column->offset;
    const struct proposal_row *proposal_a = row_a, *proposal_b = row_b;
    switch (column->kind) {
    case COLUMN_ONE:
        return true;
    case COLUMN_INT:
    case COLUMN_REFERENCE:
        return *(const int64_t *)a == *(const int64_t *)b;
    case COLUMN_BOOL:
        return *(const bool *)a == *(const bool *)b;
    case COLUMN_REAL: /* SQLite keeps no sign of zero where the value is a whole number */
        return (isnan(*(const double *)a) && isnan(*(const double *)b)) ||
               *(const double *)a == *(const double *)b;
    case COLUMN_TEXT:
        return strcmp(*(const char *const *)a, *(const char *const *)b) == 0;
    case COLUMN_BYTES:
        return ((const struct buf *)a)->size == ((const struct buf *)b)->size &&
               memcmp(buf_text(a), buf_text(b), ((const struct buf *)a)->size) == 0;
    case COLUMN_HASH:
        return memcmp(a, b, sizeof(struct hash)) == 0;
    case COLUMN_OUTCOME:
    case COLUMN_VERDICT:
    case COLUMN_TRIAL_STATE:
    case COLUMN_ATTEMPT_STATE:
        return *(const unsigned *)a == *(const unsigned *)b;
    case COLUMN_TOKENS:
        return proposal_a->token_count == proposal_b->token_count &&
               memcmp(proposal_a->tokens, proposal_b->tokens,
                      (size_t)proposal_a->token_count * sizeof *proposal_a->tokens) == 0;
    }
    return false;
}

UNUSED static void assert_same_row(const struct table *table, const void *row, const void *expected)
{
    for (int i = 0; i < table->column_count; i++)
        if (!same_field(&table->columns[i], row, expected))
            fail_msg("%s: the column %s is not the same", table->name, table->columns[i].name);
}

/* All that is restored. */
UNUSED static void assert_same_rows(const struct rows *rows, const struct rows *expected)
{
    assert_int_equal(rows->experiment_changed, expected->experiment_changed);
    assert_same_row(&experiment_table, &rows->experiment, &expected->experiment);
    assert_same_row(&counters_table, &rows->counters, &expected->counters);
    assert_int_equal(rows->search_changed, expected->search_changed);
    if (expected->search_changed)
        assert_same_row(&search_state_table, &rows->search, &expected->search);
    assert_int_equal(rows->model_changed, expected->model_changed);
    if (expected->model_changed)
        assert_same_row(&search_model_table, &rows->model, &expected->model);
#define SAME_LIST(list, table)                                                                               \
    assert_int_equal(rows->list.count, expected->list.count);                                                \
    for (size_t i = 0; i < expected->list.count; i++)                                                        \
        assert_same_row(&table, &rows->list.items[i], &expected->list.items[i]);
    SAME_LIST(workers, worker_table)
    SAME_LIST(candidates, candidate_table)
    SAME_LIST(proposals, proposal_table)
    SAME_LIST(trials, trial_table)
    SAME_LIST(attempts, attempt_table)
#undef SAME_LIST
}

#endif

#include "coordinator/columns.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- the tables ---------------------------------------------------------------------------------------- */

#define KIND(field)                                                                                          \
    _Generic((field),                                                                                        \
        int64_t: COLUMN_INT,                                                                                 \
        bool: COLUMN_BOOL,                                                                                   \
        double: COLUMN_REAL,                                                                                 \
        const char *: COLUMN_TEXT,                                                                           \
        struct buf: COLUMN_BYTES,                                                                            \
        struct hash: COLUMN_HASH,                                                                            \
        enum proposal_outcome: COLUMN_OUTCOME,                                                               \
        enum verdict: COLUMN_VERDICT,                                                                        \
        enum trial_state: COLUMN_TRIAL_STATE,                                                                \
        enum attempt_state: COLUMN_ATTEMPT_STATE)
#define NAMED(name, row, field, fixed)                                                                       \
    {                                                                                                        \
        name, KIND(((struct row *)0)->field), offsetof(struct row, field), fixed                             \
    }
#define FIELD(row, field)       NAMED(#field, row, field, false)
#define FIXED_FIELD(row, field) NAMED(#field, row, field, true)
#define REFERENCE(row, field)                                                                                \
    {                                                                                                        \
#field, COLUMN_REFERENCE, offsetof(struct row, field), false                                         \
    }
#define TABLE(name, columns, restored)                                                                       \
    {                                                                                                        \
        name, restored, columns, sizeof columns / sizeof *columns                                            \
    }

#define ROW(field) FIELD(experiment_row, field)
static const struct column experiment_columns[] = {
    {"id", COLUMN_ONE, 0, true},
    ROW(name),
    ROW(text),
    ROW(numerics),
    ROW(trainer),
    ROW(data_hash),
    ROW(epoch),
    ROW(target_candidates),
    ROW(started_ms),
    ROW(finished_ms),
    ROW(finished_because),
    ROW(paused),
};
#undef ROW

#define ROW(field)            FIELD(counters_row, field)
#define REJECTED(name, field) NAMED("rejected_" name, counters_row, rejected_by[VERDICT_##field], false)
static const struct column counters_columns[] = {
    {"id", COLUMN_ONE, 0, true},
    ROW(proposals),
    ROW(candidates),
    ROW(references),
    ROW(duplicates),
    ROW(rejected),
    REJECTED("constant", CONSTANT),
    REJECTED("not_finite", NOT_FINITE),
    REJECTED("slope_not_finite", SLOPE_NOT_FINITE),
    REJECTED("too_large", TOO_LARGE),
    ROW(trials),
    ROW(ready),
    ROW(leased),
    ROW(done),
    ROW(diverged),
    ROW(failed),
    ROW(finals),
    ROW(finals_open),
    ROW(workers),
};
_Static_assert(VERDICTS == 5, "a verdict needs its column in schema.sql and here");
#undef REJECTED
#undef ROW

#define ROW(field) FIELD(worker_row, field)
#define FIX(field) FIXED_FIELD(worker_row, field)
static const struct column worker_columns[] = {
    FIX(id),      FIX(name),    ROW(host), ROW(pid),         ROW(slots),     ROW(trainer),
    ROW(kernels), ROW(cpu),     ROW(key),  ROW(numerics),    ROW(connected), FIX(first_ms),
    ROW(last_ms), ROW(results), ROW(lost), ROW(shut_out_ms),
};
#undef FIX
#undef ROW

#define ROW(field) FIELD(candidate_row, field)
#define FIX(field) FIXED_FIELD(candidate_row, field)
static const struct column candidate_columns[] = {
    FIX(id),
    FIX(activation),
    FIX(fingerprint),
    FIX(reference),
    FIX(first_proposal),
    ROW(rung),
    ROW(steps),
    ROW(trials),
    ROW(seeds),
    ROW(diverged),
    ROW(failed),
    ROW(accuracy_mean),
    ROW(accuracy_sd),
    ROW(validation_loss_mean),
    ROW(parameters),
    ROW(betas),
    ROW(seconds),
    ROW(cost_ns),
    ROW(reward),
};
#undef FIX
#undef ROW

#define ROW(field) FIELD(proposal_row, field)
#define FIX(field) FIXED_FIELD(proposal_row, field)
static const struct column proposal_columns[] = {
    FIX(number),          FIX(outcome),
    FIX(verdict),         {"candidate", COLUMN_REFERENCE, offsetof(struct proposal_row, candidate), true},
    FIX(activation),      {"tokens", COLUMN_TOKENS, 0, true},
    FIX(log_probability), FIX(policy_version),
    ROW(reward),
};
#undef FIX
#undef ROW

#define ROW(field) FIELD(trial_row, field)
#define FIX(field) FIXED_FIELD(trial_row, field)
static const struct column trial_columns[] = {
    FIX(id),
    FIX(candidate),
    FIX(replica),
    FIX(seed),
    FIX(rung),
    FIX(steps),
    ROW(state),
    ROW(lost),
    REFERENCE(trial_row, closed_by),
    ROW(closed_ms),
    ROW(step),
    ROW(correct),
    ROW(validation_count),
    ROW(validation_loss),
    ROW(train_loss),
    ROW(parameters),
    ROW(betas),
    ROW(seconds),
    ROW(images_per_second),
    ROW(cost_ns),
    ROW(peak_memory_bytes),
};
#undef FIX
#undef ROW

#define ROW(field) FIELD(attempt_row, field)
#define FIX(field) FIXED_FIELD(attempt_row, field)
static const struct column attempt_columns[] = {
    FIX(id), FIX(trial), FIX(worker), ROW(state), FIX(leased_ms), ROW(ended_ms), ROW(reason),
};
#undef FIX
#undef ROW

#define ROW(field) FIELD(search_row, field)
static const struct column search_state_columns[] = {
    {"id", COLUMN_ONE, 0, true},
    ROW(proposals),
    ROW(rewards),
    ROW(policy_version),
    ROW(baseline),
    ROW(entropy),
    ROW(at_ms),
    ROW(policy),
    ROW(state),
};
static const struct column search_history_columns[] = {
    ROW(policy_version), ROW(proposals), ROW(rewards), ROW(baseline), ROW(entropy), ROW(at_ms), ROW(policy),
};
#undef ROW

#define ROW(field) FIELD(search_model_row, field)
static const struct column search_model_columns[] = {
    {"id", COLUMN_ONE, 0, true},
    ROW(policy_version),
    ROW(at_ms),
    ROW(model),
};
#undef ROW

const struct table experiment_table = TABLE("experiment", experiment_columns, "1");
const struct table counters_table = TABLE("counters", counters_columns, "1");
const struct table worker_table = TABLE("worker", worker_columns, "1");
const struct table candidate_table = TABLE("candidate", candidate_columns, "1");
const struct table proposal_table = TABLE("proposal", proposal_columns, "reward IS NULL");
const struct table trial_table = TABLE("trial", trial_columns, "1");
const struct table attempt_table = TABLE("attempt", attempt_columns, "1");
const struct table search_state_table = TABLE("search_state", search_state_columns, "1");
const struct table search_history_table = TABLE("search_history", search_history_columns, "1");
const struct table search_model_table = TABLE("search_model", search_model_columns, "1");

/* ---- SQL ----------------------------------------------------------------------------------------------- */

static void put_names(const struct table *table, struct buf *sql)
{
    for (int i = 0; i < table->column_count; i++)
        buf_printf(sql, "%s\"%s\"", i == 0 ? "" : ", ", table->columns[i].name);
}

void table_put_replace(const struct table *table, struct buf *ret_sql)
{
    buf_printf(ret_sql, "INSERT INTO %s (", table->name);
    put_names(table, ret_sql);
    buf_printf(ret_sql, ") VALUES (");
    for (int i = 0; i < table->column_count; i++)
        buf_printf(ret_sql, "%s?", i == 0 ? "" : ", ");
    buf_printf(ret_sql, ") ON CONFLICT (\"%s\") DO UPDATE SET ", table->columns[0].name);
    const char *comma = "";
    for (int i = 1; i < table->column_count; i++) {
        if (table->columns[i].fixed)
            continue;
        buf_printf(ret_sql, "%s\"%s\" = excluded.\"%s\"", comma, table->columns[i].name,
                   table->columns[i].name);
        comma = ", ";
    }
}

void table_put_select(const struct table *table, struct buf *ret_sql)
{
    buf_printf(ret_sql, "SELECT ");
    put_names(table, ret_sql);
    buf_printf(ret_sql, " FROM %s WHERE %s ORDER BY \"%s\"", table->name, table->restored,
               table->columns[0].name);
}

/* ---- words --------------------------------------------------------------------------------------------- */

/* The word of an enum's value; NULL past its last one. */
static const char *word_of(enum column_kind kind, int value)
{
    switch (kind) {
    case COLUMN_OUTCOME:
        return value < PROPOSAL_OUTCOMES ? proposal_outcome_text((enum proposal_outcome)value) : NULL;
    case COLUMN_VERDICT:
        return value < VERDICTS ? verdict_text((enum verdict)value) : NULL;
    case COLUMN_TRIAL_STATE:
        return value < TRIAL_STATES ? trial_state_text((enum trial_state)value) : NULL;
    case COLUMN_ATTEMPT_STATE:
        return value < ATTEMPT_STATES ? attempt_state_text((enum attempt_state)value) : NULL;
    default:
        assert(!"an enum");
        return NULL;
    }
}

static bool enum_of(enum column_kind kind, const char *word, unsigned *ret_value)
{
    const char *candidate;
    for (int i = 0; (candidate = word_of(kind, i)); i++)
        if (strcmp(candidate, word) == 0) {
            *ret_value = (unsigned)i;
            return true;
        }
    return false;
}

/* ---- from rows to columns ------------------------------------------------------------------------------ */

static void put_tokens(const struct proposal_row *row, char *ret_text)
{
    assert(row->token_count >= 0 && row->token_count <= SPACE_MAX_TOKENS);
    char *end = ret_text + sprintf(ret_text, "[");
    for (int i = 0; i < row->token_count; i++)
        end += sprintf(end, "%s%d", i == 0 ? "" : ",", row->tokens[i]);
    strcpy(end, "]");
}

void table_bind(const struct table *table, struct sql_statement *statement, const void *row,
                struct table_texts *texts)
{
    for (int i = 0; i < table->column_count; i++) {
        const struct column *column = &table->columns[i];
        const void *field = (const char *)row + column->offset;
        int at = i + 1;
        switch (column->kind) {
        case COLUMN_ONE:
            sql_bind_int(statement, at, 1);
            break;
        case COLUMN_INT:
            sql_bind_int(statement, at, *(const int64_t *)field);
            break;
        case COLUMN_BOOL:
            sql_bind_int(statement, at, *(const bool *)field);
            break;
        case COLUMN_REAL:
            sql_bind_real(statement, at, *(const double *)field);
            break;
        case COLUMN_TEXT:
            sql_bind_text(statement, at, *(const char *const *)field);
            break;
        case COLUMN_BYTES:
            sql_bind_bytes(statement, at, ((const struct buf *)field)->data,
                           ((const struct buf *)field)->size);
            break;
        case COLUMN_HASH:
            hash_hex(field, texts->hash);
            sql_bind_text(statement, at, texts->hash);
            break;
        case COLUMN_REFERENCE:
            if (*(const int64_t *)field == 0)
                sql_bind_null(statement, at);
            else
                sql_bind_int(statement, at, *(const int64_t *)field);
            break;
        case COLUMN_OUTCOME:
        case COLUMN_VERDICT:
        case COLUMN_TRIAL_STATE:
        case COLUMN_ATTEMPT_STATE:
            sql_bind_text(statement, at, word_of(column->kind, (int)*(const unsigned *)field));
            break;
        case COLUMN_TOKENS:
            put_tokens(row, texts->tokens);
            sql_bind_text(statement, at, texts->tokens);
            break;
        }
    }
}

/* ---- from columns to rows ------------------------------------------------------------------------------ */

/* A text without NUL; NULL where the column holds something else. */
static const char *text_at(const struct sql_statement *statement, int at)
{
    if (sql_column_type(statement, at) != SQL_TEXT)
        return NULL;
    const char *text = sql_column_text(statement, at);
    return text && strlen(text) == sql_column_size(statement, at) ? text : NULL;
}

static bool take_hash(const char *text, struct hash *ret_hash)
{
    static const char digits[] = "0123456789abcdef";
    if (!text || strlen(text) != HASH_HEX - 1 || strspn(text, digits) != HASH_HEX - 1)
        return false;
    for (int i = 0; i < HASH_BYTES; i++)
        ret_hash->bytes[i] = (uint8_t)((strchr(digits, text[2 * i]) - digits) << 4 |
                                       (strchr(digits, text[2 * i + 1]) - digits));
    return true;
}

/* "[0,12,3]", as put_tokens writes it. */
static bool take_tokens(const char *text, struct proposal_row *row)
{
    if (!text || *text++ != '[')
        return false;
    for (row->token_count = 0; *text != ']'; row->token_count++) {
        unsigned token = 0;
        size_t length = strspn(text, "0123456789");
        if (row->token_count == SPACE_MAX_TOKENS || length == 0 || length > 5)
            return false;
        for (; length > 0; length--)
            token = token * 10 + (unsigned)(*text++ - '0');
        if (token > UINT16_MAX || (*text != ',' && *text != ']') || (text[0] == ',' && text[1] == ']'))
            return false;
        row->tokens[row->token_count] = (uint16_t)token;
        text += *text == ',';
    }
    return text[1] == '\0';
}

/* False where the column holds what the field cannot. */
static bool read_field(const struct column *column, const struct sql_statement *statement, int at, void *row,
                       struct rows *keeper)
{
    void *field = (char *)row + column->offset;
    enum sql_type type = sql_column_type(statement, at);
    const char *text;
    switch (column->kind) {
    case COLUMN_ONE:
        return type == SQL_INT && sql_column_int(statement, at) == 1;
    case COLUMN_INT:
        *(int64_t *)field = sql_column_int(statement, at);
        return type == SQL_INT;
    case COLUMN_BOOL:
        *(bool *)field = sql_column_int(statement, at) == 1;
        return type == SQL_INT && (sql_column_int(statement, at) | 1) == 1;
    case COLUMN_REAL:
        *(double *)field = sql_column_real(statement, at);
        return type == SQL_REAL || type == SQL_NULL;
    case COLUMN_TEXT:
        text = text_at(statement, at);
        *(const char **)field = text && text[0] != '\0' ? rows_keep(keeper, text) : "";
        return text != NULL;
    case COLUMN_BYTES: {
        struct buf *bytes = field;
        const void *data = sql_column_bytes(statement, at);
        buf_clear(bytes);
        if (data)
            buf_put(bytes, data, sql_column_size(statement, at));
        return type == SQL_BYTES;
    }
    case COLUMN_HASH:
        return take_hash(text_at(statement, at), field);
    case COLUMN_REFERENCE:
        *(int64_t *)field = sql_column_int(statement, at);
        return type == SQL_NULL || (type == SQL_INT && *(int64_t *)field != 0);
    case COLUMN_OUTCOME:
    case COLUMN_VERDICT:
    case COLUMN_TRIAL_STATE:
    case COLUMN_ATTEMPT_STATE:
        text = text_at(statement, at);
        return text && enum_of(column->kind, text, field);
    case COLUMN_TOKENS:
        return take_tokens(text_at(statement, at), row);
    }
    return false;
}

int table_read(const struct table *table, const struct sql_statement *statement, void *ret_row,
               struct rows *keeper, struct problem *problem)
{
    for (int i = 0; i < table->column_count; i++)
        if (!read_field(&table->columns[i], statement, i, ret_row, keeper))
            return problem_set(problem, ERR_CORRUPT,
                               "table %s, %s %" PRId64 ": the column %s holds what it cannot", table->name,
                               table->columns[0].name, sql_column_int(statement, 0), table->columns[i].name);
    return 0;
}

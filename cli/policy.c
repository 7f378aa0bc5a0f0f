#include "cli/policy.h"

#include "cli/picture.h"
#include "cli/table.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_PRINTED = 24 /* versions, a character each */, MOST_IN_JSON = 1000 };

static const char history_sql[] =
    "WITH last AS (SELECT max(policy_version) AS version FROM search_history WHERE policy <> '[]') "
    "SELECT h.policy_version AS version, h.proposals, h.baseline AS average, h.entropy AS mean_entropy, "
    "t.key AS at, t.value ->> 'unit' AS unit, t.value ->> 'token' AS token, t.value ->> 'choices' AS "
    "choices, "
    "t.value ->> 'choice' AS choice, t.value ->> 'probability' AS probability, t.value ->> 'entropy' AS "
    "entropy "
    "FROM search_history AS h, last, json_each(h.policy) AS t "
    "WHERE (last.version - h.policy_version) % (1 + (last.version - 1) / CAST(?1 AS INTEGER)) = 0 "
    "ORDER BY h.policy_version, t.key";

static const char json_sql[] =
    "WITH last AS (SELECT max(policy_version) AS version FROM search_history WHERE policy <> '[]') "
    "SELECT json_object('experiment', (SELECT name FROM experiment), 'policy', (SELECT json_group_array("
    "json_object('policy_version', h.policy_version, 'proposals', h.proposals, 'baseline', h.baseline, "
    "'entropy', h.entropy, 'tokens', json(h.policy))) FROM (SELECT * FROM search_history, last WHERE policy "
    "<> '[]' "
    "AND (last.version - policy_version) % (1 + (last.version - 1) / CAST(?1 AS INTEGER)) = 0 "
    "ORDER BY policy_version) AS h))";

/* Each version has the same tokens, 0, 1, …: what follows counts rows. */
static bool are_whole(const struct answer *history)
{
    const int tokens = policy_tokens(history);
    bool whole = tokens > 0 && history->rows % tokens == 0;
    for (int row = 0; whole && row < history->rows; row++)
        whole = answer_int(history, row, "at") == row % tokens;
    return whole;
}

int policy_history(struct store_reader *reader, int most, struct answer *ret_history, struct problem *problem)
{
    char number[16];
    snprintf(number, sizeof number, "%d", most);
    const char *const parameters[] = {number, NULL};
    int err = answer_query(reader, history_sql, parameters, ret_history, problem);
    if (!err && ret_history->rows == 0)
        err = problem_set(problem, ERR_NOT_FOUND,
                          "the search has learnt nothing yet (exhaustive and random never do), so there is "
                          "nothing to show of it");
    if (!err && !are_whole(ret_history))
        err =
            problem_set(problem, ERR_CORRUPT, "the policies in search_history are not lists of equal length");
    return err;
}

int policy_tokens(const struct answer *history)
{
    int tokens = 0;
    while (tokens < history->rows && answer_int(history, tokens, "at") == tokens)
        tokens++;
    return tokens;
}

/* A column of every `every`-th row from `first` on, as a line of characters on a scale from 0 to `high`. */
static void put_line(const struct answer *history, int first, int every, const char *column, double high,
                     struct buf *ret_text)
{
    double *values = xcalloc((size_t)history->rows, sizeof *values);
    int count = 0;
    for (int row = first; row < history->rows; row += every)
        values[count++] = answer_real(history, row, column);
    picture_levels(values, count, 0, high, ret_text);
    free(values);
}

/* The mean entropy of a policy that prefers nothing. */
static double most_entropy(const struct answer *history, int tokens)
{
    double sum = 0;
    int choosable = 0;
    for (int at = 0; at < tokens; at++) {
        sum += log(answer_real(history, at, "choices"));
        choosable += answer_int(history, at, "choices") > 1;
    }
    return choosable ? sum / choosable : 0;
}

static void print_head(struct store_reader *reader, const struct answer *history, int tokens)
{
    struct answer experiment = {0};
    struct problem ignored;
    const int last = history->rows - tokens;
    if (answer_query(reader, "SELECT name FROM experiment", NULL, &experiment, &ignored) == 0 &&
        experiment.rows)
        printf("search       %s\n", answer_text(&experiment, 0, "name"));
    answer_release(&experiment);
    struct buf entropy = {0}, average = {0};
    put_line(history, 0, tokens, "mean_entropy", most_entropy(history, tokens), &entropy);
    put_line(history, 0, tokens, "average", 1, &average);
    printf("learnt       %s time%s, from %s proposals\n", answer_text(history, last, "version"),
           answer_int(history, last, "version") == 1 ? "" : "s", answer_text(history, last, "proposals"));
    printf("entropy      %.3f %s %.3f nats a token, at most %.3f\n", answer_real(history, 0, "mean_entropy"),
           buf_text(&entropy), answer_real(history, last, "mean_entropy"), most_entropy(history, tokens));
    printf("reward       %.4f %s %.4f on average\n\n", answer_real(history, 0, "average"), buf_text(&average),
           answer_real(history, last, "average"));
    buf_release(&entropy);
    buf_release(&average);
}

static void print_tokens(const struct answer *history, int tokens)
{
    static const char *const header[] = {"unit",      "token",   "likeliest now", "probability",
                                         "over time", "entropy", "at most",       "over time"};
    struct table *table = table_new("lllrlrrl");
    table_row(table);
    for (size_t i = 0; i < sizeof header / sizeof *header; i++)
        table_cell(table, "%s", header[i]);
    for (int at = 0, row = history->rows - tokens; at < tokens; at++, row++) {
        struct buf probability = {0}, entropy = {0};
        if (answer_int(history, row, "choices") == 1)
            continue;
        const double most = log(answer_real(history, row, "choices"));
        put_line(history, at, tokens, "probability", 1, &probability);
        put_line(history, at, tokens, "entropy", most, &entropy);
        table_row(table);
        table_cell(table, "%s", answer_text(history, row, "unit"));
        table_cell(table, "%s", answer_text(history, row, "token"));
        table_cell(table, "%s", answer_text(history, row, "choice"));
        table_cell(table, "%.3f", answer_real(history, row, "probability"));
        table_cell(table, "%s", buf_text(&probability));
        table_cell(table, "%.3f", answer_real(history, row, "entropy"));
        table_cell(table, "%.3f", most);
        table_cell(table, "%s", buf_text(&entropy));
        buf_release(&probability);
        buf_release(&entropy);
    }
    table_print(table, stdout);
    table_destroy(&table);
}

int policy_print(struct store_reader *reader, struct problem *problem)
{
    struct answer history = {0};
    int err = policy_history(reader, MOST_PRINTED, &history, problem);
    if (!err) {
        int tokens = policy_tokens(&history);
        print_head(reader, &history, tokens);
        print_tokens(&history, tokens);
    }
    answer_release(&history);
    return err;
}

int policy_print_json(struct store_reader *reader, struct problem *problem)
{
    struct answer answer = {0};
    char number[16];
    snprintf(number, sizeof number, "%d", MOST_IN_JSON);
    const char *const parameters[] = {number, NULL};
    int err = answer_query(reader, json_sql, parameters, &answer, problem);
    if (!err)
        puts(answer.values[0]);
    answer_release(&answer);
    return err;
}

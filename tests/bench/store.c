/* store: rows that the store commits in a second, in batches of many sizes, and the ranked list over 100,000
 * candidates. In the current folder, since each commit waits for its disk. */
#include "coordinator/store.h"
#include "coordinator/store_read.h"
#include "tests/bench/seconds.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char path[] = "bench-store.db";

/* What the core writes when a candidate is leased, and again when its outcome is there: 4 rows, then 3 of
 * them once more and a curve of 20 points. */
enum { POINTS = 20, ROWS_OF_A_LEASE = 4, ROWS_OF_AN_OUTCOME = 4 + POINTS };

static void fill(struct rows *rows, int64_t id, bool outcome)
{
    char activation[64];
    snprintf(activation, sizeof activation, "x*sigmoid(%lld*x)", (long long)id);
    double accuracy = outcome ? (double)((uint64_t)id * 2654435761u % 100000) / 1e5 : NAN;
    *rows_candidate(rows) = (struct candidate_row){.id = id,
                                                   .activation = rows_keep(rows, activation),
                                                   .first_proposal = id - 1,
                                                   .steps = 1000,
                                                   .trials = 1,
                                                   .seeds = outcome,
                                                   .accuracy_mean = accuracy,
                                                   .accuracy_sd = NAN,
                                                   .validation_loss_mean = 1 - accuracy,
                                                   .parameters = 16000,
                                                   .seconds = 12.5,
                                                   .cost_ns = 1.25,
                                                   .reward = accuracy};
    *rows_proposal(rows) = (struct proposal_row){
        .number = id - 1, .candidate = id, .activation = "", .token_count = 10, .reward = accuracy};
    *rows_trial(rows) = (struct trial_row){.id = id,
                                           .candidate = id,
                                           .seed = 12345,
                                           .steps = 1000,
                                           .state = outcome ? TRIAL_DONE : TRIAL_LEASED,
                                           .closed_by = outcome ? id : 0,
                                           .closed_ms = outcome ? 1000000 : 0,
                                           .validation_count = 5000,
                                           .validation_loss = 1 - accuracy,
                                           .train_loss = 0.5,
                                           .seconds = 12.5,
                                           .images_per_second = 5000,
                                           .cost_ns = 1.25};
    *rows_attempt(rows) = (struct attempt_row){.id = id,
                                               .trial = id,
                                               .worker = 1,
                                               .state = outcome ? ATTEMPT_TAKEN : ATTEMPT_LEASED,
                                               .leased_ms = 1000000,
                                               .reason = ""};
    if (!outcome)
        return;
    struct curve_row *curve = rows_curve(rows);
    curve->trial = id;
    curve->count = POINTS;
    for (int i = 0; i < POINTS; i++) {
        curve->step[i] = 50 * i;
        curve->loss[i] = 2.3 * exp(-0.1 * i);
    }
}

static void check(int err, const struct problem *problem)
{
    if (err == 0)
        return;
    fprintf(stderr, "bench: %s\n", problem->text);
    exit(1);
}

/* Commits candidates first … last in batches, and says how fast: in each commit the outcomes of the leases of
 * the one before, and as many new leases. */
static void write_batches(struct store *store, int64_t first, int64_t last, int64_t batch)
{
    struct problem problem = {0};
    double start_s = now_seconds();
    int64_t rows_written = 0, commits = 0;
    for (int64_t next = first, open = first; open <= last; commits++) {
        struct rows rows = {.counters_changed = true};
        int64_t leased = next;
        for (; open < leased; open++, rows_written += ROWS_OF_AN_OUTCOME)
            fill(&rows, open, true);
        for (; next < leased + batch && next <= last; next++, rows_written += ROWS_OF_A_LEASE)
            fill(&rows, next, false);
        check(store_write(store, &rows, &problem), &problem);
        rows_release(&rows);
    }
    double seconds = now_seconds() - start_s;
    printf("%5lld results in a commit: %6.0f results/s, %7.0f rows/s, %5.0f commits/s\n", (long long)batch,
           (double)(last - first + 1) / seconds, (double)rows_written / seconds, (double)commits / seconds);
}

static bool count(void *context, const struct ranking_row *row)
{
    *(int64_t *)context = row->rank;
    return true;
}

static void read_ranking(int64_t limit)
{
    struct store_reader *reader = NULL;
    struct problem problem = {0};
    int64_t last_rank = 0;
    check(store_reader_open(path, &reader, &problem), &problem);
    double start_s = now_seconds();
    check(store_ranking(reader, limit, count, &last_rank, &problem), &problem);
    printf("ranking, %6lld rows: %8.3f ms\n", (long long)last_rank, 1e3 * (now_seconds() - start_s));
    store_reader_close(&reader);
}

static void read_progress(void)
{
    struct store_reader *reader = NULL;
    struct problem problem = {0};
    struct progress_row row;
    check(store_reader_open(path, &reader, &problem), &problem);
    double start_s = now_seconds();
    check(store_progress(reader, &row, &problem), &problem);
    printf("progress: %.3f ms\n", 1e3 * (now_seconds() - start_s));
    store_reader_close(&reader);
}

static void remove_database(void)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-lock"};
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
        unlink(name);
    }
}

int main(void)
{
    struct experiment *experiment = NULL;
    struct store *store = NULL;
    struct problem problem = {0};
    const char *const overrides[] = {"search.algorithm=random", "search.candidates=100000"};
    remove_database();
    check(experiment_parse("bench", "", overrides, 2, &experiment, &problem), &problem);
    check(store_open(path, experiment, &store, &problem), &problem);
    struct rows first = {0};
    check(store_restore(store, &first, &problem), &problem);
    *rows_worker(&first) =
        (struct worker_row){.id = 1, .name = "w", .host = "h", .trainer = "", .kernels = "", .cpu = "", .key = ""};
    check(store_write(store, &first, &problem), &problem);
    rows_release(&first);

    write_batches(store, 1, 500, 1);
    write_batches(store, 501, 3000, 10);
    write_batches(store, 3001, 20000, 100);
    write_batches(store, 20001, 100000, 1000);
    read_ranking(10);
    read_ranking(1000);
    read_ranking(0);
    read_progress();

    store_close(&store);
    check(store_open(path, experiment, &store, &problem), &problem);
    struct rows rows = {0};
    double start_s = now_seconds();
    check(store_restore(store, &rows, &problem), &problem);
    printf("restore of %zu candidates, trials and attempts: %.2f s\n", rows.candidates.count,
           now_seconds() - start_s);
    rows_release(&rows);
    store_close(&store);
    remove_database();
    experiment_destroy(&experiment);
    return 0;
}

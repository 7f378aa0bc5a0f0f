/* store_read: read-only access to a results database, safe while a search runs. What `actsearch rank`,
 * `show`, `top` and the status page use.
 *
 * Invariants
 * 1. A reader never changes the database, nor waits for the coordinator, nor makes it wait.
 * 2. Each call sees one state of the database, as of some commit; the next call may see a later one.
 */
#ifndef COORDINATOR_STORE_READ_H
#define COORDINATOR_STORE_READ_H

#include "common/err.h"
#include "common/expr/fingerprint.h"

#include <stdbool.h>
#include <stdint.h>

struct store_reader;

/* ERR_NOT_FOUND (no such file), ERR_CORRUPT (not a database, or not one of ours), ERR_VERSION (made by a
 * newer actsearch), ERR_IO. All problems name the file. */
int store_reader_open(const char *path, struct store_reader **ret_reader, struct problem *problem);
void store_reader_close(struct store_reader **reader);

/* One row of the view `ranking`; text is borrowed until the next call. */
struct ranking_row {
    int64_t rank;
    const char *activation;
    double accuracy_mean;
    double accuracy_sd; /* NaN with one seed */
    int64_t seeds;      /* trials of this candidate with an outcome at these steps */
    int64_t trials;
    int64_t steps;
    int64_t parameters;
    double seconds; /* mean training time of a trial */
    double cost_ns;
    bool reference;            /* one of search.references */
    double distinct_from_next; /* 1: it differs from the next beyond noise; 0: it does not; NaN: too few seeds
                                  to say */
};
/* Calls visit for each row in order, `limit` at most (0: all), until it returns false. */
int store_ranking(struct store_reader *reader, int64_t limit,
                  bool (*visit)(void *, const struct ranking_row *), void *context, struct problem *problem);
/* The first `limit` rows, and those of the references that come after them, in order. *ret_count: how many rows
 * there are in all. */
int store_ranking_top(struct store_reader *reader, int64_t limit,
                      bool (*visit)(void *, const struct ranking_row *), void *context, int64_t *ret_count,
                      struct problem *problem);

/* The row of the view `progress`. */
struct progress_row {
    int64_t proposals, candidates, references, rejected, duplicates;
    int64_t rejected_by[VERDICTS]; /* the same rejected, by reason */
    int64_t trials, queued, leased, done, diverged, failed;
    int64_t finals;            /* of the trials those of the finals */
    char phase[16];            /* "search", "finals", "paused", "finished" */
    int64_t target_candidates; /* search.candidates, references not counted; 0 where there is none */
    int64_t workers;           /* connected now */
    int64_t policy_version;
    double baseline, entropy; /* NaN where the search has none */
    int64_t started_ms;       /* Unix time; 0 before the first start */
    double elapsed_seconds;
    char finished_because[64];  /* empty while it runs */
    double best_accuracy;       /* NaN while no candidate has a rank */
    char best_activation[4097]; /* empty then */
};
int store_progress(struct store_reader *reader, struct progress_row *ret_row, struct problem *problem);

/* The order of the view `ranking`, for queries of the table candidate WHERE seeds > 0: an index has it. */
#define STORE_RANKING_ORDER                                                                                  \
    "steps DESC, accuracy_mean DESC, validation_loss_mean IS NULL, validation_loss_mean, activation"
#define STORE_RANKING_ORDER_REVERSED                                                                         \
    "steps, accuracy_mean, validation_loss_mean IS NULL DESC, validation_loss_mean DESC, activation DESC"
/* Calls visit with each rank and the candidate that has it, in order, until it returns false. Much quicker than the view, which
 * has more to say. */
int store_ranks(struct store_reader *reader, bool (*visit)(void *, int64_t rank, int64_t candidate),
                void *context, struct problem *problem);

/* One function that the search proposed, for pictures of how it went. */
struct score_row {
    int64_t proposal; /* number of the first that was this function */
    int64_t steps;
    double accuracy_mean;
};
/* Calls visit for each function with an outcome, in order of first proposal, references left out, until it
 * returns false. */
int store_scores(struct store_reader *reader, bool (*visit)(void *, const struct score_row *), void *context,
                 struct problem *problem);

/* Whether the built-in trainer trained what is there. Only then is there an `actsearch train` line that gives the same bits
 * (common/retrain.h). */
bool store_has_built_in_trainer(struct store_reader *reader);

/* The attempts that the view `failures` shows, as a condition on the table attempt: an index has them. */
#define STORE_LOST_ATTEMPTS                                                                                  \
    "(state = 'lapsed' OR state = 'failed' OR state = 'differed' OR state = 'withdrawn')"

/* Runs one read-only query and calls visit with each row's texts (NULL for NULL), until it returns false: for
 * `show`, and for the JSON that SQLite makes. A real is the shortest text that reads back exactly. Parameters
 * ?1, ?2, … are bound as texts (NULL: NULL), which SQLite compares with a column as that column's type; write
 * CAST(?1 AS INTEGER) where there is no column. ERR_INPUT: not one statement, or one that writes. */
int store_query(struct store_reader *reader, const char *sql, const char *const *parameters,
                int parameter_count,
                bool (*visit)(void *, int columns, const char *const *names, const char *const *values),
                void *context, struct problem *problem);

#endif

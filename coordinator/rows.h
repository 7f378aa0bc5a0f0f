/* rows: what the core wants made durable in one transaction, and what it is restored from.
 *
 * The core fills a `struct rows` while it works; the shell hands it to the store together with the state of
 * the search, the store writes it all in one transaction, and only after COMMIT are the core's messages sent.
 * At start the store fills a `struct rows` with everything that core_restore wants (marked "restored" below),
 * each list in ascending order of its key.
 *
 * Invariants
 * 1. Each row is whole: it is inserted, or replaces the row with the same key (first field, unless it says
 *    otherwise); what identifies it (the fields that columns.c calls fixed) stays the same then. Within one
 *    list the rows are applied in order, the later one wins. Keys are never used again and rows are never
 *    deleted.
 * 2. The lists are applied in the order in which they stand in `struct rows`; in that order no row refers
 *    to one that does not exist yet, except trial.closed_by, which names an attempt of the same batch.
 * 3. Text is borrowed and never NULL ("" where there is none); what a reader of the store fills in belongs
 *    to the rows (rows_keep) and lives until rows_release. A real is NaN where there is none (NULL in the
 *    database).
 * 4. Times are Unix time in ms.
 */
#ifndef COORDINATOR_ROWS_H
#define COORDINATOR_ROWS_H

#include "common/buf.h"
#include "common/expr/fingerprint.h"
#include "common/space.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CURVE_POINTS = 64 };

/* The one row of the experiment. Restored. Written by the store when the database is made (epoch 0), by the
 * core afterwards. */
struct experiment_row {
    const char *name;
    const char *text;             /* canonical text (experiment_text) */
    int64_t numerics;             /* pinned when the database is made */
    const char *trainer;          /* pinned by the first worker that asks for work; "" before */
    const char *data_hash;        /* content hash of the data set, pinned likewise; "" before */
    int64_t epoch;                /* how often a coordinator was started on it; 1 at the first start */
    int64_t target_candidates;    /* search.candidates; 0: no such limit */
    int64_t started_ms;           /* first start */
    int64_t finished_ms;          /* 0 while it runs */
    const char *finished_because; /* "" while it runs */
    bool paused;                  /* a person wants no more leases for now; false once it is finished */
};

/* How far it is; one row. Restored. */
struct counters_row {
    int64_t proposals;             /* made by the search */
    int64_t candidates;            /* distinct usable functions proposed; references are not counted */
    int64_t references;            /* candidates that come from search.references */
    int64_t duplicates;            /* proposals of a function known already */
    int64_t rejected;              /* proposals of a function that is not worth a trial */
    int64_t rejected_by[VERDICTS]; /* the same, by reason */
    int64_t trials;                /* all; = ready + leased + done + diverged + failed */
    int64_t ready, leased, done, diverged, failed;
    int64_t finals;      /* of the trials those that were made for the finals */
    int64_t finals_open; /* of these those that are ready or leased */
    int64_t workers;     /* connected now */
};

/* A worker daemon; a daemon that is started again is another one. Restored. */
struct worker_row {
    int64_t id;       /* 1, 2, 3, … */
    const char *name; /* 32 hexadecimal digits, unique */
    const char *host;
    int64_t pid;
    int64_t slots;
    const char *trainer;
    const char *kernels;
    const char *cpu;
    const char *key; /* public key that it came with; "": none */
    int64_t numerics;
    bool connected; /* 0 in all rows after a restart until it speaks; after the end: it is still to be told */
    int64_t first_ms;
    int64_t last_ms;     /* last heard when this row was written */
    int64_t results;     /* outcomes taken from it */
    int64_t lost;        /* its leases that lapsed or failed */
    int64_t shut_out_ms; /* since when its host gets no work, having come to other bits; 0: it does */
};

/* One distinct function. The figures are computed by the core over the trials that are closed, in order of
 * replica, so that their bits do not depend on the order of arrival. Restored. */
struct candidate_row {
    int64_t id; /* 1, 2, 3, … in the order of admission: references first, then by number of proposal */
    const char *activation; /* canonical string, unique */
    struct hash fingerprint;
    bool reference;
    int64_t first_proposal; /* −1: a reference */
    int64_t rung;           /* the highest that it was given trials of */
    int64_t steps;          /* of the trials that the figures are of: the longest with an outcome */
    int64_t trials;         /* created, of all rungs */
    int64_t seeds;          /* trials of `steps` with an outcome: done or diverged. 0: it has no rank yet */
    int64_t diverged;       /* of these */
    int64_t failed;         /* trials given up, of all rungs; no outcome, not in the figures below */
    double accuracy_mean;   /* over `seeds` trials, a diverged one counts 0; NaN with none */
    double accuracy_sd;     /* sample deviation; NaN with fewer than 2 */
    double validation_loss_mean; /* over the trials that are done; NaN with none */
    int64_t parameters;          /* of the child network, β not counted; 0 while unknown */
    int64_t betas;
    double seconds; /* mean wall time over `seeds` trials */
    double cost_ns; /* mean over the trials that are done */
    double reward;  /* what the search is told, of rung 0; NaN until all its trials are closed */
};

#define PROPOSAL_TABLE(ROW)                                                                                  \
    ROW(NEW, "new")             /* it made a candidate */                                                    \
    ROW(DUPLICATE, "duplicate") /* the candidate was there already */                                        \
    ROW(REJECTED, "rejected")   /* not worth a trial, see verdict */

enum proposal_outcome {
#define PROPOSAL_ROW(name, text) PROPOSAL_##name,
    PROPOSAL_TABLE(PROPOSAL_ROW)
#undef PROPOSAL_ROW
        PROPOSAL_OUTCOMES,
};

/* One proposal of the search. Restored: those whose reward is NaN. */
struct proposal_row {
    int64_t number; /* 0, 1, 2, … */
    enum proposal_outcome outcome;
    enum verdict verdict; /* VERDICT_USABLE unless rejected */
    int64_t candidate;    /* 0: rejected */
    const char
        *activation; /* rejected: the string, "" where it is too large to be one; else "" (see candidate) */
    int token_count;
    uint16_t tokens[SPACE_MAX_TOKENS];
    double log_probability;
    int64_t policy_version;
    double reward; /* NaN until reported to the search */
};

#define TRIAL_TABLE(ROW)                                                                                     \
    ROW(READY, "ready")                                                                                      \
    ROW(LEASED, "leased")                                                                                    \
    ROW(DONE, "done")         /* closed with an accuracy */                                                  \
    ROW(DIVERGED, "diverged") /* closed: a loss was not finite */                                            \
    ROW(FAILED, "failed")     /* closed without outcome, after too many lost attempts */

enum trial_state {
#define TRIAL_ROW(name, text) TRIAL_##name,
    TRIAL_TABLE(TRIAL_ROW)
#undef TRIAL_ROW
        TRIAL_STATES,
};

enum { RUNG_FINALS = -1 };

/* One training of one candidate. Restored. */
struct trial_row {
    int64_t id; /* 1, 2, 3, … in the order of creation */
    int64_t candidate;
    int64_t replica; /* 0, 1, 2, … among the trials of the candidate that have as many steps */
    int64_t seed;
    int64_t rung;  /* that it was created for (halving.h), or RUNG_FINALS */
    int64_t steps; /* of the training */
    enum trial_state state;
    int64_t lost;      /* attempts lost so far */
    int64_t closed_by; /* attempt whose outcome this is; 0: none */
    int64_t closed_ms; /* 0: open */
    /* The outcome, where state is done or diverged. */
    int64_t step; /* steps done, or the step at which it diverged */
    int64_t correct;
    int64_t validation_count;
    double validation_loss;
    double train_loss;
    int64_t parameters;
    int64_t betas;
    double seconds;
    double images_per_second;
    double cost_ns;
    int64_t peak_memory_bytes;
};

#define ATTEMPT_TABLE(ROW)                                                                                   \
    ROW(LEASED, "leased")                                                                                    \
    ROW(TAKEN, "taken")         /* its result closed the trial */                                            \
    ROW(LAPSED, "lapsed")       /* the worker fell silent; counts as lost */                                 \
    ROW(UNCLAIMED, "unclaimed") /* no sign of it since the coordinator was started again; does not count */  \
    ROW(FAILED, "failed")       /* the trainer ended without an outcome; counts as lost */                   \
    ROW(RETURNED, "returned")   /* handed back, or never reached the worker; does not count */               \
    ROW(CANCELLED, "cancelled") /* another attempt closed the trial */                                       \
    ROW(AGREED, "agreed")       /* reported after another had closed the trial: the same bits */             \
    ROW(DIFFERED, "differed")   /* the same, but other bits, which its reason says: there is an event */     \
    ROW(WITHDRAWN, "withdrawn") /* had closed the trial, which is done anew: its host came to other bits */

enum attempt_state {
#define ATTEMPT_ROW(name, text) ATTEMPT_##name,
    ATTEMPT_TABLE(ATTEMPT_ROW)
#undef ATTEMPT_ROW
        ATTEMPT_STATES,
};

/* One lease of one trial to one worker. Restored. */
struct attempt_row {
    int64_t id; /* epoch << 32 | count from 1 */
    int64_t trial;
    int64_t worker;
    enum attempt_state state;
    int64_t leased_ms;
    int64_t ended_ms;   /* 0 while leased */
    const char *reason; /* why it was lost, for people; "" */
};

/* The learning curve of a trial, from the attempt that closed it. */
struct curve_row {
    int64_t trial;
    int count;
    int64_t step[CURVE_POINTS];
    double loss[CURVE_POINTS]; /* training loss */
};

/* Something that a person may want to know. No key: always a new row. */
struct event_row {
    int64_t at_ms;
    const char *kind; /* a word: start, finish, refusal, lapse, failure, difference, … */
    const char *text;
};

/* The large part of the state of the search, as search_save_model wrote it: written when policy_version
 * changes. One row. Restored, where there is one. */
struct search_model_row {
    int64_t policy_version;
    int64_t at_ms;
    struct buf model; /* owned by the rows */
};

/* The state of the search, as search_save wrote it, with what search_status says; one row. Restored. And one
 * row of history for each policy_version, the later one wins (all of it but the state). */
struct search_row {
    int64_t proposals;
    int64_t rewards;
    int64_t policy_version;
    double baseline;
    double entropy;
    int64_t at_ms;
    const char
        *policy; /* a JSON array, for each token the likeliest choice, its probability, and the entropy */
    struct buf state; /* owned by the rows */
};

#define ROWS_LIST(type)                                                                                      \
    struct {                                                                                                 \
        struct type *items;                                                                                  \
        size_t count;                                                                                        \
        size_t capacity;                                                                                     \
    }

struct rows {
    bool
        experiment_changed; /* experiment, counters, search, model: written when changed; restored: present */
    bool counters_changed;
    bool search_changed;
    bool model_changed;
    struct experiment_row experiment;
    struct counters_row counters;
    ROWS_LIST(worker_row) workers;
    ROWS_LIST(candidate_row) candidates;
    ROWS_LIST(proposal_row) proposals;
    ROWS_LIST(trial_row) trials;
    ROWS_LIST(attempt_row) attempts;
    ROWS_LIST(curve_row) curves;
    ROWS_LIST(event_row) events;
    struct search_row search;
    struct search_model_row model;

    char **texts; /* kept by rows_keep */
    size_t text_count;
    size_t text_capacity;
};

/* Each appends an empty row and returns it, until the next append to that list. */
struct worker_row *rows_worker(struct rows *rows);
struct candidate_row *rows_candidate(struct rows *rows);
struct proposal_row *rows_proposal(struct rows *rows);
struct trial_row *rows_trial(struct rows *rows);
struct attempt_row *rows_attempt(struct rows *rows);
struct curve_row *rows_curve(struct rows *rows);
struct event_row *rows_event(struct rows *rows);

/* A copy of the text that lives as long as the rows. */
const char *rows_keep(struct rows *rows, const char *text);
bool rows_empty(const struct rows *rows);
void rows_clear(struct rows *rows);   /* empties all lists, keeps their memory */
void rows_release(struct rows *rows); /* gives all memory back; as {0} again */

/* The words of the tables above, for the database: "new", "ready", "lapsed", … */
const char *proposal_outcome_text(enum proposal_outcome outcome);
const char *trial_state_text(enum trial_state state);
const char *attempt_state_text(enum attempt_state state);

#endif

/* experiment: one experiment file, which says all that a result depends on (DESIGN 4.9).
 *
 * The table common/experiment.def has a row per key of each section but [child] (common/child.def). The canonical text (all keys
 * in the table's order, defaults written out, nothing operational) identifies the experiment and is stored with it; [queue] and
 * [log] are operational and not part of it.
 */
#ifndef COMMON_EXPERIMENT_H
#define COMMON_EXPERIMENT_H

#include "common/child.h"
#include "common/log.h"
#include "common/space.h"

/* AUTO stands in no experiment that was read: it is the better of evolution and rl for the size of the space. */
enum algorithm { ALGORITHM_EXHAUSTIVE, ALGORITHM_RANDOM, ALGORITHM_EVOLUTION, ALGORITHM_RL, ALGORITHM_NONE, ALGORITHM_AUTO };
#define ALGORITHM_NAMES "exhaustive|random|evolution|rl|none|auto" /* in that order */
enum search_mode { MODE_SYNC, MODE_ASYNC };
enum { MAX_RUNGS = 16 };

struct experiment {
    char name[NAME_BYTES];
    uint64_t seed;
    struct space_settings space; /* its strings are owned by this struct */
    struct {
        enum algorithm algorithm;
        int64_t candidates; /* distinct candidates after which the search ends; 0 with exhaustive: all */
        int64_t
            proposals; /* proposals after which it ends (20 × candidates filled in); 0 with exhaustive: no end */
        int64_t batch; /* proposals that learn together */
        enum search_mode mode;
        char *references; /* expressions, separated by commas outside of parentheses; names of known functions
                             are replaced when it is read */
    } search;
    struct {
        int64_t hidden; /* units of the LSTM */
        int64_t layers;
        double lr;
        double clip;
        int64_t epochs;
        double entropy;
        double baseline_decay;
        double gradient_clip;
        int64_t replay; /* of the best sequences so far, learnt again with each batch */
        bool repeats;   /* whether a sequence may be proposed twice */
    } rl;
    struct {
        int64_t population; /* the latest proposals that parents are drawn from */
        int64_t sample;     /* members drawn for a proposal, whose best is its parent */
    } evolution;
    struct {
        int64_t eta;
        int64_t rungs; /* 1: no halving */
    } halving;
    struct child child;
    struct {
        int64_t top; /* 0: no finals */
        int64_t seeds;
        int64_t steps; /* 0: child.steps (experiment_finals_steps) */
    } finals;
    struct {
        int64_t lease_ms;     /* a lease lapses after this much silence */
        int64_t heartbeat_ms; /* how often a worker is to speak */
        int64_t stall_ms;     /* a lease under which nothing moves for so long is lost */
        int64_t attempts;     /* lost attempts after which a trial has failed */
        double audit;
    } queue;
    enum log_level log_level;
};

/* Reads `text` (`name` is what problems call it), then the overrides "section.key=value" in order, and checks that all of it fits
 * together. A problem's text says the file, the line (or the override), what is allowed, and the nearest spelling. ERR_USAGE where an
 * override is what is wrong. */
int experiment_parse(const char *name, const char *text, const char *const *overrides, int override_count,
                     struct experiment **ret_experiment, struct problem *problem);
int experiment_load(const char *path, const char *const *overrides, int override_count,
                    struct experiment **ret_experiment, struct problem *problem);
void experiment_destroy(struct experiment **experiment);
/* What holds between the keys, as "section.key: …"; fills in what follows from others. */
int experiment_check(struct experiment *experiment, struct problem *problem);
/* Sets one key as a line of a file would, but looks at no other: experiment_check does that. The problem says what is
 * allowed, as "section.key: …". */
int experiment_set(struct experiment *experiment, const char *section, const char *key, const char *value,
                   struct problem *problem);

/* Where the results of the experiment file `path` go unless --db says otherwise: "demo.db", in the current folder, for
 * experiments/demo.ini. malloc'd. */
char *experiment_database(const char *path);
/* The canonical text: malloc'd. experiment_parse reads it back to an equal experiment. */
char *experiment_text(const struct experiment *experiment);
/* The lines in which two canonical texts differ, as "section.key: a -> b\n"; "" where none. malloc'd. */
char *experiment_difference(const char *text_a, const char *text_b);

/* All keys with defaults, bounds and meanings, as people read them on a terminal, or as the tables of docs/experiment-file.md.
 * malloc'd. */
char *experiment_help(bool markdown);

/* Training steps of a rung, 0 … halving.rungs − 1: child.steps / eta^(rungs − 1 − rung), so the top one trains child.steps. */
int64_t experiment_rung_steps(const struct experiment *experiment, int64_t rung);

int64_t experiment_finals_steps(const struct experiment *experiment);

/* The reference activations, parsed: *ret_count pointers, each the caller's. */
int experiment_references(const struct experiment *experiment, struct expr ***ret_exprs, int *ret_count,
                          struct problem *problem);

#endif

/* store_check: whether a results database is whole, and says what its own rows imply. For `actsearch check`.
 *
 * Invariants
 * 1. It only reads, and may run while a coordinator writes: all of it sees one committed state.
 * 2. What passes, a coordinator can go on with: the last check starts one on it, in memory.
 */
#ifndef COORDINATOR_STORE_CHECK_H
#define COORDINATOR_STORE_CHECK_H

#include "coordinator/store_read.h"

/* ROW(NAME, name, what it promises) in the order in which they are made. */
#define CHECK_TABLE(ROW)                                                                                     \
    ROW(PAGES, "pages", "every page and index of the file is whole")                                         \
    ROW(REFERENCES, "references", "every reference leads to a row")                                          \
    ROW(COLUMNS, "columns", "every column holds what it can")                                                \
    ROW(STATES, "states", "keys are complete, and each closed trial has the attempt that closed it")         \
    ROW(COUNTERS, "counters", "the counters are the numbers of rows")                                        \
    ROW(FIGURES, "figures", "the figures of each candidate are those of its trials, bit for bit")            \
    ROW(REWARDS, "rewards", "the search was told the reward of each candidate, bit for bit")                 \
    ROW(CURVES, "curves", "learning curves belong to trials with an outcome")                                \
    ROW(FUNCTIONS, "functions", "each activation is canonical and has its fingerprint")                      \
    ROW(START, "start", "a coordinator can go on: the state of the search can be loaded and fits the rows")

enum check {
#define CHECK_ROW(NAME, name, promise) CHECK_##NAME,
    CHECK_TABLE(CHECK_ROW)
#undef CHECK_ROW
        CHECKS,
};

const char *check_name(enum check check);
const char *check_promise(enum check check);

/* Called before each check, and for each thing found: `found` is NULL before, else a sentence, borrowed. A
 * check that cannot be made because of what an earlier one found is left out. */
typedef void store_check_visit(void *context, enum check check, const char *found);

/* 0 when all checks were made or left out, whatever they found; an error where the database could not be
 * read at all. */
int store_check(struct store_reader *reader, store_check_visit *visit, void *context,
                struct problem *problem);

#endif

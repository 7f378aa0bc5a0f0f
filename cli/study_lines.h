/* study_lines: the lines of a study file, each looked at by itself, before anything is made of them. Internal to
 * study_*.c.
 */
#ifndef CLI_STUDY_LINES_H
#define CLI_STUDY_LINES_H

#include "common/experiment.h"

/* [study] */
struct study_head {
    char name[NAME_BYTES];
    int64_t seed, seeds;
    char *functions, *models, *data, *lrs, *against; /* lists */
};

/* A line of another section, which some or all cells take over. */
struct study_pair {
    char *section, *key, *value; /* "child", "model NAME", "data NAME", "queue", "log" */
    int line;                    /* 0: an override */
};

struct study_lines {
    const char *name; /* of the file */
    struct study_head head;
    int *head_line; /* by key of [study]; 0: not in the file */
    struct study_pair *pairs;
    int pair_count;
    struct experiment *scratch; /* takes each line, to see whether it can be taken */
    bool overriding;
};

/* Reads the text, then the overrides "section.key=value". On failure the problem says where; ret_lines is to be released
 * either way. */
int study_lines_read(const char *name, const char *text, const char *const *overrides, int override_count,
                     struct study_lines *ret_lines, struct problem *problem);
void study_lines_release(struct study_lines *lines);

/* Puts file and line before a problem that begins with "study.key: ", or that has a line. Returns err. */
int study_lines_place(const struct study_lines *lines, struct problem *problem, int err);
/* Whether an override has set that key of [study]. */
bool study_lines_overridden(const struct study_lines *lines, const char *key);
/* Whether it is of a network or a data set alone: "model NAME", "data NAME". */
bool study_pair_of_network(const struct study_pair *pair);
/* [queue] and [log]: no result depends on it. */
bool study_pair_operational(const struct study_pair *pair);

#endif

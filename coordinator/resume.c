#include "coordinator/resume.h"

#include "common/ini.h"
#include "common/numerics.h"
#include "common/text.h"

#include <stdlib.h>
#include <string.h>

/* Limits: 0 means none, which is more than any. */
static bool at_least(int64_t now, int64_t before)
{
    return now == 0 || (before != 0 && now >= before);
}

/* Finals grow where there were none, or in all that they are. */
static bool finals_grown(const struct experiment *experiment, const struct experiment *old)
{
    return old->finals.top == 0 ||
           (experiment->finals.top >= old->finals.top && experiment->finals.seeds >= old->finals.seeds &&
            experiment_finals_steps(experiment) >= experiment_finals_steps(old));
}

/* All functions of the old list are in the new one. */
static bool references_grown(const struct experiment *experiment, const struct experiment *old)
{
    struct text_list now = {0}, before = {0};
    struct problem checked_when_they_were_read;
    bool all =
        text_list_parse(old->search.references, INI_VALUE_MAX, &before, &checked_when_they_were_read) == 0 &&
        text_list_parse(experiment->search.references, INI_VALUE_MAX, &now, &checked_when_they_were_read) ==
            0;
    for (int i = 0; i < before.count && all; i++) {
        bool found = false;
        for (int k = 0; k < now.count && !found; k++)
            found = strcmp(before.items[i], now.items[k]) == 0;
        all = found;
    }
    text_list_release(&now);
    text_list_release(&before);
    return all;
}

/* An experiment of nothing but references grows in them and in their seeds. */
static bool study_grown(const struct experiment *experiment, struct experiment *old)
{
    if (experiment->search.algorithm != ALGORITHM_NONE || old->search.algorithm != ALGORITHM_NONE)
        return true;
    const bool grown = experiment->child.seeds >= old->child.seeds && references_grown(experiment, old);
    old->child.seeds = experiment->child.seeds;
    free(old->search.references);
    old->search.references = xstrdup(experiment->search.references);
    return grown;
}

/* True where the old experiment, with the limits of the new one, is the new one, and none of the limits is
 * smaller. */
static bool only_grown(const char *old_text, const struct experiment *experiment, const char *text)
{
    struct experiment *old = NULL;
    struct problem ignored;
    if (experiment_parse("the database", old_text, NULL, 0, &old, &ignored) != 0)
        return false;
    bool grown = at_least(experiment->search.candidates, old->search.candidates) &&
                 at_least(experiment->search.proposals, old->search.proposals) &&
                 finals_grown(experiment, old) && study_grown(experiment, old);
    old->search.candidates = experiment->search.candidates;
    old->search.proposals = experiment->search.proposals;
    old->finals = experiment->finals;
    char *limits_taken_over = experiment_text(old);
    grown = grown && strcmp(limits_taken_over, text) == 0;
    free(limits_taken_over);
    experiment_destroy(&old);
    return grown;
}

int resume_check(const struct experiment_row *row, const struct experiment *experiment, bool *ret_grown,
                 struct problem *problem)
{
    if (row->numerics != NUMERICS)
        return problem_set(
            problem, ERR_VERSION,
            "the database was begun under numerics %lld, this actsearch computes under numerics %d, so "
            "results would differ in bits: go on with the release that began it, or begin a new database",
            (long long)row->numerics, NUMERICS);
    char *text = experiment_text(experiment);
    int err = 0;
    bool grown = false;
    if (strcmp(row->text, text) != 0) {
        grown = only_grown(row->text, experiment, text);
        if (!grown) {
            char *difference = experiment_difference(row->text, text);
            err = problem_set(problem, ERR_CONFLICT,
                              "the database belongs to another experiment (search.candidates, "
                              "search.proposals and [finals] may grow, with search.algorithm = none also "
                              "search.references and child.seeds; all else must stay):\n%.*s",
                              (int)strlen(difference) - 1, difference); /* a message does not end its line */
            free(difference);
        }
    }
    free(text);
    if (!err)
        *ret_grown = grown;
    return err;
}

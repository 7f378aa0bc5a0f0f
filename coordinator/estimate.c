#include "coordinator/estimate.h"

#include <math.h>
#include <string.h>

/* How many trials there will be, about: from each rung one in eta climbs, and references train on the lowest
 * and the top one. */
static double trials_of(const struct experiment *experiment, int references)
{
    double climbing = (double)experiment->search.candidates, trials = 0;
    for (int64_t rung = 0; rung < experiment->halving.rungs; rung++) {
        trials += climbing;
        climbing /= (double)experiment->halving.eta;
    }
    trials += references * (experiment->halving.rungs > 1 ? 2 : 1);
    return trials * (double)experiment->child.seeds;
}

/* Where they train as long as the search, its trials are their first seeds. */
static double trials_of_finals(const struct experiment *experiment, int references)
{
    double seeds = (double)experiment->finals.seeds;
    if (experiment_finals_steps(experiment) == experiment->child.steps)
        seeds = fmax(seeds - (double)experiment->child.seeds, 0);
    return experiment->finals.top > 0 ? ((double)experiment->finals.top + references) * seeds : 0;
}

void estimate_start(struct estimate *estimate, const struct experiment *experiment, int references)
{
    *estimate = (struct estimate){
        .finals = trials_of_finals(experiment, references),
        .longer = (double)experiment_finals_steps(experiment) / (double)experiment->child.steps,
    };
    if (experiment->search.candidates > 0 || experiment->search.algorithm == ALGORITHM_NONE)
        estimate->trials = trials_of(experiment, references);
    struct space *space = NULL;
    struct problem unlikely; /* experiment_parse has made this space before */
    if (experiment->search.algorithm == ALGORITHM_EXHAUSTIVE &&
        space_new(&experiment->space, &space, &unlikely) == 0)
        space_strings(space, &(bool){false}, &estimate->proposals);
    space_destroy(&space);
    if (experiment->search.proposals > 0 &&
        (estimate->proposals == 0 || (double)experiment->search.proposals < estimate->proposals))
        estimate->proposals = (double)experiment->search.proposals;
}

int64_t estimate_closed(const struct progress_row *row)
{
    return row->done + row->diverged + row->failed;
}

bool estimate_in_finals(const struct progress_row *row)
{
    return strcmp(row->phase, "finals") == 0 || (strcmp(row->phase, "paused") == 0 && row->finals > 0);
}

/* All trials of the finals are there from their beginning, and those of the search are closed. */
static double fraction_in_finals(const struct estimate *estimate, const struct progress_row *row)
{
    const double search = (double)(row->trials - row->finals);
    const double closed = (double)estimate_closed(row) - search;
    return (search + estimate->longer * closed) / (search + estimate->longer * (double)row->finals);
}

/* The search ends at what comes first: so many candidates, or so many proposals. */
double estimate_fraction(const struct estimate *estimate, const struct progress_row *row)
{
    if (row->finished_because[0])
        return 1;
    if (estimate_in_finals(row))
        return fraction_in_finals(estimate, row);
    double by_trials = NAN, by_proposals = NAN;
    if (estimate->trials > 0)
        by_trials = (double)estimate_closed(row) / estimate->trials;
    if (estimate->proposals > 0) {
        /* The proposals so far are done to the share to which their trials are: a duplicate costs nothing. */
        const double share = row->trials ? (double)estimate_closed(row) / (double)row->trials : 1;
        by_proposals = share * (double)row->proposals / estimate->proposals;
    }
    double search = fmax(estimate->trials, (double)row->trials);
    double share_of_search =
        search > 0 && row->finals == 0 ? search / (search + estimate->longer * estimate->finals) : 1;
    return fmin(fmax(by_trials, by_proposals), 1) * share_of_search;
}

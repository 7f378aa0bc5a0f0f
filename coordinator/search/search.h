/* search: the one interface of all search algorithms (DESIGN 4.2). Pure: no I/O, no clock; all randomness
 * from its own generator.
 *
 * The caller asks search_next for proposals until it says WAIT (a synchronous batch is out and not all of it
 * is reported) or DONE, and reports a reward for every proposal, in any order. What the search does depends
 * only on the seed and on the reward of each proposal, never on the order of the reports (but see
 * search_asynchronous). search_save at any moment, search_load later: it goes on bit for bit the same.
 */
#ifndef COORDINATOR_SEARCH_SEARCH_H
#define COORDINATOR_SEARCH_SEARCH_H

#include "common/buf.h"
#include "common/experiment.h"
#include "common/space.h"

enum search_answer {
    SEARCH_PROPOSED, /* *ret_proposal is filled */
    SEARCH_WAIT,     /* report rewards first */
    SEARCH_DONE,     /* the space is exhausted (only exhaustive and random, which repeat nothing, end by
                        themselves) */
};

struct proposal {
    uint64_t number; /* 0, 1, 2, … in the order proposed */
    uint16_t tokens[SPACE_MAX_TOKENS];
    double
        log_probability; /* of the whole sequence under the policy that proposed it; 0 where there is none */
    uint64_t policy_version; /* how many updates that policy had seen */
};

/* What an algorithm would choose for one token. */
struct token_status {
    double entropy; /* in nats; of the choice given those before it, on average */
    int likeliest;  /* the choice with the highest probability over all sequences, and that */
    double probability;
};

/* What an algorithm has learnt so far, for people: zero where it means nothing. */
struct search_status {
    uint64_t proposals;      /* made */
    uint64_t rewards;        /* reported */
    uint64_t policy_version; /* updates made */
    double baseline;         /* moving average of rewards */
    double entropy;          /* mean of its entropies over the tokens with more than one choice, in nats */
    int tokens;              /* that follow; 0 where nothing was learnt yet, or never is */
    struct token_status token[SPACE_MAX_TOKENS]; /* of the policy at the last update */
};

struct search;

/* `space` is borrowed for the life of the search. */
struct search *search_new(const struct experiment *experiment, const struct space *space);
void search_destroy(struct search **search);

/* Whether it learns from each reward as it comes (search.mode = async, and an algorithm that learns). Then it
 * never says WAIT, and what it does depends on the order of calls; a proposal that is asked for later is a
 * better one, so ask for no more than can be used at once. */
bool search_asynchronous(const struct search *search);

enum search_answer search_next(struct search *search, struct proposal *ret_proposal);
/* reward in [0, 1]; 0 for diverged or rejected. Each proposal is reported once; a second time is an assert.
 */
void search_report(struct search *search, uint64_t number, double reward);
/* Whether that proposal was made and has no reward yet. */
bool search_waits_for(const struct search *search, uint64_t number);

struct search_status search_status(const struct search *search);

/* What is saved is in two parts, each appended. The model (weights and optimiser) is large, and differs only
 * where search_status().policy_version differs: write it then only. There is none at version 0, nor in an
 * algorithm that keeps little. The state is all the rest, open proposals included. */
void search_save(const struct search *search, struct buf *ret_state);
void search_save_model(const struct search *search, struct buf *ret_model);
/* Both want a search fresh from search_new with the same settings and space; the model, where there is one,
 * goes first. ERR_CORRUPT otherwise, or where something is damaged or the two do not belong together, and
 * then the search may only be destroyed. */
int search_load_model(struct search *search, const void *model, size_t size);
int search_load(struct search *search, const void *state, size_t size);

#endif

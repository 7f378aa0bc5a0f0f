#include "coordinator/propose.h"

#include "common/json.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { READY_STOCK = 64 }; /* ready trials to keep beyond what the waiting workers want */

static struct waiting *waiting_of(struct propose *propose, int64_t candidate)
{
    if ((size_t)candidate >= propose->waiting_capacity) {
        size_t wanted = 2 * (size_t)candidate + 64, old = propose->waiting_capacity;
        propose->waiting = xrealloc(propose->waiting, wanted, sizeof *propose->waiting);
        memset(propose->waiting + old, 0, (wanted - old) * sizeof *propose->waiting);
        propose->waiting_capacity = wanted;
    }
    return &propose->waiting[candidate];
}

static void wait_for(struct propose *propose, int64_t candidate, const struct proposal_row *row)
{
    struct waiting *waiting = waiting_of(propose, candidate);
    if (waiting->count == waiting->capacity) {
        waiting->capacity = waiting->capacity == 0 ? 2 : waiting->capacity * 2;
        waiting->items = xrealloc(waiting->items, waiting->capacity, sizeof *waiting->items);
    }
    waiting->items[waiting->count++] = *row;
    propose->repetitions += row->outcome == PROPOSAL_DUPLICATE;
}

/* Adds a candidate; its first trials are ready. */
static void add_candidate(struct propose *propose, const struct admission *admission, bool reference,
                          int64_t first_proposal)
{
    struct candidate_row row = {.activation = admission->activation,
                                .fingerprint = admission->fingerprint,
                                .reference = reference,
                                .first_proposal = first_proposal};
    int64_t candidate = ledger_add_candidate(propose->ledger, &row);
    assert(admission->candidate == candidate);
    halving_admit(&propose->halving, candidate);
}

/* Those that are not there yet; and of those that are the trials of seeds that are not there yet. */
static int add_references(struct propose *propose, struct problem *problem)
{
    struct expr **references = NULL;
    int count = 0;
    int err = experiment_references(propose->experiment, &references, &count, problem);
    if (err)
        return err;
    for (int i = 0; i < count; i++) {
        int64_t next = (int64_t)propose->kept->candidates.count + 1;
        struct admission admission = admit_reference(&propose->admit, references[i], next);
        if (admission.outcome == PROPOSAL_NEW) {
            add_candidate(propose, &admission, true, -1);
            propose->kept->counters.references++;
        } else if (admission.outcome == PROPOSAL_DUPLICATE) {
            halving_admit(&propose->halving, admission.candidate);
        }
        expr_destroy(&references[i]);
    }
    free(references);
    return 0;
}

static int restore(struct propose *propose, struct problem *problem)
{
    struct rows *kept = propose->kept;
    for (size_t i = 0; i < kept->candidates.count; i++) {
        const struct candidate_row *row = &kept->candidates.items[i];
        int err = admit_restore(&propose->admit, row, problem);
        if (err)
            return err;
    }
    for (size_t i = 0; i < kept->proposals.count; i++)
        wait_for(propose, kept->proposals.items[i].candidate, &kept->proposals.items[i]);
    for (size_t i = 0; i < kept->trials.count; i++)
        if (kept->trials.items[i].state == TRIAL_READY)
            queue_put(propose->queue, kept->trials.items[i].id);
    if (!kept->search_changed)
        return kept->counters.proposals == 0
                   ? 0
                   : problem_set(problem, ERR_CORRUPT, "the state of the search is missing");
    if (kept->model_changed &&
        search_load_model(propose->search, kept->model.model.data, kept->model.model.size) != 0)
        return problem_set(problem, ERR_CORRUPT, "the model of the search cannot be read");
    if (search_load(propose->search, kept->search.state.data, kept->search.state.size) != 0)
        return problem_set(problem, ERR_CORRUPT,
                           "the state of the search cannot be read, or is not that of its model");
    bool fits =
        search_status(propose->search).proposals == (uint64_t)kept->counters.proposals &&
        search_status(propose->search).rewards == (uint64_t)kept->counters.proposals - kept->proposals.count;
    for (size_t i = 0; i < kept->proposals.count; i++)
        fits = fits && search_waits_for(propose->search, (uint64_t)kept->proposals.items[i].number);
    if (!fits)
        return problem_set(problem, ERR_CORRUPT,
                           "the state of the search is of another moment than the proposals");
    propose->model_version = kept->model_changed ? kept->model.policy_version : 0;
    buf_release(&kept->search.state);
    buf_release(&kept->model.model);
    return 0;
}

int propose_start(struct propose *propose, const struct experiment *experiment, const struct space *space,
                  struct ledger *ledger, struct queue *queue, struct rows *kept, struct rows *changes,
                  struct problem *problem)
{
    *propose = (struct propose){.experiment = experiment,
                                .ledger = ledger,
                                .queue = queue,
                                .kept = kept,
                                .changes = changes,
                                .search = search_new(experiment, space)};
    admit_start(&propose->admit, space);
    halving_start(&propose->halving, experiment, ledger, queue);
    const bool begun = kept->candidates.count > 0 || kept->counters.proposals > 0;
    int err = begun ? restore(propose, problem) : 0;
    if (!err && (!begun || experiment->search.algorithm == ALGORITHM_NONE))
        err = add_references(propose, problem);
    return err;
}

void propose_release(struct propose *propose)
{
    search_destroy(&propose->search);
    admit_release(&propose->admit);
    halving_release(&propose->halving);
    for (size_t i = 0; i < propose->waiting_capacity; i++)
        free(propose->waiting[i].items);
    free(propose->waiting);
    *propose = (struct propose){0};
}

static void report(struct propose *propose, struct proposal_row *row, double reward)
{
    assert(isnan(row->reward) && reward >= 0 && reward <= 1);
    row->reward = reward;
    search_report(propose->search, (uint64_t)row->number, reward);
    *rows_proposal(propose->changes) = *row;
    propose->changes->search_changed = true;
}

void propose_closed(struct propose *propose, int64_t trial, bool rewarded)
{
    halving_closed(&propose->halving, trial);
    if (!rewarded)
        return;
    int64_t candidate = ledger_trial(propose->ledger, trial)->candidate;
    struct waiting *waiting = waiting_of(propose, candidate);
    double reward = ledger_reward(propose->ledger, candidate);
    for (size_t i = 0; i < waiting->count; i++) {
        propose->repetitions -= waiting->items[i].outcome == PROPOSAL_DUPLICATE;
        report(propose, &waiting->items[i], reward);
    }
    free(waiting->items);
    *waiting = (struct waiting){0};
}

void propose_reopened(struct propose *propose, int64_t trial)
{
    halving_reopened(&propose->halving, trial);
}

static void admit_one(struct propose *propose, const struct proposal *proposal)
{
    struct counters_row *counters = &propose->kept->counters;
    int64_t next = (int64_t)propose->kept->candidates.count + 1;
    struct admission admission = admit_tokens(&propose->admit, proposal->tokens, next);
    struct proposal_row row = {
        .number = (int64_t)proposal->number,
        .outcome = admission.outcome,
        .verdict = admission.verdict,
        .candidate = admission.candidate,
        .activation = admission.outcome == PROPOSAL_REJECTED ? admission.activation : "",
        .token_count = space_tokens(propose->admit.space),
        .log_probability = proposal->log_probability,
        .policy_version = (int64_t)proposal->policy_version,
        .reward = NAN,
    };
    memcpy(row.tokens, proposal->tokens, sizeof row.tokens);
    assert(row.number == counters->proposals);
    counters->proposals++;
    propose->changes->counters_changed = true;
    propose->changes->search_changed = true;
    switch (admission.outcome) {
    case PROPOSAL_REJECTED:
        counters->rejected++;
        counters->rejected_by[admission.verdict]++;
        report(propose, &row, 0);
        return;
    case PROPOSAL_NEW:
        counters->candidates++;
        add_candidate(propose, &admission, false, row.number);
        break;
    case PROPOSAL_DUPLICATE:
        counters->duplicates++;
        break;
    case PROPOSAL_OUTCOMES:
        assert(!"an outcome");
    }
    double reward = ledger_reward(propose->ledger, admission.candidate);
    if (isnan(reward)) {
        *rows_proposal(propose->changes) = row;
        wait_for(propose, admission.candidate, &row);
    } else {
        report(propose, &row, reward);
    }
}

/* Why the search is over before its next proposal, or NULL. */
static const char *limit_reached(const struct propose *propose)
{
    const struct counters_row *counters = &propose->kept->counters;
    int64_t candidates = propose->experiment->search.candidates;
    int64_t proposals = propose->experiment->search.proposals;
    if (candidates > 0 && counters->candidates >= candidates)
        return "search.candidates reached";
    if (proposals > 0 && counters->proposals >= proposals)
        return "search.proposals reached";
    return NULL;
}

/* Whether an asynchronous search that learns repeats itself so much that it must hear of a reward first. */
static bool repeats_itself(const struct propose *propose)
{
    const struct counters_row *counters = &propose->kept->counters;
    int64_t open = counters->ready + counters->leased, batch = propose->experiment->search.batch;
    return search_asynchronous(propose->search) && propose->repetitions >= (open > batch ? open : batch);
}

static bool nothing_open(const struct propose *propose)
{
    return propose->kept->counters.ready + propose->kept->counters.leased == 0;
}

bool propose_fill(struct propose *propose, size_t wanted, int budget)
{
    size_t enough = search_asynchronous(propose->search) ? wanted : wanted + READY_STOCK;
    for (;;) {
        if (!propose->over)
            propose->over = limit_reached(propose);
        halving_climb(&propose->halving, propose->kept->counters.proposals, propose->over);
        bool last = propose->over && nothing_open(propose);
        if (propose->queue->count >= enough && !last)
            return false;
        if (halving_promote(&propose->halving, last))
            continue;
        if (propose->over || repeats_itself(propose))
            return false;
        if (budget-- == 0)
            return true;
        struct proposal proposal = {0};
        switch (search_next(propose->search, &proposal)) {
        case SEARCH_PROPOSED:
            admit_one(propose, &proposal);
            break;
        case SEARCH_WAIT:
            assert(propose->kept->counters.ready + propose->kept->counters.leased > 0);
            return false;
        case SEARCH_DONE:
            propose->over = propose->experiment->search.algorithm == ALGORITHM_NONE
                                ? "the references are trained"
                                : "the space is exhausted";
            break;
        }
    }
}

/* What the search has learnt of each token, as a JSON array:
 * [{"unit":1,"token":"unary 1","choices":25,"choice":"tanh(x)","probability":0.5,"entropy":1.2},…] */
static void put_policy(const struct space *space, const struct search_status *status, struct json *json)
{
    json_array(json, NULL);
    for (int at = 0; at < status->tokens; at++) {
        const struct token_status *token = &status->token[at];
        json_object(json, NULL);
        json_int(json, "unit", at / SPACE_TOKENS_PER_UNIT + 1);
        json_text(json, "token", space_token_text(at));
        json_int(json, "choices", space_choices(space, at));
        json_text(json, "choice", space_choice_text(space, at, token->likeliest));
        json_real(json, "probability", token->probability);
        json_real(json, "entropy", token->entropy);
        json_end(json);
    }
    json_end(json);
}

void propose_write(struct propose *propose, int64_t now_ms)
{
    if (!propose->changes->search_changed)
        return;
    struct search_status status = search_status(propose->search);
    struct search_row *row = &propose->changes->search;
    row->proposals = (int64_t)status.proposals;
    row->rewards = (int64_t)status.rewards;
    row->policy_version = (int64_t)status.policy_version;
    row->baseline = status.baseline;
    row->entropy = status.entropy;
    row->at_ms = now_ms;
    struct json policy = {0};
    put_policy(propose->admit.space, &status, &policy);
    row->policy = rows_keep(propose->changes, buf_text(&policy.out));
    buf_release(&policy.out);
    buf_clear(&row->state);
    search_save(propose->search, &row->state);
    if (row->policy_version == propose->model_version)
        return;
    struct search_model_row *model = &propose->changes->model;
    buf_clear(&model->model);
    search_save_model(propose->search, &model->model);
    if (model->model.size == 0)
        return;
    model->policy_version = propose->model_version = row->policy_version;
    model->at_ms = now_ms;
    propose->changes->model_changed = true;
}

#include "coordinator/rows.h"

#include "common/err.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Appends a zeroed item to a list and returns it. */
static void *list_append(void **items, size_t *count, size_t *capacity, size_t size)
{
    if (*count == *capacity) {
        *capacity = *capacity == 0 ? 16 : *capacity * 2;
        *items = xrealloc(*items, *capacity, size);
    }
    void *item = (char *)*items + *count * size;
    memset(item, 0, size);
    (*count)++;
    return item;
}

#define LIST(function, row, list)                                                                            \
    struct row *function(struct rows *rows)                                                                  \
    {                                                                                                        \
        void *items = rows->list.items;                                                                      \
        struct row *item = list_append(&items, &rows->list.count, &rows->list.capacity, sizeof(struct row)); \
        rows->list.items = items;                                                                            \
        return item;                                                                                         \
    }
LIST(rows_worker, worker_row, workers)
LIST(rows_candidate, candidate_row, candidates)
LIST(rows_proposal, proposal_row, proposals)
LIST(rows_trial, trial_row, trials)
LIST(rows_attempt, attempt_row, attempts)
LIST(rows_curve, curve_row, curves)
LIST(rows_event, event_row, events)
#undef LIST

const char *rows_keep(struct rows *rows, const char *text)
{
    void *items = rows->texts;
    char **kept = list_append(&items, &rows->text_count, &rows->text_capacity, sizeof(char *));
    rows->texts = items;
    *kept = xstrdup(text);
    return *kept;
}

bool rows_empty(const struct rows *rows)
{
    return !rows->experiment_changed && !rows->counters_changed && !rows->search_changed &&
           !rows->model_changed && rows->workers.count == 0 && rows->candidates.count == 0 &&
           rows->proposals.count == 0 && rows->trials.count == 0 && rows->attempts.count == 0 &&
           rows->curves.count == 0 && rows->events.count == 0;
}

void rows_clear(struct rows *rows)
{
    rows->experiment_changed = rows->counters_changed = rows->search_changed = rows->model_changed = false;
    rows->workers.count = rows->candidates.count = rows->proposals.count = rows->trials.count = 0;
    rows->attempts.count = rows->curves.count = rows->events.count = 0;
    buf_clear(&rows->search.state);
    buf_clear(&rows->model.model);
    for (size_t i = 0; i < rows->text_count; i++)
        free(rows->texts[i]);
    rows->text_count = 0;
}

void rows_release(struct rows *rows)
{
    rows_clear(rows);
    free(rows->workers.items);
    free(rows->candidates.items);
    free(rows->proposals.items);
    free(rows->trials.items);
    free(rows->attempts.items);
    free(rows->curves.items);
    free(rows->events.items);
    free(rows->texts);
    buf_release(&rows->search.state);
    buf_release(&rows->model.model);
    *rows = (struct rows){0};
}

const char *proposal_outcome_text(enum proposal_outcome outcome)
{
    static const char *const texts[] = {
#define PROPOSAL_ROW(name, text) text,
        PROPOSAL_TABLE(PROPOSAL_ROW)
#undef PROPOSAL_ROW
    };
    assert((unsigned)outcome < PROPOSAL_OUTCOMES);
    return texts[outcome];
}

const char *trial_state_text(enum trial_state state)
{
    static const char *const texts[] = {
#define TRIAL_ROW(name, text) text,
        TRIAL_TABLE(TRIAL_ROW)
#undef TRIAL_ROW
    };
    assert((unsigned)state < TRIAL_STATES);
    return texts[state];
}

const char *attempt_state_text(enum attempt_state state)
{
    static const char *const texts[] = {
#define ATTEMPT_ROW(name, text) text,
        ATTEMPT_TABLE(ATTEMPT_ROW)
#undef ATTEMPT_ROW
    };
    assert((unsigned)state < ATTEMPT_STATES);
    return texts[state];
}

#include "coordinator/finals.h"

#include "coordinator/contender.h"

#include <stdlib.h>

static int64_t train(const struct experiment *experiment, struct ledger *ledger, struct queue *queue,
                     int64_t candidate)
{
    int64_t added = ledger_add_trials(ledger, candidate, RUNG_FINALS, experiment_finals_steps(experiment),
                                      experiment->finals.seeds, experiment->seed);
    queue_put_last(queue, ledger_trials(ledger), added);
    return added;
}

/* The candidate with its figures on the highest rung on which it has any. */
static struct contender contender_in_search(const struct experiment *experiment, const struct ledger *ledger,
                                            const struct candidate_row *row)
{
    for (int64_t rung = row->rung;; rung--) {
        struct figures figures =
            ledger_figures(ledger, row->id, experiment_rung_steps(experiment, rung), experiment->child.seeds);
        if (figures.seeds > 0 || rung == 0)
            return contender_of(row, rung, &figures);
    }
}

int64_t finals_begin(const struct experiment *experiment, struct ledger *ledger, struct queue *queue)
{
    if (experiment->finals.top == 0)
        return 0;
    const struct candidate_row *row;
    struct contender *contenders = xcalloc(ledger->kept->candidates.count, sizeof *contenders);
    size_t count = 0;
    int64_t added = 0;
    for (int64_t id = 1; (row = ledger_candidate(ledger, id)); id++)
        if (row->reference)
            added += train(experiment, ledger, queue, id);
        else
            contenders[count++] = contender_in_search(experiment, ledger, row);
    contenders_sort(contenders, count);
    int64_t places = experiment->finals.top;
    for (size_t i = 0; i < count && places > 0; i++)
        if (contenders[i].able) {
            added += train(experiment, ledger, queue, contenders[i].candidate);
            places--;
        }
    free(contenders);
    return added;
}

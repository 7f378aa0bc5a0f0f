#include "cli/finished.h"

#include "cli/answer.h"

#include <stdlib.h>
#include <string.h>

bool finished_open(const char *database, const struct experiment *experiment,
                   struct store_reader **ret_reader)
{
    struct problem unreadable;
    struct answer stored = {0};
    bool finished = false;
    *ret_reader = NULL;
    if (store_reader_open(database, ret_reader, &unreadable) != 0)
        return false;
    if (answer_query(*ret_reader, "SELECT text, finished_because FROM experiment", NULL, &stored,
                     &unreadable) == 0 &&
        stored.rows) {
        char *text = experiment_text(experiment);
        finished = strcmp(answer_text(&stored, 0, "text"), text) == 0 &&
                   answer_text(&stored, 0, "finished_because")[0];
        free(text);
    }
    answer_release(&stored);
    if (!finished)
        store_reader_close(ret_reader);
    return finished;
}

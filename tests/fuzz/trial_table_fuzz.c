/* The text of a table of trainings: whatever it is, it is refused with a reason, or what is read from it prints as a text that is
 * read again as the same. */
#include "common/trial_table.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct trial_table *table = NULL, *again = NULL;
    struct problem problem = {0};
    if (trial_table_parse((const char *)data, size, &table, &problem) != 0) {
        assert(problem.text[0] && !table);
        return 0;
    }
    struct buf text = {0}, second = {0};
    trial_table_print(table, &text);
    int err = trial_table_parse(buf_text(&text), text.size, &again, &problem);
    assert(err == 0 && again->count == table->count);
    trial_table_print(again, &second);
    assert(strcmp(buf_text(&text), buf_text(&second)) == 0);
    for (size_t i = 0; i < table->count; i++) {
        const struct table_trial *trial = &table->trials[i];
        assert(trial_table_find(again, trial->activation, trial->steps, trial->seed) == &again->trials[i]);
    }
    buf_release(&text);
    buf_release(&second);
    trial_table_destroy(&table);
    trial_table_destroy(&again);
    return 0;
}

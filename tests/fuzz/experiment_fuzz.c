/* experiment_fuzz: experiment files, and the [child] settings of a LEASE. Each is refused with a sentence, or
 * has a canonical text that reads back to the same text. */
#include "common/experiment.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_experiment(const char *text)
{
    struct experiment *experiment = NULL, *again = NULL;
    struct problem problem = {0};
    if (experiment_parse("fuzz.ini", text, NULL, 0, &experiment, &problem) != 0) {
        assert(!experiment && problem.text[0] != '\0');
        return;
    }
    char *canonical = experiment_text(experiment);
    int err = experiment_parse("canonical", canonical, NULL, 0, &again, &problem);
    assert(err == 0);
    char *canonical_again = experiment_text(again);
    assert(strcmp(canonical, canonical_again) == 0);
    char *difference = experiment_difference(canonical, canonical_again);
    assert(difference[0] == '\0');
    free(difference);
    free(canonical_again);
    free(canonical);
    experiment_destroy(&experiment);
    experiment_destroy(&again);
}

static void check_child(const char *text)
{
    struct child child;
    struct problem problem = {0};
    if (child_parse(text, &child, &problem) != 0) {
        assert(problem.text[0] != '\0');
        return;
    }
    struct buf canonical = {0}, canonical_again = {0};
    child_print(&child, &canonical);
    int err = child_parse(buf_text(&canonical), &child, &problem);
    assert(err == 0);
    child_print(&child, &canonical_again);
    assert(strcmp(buf_text(&canonical), buf_text(&canonical_again)) == 0);
    buf_release(&canonical);
    buf_release(&canonical_again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = xcalloc(size + 1, 1);
    memcpy(text, data, size);
    check_experiment(text);
    check_child(text);
    free(text);
    return 0;
}

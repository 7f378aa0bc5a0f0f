/* study_fuzz: study files. Each is refused with a sentence, or becomes experiments whose files read back to the same. */
#include "cli/study_file.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_cell(const struct study *study, const struct study_cell *cell)
{
    struct experiment *experiment = NULL;
    struct problem problem = {0};
    int err = experiment_parse(cell->name, cell->text, NULL, 0, &experiment, &problem);
    assert(err == 0);
    char *here = experiment_text(cell->experiment), *there = experiment_text(experiment);
    assert(strcmp(here, there) == 0);
    assert(cell->data < study->data_count && cell->model < study->model_count &&
           cell->rate < STUDY_MAX_RATES);
    free(here);
    free(there);
    experiment_destroy(&experiment);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = xcalloc(size + 1, 1);
    memcpy(text, data, size);
    struct study *study = NULL;
    struct problem problem = {0};
    if (study_parse("fuzz.ini", text, NULL, 0, &study, &problem) != 0) {
        assert(!study && problem.text[0] != '\0');
    } else {
        assert(study->cell_count > 0 && study->against >= 0 && study->against < study->function_count);
        for (int i = 0; i < study->cell_count; i++)
            check_cell(study, &study->cells[i]);
    }
    study_destroy(&study);
    free(text);
    return 0;
}

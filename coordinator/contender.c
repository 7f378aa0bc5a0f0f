#include "coordinator/contender.h"

#include <stdlib.h>
#include <string.h>

struct contender contender_of(const struct candidate_row *row, int64_t rung, const struct figures *figures)
{
    return (struct contender){.candidate = row->id,
                              .rung = rung,
                              .accuracy = figures->accuracy_mean,
                              .loss = figures->validation_loss_mean,
                              .activation = row->activation,
                              .able = figures->done > 0};
}

int contender_compare(const void *left, const void *right)
{
    const struct contender *a = left, *b = right;
    if (a->rung != b->rung)
        return a->rung > b->rung ? -1 : 1;
    if (a->able != b->able)
        return a->able ? -1 : 1;
    if (a->able && a->accuracy != b->accuracy)
        return a->accuracy > b->accuracy ? -1 : 1;
    if (a->able && a->loss != b->loss)
        return a->loss < b->loss ? -1 : 1;
    return strcmp(a->activation, b->activation);
}

void contenders_sort(struct contender *contenders, size_t count)
{
    if (count > 1)
        qsort(contenders, count, sizeof *contenders, contender_compare);
}

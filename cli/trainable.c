#include "cli/trainable.h"

#include "worker/nn/train.h"

#include <stdlib.h>

int trainable_check(const struct child *child, const char *cache, struct data **ret_data,
                    struct problem *problem)
{
    struct data *data = NULL;
    char *folder = data_cache_dir(cache);
    int err = train_model_check(child->model, problem);
    if (err)
        problem_prefix(problem, "child.model");
    if (!err && (err = data_open(folder, child->data, &data, problem)) != 0)
        problem_prefix(problem, "child.data");
    if (!err)
        err = train_check(child, data, problem);
    if (err)
        data_close(&data);
    free(folder);
    *ret_data = data;
    return err;
}

#include "worker/answers.h"

#include <stdio.h>
#include <string.h>

int answers_open(const char *path, struct trial_table **ret_table, struct problem *problem)
{
    struct trial_table *table;
    int err = trial_table_read(path, &table, problem);
    if (err)
        return err;
    err = trial_table_fits(table, &table->experiment->child, NULL, problem);
    if (err) {
        problem_prefix(problem, "%.200s", path);
        trial_table_destroy(&table);
        return err;
    }
    *ret_table = table;
    return 0;
}

static void put_result(const struct table_trial *trial, const char *data_hash, struct msg_result *ret)
{
    *ret = (struct msg_result){.diverged = trial->diverged,
                               .step = trial->step,
                               .correct = trial->correct,
                               .validation_count = trial->validation_count,
                               .validation_loss = trial->validation_loss,
                               .train_loss = trial->train_loss,
                               .parameters = trial->parameters,
                               .betas = trial->betas,
                               .seconds = trial->seconds,
                               .images_per_second = trial->images_per_second,
                               .cost_ns = trial->cost_ns,
                               .curve_step_count = trial->curve_points,
                               .curve_loss_count = trial->curve_points};
    snprintf(ret->data_hash, sizeof ret->data_hash, "%s", data_hash);
    memcpy(ret->curve_step, trial->curve_step, sizeof trial->curve_step);
    memcpy(ret->curve_loss, trial->curve_loss, sizeof trial->curve_loss);
}

int answers_find(const struct trial_table *table, const struct msg_lease *lease, const char *data_hash,
                 struct msg *ret_outcome, struct problem *problem)
{
    struct child child;
    int err = child_parse(lease->child, &child, problem);
    if (!err)
        err = trial_table_fits(table, &child, data_hash, problem);
    if (err)
        return ERR_CONFLICT;
    const struct table_trial *trial = trial_table_find(table, lease->activation, child.steps, lease->seed);
    if (!trial)
        return 0;
    ret_outcome->type = MSG_RESULT;
    put_result(trial, data_hash, &ret_outcome->result_);
    ret_outcome->result_.attempt = lease->attempt;
    ret_outcome->result_.trial = lease->trial;
    return 1;
}

#include "worker/trial.h"

#include "common/text.h"
#include "worker/confine.h"
#include "worker/nn/checkpoint.h"
#include "worker/nn/train.h"
#include "worker/pipe.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PROGRESS_MS = 200 }; /* at most so often */

struct reporter {
    struct msg *msg; /* PROGRESS, to be filled in */
    int64_t said_ms; /* 0: not yet */
    struct problem *problem;
};

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool asked_to_stop(void)
{
    sigset_t pending;
    return sigpending(&pending) == 0 && sigismember(&pending, SIGTERM) == 1;
}

/* The first step is told at once: it says that the trial runs. Where the daemon is gone the training ends. */
static bool report(void *context, const struct train_progress *progress)
{
    struct reporter *reporter = context;
    int64_t now = now_ms();
    if (asked_to_stop())
        return false;
    if (reporter->said_ms != 0 && now - reporter->said_ms < PROGRESS_MS)
        return true;
    reporter->said_ms = now;
    reporter->msg->progress_.step = progress->step;
    reporter->msg->progress_.train_loss = progress->train_loss;
    return pipe_write(STDOUT_FILENO, reporter->msg, reporter->problem) == 0;
}

static void put_result(const struct train_result *result, const struct data *data, struct msg_result *ret)
{
    *ret = (struct msg_result){.diverged = result->diverged,
                               .step = result->step,
                               .correct = result->correct,
                               .validation_count = result->validation_count,
                               .validation_loss = result->validation_loss,
                               .train_loss = result->train_loss,
                               .parameters = result->parameters,
                               .betas = result->betas,
                               .seconds = result->seconds,
                               .images_per_second = result->images_per_second,
                               .cost_ns = result->cost_ns,
                               .peak_memory_bytes = result->peak_memory_bytes,
                               .curve_step_count = result->curve_points,
                               .curve_loss_count = result->curve_points};
    hash_hex(&data->hash, ret->data_hash);
    for (int i = 0; i < result->curve_points; i++) {
        ret->curve_step[i] = result->curve_step[i];
        ret->curve_loss[i] = result->curve_loss[i];
    }
}

/* Trains from `room`, where it holds a checkpoint that fits, and otherwise from the start. ERR_STOPPED where
 * it was asked to stop; its state is in `room` then, if there is some that fits in there. */
static int train_in(uint8_t *room, struct train_job *job, struct reporter *reporter,
                    struct train_result *ret_result, struct problem *problem)
{
    struct buf saved = {0}, resume = {0};
    if (room && (resume.size = checkpoint_size(room, CHECKPOINT_MAX_BYTES)) > 0) {
        resume.data = room;
        job->resume = &resume;
    }
    job->checkpoint = &saved;
    int err = train_run(job, report, reporter, ret_result, problem);
    if (err == ERR_CORRUPT) {
        fprintf(stderr, "%s\n", problem->text);
        job->resume = NULL;
        err = train_run(job, report, reporter, ret_result, problem);
    }
    if (room && err == ERR_STOPPED) {
        const size_t size = saved.size <= CHECKPOINT_MAX_BYTES ? saved.size : 0;
        memset(room, 0, CHECKPOINT_HEAD_BYTES);
        if (size > 0)
            memcpy(room, saved.data, size);
    }
    buf_release(&saved);
    return err;
}

/* Trains what the LEASE in *msg says; *msg is the RESULT then. */
static int train(const char *cache_dir, uint8_t *room, struct msg *msg, struct problem *problem)
{
    const struct msg_lease *lease = &msg->lease_;
    const int64_t attempt = lease->attempt, trial = lease->trial;
    struct child child;
    struct expr *activation = NULL;
    struct data *data = NULL;
    struct train_result result;
    int err = child_parse(lease->child, &child, problem);
    if (!err)
        err = expr_parse(lease->activation, &activation, problem);
    if (!err)
        err = data_open(cache_dir, child.data, &data, problem);
    if (!err) {
        struct train_job job = {
            .activation = activation, .child = &child, .seed = (uint64_t)lease->seed, .data = data};
        *msg = (struct msg){.type = MSG_PROGRESS, .progress_ = {.attempt = attempt}};
        struct reporter reporter = {.msg = msg, .problem = problem};
        err = train_in(room, &job, &reporter, &result, problem);
    }
    if (!err) {
        msg->type = MSG_RESULT;
        put_result(&result, data, &msg->result_);
        msg->result_.attempt = attempt;
        msg->result_.trial = trial;
    }
    data_close(&data);
    expr_destroy(&activation);
    return err;
}

/* The part of standard input that is for checkpoints; NULL where it is no file with such a part. */
static uint8_t *checkpoint_room(void)
{
    const size_t size = (size_t)TRIAL_CHECKPOINT_AT + CHECKPOINT_MAX_BYTES;
    struct stat stat;
    if (fstat(STDIN_FILENO, &stat) != 0 || (uint64_t)stat.st_size < size)
        return NULL;
    uint8_t *file = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, STDIN_FILENO, 0);
    return file == MAP_FAILED ? NULL : file + TRIAL_CHECKPOINT_AT;
}

static int broken(const struct problem *problem)
{
    fprintf(stderr, "%s\n", problem->text);
    return TRIAL_BROKEN;
}

int trial_main(int argc, char **argv)
{
    struct problem problem = {0};
    int64_t parent = 0, memory_bytes = 0;
    if (argc != TRIAL_ARGUMENTS) {
        problem_set(&problem, ERR_INPUT, "this mode is for the daemon only");
        return broken(&problem);
    }
    if (text_int(argv[2], 1, INT32_MAX, &parent, &problem) != 0 ||
        text_int(argv[3], 0, INT64_MAX, &memory_bytes, &problem) != 0 ||
        confine((pid_t)parent, memory_bytes, &problem) != 0)
        return broken(&problem);
    struct msg *msg = xcalloc(1, sizeof *msg);
    int err = pipe_read(STDIN_FILENO, msg, &problem);
    if (!err && msg->type != MSG_LEASE)
        err = problem_set(&problem, ERR_INPUT, "expected a LEASE");
    if (err) {
        free(msg);
        return broken(&problem);
    }
    const int64_t attempt = msg->lease_.attempt, trial = msg->lease_.trial;
    err = train(argv[4], checkpoint_room(), msg, &problem);
    if (err == ERR_STOPPED && asked_to_stop()) {
        free(msg);
        return TRIAL_SAVED;
    }
    if (err) {
        msg->type = MSG_FAILURE;
        msg->failure_ = (struct msg_failure){.attempt = attempt, .trial = trial};
        msg_put_text(msg->failure_.reason, sizeof msg->failure_.reason, problem.text);
    }
    int status = err ? TRIAL_REFUSED : TRIAL_DONE;
    if (pipe_write(STDOUT_FILENO, msg, &problem) != 0)
        status = broken(&problem);
    free(msg);
    return status;
}

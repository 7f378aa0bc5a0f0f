#include "worker/nn/train.h"

#include "common/rng.h"
#include "worker/nn/batch.h"
#include "worker/nn/checkpoint.h"
#include "worker/nn/loss.h"
#include "worker/nn/model.h"
#include "worker/nn/sgd.h"

#include <math.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

enum {
    EVALUATION_BATCH = 128,
    STATISTICS_IMAGES = 2048, /* of the training part, for the batch norm before an evaluation */
    COST_ROWS = 64,
    COST_NS = 2000000,
};

struct trial {
    const struct train_job *job;
    uint32_t train_count;
    struct net *net;
    struct batcher *batcher;
    uint8_t *labels;
    train_report *report; /* or NULL */
    void *context;
};

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int train_check(const struct child *child, const struct data *data, struct problem *problem)
{
    if (child->validation >= data->train.count)
        return problem_set(problem, ERR_INPUT,
                           "child.validation = %lld, but '%s' has only %u training records",
                           (long long)child->validation, child->data, data->train.count);
    const int64_t left = data->train.count - child->validation;
    if (child->batch > left)
        return problem_set(problem, ERR_INPUT,
                           "child.batch = %lld, but only %lld training records of '%s' are left beside the "
                           "%lld for validation",
                           (long long)child->batch, (long long)left, child->data,
                           (long long)child->validation);
    if (data->channels > BATCH_MAX_CHANNELS || data->classes > LOSS_MAX_CLASSES)
        return problem_set(problem, ERR_INPUT,
                           "'%s' has %d channels and %d classes; at most %d and %d are supported",
                           child->data, data->channels, data->classes, BATCH_MAX_CHANNELS, LOSS_MAX_CLASSES);
    return 0;
}

static int job_check(const struct train_job *job, struct problem *problem)
{
    int err = train_check(job->child, job->data, problem);
    if (!err && job->test && job->data->test.count == 0)
        err = problem_set(problem, ERR_INPUT, "'%s' has no test records", job->child->data);
    return err;
}

static int trial_start(const struct train_job *job, struct trial *ret_trial, struct problem *problem)
{
    int err = job_check(job, problem);
    if (err)
        return err;
    const struct data *data = job->data;
    struct trial trial = {.job = job, .train_count = data->train.count - (uint32_t)job->child->validation};
    const struct shape image = {data->channels, data->height, data->width};
    err = model_build(job->child->model, image, data->classes, job->activation, &trial.net, problem);
    if (err)
        return err;
    const int batch = job->child->batch > EVALUATION_BATCH ? (int)job->child->batch : EVALUATION_BATCH;
    err = net_finish(trial.net, batch, problem);
    if (err) {
        net_destroy(&trial.net);
        return err;
    }
    net_initialise(trial.net, job->seed);
    trial.labels = xcalloc((size_t)batch, 1);
    trial.batcher =
        batcher_new(data, trial.train_count, (uint32_t)job->child->batch, job->child->augment, job->seed);
    *ret_trial = trial;
    return 0;
}

static void trial_end(struct trial *trial)
{
    batcher_destroy(&trial->batcher);
    net_destroy(&trial->net);
    free(trial->labels);
}

double train_cost_ns(const struct expr *activation)
{
    _Alignas(SIMD_ALIGN) float x[COST_ROWS * LANES], y[COST_ROWS * LANES], dx[COST_ROWS * LANES];
    _Alignas(SIMD_ALIGN) float beta[EXPR_MAX_BETAS * LANES], dbeta[EXPR_MAX_BETAS * LANES] = {0};
    struct program *program = program_new(activation);
    struct rng rng = rng_seed(0, "cost", 0);
    for (int i = 0; i < COST_ROWS * LANES; i++)
        x[i] = (float)rng_normal(&rng);
    for (int i = 0; i < expr_betas(activation) * LANES; i++)
        beta[i] = (float)expr_beta_init(activation, i / LANES);
    double best = 0;
    const double start = now_s();
    for (double before = start, after; before - start < COST_NS * 1e-9; before = after) {
        program_forward(program, x, beta, y, COST_ROWS, NULL);
        program_backward(program, x, beta, y, dx, dbeta, COST_ROWS, NULL);
        after = now_s();
        if (best == 0 || after - before < best)
            best = after - before;
    }
    program_destroy(&program);
    return best * 1e9 / (COST_ROWS * LANES);
}

/* The steps after which the curve has its points: `count` of them, evenly spaced, the last step among them.
 */
static int64_t curve_step(int64_t steps, int count, int point)
{
    return (int64_t)(((__int128)steps * (point + 1) + count - 1) / count);
}

/* False where the training is to stop. */
static bool goes_on(const struct trial *trial, const struct train_result *result)
{
    const struct train_progress progress = {result->step, trial->job->child->steps, result->train_loss};
    return !trial->report || trial->report(trial->context, &progress);
}

/* All steps that are left, or up to the first loss that is not finite. */
static int train_steps(struct trial *trial, struct train_result *result)
{
    const struct child *child = trial->job->child;
    struct net *net = trial->net;
    const int images = (int)child->batch;
    const int points = child->steps < CURVE_POINTS ? (int)child->steps : CURVE_POINTS;
    struct tensor *logits = net_logits(net);
    for (int64_t step = result->step + 1; step <= child->steps; step++) {
        batcher_next(trial->batcher, net_image(net), trial->labels);
        net->step = step;
        net_forward(net, images, PASS_TRAIN);
        int64_t correct = 0;
        result->train_loss = loss_softmax(logits->value, trial->labels, images, net->classes,
                                          (int)logits->image_floats, logits->gradient, &correct) /
                             images;
        result->step = step;
        if (!isfinite(result->train_loss)) {
            result->diverged = true;
            return 0;
        }
        net_backward(net, images);
        sgd_step(net, child, step - 1);
        if (step == curve_step(child->steps, points, result->curve_points)) {
            result->curve_step[result->curve_points] = step;
            result->curve_loss[result->curve_points++] = result->train_loss;
        }
        if (!goes_on(trial, result))
            return ERR_STOPPED;
    }
    return 0;
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* Batch norm's statistics over the first images of the training part. */
static int statistics_collect(struct trial *trial, const struct train_result *result)
{
    const struct data_part *train = &trial->job->data->train;
    const uint32_t count =
        net_has_statistics(trial->net) ? smaller(trial->train_count, STATISTICS_IMAGES) : 0;
    net_statistics_reset(trial->net);
    for (uint32_t first = 0, images; first < count; first += images) {
        images = smaller(count - first, EVALUATION_BATCH);
        batcher_records(trial->batcher, train, first, images, net_image(trial->net), trial->labels);
        net_forward(trial->net, (int)images, PASS_STATISTICS);
        if (!goes_on(trial, result))
            return ERR_STOPPED;
    }
    return 0;
}

/* Mean loss over records first … first + count − 1 of `part`. */
static int evaluate(struct trial *trial, const struct data_part *part, uint32_t first, uint32_t count,
                    const struct train_result *result, double *ret_loss, int64_t *ret_correct)
{
    const struct tensor *logits = net_logits(trial->net);
    double loss = 0;
    *ret_correct = 0;
    for (uint32_t done = 0, images; done < count; done += images) {
        images = smaller(count - done, EVALUATION_BATCH);
        batcher_records(trial->batcher, part, first + done, images, net_image(trial->net), trial->labels);
        net_forward(trial->net, (int)images, PASS_EVALUATE);
        loss += loss_softmax(logits->value, trial->labels, (int)images, trial->net->classes,
                             (int)logits->image_floats, NULL, ret_correct);
        if (!goes_on(trial, result))
            return ERR_STOPPED;
    }
    *ret_loss = loss / count;
    return 0;
}

/* Stopped on the way, it is done anew as a whole: the state after the last step is all that it needs. */
static int trial_evaluate(struct trial *trial, struct train_result *result)
{
    const struct data *data = trial->job->data;
    double test_loss;
    int err = statistics_collect(trial, result);
    if (!err)
        err = evaluate(trial, &data->train, trial->train_count, (uint32_t)result->validation_count, result,
                       &result->validation_loss, &result->correct);
    if (!err && trial->job->test)
        err = evaluate(trial, &data->test, 0, (uint32_t)result->test_count, result, &test_loss,
                       &result->test_correct);
    if (!err)
        result->diverged = !isfinite(result->validation_loss);
    return err;
}

int train_run(const struct train_job *job, train_report *report, void *context,
              struct train_result *ret_result, struct problem *problem)
{
    simd_set_denormals();
    struct trial trial;
    int err = trial_start(job, &trial, problem);
    if (err)
        return err;
    trial.report = report;
    trial.context = context;
    struct train_result result = {.validation_count = job->child->validation,
                                  .test_count = job->test ? job->data->test.count : 0};
    if (job->resume)
        err = checkpoint_load(job, trial.net, trial.batcher, &result, problem);
    if (err) {
        trial_end(&trial);
        return err;
    }
    for (int i = 0; i < trial.net->layer_count; i++) {
        result.parameters += layer_parameter_count(trial.net, &trial.net->layers[i]);
        result.betas += layer_beta_count(trial.net, &trial.net->layers[i]);
    }
    result.cost_ns = train_cost_ns(job->activation);
    const double start = now_s() - result.seconds;
    err = train_steps(&trial, &result);
    const double trained = now_s();
    if (!err && !result.diverged)
        err = trial_evaluate(&trial, &result);
    result.images_per_second = (double)result.step * (double)job->child->batch / (trained - start);
    result.seconds = now_s() - start;
    if (err) {
        err = problem_set(problem, err, "stopped after step %lld of %lld", (long long)result.step,
                          (long long)job->child->steps);
        if (job->checkpoint)
            checkpoint_save(job, trial.net, trial.batcher, &result, job->checkpoint);
    }
    if (result.diverged) {
        result.correct = result.test_correct = 0;
        result.validation_loss = NAN;
    }
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    result.peak_memory_bytes = (int64_t)usage.ru_maxrss * 1024;
    trial_end(&trial);
    if (!err)
        *ret_result = result;
    return err;
}

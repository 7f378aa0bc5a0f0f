/* A training that is stopped at any point and goes on gives the bits of one that was not; a checkpoint that
 * is damaged or of another training is refused. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/nn_fixture.h"
#include "worker/nn/checkpoint.h"
#include "worker/nn/train.h"

#include <stdio.h>
#include <string.h>

static struct child small_child(const char *model)
{
    struct child child = child_defaults();
    snprintf(child.model, sizeof child.model, "%s", model);
    child.steps = 9; /* two epochs and a bit */
    child.batch = 16;
    child.validation = 37;
    child.lr = 0.05;
    child.warmup = 2;
    child.augment = true;
    return child;
}

static struct train_job job_of(const struct expr *activation, const struct child *child,
                               const struct data *data)
{
    return (struct train_job){
        .activation = activation, .child = child, .seed = 5, .data = data, .test = true};
}

/* Stops at the nth call: after that step, or within the evaluation. */
struct stopper {
    int calls, stop_at;
};

static bool stop(void *context, const struct train_progress *progress)
{
    struct stopper *stopper = context;
    (void)progress;
    return ++stopper->calls != stopper->stop_at;
}

static struct train_result run(const struct train_job *job)
{
    struct train_result result;
    struct problem problem;
    if (train_run(job, NULL, NULL, &result, &problem) != 0)
        fail_msg("%s", problem.text);
    return result;
}

/* Stopped at that call, with its state in job->checkpoint. False where it came to its end before. */
static bool run_until(const struct train_job *job, int call)
{
    struct stopper stopper = {.stop_at = call};
    struct train_result result;
    struct problem problem;
    const int err = train_run(job, stop, &stopper, &result, &problem);
    assert_true(err == 0 || err == ERR_STOPPED);
    return err == ERR_STOPPED;
}

static void check_same_bits(const struct train_result *a, const struct train_result *b)
{
    assert_int_equal(a->diverged, b->diverged);
    assert_int_equal(a->step, b->step);
    assert_int_equal(a->correct, b->correct);
    assert_int_equal(a->test_correct, b->test_correct);
    assert_memory_equal(&a->validation_loss, &b->validation_loss, sizeof a->validation_loss);
    assert_memory_equal(&a->train_loss, &b->train_loss, sizeof a->train_loss);
    assert_int_equal(a->curve_points, b->curve_points);
    assert_memory_equal(a->curve_step, b->curve_step, (size_t)a->curve_points * sizeof *a->curve_step);
    assert_memory_equal(a->curve_loss, b->curve_loss, (size_t)a->curve_points * sizeof *a->curve_loss);
}

static void stopped_anywhere_it_gives_the_bits_of_the_undisturbed_training(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int statistics; /* batches of images for the batch norms, where there are any */
    } models[] = {{"mlp", 0}, {"cnn", 1}, {"resnet-8", 1}, {"wrn-10-1-drop-30", 1}, {"densenet-10-4", 1}};
    struct data data = fixture_data(3, 8, 8, 4, 100, 30);
    struct expr *activation = fixture_expr("x*sigmoid(b*x)");
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        struct child child = small_child(models[i].name);
        struct train_job job = job_of(activation, &child, &data);
        const struct train_result undisturbed = run(&job);
        int stops = 0;
        for (int call = 1;; call++, stops++) {
            struct buf saved = {0};
            job.checkpoint = &saved;
            job.resume = NULL;
            if (!run_until(&job, call))
                break;
            job.resume = &saved;
            const struct train_result resumed = run(&job);
            check_same_bits(&resumed, &undisturbed);
            buf_release(&saved);
        }
        /* the steps; and a batch of the validation and of the test set */
        assert_int_equal(stops, 9 + models[i].statistics + 2);
    }
    expr_destroy(&activation);
    fixture_data_release(&data);
}

static void stopped_after_each_step_it_gives_them_too(void **state)
{
    (void)state;
    struct data data = fixture_data(1, 8, 8, 4, 100, 30);
    struct expr *activation = fixture_expr("max(x,tanh(x))");
    struct child child = small_child("cnn");
    struct train_job job = job_of(activation, &child, &data);
    const struct train_result undisturbed = run(&job);
    struct buf before = {0}, after = {0};
    job.checkpoint = &after;
    for (int stops = 0; run_until(&job, 1); stops++) {
        assert_true(stops < 9);
        struct buf swap = before;
        before = after;
        after = swap;
        job.resume = &before;
        if (stops == 8) /* the last one was after the last step: the evaluation is what is left */
            break;
    }
    const struct train_result resumed = run(&job);
    check_same_bits(&resumed, &undisturbed);
    buf_release(&before);
    buf_release(&after);
    expr_destroy(&activation);
    fixture_data_release(&data);
}

static void a_training_that_diverges_later_does_so_at_the_same_step(void **state)
{
    (void)state;
    struct data data = fixture_data(1, 8, 8, 4, 100, 30);
    struct expr *activation = fixture_expr("x^3");
    struct child child = small_child("mlp");
    child.lr = 100;
    child.warmup = 0;
    struct buf saved = {0};
    struct train_job job = job_of(activation, &child, &data);
    const struct train_result undisturbed = run(&job);
    assert_true(undisturbed.diverged && undisturbed.step > 1);
    job.checkpoint = &saved;
    assert_true(run_until(&job, 1));
    job.resume = &saved;
    const struct train_result resumed = run(&job);
    check_same_bits(&resumed, &undisturbed);
    buf_release(&saved);
    expr_destroy(&activation);
    fixture_data_release(&data);
}

/* ---- what is refused ---- */

struct victim {
    struct data data;
    struct expr *activation;
    struct child child;
    struct train_job job;
    struct buf saved;
};

static int setup(void **state)
{
    struct victim *victim = xcalloc(1, sizeof *victim);
    victim->data = fixture_data(1, 2, 2, 2, 60, 0);
    victim->activation = fixture_expr("tanh(x)");
    victim->child = small_child("cnn");
    victim->child.steps = 3;
    victim->child.batch = 4;
    victim->job = job_of(victim->activation, &victim->child, &victim->data);
    victim->job.test = false;
    victim->job.checkpoint = &victim->saved;
    assert_true(run_until(&victim->job, 2));
    *state = victim;
    return 0;
}

static int teardown(void **state)
{
    struct victim *victim = *state;
    buf_release(&victim->saved);
    expr_destroy(&victim->activation);
    fixture_data_release(&victim->data);
    free(victim);
    return 0;
}

/* What train_run says to these bytes; nothing may have been trained where it refuses them. */
static int answer_to(const struct train_job *original, const struct buf *bytes)
{
    struct train_job job = *original;
    struct stopper stopper = {.stop_at = 1};
    struct train_result result;
    struct problem problem = {0};
    job.resume = bytes;
    job.checkpoint = NULL;
    const int err = train_run(&job, stop, &stopper, &result, &problem);
    assert_true(err != ERR_CORRUPT || stopper.calls == 0);
    assert_true(problem.text[0]);
    return err;
}

static void damage_at_any_byte_is_found(void **state)
{
    struct victim *victim = *state;
    assert_int_equal(answer_to(&victim->job, &victim->saved), ERR_STOPPED); /* undamaged */
    /* All of head, hashes, step, curve and order, then one byte of each 97 of the weights, then all of the
     * hash at the end. */
    const size_t fields = 256, tail = victim->saved.size - HASH_BYTES;
    struct net *net;
    struct problem problem;
    assert_int_equal(
        model_build(victim->child.model, (struct shape){1, 2, 2}, 2, victim->activation, &net, &problem), 0);
    assert_int_equal(net_finish(net, 128, &problem), 0);
    struct batcher *batcher = batcher_new(&victim->data, 23, 4, true, 5);
    struct train_job job = victim->job;
    job.resume = &victim->saved;
    net_initialise(net, job.seed);
    for (size_t at = 0; at < victim->saved.size; at += at < fields || at >= tail ? 1 : 97) {
        struct train_result so_far = {.step = -1};
        victim->saved.data[at] ^= 1;
        assert_int_equal(checkpoint_load(&job, net, batcher, &so_far, &problem), ERR_CORRUPT);
        assert_int_equal(so_far.step, -1);
        victim->saved.data[at] ^= 1;
    }
    struct train_result so_far = {0};
    assert_int_equal(checkpoint_load(&job, net, batcher, &so_far, &problem), 0);
    assert_int_equal(so_far.step, 2);
    batcher_destroy(&batcher);
    net_destroy(&net);
}

static void one_that_is_cut_short_or_too_long_is_refused(void **state)
{
    struct victim *victim = *state;
    struct buf part = victim->saved;
    const size_t sizes[] = {0, 1, 19, 20, 52, 84, victim->saved.size / 2, victim->saved.size - 1};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        part.size = sizes[i];
        assert_int_equal(answer_to(&victim->job, &part), ERR_CORRUPT);
    }
    buf_put(&victim->saved, "", 1);
    assert_int_equal(answer_to(&victim->job, &victim->saved), ERR_CORRUPT);
}

static void one_of_another_training_is_refused(void **state)
{
    struct victim *victim = *state;
    struct train_job job = victim->job;
    struct child child = victim->child;
    struct data data = victim->data;
    struct expr *other = fixture_expr("sin(x)");
    job.activation = other;
    assert_int_equal(answer_to(&job, &victim->saved), ERR_CORRUPT);
    job = victim->job;
    job.seed++;
    assert_int_equal(answer_to(&job, &victim->saved), ERR_CORRUPT);
    job = victim->job;
    child.lr = 0.06;
    job.child = &child;
    assert_int_equal(answer_to(&job, &victim->saved), ERR_CORRUPT);
    job = victim->job;
    data.hash.bytes[31] ^= 1;
    job.data = &data;
    assert_int_equal(answer_to(&job, &victim->saved), ERR_CORRUPT);
    expr_destroy(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stopped_anywhere_it_gives_the_bits_of_the_undisturbed_training),
        cmocka_unit_test(stopped_after_each_step_it_gives_them_too),
        cmocka_unit_test(a_training_that_diverges_later_does_so_at_the_same_step),
        cmocka_unit_test_setup_teardown(damage_at_any_byte_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(one_that_is_cut_short_or_too_long_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(one_of_another_training_is_refused, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

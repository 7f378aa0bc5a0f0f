/* A look inside a network: what is counted, what the β are, and that the training does not notice. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/nn_fixture.h"
#include "worker/nn/train.h"

#include <math.h>
#include <stdio.h>

enum { VALIDATION = 37 };

static struct child small_child(const char *model, int64_t steps)
{
    struct child child = child_defaults();
    snprintf(child.model, sizeof child.model, "%s", model);
    child.steps = steps;
    child.batch = 16;
    child.validation = VALIDATION;
    child.lr = 0.05;
    return child;
}

static int run(const struct data *data, const struct child *child, const char *activation,
               train_report *report, void *context, struct inside *inside, struct train_result *result)
{
    struct problem problem;
    struct expr *expr = fixture_expr(activation);
    const struct train_job job = {
        .activation = expr, .child = child, .seed = 5, .data = data, .inside = inside};
    const int err = train_run(&job, report, context, result, &problem);
    expr_destroy(&expr);
    return err;
}

static void a_look_changes_no_bit_of_the_training(void **state)
{
    (void)state;
    static const char *const models[] = {"mlp", "cnn", "resnet-8", "densenet-10-4", "wrn-10-1-drop-30"};
    struct data data = fixture_data(3, 8, 8, 4, 200, 0);
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        struct child child = small_child(models[i], 20);
        child.augment = true;
        struct train_result plain, looked;
        struct inside inside = {0};
        assert_int_equal(run(&data, &child, "x*sigmoid(b*x)", NULL, NULL, NULL, &plain), 0);
        assert_int_equal(run(&data, &child, "x*sigmoid(b*x)", NULL, NULL, &inside, &looked), 0);
        assert_int_equal(plain.correct, looked.correct);
        assert_memory_equal(&plain.validation_loss, &looked.validation_loss, sizeof plain.validation_loss);
        assert_memory_equal(plain.curve_loss, looked.curve_loss, sizeof plain.curve_loss);
        inside_release(&inside);
    }
    fixture_data_release(&data);
}

static void every_preactivation_of_the_validation_images_is_counted_once(void **state)
{
    (void)state;
    static const struct {
        const char *model;
        int layers, first_layer, channels, side;
    } nets[] = {{"mlp", 2, 2, 128, 1},
                {"cnn", 4, 2, 16, 4},
                {"resnet-8", 7, 2, 16, 8},
                {"densenet-10-4", 9, 3, 16, 8}};
    struct data data = fixture_data(1, 8, 8, 4, 200, 0);
    for (size_t i = 0; i < sizeof nets / sizeof *nets; i++) {
        const struct child child = small_child(nets[i].model, 3);
        struct inside inside = {0};
        struct train_result result;
        assert_int_equal(run(&data, &child, "max(x,tanh(x))", NULL, NULL, &inside, &result), 0);
        assert_int_equal(inside.images, VALIDATION);
        assert_int_equal(inside.betas, 0);
        assert_int_equal(inside.layer_count, nets[i].layers);
        const struct inside_layer *first = inside.layers;
        assert_int_equal(first->layer, nets[i].first_layer);
        assert_int_equal(first->channels, nets[i].channels);
        assert_true(first->height == nets[i].side && first->width == nets[i].side);
        for (int at = 0; at < inside.layer_count; at++)
            for (int when = 0; when < INSIDE_TIMES; when++) {
                const struct inside_layer *layer = &inside.layers[at];
                const struct histogram *histogram = &layer->preactivations[when];
                assert_int_equal(histogram_count(histogram) + histogram->not_finite,
                                 VALIDATION * layer->channels * layer->height * layer->width);
            }
        inside_release(&inside);
    }
    fixture_data_release(&data);
}

static void at_most_so_many_images_are_looked_at(void **state)
{
    (void)state;
    struct data data = fixture_data(1, 4, 4, 4, INSIDE_IMAGES + 100, 0);
    struct child child = small_child("mlp", 1);
    child.validation = INSIDE_IMAGES + 1;
    struct inside inside = {0};
    struct train_result result;
    assert_int_equal(run(&data, &child, "relu(x)", NULL, NULL, &inside, &result), 0);
    assert_int_equal(inside.images, INSIDE_IMAGES);
    assert_int_equal(histogram_count(&inside.layers[1].preactivations[INSIDE_AFTER]), INSIDE_IMAGES * 128);
    inside_release(&inside);
    fixture_data_release(&data);
}

/* With f(x) = x an activation's output is what it read. Five channels: the padded lanes are not counted. */
static void the_counts_are_those_of_what_the_activation_reads(void **state)
{
    (void)state;
    enum { IMAGES = 6, SIDE = 5, CHANNELS = 5 };
    struct problem problem;
    struct expr *identity = fixture_expr("x");
    struct net *net = net_new((struct shape){1, SIDE, SIDE}, 3, identity);
    const int conv = net_conv(net, 0, CHANNELS, 3, 1);
    const int active = net_norm_act(net, conv, false, -1, true);
    net_dense(net, net_pool(net, active), 3);
    net->keep_bytes = SIZE_MAX;
    assert_int_equal(net_finish(net, IMAGES, &problem), 0);
    net_initialise(net, 3);
    struct rng rng = rng_seed(1, "image", 0);
    for (size_t at = 0; at < IMAGES * net_image(net)->image_floats; at++)
        net_image(net)->value[at] = (float)rng_normal(&rng);
    struct inside inside = {0};
    inside_read_betas(&inside, net, INSIDE_AFTER);
    inside_watch(&inside, net, INSIDE_AFTER);
    net_forward(net, IMAGES, PASS_EVALUATE);
    inside_watch(NULL, net, INSIDE_AFTER);
    net_forward(net, IMAGES, PASS_EVALUATE); /* nobody looks any more */
    int64_t expected[HISTOGRAM_BINS] = {0};
    for (int image = 0; image < IMAGES; image++)
        for (int pixel = 0; pixel < SIDE * SIDE; pixel++)
            for (int c = 0; c < CHANNELS; c++) {
                const float y = value_at(&net->tensors[active], image)[pixel * LANES + c];
                expected[(int)floor((double)y * 10) + HISTOGRAM_BINS / 2]++;
            }
    assert_int_equal(inside.layer_count, 1);
    assert_memory_equal(inside.layers[0].preactivations[INSIDE_AFTER].bins, expected, sizeof expected);
    assert_int_equal(histogram_count(&inside.layers[0].preactivations[INSIDE_BEFORE]), 0);
    inside_release(&inside);
    net_destroy(&net);
    expr_destroy(&identity);
}

static void a_batch_norm_centres_what_an_untrained_activation_reads(void **state)
{
    (void)state;
    struct data data = fixture_data(1, 8, 8, 4, 400, 0);
    const struct child child = small_child("cnn", 40);
    struct inside inside = {0};
    struct train_result result;
    assert_int_equal(run(&data, &child, "relu(x)", NULL, NULL, &inside, &result), 0);
    double moved = 0;
    for (int i = 0; i < inside.layer_count; i++) {
        const struct histogram *before = &inside.layers[i].preactivations[INSIDE_BEFORE],
                               *after = &inside.layers[i].preactivations[INSIDE_AFTER];
        /* Of a normal distribution 68 % lie within 1 of its mean. */
        assert_true(fabs(histogram_quantile(before, 0.5)) < 0.4);
        assert_true(fabs(histogram_quantile(before, 0.84) - histogram_quantile(before, 0.16) - 2) < 0.5);
        moved = fmax(moved, fabs(histogram_quantile(after, 0.5) - histogram_quantile(before, 0.5)));
    }
    assert_true(moved > 0.01);
    inside_release(&inside);
    fixture_data_release(&data);
}

static void betas_begin_as_the_function_says_and_are_trained(void **state)
{
    (void)state;
    struct data data = fixture_data(1, 16, 16, 4, 300, 0);
    const struct child child = small_child("cnn", 30);
    struct inside inside = {0};
    struct train_result result;
    assert_int_equal(run(&data, &child, "b0*x*sigmoid(b1*x);b0=0.25", NULL, NULL, &inside, &result), 0);
    assert_int_equal(inside.betas, 2);
    int64_t betas = 0, moved = 0;
    for (int i = 0; i < inside.layer_count; i++) {
        const struct inside_layer *layer = &inside.layers[i];
        for (int at = 0; at < layer->channels * 2; at++, betas++) {
            assert_true(layer->betas[INSIDE_BEFORE][at] == (at % 2 ? 1.0f : 0.25f));
            assert_true(fabsf(layer->betas[INSIDE_AFTER][at] - layer->betas[INSIDE_BEFORE][at]) < 1);
            moved += layer->betas[INSIDE_AFTER][at] != layer->betas[INSIDE_BEFORE][at];
        }
    }
    assert_int_equal(betas, result.betas);
    assert_true(moved > betas / 2);
    inside_release(&inside);
    fixture_data_release(&data);
}

static void what_diverged_was_seen_before_and_not_after(void **state)
{
    (void)state;
    struct data data = fixture_data(1, 8, 8, 4, 200, 0);
    struct child child = small_child("mlp", 30);
    child.lr = 100;
    struct inside inside = {0};
    struct train_result result;
    assert_int_equal(run(&data, &child, "x^3", NULL, NULL, &inside, &result), 0);
    assert_true(result.diverged);
    assert_int_equal(histogram_count(&inside.layers[0].preactivations[INSIDE_BEFORE]), VALIDATION * 128);
    assert_int_equal(histogram_count(&inside.layers[0].preactivations[INSIDE_AFTER]), 0);
    inside_release(&inside);
    fixture_data_release(&data);
}

static bool no(void *context, const struct train_progress *progress)
{
    int *left = context;
    (void)progress;
    return --*left > 0;
}

static void a_training_that_is_stopped_leaves_nothing(void **state)
{
    (void)state;
    struct data data = fixture_data(1, 8, 8, 4, 200, 0);
    const struct child child = small_child("mlp", 5);
    /* While it looks for the first time, trains, evaluates, looks again: an mlp takes 1, 5, 1 and 1 reports. */
    for (int reports = 1; reports <= 8; reports++) {
        struct inside inside = {0};
        struct train_result result;
        int left = reports;
        assert_int_equal(run(&data, &child, "relu(x)", no, &left, &inside, &result), ERR_STOPPED);
        assert_null(inside.layers);
        assert_int_equal(inside.layer_count, 0);
    }
    fixture_data_release(&data);
}

static void a_quantile_is_even_within_its_bin(void **state)
{
    (void)state;
    struct histogram histogram = {0};
    assert_true(isnan(histogram_quantile(&histogram, 0.5)));
    histogram.bins[HISTOGRAM_BINS / 2] = 10;      /* 0 … 0.1 */
    histogram.bins[HISTOGRAM_BINS / 2 + 10] = 30; /* 1 … 1.1 */
    assert_true(fabs(histogram_quantile(&histogram, 0) - 0) < 1e-12);
    assert_true(fabs(histogram_quantile(&histogram, 0.125) - 0.05) < 1e-12);
    assert_true(fabs(histogram_quantile(&histogram, 0.25) - 0.1) < 1e-12);
    assert_true(fabs(histogram_quantile(&histogram, 0.5) - (1 + 0.1 / 3)) < 1e-12);
    assert_true(fabs(histogram_quantile(&histogram, 1) - 1.1) < 1e-12);
    struct histogram outside = {.below = 40, .above = 40, .not_finite = 7};
    histogram_merge(&outside, &histogram);
    assert_int_equal(histogram_count(&outside), 120);
    assert_int_equal(outside.not_finite, 7);
    assert_true(histogram_quantile(&outside, 0.2) == -25.6 && histogram_quantile(&outside, 0.9) == 25.6);
    assert_true(fabs(histogram_quantile(&outside, 5 / 12.0) - 0.1) < 1e-9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_look_changes_no_bit_of_the_training),
        cmocka_unit_test(every_preactivation_of_the_validation_images_is_counted_once),
        cmocka_unit_test(at_most_so_many_images_are_looked_at),
        cmocka_unit_test(the_counts_are_those_of_what_the_activation_reads),
        cmocka_unit_test(a_batch_norm_centres_what_an_untrained_activation_reads),
        cmocka_unit_test(betas_begin_as_the_function_says_and_are_trained),
        cmocka_unit_test(what_diverged_was_seen_before_and_not_after),
        cmocka_unit_test(a_training_that_is_stopped_leaves_nothing),
        cmocka_unit_test(a_quantile_is_even_within_its_bin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

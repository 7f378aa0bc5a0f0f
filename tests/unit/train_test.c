/* train_run and its neighbours: what a trial returns, refuses and reports. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/nn_fixture.h"
#include "worker/nn/checkpoint.h"
#include "worker/nn/train.h"

#include <math.h>
#include <stdio.h>

static struct child small_child(const char *model, int64_t steps)
{
    struct child child = child_defaults();
    snprintf(child.model, sizeof child.model, "%s", model);
    child.steps = steps;
    child.batch = 16;
    child.validation = 37;
    child.lr = 0.05;
    return child;
}

static int run(const struct data *data, const struct child *child, const char *activation, bool test,
               train_report *report, void *context, struct train_result *result, struct problem *problem)
{
    struct expr *expr = fixture_expr(activation);
    const struct train_job job = {.activation = expr, .child = child, .seed = 5, .data = data, .test = test};
    const int err = train_run(&job, report, context, result, problem);
    expr_destroy(&expr);
    return err;
}

static void every_model_learns_a_simple_task(void **state)
{
    (void)state;
    static const char *const models[] = {"mlp",      "cnn",           "resnet-8",        "preresnet-11",
                                         "wrn-10-1", "densenet-10-4", "densenet-bc-16-5"};
    struct data data = fixture_data(1, 16, 16, 4, 300, 50);
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        struct child child = small_child(models[i], 40);
        struct train_result result;
        struct problem problem;
        assert_int_equal(run(&data, &child, "x*sigmoid(b*x)", true, NULL, NULL, &result, &problem), 0);
        assert_false(result.diverged);
        assert_int_equal(result.validation_count, 37);
        assert_int_equal(result.test_count, 50);
        assert_int_equal(result.step, 40);
        assert_int_equal(result.curve_points, 40);
        assert_true(result.betas > 0 && result.parameters > 0);
        assert_true(result.cost_ns > 0 && result.images_per_second > 0 && result.peak_memory_bytes > 0);
        if (result.correct < 34 || result.test_correct < 45)
            fail_msg("%s: %d of 37, %d of 50", models[i], (int)result.correct, (int)result.test_correct);
    }
    fixture_data_release(&data);
}

static void a_trial_gives_the_same_numbers_again(void **state)
{
    (void)state;
    struct data data = fixture_data(3, 8, 8, 4, 200, 0);
    struct child child = small_child("cnn", 30);
    child.augment = true;
    struct train_result a, b;
    struct problem problem;
    assert_int_equal(run(&data, &child, "max(x,tanh(x))", false, NULL, NULL, &a, &problem), 0);
    assert_int_equal(run(&data, &child, "max(x,tanh(x))", false, NULL, NULL, &b, &problem), 0);
    assert_memory_equal(&a.validation_loss, &b.validation_loss, sizeof a.validation_loss);
    assert_memory_equal(&a.train_loss, &b.train_loss, sizeof a.train_loss);
    assert_int_equal(a.correct, b.correct);
    fixture_data_release(&data);
}

static void a_training_that_diverges_is_a_result_with_its_step(void **state)
{
    (void)state;
    struct data data = fixture_data(1, 8, 8, 4, 200, 0);
    struct train_result result;
    struct problem problem;
    struct child child = small_child("mlp", 30);
    assert_int_equal(run(&data, &child, "log(x)", false, NULL, NULL, &result, &problem), 0);
    assert_true(result.diverged);
    assert_int_equal(result.step, 1);
    assert_int_equal(result.correct, 0);
    assert_int_equal(result.curve_points, 0);
    child.lr = 100;
    assert_int_equal(run(&data, &child, "x^3", false, NULL, NULL, &result, &problem), 0);
    assert_true(result.diverged);
    assert_true(result.step > 1 && result.step < 30);
    assert_int_equal(result.curve_points, result.step - 1);
    fixture_data_release(&data);
}

static bool stop_at_seven(void *context, const struct train_progress *progress)
{
    int64_t *last = context;
    assert_int_equal(progress->step, *last + 1);
    assert_int_equal(progress->steps, 30);
    *last = progress->step;
    return progress->step < 7;
}

static void a_report_that_says_no_stops_the_training(void **state)
{
    (void)state;
    struct data data = fixture_data(1, 8, 8, 4, 200, 0);
    struct child child = small_child("mlp", 30);
    struct train_result result = {.step = -1};
    struct problem problem;
    int64_t last = 0;
    assert_int_equal(run(&data, &child, "relu(x)", false, stop_at_seven, &last, &result, &problem),
                     ERR_STOPPED);
    assert_int_equal(last, 7);
    assert_int_equal(result.step, -1);
    fixture_data_release(&data);
}

static void the_curve_is_even_and_ends_with_the_last_step(void **state)
{
    (void)state;
    struct data data = fixture_data(1, 4, 4, 4, 100, 0);
    struct child child = small_child("mlp", 150);
    struct train_result result;
    struct problem problem;
    assert_int_equal(run(&data, &child, "relu(x)", false, NULL, NULL, &result, &problem), 0);
    assert_int_equal(result.curve_points, CURVE_POINTS);
    assert_int_equal(result.curve_step[CURVE_POINTS - 1], 150);
    for (int i = 1; i < CURVE_POINTS; i++) {
        const int64_t gap = result.curve_step[i] - result.curve_step[i - 1];
        assert_true(gap == 2 || gap == 3);
    }
    assert_true(result.curve_loss[CURVE_POINTS - 1] == result.train_loss);
    fixture_data_release(&data);
}

static void data_that_are_too_few_are_refused(void **state)
{
    (void)state;
    struct data data = fixture_data(1, 4, 4, 4, 50, 0);
    struct child child = small_child("mlp", 1);
    struct train_result result;
    struct problem problem;
    assert_int_equal(run(&data, &child, "relu(x)", false, NULL, NULL, &result, &problem),
                     ERR_INPUT); /* 13 left, batch 16 */
    assert_non_null(strstr(problem.text, "child.batch"));
    child.validation = 50;
    assert_int_equal(run(&data, &child, "relu(x)", false, NULL, NULL, &result, &problem), ERR_INPUT);
    assert_non_null(strstr(problem.text, "child.validation"));
    child.validation = 10;
    assert_int_equal(run(&data, &child, "relu(x)", true, NULL, NULL, &result, &problem), ERR_INPUT);
    assert_non_null(strstr(problem.text, "test"));
    assert_int_equal(run(&data, &child, "relu(x)", false, NULL, NULL, &result, &problem), 0);
    fixture_data_release(&data);
}

static void an_unknown_model_is_refused_with_the_list(void **state)
{
    (void)state;
    struct problem problem;
    static const char *const known[] = {
        "mlp",           "cnn",       "resnet-8",          "resnet-20",       "resnet-110",
        "preresnet-164", "wrn-28-10", "wrn-28-10-drop-30", "densenet-100-12", "densenet-bc-100-12"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        assert_int_equal(train_model_check(known[i], &problem), 0);
    static const char *const unknown[] = {"",
                                          "cn",
                                          "resnet",
                                          "resnet-",
                                          "resnet-21",
                                          "resnet-020x",
                                          "resnet-2",
                                          "resnet-116",
                                          "resnet-99999999999",
                                          "mlp ",
                                          "wrn-28",
                                          "wrn-27-10",
                                          "wrn-28-10-drop-0",
                                          "wrn-28-10-drop-",
                                          "densenet-bc-100-12-drop-91"};
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
        assert_int_equal(train_model_check(unknown[i], &problem), ERR_INPUT);
    train_model_check("cn", &problem);
    assert_non_null(strstr(problem.text, "'cnn'"));
    assert_non_null(strstr(problem.text, "resnet-N"));
    train_model_check("resnet-21", &problem);
    assert_non_null(strstr(problem.text, "6n+2"));
}

static int64_t parameters_of(const char *model, struct shape image, const char *activation,
                             int64_t *ret_betas)
{
    struct net *net;
    struct problem problem;
    struct expr *expr = fixture_expr(activation);
    assert_int_equal(model_build(model, image, 10, expr, &net, &problem), 0);
    int64_t parameters = 0;
    *ret_betas = 0;
    for (int i = 0; i < net->layer_count; i++) {
        parameters += layer_parameter_count(net, &net->layers[i]);
        *ret_betas += layer_beta_count(net, &net->layers[i]);
    }
    net_destroy(&net);
    expr_destroy(&expr);
    return parameters;
}

static void models_have_their_published_sizes(void **state)
{
    (void)state;
    static const struct {
        const char *model;
        struct shape image;
        int64_t parameters, channels; /* channels: of all activations */
    } cases[] = {
        {"resnet-20", {3, 32, 32}, 269722, 16 + 6 * (16 + 32 + 64)},
        {"resnet-32", {3, 32, 32}, 464154, 16 + 10 * (16 + 32 + 64)},
        {"resnet-56", {3, 32, 32}, 853018, 16 + 18 * (16 + 32 + 64)},
        {"resnet-110", {3, 32, 32}, 1727962, 16 + 36 * (16 + 32 + 64)},
        {"preresnet-164", {3, 32, 32}, 1703258, 12112},
        {"wrn-28-10", {3, 32, 32}, 36479194, 8976},
        {"wrn-40-4", {3, 32, 32}, 8949210, 5392},
        {"wrn-16-8", {3, 32, 32}, 10961370, 3600},
        {"densenet-40-12", {3, 32, 32}, 1019722, 9048},
        {"densenet-100-12", {3, 32, 32}, 6979642, 58608},
        {"densenet-bc-100-12", {3, 32, 32}, 769162, 11994},
        {"densenet-bc-250-24", {3, 32, 32}, 15324406, 128988},
        {"mlp", {1, 28, 28}, 785 * 128 + 129 * 128 + 129 * 10, 256},
        {"cnn", {1, 28, 28}, 9 * 16 + 144 * 16 + 144 * 32 + 288 * 32 + 2 * 96 + 33 * 10, 96},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t betas;
        assert_int_equal(parameters_of(cases[i].model, cases[i].image, "relu(x)", &betas),
                         cases[i].parameters);
        assert_int_equal(betas, 0);
        assert_int_equal(parameters_of(cases[i].model, cases[i].image, "b0*x+b1", &betas),
                         cases[i].parameters);
        assert_int_equal(betas, 2 * cases[i].channels);
    }
}

static void the_largest_of_each_family_can_be_built_and_saved(void **state)
{
    (void)state;
    static const char *const models[] = {"resnet-110", "preresnet-299", "wrn-40-12-drop-90",
                                         "densenet-100-24-drop-90", "densenet-bc-250-40-drop-90"};
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        int64_t betas;
        const int64_t parameters = parameters_of(models[i], (struct shape){3, 32, 32}, "b0*x+b1", &betas);
        /* the value and the velocity of each, and an eighth for padded lanes and all else */
        assert_in_range((parameters + betas) * 2 * (int64_t)sizeof(float), 1, CHECKPOINT_MAX_BYTES / 9 * 8);
    }
}

static void a_description_lists_layers_and_totals(void **state)
{
    (void)state;
    struct data data = {.channels = 3, .height = 32, .width = 32, .classes = 10};
    struct expr *expr = fixture_expr("b*x");
    struct problem problem;
    char *text = NULL;
    assert_int_equal(train_describe("resnet-20", &data, expr, &text, &problem), 0);
    assert_non_null(strstr(text, "269722"));
    assert_non_null(strstr(text, " 40551040 ")); /* 41 million, as He et al. 2015 count */
    assert_non_null(strstr(text, "64 x 8 x 8"));
    free(text);
    assert_int_equal(train_describe("wrn-28-10", &data, expr, &text, &problem), 0);
    assert_non_null(strstr(text, "norm act"));
    assert_non_null(strstr(text, " 36479194 "));
    free(text);
    assert_int_equal(train_describe("resnet", &data, expr, &text, &problem), ERR_INPUT);
    expr_destroy(&expr);
}

/* What a description says about the authors' training can be pasted into an experiment file. */
static void the_published_training_of_a_model_is_a_valid_child(void **state)
{
    (void)state;
    static const struct {
        const char *model;
        int64_t batch, steps;
        enum schedule schedule;
    } cases[] = {{"resnet-20", 128, 64000, SCHEDULE_STEP},
                 {"preresnet-164", 128, 64000, SCHEDULE_STEP},
                 {"wrn-28-10", 128, 78125, SCHEDULE_FIFTHS},
                 {"densenet-100-12", 64, 234375, SCHEDULE_STEP},
                 {"densenet-bc-100-12", 64, 234375, SCHEDULE_STEP}};
    const struct data data = {.channels = 3, .height = 32, .width = 32, .classes = 10};
    struct expr *expr = fixture_expr("relu(x)");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct problem problem;
        struct child child;
        char *text;
        assert_int_equal(train_describe(cases[i].model, &data, expr, &text, &problem), 0);
        static const char section[] = "[child]\n";
        const char *lines = strstr(text, section);
        assert_non_null(lines);
        assert_int_equal(child_parse(lines + strlen(section), &child, &problem), 0);
        assert_string_equal(child.model, cases[i].model);
        assert_int_equal(child.batch, cases[i].batch);
        assert_int_equal(child.steps, cases[i].steps);
        assert_int_equal(child.schedule, cases[i].schedule);
        assert_true(child.augment && child.lr == 0.1);
        free(text);
    }
    expr_destroy(&expr);
}

static void the_schedule_warms_up_and_falls_to_zero(void **state)
{
    (void)state;
    struct child child = child_defaults();
    child.steps = 100;
    assert_true(sgd_schedule(&child, 0) == 1.0);
    assert_true(fabs(sgd_schedule(&child, 50) - 0.5) < 1e-12);
    assert_true(sgd_schedule(&child, 99) < 3e-4);
    child.warmup = 10;
    assert_true(fabs(sgd_schedule(&child, 0) - 0.1) < 1e-12);
    child.schedule = SCHEDULE_CONSTANT;
    assert_true(sgd_schedule(&child, 9) == 1.0 && sgd_schedule(&child, 4) == 0.5);
    child.schedule = SCHEDULE_STEP;
    assert_true(sgd_schedule(&child, 49) == 1.0 && sgd_schedule(&child, 50) == 0.1 &&
                sgd_schedule(&child, 75) == 0.01);
    child.schedule = SCHEDULE_FIFTHS;
    assert_true(sgd_schedule(&child, 29) == 1.0 && sgd_schedule(&child, 30) == 0.2 &&
                sgd_schedule(&child, 60) == 0.04 && sgd_schedule(&child, 80) == 0.008);
}

static void each_epoch_shows_every_image_once_in_a_new_order(void **state)
{
    (void)state;
    /* 8 images of one pixel with values of their own, batches of 4: two batches to the epoch. */
    uint8_t images[8] = {0, 30, 60, 90, 120, 150, 180, 210}, labels[8] = {0, 1, 2, 3, 4, 5, 6, 7};
    const struct data data = {
        .channels = 1, .height = 1, .width = 1, .classes = 8, .train = {images, labels, 8}};
    struct batcher *batcher = batcher_new(&data, 8, 4, false, 3);
    float values[4];
    uint8_t first[8], second[8];
    struct tensor image = {.shape = {1, 1, 1}, .pixel_floats = 1, .image_floats = 1, .value = values};
    for (int half = 0; half < 2; half++)
        batcher_next(batcher, &image, first + 4 * half);
    for (int half = 0; half < 2; half++)
        batcher_next(batcher, &image, second + 4 * half);
    unsigned seen_first = 0, seen_second = 0;
    for (int i = 0; i < 8; i++) {
        seen_first |= 1u << first[i];
        seen_second |= 1u << second[i];
    }
    assert_int_equal(seen_first, 255);
    assert_int_equal(seen_second, 255);
    assert_memory_not_equal(first, second, 8);
    batcher_destroy(&batcher);
}

static void pixels_are_normalised_by_the_training_part_alone(void **state)
{
    (void)state;
    uint8_t images[3] = {10, 30, 255}, labels[3] = {0, 1, 0};
    const struct data data = {
        .channels = 1, .height = 1, .width = 1, .classes = 2, .train = {images, labels, 3}};
    struct batcher *batcher = batcher_new(&data, 2, 1, false, 3); /* the third is for validation */
    float values[3];
    uint8_t got[3];
    struct tensor image = {.shape = {1, 1, 1}, .pixel_floats = 1, .image_floats = 1, .value = values};
    batcher_records(batcher, &data.train, 0, 3, &image, got);
    assert_true(values[0] == -1.0f && values[1] == 1.0f && values[2] == 23.5f);
    batcher_destroy(&batcher);
}

static void augmentation_moves_and_mirrors_whole_images(void **state)
{
    (void)state;
    enum { SIDE = 11 };
    uint8_t images[SIDE * SIDE], labels[1] = {0};
    for (int i = 0; i < SIDE * SIDE; i++)
        images[i] = (uint8_t)(i + 1);
    const struct data data = {
        .channels = 1, .height = SIDE, .width = SIDE, .classes = 2, .train = {images, labels, 1}};
    struct batcher *batcher = batcher_new(&data, 1, 1, true, 3);
    float plain[SIDE * SIDE], values[SIDE * SIDE];
    struct tensor image = {
        .shape = {1, SIDE, SIDE}, .pixel_floats = 1, .image_floats = SIDE * SIDE, .value = plain};
    uint8_t label;
    batcher_records(batcher, &data.train, 0, 1, &image, &label);
    image.value = values;
    bool mirrored = false, straight = false;
    for (int draw = 0; draw < 64; draw++) {
        batcher_next(batcher, &image, &label);
        /* The middle pixel and its right neighbour tell how the image was moved. */
        const float middle = values[SIDE / 2 * SIDE + SIDE / 2],
                    right = values[SIDE / 2 * SIDE + SIDE / 2 + 1];
        int from = 0;
        while (plain[from] != middle)
            from++;
        const int step = right == plain[from + 1] ? 1 : -1;
        assert_true(right == plain[from + step]);
        mirrored = mirrored || step < 0;
        straight = straight || step > 0;
        assert_true(abs(from / SIDE - SIDE / 2) <= 4 && abs(from % SIDE - SIDE / 2) <= 4);
    }
    assert_true(mirrored && straight);
    batcher_destroy(&batcher);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_model_learns_a_simple_task),
        cmocka_unit_test(a_trial_gives_the_same_numbers_again),
        cmocka_unit_test(a_training_that_diverges_is_a_result_with_its_step),
        cmocka_unit_test(a_report_that_says_no_stops_the_training),
        cmocka_unit_test(the_curve_is_even_and_ends_with_the_last_step),
        cmocka_unit_test(data_that_are_too_few_are_refused),
        cmocka_unit_test(an_unknown_model_is_refused_with_the_list),
        cmocka_unit_test(models_have_their_published_sizes),
        cmocka_unit_test(the_largest_of_each_family_can_be_built_and_saved),
        cmocka_unit_test(a_description_lists_layers_and_totals),
        cmocka_unit_test(the_published_training_of_a_model_is_a_valid_child),
        cmocka_unit_test(the_schedule_warms_up_and_falls_to_zero),
        cmocka_unit_test(each_epoch_shows_every_image_once_in_a_new_order),
        cmocka_unit_test(pixels_are_normalised_by_the_training_part_alone),
        cmocka_unit_test(augmentation_moves_and_mirrors_whole_images),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

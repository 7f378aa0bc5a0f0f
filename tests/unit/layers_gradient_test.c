/* Holds every layer, and whole small nets, to finite differences: for each block of parameters, the gradient
 * along a random direction against the central difference of the loss. A layer's gradient to its input is
 * seen by the parameters before it. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/nn_fixture.h"

#include <math.h>

static const char *smooth = "x*sigmoid(b0*x)+0.2*sin(b1*x); b0=1.3; b1=0.7";

/* Σ of the last tensor times fixed random numbers, which then are its gradient. */
static double loss_of(struct net *net, int images, float *ret_gradient)
{
    const struct tensor *y = net_logits(net);
    net_forward(net, images, PASS_TRAIN);
    struct rng rng = rng_seed(3, "loss", 0);
    double loss = 0;
    const size_t rows = (size_t)images * y->image_floats / LANES;
    const size_t pixels = (size_t)pixels_of(y->shape), blocks = (size_t)blocks_of(y->shape.channels);
    for (size_t row = 0; row < rows; row++)
        for (size_t lane = 0; lane < LANES; lane++) {
            const size_t channel = row / pixels % blocks * LANES + lane, at = row * LANES + lane;
            const float weight = channel < (size_t)y->shape.channels ? (float)rng_normal(&rng) : 0.0f;
            loss += (double)weight * (double)y->value[at];
            if (ret_gradient)
                ret_gradient[at] = weight;
        }
    return loss;
}

/* The loss's slope along `direction` from differences over `step` and twice that, extrapolated: the error is of
 * fourth order. p->value becomes `kept` again. */
static double slope_of(struct net *net, int images, struct parameters *p, const float *kept,
                       const float *direction, double step)
{
    double found[2];
    for (int k = 0; k < 2; k++) {
        double loss[2];
        for (int side = 0; side < 2; side++) {
            for (size_t i = 0; i < p->floats; i++)
                p->value[i] = kept[i] + (float)((side ? -step : step) * (k + 1)) * direction[i];
            loss[side] = loss_of(net, images, NULL);
        }
        found[k] = (loss[0] - loss[1]) / (2 * step * (k + 1));
    }
    memcpy(p->value, kept, p->floats * sizeof *kept);
    return (4 * found[0] - found[1]) / 3;
}

static void block_check(struct net *net, int images, struct parameters *p, const char *what, int layer)
{
    if (p->floats == 0)
        return;
    float *kept = malloc(p->floats * sizeof *kept), *direction = malloc(p->floats * sizeof *kept);
    memcpy(kept, p->value, p->floats * sizeof *kept);
    struct rng rng = rng_seed((uint64_t)layer, what, 0);
    double length = 0, expected = 0, norm = 0;
    for (size_t i = 0; i < p->floats; i++) {
        direction[i] = (float)rng_normal(&rng);
        length += (double)direction[i] * (double)direction[i];
        expected += (double)direction[i] * (double)p->gradient[i];
        norm += (double)p->gradient[i] * (double)p->gradient[i];
    }
    /* In a deep net rounding drowns a short step; where the loss bends much, a long one fails. */
    static const double steps[] = {2e-2, 5e-2};
    double difference = 0, most = 2e-3 * sqrt(norm) + 1e-3;
    bool holds = false;
    for (size_t i = 0; i < sizeof steps / sizeof *steps && !holds; i++) {
        difference = slope_of(net, images, p, kept, direction, steps[i] / sqrt(length));
        holds = fabs(difference - expected) <= most;
    }
    if (!holds)
        fail_msg("layer %d, %s: gradient %.6g, finite difference %.6g, norm %.3g", layer, what, expected,
                 difference, sqrt(norm));
    free(kept);
    free(direction);
}

/* Lanes past the last channel are 0 in values, gradients and weights. */
static void padding_check(const struct net *net, int images)
{
    for (int t = 1; t < net->tensor_count; t++) {
        const struct tensor *tensor = &net->tensors[t];
        const size_t pixels = (size_t)pixels_of(tensor->shape),
                     blocks = (size_t)blocks_of(tensor->shape.channels);
        for (size_t row = 0; row < (size_t)images * tensor->image_floats / LANES; row++)
            for (size_t lane = 0; lane < LANES; lane++)
                if (row / pixels % blocks * LANES + lane >= (size_t)tensor->shape.channels &&
                    !tensor->part_of)
                    assert_true(tensor->value[row * LANES + lane] == 0.0f);
    }
}

static void net_check(struct net *net, int images)
{
    struct problem problem;
    assert_int_equal(net_finish(net, images, &problem), 0);
    net_initialise(net, 11);
    struct rng rng = rng_seed(5, "image", 0);
    struct tensor *image = net_image(net);
    const size_t pixels = (size_t)pixels_of(image->shape), lanes = (size_t)image->pixel_floats;
    for (size_t i = 0; i < (size_t)images * image->image_floats; i++)
        if (i % image->image_floats / (pixels * lanes) * lanes + i % lanes < (size_t)image->shape.channels)
            image->value[i] = (float)rng_normal(&rng);
    for (int i = 0; i < net->layer_count; i++) /* away from the special values 0 and 1 */
        if (net->layers[i].has_norm)
            for (int c = 0; c < net->tensors[net->layers[i].output].shape.channels; c++) {
                net->layers[i].weights.value[c] = 1.0f + 0.3f * (float)rng_normal(&rng);
                net->layers[i].weights.value[net->layers[i].weights.floats / 2 + (size_t)c] =
                    0.3f * (float)rng_normal(&rng);
            }
    loss_of(net, images, net_logits(net)->gradient);
    net_backward(net, images);
    padding_check(net, images);
    for (int i = 0; i < net->layer_count; i++) {
        block_check(net, images, &net->layers[i].weights, net->layers[i].kind->name, i);
        block_check(net, images, &net->layers[i].betas, "beta", i);
    }
    net_destroy(&net);
}

static void a_convolution_has_the_gradient_of_its_loss(void **state)
{
    (void)state;
    static const struct {
        struct shape image;
        int channels, kernel, stride, images;
    } cases[] = {
        {{1, 7, 5}, 16, 3, 1, 3}, {{3, 8, 8}, 16, 3, 2, 9},  {{3, 9, 7}, 20, 3, 2, 1},
        {{1, 1, 1}, 5, 3, 1, 2},  {{2, 1, 1}, 17, 3, 2, 11}, {{3, 6, 6}, 16, 1, 2, 2},
        {{1, 5, 5}, 4, 5, 1, 2},  {{20, 6, 4}, 16, 3, 2, 2}, {{3, 10, 9}, 8, 5, 3, 2},
    };
    struct expr *activation = fixture_expr(smooth);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct net *net = net_new(cases[i].image, 10, activation);
        /* The second convolution has a gradient to its input; the first one's weights see it. */
        const int first = net_conv(net, 0, cases[i].channels, cases[i].kernel, 1);
        net_conv(net, first, 18, cases[i].kernel, cases[i].stride);
        net_check(net, cases[i].images);
    }
    expr_destroy(&activation);
}

static void norm_shortcut_and_activation_have_the_gradient_of_their_loss(void **state)
{
    (void)state;
    struct expr *activation = fixture_expr(smooth);
    for (int form = 0; form < 8; form++) {
        const bool norm = form & 1, act = form & 2, residual = form & 4;
        if (!norm && !act && !residual)
            continue;
        for (int images = 1; images <= 9; images += 4) {
            struct net *net = net_new((struct shape){3, 5, 7}, 10, activation);
            const int first = net_conv(net, 0, 12, 3, 1);
            const int narrow = net_norm_act(net, first, true, -1, true); /* 12 channels, 5 × 7 */
            const int wide = net_conv(net, narrow, 20, 3, 2);            /* 20 channels, 3 × 4 */
            net_norm_act(net, wide, norm, residual ? narrow : -1, act);
            net_check(net, images);
        }
    }
    expr_destroy(&activation);
}

static void a_tensor_that_three_layers_read_gets_all_their_gradients(void **state)
{
    (void)state;
    struct expr *activation = fixture_expr(smooth);
    struct net *net = net_new((struct shape){3, 4, 4}, 10, activation);
    const int first = net_norm_act(net, net_conv(net, 0, 16, 3, 1), true, -1, true);
    const int second = net_norm_act(net, net_conv(net, first, 16, 3, 1), true, first, true);
    net_norm_act(net, net_conv(net, second, 16, 1, 1), true, first, true);
    net_check(net, 5);
    expr_destroy(&activation);
}

static void pool_and_dense_have_the_gradient_of_their_loss(void **state)
{
    (void)state;
    struct expr *activation = fixture_expr(smooth);
    for (int images = 1; images <= 17; images += 8) {
        struct net *net = net_new((struct shape){3, 5, 3}, 10, activation);
        net_dense(net, net_pool(net, net_conv(net, 0, 20, 3, 1)), 10);
        net_check(net, images);
        net = net_new((struct shape){2, 5, 3}, 10, activation);
        net_dense(net, net_norm_act(net, net_dense(net, 0, 19), false, -1, true), 33);
        net_check(net, images);
    }
    expr_destroy(&activation);
}

static void halving_has_the_gradient_of_its_loss(void **state)
{
    (void)state;
    static const struct shape shapes[] = {{3, 6, 4}, {2, 5, 7}, {1, 1, 1}, {3, 2, 1}};
    struct expr *activation = fixture_expr(smooth);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        struct net *net = net_new(shapes[i], 10, activation);
        const int first = net_norm_act(net, net_conv(net, 0, 20, 3, 1), true, -1, true);
        net_halve(net, net_conv(net, first, 18, 1, 1));
        net_check(net, 9);
        net = net_new(shapes[i], 10, activation); /* a second reader, so that the gradient is added to */
        const int both = net_conv(net, 0, 20, 3, 1), halved = net_halve(net, both);
        net_norm_act(net, net_conv(net, both, 20, 3, 2), true, halved, true);
        net_check(net, 3);
    }
    expr_destroy(&activation);
}

/* The sum of a preactivation block is read by its norm and by the next shortcut, and handed on unchanged. */
static void a_sum_without_activation_has_the_gradient_of_its_loss(void **state)
{
    (void)state;
    struct expr *activation = fixture_expr(smooth);
    struct net *net = net_new((struct shape){3, 6, 5}, 10, activation);
    int at = net_conv(net, 0, 20, 3, 1);
    for (int block = 0; block < 3; block++)
        at = net_norm_act(net, net_conv(net, net_norm_act(net, at, true, -1, true), 20, 3, 1), false, at,
                          false);
    net_dense(net, net_pool(net, at), 10);
    net->keep_bytes = 0;
    net_check(net, 11);
    expr_destroy(&activation);
}

/* Pieces of all sizes behind each other, so that they begin and end at many lanes. */
static void a_concatenation_has_the_gradient_of_its_loss(void **state)
{
    (void)state;
    static const int pieces[][4] = {
        {16, 16, 16, 16}, {12, 12, 12, 12}, {5, 20, 33, 3}, {24, 8, 1, 15}, {1, 1, 1, 40}};
    struct expr *activation = fixture_expr(smooth);
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++)
        for (int images = 1; images <= 11; images += 5) {
            struct net *net = net_new((struct shape){3, 5, 4}, 10, activation);
            int at = net_append(net, -1, net_conv(net, 0, pieces[i][0], 3, 1));
            for (int k = 1; k < 4; k++)
                at = net_append(net, at,
                                net_conv(net, net_norm_act(net, at, true, -1, true), pieces[i][k], 3, 1));
            net_dense(net, net_pool(net, net_norm_act(net, at, true, -1, true)), 10);
            net->keep_bytes = images == 6 ? SIZE_MAX : 0;
            net_check(net, images);
        }
    expr_destroy(&activation);
}

static void whole_nets_have_the_gradient_of_their_loss(void **state)
{
    (void)state;
    static const char *const models[] = {"mlp",
                                         "cnn",
                                         "resnet-8",
                                         "preresnet-11",
                                         "wrn-10-1",
                                         "wrn-10-2",
                                         "wrn-10-1-drop-30",
                                         "densenet-bc-10-5-drop-20",
                                         "densenet-10-4",
                                         "densenet-10-12",
                                         "densenet-bc-16-5"};
    struct expr *activation = fixture_expr(smooth);
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        struct net *net;
        struct problem problem;
        assert_int_equal(model_build(models[i], (struct shape){3, 9, 8}, 10, activation, &net, &problem), 0);
        net_check(net, 5);
    }
    expr_destroy(&activation);
}

static void an_activation_that_is_nan_at_zero_stays_out_of_the_unused_lanes(void **state)
{
    (void)state;
    struct expr *activation = fixture_expr("log(abs(x))");
    struct net *net = net_new((struct shape){3, 5, 5}, 10, activation);
    const int first = net_norm_act(net, net_conv(net, 0, 5, 3, 1), true, -1, true);
    net_dense(net, net_pool(net, net_norm_act(net, net_conv(net, first, 21, 3, 2), true, -1, true)), 10);
    struct problem problem;
    assert_int_equal(net_finish(net, 4, &problem), 0);
    net_initialise(net, 1);
    struct rng rng = rng_seed(5, "image", 0);
    for (size_t i = 0; i < 4 * net_image(net)->image_floats; i++)
        net_image(net)->value[i] = (float)rng_normal(&rng);
    loss_of(net, 4, net_logits(net)->gradient);
    net_backward(net, 4);
    padding_check(net, 4);
    for (size_t i = 0; i < net->weights.floats; i++)
        assert_true(isfinite(net->weights.gradient[i]));
    net_destroy(&net);
    expr_destroy(&activation);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_convolution_has_the_gradient_of_its_loss),
        cmocka_unit_test(norm_shortcut_and_activation_have_the_gradient_of_their_loss),
        cmocka_unit_test(a_tensor_that_three_layers_read_gets_all_their_gradients),
        cmocka_unit_test(pool_and_dense_have_the_gradient_of_their_loss),
        cmocka_unit_test(halving_has_the_gradient_of_its_loss),
        cmocka_unit_test(a_sum_without_activation_has_the_gradient_of_its_loss),
        cmocka_unit_test(a_concatenation_has_the_gradient_of_its_loss),
        cmocka_unit_test(whole_nets_have_the_gradient_of_their_loss),
        cmocka_unit_test(an_activation_that_is_nan_at_zero_stays_out_of_the_unused_lanes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Holds the convolution and the shortcut to their definitions, written out plainly in double precision: sizes
 * that are no multiple of any block, strides, kernels, single pixels, single images. Each way a convolution
 * can go (winograd.c, the sliding window) is met by some of the shapes. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/nn_fixture.h"

#include <math.h>

/* A plain tensor: images × channels × height × width. */
struct plain {
    int images;
    struct shape shape;
    double *at;
};

static size_t plain_index(const struct plain *p, int image, int channel, int row, int column)
{
    return (((size_t)image * (size_t)p->shape.channels + (size_t)channel) * (size_t)p->shape.height +
            (size_t)row) *
               (size_t)p->shape.width +
           (size_t)column;
}

static struct plain plain_new(int images, struct shape shape)
{
    struct plain p = {images, shape, NULL};
    p.at = calloc(plain_index(&p, images, 0, 0, 0), sizeof *p.at);
    return p;
}

/* Where one value stands in a tensor's layout. */
static size_t tensor_index(const struct tensor *t, int image, int channel, int row, int column)
{
    const int lanes = t->pixel_floats;
    const size_t pixel =
        ((size_t)(channel / lanes) * (size_t)t->shape.height + (size_t)row) * (size_t)t->shape.width +
        (size_t)column;
    return (size_t)image * t->image_floats + pixel * (size_t)lanes + (size_t)(channel % lanes);
}

#define EACH(p, image, channel, row, column)                                                                 \
    for (int image = 0; image < (p)->images; image++)                                                        \
        for (int channel = 0; channel < (p)->shape.channels; channel++)                                      \
            for (int row = 0; row < (p)->shape.height; row++)                                                \
                for (int column = 0; column < (p)->shape.width; column++)

/* Normal numbers, in `values` (in the tensor's layout) and as a plain tensor. */
static struct plain fill(const struct tensor *t, float *values, int images, const char *what)
{
    struct plain p = plain_new(images, t->shape);
    struct rng rng = rng_seed(1, what, 0);
    memset(values, 0, (size_t)images * t->image_floats * sizeof *values);
    EACH(&p, n, c, y, x)
    {
        const float value = (float)rng_normal(&rng);
        values[tensor_index(t, n, c, y, x)] = value;
        p.at[plain_index(&p, n, c, y, x)] = value;
    }
    return p;
}

/* A tensor's values as a plain tensor. */
static struct plain plain_of(const struct tensor *t, int images)
{
    struct plain p = plain_new(images, t->shape);
    EACH(&p, n, c, y, x)
    p.at[plain_index(&p, n, c, y, x)] = (double)t->value[tensor_index(t, n, c, y, x)];
    return p;
}

static double deviation(const double *values, size_t count)
{
    double squares = 0;
    for (size_t i = 0; i < count; i++)
        squares += values[i] * values[i];
    return sqrt(squares / (double)count);
}

/* To some units in the last place of a typical value. */
static const double tolerance = 4e-5;

static void compare(const struct tensor *t, const float *found, const struct plain *expected,
                    const char *what)
{
    const double most = tolerance * deviation(expected->at, plain_index(expected, expected->images, 0, 0, 0));
    EACH(expected, n, c, y, x)
    {
        const double e = expected->at[plain_index(expected, n, c, y, x)],
                     f = (double)found[tensor_index(t, n, c, y, x)];
        if (!(fabs(f - e) <= most))
            fail_msg("%s of image %d, channel %d, row %d, column %d: %.9g, expected %.9g", what, n, c, y, x,
                     f, e);
    }
}

struct shape_case {
    struct shape in;
    int channels, kernel, stride, images;
};

static void convolution_check(const struct shape_case *s)
{
    struct expr *activation = fixture_expr("relu(x)");
    struct net *net = net_new((struct shape){3, s->in.height, s->in.width}, 10, activation);
    const int in = net_conv(net, 0, s->in.channels, 1, 1); /* so that the input has a gradient */
    const int out = net_conv(net, in, s->channels, s->kernel, s->stride);
    struct problem problem;
    assert_int_equal(net_finish(net, s->images, &problem), 0);
    net_initialise(net, 3);
    struct layer *layer = &net->layers[1];
    struct tensor *tx = &net->tensors[in], *ty = &net->tensors[out];
    struct plain image = fill(net_image(net), net_image(net)->value, s->images, "image");
    net_forward(net, s->images, PASS_TRAIN);
    struct plain x = plain_of(tx, s->images), dy = fill(ty, ty->gradient, s->images, "dy");
    struct plain y = plain_new(s->images, ty->shape), dx = plain_new(s->images, tx->shape);
    const size_t taps = (size_t)s->kernel * (size_t)s->kernel;
    double *dw = calloc((size_t)s->channels * (size_t)s->in.channels * taps, sizeof *dw);
    EACH(&y, n, o, row, column)
    {
        const double d = dy.at[plain_index(&dy, n, o, row, column)];
        for (int c = 0; c < s->in.channels; c++)
            for (int tap = 0; tap < (int)taps; tap++) {
                const int r = row * s->stride + tap / s->kernel - s->kernel / 2,
                          k = column * s->stride + tap % s->kernel - s->kernel / 2;
                if (r < 0 || r >= s->in.height || k < 0 || k >= s->in.width)
                    continue;
                const double w =
                    (double)layer->weights
                        .value[layer_weight_at(net, layer, o, c, tap / s->kernel, tap % s->kernel)];
                y.at[plain_index(&y, n, o, row, column)] += w * x.at[plain_index(&x, n, c, r, k)];
                dx.at[plain_index(&dx, n, c, r, k)] += w * d;
                dw[(size_t)(o * s->in.channels + c) * taps + (size_t)tap] +=
                    d * x.at[plain_index(&x, n, c, r, k)];
            }
    }
    compare(ty, ty->value, &y, "y");
    net_backward(net, s->images);
    compare(tx, tx->gradient, &dx, "dx");
    const double most = tolerance * deviation(dw, (size_t)s->channels * (size_t)s->in.channels * taps);
    for (int o = 0; o < s->channels; o++)
        for (int c = 0; c < s->in.channels; c++)
            for (int tap = 0; tap < (int)taps; tap++) {
                const double e = dw[(size_t)(o * s->in.channels + c) * taps + (size_t)tap];
                const double f =
                    (double)layer->weights
                        .gradient[layer_weight_at(net, layer, o, c, tap / s->kernel, tap % s->kernel)];
                if (!(fabs(f - e) <= most))
                    fail_msg("dw of output %d, channel %d, tap %d: %.9g, expected %.9g", o, c, tap, f, e);
            }
    /* The lanes past the last channel hold nothing. */
    for (size_t i = 0; i < (size_t)s->images * ty->image_floats; i++)
        if (i / LANES / (size_t)pixels_of(ty->shape) % (size_t)blocks_of(s->channels) * LANES + i % LANES >=
            (size_t)s->channels)
            assert_true(ty->value[i] == 0.0f);
    free(image.at), free(x.at), free(dy.at), free(y.at), free(dx.at), free(dw);
    net_destroy(&net);
    expr_destroy(&activation);
}

static const struct shape_case shapes[] = {
    /* 3 × 3, stride 1: the blocks themselves, then more or less by one */
    {{16, 32, 32}, 16, 3, 1, 2},
    {{32, 16, 16}, 32, 3, 1, 9},
    {{64, 8, 8}, 64, 3, 1, 3},
    {{17, 9, 7}, 33, 3, 1, 3},
    {{5, 7, 9}, 3, 3, 1, 10},
    {{16, 14, 14}, 16, 3, 1, 1},
    {{32, 7, 7}, 32, 3, 1, 17},
    {{40, 3, 70}, 8, 3, 1, 2},
    {{8, 67, 2}, 40, 3, 1, 2},
    {{16, 1, 1}, 16, 3, 1, 1},
    {{20, 1, 1}, 5, 3, 1, 33},
    {{16, 2, 2}, 16, 3, 1, 8},
    {{16, 1, 9}, 16, 3, 1, 2},
    {{16, 9, 1}, 16, 3, 1, 2},
    /* strides and kernels */
    {{16, 32, 32}, 32, 3, 2, 2},
    {{32, 16, 16}, 64, 3, 2, 1},
    {{17, 9, 7}, 33, 3, 2, 9},
    {{16, 1, 1}, 18, 3, 2, 3},
    {{16, 2, 3}, 16, 3, 2, 5},
    {{20, 11, 10}, 16, 3, 3, 2},
    {{16, 8, 8}, 32, 1, 1, 2},
    {{19, 9, 5}, 17, 1, 1, 9},
    {{16, 9, 8}, 32, 1, 2, 3},
    {{16, 7, 6}, 16, 5, 1, 2},
    {{18, 10, 9}, 20, 5, 2, 2},
    {{16, 3, 3}, 16, 7, 1, 1},
};

static void a_convolution_and_its_gradients_are_what_the_definition_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        convolution_check(&shapes[i]);
}

static void each_instruction_set_meets_the_definition(void **state)
{
    (void)state;
    const enum simd_path before = simd_path();
    for (int path = 0; path < SIMD_PATHS; path++)
        if (simd_force((enum simd_path)path) == 0)
            for (size_t i = 3; i < sizeof shapes / sizeof *shapes; i += 5)
                convolution_check(&shapes[i]);
    simd_force(before);
}

/* y of a net: an image, two convolutions of which the second is smaller, and their sum by option A. */
static void a_shortcut_is_subsampled_and_padded_with_zero_channels(void **state)
{
    (void)state;
    static const struct shape_case cases[] = {{{16, 8, 8}, 32, 3, 2, 2},
                                              {{5, 7, 9}, 20, 3, 2, 9},
                                              {{12, 1, 1}, 12, 3, 2, 3},
                                              {{17, 6, 5}, 40, 3, 1, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct shape_case *s = &cases[i];
        struct expr *activation = fixture_expr("relu(x)");
        struct net *net = net_new((struct shape){3, s->in.height, s->in.width}, 10, activation);
        const int from = net_conv(net, 0, s->in.channels, 1, 1);
        const int main_path = net_conv(net, from, s->channels, 3, s->stride);
        const int out = net_norm_act(net, main_path, false, from, false);
        struct problem problem;
        assert_int_equal(net_finish(net, s->images, &problem), 0);
        net_initialise(net, 3);
        struct tensor *ta = &net->tensors[from], *tb = &net->tensors[main_path], *ty = &net->tensors[out];
        struct plain image = fill(net_image(net), net_image(net)->value, s->images, "image");
        net_forward(net, s->images, PASS_TRAIN);
        struct plain a = plain_of(ta, s->images), y = plain_of(tb, s->images);
        EACH(&y, n, c, row, column)
        if (c < s->in.channels)
            y.at[plain_index(&y, n, c, row, column)] +=
                a.at[plain_index(&a, n, c, row * s->stride, column * s->stride)];
        compare(ty, ty->value, &y, "y");
        free(image.at), free(a.at), free(y.at);
        net_destroy(&net);
        expr_destroy(&activation);
    }
}

/* Each piece stands behind the ones before, and only the last block has lanes of zeros. */
static void a_concatenation_has_the_channels_of_its_pieces_in_order(void **state)
{
    (void)state;
    static const int channels[] = {5, 20, 16, 12, 1};
    enum { PIECES = sizeof channels / sizeof *channels, IMAGES = 3 };
    struct expr *activation = fixture_expr("relu(x)");
    struct net *net = net_new((struct shape){3, 4, 6}, 10, activation);
    int pieces[PIECES], at = -1;
    for (int i = 0; i < PIECES; i++) {
        const int from = i == 0 ? 0 : net_norm_act(net, at, true, -1, true);
        pieces[i] = net_conv(net, from, channels[i], 3, 1);
        at = net_append(net, at, pieces[i]);
    }
    struct problem problem;
    assert_int_equal(net_finish(net, IMAGES, &problem), 0);
    net_initialise(net, 3);
    struct plain image = fill(net_image(net), net_image(net)->value, IMAGES, "image");
    net_forward(net, IMAGES, PASS_TRAIN);
    const struct tensor *wide = &net->tensors[at];
    assert_int_equal(wide->shape.channels, 54);
    for (int i = 0, before = 0; i < PIECES; before += channels[i], i++) {
        struct plain piece = plain_of(&net->tensors[pieces[i]], IMAGES);
        EACH(&piece, n, c, y, x)
        assert_true((double)wide->value[tensor_index(wide, n, before + c, y, x)] ==
                    piece.at[plain_index(&piece, n, c, y, x)]);
        free(piece.at);
    }
    for (int n = 0; n < IMAGES; n++)
        for (int lane = 54; lane < 64; lane++)
            assert_true(wide->value[tensor_index(wide, n, lane, 3, 5)] == 0.0f);
    free(image.at);
    net_destroy(&net);
    expr_destroy(&activation);
}

static void dropout_keeps_the_mean_and_draws_anew_for_each_image_and_step(void **state)
{
    (void)state;
    enum { IMAGES = 4, CHANNELS = 32, SIDE = 32, FLOATS = CHANNELS * SIDE * SIDE };
    struct expr *activation = fixture_expr("relu(x)");
    struct net *net = net_new((struct shape){3, SIDE, SIDE}, 10, activation);
    const int from = net_conv(net, 0, CHANNELS, 1, 1), to = net_dropout(net, from, 30);
    net->keep_bytes = SIZE_MAX;
    struct problem problem;
    assert_int_equal(net_finish(net, IMAGES, &problem), 0);
    net_initialise(net, 3);
    struct plain image = fill(net_image(net), net_image(net)->value, IMAGES, "image");
    const float *x = net->tensors[from].value, *y = net->tensors[to].value;
    uint8_t dropped[2][IMAGES * FLOATS];
    for (int step = 0; step < 2; step++) {
        net->step = step + 1;
        net_forward(net, IMAGES, PASS_TRAIN);
        int count = 0;
        for (int i = 0; i < IMAGES * FLOATS; i++) {
            dropped[step][i] = y[i] == 0.0f && x[i] != 0.0f;
            count += dropped[step][i];
            assert_true(dropped[step][i] ||
                        fabs((double)y[i] - (double)x[i] / 0.7) <= 1e-6 * fabs((double)x[i]));
        }
        assert_in_range(count, 0.295 * IMAGES * FLOATS, 0.305 * IMAGES * FLOATS); /* ± 4 deviations */
    }
    const uint8_t *const others[] = {dropped[1], dropped[0] + FLOATS};
    for (int k = 0; k < 2; k++) { /* another step, another image: 2 · 0.3 · 0.7 of the values differ */
        int differ = 0;
        for (int i = 0; i < FLOATS; i++)
            differ += dropped[0][i] != others[k][i];
        assert_in_range(differ, 0.40 * FLOATS, 0.44 * FLOATS);
    }
    net_forward(net, IMAGES, PASS_EVALUATE);
    assert_memory_equal(x, y, IMAGES * FLOATS * sizeof *x);
    free(image.at);
    net_destroy(&net);
    expr_destroy(&activation);
}

/* The parameters' gradients of a model after one step, with tensors above `keep_bytes` kept for a range
 * only. malloc'd. */
static float *gradients_of(const char *model, size_t keep_bytes, int images, size_t *ret_floats,
                           size_t *ret_arena)
{
    struct expr *activation = fixture_expr("x*sigmoid(b0*x)");
    struct net *net;
    struct problem problem;
    assert_int_equal(model_build(model, (struct shape){3, 32, 31}, 10, activation, &net, &problem), 0);
    net->keep_bytes = keep_bytes;
    assert_int_equal(net_finish(net, images, &problem), 0);
    net_initialise(net, 3);
    struct plain image = fill(net_image(net), net_image(net)->value, images, "image");
    net_forward(net, images, PASS_TRAIN);
    struct plain dy = fill(net_logits(net), net_logits(net)->gradient, images, "dy");
    net_backward(net, images);
    *ret_floats = net->weights.floats + net->betas.floats;
    *ret_arena = net->arena_bytes;
    float *copy = malloc(*ret_floats * sizeof *copy);
    memcpy(copy, net->weights.gradient, net->weights.floats * sizeof *copy);
    memcpy(copy + net->weights.floats, net->betas.gradient, net->betas.floats * sizeof *copy);
    free(image.at), free(dy.at);
    net_destroy(&net);
    expr_destroy(&activation);
    return copy;
}

static void values_that_are_not_kept_are_computed_again_to_the_same_bits(void **state)
{
    (void)state;
    static const char *const models[] = {"resnet-8", "preresnet-11", "wrn-10-1", "densenet-bc-16-12"};
    for (size_t i = 0; i < sizeof models / sizeof *models; i++)
        for (int images = 1; images <= 21; images += 10) {
            size_t floats, kept_bytes, not_kept_bytes;
            float *kept = gradients_of(models[i], SIZE_MAX, images, &floats, &kept_bytes);
            float *not_kept = gradients_of(models[i], 0, images, &floats, &not_kept_bytes);
            assert_memory_equal(kept, not_kept, floats * sizeof *kept);
            assert_true(images == 1 || not_kept_bytes < kept_bytes);
            free(kept);
            free(not_kept);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_convolution_and_its_gradients_are_what_the_definition_says),
        cmocka_unit_test(each_instruction_set_meets_the_definition),
        cmocka_unit_test(values_that_are_not_kept_are_computed_again_to_the_same_bits),
        cmocka_unit_test(a_concatenation_has_the_channels_of_its_pieces_in_order),
        cmocka_unit_test(dropout_keeps_the_mean_and_draws_anew_for_each_image_and_step),
        cmocka_unit_test(a_shortcut_is_subsampled_and_padded_with_zero_channels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

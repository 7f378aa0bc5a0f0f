/* The networks of worker/nn against PyTorch: logits, loss and gradients of one batch, from the same weights
 * and images. tests/reference/golden_pytorch.py made tests/golden/networks.txt and says what the formulas
 * are. */
#include "tests/unit/nn_fixture.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { MAX_PARAMETERS = 256, CLASSES = 10, MAX_LINE = 256 };

/* Of the loss, of a logit of 1, of a gradient's norm, or of the root mean square of its entries: single
 * precision against double. */
static const double tolerance = 3e-5;

/* A number in [−1, 1) that the generator knows too. */
static double u(uint32_t salt, uint32_t k)
{
    uint32_t h = 2654435761u * k + 40503u * salt + 12345u;
    h ^= h >> 15;
    h *= 2246822507u;
    h ^= h >> 13;
    return (double)(h >> 8 & 65535) / 32768.0 - 1.0;
}

enum kind { WEIGHT, BIAS, SCALE, SHIFT, BETA };
static const char *const kind_names[] = {"weight", "bias", "scale", "shift", "beta"};

/* One parameter of the net as PyTorch numbers them. */
struct parameter {
    const struct layer *layer;
    enum kind kind;
    int beta; /* of kind BETA */
    uint32_t count;
    double norm; /* of its gradient */
};

struct parameters_list {
    struct parameter all[MAX_PARAMETERS];
    uint32_t count;
};

static int outputs(const struct net *net, const struct layer *layer)
{
    return net->tensors[layer->output].shape.channels;
}

static uint32_t fan_in(const struct net *net, const struct layer *layer)
{
    const struct shape in = net->tensors[layer->input].shape;
    const int taps = layer_is_conv(layer) ? layer->kernel * layer->kernel : in.height * in.width;
    return (uint32_t)(in.channels * taps);
}

static void list_add(struct parameters_list *list, const struct net *net, const struct layer *layer,
                     enum kind kind, int beta)
{
    assert_true(list->count < MAX_PARAMETERS);
    const uint32_t channels = (uint32_t)outputs(net, layer);
    list->all[list->count++] =
        (struct parameter){layer, kind, beta, kind == WEIGHT ? channels * fan_in(net, layer) : channels, 0.0};
}

static struct parameters_list list_of(const struct net *net)
{
    struct parameters_list list = {.count = 0};
    for (const struct layer *layer = net->layers; layer < net->layers + net->layer_count; layer++) {
        if (layer_is_conv(layer) || layer->kind == &layer_dense)
            list_add(&list, net, layer, WEIGHT, 0);
        if (layer->kind == &layer_dense)
            list_add(&list, net, layer, BIAS, 0);
        if (layer->has_norm) {
            list_add(&list, net, layer, SCALE, 0);
            list_add(&list, net, layer, SHIFT, 0);
        }
        for (int beta = 0; layer->has_activation && beta < net->beta_count; beta++)
            list_add(&list, net, layer, BETA, beta);
    }
    return list;
}

/* Where entry k of the parameter stands in its layer's block of floats. */
static size_t place(const struct net *net, const struct parameter *parameter, uint32_t k)
{
    const struct layer *layer = parameter->layer;
    const size_t channels = (size_t)blocks_of(outputs(net, layer)) * LANES;
    switch (parameter->kind) {
    case WEIGHT: {
        const struct shape in = net->tensors[layer->input].shape;
        const uint32_t rows = (uint32_t)(layer_is_conv(layer) ? layer->kernel : in.height);
        const uint32_t columns = (uint32_t)(layer_is_conv(layer) ? layer->kernel : in.width);
        const uint32_t per_output = fan_in(net, layer), tap = k % per_output;
        return layer_weight_at(net, layer, (int)(k / per_output), (int)(tap / (rows * columns)),
                               (int)(tap / columns % rows), (int)(tap % columns));
    }
    case BIAS:
        return layer_bias_at(net, layer) + k;
    case SCALE:
        return k;
    case SHIFT:
        return channels + k;
    case BETA:
        break;
    }
    return (k / LANES * (size_t)net->beta_count + (size_t)parameter->beta) * LANES + k % LANES;
}

static const struct parameters *block_of(const struct parameter *parameter)
{
    return parameter->kind == BETA ? &parameter->layer->betas : &parameter->layer->weights;
}

static double initial(const struct net *net, const struct parameter *parameter, uint32_t number, uint32_t k)
{
    const double drawn = u(number, k);
    switch (parameter->kind) {
    case WEIGHT:
        return sqrt(6.0 / fan_in(net, parameter->layer)) * drawn;
    case BIAS:
        return 0.1 * drawn;
    case SCALE:
        return 1.0 + 0.2 * drawn;
    case SHIFT:
        return 0.2 * drawn;
    case BETA:
        break;
    }
    return 1.0 + 0.5 * drawn;
}

struct run {
    struct expr *activation;
    struct net *net;
    struct parameters_list list;
    double loss;
};

static void run_start(struct run *run, const char *model, struct shape shape, int images,
                      const char *activation)
{
    struct problem problem;
    run->activation = fixture_expr(activation);
    assert_int_equal(model_build(model, shape, CLASSES, run->activation, &run->net, &problem), 0);
    struct net *net = run->net;
    assert_int_equal(net_finish(net, images, &problem), 0);
    net_initialise(net, 0);
    run->list = list_of(net);
    for (uint32_t n = 0; n < run->list.count; n++)
        for (uint32_t k = 0; k < run->list.all[n].count; k++)
            block_of(&run->list.all[n])->value[place(net, &run->list.all[n], k)] =
                (float)initial(net, &run->list.all[n], n + 1, k);

    const struct tensor *image = net_image(net);
    uint8_t labels[MAX_LINE];
    uint32_t k = 0;
    for (int i = 0; i < images; i++) {
        labels[i] = (uint8_t)((7 * i + 3) % CLASSES);
        for (int c = 0; c < shape.channels; c++)
            for (int pixel = 0; pixel < pixels_of(shape); pixel++)
                image->value[(size_t)i * image->image_floats + (size_t)(pixel * shape.channels + c)] =
                    (float)u(0, k++);
    }
    net_forward(net, images, PASS_TRAIN);
    struct tensor *logits = net_logits(net);
    int64_t correct = 0;
    run->loss = loss_softmax(logits->value, labels, images, CLASSES, (int)logits->image_floats,
                             logits->gradient, &correct) /
                images;
    net_backward(net, images);
    for (uint32_t n = 0; n < run->list.count; n++) {
        double squares = 0;
        for (k = 0; k < run->list.all[n].count; k++) {
            const double g = (double)block_of(&run->list.all[n])->gradient[place(net, &run->list.all[n], k)];
            squares += g * g;
        }
        run->list.all[n].norm = sqrt(squares);
    }
}

static void run_end(struct run *run)
{
    net_destroy(&run->net);
    expr_destroy(&run->activation);
}

static void near(double value, double expected, double scale, const char *line)
{
    if (!(fabs(value - expected) <= tolerance * scale))
        fail_msg("%.9g instead of %s", value, line);
}

/* Holds the run to one line of the file. */
static void hold(const struct run *run, const char *line)
{
    unsigned number, k, count;
    int image, label;
    double expected;
    char kind[MAX_LINE];
    if (sscanf(line, "loss %lf", &expected) == 1) {
        near(run->loss, expected, expected, line);
    } else if (sscanf(line, "logit %d %d %lf", &image, &label, &expected) == 3) {
        const struct tensor *logits = net_logits(run->net);
        near((double)logits->value[(size_t)image * logits->image_floats + (size_t)label], expected, 1.0,
             line);
    } else if (sscanf(line, "gradient %u %255s %u %lf", &number, kind, &count, &expected) == 4) {
        assert_in_range(number, 1, run->list.count);
        const struct parameter *parameter = &run->list.all[number - 1];
        assert_string_equal(kind, kind_names[parameter->kind]);
        assert_int_equal(count, parameter->count);
        near(parameter->norm, expected, expected, line);
    } else if (sscanf(line, "entry %u %u %lf", &number, &k, &expected) == 3) {
        const struct parameter *parameter = &run->list.all[number - 1];
        const double typical = parameter->norm / sqrt((double)parameter->count);
        near((double)block_of(parameter)->gradient[place(run->net, parameter, k)], expected, typical, line);
    } else {
        fail_msg("a line that means nothing: %s", line);
    }
}

/* Runs the cases of that model; returns how many lines held. */
static int check_model(const char *wanted)
{
    FILE *file = fopen("tests/golden/networks.txt", "re");
    assert_non_null(file);
    struct run run = {0};
    char line[MAX_LINE];
    int held = 0;
    while (fgets(line, sizeof line, file)) {
        struct shape shape;
        int images;
        char model[MAX_LINE], activation[MAX_LINE];
        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '#')
            continue;
        if (sscanf(line, "case %255s %d %d %d %d %255[^\n]", model, &shape.channels, &shape.height,
                   &shape.width, &images, activation) == 6) {
            run_end(&run);
            if (strcmp(model, wanted) == 0)
                run_start(&run, model, shape, images, activation);
        } else if (run.net) {
            hold(&run, line);
            held++;
        }
    }
    run_end(&run);
    fclose(file);
    return held;
}

static void an_mlp_computes_what_pytorch_does(void **state)
{
    (void)state;
    assert_in_range(check_model("mlp"), 40, 1000);
}

static void a_cnn_computes_what_pytorch_does(void **state)
{
    (void)state;
    assert_in_range(check_model("cnn"), 100, 1000);
}

static void a_resnet_computes_what_pytorch_does(void **state)
{
    (void)state;
    assert_in_range(check_model("resnet-8"), 100, 1000);
}

static void a_preresnet_computes_what_pytorch_does(void **state)
{
    (void)state;
    assert_in_range(check_model("preresnet-11"), 100, 1000);
}

static void a_wide_resnet_computes_what_pytorch_does(void **state)
{
    (void)state;
    assert_in_range(check_model("wrn-10-1"), 100, 1000);
    assert_in_range(check_model("wrn-10-2"), 100, 1000);
}

static void a_densenet_computes_what_pytorch_does(void **state)
{
    (void)state;
    assert_in_range(check_model("densenet-10-4"), 100, 1000);
    assert_in_range(check_model("densenet-10-12"), 100, 1000);
    assert_in_range(check_model("densenet-bc-16-5"), 100, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_mlp_computes_what_pytorch_does),
        cmocka_unit_test(a_cnn_computes_what_pytorch_does),
        cmocka_unit_test(a_resnet_computes_what_pytorch_does),
        cmocka_unit_test(a_preresnet_computes_what_pytorch_does),
        cmocka_unit_test(a_wide_resnet_computes_what_pytorch_does),
        cmocka_unit_test(a_densenet_computes_what_pytorch_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

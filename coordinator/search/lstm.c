#include "coordinator/search/lstm.h"

#include "common/err.h"
#include "common/matrix.h"
#include "common/vecmath.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { GATES = 4 };

/* Each array: steps × batch rows. */
struct layer {
    double *joined; /* × 2·hidden: input and previous output */
    double *gates;  /* × 4·hidden: i f g o, after their functions; in the backward pass the gradients before
                       them */
    double *cell;   /* × hidden */
    double *tanh_cell;
    double *output;
};

struct lstm {
    struct lstm_shape shape;
    size_t steps, capacity;
    size_t batch, made; /* sequences and steps since the start */
    struct layer *layers;
    double *dcell;   /* batch × hidden */
    double *djoined; /* batch × 2·hidden */
};

size_t lstm_layer_weights(const struct lstm_shape *shape)
{
    return (2 * shape->hidden + 1) * GATES * shape->hidden;
}

static double *matrix_new(size_t rows, size_t columns)
{
    return xcalloc(rows * columns, sizeof(double));
}

struct lstm *lstm_new(const struct lstm_shape *shape, size_t steps, size_t capacity)
{
    struct lstm *lstm = xcalloc(1, sizeof *lstm);
    size_t rows = steps * capacity, hidden = shape->hidden;
    lstm->shape = *shape;
    lstm->steps = steps;
    lstm->capacity = capacity;
    lstm->layers = xcalloc(shape->layers, sizeof *lstm->layers);
    for (size_t l = 0; l < shape->layers; l++)
        lstm->layers[l] = (struct layer){.joined = matrix_new(rows, 2 * hidden),
                                         .gates = matrix_new(rows, GATES * hidden),
                                         .cell = matrix_new(rows, hidden),
                                         .tanh_cell = matrix_new(rows, hidden),
                                         .output = matrix_new(rows, hidden)};
    lstm->dcell = matrix_new(capacity, hidden);
    lstm->djoined = matrix_new(capacity, 2 * hidden);
    return lstm;
}

void lstm_destroy(struct lstm **lstm)
{
    if (!*lstm)
        return;
    for (size_t l = 0; l < (*lstm)->shape.layers; l++) {
        struct layer *layer = &(*lstm)->layers[l];
        free(layer->joined);
        free(layer->gates);
        free(layer->cell);
        free(layer->tanh_cell);
        free(layer->output);
    }
    free((*lstm)->layers);
    free((*lstm)->dcell);
    free((*lstm)->djoined);
    free(*lstm);
    *lstm = NULL;
}

void lstm_start(struct lstm *lstm, size_t batch)
{
    assert(batch > 0 && batch <= lstm->capacity);
    lstm->batch = batch;
    lstm->made = 0;
}

/* Within an ulp of 1, and four times as fast as vm_tanh, which is exact near 0 too. */
static double tanh_of(double x)
{
    return 2 * vm_sigmoid(2 * x) - 1;
}

/* Step t of one layer. weights: W, then bias. input: batch × hidden. */
static void layer_forward(const struct lstm *lstm, struct layer *layer, const double *weights,
                          const double *input)
{
    size_t hidden = lstm->shape.hidden, batch = lstm->batch, first = lstm->made * batch;
    const double *bias = weights + 2 * hidden * GATES * hidden;
    double *joined = layer->joined + first * 2 * hidden, *gates = layer->gates + first * GATES * hidden;
    for (size_t b = 0; b < batch; b++) {
        double *row = joined + b * 2 * hidden;
        memcpy(row, input + b * hidden, hidden * sizeof *row);
        if (lstm->made == 0)
            memset(row + hidden, 0, hidden * sizeof *row);
        else
            memcpy(row + hidden, layer->output + (first - batch + b) * hidden, hidden * sizeof *row);
        memcpy(gates + b * GATES * hidden, bias, GATES * hidden * sizeof *bias);
    }
    matrix_multiply(false, false, batch, GATES * hidden, 2 * hidden, 1, joined, weights, 1, gates);
    for (size_t b = 0; b < batch; b++) {
        double *gate = gates + b * GATES * hidden;
        for (size_t k = 0; k < hidden; k++) {
            size_t at = (first + b) * hidden + k;
            double *i = &gate[k], *f = &gate[hidden + k], *g = &gate[2 * hidden + k],
                   *o = &gate[3 * hidden + k];
            double before = lstm->made == 0 ? 0 : layer->cell[at - batch * hidden];
            *i = vm_sigmoid(*i);
            *f = vm_sigmoid(*f);
            *g = tanh_of(*g);
            *o = vm_sigmoid(*o);
            layer->cell[at] = *f * before + *i * *g;
            layer->tanh_cell[at] = tanh_of(layer->cell[at]);
            layer->output[at] = *o * layer->tanh_cell[at];
        }
    }
}

const double *lstm_step(struct lstm *lstm, const double *weights, const double *input)
{
    assert(lstm->made < lstm->steps);
    for (size_t l = 0; l < lstm->shape.layers; l++) {
        layer_forward(lstm, &lstm->layers[l], weights + l * lstm_layer_weights(&lstm->shape), input);
        input = lstm->layers[l].output + lstm->made * lstm->batch * lstm->shape.hidden;
    }
    lstm->made++;
    return input;
}

/* The gradients of the gates of step t before their functions, from doutput of that step; dcell is carried to
 * the step before. */
static void gates_backward(const struct lstm *lstm, struct layer *layer, size_t t, const double *doutput)
{
    size_t hidden = lstm->shape.hidden, batch = lstm->batch;
    for (size_t b = 0; b < batch; b++) {
        double *gate = layer->gates + (t * batch + b) * GATES * hidden;
        for (size_t k = 0; k < hidden; k++) {
            size_t at = (t * batch + b) * hidden + k;
            double i = gate[k], f = gate[hidden + k], g = gate[2 * hidden + k], o = gate[3 * hidden + k];
            double before = t == 0 ? 0 : layer->cell[at - batch * hidden], tanh_cell = layer->tanh_cell[at];
            double dh = doutput[b * hidden + k];
            double dc = lstm->dcell[b * hidden + k] + dh * o * (1 - tanh_cell * tanh_cell);
            gate[k] = dc * g * i * (1 - i);
            gate[hidden + k] = dc * before * f * (1 - f);
            gate[2 * hidden + k] = dc * i * (1 - g * g);
            gate[3 * hidden + k] = dh * tanh_cell * o * (1 - o);
            lstm->dcell[b * hidden + k] = dc * f;
        }
    }
}

/* doutput: steps × batch × hidden, completed with what comes from the next step; dinput: the same; gradient:
 * W, then bias. */
static void layer_backward(const struct lstm *lstm, struct layer *layer, const double *weights,
                           double *doutput, double *dinput, double *gradient)
{
    size_t hidden = lstm->shape.hidden, batch = lstm->batch, rows = lstm->made * batch;
    memset(lstm->dcell, 0, batch * hidden * sizeof(double));
    for (size_t t = lstm->made; t-- > 0;) {
        gates_backward(lstm, layer, t, doutput + t * batch * hidden);
        matrix_multiply(false, true, batch, 2 * hidden, GATES * hidden, 1,
                        layer->gates + t * batch * GATES * hidden, weights, 0, lstm->djoined);
        for (size_t b = 0; b < batch; b++) {
            const double *row = lstm->djoined + b * 2 * hidden;
            memcpy(dinput + (t * batch + b) * hidden, row, hidden * sizeof *row);
            for (size_t k = 0; k < hidden && t > 0; k++)
                doutput[((t - 1) * batch + b) * hidden + k] += row[hidden + k];
        }
    }
    matrix_multiply(true, false, 2 * hidden, GATES * hidden, rows, 1, layer->joined, layer->gates, 1,
                    gradient);
    double *dbias = gradient + 2 * hidden * GATES * hidden;
    for (size_t row = 0; row < rows; row++)
        for (size_t k = 0; k < GATES * hidden; k++)
            dbias[k] += layer->gates[row * GATES * hidden + k];
}

void lstm_backward(struct lstm *lstm, const double *weights, double *doutput, double *dinput,
                   double *gradient)
{
    size_t size = lstm_layer_weights(&lstm->shape),
           bytes = lstm->made * lstm->batch * lstm->shape.hidden * sizeof(double);
    for (size_t l = lstm->shape.layers; l-- > 0;) {
        layer_backward(lstm, &lstm->layers[l], weights + l * size, doutput, dinput, gradient + l * size);
        if (l > 0)
            memcpy(doutput, dinput, bytes);
    }
    lstm->made = 0; /* the gates are overwritten: forward again first */
}

#include "coordinator/search/controller.h"

#include "common/err.h"
#include "common/matrix.h"
#include "common/vecmath.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const double initial_weight = 0.1;

static struct parameter_group group_add(struct controller *controller, size_t count)
{
    struct parameter_group group = {controller->count, count};
    controller->count += count;
    return group;
}

struct controller *controller_new(const struct space *space, size_t hidden, size_t layers, struct rng *rng)
{
    struct controller *controller = xcalloc(1, sizeof *controller);
    controller->hidden = hidden;
    controller->layers = layers;
    controller->steps = (size_t)space_tokens(space);
    for (size_t t = 0; t < controller->steps; t++) {
        size_t choices = (size_t)space_choices(space, (int)t),
               *outputs = &controller->outputs[space_token_kind((int)t)];
        controller->choices[t] = choices;
        *outputs = choices > *outputs ? choices : *outputs;
        controller->widest = choices > controller->widest ? choices : controller->widest;
    }
    controller->start = group_add(controller, hidden);
    for (int kind = 0; kind < TOKEN_KINDS; kind++)
        controller->embedding[kind] = group_add(controller, controller->outputs[kind] * hidden);
    controller->lstm =
        group_add(controller, layers * lstm_layer_weights(&(struct lstm_shape){layers, hidden}));
    for (int kind = 0; kind < TOKEN_KINDS; kind++)
        controller->head[kind] = group_add(controller, (hidden + 1) * controller->outputs[kind]);
    controller->weights = xcalloc(controller->count, sizeof *controller->weights);
    for (size_t i = 0; i < controller->count; i++)
        controller->weights[i] = initial_weight * (2 * rng_uniform(rng) - 1);
    return controller;
}

void controller_destroy(struct controller **controller)
{
    if (!*controller)
        return;
    free((*controller)->weights);
    free(*controller);
    *controller = NULL;
}

struct pass *pass_new(const struct controller *controller, size_t capacity)
{
    struct pass *pass = xcalloc(1, sizeof *pass);
    size_t rows = controller->steps * capacity;
    pass->capacity = capacity;
    pass->lstm =
        lstm_new(&(struct lstm_shape){controller->layers, controller->hidden}, controller->steps, capacity);
    pass->input = xcalloc(capacity * controller->hidden, sizeof(double));
    pass->output = xcalloc(rows * controller->hidden, sizeof(double));
    pass->doutput = xcalloc(rows * controller->hidden, sizeof(double));
    pass->dinput = xcalloc(rows * controller->hidden, sizeof(double));
    pass->log_probability = xcalloc(rows * controller->widest, sizeof(double));
    pass->dlogits = xcalloc(rows * controller->widest, sizeof(double));
    pass->scratch = xcalloc(capacity * controller->widest, sizeof(double));
    return pass;
}

void pass_destroy(struct pass **pass)
{
    if (!*pass)
        return;
    lstm_destroy(&(*pass)->lstm);
    free((*pass)->input);
    free((*pass)->output);
    free((*pass)->doutput);
    free((*pass)->dinput);
    free((*pass)->log_probability);
    free((*pass)->dlogits);
    free((*pass)->scratch);
    free(*pass);
    *pass = NULL;
}

/* Where the embedding that is step t's input stands in the block of parameters: that of the token before, or
 * the start. */
static size_t embedding_of(const struct controller *controller, const uint16_t *sequence, size_t t)
{
    if (t == 0)
        return controller->start.first;
    int kind = (int)space_token_kind((int)t - 1);
    assert(sequence[t - 1] < controller->choices[t - 1]);
    return controller->embedding[kind].first + sequence[t - 1] * controller->hidden;
}

/* In place: logits of `choices` become log-probabilities. */
static void log_softmax(double *row, size_t choices)
{
    double highest = row[0], sum = 0;
    for (size_t j = 1; j < choices; j++)
        highest = row[j] > highest ? row[j] : highest;
    for (size_t j = 0; j < choices; j++)
        sum += vm_exp(row[j] - highest);
    double shift = highest + vm_log(sum);
    for (size_t j = 0; j < choices; j++)
        row[j] = choices == 1 ? 0 : row[j] - shift;
}

static uint16_t draw(const double *log_probability, size_t choices, struct rng *rng)
{
    double left = rng_uniform(rng);
    for (size_t j = 0; j + 1 < choices; j++) {
        left -= vm_exp(log_probability[j]);
        if (left < 0)
            return (uint16_t)j;
    }
    return (uint16_t)(choices - 1);
}

void controller_forward(const struct controller *controller, struct pass *pass, size_t batch,
                        uint16_t *tokens, struct rng *rng)
{
    size_t hidden = controller->hidden, steps = controller->steps;
    assert(batch <= pass->capacity);
    pass->batch = batch;
    lstm_start(pass->lstm, batch);
    for (size_t t = 0; t < steps; t++) {
        int kind = (int)space_token_kind((int)t);
        size_t outputs = controller->outputs[kind];
        const double *head = controller->weights + controller->head[kind].first,
                     *bias = head + hidden * outputs;
        for (size_t b = 0; b < batch; b++)
            memcpy(pass->input + b * hidden,
                   controller->weights + embedding_of(controller, tokens + b * steps, t),
                   hidden * sizeof(double));
        const double *output =
            lstm_step(pass->lstm, controller->weights + controller->lstm.first, pass->input);
        memcpy(pass->output + t * batch * hidden, output, batch * hidden * sizeof(double));
        matrix_multiply(false, false, batch, outputs, hidden, 1, output, head, 0, pass->scratch);
        for (size_t b = 0; b < batch; b++) {
            double *row = pass_row(controller, pass, pass->log_probability, t, b);
            for (size_t j = 0; j < controller->choices[t]; j++)
                row[j] = pass->scratch[b * outputs + j] + bias[j];
            log_softmax(row, controller->choices[t]);
            if (rng)
                tokens[b * steps + t] = draw(row, controller->choices[t], rng);
        }
    }
}

void controller_backward(const struct controller *controller, struct pass *pass, const uint16_t *tokens,
                         double *gradient)
{
    size_t hidden = controller->hidden, steps = controller->steps, batch = pass->batch;
    for (size_t t = 0; t < steps; t++) {
        int kind = (int)space_token_kind((int)t);
        size_t outputs = controller->outputs[kind];
        double *dhead = gradient + controller->head[kind].first, *dbias = dhead + hidden * outputs;
        const double *head = controller->weights + controller->head[kind].first;
        for (size_t b = 0; b < batch; b++) {
            const double *row = pass_row(controller, pass, pass->dlogits, t, b);
            for (size_t j = 0; j < outputs; j++) {
                double dlogit = j < controller->choices[t] ? row[j] : 0;
                pass->scratch[b * outputs + j] = dlogit;
                dbias[j] += dlogit;
            }
        }
        matrix_multiply(true, false, hidden, outputs, batch, 1, pass->output + t * batch * hidden,
                        pass->scratch, 1, dhead);
        matrix_multiply(false, true, batch, hidden, outputs, 1, pass->scratch, head, 0,
                        pass->doutput + t * batch * hidden);
    }
    lstm_backward(pass->lstm, controller->weights + controller->lstm.first, pass->doutput, pass->dinput,
                  gradient + controller->lstm.first);
    for (size_t t = 0; t < steps; t++)
        for (size_t b = 0; b < batch; b++) {
            double *embedding = gradient + embedding_of(controller, tokens + b * steps, t);
            for (size_t k = 0; k < hidden; k++)
                embedding[k] += pass->dinput[(t * batch + b) * hidden + k];
        }
}

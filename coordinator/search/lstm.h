/* lstm: layers of long short-term memory over a batch of sequences, forward step by step and backward through
 * time.
 *
 * With x the input and h, c the output and cell of the step before (zero at the first):
 *   (i, f, g, o) = (σ, σ, tanh, σ)([x h]·W + bias),  c' = f·c + i·g,  h' = o·tanh(c')        (Gers,
 * Schmidhuber and Cummins, 2000) Inputs are as wide as outputs. The weights of all layers are one block of
 * the caller's: for each layer W, 2·hidden × 4·hidden with the gates side by side, then bias, 4·hidden. All
 * matrices are row-major with a row per sequence.
 */
#ifndef COORDINATOR_SEARCH_LSTM_H
#define COORDINATOR_SEARCH_LSTM_H

#include <stddef.h>

struct lstm_shape {
    size_t layers, hidden;
};

size_t lstm_layer_weights(const struct lstm_shape *shape); /* numbers in one layer */

/* What the forward steps leave for the backward pass. Holds up to `capacity` sequences of `steps` steps. */
struct lstm;

struct lstm *lstm_new(const struct lstm_shape *shape, size_t steps, size_t capacity);
void lstm_destroy(struct lstm **lstm);

/* Forgets all steps; the following ones are of `batch` sequences (at most capacity). */
void lstm_start(struct lstm *lstm, size_t batch);
/* The next step. input: batch × hidden. Returns the last layer's output, batch × hidden, kept until the next
 * start. */
const double *lstm_step(struct lstm *lstm, const double *weights, const double *input);
/* Backward through all steps made. doutput: steps × batch × hidden, the loss's gradient in each output, and
 * is overwritten. dinput: the same, in each input. gradient: as the weights, added to. */
void lstm_backward(struct lstm *lstm, const double *weights, double *doutput, double *dinput,
                   double *gradient);

#endif

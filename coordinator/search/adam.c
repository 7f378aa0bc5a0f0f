#include "coordinator/search/adam.h"

#include "common/err.h"

#include <math.h>
#include <stdlib.h>

static const double first_decay = 0.9, second_decay = 0.999, epsilon = 1e-8;

void adam_init(struct adam *adam, size_t count)
{
    *adam = (struct adam){.count = count,
                          .first = xcalloc(count, sizeof(double)),
                          .second = xcalloc(count, sizeof(double)),
                          .first_bias = 1,
                          .second_bias = 1};
}

void adam_release(struct adam *adam)
{
    free(adam->first);
    free(adam->second);
    *adam = (struct adam){0};
}

void adam_step(struct adam *adam, double lr, const double *gradient, double *weights)
{
    adam->first_bias *= first_decay;
    adam->second_bias *= second_decay;
    double first_scale = 1 / (1 - adam->first_bias), second_scale = 1 / (1 - adam->second_bias);
    for (size_t i = 0; i < adam->count; i++) {
        double g = gradient[i];
        adam->first[i] = first_decay * adam->first[i] + (1 - first_decay) * g;
        adam->second[i] = second_decay * adam->second[i] + (1 - second_decay) * g * g;
        weights[i] -= lr * adam->first[i] * first_scale / (sqrt(adam->second[i] * second_scale) + epsilon);
    }
}

void adam_save(const struct adam *adam, struct buf *buf)
{
    buf_put_f64(buf, adam->first_bias);
    buf_put_f64(buf, adam->second_bias);
    buf_put_f64s(buf, adam->first, adam->count);
    buf_put_f64s(buf, adam->second, adam->count);
}

int adam_load(struct adam *adam, struct cursor *cursor)
{
    adam->first_bias = cursor_take_f64(cursor);
    adam->second_bias = cursor_take_f64(cursor);
    cursor_take_f64s(cursor, adam->first, adam->count);
    cursor_take_f64s(cursor, adam->second, adam->count);
    return cursor->failed ? ERR_CORRUPT : 0;
}

void gradient_clip(double *gradient, size_t count, double limit)
{
    double square = 0;
    for (size_t i = 0; i < count; i++)
        square += gradient[i] * gradient[i];
    double norm = sqrt(square);
    if (limit <= 0 || norm <= limit)
        return;
    for (size_t i = 0; i < count; i++)
        gradient[i] *= limit / norm;
}

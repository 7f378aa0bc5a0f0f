#include "coordinator/status/sketch.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    POINTS = SKETCH_WIDTH + 1, /* of a path */
    SAMPLES = 401,             /* of the numbers */
};
static const double X_LIMIT = 5, Y_LIMIT = 5;

static double sample_x(int sample, int samples)
{
    return -X_LIMIT + 2 * X_LIMIT * sample / (samples - 1);
}

static void initial_betas(const struct expr *f, double ret_beta[EXPR_MAX_BETAS])
{
    for (int i = 0; i < EXPR_MAX_BETAS; i++)
        ret_beta[i] = i < expr_betas(f) ? expr_beta_init(f, i) : 0;
}

void sketch_put(const struct expr *f, const char *key, struct json *json)
{
    double beta[EXPR_MAX_BETAS], value[POINTS], low = -1, high = 1;
    initial_betas(f, beta);
    for (int i = 0; i < POINTS; i++) {
        value[i] = expr_eval(f, sample_x(i, POINTS), beta);
        if (isfinite(value[i])) {
            low = fmax(fmin(low, value[i]), -Y_LIMIT);
            high = fmin(fmax(high, value[i]), Y_LIMIT);
        }
    }
    const double scale = (SKETCH_HEIGHT - 2) / (high - low); /* the line is not cut in half at the edges */
    struct buf path = {0};
    bool drawing = false;
    for (int i = 0; i < POINTS; i++) {
        const bool seen = value[i] >= low && value[i] <= high; /* false for NaN */
        if (seen)
            buf_printf(&path, "%c%d %.3g", drawing ? 'L' : 'M', i, 1 + (high - value[i]) * scale);
        drawing = seen;
    }
    json_object(json, key);
    json_text(json, "path", buf_text(&path));
    json_real(json, "zero", round(10 * (1 + high * scale)) / 10);
    json_end(json);
    buf_release(&path);
}

/* Six digits are enough for a picture, and are less to send. */
static double shortened(double value)
{
    char text[REAL_TEXT];
    snprintf(text, sizeof text, "%.6g", value);
    return strtod(text, NULL);
}

static void put_list(const double *values, const char *key, struct json *json)
{
    json_array(json, key);
    for (int i = 0; i < SAMPLES; i++)
        json_real(json, NULL, shortened(values[i]));
    json_end(json);
}

void sketch_put_samples(const struct expr *f, const char *key, struct json *json)
{
    double beta[EXPR_MAX_BETAS], unused[EXPR_MAX_BETAS], x[SAMPLES], value[SAMPLES], slope[SAMPLES];
    initial_betas(f, beta);
    for (int i = 0; i < SAMPLES; i++) {
        x[i] = sample_x(i, SAMPLES);
        value[i] = expr_eval_gradient(f, x[i], beta, &slope[i], unused);
    }
    json_object(json, key);
    put_list(x, "x", json);
    put_list(value, "f", json);
    put_list(slope, "df", json);
    json_end(json);
}

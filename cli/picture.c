#include "cli/picture.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum {
    SAMPLES_PER_COLUMN = 16, /* so that a steep line has no gaps */
    SAMPLES = PICTURE_WIDTH * SAMPLES_PER_COLUMN,
    MARK_F = 1,
    MARK_DERIVATIVE = 2,
};
static const double X_LIMIT = 5, Y_LIMIT = 5;

struct canvas {
    uint8_t marks[PICTURE_HEIGHT][PICTURE_WIDTH];
    double low, high;
};

static double sample_x(int sample)
{
    return -X_LIMIT + 2 * X_LIMIT * sample / (SAMPLES - 1);
}

static int row_of(const struct canvas *canvas, double y)
{
    return (int)lround((canvas->high - y) / (canvas->high - canvas->low) * (PICTURE_HEIGHT - 1));
}

/* Widens low … high to hold the values, within ±Y_LIMIT. */
static void canvas_fit(struct canvas *canvas, const double *values)
{
    for (int i = 0; i < SAMPLES; i++) {
        if (!isfinite(values[i]))
            continue;
        canvas->low = fmax(fmin(canvas->low, values[i]), -Y_LIMIT);
        canvas->high = fmin(fmax(canvas->high, values[i]), Y_LIMIT);
    }
}

static void canvas_draw(struct canvas *canvas, const double *values, uint8_t mark)
{
    for (int i = 0; i < SAMPLES; i++)
        if (values[i] >= canvas->low && values[i] <= canvas->high)
            canvas->marks[row_of(canvas, values[i])][i / SAMPLES_PER_COLUMN] |= mark;
}

void picture_functions(const struct expr *f, struct buf *ret_text)
{
    double beta[EXPR_MAX_BETAS] = {0}, unused[EXPR_MAX_BETAS];
    for (int i = 0; i < expr_betas(f); i++)
        beta[i] = expr_beta_init(f, i);
    double values[SAMPLES], slopes[SAMPLES];
    for (int i = 0; i < SAMPLES; i++)
        values[i] = expr_eval_gradient(f, sample_x(i), beta, &slopes[i], unused);
    struct canvas canvas = {.low = -1, .high = 1};
    canvas_fit(&canvas, values);
    canvas_fit(&canvas, slopes);
    canvas_draw(&canvas, values, MARK_F);
    canvas_draw(&canvas, slopes, MARK_DERIVATIVE);

    const int axis_row = row_of(&canvas, 0), axis_column = PICTURE_WIDTH / 2;
    static const char *const marks[] = {NULL, "*", "o", "@"};
    for (int row = 0; row < PICTURE_HEIGHT; row++) {
        char label[16] = "";
        if (row == 0 || row == PICTURE_HEIGHT - 1)
            snprintf(label, sizeof label, "%.2f", row == 0 ? canvas.high : canvas.low);
        buf_printf(ret_text, "%6s ", row == axis_row && !label[0] ? "0" : label);
        for (int column = 0; column < PICTURE_WIDTH; column++) {
            bool horizontal = row == axis_row, vertical = column == axis_column;
            const char *axis = horizontal && vertical ? "┼" : horizontal ? "─" : vertical ? "│" : " ";
            const char *mark = marks[canvas.marks[row][column]];
            buf_printf(ret_text, "%s", mark ? mark : axis);
        }
        buf_printf(ret_text, "\n");
    }
    buf_printf(ret_text, "%6s -5%*s0%*s5    * f   o f'   @ both\n", "", axis_column - 2, "", axis_column - 1,
               "");
}

void picture_sparkline(const double *values, int count, struct buf *ret_text)
{
    double low = INFINITY, high = -INFINITY;
    for (int i = 0; i < count; i++)
        if (isfinite(values[i])) {
            low = fmin(low, values[i]);
            high = fmax(high, values[i]);
        }
    picture_levels(values, count, low, high, ret_text);
}

void picture_levels(const double *values, int count, double low, double high, struct buf *ret_text)
{
    static const char *const blocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    enum { BLOCKS = sizeof blocks / sizeof *blocks };
    for (int i = 0; i < count; i++) {
        double share = high > low ? fmin(fmax((values[i] - low) / (high - low), 0), 1) : 0;
        buf_printf(ret_text, "%s", isfinite(values[i]) ? blocks[(int)(share * (BLOCKS - 1) + 0.5)] : "!");
    }
}

/* plots_function: pictures of single functions: their values, slopes and learning curves. */
#include "cli/plot_parts.h"

#include "common/expr/expr.h"

#include <math.h>
#include <stdlib.h>

enum { POINTS = 401 }; /* of a function */
static const double X_LIMIT = 5, Y_LIMIT = 5;

/* ---- functions and derivatives ------------------------------------------------------------------------- */

/* The values of each picked function as data block $f0, $f1, …; widens low … high. */
static void put_samples(struct buf *script, const char *activation, int number, bool slope, double *low,
                        double *high)
{
    double beta[EXPR_MAX_BETAS] = {0}, unused[EXPR_MAX_BETAS];
    struct expr *expr = NULL;
    struct problem problem;
    buf_printf(script, "$f%d << END\n", number);
    if (expr_parse(activation, &expr, &problem) == 0) {
        for (int k = 0; k < expr_betas(expr); k++)
            beta[k] = expr_beta_init(expr, k);
        for (int i = 0; i < POINTS; i++) {
            const double x = -X_LIMIT + 2 * X_LIMIT * i / (POINTS - 1);
            double df;
            const double f = expr_eval_gradient(expr, x, beta, &df, unused), y = slope ? df : f;
            if (!isfinite(y)) {
                buf_printf(script, "\n"); /* interrupts the line */
                continue;
            }
            buf_printf(script, "%g %.6g\n", x, y);
            *low = fmax(fmin(*low, y), -Y_LIMIT);
            *high = fmin(fmax(*high, y), Y_LIMIT);
        }
    }
    buf_printf(script, "END\n");
    expr_destroy(&expr);
}

enum {
    PANEL_FUNCTIONS = 4,
    PANEL_WIDTH = 540,
    PANEL_HEIGHT = 380,
    LEGEND_LINE = 22,
    TITLE_HEIGHT = 64,
    AXIS_HEIGHT = 52
};

/* A panel shows so many functions, and all references; its legend stands below it. */
static void put_panel(struct buf *script, const struct picked *picked, int panel, int panels,
                      const char *y_label)
{
    const int functions = picked_functions(picked), references = picked->rows.rows - functions;
    const int columns = panels > 1 ? 2 : 1, lines = (panels + 1) / 2;
    const int legend_lines = (functions < PANEL_FUNCTIONS ? functions : PANEL_FUNCTIONS) + references;
    const double legend = LEGEND_LINE * legend_lines + 12;
    const double cell = PANEL_HEIGHT + AXIS_HEIGHT + legend, height = TITLE_HEIGHT + lines * cell;
    const double left = (double)(panel % columns) / columns, width = 1.0 / columns;
    const double top = 1 - (TITLE_HEIGHT + panel / columns * cell) / height;
    const double bottom = top - PANEL_HEIGHT / height, below = bottom - AXIS_HEIGHT / height;
    buf_printf(
        script,
        "set lmargin at screen %.4f\nset rmargin at screen %.4f\nset tmargin at screen %.4f\nset bmargin at "
        "screen %.4f\nset key at screen %.4f, screen %.4f left top vertical maxcols 1\n",
        left + 0.13 * width, left + 0.96 * width, top, bottom, left + 0.10 * width, below);
    buf_printf(script, "set ylabel '%s' offset 1\nplot ", y_label);
    const int first = panel * PANEL_FUNCTIONS;
    for (int row = first; row < picked->rows.rows; row++) {
        if (row >= first + PANEL_FUNCTIONS && row < functions)
            continue;
        const bool reference = row >= functions;
        buf_printf(script, "%s$f%d with lines ", row > first ? ", " : "", row);
        plot_line_style(script, reference, reference ? row - functions : row - first);
        buf_printf(script, " title ");
        picked_legend(script, picked, row);
    }
    buf_printf(script, "\nunset label 1\nunset label 2\n");
}

static int functions_or_derivatives(struct store_reader *reader, const struct plot_options *options,
                                    bool slope, struct buf *script, struct problem *problem)
{
    struct picked picked = {0};
    int err = picked_read(reader, options, &picked, problem);
    if (err)
        return err;
    const int functions = picked_functions(&picked), references = picked.rows.rows - functions;
    const int panels = functions <= PANEL_FUNCTIONS ? 1 : (functions + PANEL_FUNCTIONS - 1) / PANEL_FUNCTIONS;
    const int legend_lines = (functions < PANEL_FUNCTIONS ? functions : PANEL_FUNCTIONS) + references;
    double low = -1, high = 1;
    const int height =
        TITLE_HEIGHT + (panels + 1) / 2 * (PANEL_HEIGHT + AXIS_HEIGHT + LEGEND_LINE * legend_lines + 12);
    plot_start(script, options, panels > 1 ? 2 * PANEL_WIDTH : PANEL_WIDTH + 120, height);
    for (int row = 0; row < picked.rows.rows; row++)
        put_samples(script, answer_text(&picked.rows, row, "activation"), row, slope, &low, &high);
    const double margin = 0.04 * (high - low);
    char *title = xasprintf("%s: %s of highest accuracy", picked.experiment,
                            slope ? "slopes of the functions" : "functions");
    char *subtitle =
        xasprintf("validation accuracy after %lld steps; parameters b at their initial values", picked.steps);
    plot_title(script, height, title, subtitle);
    buf_printf(script,
               "set multiplot\nset xrange [%g:%g]\nset yrange [%.4g:%.4g]\nset xlabel 'preactivation x' "
               "offset 0,0.4\n"
               "set xzeroaxis linetype 1 linecolor '#999999'\nset yzeroaxis linetype 1 linecolor '#999999'\n",
               -X_LIMIT, X_LIMIT, low - margin, high + margin);
    for (int panel = 0; panel < panels; panel++)
        put_panel(script, &picked, panel, panels, slope ? "f''(x)" : "f(x)");
    buf_printf(script, "unset multiplot\n");
    free(title);
    free(subtitle);
    picked_release(&picked);
    return 0;
}

int plot_script_functions(struct store_reader *reader, const struct plot_options *options, struct buf *script,
                          struct problem *problem)
{
    return functions_or_derivatives(reader, options, false, script, problem);
}

int plot_script_derivatives(struct store_reader *reader, const struct plot_options *options,
                            struct buf *script, struct problem *problem)
{
    return functions_or_derivatives(reader, options, true, script, problem);
}

/* ---- learning curves ----------------------------------------------------------------------------------- */

/* Raises *highest to the loss with which the curve begins. */
static int put_curve(struct store_reader *reader, const char *activation, int number, struct buf *script,
                     double *highest, struct problem *problem)
{
    struct answer curve = {0};
    const char *const parameters[] = {activation, NULL};
    int err = answer_query(
        reader,
        "SELECT step, loss FROM curve WHERE trial = (SELECT t.id FROM trial AS t JOIN candidate AS c "
        "ON c.id = t.candidate WHERE c.activation = ?1 AND EXISTS (SELECT 1 FROM curve WHERE trial = "
        "t.id) ORDER BY t.steps DESC, t.replica LIMIT 1) ORDER BY point",
        parameters, &curve, problem);
    if (err)
        return err;
    buf_printf(script, "$f%d << END\n", number);
    for (int row = 0; row < curve.rows; row++)
        buf_printf(script, "%s %s\n", answer_text(&curve, row, "step"),
                   answer_text(&curve, row, "loss") ? answer_text(&curve, row, "loss") : "NaN");
    buf_printf(script, "%sEND\n", curve.rows ? "" : "NaN NaN\n");
    if (curve.rows)
        *highest = fmax(*highest, answer_real(&curve, 0, "loss"));
    answer_release(&curve);
    return 0;
}

int plot_script_curves(struct store_reader *reader, const struct plot_options *options, struct buf *script,
                       struct problem *problem)
{
    struct picked picked = {0};
    int err = picked_read(reader, options, &picked, problem);
    if (err)
        return err;
    const int functions = picked_functions(&picked);
    plot_start(script, options, PLOT_WIDTH, PLOT_HEIGHT);
    char *title = xasprintf("%s: learning curves", picked.experiment);
    plot_title(script, PLOT_HEIGHT, title,
               "of the first training of each function; the list is in order of validation accuracy");
    free(title);
    double highest = 0;
    for (int row = 0; row < picked.rows.rows && !err; row++)
        err = put_curve(reader, answer_text(&picked.rows, row, "activation"), row, script, &highest, problem);
    if (highest > 0) /* a training that diverges leaves the picture instead of flattening all others */
        buf_printf(script, "set yrange [*:*<%.6g]\n", 2 * highest);
    buf_printf(script,
               "set tmargin at screen 0.88\nset key outside right top vertical\nset xlabel 'training step'\n"
               "set ylabel 'training loss (nats)'\nset offsets 0, 0, graph 0.05, graph 0.05\nplot ");
    for (int row = 0; row < picked.rows.rows; row++) {
        const bool reference = row >= functions;
        buf_printf(script, "%s$f%d with lines ", row > 0 ? ", " : "", row);
        plot_line_style(script, reference, reference ? row - functions : row);
        buf_printf(script, " title ");
        picked_legend(script, &picked, row);
    }
    buf_printf(script, "\n");
    picked_release(&picked);
    return err;
}

#include "cli/plots.h"

#include "cli/answer.h"
#include "cli/gnuplot.h"
#include "cli/ranking.h"
#include "cli/table.h"
#include "common/expr/expr.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    POINTS = 401,      /* of a function */
    LEGEND_WIDTH = 34, /* characters of a formula in a legend */
    WIDTH = 1080,
    HEIGHT = 540,       /* pixels */
    MOST_POINTS = 4000, /* dots of one picture: more only make the file larger */
};
static const double X_LIMIT = 5, Y_LIMIT = 5;

/* ---- what the pictures share --------------------------------------------------------------------------- */

/* `subtitle` says what the picture is about in smaller letters. */
static void put_start(struct buf *script, const struct plot_options *options, int width, int height)
{
    buf_printf(script, "set encoding utf8\n");
    if (options->png)
        buf_printf(script,
                   "set terminal pngcairo noenhanced size %d,%d font 'Sans,10.5' background '#ffffff'\n",
                   width, height);
    else
        buf_printf(
            script,
            "set terminal svg noenhanced size %d,%d dynamic font 'Helvetica,Arial,DejaVu Sans,sans-serif,12' "
            "background '#ffffff'\n",
            width, height);
    buf_printf(script, "set border 3 linecolor '#444444'\n"
                       "set tics nomirror scale 0.6 textcolor '#222222'\n"
                       "set grid linetype 1 linewidth 1 linecolor '#e4e4e4'\n"
                       "set key Left reverse samplen 2.2 spacing 1.25 textcolor '#222222'\n");
}

/* Two lines above everything. */
static void put_title(struct buf *script, int height, const char *title, const char *subtitle)
{
    buf_printf(script, "set label 1 ");
    gnuplot_put_text(script, title);
    buf_printf(script, " at screen 0.5, screen %.4f center font ',16'\nset label 2 ", 1 - 20.0 / height);
    gnuplot_put_text(script, subtitle);
    buf_printf(script, " at screen 0.5, screen %.4f center textcolor '#555555'\n", 1 - 44.0 / height);
}

static const char *const colours[] = {"#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"};
static const char *const greys[] = {"#000000", "#6e6e6e", "#a0a0a0"};
enum { COLOURS = sizeof colours / sizeof *colours, GREYS = sizeof greys / sizeof *greys };

/* Number `index` of the functions, or of the references. */
static void put_line_style(struct buf *script, bool reference, int index)
{
    static const int dashes[] = {1, 2, 4, 3};
    if (reference)
        buf_printf(script, "linewidth 2 dashtype (6,4) linecolor '%s'", greys[index % GREYS]);
    else
        buf_printf(script, "linewidth 2.2 dashtype %d linecolor '%s'", dashes[index / COLOURS % 4],
                   colours[index % COLOURS]);
}

/* "x*sigmoid(b0*x)", cut where it is too long for a legend. malloc'd. */
static char *short_formula(const char *activation)
{
    return strlen(activation) <= LEGEND_WIDTH ? xstrdup(activation)
                                              : xasprintf("%.*s…", LEGEND_WIDTH - 1, activation);
}

/* ---- the functions that are drawn ---------------------------------------------------------------------- */

/* The first of the ranked list, then the references. */
struct picked {
    struct answer rows; /* rank, activation, accuracy_mean, reference */
    char *experiment;   /* its name */
    long long steps, proposals;
};

static void picked_release(struct picked *picked)
{
    answer_release(&picked->rows);
    free(picked->experiment);
}

static int pick(struct store_reader *reader, const struct plot_options *options, struct picked *ret_picked,
                struct problem *problem)
{
    struct picked picked = {0};
    struct answer all = {0};
    char *limit = xasprintf("%lld", (long long)options->functions);
    const char *const parameters[] = {limit, NULL};
    int err =
        answer_query(reader,
                     "SELECT * FROM (SELECT rank, activation, accuracy_mean, reference FROM ranking "
                     "WHERE NOT reference LIMIT CAST(?1 AS INTEGER)) UNION ALL SELECT * FROM (SELECT rank, "
                     "activation, accuracy_mean, reference FROM ranking WHERE reference LIMIT 3)",
                     parameters, &picked.rows, problem);
    if (!err)
        err = answer_query(reader,
                           "SELECT name, (SELECT proposals FROM counters) AS proposals, "
                           "(SELECT max(steps) FROM candidate WHERE seeds > 0) AS steps FROM experiment",
                           NULL, &all, problem);
    if (!err && (picked.rows.rows == 0 || all.rows == 0))
        err = problem_set(problem, ERR_NOT_FOUND, "no function has a rank yet, so there is nothing to draw");
    if (!err) {
        const char *name = answer_text(&all, 0, "name");
        picked.experiment = xstrdup(name && name[0] ? name : "search");
        picked.proposals = (long long)answer_int(&all, 0, "proposals");
        picked.steps = (long long)answer_int(&all, 0, "steps");
        *ret_picked = picked;
    } else {
        picked_release(&picked);
    }
    answer_release(&all);
    free(limit);
    return err;
}

static bool is_reference(const struct picked *picked, int row)
{
    return answer_int(&picked->rows, row, "reference") != 0;
}

static int functions_of(const struct picked *picked)
{
    int count = 0;
    while (count < picked->rows.rows && !is_reference(picked, count))
        count++;
    return count;
}

/* "#3   48.30 %   x*sigmoid(b0*x)" */
static void put_legend(struct buf *script, const char *activation, long long rank, double accuracy,
                       bool reference)
{
    char *formula = short_formula(activation);
    char *text =
        xasprintf("%.2f %%  %s  (%s%lld)", 100 * accuracy, formula, reference ? "reference, #" : "#", rank);
    gnuplot_put_text(script, text);
    free(text);
    free(formula);
}

static void put_picked_legend(struct buf *script, const struct picked *picked, int row)
{
    put_legend(script, answer_text(&picked->rows, row, "activation"),
               (long long)answer_int(&picked->rows, row, "rank"),
               answer_real(&picked->rows, row, "accuracy_mean"), is_reference(picked, row));
}

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
    const int functions = functions_of(picked), references = picked->rows.rows - functions;
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
        put_line_style(script, reference, reference ? row - functions : row - first);
        buf_printf(script, " title ");
        put_picked_legend(script, picked, row);
    }
    buf_printf(script, "\nunset label 1\nunset label 2\n");
}

static int functions_or_derivatives(struct store_reader *reader, const struct plot_options *options,
                                    bool slope, struct buf *script, struct problem *problem)
{
    struct picked picked = {0};
    int err = pick(reader, options, &picked, problem);
    if (err)
        return err;
    const int functions = functions_of(&picked), references = picked.rows.rows - functions;
    const int panels = functions <= PANEL_FUNCTIONS ? 1 : (functions + PANEL_FUNCTIONS - 1) / PANEL_FUNCTIONS;
    const int legend_lines = (functions < PANEL_FUNCTIONS ? functions : PANEL_FUNCTIONS) + references;
    double low = -1, high = 1;
    const int height =
        TITLE_HEIGHT + (panels + 1) / 2 * (PANEL_HEIGHT + AXIS_HEIGHT + LEGEND_LINE * legend_lines + 12);
    put_start(script, options, panels > 1 ? 2 * PANEL_WIDTH : PANEL_WIDTH + 120, height);
    for (int row = 0; row < picked.rows.rows; row++)
        put_samples(script, answer_text(&picked.rows, row, "activation"), row, slope, &low, &high);
    const double margin = 0.04 * (high - low);
    char *title = xasprintf("%s: %s of highest accuracy", picked.experiment,
                            slope ? "slopes of the functions" : "functions");
    char *subtitle =
        xasprintf("validation accuracy after %lld steps; parameters b at their initial values", picked.steps);
    put_title(script, height, title, subtitle);
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

static int script_functions(struct store_reader *reader, const struct plot_options *options,
                            struct buf *script, struct problem *problem)
{
    return functions_or_derivatives(reader, options, false, script, problem);
}

static int script_derivatives(struct store_reader *reader, const struct plot_options *options,
                              struct buf *script, struct problem *problem)
{
    return functions_or_derivatives(reader, options, true, script, problem);
}

/* ---- learning curves ----------------------------------------------------------------------------------- */

static int put_curve(struct store_reader *reader, const char *activation, int number, struct buf *script,
                     struct problem *problem)
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
    answer_release(&curve);
    return 0;
}

static int script_curves(struct store_reader *reader, const struct plot_options *options, struct buf *script,
                         struct problem *problem)
{
    struct picked picked = {0};
    int err = pick(reader, options, &picked, problem);
    if (err)
        return err;
    const int functions = functions_of(&picked);
    put_start(script, options, WIDTH, HEIGHT);
    char *title = xasprintf("%s: learning curves", picked.experiment);
    put_title(script, HEIGHT, title,
              "of the first training of each function; the list is in order of validation accuracy");
    free(title);
    for (int row = 0; row < picked.rows.rows && !err; row++)
        err = put_curve(reader, answer_text(&picked.rows, row, "activation"), row, script, problem);
    buf_printf(script,
               "set tmargin at screen 0.88\nset key outside right top vertical\nset xlabel 'training step'\n"
               "set ylabel 'training loss (nats)'\nset offsets 0, 0, graph 0.05, graph 0.05\nplot ");
    for (int row = 0; row < picked.rows.rows; row++) {
        const bool reference = row >= functions;
        buf_printf(script, "%s$f%d with lines ", row > 0 ? ", " : "", row);
        put_line_style(script, reference, reference ? row - functions : row);
        buf_printf(script, " title ");
        put_picked_legend(script, &picked, row);
    }
    buf_printf(script, "\n");
    picked_release(&picked);
    return err;
}

/* Dots are smaller where there are many of them. */
static double point_size(long long points)
{
    return points <= 200 ? 0.75 : points <= 2000 ? 0.5 : 0.3;
}

/* ---- progress ------------------------------------------------------------------------------------------ */

/* Data block of two columns. Returns whether it has a row. `thin`: at most MOST_POINTS. */
static int put_block(struct store_reader *reader, const char *sql, const char *name, bool thin,
                     struct buf *script, int *ret_rows, struct problem *problem)
{
    struct answer answer = {0};
    int err = answer_query(reader, sql, NULL, &answer, problem);
    if (err)
        return err;
    const int every = thin ? 1 + answer.rows / MOST_POINTS : 1;
    buf_printf(script, "$%s << END\n", name);
    for (int row = 0; row < answer.rows; row += every)
        buf_printf(script, "%s %s\n", answer.values[row * answer.columns],
                   answer.values[row * answer.columns + 1]);
    buf_printf(script, "END\n");
    *ret_rows = answer.rows;
    answer_release(&answer);
    return 0;
}

static int script_progress(struct store_reader *reader, const struct plot_options *options,
                           struct buf *script, struct problem *problem)
{
    struct picked picked = {0};
    int rows = 0, best = 0, averages = 0;
    int err = pick(reader, options, &picked, problem);
    if (err)
        return err;
    put_start(script, options, WIDTH, HEIGHT);
    err = put_block(
        reader,
        "SELECT first_proposal + 1, 100 * accuracy_mean FROM candidate WHERE seeds > 0 AND NOT reference "
        "ORDER BY first_proposal",
        "all", true, script, &rows, problem);
    if (!err) /* where it rises, and the last one; of the functions that were trained longest */
        err =
            put_block(reader,
                      "WITH best AS (SELECT first_proposal AS at, max(100 * accuracy_mean) OVER (ORDER BY "
                      "first_proposal) AS "
                      "y FROM candidate WHERE seeds > 0 AND NOT reference AND steps = (SELECT max(steps) "
                      "FROM candidate "
                      "WHERE seeds > 0)) SELECT min(at) + 1, y FROM best GROUP BY y "
                      "UNION ALL SELECT max((SELECT proposals FROM counters), max(at) + 1), max(y) FROM best "
                      "HAVING count(*) > 0 ORDER BY 1",
                      "best", false, script, &best, problem);
    if (!err)
        err = put_block(reader,
                        "SELECT proposals, 100 * baseline FROM search_history WHERE policy_version > 0 AND "
                        "baseline IS NOT NULL "
                        "ORDER BY policy_version",
                        "average", false, script, &averages, problem);
    if (!err && rows == 0)
        err =
            problem_set(problem, ERR_NOT_FOUND, "no proposal has a result yet, so there is nothing to draw");
    char *title = xasprintf("%s: the search", picked.experiment);
    char *subtitle = xasprintf(
        "each dot is one function, where it was proposed first; %lld steps of training", picked.steps);
    put_title(script, HEIGHT, title, subtitle);
    free(title);
    free(subtitle);
    buf_printf(
        script,
        "set tmargin at screen 0.88\nset key outside right top vertical\nset xlabel 'proposal number'\n"
        "set ylabel 'validation accuracy (%%)'\nset yrange [0:*]\nset offsets 0, 0, graph 0.06, 0\nset "
        "xrange [0:%g]\n"
        "plot $all with points pointtype 7 pointsize %g linecolor '#56B4E9' title 'a function', "
        "$best with steps linewidth 2.4 linecolor '#D55E00' title 'the best so far'",
        1.03 * (double)picked.proposals, point_size(rows));
    if (averages > 1)
        buf_printf(
            script,
            ", $average with lines linewidth 2 linecolor '#009E73' title 'moving average of the controller'");
    for (int row = functions_of(&picked), first = row; row < picked.rows.rows; row++) {
        buf_printf(script, ", %.6g with lines ", 100 * answer_real(&picked.rows, row, "accuracy_mean"));
        put_line_style(script, true, row - first);
        buf_printf(script, " title ");
        put_picked_legend(script, &picked, row);
    }
    buf_printf(script, "\n");
    picked_release(&picked);
    return err;
}

/* ---- accuracy against cost ----------------------------------------------------------------------------- */

struct cloud {
    struct buf all, front, entries; /* lines of data; the parts of the plot command of those in the legend */
    struct buf references;
    struct pareto pareto;
    int64_t steps, functions;
    int64_t every; /* so many functions make a dot */
    int shown, shown_references;
    double low, high;
};

/* A point with a sign and a legend entry of its own. */
static void put_entry(struct cloud *cloud, const struct ranking_row *row)
{
    static const int signs[] = {7, 5, 9, 11, 13, 15, 4, 6, 8, 10, 12, 14};
    struct buf *out = row->reference ? &cloud->references : &cloud->entries;
    const int index = row->reference ? cloud->shown_references++ : cloud->shown++;
    buf_printf(out,
               ", '+' using (%.6g):(%.6g) every ::::0 with points linewidth 2 pointsize %s pointtype %d "
               "linecolor '%s' title ",
               row->cost_ns, 100 * row->accuracy_mean, row->reference ? "1.5" : "1.2",
               row->reference ? 2 : signs[index % 12],
               row->reference ? greys[index % GREYS] : colours[index % COLOURS]);
    put_legend(out, row->activation, (long long)row->rank, row->accuracy_mean, row->reference);
}

static bool cloud_visit(void *context, const struct ranking_row *row)
{
    struct cloud *cloud = context;
    if (cloud->functions++ == 0)
        cloud->steps = row->steps;
    if (row->steps != cloud->steps)
        return false;
    if (!isfinite(row->cost_ns) || row->cost_ns <= 0)
        return true;
    const bool front = pareto_keeps(&cloud->pareto, row);
    cloud->low = fmin(cloud->low, row->cost_ns);
    cloud->high = fmax(cloud->high, row->cost_ns);
    if (cloud->functions % cloud->every == 0)
        buf_printf(&cloud->all, "%.6g %.6g\n", row->cost_ns, 100 * row->accuracy_mean);
    if (front)
        buf_printf(&cloud->front, "%.6g %.6g\n", row->cost_ns, 100 * row->accuracy_mean);
    if ((front && cloud->shown < 12 && !row->reference) || (row->reference && cloud->shown_references < 3))
        put_entry(cloud, row);
    return true;
}

static int script_space(struct store_reader *reader, const struct plot_options *options, struct buf *script,
                        struct problem *problem)
{
    struct picked picked = {0};
    struct cloud cloud = {.low = HUGE_VAL};
    int err = pick(reader, options, &picked, problem);
    cloud.every = 1 + picked.proposals / MOST_POINTS;
    if (!err)
        err = store_ranking(reader, 0, cloud_visit, &cloud, problem);
    if (!err && cloud.high == 0)
        err = problem_set(problem, ERR_NOT_FOUND,
                          "no function has a measured cost yet, so there is nothing to draw");
    if (!err) {
        put_start(script, options, WIDTH, HEIGHT);
        buf_printf(script, "$all << END\n%sEND\n$front << END\n%sEND\n", buf_text(&cloud.all),
                   buf_text(&cloud.front));
        char *title = xasprintf("%s: accuracy against cost", picked.experiment);
        char *subtitle = xasprintf(
            "%lld steps of training; the list: those that none both better and cheaper beats, and references",
            picked.steps);
        put_title(script, HEIGHT, title, subtitle);
        free(title);
        free(subtitle);
        buf_printf(script,
                   "set tmargin at screen 0.88\nset key outside right top vertical\nset logscale x\nset "
                   "xrange [%.4g:%.4g]\n"
                   "set xtics (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200)\n"
                   "set xlabel 'cost of f and its slope (ns per element)'\n"
                   "set ylabel 'validation accuracy (%%)'\nset yrange [0:*]\nset offsets 0, 0, graph 0.06, "
                   "0\nset samples 2\n"
                   "plot $all with points pointtype 7 pointsize %g linecolor '#a9b8c2' title 'a function', "
                   "$front with fsteps linewidth 1.4 linecolor '#D55E00' notitle%s%s\n",
                   cloud.low / 1.3, cloud.high * 1.3, point_size(cloud.functions), buf_text(&cloud.entries),
                   buf_text(&cloud.references));
    }
    buf_release(&cloud.all);
    buf_release(&cloud.front);
    buf_release(&cloud.entries);
    buf_release(&cloud.references);
    picked_release(&picked);
    return err;
}

/* ---- the table ----------------------------------------------------------------------------------------- */

const struct plot plots[] = {
#define PLOT_ROW(name, meaning) {#name, meaning, script_##name},
    PLOT_TABLE(PLOT_ROW)
#undef PLOT_ROW
};
const int plot_count = (int)(sizeof plots / sizeof *plots);

#include "cli/plot_parts.h"

#include "cli/gnuplot.h"

#include <stdlib.h>
#include <string.h>

enum { LEGEND_WIDTH = 34 }; /* characters of a formula in a legend */

void plot_start(struct buf *script, const struct plot_options *options, int width, int height)
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

void plot_title(struct buf *script, int height, const char *title, const char *subtitle)
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

void plot_line_style(struct buf *script, bool reference, int index)
{
    static const int dashes[] = {1, 2, 4, 3};
    if (reference)
        buf_printf(script, "linewidth 2 dashtype (6,4) linecolor '%s'", greys[index % GREYS]);
    else
        buf_printf(script, "linewidth 2.2 dashtype %d linecolor '%s'", dashes[index / COLOURS % 4],
                   colours[index % COLOURS]);
}

void plot_point_style(struct buf *script, bool reference, int index)
{
    static const int signs[] = {7, 5, 9, 11, 13, 15, 4, 6, 8, 10, 12, 14};
    enum { SIGNS = sizeof signs / sizeof *signs, CROSS = 2 };
    buf_printf(script, "linewidth 2 pointsize %s pointtype %d linecolor '%s'", reference ? "1.5" : "1.2",
               reference ? CROSS : signs[index % SIGNS],
               reference ? greys[index % GREYS] : colours[index % COLOURS]);
}

/* "x*sigmoid(b0*x)", cut where it is too long for a legend. malloc'd. */
static char *short_formula(const char *activation)
{
    return strlen(activation) <= LEGEND_WIDTH ? xstrdup(activation)
                                              : xasprintf("%.*s…", LEGEND_WIDTH - 1, activation);
}

/* ---- the functions that are drawn ---------------------------------------------------------------------- */

void picked_release(struct picked *picked)
{
    answer_release(&picked->rows);
    free(picked->experiment);
}

int picked_read(struct store_reader *reader, const struct plot_options *options, struct picked *ret_picked,
                struct problem *problem)
{
    struct picked picked = {0};
    struct answer all = {0};
    char *limit = xasprintf("%lld", (long long)options->functions);
    const char *const parameters[] = {limit, NULL};
    int err =
        answer_query(reader,
                     "WITH placed AS (SELECT rank, activation, accuracy_mean, "
                     "reference AND (SELECT candidates FROM counters) > 0 AS reference FROM ranking) "
                     "SELECT * FROM (SELECT * FROM placed WHERE NOT reference LIMIT CAST(?1 AS INTEGER)) "
                     "UNION ALL SELECT * FROM (SELECT * FROM placed WHERE reference LIMIT 3)",
                     parameters, &picked.rows, problem);
    if (!err)
        err = answer_query(reader,
                           "SELECT name, (SELECT proposals FROM counters) AS proposals, "
                           "(SELECT count(*) FROM candidate WHERE seeds > 0) AS ranked, "
                           "(SELECT max(steps) FROM candidate WHERE seeds > 0) AS steps FROM experiment",
                           NULL, &all, problem);
    if (!err && (picked.rows.rows == 0 || all.rows == 0))
        err = problem_set(problem, ERR_NOT_FOUND, "no function has a rank yet, so there is nothing to draw");
    if (!err) {
        const char *name = answer_text(&all, 0, "name");
        picked.experiment = xstrdup(name && name[0] ? name : "search");
        picked.ranked = (long long)answer_int(&all, 0, "ranked");
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

bool picked_is_reference(const struct picked *picked, int row)
{
    return answer_int(&picked->rows, row, "reference") != 0;
}

int picked_functions(const struct picked *picked)
{
    int count = 0;
    while (count < picked->rows.rows && !picked_is_reference(picked, count))
        count++;
    return count;
}

void plot_legend(struct buf *script, const char *activation, long long rank, double accuracy, bool reference)
{
    char *formula = short_formula(activation);
    char *text =
        xasprintf("%.2f %%  %s  (%s%lld)", 100 * accuracy, formula, reference ? "reference, #" : "#", rank);
    gnuplot_put_text(script, text);
    free(text);
    free(formula);
}

void picked_legend(struct buf *script, const struct picked *picked, int row)
{
    plot_legend(script, answer_text(&picked->rows, row, "activation"),
                (long long)answer_int(&picked->rows, row, "rank"),
                answer_real(&picked->rows, row, "accuracy_mean"), picked_is_reference(picked, row));
}

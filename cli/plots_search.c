/* plots_search: pictures of the whole search: how it went, and accuracy against cost. */
#include "cli/plot_parts.h"

#include "cli/ranking.h"

#include <math.h>
#include <stdlib.h>

enum {
    MOST_POINTS = 4000, /* dots of one picture: more only make the file larger */
    MOST_LISTED = 12,   /* functions with a sign of their own */
    MOST_REFERENCES = 3,
};

/* Dots are smaller where there are many of them. */
static double point_size(long long points)
{
    return points <= 200 ? 0.75 : points <= 2000 ? 0.5 : 0.3;
}

/* ---- progress ------------------------------------------------------------------------------------------ */

/* So many of which one is drawn, so that there are not more than MOST_POINTS. */
static long long thinning(long long points)
{
    return 1 + points / MOST_POINTS;
}

/* The dots, and in the legend what they are. */
static void put_dots(struct buf *script, long long points, const char *colour)
{
    const long long every = thinning(points);
    buf_printf(script, "plot $all with points pointtype 7 pointsize %g linecolor '%s' title 'a function",
               point_size(points), colour);
    if (every > 1)
        buf_printf(script, " (one of %lld is drawn)", every);
    buf_printf(script, "', ");
}

/* Data block of two columns, and how many rows there are. `thin`: not all of them. */
static int put_block(struct store_reader *reader, const char *sql, const char *name, bool thin,
                     struct buf *script, int *ret_rows, struct problem *problem)
{
    struct answer answer = {0};
    int err = answer_query(reader, sql, NULL, &answer, problem);
    if (err)
        return err;
    const int every = thin ? (int)thinning(answer.rows) : 1;
    buf_printf(script, "$%s << END\n", name);
    for (int row = 0; row < answer.rows; row += every)
        buf_printf(script, "%s %s\n", answer.values[row * answer.columns],
                   answer.values[row * answer.columns + 1]);
    buf_printf(script, "END\n");
    *ret_rows = answer.rows;
    answer_release(&answer);
    return 0;
}

int plot_script_progress(struct store_reader *reader, const struct plot_options *options, struct buf *script,
                         struct problem *problem)
{
    struct picked picked = {0};
    int rows = 0, best = 0, averages = 0;
    int err = picked_read(reader, options, &picked, problem);
    if (err)
        return err;
    plot_start(script, options, PLOT_WIDTH, PLOT_HEIGHT);
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
    plot_title(script, PLOT_HEIGHT, title, subtitle);
    free(title);
    free(subtitle);
    buf_printf(
        script,
        "set tmargin at screen 0.88\nset key outside right top vertical\nset xlabel 'proposal number'\n"
        "set ylabel 'validation accuracy (%%)'\nset yrange [0:*]\nset offsets 0, 0, graph 0.06, 0\nset "
        "xrange [0:%g]\n",
        1.03 * (double)picked.proposals);
    put_dots(script, rows, "#56B4E9");
    buf_printf(script, "$best with steps linewidth 2.4 linecolor '#D55E00' title 'the best so far'");
    if (averages > 1)
        buf_printf(
            script,
            ", $average with lines linewidth 2 linecolor '#009E73' title 'moving average of the controller'");
    for (int row = picked_functions(&picked), first = row; row < picked.rows.rows; row++) {
        buf_printf(script, ", %.6g with lines ", 100 * answer_real(&picked.rows, row, "accuracy_mean"));
        plot_line_style(script, true, row - first);
        buf_printf(script, " title ");
        picked_legend(script, &picked, row);
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
    struct buf *out = row->reference ? &cloud->references : &cloud->entries;
    buf_printf(out, ", '+' using (%.6g):(%.6g) every ::::0 with points ", row->cost_ns,
               100 * row->accuracy_mean);
    plot_point_style(out, row->reference, row->reference ? cloud->shown_references++ : cloud->shown++);
    buf_printf(out, " title ");
    plot_legend(out, row->activation, (long long)row->rank, row->accuracy_mean, row->reference);
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
    if ((front && cloud->shown < MOST_LISTED && !row->reference) ||
        (row->reference && cloud->shown_references < MOST_REFERENCES))
        put_entry(cloud, row);
    return true;
}

int plot_script_space(struct store_reader *reader, const struct plot_options *options, struct buf *script,
                      struct problem *problem)
{
    struct picked picked = {0};
    struct cloud cloud = {.low = HUGE_VAL};
    int err = picked_read(reader, options, &picked, problem);
    cloud.every = thinning(picked.ranked);
    if (!err)
        err = store_ranking(reader, 0, cloud_visit, &cloud, problem);
    if (!err && cloud.high == 0)
        err = problem_set(problem, ERR_NOT_FOUND,
                          "no function has a measured cost yet, so there is nothing to draw");
    if (!err) {
        plot_start(script, options, PLOT_WIDTH, PLOT_HEIGHT);
        buf_printf(script, "$all << END\n%sEND\n$front << END\n%sEND\n", buf_text(&cloud.all),
                   buf_text(&cloud.front));
        char *title = xasprintf("%s: accuracy against cost", picked.experiment);
        char *subtitle = xasprintf(
            "%lld steps of training; the list: those that none both better and cheaper beats, and references",
            picked.steps);
        plot_title(script, PLOT_HEIGHT, title, subtitle);
        free(title);
        free(subtitle);
        buf_printf(script,
                   "set tmargin at screen 0.88\nset key outside right top vertical\nset logscale x\nset "
                   "xrange [%.4g:%.4g]\n"
                   "set xtics (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200)\n"
                   "set xlabel 'cost of f and its slope (ns per element)'\n"
                   "set ylabel 'validation accuracy (%%)'\nset yrange [0:*]\nset offsets 0, 0, graph 0.06, "
                   "0\nset samples 2\n",
                   cloud.low / 1.3, cloud.high * 1.3);
        put_dots(script, picked.ranked, "#a9b8c2");
        buf_printf(script, "$front with fsteps linewidth 1.4 linecolor '#D55E00' notitle%s%s\n",
                   buf_text(&cloud.entries), buf_text(&cloud.references));
    }
    buf_release(&cloud.all);
    buf_release(&cloud.front);
    buf_release(&cloud.entries);
    buf_release(&cloud.references);
    picked_release(&picked);
    return err;
}

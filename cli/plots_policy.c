/* plots_policy: picture of what the search has learnt, over its proposals: the entropy of its choices above, the
 * probability of the likeliest choice of each token below. */
#include "cli/plot_parts.h"

#include "cli/gnuplot.h"
#include "cli/policy.h"

#include <math.h>
#include <stdlib.h>

enum {
    MOST_VERSIONS = 400, /* points of a line */
    HEIGHT = 760,        /* two panels */
    LISTED = 24,         /* tokens with a line of their own, the first of them */
};

/* One block of data for the mean, and one for each token: proposals, entropy, probability. */
static void put_data(const struct answer *history, int tokens, struct buf *script)
{
    buf_printf(script, "$mean << END\n");
    for (int row = 0; row < history->rows; row += tokens)
        buf_printf(script, "%s %s\n", answer_text(history, row, "proposals"),
                   answer_text(history, row, "mean_entropy"));
    buf_printf(script, "END\n");
    for (int at = 0; at < tokens; at++) {
        buf_printf(script, "$token%d << END\n", at);
        for (int row = at; row < history->rows; row += tokens)
            buf_printf(script, "%s %s %s\n", answer_text(history, row, "proposals"),
                       answer_text(history, row, "entropy"), answer_text(history, row, "probability"));
        buf_printf(script, "END\n");
    }
}

/* The lines of all tokens with a choice: column 2 or 3 of their data. */
static void put_lines(const struct answer *history, int tokens, int column, struct buf *script)
{
    int listed = 0;
    for (int at = 0; at < tokens && listed < LISTED; at++) {
        const int last = history->rows - tokens + at;
        if (answer_int(history, at, "choices") == 1)
            continue;
        buf_printf(script, "%s$token%d using 1:%d with lines ", listed ? ", " : "plot ", at, column);
        plot_line_style(script, false, listed++);
        char *title = column == 2 ? xasprintf("unit %s, %s", answer_text(history, last, "unit"),
                                              answer_text(history, last, "token"))
                                  : xasprintf("%.2f  %s", answer_real(history, last, "probability"),
                                              answer_text(history, last, "choice"));
        buf_printf(script, " title ");
        gnuplot_put_text(script, title);
        free(title);
    }
}

int plot_script_policy(struct store_reader *reader, const struct plot_options *options, struct buf *script,
                       struct problem *problem)
{
    struct answer history = {0}, name = {0};
    int err = policy_history(reader, MOST_VERSIONS, &history, problem);
    if (!err)
        err = answer_query(reader, "SELECT name FROM experiment", NULL, &name, problem);
    if (!err) {
        const int tokens = policy_tokens(&history), last = history.rows - tokens;
        const double right = 1.02 * answer_real(&history, last, "proposals");
        plot_start(script, options, PLOT_WIDTH, HEIGHT);
        put_data(&history, tokens, script);
        buf_printf(script, "set multiplot\n");
        char *title = xasprintf("%s: what the search has learnt", answer_text(&name, 0, "name"));
        char *subtitle = xasprintf("policy %s, after %s proposals", answer_text(&history, last, "version"),
                                   answer_text(&history, last, "proposals"));
        plot_title(script, HEIGHT, title, subtitle);
        free(title);
        free(subtitle);
        buf_printf(
            script,
            "set key outside right top vertical\nset lmargin at screen 0.08\nset rmargin at screen 0.74\n"
            "set xrange [0:%g]\nset yrange [0:*]\n"
            "set tmargin at screen 0.89\nset bmargin at screen 0.53\n"
            "set ylabel 'entropy of a choice (nats)'\n",
            right);
        put_lines(&history, tokens, 2, script);
        buf_printf(script, ", $mean with lines linewidth 3.5 linecolor '#000000' title 'mean'\n"
                           "unset label\nset tmargin at screen 0.45\nset bmargin at screen 0.08\n"
                           "set yrange [0:1]\nset xlabel 'proposals'\n"
                           "set ylabel 'probability of the likeliest choice'\n");
        put_lines(&history, tokens, 3, script);
        buf_printf(script, "\nunset multiplot\n");
    }
    answer_release(&history);
    answer_release(&name);
    return err;
}

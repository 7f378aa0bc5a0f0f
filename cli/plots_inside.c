/* plots_inside: pictures of a network within: what its activations read, and what became of the trainable b. Each has all layers
 * together above, and layer by layer below. The network is trained once more for it. */
#include "cli/plot_parts.h"

#include "cli/candidate.h"
#include "cli/gnuplot.h"
#include "cli/training.h"

#include <math.h>
#include <stdlib.h>

enum {
    HEIGHT = 760,     /* two panels */
    TITLE_WIDTH = 72, /* characters of the formula in a title */
    BETA_BINS = 40,   /* about so many for all that there are */
};
static const char before_colour[] = "#8a8a8a", after_colour[] = "#0072B2";
static const double tail = 0.0005; /* the share on either side that may be cut off a picture */

/* ---- the network ----------------------------------------------------------------------------------------- */

/* The canonical string of the function that is meant. malloc'd. */
static int function_of(struct store_reader *reader, const struct plot_options *options, char **ret_activation,
                       struct problem *problem)
{
    struct answer first = {0};
    struct expr *stored = NULL;
    char *id = NULL;
    int err = options->text
                  ? candidate_find(reader, options->path, options->text, options->expr, &id, &stored, problem)
                  : answer_query(reader, "SELECT activation FROM ranking LIMIT 1", NULL, &first, problem);
    if (!err && stored)
        *ret_activation = expr_print(stored);
    else if (!err && first.rows)
        *ret_activation = xstrdup(answer_text(&first, 0, "activation"));
    else if (!err)
        err = problem_set(problem, ERR_NOT_FOUND, "no function has a rank yet, so there is nothing to draw");
    answer_release(&first);
    expr_destroy(&stored);
    free(id);
    return err;
}

static bool has_betas(const char *activation)
{
    struct problem unreadable;
    struct expr *expr = NULL;
    const bool has = expr_parse(activation, &expr, &unreadable) == 0 && expr_betas(expr) > 0;
    expr_destroy(&expr);
    return has;
}

static int network_of(struct store_reader *reader, const struct plot_options *options, bool with_betas,
                      struct retrained *ret_retrained, struct problem *problem)
{
    char *activation = NULL;
    int err = function_of(reader, options, &activation, problem);
    if (!err && with_betas && !has_betas(activation))
        err = problem_set(problem, ERR_INPUT, "%.200s has no trainable b; name a function that has one",
                          activation);
    if (!err)
        err = retrained_make(reader, activation, options->seed, options->cache, ret_retrained, problem);
    free(activation);
    return err;
}

/* The title, and the axes that the panels share: the layers, from the image on. */
static void put_start(struct buf *script, const struct plot_options *options,
                      const struct retrained *retrained, const char *what, const char *of_what)
{
    const struct train_result *result = &retrained->result;
    plot_start(script, options, PLOT_WIDTH, HEIGHT);
    buf_printf(script, "set multiplot\nset lmargin at screen 0.08\nset rmargin at screen 0.78\n"
                       "set key outside right top vertical\n");
    char *formula = plot_formula(retrained->activation, TITLE_WIDTH);
    char *title = xasprintf("%s: %s", formula, what);
    char *subtitle =
        xasprintf("%s on %s, %lld steps, seed %lld: %.2f %% on validation; %s", retrained->child.model,
                  retrained->child.data, (long long)retrained->child.steps, (long long)retrained->seed,
                  100 * (double)result->correct / (double)result->validation_count, of_what);
    plot_title(script, HEIGHT, title, subtitle);
    free(formula);
    free(title);
    free(subtitle);
    buf_printf(script, "set tmargin at screen 0.89\nset bmargin at screen 0.55\n");
}

static void put_layers_panel(struct buf *script, int layers)
{
    buf_printf(script,
               "unset label\nunset arrow\nset tmargin at screen 0.45\nset bmargin at screen 0.08\n"
               "set xrange [0.4:%d.6]\nset xtics autofreq\n%sset format x '%%.0f'\n"
               "set xlabel 'layer with an activation, from the image on'\n",
               layers, layers <= 20 ? "set xtics 1\n" : "");
}

/* ---- preactivations -------------------------------------------------------------------------------------- */

/* All layers together: a step for each bin, as a share of all per unit of x. */
static void put_density(struct buf *script, const char *name, const struct histogram *histogram)
{
    const double count = (double)histogram_count(histogram);
    buf_printf(script, "$%s << END\n", name);
    for (int i = 0; i < HISTOGRAM_BINS; i++)
        buf_printf(script, "%.6g %.6g\n", histogram_edge(i),
                   (double)histogram->bins[i] * HISTOGRAM_BINS_FOR_A_UNIT / count);
    buf_printf(script, "END\n");
}

/* A line for each layer: its number, and where 5, 25, 50, 75 and 95 % of its preactivations lie below. */
static void put_quantiles(struct buf *script, const char *name, const struct inside *inside,
                          enum inside_when when, double aside)
{
    static const double shares[] = {0.05, 0.25, 0.5, 0.75, 0.95};
    buf_printf(script, "$%s << END\n", name);
    for (int i = 0; i < inside->layer_count; i++) {
        buf_printf(script, "%.6g", i + 1 + aside);
        for (size_t k = 0; k < sizeof shares / sizeof *shares; k++)
            buf_printf(script, " %.6g",
                       histogram_quantile(&inside->layers[i].preactivations[when], shares[k]));
        buf_printf(script, "\n");
    }
    buf_printf(script, "END\n");
}

/* The part of the axis that nearly all of both lies in. */
static void put_x_range(struct buf *script, const struct histogram all[INSIDE_TIMES])
{
    double low = -2, high = 2;
    for (int when = 0; when < INSIDE_TIMES; when++) {
        low = fmin(low, floor(histogram_quantile(&all[when], tail)));
        high = fmax(high, ceil(histogram_quantile(&all[when], 1 - tail)));
    }
    buf_printf(script, "set xrange [%g:%g]\n", low, high);
}

static void put_boxes(struct buf *script, const char *name, const char *colour, const char *title)
{
    buf_printf(script,
               "$%s using 1:3:2:6:5 with candlesticks linewidth 1.3 linecolor '%s' title '%s', "
               "$%s using 1:4:4:4:4 with candlesticks linewidth 2.6 linecolor '%s' notitle",
               name, colour, title, name, colour);
}

int plot_script_preactivations(struct store_reader *reader, const struct plot_options *options,
                               struct buf *script, struct problem *problem)
{
    struct retrained retrained = {0};
    int err = network_of(reader, options, false, &retrained, problem);
    if (err)
        return err;
    const struct inside *inside = &retrained.inside;
    struct histogram all[INSIDE_TIMES] = {{{0}, 0, 0, 0}};
    for (int i = 0; i < inside->layer_count; i++)
        for (int when = 0; when < INSIDE_TIMES; when++)
            histogram_merge(&all[when], &inside->layers[i].preactivations[when]);
    char *of_what = xasprintf("%.3g million preactivations of %lld validation images",
                              (double)histogram_count(&all[INSIDE_AFTER]) / 1e6, (long long)inside->images);
    put_start(script, options, &retrained, "preactivations", of_what);
    free(of_what);
    put_density(script, "before", &all[INSIDE_BEFORE]);
    put_density(script, "after", &all[INSIDE_AFTER]);
    put_quantiles(script, "layers_before", inside, INSIDE_BEFORE, -0.2);
    put_quantiles(script, "layers_after", inside, INSIDE_AFTER, 0.2);
    put_x_range(script, all);
    buf_printf(script,
               "set xlabel 'preactivation x, all layers together'\nset ylabel 'density (share per unit of "
               "x)'\nset yrange [0:*]\nset style fill transparent solid 0.3 noborder\n"
               "set yzeroaxis linetype 1 linecolor '#999999'\n"
               "plot $after with fillsteps linecolor '%s' notitle, "
               "$before with steps linewidth 2 linecolor '%s' title 'before training', "
               "$after with steps linewidth 2 linecolor '%s' title 'after training'\n",
               after_colour, before_colour, after_colour);
    put_layers_panel(script, inside->layer_count);
    buf_printf(
        script,
        "unset yzeroaxis\nset xzeroaxis linetype 1 linecolor '#999999'\nset yrange [*:*]\n"
        "set offsets 0, 0, graph 0.05, graph 0.05\nset ylabel 'preactivation x: 5, 25, 50, 75, 95 %%'\n"
        "set style fill empty\nset boxwidth 0.3\nplot ");
    put_boxes(script, "layers_before", before_colour, "before training");
    buf_printf(script, ", ");
    put_boxes(script, "layers_after", after_colour, "after training");
    buf_printf(script, "\nunset multiplot\n");
    retrained_release(&retrained);
    return 0;
}

/* ---- β --------------------------------------------------------------------------------------------------- */

/* The smallest 1, 2 or 5 times a power of ten that is not below. */
static double round_step(double least)
{
    const double ten = pow(10, floor(log10(least))), steps[] = {1, 2, 5, 10};
    int i = 0;
    while (i < 3 && steps[i] * ten < least)
        i++;
    return steps[i] * ten;
}

/* The range of all β, before and after; returns the width of the bins. */
static double beta_range(const struct inside *inside, double *ret_low, double *ret_high)
{
    *ret_low = HUGE_VAL, *ret_high = -HUGE_VAL;
    for (int i = 0; i < inside->layer_count; i++)
        for (int at = 0; at < inside->layers[i].channels * inside->betas; at++)
            for (int when = 0; when < INSIDE_TIMES; when++) {
                const double beta = (double)inside->layers[i].betas[when][at];
                *ret_low = fmin(*ret_low, beta);
                *ret_high = fmax(*ret_high, beta);
            }
    return round_step(fmax(*ret_high - *ret_low, 1e-3) / BETA_BINS);
}

static int by_value(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static double median_of(const struct inside *inside, const struct inside_layer *layer, int k)
{
    const int channels = layer->channels;
    float *values = xcalloc((size_t)channels, sizeof *values);
    for (int c = 0; c < channels; c++)
        values[c] = layer->betas[INSIDE_AFTER][c * inside->betas + k];
    qsort(values, (size_t)channels, sizeof *values, by_value);
    const double median = ((double)values[(channels - 1) / 2] + (double)values[channels / 2]) / 2;
    free(values);
    return median;
}

/* For b number k: $bins how many channels have it in each bin, $dots each channel at its layer, $medians those of the layers. */
static void put_beta(struct buf *script, const struct inside *inside, int k, double low, double high,
                     double width)
{
    const int first = (int)floor(low / width), bins = (int)floor(high / width) - first + 1;
    int64_t *counts = xcalloc((size_t)bins, sizeof *counts);
    buf_printf(script, "$dots%d << END\n", k);
    for (int i = 0; i < inside->layer_count; i++) {
        const struct inside_layer *layer = &inside->layers[i];
        for (int c = 0; c < layer->channels; c++) {
            const double beta = (double)layer->betas[INSIDE_AFTER][c * inside->betas + k];
            counts[(int)floor(beta / width) - first]++;
            buf_printf(script, "%.6g %.6g\n", i + 1 + 0.6 * ((c + 0.5) / layer->channels - 0.5), beta);
        }
    }
    buf_printf(script, "END\n$medians%d << END\n", k);
    for (int i = 0; i < inside->layer_count; i++)
        buf_printf(script, "%.6g %.6g\n", i + 1 - 0.35, median_of(inside, &inside->layers[i], k));
    buf_printf(script, "END\n$bins%d << END\n", k);
    for (int bin = -1; bin <= bins; bin++)
        buf_printf(script, "%.6g %lld\n", (first + bin + 0.5) * width,
                   bin < 0 || bin == bins ? 0LL : (long long)counts[bin]);
    buf_printf(script, "END\n");
    free(counts);
}

int plot_script_betas(struct store_reader *reader, const struct plot_options *options, struct buf *script,
                      struct problem *problem)
{
    struct retrained retrained = {0};
    int err = network_of(reader, options, true, &retrained, problem);
    if (err)
        return err;
    const struct inside *inside = &retrained.inside;
    double low, high;
    const double width = beta_range(inside, &low, &high);
    char *of_what = xasprintf("%lld trained b: one for each channel of a layer%s",
                              (long long)retrained.result.betas, inside->betas > 1 ? " and each b" : "");
    put_start(script, options, &retrained, "trained b", of_what);
    free(of_what);
    for (int k = 0; k < inside->betas; k++)
        put_beta(script, inside, k, low, high, width);
    for (int k = 0; k < inside->betas; k++)
        buf_printf(script,
                   "set arrow from first %.6g, graph 0 to first %.6g, graph 1 nohead linewidth 1.5 dashtype "
                   "(6,4) linecolor '#444444'\n",
                   (double)inside->layers[0].betas[INSIDE_BEFORE][k],
                   (double)inside->layers[0].betas[INSIDE_BEFORE][k]);
    buf_printf(script,
               "set xlabel 'value of b after training, all layers together'\nset ylabel 'channels (in bins "
               "of %g)'\nset yrange [0:*]\nset style fill transparent solid 0.3 noborder\nplot ",
               width);
    for (int k = 0; k < inside->betas; k++) {
        buf_printf(script, "$bins%d with histeps ", k);
        plot_line_style(script, false, k);
        buf_printf(script, " title 'b%d', ", k);
    }
    buf_printf(script, "NaN linewidth 1.5 dashtype (6,4) linecolor '#444444' title 'before training'\n");
    put_layers_panel(script, inside->layer_count);
    buf_printf(script, "set yrange [*:*]\nset offsets 0, 0, graph 0.05, graph 0.05\n"
                       "set ylabel 'value of b, a dot for each channel'\nplot ");
    for (int k = 0; k < inside->betas; k++) {
        const double initial = (double)inside->layers[0].betas[INSIDE_BEFORE][k];
        buf_printf(script,
                   "%s%.6g with lines linewidth 1.5 dashtype (6,4) linecolor '#444444' notitle, "
                   "$dots%d with points pointtype 7 pointsize 0.45 ",
                   k ? ", " : "", initial, k);
        plot_line_style(script, false, k);
        buf_printf(script, " title 'b%d', $medians%d using 1:2:(0.7):(0) with vectors nohead ", k, k);
        plot_line_style(script, false, k);
        buf_printf(script, " title 'b%d: median'", k);
    }
    buf_printf(script, "\nunset multiplot\n");
    retrained_release(&retrained);
    return 0;
}

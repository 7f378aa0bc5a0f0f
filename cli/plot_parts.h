/* plot_parts: what the pictures of plots*.c share: how they look, and which functions they show.
 *
 * Colours are those of Okabe and Ito, which colour-blind people can tell apart; past the six of them lines
 * are dashed. References are black and grey.
 */
#ifndef CLI_PLOT_PARTS_H
#define CLI_PLOT_PARTS_H

#include "cli/answer.h"
#include "cli/plots.h"

enum { PLOT_WIDTH = 1080, PLOT_HEIGHT = 540 }; /* pixels of most pictures */

/* The terminal, fonts and axes. */
void plot_start(struct buf *script, const struct plot_options *options, int width, int height);
/* Two lines above everything, the second one in smaller letters. */
void plot_title(struct buf *script, int height, const char *title, const char *subtitle);

/* Of number `index` (from 0) of the functions, or of the references. */
void plot_line_style(struct buf *script, bool reference, int index);
void plot_point_style(struct buf *script, bool reference, int index);

/* "48.30 %  x*sigmoid(b0*x)  (#3)", as a string of the script. */
void plot_legend(struct buf *script, const char *activation, long long rank, double accuracy, bool reference);

/* The first of the ranked list, then the references. Where nothing else was trained, as in a study, the references are
 * the functions. */
struct picked {
    struct answer rows; /* rank, activation, accuracy_mean, reference */
    char *experiment;   /* its name */
    long long steps, proposals, ranked;
};

/* ERR_NOT_FOUND: there is none yet. */
int picked_read(struct store_reader *reader, const struct plot_options *options, struct picked *ret_picked,
                struct problem *problem);
void picked_release(struct picked *picked);
bool picked_is_reference(const struct picked *picked, int row);
/* How many are no references. */
int picked_functions(const struct picked *picked);
void picked_legend(struct buf *script, const struct picked *picked, int row);

/* plots_search.c */
int plot_script_progress(struct store_reader *reader, const struct plot_options *options,
                         struct buf *ret_script, struct problem *problem);
int plot_script_space(struct store_reader *reader, const struct plot_options *options, struct buf *ret_script,
                      struct problem *problem);
/* plots_policy.c */
int plot_script_policy(struct store_reader *reader, const struct plot_options *options,
                       struct buf *ret_script, struct problem *problem);
/* plots_function.c */
int plot_script_functions(struct store_reader *reader, const struct plot_options *options,
                          struct buf *ret_script, struct problem *problem);
int plot_script_derivatives(struct store_reader *reader, const struct plot_options *options,
                            struct buf *ret_script, struct problem *problem);
int plot_script_curves(struct store_reader *reader, const struct plot_options *options,
                       struct buf *ret_script, struct problem *problem);

#endif

/* plots: the pictures that `actsearch plot` can make, each as a gnuplot script with its data in it. */
#ifndef CLI_PLOTS_H
#define CLI_PLOTS_H

#include "common/buf.h"
#include "coordinator/store_read.h"

#define PLOT_TABLE(ROW)                                                                                      \
    ROW(functions, "the best functions")                                                                     \
    ROW(derivatives, "their derivatives")                                                                    \
    ROW(curves, "their training loss, step by step")                                                         \
    ROW(progress, "the accuracy of each proposal, and the best so far")                                      \
    ROW(space, "accuracy against cost of all functions, and those that none both better and cheaper beats") \
    ROW(policy, "what the search has learnt: entropy, and the likeliest choice of each token")

enum { PLOT_MAX_FUNCTIONS = 24 };

struct plot_options {
    int64_t functions; /* how many of the ranked list, references not counted; 1 … PLOT_MAX_FUNCTIONS */
    bool png;          /* else SVG */
};

struct plot {
    const char *name, *meaning;
    /* ERR_NOT_FOUND: there is nothing to draw yet. */
    int (*script)(struct store_reader *, const struct plot_options *, struct buf *ret_script,
                  struct problem *);
};
extern const struct plot plots[];
extern const int plot_count;

#endif

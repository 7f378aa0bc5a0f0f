/* plots: the pictures that `actsearch plot` can make, each as a gnuplot script with its data in it. */
#ifndef CLI_PLOTS_H
#define CLI_PLOTS_H

#include "common/buf.h"
#include "coordinator/store_read.h"

/* ROW(name, of one function, meaning) */
#define PLOT_TABLE(ROW)                                                                                      \
    ROW(functions, false, "the best functions")                                                              \
    ROW(derivatives, false, "their derivatives")                                                             \
    ROW(curves, false, "their training loss, step by step")                                                  \
    ROW(progress, false, "the accuracy of each proposal, and the best so far")                               \
    ROW(space, false,                                                                                        \
        "accuracy against cost of all functions, and those that none both better and cheaper beats")         \
    ROW(policy, false, "what the search has learnt: entropy, and the likeliest choice of each token")        \
    ROW(preactivations, true, "what the activations of one network read, untrained and trained")             \
    ROW(betas, true, "the trained b of one function, by layer and channel")

enum { PLOT_MAX_FUNCTIONS = 24 };

struct plot_options {
    int64_t functions; /* how many of the ranked list, references not counted; 1 … PLOT_MAX_FUNCTIONS */
    bool png;          /* else SVG */
    /* Of plots of one function, which train it once more: */
    const char *path;        /* of the database */
    const char *text;        /* the function as a person typed it; NULL: the first of the ranked list */
    const struct expr *expr; /* the same, read */
    int64_t seed;            /* −1: of the first trial */
    const char *cache;       /* as for data_cache_dir */
};

struct plot {
    const char *name, *meaning;
    bool of_function;
    /* ERR_NOT_FOUND: there is nothing to draw yet. */
    int (*script)(struct store_reader *, const struct plot_options *, struct buf *ret_script,
                  struct problem *);
};
extern const struct plot plots[];
extern const int plot_count;

#endif

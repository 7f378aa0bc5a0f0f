/* controller: the policy over token sequences. A step for each token: the embedding of the token chosen before
 * (a start embedding at first) goes through the LSTM, and the head of the token's kind gives the logits of its
 * choices (after Zoph and Le, arXiv:1611.01578, section 3).
 *
 * Invariants: tokens of one kind share embeddings and a head in all units; of a head's outputs only the first
 * choices(step) count, so that a token with a single choice has probability 1 and no gradient. All parameters
 * are one block, `weights`, divided into groups; a gradient is a block of the same layout.
 */
#ifndef COORDINATOR_SEARCH_CONTROLLER_H
#define COORDINATOR_SEARCH_CONTROLLER_H

#include "common/rng.h"
#include "common/space.h"
#include "coordinator/search/lstm.h"

enum { TOKEN_KINDS = SPACE_TOKENS_PER_UNIT };

/* A run of parameters within the block. */
struct parameter_group {
    size_t first, count;
};

struct controller {
    size_t hidden, layers, steps;
    size_t choices[SPACE_MAX_TOKENS]; /* of each step */
    size_t widest;                    /* the most choices of any step */
    size_t outputs[TOKEN_KINDS];  /* rows of a kind's embedding and columns of its head: the most choices of
                                     that kind */
    struct parameter_group start; /* hidden */
    struct parameter_group embedding[TOKEN_KINDS]; /* outputs × hidden */
    struct parameter_group lstm;                   /* layers, see lstm.h */
    struct parameter_group head[TOKEN_KINDS];      /* hidden × outputs, then bias: outputs */
    size_t count;                                  /* of all parameters */
    double *weights;
};

/* Uniform in ±0.1 (NASNet, arXiv:1707.07012). */
struct controller *controller_new(const struct space *space, size_t hidden, size_t layers, struct rng *rng);
void controller_destroy(struct controller **controller);

/* The activations of one pass over up to `capacity` sequences. */
struct pass {
    size_t capacity, batch;
    struct lstm *lstm;
    double *input;            /* capacity × hidden */
    double *output;           /* steps × batch × hidden */
    double *log_probability;  /* steps × batch × widest: of each choice */
    double *dlogits;          /* the same: what controller_backward starts from */
    double *doutput, *dinput; /* steps × capacity × hidden */
    double *scratch;          /* capacity × widest */
};

struct pass *pass_new(const struct controller *controller, size_t capacity);
void pass_destroy(struct pass **pass);
/* The log-probabilities of the choices at one step of one sequence, or their gradients. */
static inline double *pass_row(const struct controller *controller, const struct pass *pass, double *of,
                               size_t step, size_t sequence)
{
    return of + (step * pass->batch + sequence) * controller->widest;
}

/* tokens: batch × steps. Fills pass->log_probability. With an rng the tokens are drawn, otherwise they are
 * read. */
void controller_forward(const struct controller *controller, struct pass *pass, size_t batch,
                        uint16_t *tokens, struct rng *rng);
/* After controller_forward on the same tokens: from pass->dlogits, adds to gradient[count]. */
void controller_backward(const struct controller *controller, struct pass *pass, const uint16_t *tokens,
                         double *gradient);

#endif

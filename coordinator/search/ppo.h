/* ppo: the loss of proximal policy optimisation (arXiv:1707.06347, eq. 7) with an entropy bonus, and its
 * gradient.
 *
 * For sequence n, token t, with ratio r = π(token) / π_old(token) and advantage A of the whole sequence:
 *   loss = −mean over n of Σ over t of [ min(r·A, clip(r, 1−ε, 1+ε)·A) + entropy_weight · H(π at t) ]
 * Ratios and clipping are per token. A sequence that is replayed was drawn by no policy that is known any more; in its
 * place of min(…) stands A · log π(token), whose gradient is that of a ratio of 1. A token with one choice adds nothing that moves. One that cannot change
 * the function (space_relevant) has no part in the reward: its A is 0, so that the entropy bonus alone moves
 * it.
 */
#ifndef COORDINATOR_SEARCH_PPO_H
#define COORDINATOR_SEARCH_PPO_H

#include "coordinator/search/controller.h"

struct ppo_batch {
    size_t size, drawn;            /* the sequences from number `drawn` on are replayed */
    uint16_t *tokens;              /* size × steps */
    const double *log_probability; /* drawn × steps: of each token under the policy that drew it */
    const bool *relevant;          /* size × steps */
    const double *advantage;       /* size */
};

struct ppo_settings {
    double clip, entropy_weight;
};

/* What a pass shows of the policy: means over the sequences drawn. */
struct ppo_view {
    double *entropy;     /* steps, in nats */
    double *probability; /* steps × widest: of each choice */
};

/* The loss; gradient[controller->count] is overwritten with its gradient. Fills *view; NULL: nobody looks.
 * The batch may be larger than the pass. */
double ppo_gradient(const struct controller *controller, struct pass *pass, const struct ppo_batch *batch,
                    const struct ppo_settings *settings, double *gradient, const struct ppo_view *view);

#endif

#include "coordinator/search/ppo.h"

#include "common/vecmath.h"

#include <string.h>

/* One token: returns its objective and fills the loss's gradient in the logits. `share`: 1 / batch size. */
static double token_gradient(const double *log_probability, size_t choices, size_t token,
                             double old_log_probability, double advantage,
                             const struct ppo_settings *settings, double share, double *dlogits,
                             double *entropy)
{
    double ratio = vm_exp(log_probability[token] - old_log_probability);
    double low = 1 - settings->clip, high = 1 + settings->clip;
    double clipped = ratio < low ? low : ratio > high ? high : ratio;
    double plain = ratio * advantage, bounded = clipped * advantage;
    double slope =
        plain <= bounded ? plain : 0; /* ∂ min(…) / ∂ log π(token): r·A, or 0 where the bound is the lower */
    *entropy = 0;
    for (size_t j = 0; j < choices; j++)
        *entropy -= vm_exp(log_probability[j]) * log_probability[j];
    for (size_t j = 0; j < choices; j++) {
        double p = vm_exp(log_probability[j]);
        double dpolicy = slope * ((j == token ? 1 : 0) - p), dentropy = -p * (log_probability[j] + *entropy);
        dlogits[j] = -share * (dpolicy + settings->entropy_weight * dentropy);
    }
    return (plain <= bounded ? plain : bounded) + settings->entropy_weight * *entropy;
}

/* Adds a sequence's share to what is seen of one token. */
static void look(const struct ppo_view *view, const struct controller *controller, size_t step,
                 const double *log_probability, double entropy, double share)
{
    view->entropy[step] += share * entropy;
    for (size_t j = 0; j < controller->choices[step]; j++)
        view->probability[step * controller->widest + j] += share * vm_exp(log_probability[j]);
}

double ppo_gradient(const struct controller *controller, struct pass *pass, const struct ppo_batch *batch,
                    const struct ppo_settings *settings, double *gradient, const struct ppo_view *view)
{
    size_t steps = controller->steps;
    double objective = 0, share = 1.0 / (double)batch->size;
    memset(gradient, 0, controller->count * sizeof *gradient);
    if (view) {
        memset(view->entropy, 0, steps * sizeof *view->entropy);
        memset(view->probability, 0, steps * controller->widest * sizeof *view->probability);
    }
    for (size_t first = 0; first < batch->size; first += pass->capacity) {
        size_t left = batch->size - first, count = left < pass->capacity ? left : pass->capacity;
        uint16_t *tokens = batch->tokens + first * steps;
        controller_forward(controller, pass, count, tokens, NULL);
        for (size_t b = 0; b < count; b++)
            for (size_t t = 0; t < steps; t++) {
                size_t at = (first + b) * steps + t;
                const double *log_probability = pass_row(controller, pass, pass->log_probability, t, b);
                double entropy, advantage = batch->relevant[at] ? batch->advantage[first + b] : 0;
                objective += token_gradient(log_probability, controller->choices[t], batch->tokens[at],
                                            batch->log_probability[at], advantage, settings, share,
                                            pass_row(controller, pass, pass->dlogits, t, b), &entropy);
                if (view)
                    look(view, controller, t, log_probability, entropy, share);
            }
        controller_backward(controller, pass, tokens, gradient);
    }
    return -objective * share;
}

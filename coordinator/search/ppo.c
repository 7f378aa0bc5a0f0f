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

double ppo_gradient(const struct controller *controller, struct pass *pass, const struct ppo_batch *batch,
                    const struct ppo_settings *settings, double *gradient, double *ret_entropy)
{
    size_t steps = controller->steps, free_tokens = 0;
    double objective = 0, entropies = 0, share = 1.0 / (double)batch->size;
    memset(gradient, 0, controller->count * sizeof *gradient);
    for (size_t first = 0; first < batch->size; first += pass->capacity) {
        size_t left = batch->size - first, count = left < pass->capacity ? left : pass->capacity;
        uint16_t *tokens = batch->tokens + first * steps;
        controller_forward(controller, pass, count, tokens, NULL);
        for (size_t b = 0; b < count; b++)
            for (size_t t = 0; t < steps; t++) {
                double entropy;
                objective += token_gradient(
                    pass_row(controller, pass, pass->log_probability, t, b), controller->choices[t],
                    tokens[b * steps + t], batch->log_probability[(first + b) * steps + t],
                    batch->relevant[(first + b) * steps + t] ? batch->advantage[first + b] : 0, settings,
                    share, pass_row(controller, pass, pass->dlogits, t, b), &entropy);
                entropies += entropy;
                free_tokens += controller->choices[t] > 1;
            }
        controller_backward(controller, pass, tokens, gradient);
    }
    *ret_entropy = free_tokens > 0 ? entropies / (double)free_tokens : 0;
    return -objective * share;
}

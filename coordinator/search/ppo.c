#include "coordinator/search/ppo.h"

#include "common/vecmath.h"

#include <string.h>

/* What one token adds to the objective, the entropy apart, and the slope of that in log π(token). */
struct objective {
    double value, slope;
};

static struct objective drawn_token(double log_probability, double old_log_probability, double advantage,
                                    double clip)
{
    double ratio = vm_exp(log_probability - old_log_probability), low = 1 - clip, high = 1 + clip;
    double clipped = ratio < low ? low : ratio > high ? high : ratio;
    double plain = ratio * advantage, bounded = clipped * advantage;
    return plain <= bounded ? (struct objective){plain, plain} : (struct objective){bounded, 0};
}

static struct objective replayed_token(double log_probability, double advantage)
{
    return (struct objective){advantage * log_probability, advantage};
}

/* Fills the loss's gradient in the logits of one token. `share`: of one sequence in the mean. */
static void token_gradient(const double *log_probability, size_t choices, size_t token, double slope,
                           double entropy, double entropy_weight, double share, double *dlogits)
{
    for (size_t j = 0; j < choices; j++) {
        double p = vm_exp(log_probability[j]);
        double dpolicy = slope * ((j == token ? 1 : 0) - p), dentropy = -p * (log_probability[j] + entropy);
        dlogits[j] = -share * (dpolicy + entropy_weight * dentropy);
    }
}

static double entropy_of(const double *log_probability, size_t choices)
{
    double entropy = 0;
    for (size_t j = 0; j < choices; j++)
        entropy -= vm_exp(log_probability[j]) * log_probability[j];
    return entropy;
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
                size_t choices = controller->choices[t];
                bool drawn = first + b < batch->drawn;
                double advantage = batch->relevant[at] ? batch->advantage[first + b] : 0;
                double now = log_probability[batch->tokens[at]],
                       entropy = entropy_of(log_probability, choices);
                struct objective of_token =
                    drawn ? drawn_token(now, batch->log_probability[at], advantage, settings->clip)
                          : replayed_token(now, advantage);
                objective += of_token.value + settings->entropy_weight * entropy;
                token_gradient(log_probability, choices, batch->tokens[at], of_token.slope, entropy,
                               settings->entropy_weight, share,
                               pass_row(controller, pass, pass->dlogits, t, b));
                if (view && drawn)
                    look(view, controller, t, log_probability, entropy, 1.0 / (double)batch->drawn);
            }
        controller_backward(controller, pass, tokens, gradient);
    }
    return -objective * share;
}

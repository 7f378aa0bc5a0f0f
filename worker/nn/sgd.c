#include "worker/nn/sgd.h"

#include "common/vecmath.h"

static const double pi = 0x1.921fb54442d18p+1;

static double schedule_cosine(int64_t step, int64_t steps)
{
    return 0.5 * (1.0 + vm_cos(pi * (double)step / (double)steps));
}

static double schedule_step(int64_t step, int64_t steps)
{
    return step < steps / 2 ? 1.0 : step < steps - steps / 4 ? 0.1 : 0.01;
}

static double schedule_constant(int64_t step, int64_t steps)
{
    (void)step, (void)steps;
    return 1.0;
}

static double schedule_fifths(int64_t step, int64_t steps)
{
    const double done = (double)step / (double)steps;
    return done < 0.3 ? 1.0 : done < 0.6 ? 0.2 : done < 0.8 ? 0.04 : 0.008;
}

static double (*const schedules[])(int64_t step, int64_t steps) = {
    [SCHEDULE_COSINE] = schedule_cosine,
    [SCHEDULE_STEP] = schedule_step,
    [SCHEDULE_CONSTANT] = schedule_constant,
    [SCHEDULE_FIFTHS] = schedule_fifths,
};

double sgd_schedule(const struct child *child, int64_t step)
{
    const double factor = schedules[child->schedule](step, child->steps);
    return step < child->warmup ? factor * (double)(step + 1) / (double)child->warmup : factor;
}

void sgd_step(struct net *net, const struct child *child, int64_t step)
{
    const double factor = sgd_schedule(child, step);
    const double beta_lr = child->beta_lr < 0 ? child->lr : child->beta_lr;
    const struct {
        struct parameters *parameters;
        double lr, decay;
    } kinds[] = {{&net->weights, child->lr, child->weight_decay},
                 {&net->betas, beta_lr, child->beta_weight_decay}};
    for (int k = 0; k < 2; k++) {
        struct parameters *p = kinds[k].parameters;
        net->kernels->nesterov(p->value, p->gradient, p->velocity, p->floats / LANES,
                               (float)(kinds[k].lr * factor), (float)child->momentum, (float)kinds[k].decay);
    }
}

#include "worker/nn/loss.h"

#include "common/vecmath.h"

#include <string.h>

double loss_softmax(const float *logits, const uint8_t *labels, int images, int classes, int stride,
                    float *dlogits, int64_t *correct)
{
    double total = 0;
    double share[LOSS_MAX_CLASSES];
    for (int image = 0; image < images; image++, logits += stride) {
        const int label = labels[image];
        double largest = logits[0];
        int best = 0;
        for (int k = 1; k < classes; k++)
            if ((double)logits[k] > largest) {
                largest = logits[k];
                best = k;
            }
        double sum = 0;
        for (int k = 0; k < classes; k++)
            sum += share[k] = vm_exp((double)logits[k] - largest);
        const double loss = vm_log(sum) + largest - (double)logits[label];
        total += loss;
        *correct += loss - loss == 0 && best == label;
        if (!dlogits)
            continue;
        memset(dlogits, 0, (size_t)stride * sizeof *dlogits);
        for (int k = 0; k < classes; k++)
            dlogits[k] = (float)((share[k] / sum - (k == label)) / images);
        dlogits += stride;
    }
    return total;
}

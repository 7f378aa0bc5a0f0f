/* loss: softmax cross-entropy, in double precision. */
#ifndef WORKER_NN_LOSS_H
#define WORKER_NN_LOSS_H

#include <stdint.h>

enum { LOSS_MAX_CLASSES = 256 };

/* logits, dlogits: images × stride floats, of which the first `classes` of an image count. Returns the sum of
 * the cross-entropies in nats, not finite where a logit is NaN or infinite, and adds to *correct the images
 * whose label has the largest logit (the first of equals). dlogits (may be NULL): the gradient of the mean.
 */
double loss_softmax(const float *logits, const uint8_t *labels, int images, int classes, int stride,
                    float *dlogits, int64_t *correct);

#endif

/* winograd: 3 × 3 convolutions of stride 1 with 16 multiplications where the direct way takes 36 (Lavin and
 * Gray 2015, "Fast Algorithms for Convolutional Neural Networks", F(2×2, 3×3); Winograd 1980).
 *
 * The output is cut into tiles of 2 × 2. With d the 4 × 4 patch of the input around a tile and g the 3 × 3
 * weights,
 *
 *     y = Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A        Bᵀ = 1  0 −1  0    G = 1   0   0    Aᵀ = 1  1  1  0
 *                                                0  1  1  0        ½   ½   ½         0  1 −1 −1
 *                                                0 −1  1  0        ½  −½   ½
 *                                                0  1  0 −1        0   0   1
 *
 * so for each of the 16 places of a patch the channels are one matrix product over tiles. The gradients
 * follow:
 *
 *     input:    the same with the output's gradient as input and turned weights
 *     weights:  dg = Gᵀ [Σ over tiles (Bᵀ d B) ⊙ (A dy Aᵀ)] G
 *
 * A dy Aᵀ is stored without the minus of Aᵀ's last column; Gᵀ takes it back.
 *
 * The rows of tiles of many images are one list, of which a strip of about WINOGRAD_STRIP tiles goes through
 * all steps while it is in cache. Lanes are channels and never mix; every sum runs in an order that follows
 * from the shapes alone.
 */
#ifndef WORKER_NN_WINOGRAD_H
#define WORKER_NN_WINOGRAD_H

#include "worker/nn/layers.h"

/* Whether a convolution can go this way. */
bool winograd_fits(const struct net *net, const struct layer *layer);
/* The passes of such a layer (layers.h). */
void winograd_forward(struct net *net, struct layer *layer, int images);
void winograd_backward(struct net *net, struct layer *layer, int images);
size_t winograd_scratch(const struct net *net, const struct layer *layer, int batch);

#endif

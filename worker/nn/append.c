/* Concatenation: y = x's channels behind those of the tensor before, as a dense block makes it (Huang et al. 2017).
 *
 * Nothing but x moves: y lies in the memory of the tensor before, its channels side by side without gaps, and so does each
 * later one of the block, up to the widest, which owns the memory (arena.c). So x's lanes are shifted by the channels before,
 * modulo 16. The gradients are one piece of memory in the same way: what the later layers wrote is the gradient of all
 * channels before, and x's is cut out of it. */
#include "worker/nn/layers.h"

#include <assert.h>

/* Where a piece lies in the wide tensor: from lane `shift` of block `block` on. */
struct place {
    int block, shift;
    int channels; /* of the piece */
    size_t plane; /* floats of one block */
};

static struct place place_of(const struct tensor *piece, const struct tensor *wide)
{
    const int before = wide->shape.channels - piece->shape.channels;
    return (struct place){.block = before / LANES,
                          .shift = before % LANES,
                          .channels = piece->shape.channels,
                          .plane = (size_t)pixels_of(piece->shape) * LANES};
}

/* Lanes of block `block` of the piece. */
static int piece_lanes(const struct place *place, int block)
{
    const int lanes = place->channels - block * LANES;
    return lanes < LANES ? lanes : LANES;
}

/* Lanes [from, from + count) of the rows of one block to lanes [to, to + count) of another; where `clear`, the lanes behind
 * become 0. */
static void lanes_copy(const float *rows, int from, float *to_rows, int to, int count, size_t floats,
                       bool clear)
{
    for (size_t at = 0; at < floats; at += LANES) {
        for (int lane = 0; lane < count; lane++)
            to_rows[at + (size_t)(to + lane)] = rows[at + (size_t)(from + lane)];
        for (int lane = to + count; clear && lane < LANES; lane++)
            to_rows[at + (size_t)lane] = 0.0f;
    }
}

/* One image. Behind the last channel of `wide` its block is 0 until a later piece comes. */
static void piece_put(const struct place *place, const float *piece, float *wide)
{
    wide += (size_t)place->block * place->plane;
    for (int block = 0; block < blocks_of(place->channels);
         block++, piece += place->plane, wide += place->plane) {
        const int lanes = piece_lanes(place, block), room = LANES - place->shift;
        lanes_copy(piece, 0, wide, place->shift, lanes < room ? lanes : room, place->plane, true);
        if (lanes > room)
            lanes_copy(piece, room, wide + place->plane, 0, lanes - room, place->plane, true);
    }
}

static void piece_cut(const struct place *place, const float *wide, float *piece)
{
    wide += (size_t)place->block * place->plane;
    for (int block = 0; block < blocks_of(place->channels);
         block++, piece += place->plane, wide += place->plane) {
        const int lanes = piece_lanes(place, block), room = LANES - place->shift;
        lanes_copy(wide, place->shift, piece, 0, lanes < room ? lanes : room, place->plane, true);
        if (lanes > room)
            lanes_copy(wide + place->plane, 0, piece, room, lanes - room, place->plane, true);
    }
}

static void forward(struct net *net, struct layer *layer, int first, int count)
{
    const struct tensor *x = &net->tensors[layer->input], *y = &net->tensors[layer->output];
    const struct place place = place_of(x, y);
    for (int image = first; image < first + count; image++)
        piece_put(&place, value_at(x, image), value_at(y, image));
}

static void backward(struct net *net, struct layer *layer, int first, int count)
{
    const struct tensor *x = &net->tensors[layer->input], *y = &net->tensors[layer->output];
    const struct place place = place_of(x, y);
    assert(!layer->add_input && !layer->add_residual); /* net_append */
    for (int image = first; image < first + count; image++)
        piece_cut(&place, gradient_at(y, image), gradient_at(x, image));
}

static size_t scratch(const struct net *net, const struct layer *layer, int batch)
{
    (void)net, (void)layer, (void)batch;
    return 0;
}

const struct layer_kind layer_append = {
    .name = "append", .forward = forward, .backward = backward, .scratch = scratch, .value_unused = true};

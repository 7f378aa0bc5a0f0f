#include "worker/nn/layers.h"

#include <assert.h>

/* Slots form a stack; closing the group that makes a power of two merges the two on top, as a binary counter
 * carries. */

static int tree_levels(int groups)
{
    int levels = 1;
    while (groups > 0) {
        groups /= 2;
        levels++;
    }
    return levels;
}

size_t tree_spare_floats(size_t floats, int batch)
{
    return (size_t)tree_levels(groups_of(batch)) * lanes_up(floats);
}

struct tree tree_start(const struct kernels *kernels, float *first, float *spare, size_t floats)
{
    assert(floats % LANES == 0);
    return (struct tree){.kernels = kernels, .first = first, .spare = spare, .rows = floats / LANES};
}

static float *tree_slot(const struct tree *tree, int level)
{
    return level == 0 ? tree->first : tree->spare + (size_t)(level - 1) * tree->rows * LANES;
}

float *tree_open(struct tree *tree)
{
    tree->slot = tree_slot(tree, tree->depth);
    memset(tree->slot, 0, tree->rows * LANES * sizeof *tree->slot);
    return tree->slot;
}

static void tree_merge(struct tree *tree)
{
    tree->depth--;
    tree->kernels->add(tree_slot(tree, tree->depth), tree_slot(tree, tree->depth - 1), tree->rows);
}

void tree_close(struct tree *tree)
{
    tree->depth++;
    tree->groups++;
    for (int groups = tree->groups; groups % 2 == 0; groups /= 2)
        tree_merge(tree);
}

void tree_finish(struct tree *tree)
{
    while (tree->depth > 1)
        tree_merge(tree);
}

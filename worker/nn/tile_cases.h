/* tile_cases: how the inner loops of .simd.c files get register tiles of a constant size.
 *
 * Sizes must be constants where they are used, or the accumulators land on the stack: one copy of the code
 * for each size, and a switch. TILE is as many accumulators as the registers hold beside one vector of
 * weights and one broadcast.
 */
#ifndef WORKER_NN_TILE_CASES_H
#define WORKER_NN_TILE_CASES_H

#include "common/simd.h"

#define INLINE static inline __attribute__((always_inline))

#if defined(SIMD_PATH_avx512)
enum { TILE = 16 };
#else
enum { TILE = 6 };
#endif

/* The call sees the size as the constant `tile`. */
#define TILE_CASE(count, call)                                                                               \
    case count: {                                                                                            \
        enum { tile = count };                                                                               \
        call;                                                                                                \
        break;                                                                                               \
    }
#define TILE_CASES_6(call)                                                                                   \
    TILE_CASE(1, call)                                                                                       \
    TILE_CASE(2, call) TILE_CASE(3, call) TILE_CASE(4, call) TILE_CASE(5, call) TILE_CASE(6, call)
#if defined(SIMD_PATH_avx512)
#define TILE_CASES(call)                                                                                     \
    TILE_CASES_6(call)                                                                                       \
    TILE_CASE(7, call)                                                                                       \
    TILE_CASE(8, call)                                                                                       \
    TILE_CASE(9, call)                                                                                       \
    TILE_CASE(10, call)                                                                                      \
    TILE_CASE(11, call)                                                                                      \
    TILE_CASE(12, call) TILE_CASE(13, call) TILE_CASE(14, call) TILE_CASE(15, call) TILE_CASE(16, call)
#else
#define TILE_CASES(call) TILE_CASES_6(call)
#endif

/* The size of the next tile where `left` are to do: as equal as possible, since small tiles leave the units
 * idle. */
INLINE int tile_size(int left)
{
    int tiles = (left + TILE - 1) / TILE;
    return (left + tiles - 1) / tiles;
}

#endif

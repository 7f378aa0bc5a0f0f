#include "common/expr/tile.h"

#define SIMD_ROW(name) extern const struct tile_functions tile_functions_##name;
SIMD_PATH_TABLE(SIMD_ROW)
#undef SIMD_ROW

const struct tile_functions *const tile_functions_of[SIMD_PATHS] = {
#define SIMD_ROW(name) &tile_functions_##name,
    SIMD_PATH_TABLE(SIMD_ROW)
#undef SIMD_ROW
};

#include "worker/nn/kernels.h"

#define KERNEL_ROW(name, arguments) void kernel_##name##_portable arguments;
KERNEL_TABLE(KERNEL_ROW)
#undef KERNEL_ROW
#define KERNEL_ROW(name, arguments) void kernel_##name##_avx2 arguments;
KERNEL_TABLE(KERNEL_ROW)
#undef KERNEL_ROW
#define KERNEL_ROW(name, arguments) void kernel_##name##_avx512 arguments;
KERNEL_TABLE(KERNEL_ROW)
#undef KERNEL_ROW

static const struct kernels tables[SIMD_PATHS] = {
    [SIMD_portable] =
        {
#define KERNEL_ROW(name, arguments) .name = kernel_##name##_portable,
            KERNEL_TABLE(KERNEL_ROW)
#undef KERNEL_ROW
        },
    [SIMD_avx2] =
        {
#define KERNEL_ROW(name, arguments) .name = kernel_##name##_avx2,
            KERNEL_TABLE(KERNEL_ROW)
#undef KERNEL_ROW
        },
    [SIMD_avx512] =
        {
#define KERNEL_ROW(name, arguments) .name = kernel_##name##_avx512,
            KERNEL_TABLE(KERNEL_ROW)
#undef KERNEL_ROW
        },
};

const struct kernels *kernels_table(void)
{
    return &tables[simd_path()];
}

#include "common/simd.h"

#include "common/err.h"

#include <stdio.h>
#include <stdlib.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

static const char *const path_names[] = {
#define SIMD_ROW(name) #name,
    SIMD_PATH_TABLE(SIMD_ROW)
#undef SIMD_ROW
};

const char *simd_path_name(enum simd_path path)
{
    return path_names[path];
}

int simd_has(enum simd_path path)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    switch (path) {
    case SIMD_avx512:
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
               __builtin_cpu_supports("fma");
    case SIMD_avx2:
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    default:
        return 1;
    }
#else
    return path == SIMD_portable;
#endif
}

/* The one piece of mutable state here: which path was chosen, or −1 before the first question. Set once at start. */
static int chosen_path = -1;

static enum simd_path widest_path(void)
{
    for (int p = SIMD_PATHS - 1; p > 0; p--)
        if (simd_has((enum simd_path)p))
            return (enum simd_path)p;
    return SIMD_portable;
}

int simd_force(enum simd_path path)
{
    if (!simd_has(path))
        return ERR_NOT_FOUND;
    chosen_path = (int)path;
    return 0;
}

enum simd_path simd_path(void)
{
    if (chosen_path >= 0)
        return (enum simd_path)chosen_path;
    const char *wanted = getenv("ACTSEARCH_KERNELS");
    if (!wanted || !*wanted) {
        chosen_path = (int)widest_path();
        return (enum simd_path)chosen_path;
    }
    for (int p = 0; p < SIMD_PATHS; p++)
        if (strcmp(wanted, path_names[p]) == 0 && simd_force((enum simd_path)p) == 0)
            return (enum simd_path)p;
    fprintf(stderr, "ACTSEARCH_KERNELS=%s: expected avx512, avx2 or portable, and a CPU that has it\n",
            wanted);
    exit(2);
}

void simd_set_denormals(void)
{
#if defined(__x86_64__)
    _mm_setcsr(_mm_getcsr() | 0x8040); /* FTZ and DAZ */
#endif
}

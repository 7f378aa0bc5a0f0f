/* program_fuzz: what a LEASE makes a worker run. Any activation string that parses compiles, runs forward and
 * backward within its rows, and gives the same bits on every instruction set of this CPU. */
#include "common/expr/program.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ROWS = 35, FLOATS = ROWS * LANES }; /* more than one tile of rows */

/* What a run reads and writes; each array in memory of its own, so that a sanitizer sees a step past its end.
 */
struct run {
    float *x, *dy, *beta; /* in */
    float *y, *dx, *dbeta;
};

static float *floats(size_t count)
{
    float *at = aligned_alloc(SIMD_ALIGN, (count ? count : LANES) * sizeof *at);
    assert(at);
    memset(at, 0, (count ? count : LANES) * sizeof *at);
    return at;
}

static struct run run_new(size_t betas)
{
    struct run run = {floats(FLOATS), floats(FLOATS), floats(betas * LANES),
                      floats(FLOATS), floats(FLOATS), floats(betas * LANES)};
    for (int i = 0; i < FLOATS; i++) {
        run.x[i] = (float)(i - FLOATS / 2) / 64;
        run.dy[i] = (float)(i % 7 - 3);
    }
    for (size_t i = 0; i < betas * LANES; i++)
        run.beta[i] = 0.5f + (float)i / 16;
    return run;
}

static void run_release(struct run *run)
{
    float *all[] = {run->x, run->dy, run->beta, run->y, run->dx, run->dbeta};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
}

static void execute(enum simd_path path, const struct program *program, struct run *run)
{
    int err = simd_force(path);
    assert(err == 0);
    program_forward(program, run->x, run->beta, run->y, ROWS, NULL);
    program_backward(program, run->x, run->beta, run->dy, run->dx, run->dbeta, ROWS, NULL);
}

/* The same bits, all NaN alike. */
static bool same(const float *a, const float *b, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (memcmp(&a[i], &b[i], sizeof *a) != 0 && (a[i] == a[i] || b[i] == b[i]))
            return false;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = xcalloc(size + 1, 1);
    memcpy(text, data, size);
    struct expr *expr = NULL;
    struct problem problem;
    if (expr_parse(text, &expr, &problem) == 0) {
        struct program *program = program_new(expr);
        size_t betas = (size_t)expr_betas(expr);
        struct run portable = run_new(betas);
        execute(SIMD_portable, program, &portable);
        for (int path = SIMD_portable + 1; path < SIMD_PATHS; path++) {
            if (!simd_has((enum simd_path)path))
                continue;
            struct run wide = run_new(betas);
            execute((enum simd_path)path, program, &wide);
            assert(same(portable.y, wide.y, FLOATS) && same(portable.dx, wide.dx, FLOATS) &&
                   same(portable.dbeta, wide.dbeta, betas * LANES));
            run_release(&wide);
        }
        run_release(&portable);
        program_destroy(&program);
    }
    expr_destroy(&expr);
    free(text);
    return 0;
}

/* Runs a compiled expression tile after tile. */
#include "common/expr/program.h"

#include "common/expr/program_code.h"

#include <stdlib.h>
#include <string.h>

struct program {
    int betas;
    struct numbers numbers; /* for both */
    struct code forward, backward;
};

static float *aligned_floats(size_t count)
{
    float *floats = aligned_alloc(SIMD_ALIGN, lanes_up(count + 1) * sizeof(float));
    if (!floats)
        abort();
    return floats;
}

struct program *program_new(const struct expr *expr)
{
    struct program *program = xcalloc(1, sizeof *program);
    struct numbers numbers = {0};
    program->betas = expr->betas;
    code_make(expr, WHAT_FORWARD, &numbers, &program->forward);
    code_make(expr, WHAT_BACKWARD, &numbers, &program->backward);
    code_assemble(&program->forward);
    code_assemble(&program->backward);
    program->numbers = (struct numbers){aligned_floats((size_t)numbers.count * LANES), numbers.count};
    if (numbers.count)
        memcpy(program->numbers.row, numbers.row, (size_t)numbers.count * LANES * sizeof(float));
    free(numbers.row);
    return program;
}

void program_destroy(struct program **program)
{
    if (!*program)
        return;
    code_release(&(*program)->forward);
    code_release(&(*program)->backward);
    free((*program)->numbers.row);
    free(*program);
    *program = NULL;
}

/* ---- running it ---- */

/* The caller's rows; NULL where the code has none. */
struct data {
    const float *x, *dy;
    float *y, *dx;
    const struct program_soon *soon;
};

static void run_section(const struct tile_functions *functions, const struct steps *steps,
                        struct tile_frame *frame)
{
    for (int i = 0; i < steps->stretches; i++)
        functions->run(steps->at + steps->start[i], frame);
}

static void set_rows(struct tile_frame *frame, const float *x, const float *dy, float *y, float *dx)
{
    frame->base[BASE_X] = (float *)(uintptr_t)x;
    frame->base[BASE_DY] = (float *)(uintptr_t)dy;
    frame->base[BASE_Y] = y;
    frame->base[BASE_DX] = dx;
}

/* The last rows, too few for a tile, on copies; what stands beyond them is 0 and does not count. */
static void run_rest(const struct tile_functions *functions, const struct steps *steps,
                     struct tile_frame *frame, const struct data *data, size_t at, size_t rows)
{
    float copy[4][TILE_MAX_FLOATS] __attribute__((aligned(SIMD_ALIGN))) = {{0}};
    const size_t bytes = rows * LANES * sizeof(float);
    memcpy(copy[0], data->x + at, bytes);
    if (data->dy)
        memcpy(copy[1], data->dy + at, bytes);
    set_rows(frame, copy[0], copy[1], copy[2], copy[3]);
    frame->rows = (int)rows;
    run_section(functions, steps, frame);
    if (data->y)
        memcpy(data->y + at, copy[2], bytes);
    if (data->dx)
        memcpy(data->dx + at, copy[3], bytes);
}

static void fetch(const struct program_soon *soon, size_t at, size_t floats)
{
    for (int k = 0; k < PROGRAM_SOON; k++)
        for (size_t i = 0; soon->rows[k] && i < floats; i += LANES)
            __builtin_prefetch(soon->rows[k] + at + i);
}

static void run_tiles(const struct tile_functions *functions, const struct steps *steps,
                      struct tile_frame *frame, const struct data *data, size_t rows)
{
    const size_t tile_rows = (size_t)functions->rows, full = rows / tile_rows, step = tile_rows * LANES;
    set_rows(frame, data->x, data->dy, data->y, data->dx);
    frame->rows = functions->rows;
    for (size_t tile = 0; tile < full; tile++) {
        if (data->soon)
            fetch(data->soon, tile * step, step);
        run_section(functions, steps, frame);
        for (int base = BASE_X; base <= BASE_DX; base++)
            frame->base[base] = frame->base[base] ? frame->base[base] + step : NULL;
    }
    if (full * tile_rows < rows)
        run_rest(functions, steps, frame, data, full * step, rows - full * tile_rows);
}

/* Scratch as large as the code needs: most programs get by with a little of the stack, the longest take the
 * heap. */
enum { SMALL_UNIFORMS = 32, SMALL_SLOTS = 32 };

static void run_code(const struct program *program, const struct code *code, const struct data *data,
                     const float *beta, float *dbeta, size_t rows)
{
    float small_slots[SMALL_SLOTS * TILE_MAX_FLOATS] __attribute__((aligned(SIMD_ALIGN)));
    float small_uniforms[SMALL_UNIFORMS * LANES] __attribute__((aligned(SIMD_ALIGN)));
    float *slots =
        code->slots > SMALL_SLOTS ? aligned_floats((size_t)code->slots * TILE_MAX_FLOATS) : small_slots;
    float *uniforms =
        code->uniforms > SMALL_UNIFORMS ? aligned_floats((size_t)code->uniforms * LANES) : small_uniforms;
    memset(uniforms, 0, (size_t)code->uniforms * LANES * sizeof(float)); /* the sums start at 0 */

    const struct tile_functions *functions = tile_functions_of[simd_path()];
    struct tile_frame frame = {.function = functions->function, .rows = 1};
    frame.base[BASE_NUMBER] = program->numbers.row;
    frame.base[BASE_BETA] = (float *)(uintptr_t)beta;
    frame.base[BASE_UNIFORM] = uniforms;
    frame.base[BASE_SLOT] = slots;
    run_section(functions, &code->steps[SECTION_BEFORE], &frame);
    run_tiles(functions, &code->steps[SECTION_TILE], &frame, data, rows);
    run_section(functions, &code->steps[SECTION_AFTER], &frame);
    for (int k = 0; dbeta && k < program->betas; k++) {
        const struct ref sum = code->beta_sum[k];
        for (int lane = 0; sum.place != PLACE_NONE && lane < LANES; lane++)
            dbeta[k * LANES + lane] += uniforms[sum.index * LANES + lane];
    }

    if (slots != small_slots)
        free(slots);
    if (uniforms != small_uniforms)
        free(uniforms);
}

void program_forward(const struct program *program, const float *x, const float *beta, float *y, size_t rows,
                     const struct program_soon *soon)
{
    run_code(program, &program->forward, &(struct data){.x = x, .y = y, .soon = soon}, beta, NULL, rows);
}

void program_backward(const struct program *program, const float *x, const float *beta, const float *dy,
                      float *dx, float *dbeta, size_t rows, const struct program_soon *soon)
{
    run_code(program, &program->backward, &(struct data){.x = x, .dy = dy, .dx = dx, .soon = soon}, beta,
             dbeta, rows);
}

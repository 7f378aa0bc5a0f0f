/* activation: ns per element of each function of the paper and of the seven that the trainer is held to, over
 * a tile that stays in L1, against SLEEF's exp in the same run.
 *
 *   activation [avx512|avx2|portable]
 *
 * The two calls that the trainer makes: forward is f; backward is f′·dy and Σ ∂f/∂β·dy, from x alone. The
 * ratio is that of their sum. A binary function gets x and −x, so that both operands vary. Each number is the least of many short
 * rounds, and the rounds of all functions take turns: what else the machine does falls on all alike. */
#include "common/expr/program.h"

#include <immintrin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *const unary[] = {
    "x",        "-x",       "abs(x)",           "x^2",           "x^3",       "sqrt(x)",
    "b*x",      "x+b",      "log(abs(x)+1e-6)", "exp(x)",        "sin(x)",    "cos(x)",
    "sinh(x)",  "cosh(x)",  "tanh(x)",          "asinh(x)",      "atan(x)",   "sinc(x)",
    "max(x,0)", "min(x,0)", "sigmoid(x)",       "log(1+exp(x))", "exp(-x^2)", "erf(x)",
    "b",
};
static const char *const binary[] = {
    "x+-x",
    "x*-x",
    "x--x",
    "x/(-x+1e-6)",
    "max(x,-x)",
    "min(x,-x)",
    "sigmoid(x)*-x",
    "exp(-b*(x--x)^2)",
    "exp(-b*abs(x--x))",
    "b*x+(1-b)*-x",
};
static const char *const trained[] = {
    "relu(x)", "x*sigmoid(b*x)", "atan(x)^2-x", "max(x,tanh(x))", "sinc(x)+x", "cos(x)-x", "x*exp(-x^2)",
};

enum { ROWS = 64, FLOATS = ROWS * LANES, ROUNDS = 60, CALLS = 60 };
static const double goal = 2.5;

struct subject {
    const char *text;
    struct program *program;
    double forward_ns, backward_ns;
};

/* Set apart by more than 4 KiB each: a load right after a store with the same low 12 bits of address waits
 * for it. */
static struct {
    float x[FLOATS], pad_x[5 * LANES], dy[FLOATS], pad_dy[7 * LANES], y[FLOATS], pad_y[9 * LANES], dx[FLOATS];
} rows __attribute__((aligned(SIMD_ALIGN)));

/* sleef.h declares each only where the compiler targets its instruction set. */
typedef float sse __attribute__((vector_size(16)));
__m512 Sleef_expf16_u10avx512f(__m512 a);
__m256 Sleef_expf8_u10avx2(__m256 a);
sse Sleef_expf4_u10(sse a);

__attribute__((target("avx512f"))) static void exp_avx512(void)
{
    for (int i = 0; i < FLOATS; i += 16)
        _mm512_store_ps(rows.y + i, Sleef_expf16_u10avx512f(_mm512_load_ps(rows.x + i)));
}

__attribute__((target("avx2"))) static void exp_avx2(void)
{
    for (int i = 0; i < FLOATS; i += 8)
        _mm256_store_ps(rows.y + i, Sleef_expf8_u10avx2(_mm256_load_ps(rows.x + i)));
}

static void exp_portable(void)
{
    for (int i = 0; i < FLOATS; i += 4) {
        sse v;
        memcpy(&v, rows.x + i, sizeof v);
        v = Sleef_expf4_u10(v);
        memcpy(rows.y + i, &v, sizeof v);
    }
}

static double now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return 1e9 * (double)now.tv_sec + (double)now.tv_nsec;
}

static void keep_least(double *least, double start, double end)
{
    double each = (end - start) / ((double)CALLS * FLOATS);
    if (*least == 0 || each < *least)
        *least = each;
}

static void run_round(struct subject *subjects, int count, void (*sleef_exp)(void), double *exp_ns)
{
    static float beta[EXPR_MAX_BETAS * LANES], dbeta[EXPR_MAX_BETAS * LANES];
    for (int i = 0; i < EXPR_MAX_BETAS * LANES; i++)
        beta[i] = 0.75f;
    double start = now_ns();
    for (int call = 0; call < CALLS; call++)
        sleef_exp();
    keep_least(exp_ns, start, now_ns());
    for (int i = 0; i < count; i++) {
        struct subject *subject = &subjects[i];
        start = now_ns();
        for (int call = 0; call < CALLS; call++)
            program_forward(subject->program, rows.x, beta, rows.y, ROWS, NULL);
        keep_least(&subject->forward_ns, start, now_ns());
        start = now_ns();
        for (int call = 0; call < CALLS; call++)
            program_backward(subject->program, rows.x, beta, rows.dy, rows.dx, dbeta, ROWS, NULL);
        keep_least(&subject->backward_ns, start, now_ns());
    }
}

static int add(struct subject *subjects, int count, const char *const *texts, size_t text_count)
{
    for (size_t i = 0; i < text_count; i++) {
        struct expr *expr = NULL;
        struct problem problem;
        if (expr_parse(texts[i], &expr, &problem) != 0) {
            fprintf(stderr, "%s: %s\n", texts[i], problem.text);
            exit(1);
        }
        subjects[count++] = (struct subject){.text = texts[i], .program = program_new(expr)};
        expr_destroy(&expr);
    }
    return count;
}

static void print_rows(const char *title, const struct subject *subjects, int count, double exp_ns)
{
    printf("\n%-20s %9s %9s %9s %9s\n", title, "forward", "backward", "sum", "of exp");
    for (int i = 0; i < count; i++) {
        const double sum = subjects[i].forward_ns + subjects[i].backward_ns;
        printf("%-20s %9.3f %9.3f %9.3f %8.2fx%s\n", subjects[i].text, subjects[i].forward_ns,
               subjects[i].backward_ns, sum, sum / exp_ns, sum > goal * exp_ns ? "  over" : "");
    }
}

int main(int argc, char **argv)
{
    static const struct {
        enum simd_path path;
        void (*sleef_exp)(void);
    } paths[] = {{SIMD_avx512, exp_avx512}, {SIMD_avx2, exp_avx2}, {SIMD_portable, exp_portable}};
    enum { UNARY = sizeof unary / sizeof *unary, BINARY = sizeof binary / sizeof *binary };
    enum { TRAINED = sizeof trained / sizeof *trained, SUBJECTS = UNARY + BINARY + TRAINED };
    for (int i = 0; i < FLOATS; i++) {
        rows.x[i] = (float)((i * 2654435761u >> 8 & 0xffff) / 65536.0 * 8 - 4); /* [−4, 4), in no order */
        rows.dy[i] = (float)(i % 7) - 3.0f;
    }
    for (size_t p = 0; p < sizeof paths / sizeof *paths; p++) {
        if ((argc > 1 && strcmp(argv[1], simd_path_name(paths[p].path)) != 0) ||
            simd_force(paths[p].path) != 0)
            continue;
        struct subject subjects[SUBJECTS];
        double exp_ns = 0;
        int count = add(subjects, 0, unary, UNARY);
        count = add(subjects, count, binary, BINARY);
        count = add(subjects, count, trained, TRAINED);
        for (int round = 0; round < ROUNDS; round++)
            run_round(subjects, count, paths[p].sleef_exp, &exp_ns);
        printf("%s: SLEEF exp %.3f ns per element; rows in ns per element, goal at most %.1f times exp\n",
               simd_path_name(paths[p].path), exp_ns, goal);
        print_rows("unary", subjects, UNARY, exp_ns);
        print_rows("binary of x, -x", subjects + UNARY, BINARY, exp_ns);
        print_rows("trained", subjects + UNARY + BINARY, TRAINED, exp_ns);
        for (int i = 0; i < count; i++)
            program_destroy(&subjects[i].program);
    }
    return 0;
}

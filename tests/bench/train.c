/* train: how fast the trainer is on one core, and where its milliseconds go.
 *
 * For each model and function: training images per second, milliseconds per batch of each kind of layer in
 * both directions, and the arithmetic of the matrix products as a share of what this core's multiply-add
 * units could do in that time (measured at the start, on the same instruction set). The data are noise in
 * memory. A figure is the median over the batches, in processor time, so that other programs disturb it less.
 *
 *   train [SETTING=VALUE …]
 *
 * SETTING: model (a name of the table below; all), function (an expression; all seven), batch (128), seconds (1, of
 * each measurement). The environment variable ACTSEARCH_KERNELS picks the instruction set. */
#include "common/rng.h"
#include "worker/nn/batch.h"
#include "worker/nn/loss.h"
#include "worker/nn/model.h"
#include "worker/nn/sgd.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { CLASSES = 10, RECORDS = 1024, MAX_BATCHES = 4096 };

static const struct {
    const char *name;
    struct shape image;
} models[] = {{"resnet-20", {3, 32, 32}},
              {"preresnet-164", {3, 32, 32}},
              {"wrn-28-10", {3, 32, 32}},
              {"densenet-100-12", {3, 32, 32}},
              {"densenet-bc-100-12", {3, 32, 32}},
              {"cnn", {1, 28, 28}},
              {"mlp", {1, 28, 28}}};

static const char *const functions[] = {"relu(x)",   "x*sigmoid(b0*x)", "atan(x)^2-x", "max(x,tanh(x))",
                                        "sinc(x)+x", "cos(x)-x",        "x*exp(-x^2)"};

enum phase {
    DATA,
    CONV_FORWARD,
    NORM_ACT_FORWARD,
    CONV_BACKWARD,
    NORM_ACT_BACKWARD,
    OTHER_LAYERS,
    LOSS_AND_STEP,
    PHASES,
};
static const char *const phase_names[PHASES] = {"data", "conv>", "act>",     "<conv",
                                                "<act", "other", "loss,step"};

struct settings {
    const char *model, *function;
    int batch;
    double seconds;
};

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

/* ---- what the multiply-add units can do
 * -------------------------------------------------------------------- */

/* Twelve chains of multiply-adds in registers: more than hide the latency. Returns GFLOP/s. */
#if defined(__x86_64__)
enum { CHAINS = 12, ROUNDS = 4000000 };
#define PEAK(name, isa, vector, set, fma, lanes)                                                             \
    __attribute__((target(isa))) static double peak_##name(void)                                             \
    {                                                                                                        \
        vector c0 = set(0), c1 = c0, c2 = c0, c3 = c0, c4 = c0, c5 = c0, c6 = c0, c7 = c0, c8 = c0, c9 = c0, \
               c10 = c0, c11 = c0;                                                                           \
        const vector a = set(0.999f), b = set(0.001f);                                                       \
        const double start = now_ms();                                                                       \
        for (int round = 0; round < ROUNDS; round++) {                                                       \
            c0 = fma(c0, a, b), c1 = fma(c1, a, b), c2 = fma(c2, a, b), c3 = fma(c3, a, b);                  \
            c4 = fma(c4, a, b), c5 = fma(c5, a, b), c6 = fma(c6, a, b), c7 = fma(c7, a, b);                  \
            c8 = fma(c8, a, b), c9 = fma(c9, a, b), c10 = fma(c10, a, b), c11 = fma(c11, a, b);              \
            __asm__ volatile(""                                                                              \
                             : "+v"(c0), "+v"(c1), "+v"(c2), "+v"(c3), "+v"(c4), "+v"(c5), "+v"(c6),         \
                               "+v"(c7), "+v"(c8), "+v"(c9), "+v"(c10), "+v"(c11));                          \
        }                                                                                                    \
        return 2.0 * lanes * CHAINS * ROUNDS / (now_ms() - start) * 1e-6;                                    \
    }
PEAK(avx512, "avx512f", __m512, _mm512_set1_ps, _mm512_fmadd_ps, 16)
PEAK(avx2, "avx2,fma", __m256, _mm256_set1_ps, _mm256_fmadd_ps, 8)
#endif

static double peak_gflops(void)
{
#if defined(__x86_64__)
    double best = 0;
    for (int i = 0; i < 5 && simd_path() != SIMD_portable; i++) {
        const double gflops = simd_path() == SIMD_avx512 ? peak_avx512() : peak_avx2();
        best = gflops > best ? gflops : best;
    }
    return best;
#else
    return 0;
#endif
}

/* Of one training step, GFLOP: a product forward, one for the weights, one for the input where it has a
 * gradient. */
static double step_gflop(const struct net *net, int batch)
{
    double total = 0;
    for (int i = 0; i < net->layer_count; i++) {
        const struct layer *layer = &net->layers[i];
        const double products = net->tensors[layer->input].gradient ? 3 : 2;
        total += 2 * products * (double)layer_multiply_adds(net, layer) * batch;
    }
    return total * 1e-9;
}

/* ---- one training
 * ------------------------------------------------------------------------------------------- */

struct work {
    struct net *net;
    struct batcher *batcher;
    struct child child;
    uint8_t *labels;
};

static enum phase phase_of(const struct layer *layer, bool back)
{
    if (layer_is_conv(layer))
        return back ? CONV_BACKWARD : CONV_FORWARD;
    if (layer->kind == &layer_norm_act)
        return back ? NORM_ACT_BACKWARD : NORM_ACT_FORWARD;
    return OTHER_LAYERS;
}

/* Where the time goes since `before`. */
struct clock {
    double before;
    double *ms; /* of each phase */
};

static void lap(struct clock *clock, enum phase phase)
{
    const double now = now_ms();
    clock->ms[phase] += now - clock->before;
    clock->before = now;
}

static void layer_done(void *context, const struct layer *layer, bool back)
{
    lap(context, phase_of(layer, back));
}

/* The step of train.c, with a clock between the layers. */
static void step(struct work *work, int64_t number, double ms[PHASES])
{
    struct net *net = work->net;
    const int images = (int)work->child.batch;
    struct clock clock = {now_ms(), ms};
    net->trace = layer_done;
    net->trace_context = &clock;
    batcher_next(work->batcher, net_image(net), work->labels);
    lap(&clock, DATA);
    net_forward(net, images, PASS_TRAIN);
    struct tensor *logits = net_logits(net);
    int64_t correct = 0;
    loss_softmax(logits->value, work->labels, images, net->classes, (int)logits->image_floats,
                 logits->gradient, &correct);
    lap(&clock, LOSS_AND_STEP);
    net_backward(net, images);
    sgd_step(net, &work->child, number);
    lap(&clock, LOSS_AND_STEP);
}

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, compare_doubles);
    return (values[(count - 1) / 2] + values[count / 2]) / 2;
}

static void measure(const struct settings *settings, const char *model, struct shape image,
                    const char *function, double peak)
{
    struct problem problem;
    struct expr *activation;
    struct work work = {.child = child_defaults()};
    work.child.batch = settings->batch;
    work.child.lr = 0.01;
    const size_t bytes = (size_t)RECORDS * (size_t)(image.channels * pixels_of(image));
    uint8_t *pixels = malloc(bytes), *labels = malloc(RECORDS);
    struct rng rng = rng_seed(1, "bench", 0);
    for (size_t i = 0; i < bytes; i++)
        pixels[i] = (uint8_t)rng_below(&rng, 256);
    for (int i = 0; i < RECORDS; i++)
        labels[i] = (uint8_t)rng_below(&rng, CLASSES);
    const struct data data = {.channels = image.channels,
                              .height = image.height,
                              .width = image.width,
                              .classes = CLASSES,
                              .train = {pixels, labels, RECORDS}};
    if (expr_parse(function, &activation, &problem) ||
        model_build(model, image, CLASSES, activation, &work.net, &problem) ||
        net_finish(work.net, settings->batch, &problem)) {
        fprintf(stderr, "%s\n", problem.text);
        exit(1);
    }
    simd_set_denormals();
    net_initialise(work.net, 1);
    work.batcher = batcher_new(&data, RECORDS, (uint32_t)settings->batch, true, 1);
    work.labels = calloc((size_t)settings->batch, 1);

    static double ms[PHASES + 1][MAX_BATCHES]; /* the last: the whole step */
    double warm[PHASES] = {0};
    step(&work, 0, warm);
    int batches = 0;
    for (const double start = now_ms();
         batches < MAX_BATCHES && (batches < 3 || now_ms() - start < 1e3 * settings->seconds); batches++) {
        double phases[PHASES] = {0}, total = 0;
        step(&work, 1, phases);
        for (int p = 0; p < PHASES; p++) {
            ms[p][batches] = phases[p];
            total += phases[p];
        }
        ms[PHASES][batches] = total;
    }
    const double whole = median(ms[PHASES], batches), gflop = step_gflop(work.net, settings->batch);
    printf("%-10s %-16s %8.0f %8.2f", model, function, settings->batch / whole * 1e3, whole);
    for (int p = 0; p < PHASES; p++)
        printf(" %9.2f", median(ms[p], batches));
    if (peak > 0)
        printf(" %6.1f %%", 100 * gflop / (whole * 1e-3) / peak);
    printf("\n");
    fflush(stdout);
    free(work.labels);
    free(pixels);
    free(labels);
    batcher_destroy(&work.batcher);
    net_destroy(&work.net);
    expr_destroy(&activation);
}

int main(int argc, char **argv)
{
    struct settings settings = {"all", "all", 128, 1.0};
    for (int i = 1; i < argc; i++) {
        const char *value = strchr(argv[i], '=');
        const size_t length = value ? (size_t)(value++ - argv[i]) : 0;
        if (length == 5 && strncmp(argv[i], "model", length) == 0)
            settings.model = value;
        else if (length == 8 && strncmp(argv[i], "function", length) == 0)
            settings.function = value;
        else if (length == 5 && strncmp(argv[i], "batch", length) == 0 && atoi(value) > 0)
            settings.batch = atoi(value);
        else if (length == 7 && strncmp(argv[i], "seconds", length) == 0)
            settings.seconds = atof(value);
        else {
            fprintf(stderr, "%s: expected model=, function=, batch= or seconds=\n", argv[i]);
            return 2;
        }
    }
    const double peak = peak_gflops();
    printf("%s, %.0f GFLOP/s of multiply-adds, batch %d; milliseconds per batch\n",
           simd_path_name(simd_path()), peak, settings.batch);
    printf("%-10s %-16s %8s %8s", "model", "function", "images/s", "ms");
    for (int p = 0; p < PHASES; p++)
        printf(" %9s", phase_names[p]);
    printf(" %8s\n", "of peak");
    for (size_t m = 0; m < sizeof models / sizeof *models; m++)
        for (size_t f = 0; f < sizeof functions / sizeof *functions; f++) {
            if (strcmp(settings.model, "all") != 0 && strcmp(settings.model, models[m].name) != 0)
                continue;
            if (strcmp(settings.function, "all") == 0)
                measure(&settings, models[m].name, models[m].image, functions[f], peak);
            else if (f == 0)
                measure(&settings, models[m].name, models[m].image, settings.function, peak);
        }
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("peak memory %.0f MB\n", (double)usage.ru_maxrss / 1024);
    return 0;
}

/* actsearch train: one child network with one activation function, here and now. */
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "common/json.h"
#include "common/simd.h"
#include "worker/nn/train.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    OPTION_MODEL = OPTION_OWN,
    OPTION_DATA,
    OPTION_ACTIVATION,
    OPTION_STEPS,
    OPTION_TEST,
    OPTION_DESCRIBE
};

static const int64_t max_seed = (INT64_C(1) << 53) - 1; /* survives JSON */

struct arguments {
    const char *activation, *cache;
    struct child child;
    int64_t seed;
    bool test, describe, json, verbose;
};

static const struct argp_option options[] = {
    {"activation", OPTION_ACTIVATION, "EXPR", 0,
     "The function, such as 'x*sigmoid(b*x)', or a known name: swish", 0},
    {"model", OPTION_MODEL, "M", 0, "Child network: mlp, cnn, resnet-N, ... (default: cnn)", 0},
    {"data", OPTION_DATA, "D", 0, "Data set (default: fashion-mnist)", 0},
    {"steps", OPTION_STEPS, "N", 0, "Training steps (default: 100)", 0},
    {"seed", OPTION_SEED, "S", 0, "Seed of the initial weights and the order of the images (default: 1)", 0},
    {"set", OPTION_SET, "child.KEY=VALUE", 0,
     "Another value for a key of the section [child]; may be repeated", 0},
    {"test", OPTION_TEST, 0, 0, "Evaluate on the test set too", 0},
    {"describe", OPTION_DESCRIBE, 0, 0, "Print layers, shapes, parameters, multiply-adds and how the authors trained the model; train nothing", 0},
    {"verbose", 'v', 0, 0, "Say which CPU, kernels and data are used", 0},
    OPTION_ROW_CACHE,
    OPTION_ROW_JSON,
    {0},
};

static void child_option(const struct argp_state *state, struct child *child, const char *key,
                         const char *value)
{
    struct problem problem;
    if (child_set(child, key, value, &problem))
        argp_error(state, "%s", problem.text);
}

/* "child.KEY=VALUE" */
static void set_option(const struct argp_state *state, struct child *child, const char *text)
{
    static const char section[] = "child.";
    const char *equals = strchr(text, '=');
    if (!equals || strncmp(text, section, strlen(section)) != 0) {
        argp_error(state, "--set: expected child.KEY=VALUE, not '%s'", text);
        return;
    }
    const char *begin = text + strlen(section);
    char *key = xasprintf("%.*s", (int)(equals - begin), begin);
    child_option(state, child, key, equals + 1);
    free(key);
}

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    struct problem problem;
    switch (key) {
    case OPTION_ACTIVATION:
        arguments->activation = value;
        return 0;
    case OPTION_MODEL:
        child_option(state, &arguments->child, "model", value);
        return 0;
    case OPTION_DATA:
        child_option(state, &arguments->child, "data", value);
        return 0;
    case OPTION_STEPS:
        child_option(state, &arguments->child, "steps", value);
        return 0;
    case OPTION_SEED:
        arguments->seed = option_int(state, "--seed", value, 0, max_seed);
        return 0;
    case OPTION_SET:
        set_option(state, &arguments->child, value);
        return 0;
    case OPTION_TEST:
        arguments->test = true;
        return 0;
    case OPTION_DESCRIBE:
        arguments->describe = true;
        return 0;
    case OPTION_CACHE:
        arguments->cache = value;
        return 0;
    case OPTION_JSON:
        arguments->json = true;
        return 0;
    case 'v':
        arguments->verbose = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "'%s' is no option (the function goes behind --activation)", value);
        return 0;
    case ARGP_KEY_END:
        if (!arguments->activation)
            argp_error(state, "expected --activation EXPR, such as --activation 'x*sigmoid(b*x)'");
        if (arguments->describe && arguments->json)
            argp_error(state, "--describe is text for people and has no --json");
        if (train_model_check(arguments->child.model, &problem) || child_check(&arguments->child, &problem))
            argp_error(state, "%s", problem.text);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    .options = options,
    .parser = parse_option,
    .doc = "Trains one child network with EXPR as its activation function and says how well it does on "
           "the validation set, the records of the training set that are held out.\v"
           "The same seed gives the same result, bit for bit, on every CPU. A training whose loss is not "
           "finite has diverged: that is a result, its accuracy is 0. 'actsearch help experiment' lists "
           "the keys of [child].",
};

/* ---- what is printed -------------------------------------------------------------------------------------
 */

/* The CPU's name as the kernel gives it. malloc'd. */
static char *cpu_name(void)
{
    FILE *file = fopen("/proc/cpuinfo", "re");
    char line[256], name[256] = "unknown";
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "model name : %255[^\n]", name) == 1)
            break;
    if (file)
        fclose(file);
    return xstrdup(name);
}

static void print_surroundings(const struct arguments *arguments, const struct data *data, const char *dir)
{
    char hex[HASH_HEX];
    char *cpu = cpu_name();
    hash_hex(&data->hash, hex);
    const char *forced = getenv("ACTSEARCH_KERNELS");
    fprintf(stderr, "kernels  %s (%s)\ncpu      %s\ndata     %s/%s.data, hash %.16s\n",
            simd_path_name(simd_path()),
            forced && *forced ? "as ACTSEARCH_KERNELS says" : "the widest of this CPU", cpu, dir,
            arguments->child.data, hex);
    free(cpu);
}

static double share(int64_t correct, int64_t count)
{
    return count ? (double)correct / (double)count : 0;
}

static void print_json(const struct arguments *arguments, const struct data *data, const char *activation,
                       const struct train_result *result)
{
    char hex[HASH_HEX];
    hash_hex(&data->hash, hex);
    struct json json = {0};
    json_object(&json, NULL);
    json_text(&json, "activation", activation);
    json_text(&json, "model", arguments->child.model);
    json_text(&json, "data", arguments->child.data);
    json_int(&json, "steps", arguments->child.steps);
    json_int(&json, "seed", arguments->seed);
    json_real(&json, "validation_accuracy", share(result->correct, result->validation_count));
    json_real(&json, "validation_loss", result->diverged ? NAN : result->validation_loss);
    json_real(&json, "train_loss", result->diverged ? NAN : result->train_loss);
    json_bool(&json, "diverged", result->diverged);
    if (result->diverged)
        json_int(&json, "diverged_at_step", result->step);
    if (arguments->test)
        json_real(&json, "test_accuracy", share(result->test_correct, result->test_count));
    json_int(&json, "parameters", result->parameters);
    json_int(&json, "betas", result->betas);
    json_real(&json, "images_per_second", result->images_per_second);
    json_real(&json, "seconds", result->seconds);
    json_real(&json, "cost_ns", result->cost_ns);
    json_int(&json, "peak_memory_bytes", result->peak_memory_bytes);
    json_text(&json, "kernels", simd_path_name(simd_path()));
    json_text(&json, "data_hash", hex);
    json_end(&json);
    puts(buf_text(&json.out));
    buf_release(&json.out);
}

static void print_result(const struct arguments *arguments, const char *activation,
                         const struct train_result *result)
{
    printf("activation           %s\n", activation);
    printf("trained              %s on %s, %lld of %lld steps of %lld images, seed %lld\n",
           arguments->child.model, arguments->child.data, (long long)result->step,
           (long long)arguments->child.steps, (long long)arguments->child.batch, (long long)arguments->seed);
    if (result->diverged) {
        printf("result               diverged: the loss was not finite at step %lld\n",
               (long long)result->step);
    } else {
        printf("validation accuracy  %.2f %% of %lld\n",
               100 * share(result->correct, result->validation_count), (long long)result->validation_count);
        printf("validation loss      %.4f\n", result->validation_loss);
        if (arguments->test)
            printf("test accuracy        %.2f %% of %lld\n",
                   100 * share(result->test_correct, result->test_count), (long long)result->test_count);
        printf("training loss        %.4f (last batch)\n", result->train_loss);
    }
    printf("parameters           %lld, and %lld of the function\n", (long long)result->parameters,
           (long long)result->betas);
    printf("speed                %.0f images/s; the function and its derivative %.2f ns per element\n",
           result->images_per_second, result->cost_ns);
    printf("time, memory         %.1f s, %.0f MB\n", result->seconds,
           (double)result->peak_memory_bytes / 1e6);
}

static bool show_progress(void *context, const struct train_progress *progress)
{
    char detail[80];
    snprintf(detail, sizeof detail, "step %lld of %lld, loss %.4f", (long long)progress->step,
             (long long)progress->steps, progress->train_loss);
    progress_show(context, (double)progress->step / (double)progress->steps, detail);
    return true;
}

/* ---- the command -----------------------------------------------------------------------------------------
 */

static int train(const struct arguments *arguments, const struct data *data, const struct expr *activation)
{
    struct problem problem;
    const struct train_job job = {.activation = activation,
                                  .child = &arguments->child,
                                  .seed = (uint64_t)arguments->seed,
                                  .data = data,
                                  .test = arguments->test};
    struct train_result result;
    struct progress *progress = progress_new(stderr);
    const int err = train_run(&job, show_progress, progress, &result, &problem);
    progress_destroy(&progress);
    if (err)
        return print_problem("actsearch train", NULL, &problem);
    char *text = expr_print(activation);
    if (arguments->json)
        print_json(arguments, data, text, &result);
    else
        print_result(arguments, text, &result);
    free(text);
    return STATUS_DONE;
}

static int describe(const struct arguments *arguments, const struct data *data, const struct expr *activation)
{
    struct problem problem;
    char *text;
    if (train_describe(arguments->child.model, data, activation, &text, &problem))
        return print_problem("actsearch train", NULL, &problem);
    fputs(text, stdout);
    free(text);
    return STATUS_DONE;
}

int cli_train(int argc, char **argv)
{
    struct arguments arguments = {.child = child_defaults(), .seed = 1};
    argp_parse(&parser, argc, argv, 0, NULL, &arguments);
    struct expr *expr;
    int status = expr_argument(arguments.activation, &expr);
    if (status)
        return status;
    struct expr *activation = expr_canon(expr);
    char *dir = data_cache_dir(arguments.cache);
    struct data *data = NULL;
    struct problem problem;
    if (data_open(dir, arguments.child.data, &data, &problem)) {
        status = print_problem("actsearch train", NULL, &problem);
    } else {
        if (arguments.verbose)
            print_surroundings(&arguments, data, dir);
        status =
            arguments.describe ? describe(&arguments, data, activation) : train(&arguments, data, activation);
    }
    data_close(&data);
    free(dir);
    expr_destroy(&activation);
    expr_destroy(&expr);
    return status;
}

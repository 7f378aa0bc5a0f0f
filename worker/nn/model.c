#include "worker/nn/model.h"

#include "common/buf.h"
#include "worker/nn/train.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

enum { MODEL_NUMBERS = 4 };

struct model {
    const char *pattern, *limits, *meaning, *published;
    bool (*allowed)(const int *n);
    void (*build)(struct net *net, const int *n);
};

static int conv_norm_act(struct net *net, int input, int channels, int stride)
{
    return net_norm_act(net, net_conv(net, input, channels, 3, stride), true, -1, true);
}

static void build_mlp(struct net *net, const int *n)
{
    (void)n;
    int at = 0;
    for (int hidden = 0; hidden < 2; hidden++)
        at = net_norm_act(net, net_dense(net, at, 128), false, -1, true);
    net_dense(net, at, net->classes);
}

static void build_cnn(struct net *net, const int *n)
{
    (void)n;
    int at = conv_norm_act(net, 0, 16, 2);
    at = conv_norm_act(net, at, 16, 1);
    at = conv_norm_act(net, at, 32, 2);
    at = conv_norm_act(net, at, 32, 1);
    net_dense(net, net_pool(net, at), net->classes);
}

static void build_resnet(struct net *net, const int *n)
{
    const int blocks = (n[0] - 2) / 6;
    int at = conv_norm_act(net, 0, 16, 1);
    for (int stage = 0; stage < 3; stage++)
        for (int block = 0; block < blocks; block++) {
            const int channels = 16 << stage, shortcut = at;
            at = conv_norm_act(net, at, channels, stage > 0 && block == 0 ? 2 : 1);
            at = net_norm_act(net, net_conv(net, at, channels, 3, 1), true, shortcut, true);
        }
    net_dense(net, net_pool(net, at), net->classes);
}

/* ---- nets of preactivation blocks -------------------------------------------------------------------------
 */

static int norm_act(struct net *net, int input)
{
    return net_norm_act(net, input, true, -1, true);
}

/* y = residual + conv(x) */
static int conv_add(struct net *net, int input, int residual, int channels, int kernel)
{
    return net_norm_act(net, net_conv(net, input, channels, kernel, 1), false, residual, false);
}

/* The shortcut of a block whose output has other channels is a 1 × 1 convolution of its first activation, and
 * otherwise its input. */
static int shortcut_of(struct net *net, int input, int activated, int channels, int stride)
{
    return net->tensors[input].shape.channels == channels ? input
                                                          : net_conv(net, activated, channels, 1, stride);
}

/* No layer where percent is not above 0. */
static int dropout(struct net *net, int input, int percent)
{
    return percent > 0 ? net_dropout(net, input, percent) : input;
}

static int preact_bottleneck(struct net *net, int input, int channels, int stride, int drop)
{
    (void)drop;
    int at = norm_act(net, input);
    const int shortcut = shortcut_of(net, input, at, channels, stride);
    at = norm_act(net, net_conv(net, at, channels / 4, 1, stride));
    at = norm_act(net, net_conv(net, at, channels / 4, 3, 1));
    return conv_add(net, at, shortcut, channels, 1);
}

static int preact_basic(struct net *net, int input, int channels, int stride, int drop)
{
    int at = norm_act(net, input);
    const int shortcut = shortcut_of(net, input, at, channels, stride);
    at = norm_act(net, net_conv(net, at, channels, 3, stride));
    return conv_add(net, dropout(net, at, drop), shortcut, channels, 3);
}

/* Three stages of `blocks` blocks; the last two halve the planes and double the channels. `drop`: percent. */
static void build_preact(struct net *net, int blocks, int channels, int drop,
                         int (*block)(struct net *net, int input, int channels, int stride, int drop))
{
    int at = net_conv(net, 0, 16, 3, 1);
    for (int stage = 0; stage < 3; stage++)
        for (int i = 0; i < blocks; i++)
            at = block(net, at, channels << stage, stage > 0 && i == 0 ? 2 : 1, drop);
    net_dense(net, net_pool(net, norm_act(net, at)), net->classes);
}

static void build_preresnet(struct net *net, const int *n)
{
    build_preact(net, (n[0] - 2) / 9, 64, 0, preact_bottleneck);
}

static void build_wrn(struct net *net, const int *n)
{
    build_preact(net, (n[0] - 4) / 6, 16 * n[1], n[2], preact_basic);
}

/* ---- dense nets ------------------------------------------------------------------------------------------
 */

static int norm_act_conv(struct net *net, int input, int channels, int kernel, int drop)
{
    return dropout(net, net_conv(net, norm_act(net, input), channels, kernel, 1), drop);
}

/* Three blocks of `layers` layers, each of which appends `growth` channels to what it reads. Bottlenecks are
 * 1 × 1 convolutions to 4 · growth channels; between blocks 1 / `compression` of the channels go on. */
static void build_dense(struct net *net, int layers, int growth, bool bottleneck, int compression, int drop)
{
    int at = net_conv(net, 0, bottleneck ? 2 * growth : 16, 3, 1);
    for (int block = 0; block < 3; block++) {
        if (block > 0)
            at = net_halve(net,
                           norm_act_conv(net, at, net->tensors[at].shape.channels / compression, 1, drop));
        at = net_append(net, -1, at);
        for (int i = 0; i < layers; i++) {
            const int narrow = bottleneck ? norm_act_conv(net, at, 4 * growth, 1, drop) : at;
            at = net_append(net, at, norm_act_conv(net, narrow, growth, 3, drop));
        }
    }
    net_dense(net, net_pool(net, norm_act(net, at)), net->classes);
}

static void build_densenet(struct net *net, const int *n)
{
    build_dense(net, (n[0] - 4) / 3, n[1], false, 1, n[2]);
}

static void build_densenet_bc(struct net *net, const int *n)
{
    build_dense(net, (n[0] - 4) / 6, n[1], true, 2, n[2]);
}

#define MODEL(id, pattern, allowed, limits, meaning, published)                                              \
    static bool allowed_##id(const int *n)                                                                   \
    {                                                                                                        \
        (void)n;                                                                                             \
        return allowed;                                                                                      \
    }
#include "worker/nn/models.def"

static const struct model models[] = {
#define MODEL(id, pattern, allowed, limits, meaning, published)                                              \
    {pattern, limits, meaning, published, allowed_##id, build_##id},
#include "worker/nn/models.def"
};
enum { MODELS = sizeof models / sizeof *models };

/* Whether `name` has the form of `pattern`: a capital letter stands for a number of up to four digits; what is in
 * brackets at the end may be missing, its numbers are −1 then. */
static bool pattern_match(const char *pattern, const char *name, int n[MODEL_NUMBERS])
{
    int count = 0;
    for (int i = 0; i < MODEL_NUMBERS; i++)
        n[i] = -1;
    for (; *pattern; pattern++) {
        if (*pattern == '[' && *name == '\0')
            return true;
        if (*pattern == '[' || *pattern == ']')
            continue;
        if (!isupper((unsigned char)*pattern)) {
            if (*name++ != *pattern)
                return false;
            continue;
        }
        int digits = 0, value = 0;
        for (; digits < 4 && isdigit((unsigned char)*name); digits++)
            value = 10 * value + (*name++ - '0');
        if (digits == 0 || count == MODEL_NUMBERS)
            return false;
        n[count++] = value;
    }
    return *name == '\0';
}

static int model_find(const char *name, const struct model **ret_model, int n[MODEL_NUMBERS],
                      struct problem *problem)
{
    struct buf list = {0};
    for (int i = 0; i < MODELS; i++) {
        if (pattern_match(models[i].pattern, name, n)) {
            buf_release(&list);
            if (!models[i].allowed(n))
                return problem_set(problem, ERR_INPUT, "model '%.64s': expected %s with %s", name,
                                   models[i].pattern, models[i].limits);
            *ret_model = &models[i];
            return 0;
        }
        buf_printf(&list, "%s%s", i ? ", " : "", models[i].pattern);
    }
    const char *nearest = nearest_name(name, &models[0].pattern, MODELS, sizeof *models);
    int err = problem_set(problem, ERR_INPUT, "there is no model '%.64s'%s%s%s; expected %s", name,
                          nearest ? ": did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "",
                          buf_text(&list));
    buf_release(&list);
    return err;
}

int train_model_check(const char *model, struct problem *problem)
{
    const struct model *found;
    int n[MODEL_NUMBERS];
    return model_find(model, &found, n, problem);
}

int model_build(const char *name, struct shape image, int classes, const struct expr *activation,
                struct net **ret_net, struct problem *problem)
{
    const struct model *model;
    int n[MODEL_NUMBERS];
    int err = model_find(name, &model, n, problem);
    if (err)
        return err;
    *ret_net = net_new(image, classes, activation);
    model->build(*ret_net, n);
    return 0;
}

/* ---- train_describe --------------------------------------------------------------------------------------
 */

static void describe_shape(struct buf *text, struct shape shape)
{
    char shown[64];
    snprintf(shown, sizeof shown, "%d x %d x %d", shape.channels, shape.height, shape.width);
    buf_printf(text, "%-16s", shown);
}

static void describe_layer(struct buf *text, const struct net *net, const struct layer *layer)
{
    char what[64];
    if (layer_is_conv(layer))
        snprintf(what, sizeof what, "conv %dx%d%s", layer->kernel, layer->kernel,
                 layer->stride > 1 ? " stride 2" : "");
    else if (layer->kind == &layer_norm_act)
        snprintf(what, sizeof what, "%s%s%s", layer->has_norm ? "norm " : "",
                 layer->residual >= 0 ? "add " : "", layer->has_activation ? "act" : "");
    else
        snprintf(what, sizeof what, "%s", layer->kind->name);
    buf_printf(text, "%4d  %-18s", (int)(layer - net->layers) + 1, what);
    describe_shape(text, net->tensors[layer->output].shape);
    buf_printf(text, "%12lld%16lld", (long long)layer_parameter_count(net, layer),
               (long long)layer_multiply_adds(net, layer));
    if (layer->has_activation)
        buf_printf(text, "%8lld", (long long)layer_beta_count(net, layer));
    buf_printf(text, "\n");
}

static void describe_net(struct buf *text, const struct net *net)
{
    int64_t parameters = 0, multiply_adds = 0, betas = 0;
    buf_printf(text, "%4s  %-18s%-16s%12s%16s%8s\n   0  %-18s", "", "layer", "output", "parameters",
               "multiply-adds", "beta", "image");
    describe_shape(text, net->tensors[0].shape);
    buf_printf(text, "\n");
    for (int i = 0; i < net->layer_count; i++) {
        describe_layer(text, net, &net->layers[i]);
        parameters += layer_parameter_count(net, &net->layers[i]);
        multiply_adds += layer_multiply_adds(net, &net->layers[i]);
        betas += layer_beta_count(net, &net->layers[i]);
    }
    buf_printf(text, "%4s  %-18s%-16s%12lld%16lld%8lld\n", "", "total", "", (long long)parameters,
               (long long)multiply_adds, (long long)betas);
}

int train_describe(const char *name, const struct data *data, const struct expr *activation, char **ret_text,
                   struct problem *problem)
{
    const struct model *model;
    int n[MODEL_NUMBERS];
    int err = model_find(name, &model, n, problem);
    if (err)
        return err;
    struct net *net =
        net_new((struct shape){data->channels, data->height, data->width}, data->classes, activation);
    model->build(net, n);
    struct buf text = {0};
    buf_printf(&text, "%s: %s\n\n", name, model->meaning);
    describe_net(&text, net);
    if (*model->published)
        buf_printf(&text, "\nAs its authors trained it on CIFAR-10:\n\n[child]\nmodel = %s\n%s", name,
                   model->published);
    *ret_text = xstrdup(buf_text(&text));
    buf_release(&text);
    net_destroy(&net);
    return 0;
}

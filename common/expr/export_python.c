/* export_python: a function for PyTorch, JAX or TensorFlow, which differentiate it by themselves. */
#include "common/expr/export_text.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const struct helper {
    enum export_target target;
    const char *name, *text;
} helpers[] = {
#define HELPER_PYTHON(target, name, text) {EXPORT_##target, name, text},
#include "common/expr/export.def"
};
enum { HELPERS = sizeof helpers / sizeof *helpers };

/* "max_tanh" as "MaxTanh". */
static void class_name(const char *name, char ret_text[EXPORT_MAX_NAME + 1])
{
    bool upper = true;
    size_t length = 0;
    for (; *name; name++) {
        if (*name != '_')
            ret_text[length++] = upper ? (char)toupper((unsigned char)*name) : *name;
        upper = *name == '_';
    }
    ret_text[length] = '\0';
}

/* ", b0, b1" or, with their initial values, ", b0=1.0, b1=0.25" */
static void put_betas(struct export_writer *writer, const char *before, bool initial)
{
    for (int k = 0; k < writer->expr->betas; k++) {
        buf_printf(writer->out, ", %sb%d", before, k);
        if (initial) {
            buf_printf(writer->out, "=");
            export_number(writer, writer->expr->beta_init[k]);
        }
    }
}

/* The lines that compute f, at one level of indentation. */
static void put_body(struct export_writer *writer, const char *indent, const char *zeros_like)
{
    const int root = writer->expr->count - 1;
    bool *depends = export_depends(writer->expr);
    export_writer_locals(writer);
    for (int i = 0; i < root; i++) {
        if (writer->local[i] < 0)
            continue;
        buf_printf(writer->out, "%st%d = ", indent, writer->local[i]);
        export_formula(writer, i);
        buf_printf(writer->out, "\n");
    }
    buf_printf(writer->out, "%sreturn ", indent);
    if (!depends[root]) /* the same value for each x, and as many of them */
        buf_printf(writer->out, "%s(x) + ", zeros_like);
    if (!depends[root])
        buf_printf(writer->out, "(");
    export_formula(writer, root);
    buf_printf(writer->out, depends[root] ? "\n" : ")\n");
    export_writer_release(writer);
    free(depends);
}

static void put_helpers(enum export_target target, const struct buf *code, struct buf *ret_text)
{
    for (int h = 0; h < HELPERS; h++) {
        char *call = xasprintf("%s(", helpers[h].name);
        if (helpers[h].target == target && strstr(buf_text(code), call))
            buf_printf(ret_text, "%s\n\n", helpers[h].text);
        free(call);
    }
}

/* ---- PyTorch ------------------------------------------------------------------------------------------- */

static void put_pytorch_parameters(struct export_writer *writer)
{
    buf_printf(writer->out,
               "Each b is a trainable number per channel. x: (N, channels, ...), or with one channel any\n"
               "    shape. Train them without weight decay.\n"
               "    \"\"\"\n\n"
               "    def __init__(self, channels=1):\n"
               "        super().__init__()\n");
    for (int k = 0; k < writer->expr->betas; k++) {
        buf_printf(writer->out, "        self.b%d = torch.nn.Parameter(torch.full((channels,), ", k);
        export_number(writer, writer->expr->beta_init[k]);
        buf_printf(writer->out, "))\n");
    }
    buf_printf(writer->out, "\n");
}

static void put_pytorch(struct export_writer *writer, const struct export_job *job)
{
    char title[EXPORT_MAX_NAME + 1];
    class_name(job->name, title);
    buf_printf(writer->out, "class %s(torch.nn.Module):\n    \"\"\"f(x) = %s\n\n    Found by actsearch. ",
               title, job->formula);
    if (writer->expr->betas > 0)
        put_pytorch_parameters(writer);
    else
        buf_printf(writer->out, "x: any shape.\n    \"\"\"\n\n");
    buf_printf(writer->out, "    def forward(self, x):\n");
    if (writer->expr->betas > 0)
        buf_printf(writer->out, "        channels = [-1] + [1] * (x.dim() - 2)\n");
    for (int k = 0; k < writer->expr->betas; k++)
        buf_printf(writer->out, "        b%d = self.b%d.view(channels)\n", k, k);
    put_body(writer, "        ", "torch.zeros_like");
}

/* ---- JAX and TensorFlow -------------------------------------------------------------------------------- */

static void put_function(struct export_writer *writer, const struct export_job *job, const char *zeros_like)
{
    buf_printf(writer->out, "def %s(x", job->name);
    put_betas(writer, "", true);
    buf_printf(writer->out, "):\n    \"\"\"f(x) = %s\n\n    Found by actsearch.", job->formula);
    if (writer->expr->betas > 0)
        buf_printf(
            writer->out,
            " Each b is a trainable number per channel: one number, or an array that broadcasts to\n"
            "    x (channels last); the defaults are the initial values. Train them without weight decay.\n"
            "    \"\"\"\n");
    else
        buf_printf(writer->out, "\n    \"\"\"\n");
    if (writer->target == EXPORT_TENSORFLOW) {
        buf_printf(writer->out, "    x = tf.convert_to_tensor(x)\n");
        for (int k = 0; k < writer->expr->betas; k++)
            buf_printf(writer->out, "    b%d = tf.cast(b%d, x.dtype)\n", k, k);
    }
    put_body(writer, "    ", zeros_like);
}

static void put_keras_layer(struct export_writer *writer, const struct export_job *job)
{
    char title[EXPORT_MAX_NAME + 1];
    class_name(job->name, title);
    buf_printf(writer->out,
               "\n\nclass %s(tf.keras.layers.Layer):\n    \"\"\"%s with one trainable b per channel (the "
               "last axis).\"\"\"\n\n"
               "    def build(self, input_shape):\n",
               title, job->name);
    for (int k = 0; k < writer->expr->betas; k++) {
        buf_printf(writer->out,
                   "        self.b%d = self.add_weight(name=\"b%d\", shape=(input_shape[-1],),\n"
                   "                                  initializer=tf.keras.initializers.Constant(",
                   k, k);
        export_number(writer, writer->expr->beta_init[k]);
        buf_printf(writer->out, "))\n");
    }
    buf_printf(writer->out, "\n    def call(self, x):\n        return %s(x", job->name);
    put_betas(writer, "self.", false);
    buf_printf(writer->out, ")\n");
}

void export_python(const struct export_job *job, struct buf *ret_text)
{
    struct expr *expr = export_folded(job->expr);
    struct buf code = {0};
    struct export_writer writer = {
        .expr = expr, .target = job->target, .out = &code, .suffix = "", .prefix = ""};
    switch (job->target) {
    case EXPORT_PYTORCH:
        buf_printf(ret_text, "import torch\n\n\n");
        put_pytorch(&writer, job);
        break;
    case EXPORT_JAX:
        buf_printf(ret_text, "import jax\nimport jax.numpy as jnp\n\n\n");
        put_function(&writer, job, "jnp.zeros_like");
        break;
    default:
        assert(job->target == EXPORT_TENSORFLOW);
        buf_printf(ret_text, "import tensorflow as tf\n\n\n");
        put_function(&writer, job, "tf.zeros_like");
        if (expr->betas > 0)
            put_keras_layer(&writer, job);
    }
    put_helpers(job->target, &code, ret_text);
    buf_put(ret_text, code.data, code.size);
    buf_release(&code);
    expr_destroy(&expr);
}

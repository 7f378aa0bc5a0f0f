#include "worker/lines.h"

#include "common/child.h"
#include "common/expr/export.h"
#include "common/json.h"
#include "common/text.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- to the trainer ---- */

static void put_choice(struct json *json, const char *key, const char *names, int index)
{
    struct buf text = {0};
    text_put_choice(&text, names, index);
    json_text(json, key, buf_text(&text));
    buf_release(&text);
}

static void put_settings(struct json *json, const struct child *child)
{
#define CHILD_INT(key, initial, low, high, meaning)      json_int(json, #key, child->key);
#define CHILD_REAL(key, initial, low, high, meaning)     json_real(json, #key, child->key);
#define CHILD_BOOL(key, initial, meaning)                json_bool(json, #key, child->key);
#define CHILD_NAME(key, initial, meaning)                json_text(json, #key, child->key);
#define CHILD_CHOICE(key, type, initial, names, meaning) put_choice(json, #key, names, (int)child->key);
#include "common/child.def"
}

int line_of_job(const struct msg_lease *lease, const char *id, struct buf *ret_line, struct problem *problem)
{
    struct child child;
    struct expr *activation = NULL;
    int err = child_parse(lease->child, &child, problem);
    if (!err)
        err = expr_parse(lease->activation, &activation, problem);
    if (err)
        return err;
    struct json json = {0};
    char *code = expr_export(activation, EXPORT_PYTORCH, "activation");
    json_object(&json, NULL);
    json_int(&json, "version", LINES_VERSION);
    json_text(&json, "id", id);
    json_int(&json, "trial", lease->trial);
    json_text(&json, "activation", lease->activation);
    json_int(&json, "b", expr_betas(activation));
    json_int(&json, "seed", lease->seed);
    put_settings(&json, &child);
    json_text(&json, "pytorch", code);
    json_end(&json);
    buf_put(&json.out, "\n", 1);
    buf_put(ret_line, json.out.data, json.out.size);
    buf_release(&json.out);
    free(code);
    expr_destroy(&activation);
    return 0;
}

/* ---- from the trainer ---- */

enum type { WHOLE, REAL, TRUTH };
static const char *const type_names[] = {"a whole number from 0", "a number, or null where it is not finite",
                                         "true or false"};

#define LINE_KEYS(ROW)                                                                                       \
    ROW(step, WHOLE, false)                                                                                  \
    ROW(loss, REAL, false)                                                                                   \
    ROW(diverged, TRUTH, true)                                                                               \
    ROW(correct, WHOLE, true)                                                                                \
    ROW(count, WHOLE, true)                                                                                  \
    ROW(validation_loss, REAL, true)                                                                         \
    ROW(parameters, WHOLE, true)                                                                             \
    ROW(betas, WHOLE, true)

static const struct key {
    const char *name;
    enum type type;
    size_t offset;
    bool of_outcome;
} keys[] = {
#define ROW_KEY(key, type, of_outcome) {#key, type, offsetof(struct line, key), of_outcome},
    LINE_KEYS(ROW_KEY)};

enum {
#define ROW_BIT(key, type, of_outcome) BIT_##key,
    LINE_KEYS(ROW_BIT) KEYS,
};

static bool has(unsigned given, int bit)
{
    return (given >> bit & 1) != 0;
}

static int unknown_key(const char *name, struct problem *problem)
{
    const char *nearest = nearest_name(name, &keys[0].name, KEYS, sizeof keys[0]);
    return problem_set(problem, ERR_INPUT, "unknown key '%.40s'%s%s%s", name,
                       nearest ? ": did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
}

/* The library has no whole numbers; those up to here are exact. */
static const double WHOLE_MAX = 9007199254740992.0; /* 2^53 */

static int take_value(const struct key *key, const cJSON *value, struct line *line, struct problem *problem)
{
    char *field = (char *)line + key->offset;
    const double number = cJSON_IsNumber(value) ? value->valuedouble : NAN;
    if (key->type == WHOLE && number >= 0 && number <= WHOLE_MAX && number == (double)(int64_t)number)
        *(int64_t *)field = (int64_t)number;
    else if (key->type == REAL && (isfinite(number) || cJSON_IsNull(value)))
        *(double *)field = number;
    else if (key->type == TRUTH && cJSON_IsBool(value))
        *(bool *)field = cJSON_IsTrue(value);
    else
        return problem_set(problem, ERR_INPUT, "%s: expected %s", key->name, type_names[key->type]);
    return 0;
}

/* What holds between the keys. */
static int check(struct line *line, unsigned given, struct problem *problem)
{
    if (!line->last && !has(given, BIT_step))
        return problem_set(problem, ERR_INPUT,
                           "expected step, or the outcome: correct, count, validation_loss");
    if (has(given, BIT_validation_loss) && !isfinite(line->validation_loss))
        line->diverged = true;
    if (!line->last || line->diverged) {
        line->correct = line->count = 0;
        line->validation_loss = NAN;
        return 0;
    }
    for (int bit = BIT_correct; bit <= BIT_validation_loss; bit++)
        if (!has(given, bit))
            return problem_set(problem, ERR_INPUT,
                               "%s is missing: an outcome has correct, count and "
                               "validation_loss, or diverged",
                               keys[bit].name);
    if (line->count < 1 || line->correct > line->count)
        return problem_set(problem, ERR_INPUT, "%" PRId64 " of %" PRId64 " correct cannot be", line->correct,
                           line->count);
    return 0;
}

static int take_object(const cJSON *object, struct line *ret_line, struct problem *problem)
{
    struct line line = {.step = -1, .loss = NAN, .validation_loss = NAN};
    unsigned given = 0;
    for (const cJSON *value = object->child; value; value = value->next) {
        int bit = 0;
        while (bit < KEYS && strcmp(keys[bit].name, value->string) != 0)
            bit++;
        if (bit == KEYS)
            return unknown_key(value->string, problem);
        if (has(given, bit))
            return problem_set(problem, ERR_INPUT, "%s is there twice", keys[bit].name);
        int err = take_value(&keys[bit], value, &line, problem);
        if (err)
            return err;
        given |= 1u << bit;
        line.last |= keys[bit].of_outcome;
    }
    int err = check(&line, given, problem);
    if (!err)
        *ret_line = line;
    return err;
}

/* Python and others print these for a loss that is not finite, which is no JSON. */
static bool names_no_number(const char *text, size_t size)
{
    return memmem(text, size, "NaN", strlen("NaN")) || memmem(text, size, "Infinity", strlen("Infinity"));
}

/* NULL where the text is not one value of JSON and nothing else. */
static cJSON *parse(const char *text, size_t size, struct problem *problem)
{
    const char *end = NULL;
    cJSON *root = cJSON_ParseWithLengthOpts(text, size, &end, false);
    size_t at = end ? (size_t)(end - text) : 0;
    while (root && at < size && strchr(" \t\r", text[at]) && text[at])
        at++;
    if (root && at == size)
        return root;
    cJSON_Delete(root);
    problem_set(problem, ERR_INPUT, "no JSON from its byte %zu on%s", at + 1,
                names_no_number(text, size) ? "; null is for a number that is not finite" : "");
    return NULL;
}

int line_read(const char *text, size_t size, struct line *ret_line, struct problem *problem)
{
    char shown[61];
    size_t length = size < sizeof shown - 1 ? size : sizeof shown - 1;
    for (size_t i = 0; i < length; i++)
        shown[i] = (unsigned char)text[i] < 0x20 ? '?' : text[i];
    shown[length] = '\0';
    cJSON *root = NULL;
    int err = 0;
    if (size > LINE_MAX_BYTES)
        err = problem_set(problem, ERR_LIMIT, "more than %d bytes without an end", LINE_MAX_BYTES);
    else if (!(root = parse(text, size, problem)))
        err = ERR_INPUT;
    else if (!cJSON_IsObject(root))
        err = problem_set(problem, ERR_INPUT, "expected an object, {…}");
    else
        err = take_object(root, ret_line, problem);
    cJSON_Delete(root);
    if (err)
        problem_prefix(problem, "'%s%s'", shown, length < size ? "…" : "");
    return err;
}

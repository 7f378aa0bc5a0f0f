#include "cli/survey.h"

#include <stdlib.h>

void survey_start(struct survey *survey, const struct space *space)
{
    *survey = (struct survey){.space = space, .functions = functions_new()};
}

void survey_release(struct survey *survey)
{
    functions_destroy(&survey->functions);
    *survey = (struct survey){0};
}

static char *canonical_text(const struct expr *expr)
{
    struct expr *canonical = expr_canon(expr);
    char *text = expr_print(canonical);
    expr_destroy(&canonical);
    return text;
}

struct survey_item survey_add(struct survey *survey, const uint16_t *tokens, char **ret_own_text)
{
    struct expr *expr = NULL;
    *ret_own_text = NULL;
    survey->strings++;
    if (space_expr(survey->space, tokens, &expr) != 0) {
        survey->rejected[VERDICT_TOO_LARGE]++;
        survey->too_large++;
        return (struct survey_item){SURVEY_REJECTED, VERDICT_TOO_LARGE, "", NULL};
    }
    bool is_new = false;
    const struct function *function = functions_add(survey->functions, expr, &is_new);
    struct survey_item item = {.verdict = function->verdict, .activation = function->text};
    if (function->verdict != VERDICT_USABLE) {
        item.status = SURVEY_REJECTED;
        survey->rejected[function->verdict]++;
    } else if (is_new) {
        item.status = SURVEY_USABLE;
        survey->usable++;
    } else {
        item.status = SURVEY_DUPLICATE;
        item.of = function->text;
        item.activation = *ret_own_text = canonical_text(expr);
        survey->duplicates++;
    }
    expr_destroy(&expr);
    return item;
}

int64_t survey_distinct(const struct survey *survey)
{
    return functions_count(survey->functions) + survey->too_large;
}

char *survey_status_text(const struct survey_item *item)
{
    switch (item->status) {
    case SURVEY_USABLE:
        break;
    case SURVEY_DUPLICATE:
        return xasprintf("duplicate of %s", item->of);
    case SURVEY_REJECTED:
        return xasprintf("rejected: %s", verdict_text(item->verdict));
    }
    return xstrdup("usable");
}

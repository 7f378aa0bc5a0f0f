#include "cli/answer.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool keep_row(void *context, int columns, const char *const *names, const char *const *values)
{
    struct answer *answer = context;
    if (answer->rows == 0) {
        answer->columns = columns;
        answer->names = xcalloc((size_t)columns, sizeof *answer->names);
        for (int c = 0; c < columns; c++)
            answer->names[c] = xstrdup(names[c]);
    }
    answer->rows++;
    answer->values = xrealloc(answer->values, (size_t)answer->rows * (size_t)columns, sizeof *answer->values);
    char **row = answer->values + (size_t)(answer->rows - 1) * (size_t)columns;
    for (int c = 0; c < columns; c++)
        row[c] = values[c] ? xstrdup(values[c]) : NULL;
    return true;
}

int answer_query(struct store_reader *reader, const char *sql, const char *const *parameters,
                 struct answer *ret_answer, struct problem *problem)
{
    struct answer answer = {0};
    int count = 0;
    while (parameters && parameters[count])
        count++;
    int err = store_query(reader, sql, parameters, count, keep_row, &answer, problem);
    if (err)
        answer_release(&answer);
    else
        *ret_answer = answer;
    return err;
}

void answer_release(struct answer *answer)
{
    for (int i = 0; i < answer->rows * answer->columns; i++)
        free(answer->values[i]);
    for (int c = 0; c < answer->columns; c++)
        free(answer->names[c]);
    free(answer->values);
    free(answer->names);
    *answer = (struct answer){0};
}

const char *answer_text(const struct answer *answer, int row, const char *column)
{
    assert(row >= 0 && row < answer->rows);
    int c = 0;
    while (c < answer->columns && strcmp(answer->names[c], column) != 0)
        c++;
    assert(c < answer->columns);
    return answer->values[row * answer->columns + c];
}

int64_t answer_int(const struct answer *answer, int row, const char *column)
{
    const char *text = answer_text(answer, row, column);
    return text ? strtoll(text, NULL, 10) : 0;
}

double answer_real(const struct answer *answer, int row, const char *column)
{
    const char *text = answer_text(answer, row, column);
    return text ? strtod(text, NULL) : NAN;
}

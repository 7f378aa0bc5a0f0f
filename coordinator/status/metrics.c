#include "coordinator/status/metrics.h"

#include "common/json.h"
#include "common/version.h"

#include <math.h>
#include <stdlib.h>

/* What the view `progress` does not have. */
struct more {
    int64_t lost_attempts, slots;
};

static bool take_more(void *context, int columns, const char *const *names, const char *const *values)
{
    struct more *more = context;
    (void)columns, (void)names;
    more->lost_attempts = values[0] ? strtoll(values[0], NULL, 10) : 0;
    more->slots = values[1] ? strtoll(values[1], NULL, 10) : 0;
    return false;
}

/* A label's value: a backslash, a quote and a line break are escaped. */
static void put_label(struct buf *text, const char *value)
{
    for (const char *at = value; *at; at++)
        if (*at == '\n')
            buf_printf(text, "\\n");
        else
            buf_printf(text, "%s%c", *at == '"' || *at == '\\' ? "\\" : "", *at);
}

static void put_metric(struct buf *text, const char *name, const char *type, const char *help)
{
    buf_printf(text, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void put_value(struct buf *text, const char *name, const char *labels, double value)
{
    char number[REAL_TEXT];
    if (isnan(value))
        return;
    real_text(value, number);
    buf_printf(text, "%s%s%s%s %s\n", name, labels[0] ? "{" : "", labels, labels[0] ? "}" : "", number);
}

int metrics_put(struct store_reader *reader, const struct outlook *outlook, struct buf *ret_text,
                struct problem *problem)
{
    struct progress_row progress;
    const struct progress_row *row = &progress;
    struct more counts = {0};
    const struct more *more = &counts;
    int err = store_progress(reader, &progress, problem);
    if (!err)
        err = store_query(reader,
                          "SELECT (SELECT count(*) FROM attempt WHERE " STORE_LOST_ATTEMPTS
                          "), (SELECT total(slots) FROM worker WHERE connected)",
                          NULL, 0, take_more, &counts, problem);
    if (err)
        return err;
    put_metric(ret_text, "actsearch_info", "gauge", "The release and the experiment.");
    buf_printf(ret_text, "actsearch_info{version=\"%s\",experiment=\"", ACTSEARCH_VERSION);
    put_label(ret_text, outlook->experiment->name);
    buf_printf(ret_text, "\"} 1\n");
    const char *name = NULL;
#define METRIC(metric, type, help) put_metric(ret_text, name = metric, type, help);
#define VALUE(labels, number)      put_value(ret_text, name, labels, (double)(number));
#include "coordinator/status/metrics.def"
    return 0;
}

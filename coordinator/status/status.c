#include "coordinator/status/status.h"

#include "coordinator/status/assets.h"
#include "coordinator/status/metrics.h"
#include "coordinator/status/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct status {
    char *database, *machine;
    struct http_address address;
    struct store_reader *reader; /* NULL until it is needed, and after an error */
    struct outlook outlook;
    int64_t version; /* SQLite's number of the state that was last looked at */
};

struct status *status_new(const char *database, const struct http_address *address, const char *machine)
{
    struct status *status = xcalloc(1, sizeof *status);
    status->database = xstrdup(database);
    status->machine = xstrdup(machine);
    status->address = *address;
    return status;
}

static void close_reader(struct status *status)
{
    store_reader_close(&status->reader);
    outlook_release(&status->outlook);
}

void status_destroy(struct status **status)
{
    if (!*status)
        return;
    close_reader(*status);
    free((*status)->database);
    free((*status)->machine);
    free(*status);
    *status = NULL;
}

static int open_reader(struct status *status, struct problem *problem)
{
    if (status->reader)
        return 0;
    int err = store_reader_open(status->database, &status->reader, problem);
    if (!err)
        err = outlook_open(&status->outlook, status->reader, problem);
    if (err)
        close_reader(status);
    status->version = -1;
    return err;
}

/* ---- answers ------------------------------------------------------------------------------------------- */

static const char json_type[] = "application/json", text_type[] = "text/plain; charset=utf-8";

static void answer_problem(struct http_response *response, int http_status, const char *text)
{
    struct json json = {0};
    json_object(&json, NULL);
    json_text(&json, "error", text);
    json_end(&json);
    buf_release(&response->body);
    response->status = http_status;
    response->type = json_type;
    response->body = json.out;
}

static int http_status_of(int err)
{
    return err == ERR_INPUT || err == ERR_LIMIT ? 400 : err == ERR_NOT_FOUND ? 404 : 503;
}

struct call {
    struct status *status;
    const struct http_target *target;
    struct http_response *response;
};

typedef int report_function_type(const struct report *, struct json *, struct problem *);

static int answer_report(const struct call *call, report_function_type *make, struct problem *problem)
{
    const struct report report = {call->status->reader, &call->status->outlook, call->target};
    struct json json = {0};
    int err = make(&report, &json, problem);
    call->response->type = json_type;
    call->response->body = json.out;
    return err;
}

#define REPORT_ROW(name, parameters, meaning)                                                                \
    static int answer_##name(const struct call *call, struct problem *problem)                               \
    {                                                                                                        \
        return answer_report(call, report_##name, problem);                                                  \
    }
REPORT_TABLE(REPORT_ROW)
#undef REPORT_ROW

static int answer_metrics(const struct call *call, struct problem *problem)
{
    call->response->type = "text/plain; version=0.0.4; charset=utf-8";
    return metrics_put(call->status->reader, &call->status->outlook, &call->response->body, problem);
}

/* That the database can be read was found out before. */
static int answer_healthz(const struct call *call, struct problem *problem)
{
    struct progress_row row;
    int err = store_progress(call->status->reader, &row, problem);
    call->response->type = text_type;
    if (!err)
        buf_printf(&call->response->body, "ok\n");
    return err;
}

static int answer_live(const struct call *call, struct problem *problem)
{
    (void)problem;
    call->response->type = "text/event-stream";
    call->response->events = true;
    return 0;
}

static const struct route {
    const char *path, *parameters;
    int (*answer)(const struct call *call, struct problem *problem);
} routes[] = {
#define REPORT_ROW(name, parameters, meaning) {"/api/" #name, parameters, answer_##name},
    REPORT_TABLE(REPORT_ROW)
#undef REPORT_ROW
        {"/api/live", "", answer_live},
    {"/metrics", "", answer_metrics},
    {"/healthz", "", answer_healthz},
};

static void answer_route(struct status *status, const struct route *route, const struct http_target *target,
                         struct http_response *response)
{
    struct problem problem = {0};
    const struct call call = {status, target, response};
    int err = http_parameters_check(target, route->parameters, &problem);
    if (err) {
        answer_problem(response, 400, problem.text);
        return;
    }
    err = open_reader(status, &problem);
    if (err) { /* also ERR_NOT_FOUND: a search that has just been started */
        answer_problem(response, 503, problem.text);
        return;
    }
    response->status = 200;
    err = route->answer(&call, &problem);
    if (!err)
        return;
    answer_problem(response, http_status_of(err), problem.text);
    if (response->status == 503)
        close_reader(status); /* another file may lie there the next time */
}

void status_answer(struct status *status, const struct http_request *request,
                   struct http_response *ret_response)
{
    struct http_target target;
    struct problem problem = {0};
    if (!request->host)
        answer_problem(ret_response, 400, "a request without the header Host");
    else if (!http_host_is_ours(&status->address, status->machine, request->host))
        answer_problem(ret_response, 421,
                       "this is not the host that was asked for: use its address in numbers, or localhost");
    else if (strcmp(request->method, "GET") != 0 && strcmp(request->method, "HEAD") != 0)
        answer_problem(ret_response, 405, "only GET and HEAD: nothing can be changed here");
    else if (http_target_parse(request->target, &target, &problem) != 0)
        answer_problem(ret_response, 400, problem.text);
    else if (!asset_answer(request, target.path, ret_response)) {
        for (size_t i = 0; i < sizeof routes / sizeof *routes; i++)
            if (strcmp(routes[i].path, target.path) == 0) {
                answer_route(status, &routes[i], &target, ret_response);
                return;
            }
        answer_problem(ret_response, 404, "there is nothing at this address; the page is at /");
    }
}

/* ---- events -------------------------------------------------------------------------------------------- */

void status_event(struct status *status, struct buf *ret_event)
{
    struct problem problem = {0};
    struct json json = {0};
    buf_clear(ret_event);
    if (open_reader(status, &problem) == 0) {
        const struct report report = {status->reader, &status->outlook, NULL};
        if (report_progress(&report, &json, &problem) == 0)
            buf_printf(ret_event, "event: progress\ndata: %s\n\n", buf_text(&json.out));
        else
            close_reader(status);
    }
    buf_release(&json.out);
}

bool status_look(struct status *status, int64_t now_ms, struct buf *ret_event)
{
    struct problem problem = {0};
    struct progress_row row;
    int64_t version = 0;
    if (open_reader(status, &problem) != 0)
        return false;
    if (store_query(status->reader, "PRAGMA data_version", NULL, 0, report_take_int, &version, &problem) !=
            0 ||
        store_progress(status->reader, &row, &problem) != 0) {
        close_reader(status);
        return false;
    }
    outlook_look(&status->outlook, &row, now_ms);
    if (version == status->version)
        return false;
    status->version = version;
    status_event(status, ret_event);
    return ret_event->size > 0;
}

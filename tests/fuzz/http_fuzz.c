/* http_fuzz: requests to the page of a search, as libmicrohttpd hands them on. Each gets an answer with a status, a type and a
 * bounded body; only our own names, GET and HEAD are answered by anything; and an answer that says 200 is whole.
 *
 * The input is up to four lines: method, target, Host, If-None-Match. */
#include "tests/unit/status_fixture.h"

#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BODY_MAX = 1 << 20 };

static struct status *status;

static void start(void)
{
    struct http_address address;
    struct problem problem = {0};
    char path[64];
    snprintf(path, sizeof path, "%s/actsearch-fuzz-http-%d.db",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", (int)getpid());
    unlink(path);
    make_search(path);
    int err = http_address_parse("127.0.0.1:8080", &address, &problem);
    assert(err == 0);
    status = status_new(path, &address, "head-node");
    struct http_response response = get(status, "/healthz"); /* which opens it */
    assert(response.status == 200);
    buf_release(&response.body);
    static const char *const suffixes[] = {"", "-wal", "-shm", "-lock"};
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        char name[80];
        snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
        unlink(name); /* it lives on, open, until we end */
    }
}

/* The next line, NULL where there is none; a NUL ends a text early, as it would in a header. */
static const char *next_line(char **rest)
{
    return *rest ? strsep(rest, "\n") : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!status)
        start();
    char *text = xcalloc(size + 1, 1), *rest = text;
    memcpy(text, data, size);
    const char *method = next_line(&rest), *target = next_line(&rest);
    const struct http_request request = {.method = method,
                                         .target = target ? target : "",
                                         .host = next_line(&rest),
                                         .if_none_match = next_line(&rest),
                                         .gzip = size % 2 == 0};
    struct http_response response = {0};
    status_answer(status, &request, &response);
    assert(response.status >= 200 && response.status <= 503 && response.type);
    assert(response.body.size < BODY_MAX && (!response.file || response.body.size == 0));
    if (response.status == 200) {
        assert(strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0);
        assert(request.host && request.target[0] == '/');
        assert(response.file || response.events || response.body.size > 0);
    }
    if (!response.file && strcmp(response.type, "application/json") == 0)
        assert(response.body.size > 2 && buf_text(&response.body)[response.body.size - 1] == '}');
    assert(response.status != 503); /* nothing that is asked breaks the database */
    buf_release(&response.body);
    free(text);
    return 0;
}

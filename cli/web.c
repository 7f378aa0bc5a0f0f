/* actsearch web: the web page of a results database, also when no coordinator runs. */
#include "cli/commands.h"
#include "cli/options.h"
#include "coordinator/status/http.h"
#include "coordinator/store_read.h"

#include <signal.h>
#include <stdio.h>

enum { OPTION_HTTP = OPTION_OWN, OPTION_HTTP_INSECURE };

static const struct argp_option options[] = {
    {"http", OPTION_HTTP, "ADDRESS:PORT", 0,
     "Where the page is (default: 127.0.0.1:8080; port 0: any that is free)", 0},
    {"http-insecure", OPTION_HTTP_INSECURE, 0, 0,
     "Let other machines see it: anyone who reaches the port can read all of the search", 0},
    {0},
};

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    struct http_settings *settings = state->input;
    struct problem problem;
    switch (key) {
    case OPTION_HTTP:
        settings->address = value;
        return 0;
    case OPTION_HTTP_INSECURE:
        settings->insecure = true;
        return 0;
    case ARGP_KEY_ARG:
        if (settings->database)
            argp_error(state, "one database at a time: '%s' is a second one", value);
        settings->database = value;
        return 0;
    case ARGP_KEY_END:
        if (!settings->database)
            argp_error(state, "expected a results database, DB");
        if (http_check(settings, &problem) != 0)
            argp_error(state, "--http: %s", problem.text);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    .options = options,
    .parser = parse_option,
    .args_doc = "DB",
    .doc = "Shows the results database DB on a web page, until Ctrl-C: progress, the ranked list, each "
           "function with "
           "its curves and its code, workers, failures. Only reads, and works without the internet.\v"
           "A search that runs is shown live. 'actsearch run' and 'actsearchd' have the same page with "
           "--http, as long "
           "as they run. /metrics speaks Prometheus.",
};

int cli_web(int argc, char **argv)
{
    struct http_settings settings = {.address = "127.0.0.1:8080"};
    argp_parse(&parser, argc, argv, 0, NULL, &settings);
    struct store_reader *reader = NULL;
    struct http *http = NULL;
    struct problem problem;
    sigset_t ends;
    int signal_number;
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    int err =
        store_reader_open(settings.database, &reader, &problem); /* to say at once what is wrong with it */
    store_reader_close(&reader);
    if (!err)
        err = http_start(&settings, &http, &problem);
    if (err)
        return print_problem(argv[0], NULL, &problem);
    printf("%s\n", http_url(http));
    fflush(stdout);
    sigwait(&ends, &signal_number);
    http_stop(&http);
    return STATUS_DONE;
}

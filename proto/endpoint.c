#include "proto/endpoint.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

static const char TCP[] = "tcp://", IPC[] = "ipc://";

static bool starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

bool endpoint_is_local(const char *endpoint)
{
    if (starts_with(endpoint, IPC))
        return true;
    if (!starts_with(endpoint, TCP))
        return false;
    const char *host = endpoint + strlen(TCP), *colon = strrchr(host, ':');
    char name[ENDPOINT_MAX + 1];
    if (!colon || (size_t)(colon - host) >= sizeof name)
        return false;
    snprintf(name, sizeof name, "%.*s", (int)(colon - host), host);
    struct in_addr address;
    if (inet_pton(AF_INET, name, &address) == 1)
        return ntohl(address.s_addr) >> 24 == 127;
    return strcmp(name, "localhost") == 0 || strcmp(name, "[::1]") == 0;
}

int endpoint_check(const char *endpoint, struct problem *problem)
{
    if (strlen(endpoint) > ENDPOINT_MAX)
        return problem_set(problem, ERR_INPUT, "the endpoint is longer than %d bytes", ENDPOINT_MAX);
    if (starts_with(endpoint, IPC)) {
        size_t length = strlen(endpoint) - strlen(IPC);
        struct sockaddr_un address;
        if (length == 0 || length >= sizeof address.sun_path)
            return problem_set(problem, ERR_INPUT, "%s: expected a path of 1 to %zu bytes after ipc://",
                               endpoint, sizeof address.sun_path - 1);
        return 0;
    }
    const char *colon = strrchr(endpoint, ':');
    if (!starts_with(endpoint, TCP) || colon < endpoint + strlen(TCP) || colon == endpoint + strlen(TCP))
        return problem_set(problem, ERR_INPUT, "%s: expected tcp://HOST:PORT or ipc://PATH", endpoint);
    const char *port = colon + 1;
    size_t digits = strspn(port, "0123456789");
    if (strcmp(port, "*") == 0)
        return 0;
    if (digits == 0 || digits > 5 || port[digits] != '\0')
        return problem_set(problem, ERR_INPUT, "%s: expected a port, 0 to 65535, not '%s'", endpoint, port);
    long number = 0;
    for (const char *c = port; *c; c++)
        number = 10 * number + (*c - '0');
    if (number > 65535)
        return problem_set(problem, ERR_INPUT, "%s: expected a port, 0 to 65535, not '%s'", endpoint, port);
    return 0;
}

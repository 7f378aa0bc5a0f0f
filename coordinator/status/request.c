#include "coordinator/status/request.h"

#include "common/text.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- the target ---------------------------------------------------------------------------------------- */

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Decodes %XX, and '+' where `plus`, in place. */
static int decode(char *text, bool plus, struct problem *problem)
{
    char *out = text;
    for (const char *at = text; *at; out++) {
        char c = *at++;
        if (c == '%') {
            const int high = hex_digit(at[0]), low = high < 0 ? -1 : hex_digit(at[1]);
            if (low < 0)
                return problem_set(problem, ERR_INPUT, "a '%%' without two hexadecimal digits");
            c = (char)(16 * high + low);
            at += 2;
        } else if (c == '+' && plus) {
            c = ' ';
        }
        if ((unsigned char)c < ' ' || c == 0x7F)
            return problem_set(problem, ERR_INPUT, "a control character");
        *out = c;
    }
    *out = '\0';
    if (text_utf8_prefix(text, strlen(text)) != strlen(text))
        return problem_set(problem, ERR_INPUT, "bytes that are not UTF-8");
    return 0;
}

static int add_parameter(struct http_target *target, char *text, struct problem *problem)
{
    if (target->count == HTTP_PARAMETERS_MAX)
        return problem_set(problem, ERR_LIMIT, "more than %d parameters", HTTP_PARAMETERS_MAX);
    char *value = text + strcspn(text, "=");
    if (*value)
        *value++ = '\0';
    int err = decode(text, true, problem);
    if (!err)
        err = decode(value, true, problem);
    target->parameter[target->count].name = text;
    target->parameter[target->count].value = value;
    target->count++;
    return err;
}

int http_target_parse(const char *target, struct http_target *ret_target, struct problem *problem)
{
    struct http_target *parsed = ret_target;
    if (strlen(target) > HTTP_TARGET_MAX)
        return problem_set(problem, ERR_LIMIT, "an address longer than %d bytes", HTTP_TARGET_MAX);
    if (target[0] != '/')
        return problem_set(problem, ERR_INPUT, "expected a path that begins with '/'");
    strcpy(parsed->text, target);
    parsed->path = parsed->text;
    parsed->count = 0;
    char *query = parsed->text + strcspn(parsed->text, "?");
    if (*query)
        *query++ = '\0';
    int err = decode(parsed->text, false, problem);
    while (!err && *query) {
        char *next = query + strcspn(query, "&");
        if (*next)
            *next++ = '\0';
        if (*query)
            err = add_parameter(parsed, query, problem);
        query = next;
    }
    return err;
}

const char *http_parameter(const struct http_target *target, const char *name)
{
    for (int i = target->count - 1; i >= 0; i--)
        if (strcmp(target->parameter[i].name, name) == 0)
            return target->parameter[i].value;
    return NULL;
}

int http_parameter_int(const struct http_target *target, const char *name, int64_t low, int64_t high,
                       int64_t *ret_value, struct problem *problem)
{
    const char *text = http_parameter(target, name);
    int err = text ? text_int(text, low, high, ret_value, problem) : 0;
    if (err)
        problem_prefix(problem, "%s", name);
    return err;
}

static bool is_one_of(const char *name, const char *names)
{
    const size_t length = strlen(name);
    for (const char *at = names; *at && length > 0;) {
        const size_t size = strcspn(at, "|");
        if (size == length && strncmp(at, name, size) == 0)
            return true;
        at += size + (at[size] == '|');
    }
    return false;
}

int http_parameters_check(const struct http_target *target, const char *names, struct problem *problem)
{
    for (int i = 0; i < target->count; i++)
        if (!is_one_of(target->parameter[i].name, names))
            return problem_set(problem, ERR_INPUT, "there is no parameter '%.64s' here, only: %s",
                               target->parameter[i].name, names[0] ? names : "none");
    return 0;
}

/* ---- addresses ----------------------------------------------------------------------------------------- */

/* Splits "host:port" or "[host]:port"; the port may be missing, *ret_port is then "". False where it is neither. */
static bool split(const char *text, char ret_host[HTTP_HOST_MAX + 1], const char **ret_port,
                  bool *ret_brackets)
{
    const bool brackets = text[0] == '[';
    const char *host = text + brackets;
    const size_t length = strcspn(host, brackets ? "]" : ":");
    const char *rest = host + length + (brackets && host[length] == ']');
    if (length == 0 || length > HTTP_HOST_MAX || (brackets && host[length] != ']') || (*rest && *rest != ':'))
        return false;
    memcpy(ret_host, host, length);
    ret_host[length] = '\0';
    *ret_port = *rest ? rest + 1 : "";
    *ret_brackets = brackets;
    return true;
}

static bool is_ipv4(const char *host, bool *ret_loopback, bool *ret_any)
{
    struct in_addr address;
    if (inet_pton(AF_INET, host, &address) != 1)
        return false;
    *ret_loopback = ntohl(address.s_addr) >> 24 == 127;
    *ret_any = address.s_addr == 0;
    return true;
}

static bool is_ipv6(const char *host, bool *ret_loopback, bool *ret_any)
{
    struct in6_addr address;
    if (inet_pton(AF_INET6, host, &address) != 1)
        return false;
    *ret_loopback = memcmp(&address, &in6addr_loopback, sizeof address) == 0;
    *ret_any = memcmp(&address, &in6addr_any, sizeof address) == 0;
    return true;
}

int http_address_parse(const char *text, struct http_address *ret_address, struct problem *problem)
{
    struct http_address address = {0};
    const char *port;
    bool brackets;
    int64_t number = 0;
    struct problem why;
    if (!split(text, address.host, &port, &brackets) || text_int(port, 0, 65535, &number, &why) != 0)
        return problem_set(problem, ERR_INPUT, "%.200s: expected ADDRESS:PORT, such as 127.0.0.1:8080", text);
    address.port = (int)number;
    if (!brackets && strcmp(address.host, "localhost") == 0)
        strcpy(address.host, "127.0.0.1");
    address.ipv6 = brackets;
    if (!(brackets ? is_ipv6 : is_ipv4)(address.host, &address.loopback, &address.any))
        return problem_set(
            problem, ERR_INPUT,
            "%.200s: expected an address of this machine in numbers, such as 127.0.0.1 or [::1], or "
            "localhost",
            text);
    *ret_address = address;
    return 0;
}

bool http_host_is_ours(const struct http_address *address, const char *machine, const char *host)
{
    char name[HTTP_HOST_MAX + 1];
    const char *port;
    bool brackets, loopback, any;
    if (!split(host, name, &port, &brackets) || strlen(port) > 5 || port[strspn(port, "0123456789")])
        return false;
    if (!brackets && strcasecmp(name, "localhost") == 0)
        return true;
    if ((brackets ? is_ipv6 : is_ipv4)(name, &loopback, &any))
        return loopback || !address->loopback;
    return !brackets && !address->loopback && machine[0] && strcasecmp(name, machine) == 0;
}

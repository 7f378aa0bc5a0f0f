#include "proto/keys.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

static const char Z85[] =
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

/* ---- keys ---- */

void key_new(const char *name, const char *server_key, struct key *ret_key)
{
    *ret_key = (struct key){.kind = server_key ? KEY_WORKER : KEY_SERVER};
    snprintf(ret_key->name, sizeof ret_key->name, "%s", name);
    snprintf(ret_key->server_key, sizeof ret_key->server_key, "%s", server_key ? server_key : "");
    int rc = zmq_curve_keypair(ret_key->public_key, ret_key->secret_key);
    assert(rc == 0); /* fails only in a libzmq without CURVE */
}

struct key key_public(const struct key *key)
{
    struct key public = {.kind = KEY_PUBLIC};
    memcpy(public.name, key->name, sizeof public.name);
    memcpy(public.public_key, key->public_key, sizeof public.public_key);
    return public;
}

void key_wipe(struct key *key)
{
    explicit_bzero(key, sizeof *key);
}

int key_name_check(const char *name, struct problem *problem)
{
    static const char letters[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ._-";
    size_t length = strlen(name);
    if (length >= 1 && length <= KEY_NAME_MAX && strspn(name, letters) == length && !strchr("._-", name[0]))
        return 0;
    return problem_set(problem, ERR_INPUT,
                       "'%.80s' is no name: expected 1 to %d letters, digits, '.', '_' and '-', the first a "
                       "letter or digit",
                       name, KEY_NAME_MAX);
}

/* ---- text to key ---- */

enum section { SECTION_NONE, SECTION_METADATA, SECTION_CURVE };

/* A piece of the text, not ended by NUL. */
struct span {
    const char *at;
    size_t size;
};

static bool span_is(struct span span, const char *text)
{
    return span.size == strlen(text) && memcmp(span.at, text, span.size) == 0;
}

static struct span trimmed(struct span span)
{
    while (span.size > 0 && strchr(" \t", span.at[0])) {
        span.at++;
        span.size--;
    }
    while (span.size > 0 && strchr(" \t\r", span.at[span.size - 1]))
        span.size--;
    return span;
}

/* name = "value" */
static int parse_entry(struct span line, int number, struct span *ret_name, struct span *ret_value,
                       struct problem *problem)
{
    const char *equals = memchr(line.at, '=', line.size);
    if (!equals)
        return problem_at(problem, ERR_INPUT, number, 0, "expected an entry: name = \"value\"");
    *ret_name = trimmed((struct span){line.at, (size_t)(equals - line.at)});
    struct span value = trimmed((struct span){equals + 1, line.size - (size_t)(equals - line.at) - 1});
    char quote = value.size >= 2 ? value.at[0] : '\0';
    if ((quote != '"' && quote != '\'') || value.at[value.size - 1] != quote ||
        memchr(value.at + 1, quote, value.size - 2))
        return problem_at(problem, ERR_INPUT, number, 0, "expected a value in quotes behind '='");
    *ret_value = (struct span){value.at + 1, value.size - 2};
    return 0;
}

/* What the value should be is said, never what it is. */
static int take_key(struct span value, int number, const char *what, char ret_text[KEY_TEXT + 1],
                    struct problem *problem)
{
    if (ret_text[0] != '\0')
        return problem_at(problem, ERR_INPUT, number, 0, "%s is said twice", what);
    bool good = value.size == KEY_TEXT;
    for (size_t i = 0; good && i < KEY_TEXT; i++)
        good = value.at[i] != '\0' && strchr(Z85, value.at[i]);
    uint8_t bytes[32];
    if (good) {
        memcpy(ret_text, value.at, KEY_TEXT);
        ret_text[KEY_TEXT] = '\0';
        good = zmq_z85_decode(bytes, ret_text) != NULL; /* the last bit: five characters above 2^32 */
        explicit_bzero(bytes, sizeof bytes);
    }
    if (good)
        return 0;
    return problem_at(problem, ERR_INPUT, number, 0, "%s: expected a key, %d characters of Z85", what,
                      KEY_TEXT);
}

/* A name that could not be a file's is passed over: other makers of certificates write whole names there. */
static void take_name(struct span value, char ret_name[KEY_NAME_MAX + 1])
{
    char name[KEY_NAME_MAX + 1];
    struct problem problem;
    if (value.size > KEY_NAME_MAX)
        return;
    memcpy(name, value.at, value.size);
    name[value.size] = '\0';
    if (key_name_check(name, &problem) == 0)
        memcpy(ret_name, name, value.size + 1);
}

static int parse_line(struct span line, int number, enum section *section, struct key *key,
                      struct problem *problem)
{
    bool indented = line.size > 0 && strchr(" \t", line.at[0]);
    line = trimmed(line);
    if (line.size == 0 || line.at[0] == '#')
        return 0;
    if (!indented) {
        *section = span_is(line, "metadata") ? SECTION_METADATA
                   : span_is(line, "curve")  ? SECTION_CURVE
                                             : SECTION_NONE;
        return *section != SECTION_NONE
                   ? 0
                   : problem_at(problem, ERR_INPUT, number, 0, "expected a section: metadata or curve");
    }
    if (*section == SECTION_NONE)
        return problem_at(problem, ERR_INPUT, number, 0,
                          "an entry before the first section: expected metadata or curve");
    struct span name, value;
    int err = parse_entry(line, number, &name, &value, problem);
    if (err)
        return err;
    if (*section == SECTION_METADATA) {
        if (span_is(name, "name"))
            take_name(value, key->name);
        else if (span_is(name, "server"))
            return take_key(value, number, "server", key->server_key, problem);
        return 0;
    }
    if (span_is(name, "public-key"))
        return take_key(value, number, "public-key", key->public_key, problem);
    if (span_is(name, "secret-key"))
        return take_key(value, number, "secret-key", key->secret_key, problem);
    return problem_at(problem, ERR_INPUT, number, 0, "expected public-key or secret-key in section curve");
}

/* What the lines say together. */
static int check_whole(struct key *key, struct problem *problem)
{
    if (key->public_key[0] == '\0')
        return problem_set(problem, ERR_INPUT, "holds no public-key: expected one in section curve");
    if (key->secret_key[0] == '\0') {
        key->kind = KEY_PUBLIC;
        return 0;
    }
    key->kind = key->server_key[0] != '\0' ? KEY_WORKER : KEY_SERVER;
    char derived[KEY_TEXT + 1];
    if (zmq_curve_public(derived, key->secret_key) == 0 && strcmp(derived, key->public_key) == 0)
        return 0;
    return problem_set(problem, ERR_INPUT,
                       "public-key is not the one of secret-key: the file is damaged, or was put together");
}

int key_parse(const char *text, size_t size, struct key *ret_key, struct problem *problem)
{
    struct key key = {0};
    enum section section = SECTION_NONE;
    int err = 0, number = 0;
    for (size_t at = 0; !err && at < size;) {
        const char *end = memchr(text + at, '\n', size - at);
        size_t length = end ? (size_t)(end - text) - at : size - at;
        if (memchr(text + at, '\0', length))
            err = problem_at(problem, ERR_INPUT, number + 1, 0, "a NUL byte: this is no key file");
        else
            err = parse_line((struct span){text + at, length}, ++number, &section, &key, problem);
        at += length + 1;
    }
    if (!err)
        err = check_whole(&key, problem);
    if (!err)
        *ret_key = key;
    key_wipe(&key);
    return err;
}

/* ---- files ---- */

bool key_owner_only(unsigned mode, unsigned uid, unsigned forbidden)
{
    return (mode & forbidden) == 0 && (uid == geteuid() || uid == 0);
}

static int check_access(int fd, const char *path, bool secret, struct problem *problem)
{
    struct stat stat;
    if (fstat(fd, &stat) != 0)
        return problem_set(problem, ERR_IO, "%s: %s", path, strerror(errno));
    if (!S_ISREG(stat.st_mode))
        return problem_set(problem, ERR_INPUT, "%s: expected a key file, this is none", path);
    if (stat.st_size > KEY_FILE_MAX)
        return problem_set(problem, ERR_LIMIT, "%s: longer than a key file can be (%d bytes)", path,
                           KEY_FILE_MAX);
    if (key_owner_only(stat.st_mode, stat.st_uid, secret ? 077 : 022))
        return 0;
    if ((stat.st_mode & (secret ? 077 : 022)) == 0)
        return problem_set(problem, ERR_INPUT,
                           "%s: belongs to another user (%u): a key file must be your own or root's", path,
                           (unsigned)stat.st_uid);
    return problem_set(problem, ERR_INPUT, "%s: others can %s it (its mode is %04o): chmod %s %s", path,
                       secret ? "read" : "write", (unsigned)stat.st_mode & 07777, secret ? "600" : "go-w",
                       path);
}

static int check_kind(const char *path, enum key_kind expected, const struct key *key,
                      struct problem *problem)
{
    static const char *const descriptions[] = {
        [KEY_PUBLIC] = "a public key alone",
        [KEY_SERVER] = "a coordinator's pair of keys",
        [KEY_WORKER] = "a worker's pair of keys and the public key of its coordinator",
    };
    if (key->kind == expected)
        return 0;
    return problem_set(problem, ERR_INPUT, "%s: expected %s, this is %s", path, descriptions[expected],
                       descriptions[key->kind]);
}

int key_read(const char *path, enum key_kind kind, struct key *ret_key, struct problem *problem)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); /* a FIFO does not hold us up */
    if (fd < 0)
        return problem_set(problem, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "%s: %s", path,
                           strerror(errno));
    char text[KEY_FILE_MAX + 1];
    struct key key = {0};
    size_t size = 0;
    ssize_t got = 1;
    int err = check_access(fd, path, kind != KEY_PUBLIC, problem);
    while (!err && got > 0 && size < sizeof text) {
        got = read(fd, text + size, sizeof text - size);
        if (got < 0)
            err = problem_set(problem, ERR_IO, "%s: %s", path, strerror(errno));
        else
            size += (size_t)got;
    }
    close(fd);
    if (!err && size > KEY_FILE_MAX)
        err = problem_set(problem, ERR_LIMIT, "%s: longer than a key file can be (%d bytes)", path,
                          KEY_FILE_MAX);
    if (!err) {
        int line = 0;
        err = key_parse(text, size, &key, problem);
        if (err && (line = problem->line) > 0)
            problem_prefix(problem, "%s:%d", path, line);
        else if (err)
            problem_prefix(problem, "%s", path);
    }
    if (!err)
        err = check_kind(path, kind, &key, problem);
    if (!err)
        *ret_key = key;
    explicit_bzero(text, sizeof text);
    key_wipe(&key);
    return err;
}

static size_t print_key(const struct key *key, char *ret_text, size_t size)
{
    static const char *const headings[] = {
        [KEY_PUBLIC] = "The public key of a worker. In the allow-list of a coordinator it lets that worker "
                       "in;\n# removed from there, it shuts it out.",
        [KEY_SERVER] = "The keys of a coordinator. Keep this file secret, and on this machine.",
        [KEY_WORKER] = "The keys of a worker, and the public key of its coordinator. Keep this file secret: "
                       "whoever\n# has it can take part in the search.",
    };
    int length =
        snprintf(ret_text, size, "# %s\nmetadata\n    name = \"%s\"\n", headings[key->kind], key->name);
    if (key->kind == KEY_WORKER)
        length +=
            snprintf(ret_text + length, size - (size_t)length, "    server = \"%s\"\n", key->server_key);
    length += snprintf(ret_text + length, size - (size_t)length, "curve\n    public-key = \"%s\"\n",
                       key->public_key);
    if (key->kind != KEY_PUBLIC)
        length +=
            snprintf(ret_text + length, size - (size_t)length, "    secret-key = \"%s\"\n", key->secret_key);
    assert(length > 0 && (size_t)length < size);
    return (size_t)length;
}

int key_write(const char *path, const struct key *key, struct problem *problem)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return problem_set(problem, errno == EEXIST ? ERR_CONFLICT : ERR_IO, "%s: %s", path,
                           errno == EEXIST ? "is there already, and is left as it is" : strerror(errno));
    char text[KEY_FILE_MAX];
    size_t size = print_key(key, text, sizeof text);
    bool written = fchmod(fd, 0600) == 0 && write(fd, text, size) == (ssize_t)size && fsync(fd) == 0;
    int reason = errno;
    written = close(fd) == 0 && written;
    explicit_bzero(text, sizeof text);
    if (written)
        return 0;
    unlink(path);
    return problem_set(problem, ERR_IO, "%s: %s", path, strerror(reason));
}

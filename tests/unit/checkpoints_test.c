/* The folder of checkpoints: files come whole or not at all, and stay within their bounds. */
#include "worker/checkpoints.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { NOW_S = 2000000000, DAY_S = 24 * 3600 };

struct cache {
    char dir[64];
};

static int setup(void **state)
{
    struct cache *cache = xcalloc(1, sizeof *cache);
    snprintf(cache->dir, sizeof cache->dir, "/tmp/actsearch-checkpoints-XXXXXX");
    *state = cache;
    return mkdtemp(cache->dir) == NULL;
}

static int teardown(void **state)
{
    struct cache *cache = *state;
    char *folder = xasprintf("%s/checkpoints", cache->dir);
    DIR *opened = opendir(folder);
    for (const struct dirent *entry; opened && (entry = readdir(opened));)
        unlinkat(dirfd(opened), entry->d_name, 0);
    if (opened)
        closedir(opened);
    rmdir(folder);
    free(folder);
    int err = rmdir(cache->dir);
    free(cache);
    return err;
}

static struct hash numbered(int number)
{
    return hash_of(&number, sizeof number);
}

/* With `text` as its content, behind three bytes that are not part of it. */
static int put(const struct cache *cache, int number, const char *text)
{
    struct hash identity = numbered(number);
    struct problem problem = {0};
    int fd = memfd_create("source", MFD_CLOEXEC);
    assert_true(fd >= 0);
    dprintf(fd, "...%s", text);
    int err = checkpoints_put(cache->dir, &identity, fd, 3, strlen(text), &problem);
    assert_true(err == 0 || problem.text[0]);
    close(fd);
    return err;
}

static void set_age(const struct cache *cache, const char *name, int64_t age_s)
{
    char *path = xasprintf("%s/checkpoints/%s", cache->dir, name);
    struct timespec times[2] = {{NOW_S - age_s, 0}, {NOW_S - age_s, 0}};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    free(path);
}

static void set_age_of(const struct cache *cache, int number, int64_t age_s)
{
    char hex[HASH_HEX];
    struct hash identity = numbered(number);
    hash_hex(&identity, hex);
    char *name = xasprintf("%s.checkpoint", hex);
    set_age(cache, name, age_s);
    free(name);
}

static bool is_there(const struct cache *cache, int number)
{
    struct hash identity = numbered(number);
    int fd = checkpoints_open(cache->dir, &identity);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static int file_count(const struct cache *cache)
{
    char *folder = xasprintf("%s/checkpoints", cache->dir);
    DIR *opened = opendir(folder);
    int count = -2; /* . and .. */
    while (readdir(opened))
        count++;
    closedir(opened);
    free(folder);
    return count;
}

static void what_is_put_is_found_until_it_is_dropped(void **state)
{
    const struct cache *cache = *state;
    struct hash one = numbered(1);
    char text[16] = {0};
    assert_false(is_there(cache, 1));
    assert_int_equal(put(cache, 1, "first"), 0);
    assert_int_equal(put(cache, 1, "second"), 0);
    assert_int_equal(put(cache, 2, "other"), 0);
    int fd = checkpoints_open(cache->dir, &one);
    assert_int_equal(read(fd, text, sizeof text), 6);
    assert_string_equal(text, "second");
    close(fd);
    checkpoints_drop(cache->dir, &one);
    assert_false(is_there(cache, 1));
    assert_true(is_there(cache, 2));
    assert_int_equal(file_count(cache), 1);
}

static void what_cannot_be_written_is_an_error_and_leaves_the_old_one(void **state)
{
    const struct cache *cache = *state;
    struct hash one = numbered(1);
    struct problem problem = {0};
    assert_int_equal(put(cache, 1, "first"), 0);
    int fd = memfd_create("short", MFD_CLOEXEC); /* ends before what is asked for */
    assert_int_equal(checkpoints_put(cache->dir, &one, fd, 0, 100, &problem), ERR_IO);
    close(fd);
    assert_true(is_there(cache, 1));
    assert_int_equal(file_count(cache), 1);
    struct cache nowhere = {"/nonexistent"};
    assert_int_equal(put(&nowhere, 1, "first"), ERR_IO);
    assert_false(is_there(&nowhere, 1));
}

static void what_is_no_file_is_not_opened(void **state)
{
    const struct cache *cache = *state;
    char hex[HASH_HEX];
    struct hash one = numbered(1);
    hash_hex(&one, hex);
    assert_int_equal(put(cache, 2, "other"), 0);
    char *path = xasprintf("%s/checkpoints/%s.checkpoint", cache->dir, hex);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_false(is_there(cache, 1)); /* and it does not wait for a writer */
    free(path);
}

static void the_old_and_the_unfinished_go(void **state)
{
    const struct cache *cache = *state;
    for (int i = 1; i <= 3; i++)
        assert_int_equal(put(cache, i, "x"), 0);
    set_age_of(cache, 1, 0);
    set_age_of(cache, 2, CHECKPOINTS_MAX_DAYS * DAY_S);
    set_age_of(cache, 3, CHECKPOINTS_MAX_DAYS * DAY_S + 1);
    char *parts[] = {xasprintf("%s/checkpoints/a.checkpoint.7.part", cache->dir),
                     xasprintf("%s/checkpoints/b.checkpoint.7.part", cache->dir)};
    for (int i = 0; i < 2; i++) {
        close(open(parts[i], O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
        free(parts[i]);
    }
    set_age(cache, "a.checkpoint.7.part", 3600);
    set_age(cache, "b.checkpoint.7.part", 3601);
    checkpoints_tidy(cache->dir, NOW_S);
    assert_true(is_there(cache, 1));
    assert_true(is_there(cache, 2));
    assert_false(is_there(cache, 3));
    assert_int_equal(file_count(cache), 3);
}

static void of_too_many_the_oldest_go(void **state)
{
    const struct cache *cache = *state;
    for (int i = 0; i < CHECKPOINTS_MAX + 5; i++) {
        assert_int_equal(put(cache, i, "x"), 0);
        set_age_of(cache, i, 1000 - i);
    }
    checkpoints_tidy(cache->dir, NOW_S);
    assert_int_equal(file_count(cache), CHECKPOINTS_MAX);
    assert_false(is_there(cache, 4));
    assert_true(is_there(cache, 5));
    assert_true(is_there(cache, CHECKPOINTS_MAX + 4));
}

#define PROMISE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE(what_is_put_is_found_until_it_is_dropped),
        PROMISE(what_cannot_be_written_is_an_error_and_leaves_the_old_one),
        PROMISE(what_is_no_file_is_not_opened),
        PROMISE(the_old_and_the_unfinished_go),
        PROMISE(of_too_many_the_oldest_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

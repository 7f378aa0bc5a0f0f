/* The folder of one `actsearch run`, and what the pages say of the experiment file. */
#include "cli/runtime.h"
#include "common/experiment.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char parent[] = "/tmp/actsearch-runtime-XXXXXX";

static int make_parent(void **state)
{
    (void)state;
    return mkdtemp(parent) && setenv("XDG_RUNTIME_DIR", parent, 1) == 0 ? 0 : 1;
}

static int remove_parent(void **state)
{
    (void)state;
    return rmdir(parent); /* fails where something is left in it */
}

static void touch(const struct runtime *runtime, const char *name)
{
    char *path = xasprintf("%s/%s", runtime->folder, name);
    close(open(path, O_CREAT | O_WRONLY, 0600));
    free(path);
}

static void the_folder_is_its_owners_alone_and_is_removed(void **state)
{
    (void)state;
    struct runtime runtime;
    struct problem problem;
    struct stat status;
    assert_int_equal(runtime_make(&runtime, &problem), 0);
    assert_memory_equal(runtime.folder, parent, strlen(parent));
    assert_int_equal(stat(runtime.folder, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
    assert_memory_equal(runtime.endpoint, "ipc://", strlen("ipc://"));
    touch(&runtime, "socket");
    char *folder = xstrdup(runtime.folder);
    runtime_remove(&runtime);
    assert_int_equal(access(folder, F_OK), -1);
    runtime_remove(&runtime); /* and once more does no harm */
    free(folder);
}

static void what_a_killed_run_left_is_cleared_away_and_a_living_ones_is_not(void **state)
{
    (void)state;
    struct runtime killed, living, next;
    struct problem problem;
    assert_int_equal(runtime_make(&killed, &problem), 0);
    assert_int_equal(runtime_make(&living, &problem), 0);
    touch(&killed, "socket");
    close(killed.lock_fd); /* as the kernel does */
    assert_int_equal(runtime_make(&next, &problem), 0);
    assert_int_equal(access(killed.folder, F_OK), -1);
    assert_int_equal(access(living.folder, F_OK), 0);
    free(killed.folder);
    free(killed.endpoint);
    runtime_remove(&living);
    runtime_remove(&next);
}

static void a_place_too_deep_for_a_socket_is_not_used(void **state)
{
    (void)state;
    char *deep = xasprintf("%s/%0100d", parent, 0);
    struct runtime runtime;
    struct problem problem;
    assert_int_equal(mkdir(deep, 0700), 0);
    setenv("XDG_RUNTIME_DIR", deep, 1);
    assert_int_equal(runtime_make(&runtime, &problem), 0);
    assert_memory_equal(runtime.folder, "/tmp/", strlen("/tmp/"));
    runtime_remove(&runtime);
    setenv("XDG_RUNTIME_DIR", parent, 1);
    rmdir(deep);
    free(deep);
}

static void the_page_on_the_experiment_file_has_the_tables_of_the_program(void **state)
{
    (void)state;
    char *tables = experiment_help(true), *page = NULL;
    size_t size = 0;
    FILE *file = fopen("docs/experiment-file.md", "r");
    if (!file)
        fail_msg("docs/experiment-file.md is not there (tests run from the root of the checkout)");
    assert_true(getdelim(&page, &size, '\0', file) > 0);
    fclose(file);
    if (!strstr(page, tables))
        fail_msg("docs/experiment-file.md is out of date: scripts/experiment-page writes it");
    free(page);
    free(tables);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_folder_is_its_owners_alone_and_is_removed),
        cmocka_unit_test(what_a_killed_run_left_is_cleared_away_and_a_living_ones_is_not),
        cmocka_unit_test(a_place_too_deep_for_a_socket_is_not_used),
        cmocka_unit_test(the_page_on_the_experiment_file_has_the_tables_of_the_program),
    };
    return cmocka_run_group_tests(tests, make_parent, remove_parent);
}

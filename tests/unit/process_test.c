/* The programs that `actsearch run` starts: found, started, reaped, and never left behind. */
#include "cli/process.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static int null_fd(void)
{
    return open("/dev/null", O_RDWR | O_CLOEXEC);
}

static void start_sleep(struct process *process, int output_fd)
{
    struct problem problem;
    char *argv[] = {(char *)"/bin/sleep", (char *)"1000", NULL};
    assert_int_equal(process_start(process, argv, output_fd, &problem), 0);
}

static void a_program_that_is_not_there_is_an_error_with_its_name(void **state)
{
    (void)state;
    struct problem problem;
    char *path = NULL;
    assert_int_equal(program_find("no-such-program-anywhere", &path, &problem), ERR_NOT_FOUND);
    assert_non_null(strstr(problem.text, "no-such-program-anywhere"));

    struct process process = {0};
    char *argv[] = {(char *)"/no/such/program", NULL};
    int fd = null_fd();
    assert_int_equal(process_start(&process, argv, fd, &problem), ERR_IO);
    assert_non_null(strstr(problem.text, "/no/such/program"));
    assert_false(process_runs(&process));
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* and no zombie either */
    assert_int_equal(errno, ECHILD);
    close(fd);
}

static void a_program_is_found_in_the_path(void **state)
{
    (void)state;
    struct problem problem;
    char *path = NULL;
    assert_int_equal(program_find("sh", &path, &problem), 0);
    assert_int_equal(access(path, X_OK), 0);
    free(path);
}

static void a_process_is_killed_and_reaped(void **state)
{
    (void)state;
    struct process process = {0};
    int fd = null_fd();
    start_sleep(&process, fd);
    assert_true(process_poll(&process));
    assert_int_equal(getpgid(process.pid), process.pid); /* a Ctrl-C does not reach it */
    process_kill(&process);
    assert_false(process_runs(&process));
    char text[64];
    process_end_text(&process, text);
    assert_string_equal(text, "killed by signal 9 (Killed)");
    process_kill(&process); /* once more does nothing */
    close(fd);
}

static void a_process_ends_when_its_parent_is_killed(void **state)
{
    (void)state;
    int ends[2], ids[2]; /* `ends` is at its end when the last holder of its writing side is gone */
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(pipe(ids), 0);
    pid_t parent = fork();
    if (parent == 0) {
        struct process process = {0};
        start_sleep(&process, ends[1]);
        ssize_t written = write(ids[1], &process.pid, sizeof process.pid);
        close(ends[1]);
        while (written > 0)
            pause();
        _exit(1);
    }
    close(ends[1]);
    pid_t child = 0;
    assert_int_equal(read(ids[0], &child, sizeof child), sizeof child);
    assert_int_equal(kill(child, 0), 0);
    kill(parent, SIGKILL);
    assert_int_equal(waitpid(parent, NULL, 0), parent);
    char byte;
    assert_int_equal(read(ends[0], &byte, 1), 0); /* blocks until the child is gone */
    close(ends[0]);
    close(ids[0]);
    close(ids[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_program_that_is_not_there_is_an_error_with_its_name),
        cmocka_unit_test(a_program_is_found_in_the_path),
        cmocka_unit_test(a_process_is_killed_and_reaped),
        cmocka_unit_test(a_process_ends_when_its_parent_is_killed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The socket by which people give orders: both ends of it. */
#include "proto/control.h"

#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <poll.h>
#include <cmocka.h>

enum { PATIENCE_MS = 20000 };

/* A folder with a file that stands for a database. */
struct place {
    char folder[400], database[512], socket[600];
};

static int make_place(void **state)
{
    struct place *place = calloc(1, sizeof *place);
    snprintf(place->folder, sizeof place->folder, "/tmp/actsearch-control-XXXXXX");
    assert_non_null(mkdtemp(place->folder));
    snprintf(place->database, sizeof place->database, "%s/a.db", place->folder);
    snprintf(place->socket, sizeof place->socket, "%s-control", place->database);
    fclose(fopen(place->database, "w"));
    *state = place;
    return 0;
}

static int remove_place(void **state)
{
    struct place *place = *state;
    unlink(place->socket);
    unlink(place->database);
    rmdir(place->folder);
    free(place);
    return 0;
}

static struct control *listen_at(const char *database)
{
    struct control *control = NULL;
    struct problem problem = {0};
    if (control_listen(database, &control, &problem) != 0)
        fail_msg("%s", problem.text);
    return control;
}

/* The next order, as the server waits for it. */
static enum control_order next_order(struct control *control)
{
    for (;;) {
        const enum control_order order = control_read(control, 0);
        if (order != CONTROL_NOTHING)
            return order;
        struct pollfd event = {.fd = control_fd(control), .events = POLLIN};
        if (poll(&event, 1, PATIENCE_MS) != 1)
            fail_msg("nobody called");
    }
}

/* A caller in a thread of its own. */
struct caller {
    const char *database;
    enum control_order order;
    pthread_t thread;
    int err;
    char answer[CONTROL_ANSWER_MAX];
    struct problem problem;
};

static void *run_call(void *context)
{
    struct caller *caller = context;
    caller->err = control_call(caller->database, caller->order, caller->answer, &caller->problem);
    return NULL;
}

static void call(struct caller *caller, const char *database, enum control_order order)
{
    *caller = (struct caller){.database = database, .order = order};
    assert_int_equal(pthread_create(&caller->thread, NULL, run_call, caller), 0);
}

/* A caller's end of the socket, for words of its own. */
static int raw_call(const struct place *place)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    memcpy(name.sun_path, place->socket, strlen(place->socket));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&name, sizeof name), 0);
    return fd;
}

static void each_order_arrives_and_is_answered(void **state)
{
    const struct place *place = *state;
    static struct caller caller;
    struct control *control = listen_at(place->database);
    for (int order = CONTROL_PAUSE; order <= CONTROL_RESUME; order++) {
        call(&caller, place->database, (enum control_order)order);
        assert_int_equal(next_order(control), order);
        assert_int_equal(control_fd(control), -1); /* nobody else until it is answered */
        control_answer(control, true, false, "done %d", order);
        pthread_join(caller.thread, NULL);
        char expected[32];
        snprintf(expected, sizeof expected, "done %d", order);
        assert_int_equal(caller.err, 0);
        assert_string_equal(caller.answer, expected);
    }
    control_close(&control);
}

static void a_refusal_reaches_the_caller_with_its_reason(void **state)
{
    const struct place *place = *state;
    static struct caller caller;
    struct control *control = listen_at(place->database);
    call(&caller, place->database, CONTROL_PAUSE);
    next_order(control);
    control_answer(control, false, false, "the disk is full");
    pthread_join(caller.thread, NULL);
    assert_int_equal(caller.err, ERR_CONFLICT);
    assert_string_equal(caller.problem.text, "the disk is full");
    control_close(&control);
}

static void stop_returns_when_the_coordinator_has_ended(void **state)
{
    const struct place *place = *state;
    static struct caller first, second;
    struct control *control = listen_at(place->database);
    call(&first, place->database, CONTROL_STOP);
    assert_int_equal(next_order(control), CONTROL_STOP);
    control_answer(control, true, true, "stopping");
    call(&second, place->database, CONTROL_STOP); /* in the queue: it is never read, and stops all the same */
    while (control_life(place->database) != CONTROL_RUNS) /* a third one looks, so the others have had time */
        continue;
    assert_int_not_equal(pthread_tryjoin_np(first.thread, NULL), 0);
    control_close(&control);
    pthread_join(first.thread, NULL);
    pthread_join(second.thread, NULL);
    assert_int_equal(first.err, 0);
    assert_string_equal(first.answer, "stopping");
    assert_true(second.err == 0 || second.err == ERR_NOT_FOUND);
}

static void where_nobody_listens_the_caller_is_told(void **state)
{
    const struct place *place = *state;
    char answer[CONTROL_ANSWER_MAX];
    struct problem problem = {0};
    assert_int_equal(control_life(place->database), CONTROL_GONE);
    assert_int_equal(control_call(place->database, CONTROL_STOP, answer, &problem), ERR_NOT_FOUND);
    assert_non_null(strstr(problem.text, "no coordinator runs on"));
    assert_int_equal(control_call("/tmp/there is no such file", CONTROL_STOP, answer, &problem),
                     ERR_NOT_FOUND);
}

static void what_a_killed_coordinator_left_is_dead_and_is_replaced(void **state)
{
    const struct place *place = *state;
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    memcpy(name.sun_path, place->socket, strlen(place->socket));
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&name, sizeof name), 0);
    close(fd);
    assert_int_equal(control_life(place->database), CONTROL_GONE);
    struct control *control = listen_at(place->database);
    assert_int_equal(control_life(place->database), CONTROL_RUNS);
    control_close(&control);
    assert_int_equal(control_life(place->database), CONTROL_GONE);
    assert_int_not_equal(access(place->socket, F_OK), 0);
}

/* One that is suspended, or about to end, lets in nobody. */
static void who_only_looks_does_not_wait_for_a_coordinator_that_answers_nobody(void **state)
{
    const struct place *place = *state;
    struct control *control = listen_at(place->database);
    alarm(PATIENCE_MS / 1000); /* to wait would be for ever */
    for (int looks = 0; looks < 100; looks++)
        assert_int_equal(control_life(place->database), CONTROL_RUNS);
    alarm(0);
    control_close(&control);
    assert_int_equal(control_life(place->database), CONTROL_GONE);
}

static void what_the_next_coordinator_has_made_is_left_alone(void **state)
{
    const struct place *place = *state;
    struct control *first = listen_at(place->database), *next;
    control_leave(first);
    assert_int_equal(control_life(place->database), CONTROL_GONE);
    next = listen_at(place->database);
    control_close(&first);
    assert_int_equal(control_life(place->database), CONTROL_RUNS);
    control_close(&next);
}

static void something_else_in_its_place_is_left_alone(void **state)
{
    const struct place *place = *state;
    struct control *control = NULL;
    struct problem problem = {0};
    fclose(fopen(place->socket, "w"));
    assert_int_equal(control_listen(place->database, &control, &problem), ERR_CONFLICT);
    assert_non_null(strstr(problem.text, "in the way"));
    assert_int_equal(access(place->socket, F_OK), 0);
}

static void only_its_own_user_may_connect(void **state)
{
    const struct place *place = *state;
    struct stat status;
    const mode_t before = umask(0);
    struct control *control = listen_at(place->database);
    umask(before);
    assert_int_equal(stat(place->socket, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    control_close(&control);
}

static void a_long_path_is_no_obstacle_and_a_long_name_is_told(void **state)
{
    const struct place *place = *state;
    static struct caller caller;
    struct problem problem = {0};
    struct control *control = NULL;
    char folder[700], database[900];
    snprintf(folder, sizeof folder, "%s/%0200d", place->folder, 7);
    assert_int_equal(mkdir(folder, 0700), 0);
    snprintf(database, sizeof database, "%s/a.db", folder);
    fclose(fopen(database, "w"));
    control = listen_at(database);
    assert_int_equal(control_life(database), CONTROL_RUNS);
    call(&caller, database, CONTROL_PAUSE);
    assert_int_equal(next_order(control), CONTROL_PAUSE);
    control_answer(control, true, false, "well");
    pthread_join(caller.thread, NULL);
    assert_int_equal(caller.err, 0);
    control_close(&control);
    unlink(database);
    snprintf(database, sizeof database, "%s/%0120d", folder, 7);
    assert_int_equal(control_listen(database, &control, &problem), ERR_LIMIT);
    assert_non_null(strstr(problem.text, "at most 75 bytes"));
    snprintf(database, sizeof database, "%s/%075d", folder, 7);
    control = listen_at(database); /* what it says is true */
    control_close(&control);
    rmdir(folder);
}

static void who_says_nothing_is_cut_off_and_the_next_one_is_heard(void **state)
{
    const struct place *place = *state;
    static struct caller caller;
    struct control *control = listen_at(place->database);
    int silent = raw_call(place);
    assert_int_equal(control_read(control, 1000), CONTROL_NOTHING);
    assert_int_equal(control_next_ms(control), 1000 + CONTROL_CALLER_MS);
    assert_int_equal(send(silent, "pau", 3, 0), 3);
    assert_int_equal(control_read(control, 1500), CONTROL_NOTHING); /* that bought it no time */
    assert_int_equal(control_next_ms(control), 1000 + CONTROL_CALLER_MS);
    assert_int_equal(control_read(control, 1000 + CONTROL_CALLER_MS), CONTROL_NOTHING);
    char byte;
    assert_int_equal(recv(silent, &byte, 1, 0), 0);
    close(silent);
    call(&caller, place->database, CONTROL_PAUSE);
    assert_int_equal(next_order(control), CONTROL_PAUSE); /* nothing is left of what the other one said */
    control_answer(control, true, false, "well");
    pthread_join(caller.thread, NULL);
    control_close(&control);
}

static void what_is_no_order_is_answered_with_what_was_expected(void **state)
{
    const struct place *place = *state;
    static const char *const lines[] = {"halt\n", "\n", "pause \n", "PAUSE\n",
                                        "0123456789012345678901234567890123456789"};
    struct control *control = listen_at(place->database);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        int fd = raw_call(place);
        char answer[200] = "";
        assert_int_equal(send(fd, lines[i], strlen(lines[i]), 0), strlen(lines[i]));
        assert_int_equal(control_read(control, 0), CONTROL_NOTHING);
        assert_true(recv(fd, answer, sizeof answer - 1, 0) > 0);
        assert_string_equal(answer, "error expected one line: stop, pause or resume\n");
        close(fd);
    }
    control_close(&control);
}

static void a_line_may_come_in_pieces(void **state)
{
    (void)state;
    static const char text[] = "resume\n";
    struct control_line line = {0};
    struct problem problem;
    enum control_order order = CONTROL_NOTHING;
    for (size_t i = 0; i < strlen(text); i++) {
        assert_int_equal(order, CONTROL_NOTHING);
        assert_int_equal(control_take(&line, text + i, 1, &order, &problem), 0);
    }
    assert_int_equal(order, CONTROL_RESUME);
}

#define IN_PLACE(test) cmocka_unit_test_setup_teardown(test, make_place, remove_place)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_PLACE(each_order_arrives_and_is_answered),
        IN_PLACE(a_refusal_reaches_the_caller_with_its_reason),
        IN_PLACE(stop_returns_when_the_coordinator_has_ended),
        IN_PLACE(where_nobody_listens_the_caller_is_told),
        IN_PLACE(what_a_killed_coordinator_left_is_dead_and_is_replaced),
        IN_PLACE(who_only_looks_does_not_wait_for_a_coordinator_that_answers_nobody),
        IN_PLACE(what_the_next_coordinator_has_made_is_left_alone),
        IN_PLACE(something_else_in_its_place_is_left_alone),
        IN_PLACE(only_its_own_user_may_connect),
        IN_PLACE(a_long_path_is_no_obstacle_and_a_long_name_is_told),
        IN_PLACE(who_says_nothing_is_cut_off_and_the_next_one_is_heard),
        IN_PLACE(what_is_no_order_is_answered_with_what_was_expected),
        cmocka_unit_test(a_line_may_come_in_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Trainers of every kind of misbehaviour. This program is its own trainer: started in the mode of trial.h it
 * does what the activation of its LEASE says. */
#include "worker/confine.h"
#include "worker/host.h"
#include "worker/nn/checkpoint.h"
#include "worker/slot.h"
#include "worker/trial.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

/* ---- the trainer ---- */

static const char head_of_64_bytes[] = "ACTSSAVE\1\0\0\0\100\0\0\0\0\0\0\0 and what follows";

static void say(const struct msg *msg)
{
    struct problem problem;
    if (pipe_write(STDOUT_FILENO, msg, &problem) != 0)
        _exit(9);
}

static void say_progress(int64_t attempt, int64_t step)
{
    struct msg msg = {.type = MSG_PROGRESS,
                      .progress_ = {.attempt = attempt, .step = step, .train_loss = 2.0}};
    say(&msg);
}

static void say_result(const struct msg_lease *lease)
{
    static struct msg msg;
    msg = (struct msg){
        .type = MSG_RESULT,
        .result_ = {.attempt = lease->attempt, .trial = lease->trial, .correct = 3, .validation_count = 4}};
    say(&msg);
}

static void say_words(const struct msg_lease *lease, const char *words)
{
    static struct msg msg;
    msg = (struct msg){.type = MSG_FAILURE, .failure_ = {.attempt = lease->attempt, .trial = lease->trial}};
    msg_put_text(msg.failure_.reason, sizeof msg.failure_.reason, words);
    say(&msg);
}

static void wait_for_ever(void)
{
    for (;;)
        pause();
}

static void works(const struct msg_lease *lease)
{
    say_progress(lease->attempt, 1);
    say_progress(lease->attempt, 2);
    say_result(lease);
}

static void crashes(const struct msg_lease *lease)
{
    say_progress(lease->attempt, 5);
    fputs("first line\nlast words\n", stderr);
    abort();
}

static void exits(const struct msg_lease *lease)
{
    (void)lease;
    exit(5);
}

static void talks(const struct msg_lease *lease)
{
    (void)lease;
    for (int i = 0; i < 100000; i++)
        fprintf(stderr, "line %d\n", i);
    exit(5);
}

static void rubbish(const struct msg_lease *lease)
{
    (void)lease;
    ssize_t written = write(STDOUT_FILENO, "Loading weights...\n", 19);
    (void)written;
    wait_for_ever();
}

static void floods(const struct msg_lease *lease)
{
    for (int64_t step = 1;; step++)
        say_progress(lease->attempt, step);
}

static void hangs(const struct msg_lease *lease)
{
    say_progress(lease->attempt, 1);
    wait_for_ever();
}

static void lies(const struct msg_lease *lease)
{
    struct msg_lease other = *lease;
    other.attempt++;
    say_result(&other);
    wait_for_ever();
}

static void speaks_as_coordinator(const struct msg_lease *lease)
{
    struct msg msg = {.type = MSG_ACK, .ack_ = {.attempt = lease->attempt}};
    say(&msg);
    wait_for_ever();
}

static void crashes_late(const struct msg_lease *lease)
{
    say_result(lease);
    abort();
}

/* Waits for SIGTERM; then leaves a checkpoint that holds the activation, if it has none yet, behind the
 * LEASE. */
static void saves(const struct msg_lease *lease)
{
    const size_t size = (size_t)TRIAL_CHECKPOINT_AT + CHECKPOINT_MAX_BYTES;
    uint8_t *file = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, STDIN_FILENO, 0);
    struct problem problem;
    sigset_t set;
    int signal;
    if (file == MAP_FAILED || confine(getppid(), 0, &problem) != 0)
        _exit(9);
    uint8_t *room = file + TRIAL_CHECKPOINT_AT;
    say_progress(lease->attempt, checkpoint_size(room, CHECKPOINT_MAX_BYTES) > 0 ? 100 : 1);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigwait(&set, &signal);
    memcpy(room, head_of_64_bytes, sizeof head_of_64_bytes - 1);
    _exit(TRIAL_SAVED);
}

static void leaves(const struct msg_lease *lease)
{
    (void)lease;
    _exit(TRIAL_SAVED);
}

/* What it has that it should not have. */
static void looks_around(const struct msg_lease *lease)
{
    char found[400] = "";
    for (int fd = 3; fd < 200; fd++)
        if (fcntl(fd, F_GETFD) >= 0)
            snprintf(found + strlen(found), sizeof found - strlen(found), "descriptor %d ", fd);
    for (char **variable = environ; *variable; variable++)
        if (strncmp(*variable, "ACTSEARCH_KERNELS=", 18) != 0 &&
            strncmp(*variable, "LD_LIBRARY_PATH=", 16) != 0)
            snprintf(found + strlen(found), sizeof found - strlen(found), "%.40s ", *variable);
    if (getpgrp() != getpid())
        snprintf(found + strlen(found), sizeof found - strlen(found), "process group ");
    say_words(lease, found[0] ? found : "nothing");
}

/* What it can do that it should not. */
static void tries(const struct msg_lease *lease)
{
    char done[400] = "";
    struct problem problem;
    struct rlimit core;
    const bool bounded = host_memory_for(1) > 0; /* not in a build with sanitizers */
    if (confine(getppid(), bounded ? 256 << 20 : 0, &problem) != 0)
        snprintf(done, sizeof done, "not confined: %.300s ", problem.text);
    if (socket(AF_INET, SOCK_STREAM, 0) >= 0 || errno != EPERM)
        strcat(done, "socket ");
    char *const arguments[] = {"/bin/true", NULL};
    if (execv(arguments[0], arguments) == 0 || errno != EPERM)
        strcat(done, "program ");
    FILE *file = tmpfile();
    if (file && (fputs("text", file) < 0 || fflush(file) == 0))
        strcat(done, "file ");
    if (getrlimit(RLIMIT_CORE, &core) != 0 || core.rlim_max != 0)
        strcat(done, "core ");
    void *volatile block = bounded ? malloc((size_t)300 << 20) : NULL;
    if (block)
        strcat(done, "memory ");
    if (confine(1, 0, &problem) != ERR_STOPPED)
        strcat(done, "orphan ");
    say_words(lease, done[0] ? done : "nothing");
}

static const struct {
    const char *name;
    void (*be)(const struct msg_lease *lease);
} characters[] = {
    {"works", works},
    {"crashes", crashes},
    {"exits", exits},
    {"talks", talks},
    {"rubbish", rubbish},
    {"floods", floods},
    {"hangs", hangs},
    {"lies", lies},
    {"speaks_as_coordinator", speaks_as_coordinator},
    {"crashes_late", crashes_late},
    {"saves", saves},
    {"leaves", leaves},
    {"looks_around", looks_around},
    {"tries", tries},
};

static int be_trainer(void)
{
    static struct msg msg;
    struct problem problem;
    if (pipe_read(STDIN_FILENO, &msg, &problem) != 0)
        return TRIAL_BROKEN;
    struct msg_lease lease = msg.lease_;
    for (size_t i = 0; i < sizeof characters / sizeof *characters; i++)
        if (strcmp(characters[i].name, lease.activation) == 0)
            characters[i].be(&lease);
    return 0;
}

/* ---- the daemon's side ---- */

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct bench {
    struct slot slot;
    struct slot_setup setup;
    struct msg outcome;
    int checkpoint;
};

static int setup(void **state)
{
    struct bench *bench = xcalloc(1, sizeof *bench);
    bench->setup = (struct slot_setup){.program = "/proc/self/exe",
                                       .cache_dir = "cache",
                                       .stall_ms = 60000,
                                       .epoll = epoll_create1(EPOLL_CLOEXEC)};
    bench->checkpoint = -1;
    *state = bench;
    return bench->setup.epoll < 0;
}

static int teardown(void **state)
{
    struct bench *bench = *state;
    slot_end(&bench->slot);
    close(bench->setup.epoll);
    free(bench);
    return 0;
}

static void start(struct bench *bench, const char *character)
{
    static struct msg_lease lease;
    struct problem problem = {0};
    lease = (struct msg_lease){.attempt = 7, .trial = 3};
    snprintf(lease.activation, sizeof lease.activation, "%s", character);
    if (slot_start(&bench->slot, 0, &bench->setup, &lease, bench->checkpoint, now_ms(), &problem) != 0)
        fail_msg("%s", problem.text);
}

/* Sleeps as the daemon does, until there is news of that kind. */
static void await_news(struct bench *bench, enum slot_news wanted)
{
    for (;;) {
        enum slot_news news = slot_read(&bench->slot, &bench->setup, now_ms(), &bench->outcome);
        if (news == wanted)
            return;
        assert_int_not_equal(news, SLOT_ENDED);
        int64_t sleep_ms = slot_next_ms(&bench->slot, &bench->setup) - now_ms();
        struct epoll_event event;
        epoll_wait(bench->setup.epoll, &event, 1, sleep_ms < 0 ? 0 : (int)sleep_ms);
    }
}

/* Runs it to its end: the outcome. No process and no descriptor is left then. */
static const struct msg *outcome_of(struct bench *bench, const char *character)
{
    start(bench, character);
    pid_t pid = bench->slot.pid;
    await_news(bench, SLOT_ENDED);
    assert_int_equal(bench->slot.pid, 0);
    assert_int_equal(waitpid(pid, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    assert_true(bench->slot.out < 0 && bench->slot.words < 0 && bench->slot.pidfd < 0 &&
                !bench->slot.outcome);
    assert_int_equal(slot_next_ms(&bench->slot, &bench->setup), INT64_MAX);
    return &bench->outcome;
}

static void check_failure(const struct msg *outcome, const char *part)
{
    assert_int_equal(outcome->type, MSG_FAILURE);
    assert_int_equal(outcome->failure_.attempt, 7);
    assert_int_equal(outcome->failure_.trial, 3);
    if (!strstr(outcome->failure_.reason, part))
        fail_msg("'%s' says nothing of '%s'", outcome->failure_.reason, part);
}

static void a_trainer_that_works_ends_in_its_result(void **state)
{
    struct bench *bench = *state;
    const struct msg *outcome = outcome_of(bench, "works");
    assert_int_equal(outcome->type, MSG_RESULT);
    assert_int_equal(outcome->result_.correct, 3);
    assert_int_equal(bench->slot.step, 2);
    assert_true(bench->slot.first_step_ms >= 0);
}

static void a_crash_is_a_failure_with_the_last_words(void **state)
{
    const struct msg *outcome = outcome_of(*state, "crashes");
    check_failure(outcome, "signal 6 (Aborted) after step 5");
    check_failure(outcome, "first line last words");
}

static void an_early_exit_is_a_failure_with_its_status(void **state)
{
    check_failure(outcome_of(*state, "exits"), "exit status 5");
}

static void of_many_words_the_last_are_kept(void **state)
{
    const struct msg *outcome = outcome_of(*state, "talks");
    check_failure(outcome, "line 99999");
    assert_null(strstr(outcome->failure_.reason, "line 0 "));
}

static void rubbish_on_its_output_ends_the_trainer(void **state)
{
    check_failure(outcome_of(*state, "rubbish"), "no message");
}

static void the_result_of_another_attempt_is_refused(void **state)
{
    check_failure(outcome_of(*state, "lies"), "does not fit: result");
}

static void a_message_that_is_no_trainers_is_refused(void **state)
{
    check_failure(outcome_of(*state, "speaks_as_coordinator"), "does not fit: ack");
}

static void a_result_counts_even_if_the_trainer_crashes_after_it(void **state)
{
    assert_int_equal(outcome_of(*state, "crashes_late")->type, MSG_RESULT);
}

static void a_trainer_without_progress_is_ended(void **state)
{
    struct bench *bench = *state;
    bench->setup.stall_ms = 500;
    check_failure(outcome_of(bench, "hangs"), "no step for");
    check_failure(&bench->outcome, "after step 1");
}

static void a_flood_of_progress_does_not_keep_the_daemon(void **state)
{
    struct bench *bench = *state;
    start(bench, "floods");
    await_news(bench, SLOT_MOVED); /* comes back though there is always more */
    await_news(bench, SLOT_MOVED);
    slot_stop(&bench->slot);
    for (enum slot_news news = SLOT_NOTHING; news != SLOT_ENDED;) {
        struct epoll_event event;
        epoll_wait(bench->setup.epoll, &event, 1, 1000);
        news = slot_read(&bench->slot, &bench->setup, now_ms(), &bench->outcome);
    }
    check_failure(&bench->outcome, "signal 9");
}

static void a_trainer_that_is_stopped_ends_at_once(void **state)
{
    struct bench *bench = *state;
    start(bench, "hangs");
    await_news(bench, SLOT_MOVED);
    slot_stop(&bench->slot);
    await_news(bench, SLOT_ENDED);
    check_failure(&bench->outcome, "signal 9");
}

static void a_trainer_that_is_halted_leaves_a_checkpoint_and_is_returned(void **state)
{
    struct bench *bench = *state;
    start(bench, "saves");
    await_news(bench, SLOT_MOVED);
    assert_int_equal(bench->slot.step, 1);
    slot_halt(&bench->slot);
    await_news(bench, SLOT_ENDED);
    assert_int_equal(bench->outcome.type, MSG_RETURN);
    assert_int_equal(bench->outcome.return_.attempt, 7);
    assert_int_equal(bench->outcome.return_.trial, 3);
    assert_int_equal(slot_saved(&bench->slot), 64);
    char saved[sizeof head_of_64_bytes];
    assert_int_equal(pread(bench->slot.job, saved, sizeof saved, TRIAL_CHECKPOINT_AT), sizeof saved);
    assert_memory_equal(saved, head_of_64_bytes, sizeof saved);
    slot_release(&bench->slot);
    assert_int_equal(slot_saved(&bench->slot), 0);
}

static void a_trainer_is_given_the_checkpoint(void **state)
{
    struct bench *bench = *state;
    bench->checkpoint = memfd_create("checkpoint", MFD_CLOEXEC);
    assert_int_equal(write(bench->checkpoint, head_of_64_bytes, sizeof head_of_64_bytes),
                     sizeof head_of_64_bytes);
    start(bench, "saves");
    await_news(bench, SLOT_MOVED);
    assert_int_equal(bench->slot.step, 100);
    close(bench->checkpoint);
}

static void one_that_ends_as_if_it_had_saved_is_returned_without_a_checkpoint(void **state)
{
    struct bench *bench = *state;
    assert_int_equal(outcome_of(bench, "leaves")->type, MSG_RETURN);
    assert_int_equal(slot_saved(&bench->slot), 0);
}

static void slot_end_leaves_nothing(void **state)
{
    struct bench *bench = *state;
    start(bench, "hangs");
    pid_t pid = bench->slot.pid;
    slot_end(&bench->slot);
    assert_int_equal(bench->slot.pid, 0);
    assert_int_equal(waitpid(pid, NULL, WNOHANG), -1);
}

static void a_slot_is_used_again_and_again(void **state)
{
    for (int i = 0; i < 20; i++)
        assert_int_equal(outcome_of(*state, "works")->type, MSG_RESULT);
}

static void a_trainer_gets_no_descriptors_and_no_environment(void **state)
{
    setenv("OPENBLAS_CORETYPE", "Haswell", 1);
    int inherited = open("/dev/null", O_RDONLY); /* not close-on-exec */
    const struct msg *outcome = outcome_of(*state, "looks_around");
    close(inherited);
    assert_string_equal(outcome->failure_.reason, "nothing");
}

static void a_confined_trainer_can_do_nothing_but_compute(void **state)
{
    assert_string_equal(outcome_of(*state, "tries")->failure_.reason, "nothing");
}

static void a_program_that_cannot_be_started_is_an_error(void **state)
{
    struct bench *bench = *state;
    struct problem problem = {0};
    static const struct msg_lease lease = {.attempt = 7, .trial = 3};
    bench->setup.program = "/no/such/program";
    assert_int_equal(slot_start(&bench->slot, 0, &bench->setup, &lease, -1, now_ms(), &problem), ERR_IO);
    assert_int_equal(bench->slot.pid, 0);
}

#define PROMISE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], TRIAL_MODE) == 0)
        return be_trainer();
    const struct CMUnitTest tests[] = {
        PROMISE(a_trainer_that_works_ends_in_its_result),
        PROMISE(a_crash_is_a_failure_with_the_last_words),
        PROMISE(an_early_exit_is_a_failure_with_its_status),
        PROMISE(of_many_words_the_last_are_kept),
        PROMISE(rubbish_on_its_output_ends_the_trainer),
        PROMISE(the_result_of_another_attempt_is_refused),
        PROMISE(a_message_that_is_no_trainers_is_refused),
        PROMISE(a_result_counts_even_if_the_trainer_crashes_after_it),
        PROMISE(a_trainer_without_progress_is_ended),
        PROMISE(a_flood_of_progress_does_not_keep_the_daemon),
        PROMISE(a_trainer_that_is_stopped_ends_at_once),
        PROMISE(a_trainer_that_is_halted_leaves_a_checkpoint_and_is_returned),
        PROMISE(a_trainer_is_given_the_checkpoint),
        PROMISE(one_that_ends_as_if_it_had_saved_is_returned_without_a_checkpoint),
        PROMISE(slot_end_leaves_nothing),
        PROMISE(a_slot_is_used_again_and_again),
        PROMISE(a_trainer_gets_no_descriptors_and_no_environment),
        PROMISE(a_confined_trainer_can_do_nothing_but_compute),
        PROMISE(a_program_that_cannot_be_started_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

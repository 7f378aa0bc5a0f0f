/* search_fixture: small spaces and experiments for the tests of coordinator/search. Include cmocka.h first.
 */
#ifndef TESTS_UNIT_SEARCH_FIXTURE_H
#define TESTS_UNIT_SEARCH_FIXTURE_H

#include "coordinator/search/search.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static inline struct space *space_of(int units, const char *unary, const char *binary)
{
    struct space_settings settings = {
        .units = units, .unary = unary, .binary = binary, .beta_init = 1, .epsilon = 1e-6};
    struct space *space;
    struct problem problem = {0};
    if (space_new(&settings, &space, &problem) != 0)
        fail_msg("%s", problem.text);
    return space;
}

/* Four unary and three binary functions. */
static inline struct space *small_space(int units)
{
    return space_of(units, "x, -x, sin(x), b*x", "x1+x2, x1*x2, max(x1,x2)");
}

static inline struct space *large_space(void)
{
    return space_of(SPACE_MAX_UNITS, "paper", "paper");
}

/* A controller small enough for tests that run many updates. */
static inline struct experiment small_experiment(enum algorithm algorithm, uint64_t seed)
{
    struct experiment experiment = {.seed = seed};
    experiment.search.algorithm = algorithm;
    experiment.search.batch = 8;
    experiment.rl.hidden = 12;
    experiment.rl.layers = 1;
    experiment.rl.lr = 0.003;
    experiment.rl.clip = 0.2;
    experiment.rl.epochs = 2;
    experiment.rl.entropy = 0.001;
    experiment.rl.baseline_decay = 0.9;
    experiment.rl.gradient_clip = 5;
    return experiment;
}

static inline int load_fresh(const struct experiment *experiment, const struct space *space,
                             const void *state, size_t size)
{
    struct search *search = search_new(experiment, space);
    int err = search_load(search, state, size);
    search_destroy(&search);
    return err;
}

/* Whether reporting a reward for the proposal aborts; tried in a child process. */
static inline bool aborts_on_report(struct search *search, uint64_t number)
{
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit no_core = {0, 0};
        setrlimit(RLIMIT_CORE, &no_core);
        dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        search_report(search, number, 0.5);
        _exit(0);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

#endif

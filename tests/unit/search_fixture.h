/* search_fixture: small spaces and experiments for the tests of coordinator/search. Include cmocka.h first.
 */
#ifndef TESTS_UNIT_SEARCH_FIXTURE_H
#define TESTS_UNIT_SEARCH_FIXTURE_H

#include "common/hash.h"
#include "coordinator/search/search.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
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

/* A controller and a population small enough for tests that run many updates. */
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
    experiment.rl.replay = 4;
    experiment.evolution.population = 16;
    experiment.evolution.sample = 4;
    return experiment;
}

/* What loading these says; `model` may be empty. */
static inline int load_fresh(const struct experiment *experiment, const struct space *space,
                             const struct buf *model, const void *state, size_t size)
{
    struct search *search = search_new(experiment, space);
    int err = model->size > 0 ? search_load_model(search, model->data, model->size) : 0;
    if (!err)
        err = search_load(search, state, size);
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

/* A reward with a known optimum: the share of the sequence's tokens that are 1 (0 where the token has no
 * choice). */
static inline double reward_of(const struct space *space, const uint16_t *tokens)
{
    int right = 0, choosable = 0;
    for (int at = 0; at < space_tokens(space); at++) {
        choosable += space_choices(space, at) > 1;
        right += space_choices(space, at) > 1 && tokens[at] == 1;
    }
    return (double)right / choosable;
}

static inline struct buf state_of(const struct search *search)
{
    struct buf buf = {0};
    search_save(search, &buf);
    return buf;
}

static inline struct buf model_of(const struct search *search)
{
    struct buf buf = {0};
    search_save_model(search, &buf);
    return buf;
}

/* Another search in the same state, by way of what is saved. */
static inline struct search *twin_of(const struct search *search, const struct experiment *experiment,
                                     const struct space *space)
{
    struct search *twin = search_new(experiment, space);
    struct buf state = state_of(search), model = model_of(search);
    if (model.size > 0)
        assert_int_equal(search_load_model(twin, model.data, model.size), 0);
    assert_int_equal(search_load(twin, state.data, state.size), 0);
    buf_release(&state);
    buf_release(&model);
    return twin;
}

static inline void assert_same_buf(struct buf a, struct buf b)
{
    assert_int_equal(a.size, b.size);
    if (a.size > 0)
        assert_memory_equal(a.data, b.data, a.size);
    buf_release(&a);
    buf_release(&b);
}

static inline void assert_same_state(const struct search *a, const struct search *b)
{
    assert_same_buf(state_of(a), state_of(b));
    assert_same_buf(model_of(a), model_of(b));
}

/* Proposes and rewards a whole batch, in the order of `order` (NULL: as proposed); returns the mean reward.
 */
static inline double run_batch(struct search *search, const struct space *space, size_t size,
                               const uint32_t *order)
{
    struct proposal proposal[64];
    double sum = 0;
    assert_true(size <= 64);
    for (size_t i = 0; i < size; i++)
        assert_int_equal(search_next(search, &proposal[i]), SEARCH_PROPOSED);
    for (size_t i = 0; i < size; i++) {
        const struct proposal *p = &proposal[order ? order[i] : i];
        sum += reward_of(space, p->tokens);
        search_report(search, p->number, reward_of(space, p->tokens));
    }
    return sum / (double)size;
}

/* Two searches that hear of the same rewards in different orders are in the same state after each batch. */
static inline void check_order_of_reports(enum algorithm algorithm)
{
    struct space *space = small_space(2);
    struct experiment experiment = small_experiment(algorithm, 1);
    struct search *a = search_new(&experiment, space), *b = search_new(&experiment, space);
    struct rng rng = rng_seed(1, "order", 0);
    for (int round = 0; round < 5; round++) {
        uint32_t order[8] = {0, 1, 2, 3, 4, 5, 6, 7};
        rng_shuffle(&rng, order, 8);
        run_batch(a, space, 8, NULL);
        run_batch(b, space, 8, order);
        assert_same_state(a, b);
    }
    search_destroy(&a);
    search_destroy(&b);
    space_destroy(&space);
}

/* Sets the eight bytes at `at` of a state, or of a model where `state` is NULL, and mends the hash, as
 * somebody would who forges it. */
static inline int load_forged(const struct experiment *experiment, const struct space *space,
                              const struct buf *model, const struct buf *state, size_t at, uint64_t value)
{
    const struct buf *saved = state ? state : model;
    struct buf forged = {0};
    buf_put(&forged, saved->data, at);
    buf_put_u64(&forged, value);
    buf_put(&forged, saved->data + at + 8, saved->size - 8 - (at + 8));
    buf_put_u64(&forged, hash64(forged.data, forged.size));
    struct search *search = search_new(experiment, space);
    int err = state ? load_fresh(experiment, space, model, forged.data, forged.size)
                    : search_load_model(search, forged.data, forged.size);
    search_destroy(&search);
    buf_release(&forged);
    return err;
}

#endif

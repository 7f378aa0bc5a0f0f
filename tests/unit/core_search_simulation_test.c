/* The real search algorithms around the real core, in the same rough world: the same candidates, bit for bit,
 * or with search.mode = async the same accounts. */
#define CORE_FIXTURE_REAL_SEARCH
#include "tests/unit/core_world.h"

#include "common/matrix.h"

static const struct weather rough = {.drop = 50,
                                     .twice = 50,
                                     .worker_crash = 3,
                                     .coordinator_crash = 5,
                                     .silence = 3,
                                     .reconnect = 5,
                                     .unsent = 10,
                                     .delay_ms = 1500};

#define ROUGH_SETTINGS "search.batch=8", "queue.attempts=1000", "queue.lease=5s", "queue.heartbeat=1s"

static void a_random_search_ends_in_the_same_list(void **state)
{
    (void)state;
    check_weather(
        "random",
        (const char *const[]){"search.algorithm=random", "search.candidates=25", ROUGH_SETTINGS, NULL}, rough,
        15);
}

static void the_controller_learns_the_same_and_ends_in_the_same_list(void **state)
{
    (void)state;
    check_weather("rl",
                  (const char *const[]){"search.algorithm=rl", "search.candidates=40", "rl.hidden=12",
                                        "rl.lr=0.05", "space.units=2", ROUGH_SETTINGS, NULL},
                  rough, 15);
}

static void evolution_breeds_the_same_and_ends_in_the_same_list(void **state)
{
    (void)state;
    check_weather("evolution",
                  (const char *const[]){"search.algorithm=evolution", "search.candidates=40",
                                        "evolution.population=16", "evolution.sample=4", "space.units=2",
                                        ROUGH_SETTINGS, NULL},
                  rough, 15);
}

static void an_exhaustive_search_trains_every_function_once(void **state)
{
    (void)state;
    static const char *const settings[] = {"search.algorithm=exhaustive",
                                           "space.unary=x, -x, tanh(x), sin(x)", "space.binary=x1+x2, x1*x2",
                                           ROUGH_SETTINGS, NULL};
    check_weather("exhaustive", settings, rough, 15);
    int ignored = 0;
    struct rows disk = run_world(settings, 1, calm, 3, &ignored, &ignored);
    assert_string_equal(disk.experiment.finished_because, "the space is exhausted");
    rows_release(&disk);
}

/* With search.mode = async the list of what learns depends on who reports first; the accounts do not. */
static void check_async(const char *algorithm, int seeds)
{
    int restarts = 0, crashes = 0;
    const char *const settings[] = {algorithm,
                                    "search.mode=async",
                                    "search.candidates=40",
                                    "rl.hidden=12",
                                    "rl.lr=0.05",
                                    "evolution.population=16",
                                    "evolution.sample=4",
                                    "space.units=2",
                                    "halving.rungs=3",
                                    "halving.eta=3",
                                    "finals.top=3",
                                    "finals.seeds=2",
                                    ROUGH_SETTINGS,
                                    NULL};
    for (int seed = 1; seed <= seeds; seed++) {
        struct rows disk =
            run_world(settings, (uint64_t)seed, rough, 1 + seed % MAX_WORKERS, &restarts, &crashes);
        check_accounts(&disk);
        assert_int_equal(disk.counters.candidates, 40);
        assert_string_equal(disk.experiment.finished_because, "search.candidates reached");
        assert_int_equal(disk.search.proposals, disk.counters.proposals);
        assert_int_equal(disk.search.rewards, disk.counters.proposals); /* the search heard of every one */
        rows_release(&disk);
    }
    assert_true(restarts > seeds && crashes > seeds);
}

static void an_asynchronous_controller_loses_nothing_and_trains_nothing_twice(void **state)
{
    (void)state;
    check_async("search.algorithm=rl", 8);
}

static void asynchronous_evolution_loses_nothing_and_trains_nothing_twice(void **state)
{
    (void)state;
    check_async("search.algorithm=evolution", 8);
}

static void an_asynchronous_random_search_ends_in_the_list_of_the_synchronous_one(void **state)
{
    (void)state;
    static const char *const sync[] = {"search.algorithm=random", "search.candidates=25", ROUGH_SETTINGS,
                                       NULL};
    static const char *const async[] = {"search.algorithm=random", "search.candidates=25",
                                        "search.mode=async", ROUGH_SETTINGS, NULL};
    int ignored = 0;
    struct rows expected = run_world(sync, 1, calm, 3, &ignored, &ignored);
    struct rows disk = run_world(async, 2, rough, 5, &ignored, &ignored);
    check_accounts(&disk);
    check_same_list(&disk, &expected);
    rows_release(&disk);
    rows_release(&expected);
}

int main(int argc, char **argv)
{
    (void)argc;
    matrix_fix_core(argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_random_search_ends_in_the_same_list),
        cmocka_unit_test(the_controller_learns_the_same_and_ends_in_the_same_list),
        cmocka_unit_test(evolution_breeds_the_same_and_ends_in_the_same_list),
        cmocka_unit_test(an_asynchronous_controller_loses_nothing_and_trains_nothing_twice),
        cmocka_unit_test(asynchronous_evolution_loses_nothing_and_trains_nothing_twice),
        cmocka_unit_test(an_asynchronous_random_search_ends_in_the_list_of_the_synchronous_one),
        cmocka_unit_test(an_exhaustive_search_trains_every_function_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The real search algorithms around the real core, in the same rough world: the same candidates, bit for bit.
 */
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

int main(int argc, char **argv)
{
    (void)argc;
    matrix_fix_core(argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_random_search_ends_in_the_same_list),
        cmocka_unit_test(the_controller_learns_the_same_and_ends_in_the_same_list),
        cmocka_unit_test(evolution_breeds_the_same_and_ends_in_the_same_list),
        cmocka_unit_test(an_exhaustive_search_trains_every_function_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

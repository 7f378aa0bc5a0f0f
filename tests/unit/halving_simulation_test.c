/* Successive halving and finals among crashing workers, in a rough network, killed at any point: the same
 * candidates climb, and the same are trained again. */
#include "tests/unit/core_world.h"

static const char *const settings[] = {"search.algorithm=random",
                                       "search.candidates=25",
                                       "search.batch=8",
                                       "child.seeds=2",
                                       "halving.eta=2",
                                       "halving.rungs=3",
                                       "child.steps=40",
                                       "queue.attempts=1000",
                                       "queue.audit=0.2",
                                       "finals.top=3",
                                       "finals.seeds=4",
                                       "finals.steps=60",
                                       "queue.lease=5s",
                                       "queue.heartbeat=1s",
                                       NULL};

static void any_number_of_workers_promotes_the_same(void **state)
{
    (void)state;
    check_weather("calm", settings, calm, 6);
}

static void rough_weather_and_kills_change_nothing(void **state)
{
    (void)state;
    check_weather("everything", settings,
                  (struct weather){.drop = 50,
                                   .twice = 50,
                                   .worker_crash = 3,
                                   .coordinator_crash = 5,
                                   .silence = 3,
                                   .reconnect = 5,
                                   .unsent = 10,
                                   .delay_ms = 1500},
                  15);
}

static void a_coordinator_that_is_killed_again_and_again_changes_nothing(void **state)
{
    (void)state;
    check_weather("kills", settings, (struct weather){.coordinator_crash = 20, .delay_ms = 100}, 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_number_of_workers_promotes_the_same),
        cmocka_unit_test(rough_weather_and_kills_change_nothing),
        cmocka_unit_test(a_coordinator_that_is_killed_again_and_again_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The core among crashing workers, in a rough network, killed at any point. The search of the fixture makes
 * each batch depend on every reward before it, so that any disorder shows in what is proposed next. */
#include "tests/unit/core_world.h"

static const char *const settings[] = {
    "search.algorithm=random", "search.candidates=25", "search.batch=8",     "child.seeds=2",
    "queue.attempts=1000",     "queue.lease=5s",       "queue.heartbeat=1s", NULL};

static void any_number_of_workers_gives_the_same_ranked_list(void **state)
{
    (void)state;
    check_weather("calm", settings, calm, 24);
}

static void a_network_that_drops_doubles_and_reorders_changes_nothing(void **state)
{
    (void)state;
    check_weather("network", settings,
                  (struct weather){.drop = 100, .twice = 100, .delay_ms = 2000, .reconnect = 5, .unsent = 20},
                  40);
}

static void workers_that_crash_and_fall_silent_change_nothing(void **state)
{
    (void)state;
    check_weather("workers", settings,
                  (struct weather){.worker_crash = 8, .silence = 5, .reconnect = 10, .delay_ms = 100}, 40);
}

static void a_coordinator_that_is_killed_at_any_point_changes_nothing(void **state)
{
    (void)state;
    check_weather("coordinator", settings, (struct weather){.coordinator_crash = 20, .delay_ms = 100}, 40);
}

static void people_who_pause_and_stop_it_change_nothing(void **state)
{
    (void)state;
    check_weather("orders", settings, (struct weather){.pause = 20, .stop = 10, .delay_ms = 500, .drop = 20},
                  40);
}

static void everything_at_once_changes_nothing(void **state)
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
                                   .pause = 5,
                                   .stop = 2,
                                   .delay_ms = 1500},
                  60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_number_of_workers_gives_the_same_ranked_list),
        cmocka_unit_test(a_network_that_drops_doubles_and_reorders_changes_nothing),
        cmocka_unit_test(workers_that_crash_and_fall_silent_change_nothing),
        cmocka_unit_test(a_coordinator_that_is_killed_at_any_point_changes_nothing),
        cmocka_unit_test(people_who_pause_and_stop_it_change_nothing),
        cmocka_unit_test(everything_at_once_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

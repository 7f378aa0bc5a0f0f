/* The simulator: the real core and real agents in one made-up world (party.h), from one seed. The list must
 * be that of the undisturbed run, bit for bit, and each trial accounted for.
 *
 *     agent_simulation_test               the promises below, and the first thousand worlds
 *     agent_simulation_test COUNT FIRST   so many worlds from that seed on     make simulate SEEDS=COUNT
 * FIRST=FIRST agent_simulation_test seed SEED     that one, each message told          make simulate
 * SEED=SEED
 */
#include "tests/unit/party.h"

#include "common/text.h"

#include <inttypes.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ---- searches, and their lists when nothing happens ---- */

enum { SEARCHES = 5, WITH_WRONG_HOST = 4 };

static const char *const searches[SEARCHES][12] = {
    {"search.algorithm=random", "search.candidates=25", "search.batch=8", "child.seeds=2",
     "queue.attempts=1000", "queue.lease=5s", "queue.heartbeat=1s", "queue.stall=20s", NULL},
    {"search.algorithm=random", "search.candidates=6", "search.batch=3", "child.seeds=3",
     "queue.attempts=1000", "queue.lease=3s", "queue.heartbeat=500ms", "queue.audit=0.5", "queue.stall=20s",
     NULL},
    {"search.algorithm=random", "search.candidates=12", "search.batch=12", "child.seeds=1",
     "queue.attempts=1000", "queue.lease=10s", "queue.heartbeat=2s",
     "search.references=relu(x), x*sigmoid(b*x)", "queue.stall=20s", NULL},
    {"search.algorithm=random", "search.candidates=8", "search.batch=1", "child.seeds=1",
     "queue.attempts=1000", "queue.lease=5s", "queue.heartbeat=1s", "queue.audit=1", "queue.stall=20s", NULL},
    /* that of the wrong host: it does not learn, and waits long enough for a third host to come back */
    {"search.algorithm=exhaustive", "search.candidates=8", "search.batch=4", "child.seeds=2",
     "queue.attempts=1000", "queue.lease=120s", "queue.heartbeat=1s", "queue.audit=1", NULL},
};

static struct rows undisturbed(const char *const *settings)
{
    int ignored = 0;
    return run_world(settings, 0, calm, 1, &ignored, &ignored);
}

static void check_fate(const char *name, struct fate fate, int seeds)
{
    int trials = 0;
    struct party counts = {0};
    struct rows expected = undisturbed(searches[0]);
    for (int seed = 1; seed <= seeds; seed++) {
        fate.daemons = 1 + seed % MAX_WORKERS;
        struct rows disk = run_party(searches[0], (uint64_t)seed, fate, NULL, &counts);
        check_accounts(&disk);
        check_same_list(&disk, &expected);
        trials += (int)disk.trials.count;
        rows_release(&disk);
    }
    rows_release(&expected);
    print_message("%s: %d seeds, %d restarts of the coordinator, %d orders to leave, %d left, %d trainers "
                  "crashed, %d trainings, %d data sets fetched\n",
                  name, seeds, counts.starts, counts.stops, counts.left, counts.trainer_crashes,
                  counts.trainings, counts.fetched);
    assert_true(counts.fetched >= seeds); /* nobody trains without */
    const struct weather *weather = &fate.weather;
    if (weather->drop + weather->twice + weather->worker_crash + weather->silence + weather->reconnect +
            weather->parting + weather->late + weather->clock + weather->stop + fate.sigterm + fate.liars ==
        0)
        assert_int_equal(counts.trainings, trials + counts.trainer_crashes); /* nothing is trained twice */
    assert_true(fate.weather.coordinator_crash == 0 || counts.starts > seeds);
    assert_true(weather->stop == 0 || counts.left > seeds);
    assert_true(fate.sigterm == 0 || counts.left > seeds);
    assert_true(fate.liars == 0 || counts.lies > 10 * seeds);
    assert_true(fate.trainer_crash == 0 || counts.trainer_crashes > seeds);
}

static void any_number_of_daemons_gives_the_same_list(void **state)
{
    (void)state;
    check_fate("calm", (struct fate){.weather = calm}, 12);
}

static void a_rough_network_changes_nothing(void **state)
{
    (void)state;
    check_fate(
        "network",
        (struct fate){.weather = {.drop = 100, .twice = 100, .delay_ms = 2000, .reconnect = 5, .unsent = 20}},
        10);
}

static void daemons_that_are_killed_paused_and_told_to_leave_change_nothing(void **state)
{
    (void)state;
    check_fate("daemons",
               (struct fate){.weather = {.worker_crash = 5, .silence = 5, .reconnect = 10, .delay_ms = 100},
                             .sigterm = 5},
               10);
}

static void trainers_that_crash_change_nothing(void **state)
{
    (void)state;
    check_fate("trainers", (struct fate){.weather = {.delay_ms = 50}, .trainer_crash = 100}, 10);
}

static void a_coordinator_that_is_killed_at_any_point_changes_nothing(void **state)
{
    (void)state;
    check_fate("coordinator", (struct fate){.weather = {.coordinator_crash = 20, .delay_ms = 100}}, 10);
}

static void people_who_pause_and_stop_it_change_nothing(void **state)
{
    (void)state;
    check_fate("orders", (struct fate){.weather = {.pause = 20, .stop = 5, .delay_ms = 200}}, 10);
}

static void all_of_it_at_once_changes_nothing(void **state)
{
    (void)state;
    check_fate("everything",
               (struct fate){.weather = {.drop = 50,
                                         .twice = 50,
                                         .worker_crash = 2,
                                         .coordinator_crash = 5,
                                         .silence = 2,
                                         .reconnect = 5,
                                         .unsent = 10,
                                         .pause = 5,
                                         .stop = 1,
                                         .delay_ms = 1500},
                             .trainer_crash = 100,
                             .sigterm = 2},
               10);
}

static void a_search_whose_every_trial_is_audited_ends_in_the_same_list(void **state)
{
    (void)state;
    struct party ignored = {0};
    struct rows expected = undisturbed(searches[3]);
    for (uint64_t seed = 1; seed <= 10; seed++) {
        const struct fate fate = {.daemons = 3, .weather = {.delay_ms = 50}, .trainer_crash = 50};
        struct rows disk = run_party(searches[3], seed, fate, NULL, &ignored);
        size_t agreed = 0;
        check_accounts(&disk);
        check_same_list(&disk, &expected);
        for (size_t i = 0; i < disk.attempts.count; i++)
            agreed += disk.attempts.items[i].state == ATTEMPT_AGREED;
        assert_int_equal(agreed, disk.trials.count);
        rows_release(&disk);
    }
    rows_release(&expected);
}

/* Three honest hosts and one that is not, each trial audited, by a search that does not learn from rewards. */
static void check_wrong_host(const char *name, struct fate fate, int seeds)
{
    static const char *const settings[] = {"search.algorithm=exhaustive",
                                           "search.candidates=12",
                                           "search.batch=4",
                                           "child.seeds=2",
                                           "queue.attempts=1000",
                                           "queue.lease=5s",
                                           "queue.heartbeat=1s",
                                           "queue.audit=1",
                                           NULL};
    struct party counts = {0};
    struct rows expected = undisturbed(settings);
    int shut_out = 0, withdrawn = 0;
    fate.daemons = 4;
    for (int seed = 1; seed <= seeds; seed++) {
        struct rows disk = run_party(settings, (uint64_t)seed, fate, NULL, &counts);
        check_accounts(&disk);
        check_same_list(&disk, &expected);
        shut_out += host_is_shut_out(&disk, "host-0");
        for (size_t i = 0; i < disk.attempts.count; i++)
            withdrawn += disk.attempts.items[i].state == ATTEMPT_WITHDRAWN;
        rows_release(&disk);
    }
    rows_release(&expected);
    print_message(
        "%s: %d seeds, %d wrong results, %d hosts shut out, %d results withdrawn, %d daemons refused, "
        "%d restarts of the coordinator\n",
        name, seeds, counts.wrongs, shut_out, withdrawn, counts.refused, counts.starts);
    assert_true(shut_out > seeds / 2 && counts.refused >= shut_out && withdrawn > seeds);
}

static void a_host_with_other_bits_is_found_out_and_changes_nothing(void **state)
{
    (void)state;
    check_wrong_host("wrong now and then", (struct fate){.weather = {.delay_ms = 50}, .wrong = 200}, 10);
    check_wrong_host("always wrong", (struct fate){.weather = {.delay_ms = 50}, .wrong = 1000}, 10);
}

static void nor_does_it_in_rough_weather(void **state)
{
    (void)state;
    check_wrong_host("wrong in rough weather",
                     (struct fate){.weather = {.drop = 50,
                                               .twice = 50,
                                               .worker_crash = 1,
                                               .coordinator_crash = 5,
                                               .reconnect = 5,
                                               .unsent = 10,
                                               .delay_ms = 500},
                                   .trainer_crash = 50,
                                   .wrong = 300},
                     20);
}

static void peers_that_lie_and_repeat_themselves_change_nothing(void **state)
{
    (void)state;
    check_fate("liars", (struct fate){.weather = {.delay_ms = 500}, .lie = 100, .liars = 2}, 10);
}

static void clocks_that_jump_and_cables_that_are_cut_change_nothing(void **state)
{
    (void)state;
    check_fate("clocks", (struct fate){.weather = {.delay_ms = 500, .clock = 5, .parting = 3, .late = 20}},
               10);
}

/* ---- any world ---- */

/* Each kind of trouble is there or not, so that some worlds have one kind alone; how much of it, the seed
 * says too. */
static int perhaps(struct rng *rng, int most)
{
    return rng_below(rng, 2) == 0 ? 0 : 1 + (int)rng_below(rng, (uint64_t)most);
}

static struct fate fate_of(uint64_t seed)
{
    static const int64_t delays_ms[] = {1, 50, 500, 2000};
    struct rng rng = rng_seed(seed, "fate", 0);
    struct fate fate = {.daemons = 1 + (int)rng_below(&rng, MAX_WORKERS), .liars = perhaps(&rng, MAX_LIARS)};
    fate.weather = (struct weather){.drop = perhaps(&rng, 200),
                                    .twice = perhaps(&rng, 200),
                                    .worker_crash = perhaps(&rng, 8),
                                    .coordinator_crash = perhaps(&rng, 8),
                                    .silence = perhaps(&rng, 6),
                                    .reconnect = perhaps(&rng, 15),
                                    .unsent = perhaps(&rng, 30),
                                    .parting = perhaps(&rng, 4),
                                    .late = perhaps(&rng, 20),
                                    .clock = perhaps(&rng, 3),
                                    .pause = perhaps(&rng, 5),
                                    .stop = perhaps(&rng, 2),
                                    .delay_ms = delays_ms[rng_below(&rng, 4)]};
    fate.trainer_crash = perhaps(&rng, 100);
    fate.sigterm = perhaps(&rng, 6);
    fate.lie = 1 + (int)rng_below(&rng, 150);
    if (seed % SEARCHES == WITH_WRONG_HOST) {
        fate.daemons = 4 + (int)rng_below(&rng, MAX_WORKERS - 3);
        fate.wrong = 1 + (int)rng_below(&rng, 1000);
        fate.weather.clock = 0; /* a jump may be longer than the end waits for a third host */
    }
    return fate;
}

static void run_seed(uint64_t seed, const struct rows *expected, FILE *trace)
{
    struct party ignored = {0};
    struct rows disk = run_party(searches[seed % SEARCHES], seed, fate_of(seed), trace, &ignored);
    check_accounts(&disk);
    check_same_list(&disk, expected);
    rows_release(&disk);
}

/* What the processes of run_seeds share: the seed that each is at, 0 once it is through. */
struct board {
    uint64_t at[64];
};

static void run_share(uint64_t first, uint64_t count, int jobs, int job, volatile uint64_t *at)
{
    struct rows expected[SEARCHES];
    for (int i = 0; i < SEARCHES; i++)
        expected[i] = undisturbed(searches[i]);
    for (uint64_t seed = first + (uint64_t)job; seed < first + count; seed += (uint64_t)jobs) {
        *at = seed;
        run_seed(seed, &expected[seed % SEARCHES], NULL);
    }
    *at = 0;
    for (int i = 0; i < SEARCHES; i++)
        rows_release(&expected[i]);
}

/* In processes of their own, since a violation ends one. False where one did: its seed is told. */
static bool run_seeds(uint64_t first, uint64_t count, int jobs)
{
    struct board *board =
        mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t children[64];
    bool good = board != MAP_FAILED;
    fflush(NULL);
    for (int job = 0; job < jobs && good; job++) {
        children[job] = fork();
        if (children[job] == 0) {
            run_share(first, count, jobs, job, &board->at[job]);
            fflush(NULL);
            _exit(0);
        }
    }
    for (int job = 0; job < jobs && board != MAP_FAILED; job++) {
        int status = 0;
        if (children[job] > 0 && waitpid(children[job], &status, 0) == children[job] && status == 0)
            continue;
        good = false;
        fprintf(stderr, "seed %" PRIu64 ": a violation; make simulate SEED=%" PRIu64 " tells it\n",
                board->at[job], board->at[job]);
    }
    if (board != MAP_FAILED)
        munmap(board, sizeof *board);
    return good;
}

static void a_thousand_worlds_change_nothing(void **state)
{
    (void)state;
    assert_true(run_seeds(1, 1000, 2));
}

static int simulate(uint64_t count, uint64_t first)
{
    const long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    const int jobs = cpus < 1 ? 1 : cpus > 64 ? 64 : (int)cpus;
    const time_t start = time(NULL);
    const bool good = run_seeds(first, count, jobs);
    printf("%" PRIu64 " seeds from %" PRIu64 " on: %s, %lld s\n", count, first,
           good ? "no violation" : "see above; the rest of that share was not run",
           (long long)(time(NULL) - start));
    return good ? 0 : 1;
}

/* As a test, since that is how cmocka says what was wrong. */
static void the_world_of_that_seed_changes_nothing(void **state)
{
    const uint64_t seed = *(const uint64_t *)*state;
    const struct fate fate = fate_of(seed);
    const struct weather *w = &fate.weather;
    printf("seed %" PRIu64 ": search %d, %d daemons, %d liars (%d); in a thousand: drop %d, twice %d, worker "
           "crash %d, coordinator "
           "crash %d, silence %d, reconnect %d, unsent %d, parting %d, late %d, clock %d, trainer crash %d, "
           "sigterm %d, wrong %d; delay %d ms\n",
           seed, (int)(seed % SEARCHES), fate.daemons, fate.liars, fate.lie, w->drop, w->twice,
           w->worker_crash, w->coordinator_crash, w->silence, w->reconnect, w->unsent, w->parting, w->late,
           w->clock, fate.trainer_crash, fate.sigterm, fate.wrong, (int)w->delay_ms);
    struct rows expected = undisturbed(searches[seed % SEARCHES]);
    run_seed(seed, &expected, stdout);
    rows_release(&expected);
}

static int replay(uint64_t seed)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(the_world_of_that_seed_changes_nothing, &seed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

static uint64_t number(const char *text)
{
    uint64_t value = 0;
    struct problem problem;
    if (text_u64(text, &value, &problem) != 0) {
        fprintf(stderr, "%s\n", problem.text);
        exit(2);
    }
    return value;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "seed") == 0)
        return replay(number(argv[2]));
    if (argc == 3)
        return simulate(number(argv[1]), number(argv[2]));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_number_of_daemons_gives_the_same_list),
        cmocka_unit_test(a_rough_network_changes_nothing),
        cmocka_unit_test(daemons_that_are_killed_paused_and_told_to_leave_change_nothing),
        cmocka_unit_test(trainers_that_crash_change_nothing),
        cmocka_unit_test(a_coordinator_that_is_killed_at_any_point_changes_nothing),
        cmocka_unit_test(a_search_whose_every_trial_is_audited_ends_in_the_same_list),
        cmocka_unit_test(a_host_with_other_bits_is_found_out_and_changes_nothing),
        cmocka_unit_test(nor_does_it_in_rough_weather),
        cmocka_unit_test(peers_that_lie_and_repeat_themselves_change_nothing),
        cmocka_unit_test(clocks_that_jump_and_cables_that_are_cut_change_nothing),
        cmocka_unit_test(people_who_pause_and_stop_it_change_nothing),
        cmocka_unit_test(all_of_it_at_once_changes_nothing),
        cmocka_unit_test(a_thousand_worlds_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

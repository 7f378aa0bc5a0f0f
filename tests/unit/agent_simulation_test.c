/* The real core and real agents in one made-up world: a network that drops, doubles, delays and reorders;
 * daemons that are killed, stopped, paused and asked to leave; trainers that crash; a coordinator that is
 * killed at any point. The list must be that of the undisturbed run, bit for bit, and each trial accounted
 * for. */
#include "tests/unit/core_world.h"

#include "worker/agent.h"

enum { SLOTS_MAX = 4 };

/* What happens to daemons besides the weather of core_world.h, in a thousand. */
struct fate {
    struct weather weather;
    int trainer_crash, sigterm;
};

struct trainer {
    bool runs;
    struct msg_lease lease;
    int64_t ends_ms;
    bool halted, stopped, crashes;
};

struct daemon {
    struct agent *agent;
    int slots;
    struct trainer trainers[SLOTS_MAX];
};

struct party {
    struct world *world;
    struct daemon daemons[MAX_WORKERS];
    struct fate fate;
    int starts, stops, trainer_crashes, left, trainings;
};

static void start_daemon(struct party *party, int index)
{
    struct world *world = party->world;
    struct daemon *daemon = &party->daemons[index];
    agent_destroy(&daemon->agent);
    char name[40];
    snprintf(name, sizeof name, "d%llu", (unsigned long long)world->next_name++);
    *daemon = (struct daemon){.slots = 1 + (int)rng_below(&world->rng, SLOTS_MAX)};
    struct msg hello = hello_of(name, daemon->slots);
    daemon->agent = agent_new(&hello.hello_, rng_seed(world->next_name, "agent", 0), world->now_ms);
    world->workers[index].peer = world->next_peer++;
    party->starts++;
}

static void start_trainer(struct party *party, struct daemon *daemon, const struct agent_action *action)
{
    struct world *world = party->world;
    assert_in_range(action->slot, 0, daemon->slots - 1);
    struct trainer *trainer = &daemon->trainers[action->slot];
    party->trainings++;
    assert_false(trainer->runs); /* a slot runs one trial at a time */
    *trainer = (struct trainer){.runs = true,
                                .lease = *action->lease,
                                .ends_ms = world->now_ms + 50 + (int64_t)rng_below(&world->rng, 3000),
                                .crashes = happens(world, party->fate.trainer_crash)};
}

static void trainers_act(struct party *party, struct daemon *daemon)
{
    static struct msg outcome;
    for (int slot = 0; slot < daemon->slots; slot++) {
        struct trainer *trainer = &daemon->trainers[slot];
        if (!trainer->runs)
            continue;
        agent_progress(daemon->agent, slot, 1 + (int64_t)rng_below(&party->world->rng, 100), 2.5);
        if (party->world->now_ms < trainer->ends_ms)
            continue;
        trainer->runs = false;
        if (trainer->halted && happens(party->world, 800)) {
            outcome = (struct msg){.type = MSG_RETURN};
        } else if (trainer->stopped || trainer->crashes) {
            outcome = (struct msg){.type = MSG_FAILURE};
            snprintf(outcome.failure_.reason, sizeof outcome.failure_.reason, "it crashed");
            party->trainer_crashes += !trainer->stopped;
        } else {
            outcome.type = MSG_RESULT;
            outcome.result_ = result_of(&trainer->lease);
        }
        agent_ended(daemon->agent, slot, &outcome, party->world->now_ms);
    }
}

static void obey(struct party *party, int index)
{
    struct world *world = party->world;
    struct daemon *daemon = &party->daemons[index];
    static struct msg message;
    struct agent_action action;
    for (int count = 0; agent_next(daemon->agent, world->now_ms, &action, &message); count++) {
        assert_true(count < 100); /* no endless talk */
        struct trainer *trainer = &daemon->trainers[action.slot];
        switch (action.type) {
        case AGENT_SEND:
            fly(world, -1, world->workers[index].peer, &message);
            break;
        case AGENT_START:
            start_trainer(party, daemon, &action);
            break;
        case AGENT_HALT: /* it may take long over it, be done just now, or crash */
            assert_true(trainer->runs && !trainer->halted && !trainer->stopped);
            trainer->halted = true;
            if (happens(world, 800))
                trainer->ends_ms = world->now_ms + (int64_t)rng_below(&world->rng, 2 * AGENT_LEAVE_MS);
            break;
        case AGENT_STOP:
            assert_true(trainer->runs && !trainer->stopped);
            trainer->stopped = true;
            trainer->ends_ms = world->now_ms + (int64_t)rng_below(&world->rng, 200);
            break;
        case AGENT_DATA: {
            char name[65];
            snprintf(name, sizeof name, "%s", action.data);
            agent_data(daemon->agent, name, DATA_HASH, NULL, world->now_ms);
            break;
        }
        case AGENT_RECONNECT:
            world->workers[index].peer = world->next_peer++;
            break;
        }
    }
    assert_true(agent_next_ms(daemon->agent) > world->now_ms); /* what is due was done: the shell may sleep */
}

static void deliver(struct party *party, int index)
{
    struct world *world = party->world;
    for (int i = 0; i < world->flying_count;) {
        struct flying flying = world->flying[i];
        if (flying.worker != index || flying.at_ms > world->now_ms) {
            i++;
            continue;
        }
        world->flying[i] = world->flying[--world->flying_count];
        if (flying.peer == world->workers[index].peer) /* else its connection is gone */
            agent_receive(party->daemons[index].agent, flying.msg, world->now_ms);
        free(flying.msg);
    }
}

static void daemon_acts(struct party *party, int index)
{
    struct world *world = party->world;
    struct worker_model *place = &world->workers[index];
    struct daemon *daemon = &party->daemons[index];
    if (happens(world, party->fate.weather.worker_crash)) {
        start_daemon(party, index);
        world->crashes++;
    }
    if (happens(world, party->fate.weather.silence))
        place->silent_until_ms = world->now_ms + (int64_t)rng_below(&world->rng, 30000);
    if (world->now_ms < place->silent_until_ms)
        return;
    if (happens(world, party->fate.weather.reconnect))
        place->peer = world->next_peer++;
    if (happens(world, party->fate.sigterm)) {
        agent_stop(daemon->agent, world->now_ms);
        party->stops++;
    }
    trainers_act(party, daemon);
    deliver(party, index);
    obey(party, index);
    bool finished = world->disk.experiment.finished_because[0] != '\0';
    enum agent_end end = agent_left(daemon->agent);
    assert_int_not_equal(end, AGENT_REFUSED);
    assert_true(end != AGENT_FINISHED || finished);
    if (end == AGENT_STOPPED && agent_busy(daemon->agent) == 0) {
        party->left++;
        start_daemon(party, index);
    }
}

static bool all_have_left(const struct party *party)
{
    for (int i = 0; i < party->world->worker_count; i++)
        if (agent_left(party->daemons[i].agent) != AGENT_FINISHED || agent_busy(party->daemons[i].agent) > 0)
            return false;
    return true;
}

static struct rows run_party(const char *const *settings, uint64_t seed, struct fate fate, int daemon_count,
                             struct party *ret_counts)
{
    struct world *world = xcalloc(1, sizeof *world);
    struct party *party = xcalloc(1, sizeof *party);
    party->world = world;
    party->fate = fate;
    world->experiment = experiment_with(settings);
    world->space = space_with(world->experiment);
    world->rng = rng_seed(seed, "party", 0);
    world->weather = fate.weather;
    world->worker_count = daemon_count;
    world->next_peer = 1;
    world->now_ms = 1000000;
    world->disk = disk_new(world->experiment);
    world->core = core_on(world->experiment, world->space, &world->disk, world->now_ms);
    for (int i = 0; i < daemon_count; i++)
        start_daemon(party, i);
    for (int steps = 0; world->disk.experiment.finished_because[0] == '\0' || !all_have_left(party);
         steps++) {
        assert_true(steps < 100000); /* it does end, and everyone hears of it */
        world->now_ms += 1 + (int64_t)rng_below(&world->rng, 100);
        for (int i = 0; i < daemon_count; i++)
            daemon_acts(party, i);
        coordinator_acts(world);
    }
    for (int i = 0; i < daemon_count; i++)
        agent_destroy(&party->daemons[i].agent);
    for (int i = 0; i < world->flying_count; i++)
        free(world->flying[i].msg);
    core_destroy(&world->core);
    space_destroy(&world->space);
    experiment_destroy(&world->experiment);
    ret_counts->starts += world->restarts; /* of the coordinator */
    ret_counts->stops += party->stops;
    ret_counts->left += party->left;
    ret_counts->trainings += party->trainings;
    ret_counts->trainer_crashes += party->trainer_crashes;
    struct rows disk = world->disk;
    free(party);
    free(world);
    return disk;
}

static const char *const settings[] = {
    "search.algorithm=random", "search.candidates=25", "search.batch=8",     "child.seeds=2",
    "queue.attempts=1000",     "queue.lease=5s",       "queue.heartbeat=1s", NULL};

static void check_fate(const char *name, struct fate fate, int seeds)
{
    int ignored = 0, trials = 0;
    struct party counts = {0};
    struct rows expected = run_world(settings, 0, calm, 1, &ignored, &ignored);
    for (int seed = 1; seed <= seeds; seed++) {
        struct rows disk = run_party(settings, (uint64_t)seed, fate, 1 + seed % MAX_WORKERS, &counts);
        check_accounts(&disk);
        check_same_list(&disk, &expected);
        trials += (int)disk.trials.count;
        rows_release(&disk);
    }
    rows_release(&expected);
    print_message("%s: %d seeds, %d restarts of the coordinator, %d orders to leave, %d left, %d trainers "
                  "crashed, %d trainings\n",
                  name, seeds, counts.starts, counts.stops, counts.left, counts.trainer_crashes,
                  counts.trainings);
    const struct weather *weather = &fate.weather;
    if (weather->drop + weather->twice + weather->worker_crash + weather->silence + weather->reconnect +
            fate.sigterm ==
        0)
        assert_int_equal(counts.trainings, trials + counts.trainer_crashes); /* nothing is trained twice */
    assert_true(fate.weather.coordinator_crash == 0 || counts.starts > seeds);
    assert_true(fate.sigterm == 0 || counts.left > seeds);
    assert_true(fate.trainer_crash == 0 || counts.trainer_crashes > seeds);
}

static void any_number_of_daemons_gives_the_same_list(void **state)
{
    (void)state;
    check_fate("calm", (struct fate){.weather = calm}, 24);
}

static void a_rough_network_changes_nothing(void **state)
{
    (void)state;
    check_fate(
        "network",
        (struct fate){.weather = {.drop = 100, .twice = 100, .delay_ms = 2000, .reconnect = 5, .unsent = 20}},
        30);
}

static void daemons_that_are_killed_paused_and_told_to_leave_change_nothing(void **state)
{
    (void)state;
    check_fate("daemons",
               (struct fate){.weather = {.worker_crash = 5, .silence = 5, .reconnect = 10, .delay_ms = 100},
                             .sigterm = 5},
               30);
}

static void trainers_that_crash_change_nothing(void **state)
{
    (void)state;
    check_fate("trainers", (struct fate){.weather = {.delay_ms = 50}, .trainer_crash = 100}, 20);
}

static void a_coordinator_that_is_killed_at_any_point_changes_nothing(void **state)
{
    (void)state;
    check_fate("coordinator", (struct fate){.weather = {.coordinator_crash = 20, .delay_ms = 100}}, 30);
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
                                         .delay_ms = 1500},
                             .trainer_crash = 20,
                             .sigterm = 2},
               40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_number_of_daemons_gives_the_same_list),
        cmocka_unit_test(a_rough_network_changes_nothing),
        cmocka_unit_test(daemons_that_are_killed_paused_and_told_to_leave_change_nothing),
        cmocka_unit_test(trainers_that_crash_change_nothing),
        cmocka_unit_test(a_coordinator_that_is_killed_at_any_point_changes_nothing),
        cmocka_unit_test(all_of_it_at_once_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

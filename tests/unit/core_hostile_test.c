/* Peers that say anything at any time: the invariants of the core, which it asserts, hold, and the search
 * still ends. */
#include "tests/unit/core_bench.h"

/* Each peer has a key of its own or none: a connection does not change its key. */
static const char *key_of(uint64_t peer)
{
    static const char *const keys[] = {"", "", "one key", "one key", "another key", "a third key", "", ""};
    return keys[peer % 8];
}

static void say_with_key(struct bench *bench, uint64_t peer, const struct msg *msg)
{
    if (msg->type == MSG_HELLO && key_of(peer)[0] != '\0')
        core_hello(bench->core, peer, key_of(peer), &msg->hello_, bench->now_ms);
    else
        core_receive(bench->core, peer, msg, bench->now_ms);
}

/* A message of any type that a worker may send, about attempts and trials that exist or nearly do. */
static struct msg anything(const struct bench *bench, struct rng *rng)
{
    static const enum msg_type types[] = {MSG_HELLO,   MSG_REQUEST, MSG_PROGRESS, MSG_RESULT,
                                          MSG_FAILURE, MSG_RETURN,  MSG_BYE,      MSG_LEASE};
    struct msg msg = {.type = types[rng_below(rng, 100) == 0 ? 7 : rng_below(rng, 7)]};
    const struct rows *disk = &bench->disk;
    int64_t attempt = (int64_t)rng_below(rng, 3) << 32 | (int64_t)rng_below(rng, 60);
    int64_t trial = (int64_t)rng_below(rng, 40);
    if (disk->attempts.count > 0 && rng_below(rng, 4) > 0) {
        const struct attempt_row *row = &disk->attempts.items[rng_below(rng, disk->attempts.count)];
        attempt = row->id;
        trial = row->trial;
    }
    struct msg_lease lease = {.attempt = attempt, .trial = trial, .activation = "x"};
    switch (msg.type) {
    case MSG_HELLO: {
        char name[8];
        snprintf(name, sizeof name, "w%d", (int)rng_below(rng, 4));
        msg = hello_of(name, 1 + (int64_t)rng_below(rng, 5));
        if (rng_below(rng, 20) == 0)
            msg.hello_.version++;
        break;
    }
    case MSG_REQUEST:
        msg = request_of((int64_t)rng_below(rng, 4097));
        if (rng_below(rng, 10) == 0)
            msg.request_.data_hash[0] = rng_below(rng, 2) == 0 ? '\0' : 'f';
        for (uint64_t i = rng_below(rng, 3); i > 0; i--)
            msg.request_.holding[msg.request_.holding_count++] = attempt + (int64_t)i - 1;
        break;
    case MSG_PROGRESS:
        msg.progress_ = (struct msg_progress){.attempt = attempt};
        break;
    case MSG_RESULT:
        msg.result_ = result_of(&lease);
        msg.result_.correct = (int64_t)rng_below(rng, 6000); /* of 5000 */
        if (rng_below(rng, 10) == 0)
            msg.result_.validation_loss = INFINITY;
        if (rng_below(rng, 10) == 0)
            msg.result_.curve_loss_count = 64;
        if (rng_below(rng, 10) == 0)
            msg.result_.data_hash[0] = 'f';
        break;
    case MSG_FAILURE:
        msg = failure_msg(&lease, "no reason");
        break;
    case MSG_RETURN:
        msg.return_ = (struct msg_return){.attempt = attempt, .trial = trial};
        break;
    default:
        break;
    }
    return msg;
}

static void peers_that_say_anything_break_no_invariant(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct bench bench;
        struct rng rng = rng_seed(seed, "hostile", 0);
        open_bench(&bench, (const char *const[]){"search.algorithm=random", "search.candidates=12",
                                                 "search.batch=4", "child.seeds=2", "queue.audit=0.5", NULL});
        join(&bench, 9, "honest", 1); /* the first one pins the data set */
        for (int i = 0; i < 4000; i++) {
            struct msg msg = anything(&bench, &rng);
            say_with_key(&bench, 1 + rng_below(&rng, 6), &msg);
            if (rng_below(&rng, 300) == 0)
                core_revoke(bench.core, key_of(2 + rng_below(&rng, 4)), bench.now_ms);
            if (rng_below(&rng, 200) == 0) /* long enough that leases lapse */
                bench.now_ms += bench.experiment->queue.lease_ms / 2;
            bench.now_ms += (int64_t)rng_below(&rng, 3) - 1; /* the clock may go back */
            if (rng_below(&rng, 5) == 0)
                turn_but(&bench, rng_below(&rng, 10) == 0 ? MSG_LEASE : MSG_TYPES);
            if (rng_below(&rng, 500) == 0)
                restart(&bench);
        }
        for (int i = 0; i < 100; i++) { /* and it can be brought to its end */
            bench.now_ms += bench.experiment->queue.lease_ms;
            turn(&bench);
        }
        if (!core_finished(bench.core))
            run_to_the_end(&bench, 4);
        const struct counters_row *counters = &bench.disk.counters;
        assert_int_equal(counters->candidates, 12);
        assert_int_equal(counters->done + counters->diverged + counters->failed, counters->trials);
        for (size_t i = 0; i < bench.disk.trials.count; i++)
            if (bench.disk.trials.items[i].state == TRIAL_DONE)
                assert_true(bench.disk.trials.items[i].correct <=
                            bench.disk.trials.items[i].validation_count);
        close_bench(&bench);
    }
}

/* A refusal quotes the trainer's name, cut off wherever it is too long. */
static void a_name_in_any_script_is_quoted_in_whole_characters(void **state)
{
    (void)state;
    for (size_t start = 0; start < 4; start++) {
        struct bench bench;
        open_bench(&bench, few);
        join(&bench, 9, "first", 1); /* pins the trainer */
        struct msg hello = hello_of("second", 1);
        memset(hello.hello_.trainer, 'a', start);
        for (size_t at = start; at + 4 < sizeof hello.hello_.trainer; at += 4)
            memcpy(hello.hello_.trainer + at, "\xf0\x9f\x99\x82", 5);
        say(&bench, 8, hello);
        turn(&bench);
        assert_non_null(sent(&bench, 8, MSG_BYE, 0));
        close_bench(&bench);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(peers_that_say_anything_break_no_invariant),
        cmocka_unit_test(a_name_in_any_script_is_quoted_in_whole_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

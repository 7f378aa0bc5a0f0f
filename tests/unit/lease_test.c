#include "common/rng.h"
#include "coordinator/lease.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void attempts_are_counted_within_their_epoch(void **state)
{
    (void)state;
    struct leases leases = leases_start(3, 1000);
    assert_int_equal(lease_grant(&leases, 7, 1, 0), (INT64_C(3) << 32) + 1);
    assert_int_equal(lease_grant(&leases, 8, 1, 0), (INT64_C(3) << 32) + 2);
    assert_int_equal(attempt_epoch((INT64_C(3) << 32) + 2), 3);
    assert_int_equal(lease_held(&leases, 1), 2);
    leases_release(&leases);
}

static void a_lease_lapses_at_its_deadline_and_a_renewal_moves_it(void **state)
{
    (void)state;
    struct leases leases = leases_start(1, 1000);
    int64_t a = lease_grant(&leases, 1, 1, 0);
    int64_t b = lease_grant(&leases, 2, 2, 100);
    assert_int_equal(lease_next_ms(&leases), 1000);
    lease_renew(&leases, a, 500);
    assert_int_equal(lease_next_ms(&leases), 1100);
    assert_null(lease_lapsed(&leases, 1099));
    assert_int_equal(lease_lapsed(&leases, 1100)->attempt, b);
    lease_end(&leases, b);
    assert_null(lease_lapsed(&leases, 1100));
    assert_int_equal(lease_lapsed(&leases, 1500)->attempt, a);
    lease_end(&leases, a);
    assert_int_equal(lease_next_ms(&leases), INT64_MAX);
    assert_int_equal(lease_held(&leases, 1), 0);
    leases_release(&leases);
}

static void a_lease_of_an_earlier_epoch_is_unheard_of_until_it_is_claimed(void **state)
{
    (void)state;
    struct leases leases = leases_start(2, 1000);
    int64_t old = (INT64_C(1) << 32) + 5;
    lease_adopt(&leases, old, 9, 4, 50);
    assert_false(lease_find(&leases, old)->heard);
    lease_renew(&leases, old, 60);
    assert_true(lease_find(&leases, old)->heard);
    assert_int_equal(lease_of_trial(&leases, 9)->attempt, old);
    assert_int_equal(lease_of_worker(&leases, 4)->attempt, old);
    assert_null(lease_of_worker(&leases, 3));
    leases_release(&leases);
}

/* Against a plain list: the same leases, holders and next deadline after thousands of random steps. */
static void it_agrees_with_a_plain_list(void **state)
{
    (void)state;
    enum { TRIALS = 60, WORKERS = 5, STEPS = 20000 };
    struct {
        int64_t attempt, worker, deadline_ms;
    } plain[TRIALS + 1];
    memset(plain, 0, sizeof plain);
    struct leases leases = leases_start(1, 500);
    struct rng rng = rng_seed(3, "lease", 0);
    int64_t now_ms = 0;
    for (int step = 0; step < STEPS; step++) {
        now_ms += (int64_t)rng_below(&rng, 10);
        int64_t trial = 1 + (int64_t)rng_below(&rng, TRIALS);
        if (plain[trial].attempt == 0) {
            int64_t worker = 1 + (int64_t)rng_below(&rng, WORKERS);
            plain[trial].attempt = lease_grant(&leases, trial, worker, now_ms);
            plain[trial].worker = worker;
            plain[trial].deadline_ms = now_ms + 500;
        } else if (rng_below(&rng, 3) > 0) {
            lease_renew(&leases, plain[trial].attempt, now_ms);
            plain[trial].deadline_ms = now_ms + 500;
        } else {
            lease_end(&leases, plain[trial].attempt);
            plain[trial].attempt = 0;
        }
        int64_t next_ms = INT64_MAX, held[WORKERS + 1] = {0};
        size_t open = 0;
        for (int64_t i = 1; i <= TRIALS; i++) {
            const struct lease *lease = lease_of_trial(&leases, i);
            assert_int_equal(lease ? lease->attempt : 0, plain[i].attempt);
            if (!lease)
                continue;
            assert_ptr_equal(lease, lease_find(&leases, plain[i].attempt));
            open++;
            held[plain[i].worker]++;
            if (plain[i].deadline_ms < next_ms)
                next_ms = plain[i].deadline_ms;
        }
        assert_int_equal(leases.open, open);
        assert_int_equal(lease_next_ms(&leases), next_ms);
        for (int64_t worker = 1; worker <= WORKERS; worker++)
            assert_int_equal(lease_held(&leases, worker), held[worker]);
    }
    leases_release(&leases);
}

static void what_a_group_holds_is_the_sum_over_its_workers(void **state)
{
    (void)state;
    struct leases leases = leases_start(1, 1000);
    int64_t a = lease_grant(&leases, 1, 1, 0), b = lease_grant(&leases, 2, 2, 0);
    lease_grant(&leases, 3, 2, 0);
    assert_int_equal(lease_group_held(&leases, 1), 0);
    lease_group(&leases, 1, 1);
    lease_group(&leases, 2, 1);
    lease_group(&leases, 90, 2);
    assert_int_equal(lease_group_held(&leases, 1), 3);
    lease_end(&leases, a);
    assert_int_equal(lease_group_held(&leases, 1), 2);
    lease_grant(&leases, 4, 90, 0);
    lease_grant(&leases, 5, 91, 0); /* of no group */
    assert_int_equal(lease_group_held(&leases, 2), 1);
    assert_int_equal(lease_group_held(&leases, 0), 0);
    lease_group(&leases, 2, 2);
    assert_int_equal(lease_group_held(&leases, 1), 0);
    assert_int_equal(lease_group_held(&leases, 2), 3);
    lease_end(&leases, b);
    assert_int_equal(lease_group_held(&leases, 2), 2);
    leases_release(&leases);
}

static void a_renewal_is_no_step_forward(void **state)
{
    (void)state;
    struct leases leases = leases_start(1, 1000);
    const int64_t a = lease_grant(&leases, 1, 1, 100);
    assert_int_equal(lease_find(&leases, a)->moved_ms, 100);
    lease_renew(&leases, a, 200);
    lease_move(&leases, a, 0, 300);
    assert_int_equal(lease_find(&leases, a)->moved_ms, 100);
    lease_move(&leases, a, 5, 400);
    lease_move(&leases, a, 5, 500); /* the same step again, or an earlier one that was late */
    lease_move(&leases, a, 4, 600);
    assert_int_equal(lease_find(&leases, a)->moved_ms, 400);
    lease_extend(&leases, 50);
    assert_int_equal(lease_find(&leases, a)->moved_ms, 450);
    lease_move(&leases, a + 1, 5, 700); /* of no lease */
    leases_release(&leases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_group_holds_is_the_sum_over_its_workers),
        cmocka_unit_test(attempts_are_counted_within_their_epoch),
        cmocka_unit_test(a_renewal_is_no_step_forward),
        cmocka_unit_test(a_lease_lapses_at_its_deadline_and_a_renewal_moves_it),
        cmocka_unit_test(a_lease_of_an_earlier_epoch_is_unheard_of_until_it_is_claimed),
        cmocka_unit_test(it_agrees_with_a_plain_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

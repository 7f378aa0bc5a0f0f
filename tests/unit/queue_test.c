#include "common/rng.h"
#include "coordinator/queue.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

static void the_lowest_number_goes_first_whatever_the_order(void **state)
{
    (void)state;
    uint32_t numbers[200];
    struct rng rng = rng_seed(1, "queue", 0);
    for (int round = 0; round < 20; round++) {
        struct queue queue = {0};
        for (uint32_t i = 0; i < 200; i++)
            numbers[i] = i + 1;
        rng_shuffle(&rng, numbers, 200);
        for (int i = 0; i < 200; i++)
            queue_put(&queue, numbers[i]);
        for (int64_t i = 1; i <= 200; i++)
            assert_int_equal(queue_take(&queue), i);
        assert_int_equal(queue_take(&queue), 0);
        queue_release(&queue);
    }
}

static void a_trial_that_comes_back_stands_where_it_stood(void **state)
{
    (void)state;
    struct queue queue = {0};
    for (int64_t i = 1; i <= 10; i++)
        queue_put(&queue, i);
    for (int64_t i = 1; i <= 5; i++)
        assert_int_equal(queue_take(&queue), i);
    queue_put(&queue, 3);
    assert_int_equal(queue_take(&queue), 3);
    assert_int_equal(queue_take(&queue), 6);
    queue_release(&queue);
}

static void what_is_removed_is_not_taken_and_the_order_stays(void **state)
{
    (void)state;
    struct rng rng = rng_seed(2, "queue", 0);
    for (int round = 0; round < 50; round++) {
        struct queue queue = {0};
        bool in[101] = {false};
        for (int step = 0; step < 400; step++) {
            int64_t trial = 1 + (int64_t)rng_below(&rng, 100);
            if (in[trial]) {
                assert_true(queue_remove(&queue, trial));
                in[trial] = false;
            } else {
                assert_false(queue_remove(&queue, trial));
                queue_put(&queue, trial);
                in[trial] = true;
            }
            assert_int_equal(queue_has(&queue, trial), in[trial]);
        }
        for (int64_t trial = 1; trial <= 100; trial++)
            if (in[trial])
                assert_int_equal(queue_take(&queue), trial);
        assert_int_equal(queue.count, 0);
        queue_release(&queue);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_lowest_number_goes_first_whatever_the_order),
        cmocka_unit_test(a_trial_that_comes_back_stands_where_it_stood),
        cmocka_unit_test(what_is_removed_is_not_taken_and_the_order_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

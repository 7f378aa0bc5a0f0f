/* Restored rows that contradict each other are refused by name, before the core takes them for true. */
#include "tests/unit/core_bench.h"

#include "coordinator/consistent.h"

/* A search in the middle: outcomes, leases, ready trials, proposals that wait. */
static struct bench bench;

static int set_up(void **state)
{
    (void)state;
    open_bench(&bench, (const char *const[]){"search.algorithm=random", "search.candidates=12",
                                             "search.batch=4", "child.seeds=2", NULL});
    struct msg_lease lease = join(&bench, 1, "a", 2);
    join(&bench, 2, "b", 2);
    for (int i = 0; i < 5; i++) {
        say(&bench, 1, result_msg(&lease));
        say(&bench, 1, request_of(1));
        turn(&bench);
        lease = lease_in(&bench, sent(&bench, 1, MSG_LEASE, 0));
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    close_bench(&bench);
    return 0;
}

static void what_the_core_wrote_is_consistent(void **state)
{
    (void)state;
    struct problem problem = {0};
    struct rows rows = disk_read(&bench.disk);
    assert_int_equal(rows_consistent(&rows, &problem), 0);
    rows_release(&rows);
    rows = disk_new(bench.experiment);
    assert_int_equal(rows_consistent(&rows, &problem), 0);
    rows_release(&rows);
}

/* The first row of a list for which the condition holds; `row` is its name in there. */
#define FIRST(type, list, condition)                                                                         \
    static struct type *first_##list(struct rows *rows)                                                      \
    {                                                                                                        \
        for (size_t i = 0; i < rows->list.count; i++) {                                                      \
            struct type *row = &rows->list.items[i];                                                         \
            if (condition)                                                                                   \
                return row;                                                                                  \
        }                                                                                                    \
        fail_msg("nothing of that kind among the " #list);                                                   \
        return NULL;                                                                                         \
    }
FIRST(trial_row, trials, row->state == TRIAL_DONE)
FIRST(candidate_row, candidates, !isnan(row->reward))
FIRST(attempt_row, attempts, row->state == ATTEMPT_LEASED)
#undef FIRST

/* One damage after another; each must be found, and named. */
static void damage(struct rows *rows, int which)
{
    struct trial_row *done = first_trials(rows);
    struct candidate_row *rewarded = first_candidates(rows);
    struct attempt_row *leased = first_attempts(rows);
    switch (which) {
    case 0:
        rows->workers.items[1].id = 3;
        break;
    case 1:
        rows->candidates.items[0].id = 7;
        break;
    case 2:
        rows->candidates.items[0].trials = 3;
        break;
    case 3:
        rows->trials.count--;
        break;
    case 4:
        done->replica += 1;
        break;
    case 5:
        done->closed_by = 0;
        break;
    case 6:
        done->closed_by = 12345;
        break;
    case 7:
        done->closed_by = leased->id;
        break;
    case 8:
        done->validation_count = 0;
        break;
    case 9:
        done->correct = done->validation_count + 1;
        break;
    case 10:
        done->correct = -1;
        break;
    case 11:
        rewarded->reward = NAN;
        break;
    case 12:
        rewarded->reward = 1.5;
        break;
    case 13:
        leased->state = ATTEMPT_LAPSED;
        break;
    case 14:
        leased->trial = done->id;
        break;
    case 15:
        leased->trial = 0;
        break;
    case 16:
        leased->worker = (int64_t)rows->workers.count + 1;
        break;
    case 17:
        leased->id = (int64_t)9 << 32 | 1;
        break;
    case 18:
        rows->experiment.epoch = -1;
        break;
    case 19:
        rows->proposals.items[0].candidate = rewarded->id;
        break;
    case 20:
        rows->proposals.items[0].number = rows->counters.proposals;
        break;
    case 21:
        rows->trials.items[rows->trials.count - 1].candidate = 99;
        break;
    case 22:
        done->state = TRIAL_FAILED;
        break;
    case 23:
        done->steps += 1; /* it is no replica 0 of that length */
        rows->trials.items[done->id % (int64_t)rows->trials.count].candidate = done->candidate;
        break;
    case 24:
        done->steps = 0;
        break;
    case 25:
        done->rung = 1; /* above that of its candidate */
        break;
    case 26:
        done->rung = RUNG_FINALS - 1;
        break;
    }
}
enum { DAMAGES = 27 };

static void each_contradiction_is_found(void **state)
{
    (void)state;
    for (int which = 0; which < DAMAGES; which++) {
        struct rows rows = disk_read(&bench.disk);
        struct problem problem = {0};
        damage(&rows, which);
        if (rows_consistent(&rows, &problem) != ERR_CORRUPT || problem.text[0] == '\0')
            fail_msg("damage %d is not found", which);
        struct core *core = NULL;
        assert_int_equal(core_new(bench.experiment, bench.space, &rows, 0, &core, &problem), ERR_CORRUPT);
        assert_null(core);
        assert_true(rows_empty(&rows)); /* consumed */
    }
}

static void a_search_state_of_another_moment_is_refused(void **state)
{
    (void)state;
    struct rows rows = disk_read(&bench.disk);
    struct problem problem = {0};
    struct core *core = NULL;
    rows.proposals.count--; /* rewarded, as far as the rows say */
    assert_int_equal(core_new(bench.experiment, bench.space, &rows, 0, &core, &problem), ERR_CORRUPT);
    rows = disk_read(&bench.disk);
    rows.counters.proposals++;
    assert_int_equal(core_new(bench.experiment, bench.space, &rows, 0, &core, &problem), ERR_CORRUPT);
    assert_non_null(strstr(problem.text, "search"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_core_wrote_is_consistent),
        cmocka_unit_test(each_contradiction_is_found),
        cmocka_unit_test(a_search_state_of_another_moment_is_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

/* The pure parts of `actsearch run`: when a process is started again, how far the search is, what is said at
 * the end, and the command lines that are printed. */
#include "cli/monitor.h"
#include "cli/restart.h"
#include "common/retrain.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct experiment *experiment_of(const char *text)
{
    struct experiment *experiment = NULL;
    struct problem problem;
    if (experiment_parse("test.ini", text, NULL, 0, &experiment, &problem) != 0)
        fail_msg("%s", problem.text);
    return experiment;
}

static void pauses_between_quick_deaths_grow_until_it_is_given_up(void **state)
{
    (void)state;
    struct restart restart = {0};
    int64_t now = 1000, pause = 0;
    for (int death = 1; death < RESTART_TRIES; death++) {
        restart_started(&restart, now);
        assert_true(restart_died(&restart, now + 10));
        assert_true(restart.next_ms - (now + 10) > pause);
        pause = restart.next_ms - (now + 10);
        now = restart.next_ms;
    }
    restart_started(&restart, now);
    assert_false(restart_died(&restart, now + 10));
}

static void a_process_that_ran_for_long_begins_anew(void **state)
{
    (void)state;
    struct restart restart = {0};
    int64_t now = 0;
    for (int death = 0; death < 10 * RESTART_TRIES; death++) {
        restart_started(&restart, now);
        now += RESTART_LONG_MS;
        assert_true(restart_died(&restart, now));
        assert_int_equal(restart.next_ms, now + RESTART_PAUSE_MS);
        now = restart.next_ms;
    }
}

static void a_search_for_candidates_is_as_far_as_its_trials(void **state)
{
    (void)state;
    struct experiment *experiment =
        experiment_of("[search]\nalgorithm = random\ncandidates = 8\n[child]\nseeds = 2\n");
    struct monitor monitor;
    monitor_start(&monitor, experiment, 2);
    struct progress_row row = {
        .proposals = 12, .trials = 20, .done = 8, .diverged = 1, .failed = 1, .leased = 2, .queued = 8};
    assert_float_equal(estimate_fraction(&monitor.estimate, &row), 0.5, 1e-12);
    row.done += 10;
    assert_float_equal(estimate_fraction(&monitor.estimate, &row), 1, 0);
    experiment_destroy(&experiment);
}

static void a_step_of_the_finals_counts_as_one_of_the_search(void **state)
{
    (void)state;
    struct experiment *experiment = experiment_of("[search]\nalgorithm = random\ncandidates = 8\n[child]\n"
                                                  "steps = 100\n[finals]\ntop = 2\nseeds = 2\nsteps = 300\n");
    struct monitor monitor;
    monitor_start(&monitor, experiment, 0);
    struct progress_row row = {.proposals = 8, .trials = 4, .done = 4, .queued = 4};
    const double half = estimate_fraction(&monitor.estimate, &row);
    assert_float_equal(half, 4 / (8 + 3 * 4.0), 1e-12);
    row = (struct progress_row){.proposals = 8, .trials = 12, .done = 8, .finals = 4, .phase = "finals"};
    assert_float_equal(estimate_fraction(&monitor.estimate, &row), 8 / (8 + 3 * 4.0), 1e-12);
    row.done++;
    assert_float_equal(estimate_fraction(&monitor.estimate, &row), (8 + 3) / (8 + 3 * 4.0), 1e-12);
    row.done += 3;
    assert_float_equal(estimate_fraction(&monitor.estimate, &row), 1, 1e-12);
    experiment_destroy(&experiment);
}

static void an_exhaustive_search_is_as_far_as_the_trials_of_its_proposals(void **state)
{
    (void)state;
    struct experiment *experiment = experiment_of("[search]\nalgorithm = exhaustive\n");
    struct monitor monitor;
    monitor_start(&monitor, experiment, 2);
    struct progress_row row = {.proposals = 3125, .trials = 2000, .done = 1900, .leased = 2, .queued = 98};
    assert_float_equal(estimate_fraction(&monitor.estimate, &row), 0.5 * 0.95, 1e-12);
    row = (struct progress_row){.proposals = 6250, .trials = 3714, .done = 1857};
    assert_float_equal(estimate_fraction(&monitor.estimate, &row), 0.5,
                       1e-12); /* all proposed, half of them trained */
    experiment_destroy(&experiment);
}

static void a_search_that_repeats_itself_is_as_far_as_its_proposals_too(void **state)
{
    (void)state;
    struct experiment *experiment =
        experiment_of("[search]\nalgorithm = rl\ncandidates = 100\nproposals = 200\n");
    struct monitor monitor;
    monitor_start(&monitor, experiment, 0);
    struct progress_row row = {.proposals = 100, .trials = 10, .done = 10};
    assert_float_equal(estimate_fraction(&monitor.estimate, &row), 0.5, 1e-12);
    experiment_destroy(&experiment);
}

static void the_line_has_speed_updates_failures_and_the_best(void **state)
{
    (void)state;
    struct experiment *experiment = experiment_of("[search]\nalgorithm = rl\ncandidates = 60\n");
    struct monitor monitor;
    monitor_start(&monitor, experiment, 0);
    struct progress_row row = {
        .candidates = 12, .target_candidates = 60, .trials = 20, .done = 9, .policy_version = 1};
    struct buf text = {0};
    monitor_detail(&monitor, &row, 5000, &text);
    assert_string_equal(buf_text(&text), "12/60 candidates, 0 workers, 1 update");
    buf_clear(&text);
    row.workers = 3, row.done = 18, row.failed = 1, row.policy_version = 2, row.best_accuracy = 0.84321;
    strcpy(row.best_activation, "max(x,sin(x))");
    monitor_detail(&monitor, &row, 5000 + 3600000, &text);
    assert_string_equal(
        buf_text(&text),
        "12/60 candidates, best 84.32 %, 1 failed, 10 trials/h, 3 workers, 2 updates; best: max(x,sin(x))");
    buf_clear(&text);
    strcpy(row.phase, "paused");
    monitor_detail(&monitor, &row, 5000 + 3600000, &text);
    assert_non_null(strstr(buf_text(&text), "paused (actsearch resume): 12/60"));
    assert_null(strstr(buf_text(&text), "trials/h"));
    buf_clear(&text);
    strcpy(row.phase, "search"); /* the hours of the pause do not count */
    row.done += 10;
    monitor_detail(&monitor, &row, 5000 + 2 * 3600000, &text);
    assert_non_null(strstr(buf_text(&text), ", 10 trials/h"));
    buf_release(&text);
    experiment_destroy(&experiment);
}

static void the_end_counts_everything_and_each_reason(void **state)
{
    (void)state;
    struct experiment *experiment = experiment_of("[search]\nalgorithm = rl\ncandidates = 5\n");
    struct monitor monitor;
    monitor_start(&monitor, experiment, 0);
    struct progress_row row = {.proposals = 20,
                               .candidates = 5,
                               .duplicates = 4,
                               .rejected = 11,
                               .trials = 7,
                               .done = 4,
                               .diverged = 2,
                               .failed = 1,
                               .policy_version = 3,
                               .elapsed_seconds = 3725,
                               .finished_because = "search.candidates reached"};
    row.rejected_by[VERDICT_CONSTANT] = 3;
    row.rejected_by[VERDICT_NOT_FINITE] = 8;
    struct buf text = {0};
    monitor_finished(&monitor, &row, &text);
    assert_string_equal(
        buf_text(&text),
        "Finished: search.candidates reached, 1 h 02 min after its start.\n"
        "Proposals: 20, of which candidates 5, duplicates 4, rejected 11 (constant 3, not finite 8).\n"
        "Trials: 7, of which done 4, diverged 2, failed 1.\n"
        "PPO updates: 3.\n");
    buf_release(&text);
    experiment_destroy(&experiment);
}

static void words_are_quoted_where_a_shell_would_change_them(void **state)
{
    (void)state;
    struct buf text = {0};
    shell_word(&text, "demo.db");
    shell_word(&text, "x*sigmoid(b*x)");
    shell_word(&text, "it's");
    shell_word(&text, "");
    assert_string_equal(buf_text(&text), " demo.db 'x*sigmoid(b*x)' 'it'\\''s' ''");
    buf_release(&text);
}

static void the_train_command_sets_what_is_not_the_default(void **state)
{
    (void)state;
    struct experiment *experiment = experiment_of(
        "[search]\nalgorithm = exhaustive\n[child]\nmodel = mlp\nsteps = 30\nlr = 0.05\nseeds = 3\n");
    struct buf text = {0};
    retrain_command(&experiment->child, "max(x,sin(x))", 0, "17", &text);
    assert_string_equal(buf_text(&text), "actsearch train --model mlp --data fashion-mnist --activation "
                                         "'max(x,sin(x))' --steps 30 --seed 17 --set child.lr=0.05");
    buf_clear(&text);
    retrain_command(&experiment->child, "x", 300, "17", &text);
    assert_non_null(strstr(buf_text(&text), " --steps 300 "));
    buf_release(&text);
    experiment_destroy(&experiment);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pauses_between_quick_deaths_grow_until_it_is_given_up),
        cmocka_unit_test(a_process_that_ran_for_long_begins_anew),
        cmocka_unit_test(a_search_for_candidates_is_as_far_as_its_trials),
        cmocka_unit_test(a_step_of_the_finals_counts_as_one_of_the_search),
        cmocka_unit_test(an_exhaustive_search_is_as_far_as_the_trials_of_its_proposals),
        cmocka_unit_test(a_search_that_repeats_itself_is_as_far_as_its_proposals_too),
        cmocka_unit_test(the_line_has_speed_updates_failures_and_the_best),
        cmocka_unit_test(the_end_counts_everything_and_each_reason),
        cmocka_unit_test(words_are_quoted_where_a_shell_would_change_them),
        cmocka_unit_test(the_train_command_sets_what_is_not_the_default),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

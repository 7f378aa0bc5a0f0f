/* Experiment files: what is refused and how, and the canonical text that stands for an experiment. */
#include "common/experiment.h"
#include "common/ini.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define RANDOM "[search]\nalgorithm = random\ncandidates = 10\n"

static struct experiment *parsed(const char *text)
{
    struct experiment *experiment = NULL;
    struct problem problem = {0};
    if (experiment_parse("a.ini", text, NULL, 0, &experiment, &problem) != 0)
        fail_msg("%s", problem.text);
    return experiment;
}

/* The problem of a text that is refused. */
static struct problem refused(const char *text, const char *override)
{
    struct experiment *experiment = NULL;
    struct problem problem = {0};
    int err = experiment_parse("a.ini", text, &override, override ? 1 : 0, &experiment, &problem);
    if (err == 0)
        fail_msg("not refused: %s%s", text, override ? override : "");
    assert_null(experiment);
    return problem;
}

static void an_empty_search_needs_no_more_than_its_end(void **state)
{
    (void)state;
    struct experiment *experiment = parsed(RANDOM);
    assert_string_equal(experiment->name, "unnamed");
    assert_int_equal(experiment->seed, 1);
    assert_int_equal(experiment->search.algorithm, ALGORITHM_RANDOM);
    assert_int_equal(experiment->search.candidates, 10);
    assert_int_equal(experiment->search.proposals, 200); /* 20 for each candidate */
    assert_string_equal(experiment->space.unary, "paper");
    assert_string_equal(experiment->child.model, "cnn");
    assert_int_equal(experiment->queue.lease_ms, 30000);
    experiment_destroy(&experiment);
}

static void the_algorithm_is_the_better_one_for_the_size_of_the_space_and_is_stored_so(void **state)
{
    (void)state;
    static const struct {
        const char *text, *line;
    } cases[] = {
        {"[search]\ncandidates = 10\n", "algorithm = evolution\n"},
        {"[space]\nunits = 2\n[search]\nalgorithm = auto\ncandidates = 10\n", "algorithm = evolution\n"},
        {"[space]\nunits = 3\n[search]\ncandidates = 10\n", "algorithm = rl\n"},
        {"[space]\nunits = 8\n[search]\ncandidates = 10\n", "algorithm = rl\n"},
        {"[search]\nalgorithm = rl\ncandidates = 10\n", "algorithm = rl\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct experiment *experiment = parsed(cases[i].text), *again;
        char *text = experiment_text(experiment);
        assert_non_null(strstr(text, cases[i].line));
        again = parsed(text);
        assert_int_equal(again->search.algorithm, experiment->search.algorithm);
        experiment_destroy(&experiment);
        experiment_destroy(&again);
        free(text);
    }
}

static void every_kind_of_value_is_read(void **state)
{
    (void)state;
    struct experiment *experiment = parsed("# a comment\n"
                                           "[experiment]\n"
                                           "name = a-b_c.2\n"
                                           "seed=9223372036854775807\n"
                                           "; another\n"
                                           "[space]\n"
                                           "unary = x,\n"
                                           "   max(x, 0),   \"exp(-x^2)\"\n"
                                           "beta = shared\n"
                                           "epsilon = 1e-7\n" RANDOM "references =\n"
                                           "[child]\n"
                                           "augment = yes\n"
                                           "schedule = step\n"
                                           "lr = .05\n"
                                           "[queue]\n"
                                           "lease = 2m\n"
                                           "heartbeat = 1500ms\n"
                                           "[log]\n"
                                           "level = debug\n");
    assert_string_equal(experiment->name, "a-b_c.2");
    assert_true(experiment->seed == INT64_MAX);
    assert_string_equal(experiment->space.unary, "x, max(x, 0), exp(-x^2)");
    assert_true(experiment->space.shared_beta);
    assert_true(experiment->space.epsilon == 1e-7);
    assert_string_equal(experiment->search.references, "");
    assert_true(experiment->child.augment);
    assert_int_equal(experiment->child.schedule, SCHEDULE_STEP);
    assert_true(experiment->child.lr == 0.05);
    assert_int_equal(experiment->queue.lease_ms, 120000);
    assert_int_equal(experiment->queue.heartbeat_ms, 1500);
    assert_int_equal(experiment->log_level, LEVEL_DEBUG);
    experiment_destroy(&experiment);
}

static void each_refusal_says_the_line_what_is_allowed_and_the_nearest_spelling(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int line;
        const char *said[3]; /* all of these */
    } rows[] = {
        {"[serach]\nalgorithm = random\n",
         2,
         {"a.ini:2: there is no section [serach]", "did you mean [search]?", "[child]"}},
        {"name = x\n", 1, {"a.ini:1: a key stands before the first section", "[experiment]", "[log]"}},
        {RANDOM "[child]\nstep = 3\n",
         5,
         {"a.ini:5: [child] has no key 'step'", "did you mean 'steps'?", "momentum"}},
        {RANDOM "[child]\nqqqqq = 3\n", 5, {"a.ini:5: [child] has no key 'qqqqq'; the keys are data, model"}},
        {RANDOM "[child]\ncandidates = 3\n",
         5,
         {"a.ini:5: [child] has no key 'candidates': it belongs to [search]"}},
        {RANDOM "[child]\nsteps = 0\n",
         5,
         {"a.ini:5: child.steps: expected a whole number from 1 to 100000000, not '0'"}},
        {RANDOM "[child]\nsteps = 12x\n", 5, {"not '12x'"}},
        {RANDOM "[child]\nsteps = 12 # all\n", 5, {"(a comment needs a line of its own)"}},
        {RANDOM "[child]\nsteps = 12\n  lr = 3\n",
         5,
         {"(a line that begins with a space goes on with the value above it)"}},
        {RANDOM "[child]\nlr = nan\n", 5, {"child.lr: expected a number from 0 to 1000, not 'nan'"}},
        {RANDOM "[child]\naugment = maybe\n", 5, {"child.augment: expected true or false, not 'maybe'"}},
        {RANDOM "[child]\nschedule = cosin\n",
         5,
         {"expected cosine, step, constant or fifths, not 'cosin'", "did you mean 'cosine'?"}},
        {RANDOM "[child]\ndata = ../x\n", 5, {"child.data: expected a name of at most 63 letters"}},
        {RANDOM "[queue]\nlease = 30\n",
         5,
         {"queue.lease: expected a duration from 100ms to 24h, such as 500ms"}},
        {RANDOM "[child]\nsteps = 1\nsteps = 2\n",
         6,
         {"a.ini:6: child.steps stands there twice, first in line 5"}},
        {RANDOM "[child]\nsteps\n", 5, {"a.ini:5: expected [section] or key = value, not 'steps'"}},
        {RANDOM "[child\nsteps = 1\n", 4, {"a.ini:4: expected [section] or key = value, not '[child'"}},
        {"[space]\nunary = x, sine(x)\n", 2, {"a.ini:2: space.unary: item 2 of 2:\nsine(x)\n^"}},
        {RANDOM "[space]\nunary = x, sine(x)\n", 5, {"a.ini:5: space.unary: item 2 of 2:\nsine(x)\n^"}},
        {RANDOM "[space]\nunary = x, x1\n", 5, {"space.unary: item 2 of 2:"}},
        {RANDOM "[space]\nunary = x, max(x,0\n", 5, {"a parenthesis or quote is not closed"}},
        {RANDOM "[space]\nunary = x,,y\n", 5, {"item 2 of the list is empty"}},
        {RANDOM "[space]\nunary =\n", 5, {"the list is empty"}},
        {RANDOM "[space]\nunary = x, x\n", 5, {"item 2 of 2: 'x' is on offer already"}},
        {RANDOM "references = relu(x), tanh(y)\n",
         4,
         {"a.ini:4: search.references: item 2 of 2:\ntanh(y)\n     ^"}},
        {RANDOM "proposals = 9\n",
         4,
         {"a.ini:4: search.proposals: expected at least search.candidates, 10, not 9"}},
        {"[search]\nalgorithm = rl\n", 0, {"a.ini: search.candidates: expected 1 or more"}},
        {RANDOM "[child]\nwarmup = 101\n",
         5,
         {"a.ini:5: child.warmup: expected at most child.steps, 100, not 101"}},
        {RANDOM "[child]\nbeta_lr = -0.5\n", 5, {"child.beta_lr: expected 0 or more, or -1"}},
        {RANDOM "[finals]\nsteps = 99\n",
         5,
         {"finals.steps: expected 0 or at least child.steps, 100, not 99"}},
        {RANDOM "[halving]\nrungs = 3\neta = 10\n[child]\nsteps = 99\n",
         5,
         {"halving.rungs: with child.steps = 99 and halving.eta = 10, the lowest of 3 rungs would train less "
          "than one step"}},
        {RANDOM "[queue]\nheartbeat = 20s\n",
         5,
         {"queue.heartbeat: expected at most half of queue.lease (30000ms), not 20000ms"}},
        {"[search]\nalgorithm = exhaustive\n[space]\nunits = 8\n",
         2,
         {"more than 2^64 strings, too many for exhaustive"}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct problem problem = refused(rows[i].text, NULL);
        for (int k = 0; k < 3 && rows[i].said[k]; k++)
            if (!strstr(problem.text, rows[i].said[k]))
                fail_msg("expected '%s' in: %s", rows[i].said[k], problem.text);
        assert_int_equal(problem.line, rows[i].line);
    }
}

static void an_override_takes_the_place_of_a_line_and_is_named_in_its_problem(void **state)
{
    (void)state;
    const char *overrides[] = {"child.steps=7", "search.references=x, max(x,0)", "child.steps = 8"};
    struct experiment *experiment = NULL;
    struct problem problem = {0};
    assert_int_equal(
        experiment_parse("a.ini", RANDOM "[child]\nsteps = 5\n", overrides, 2, &experiment, &problem), 0);
    assert_int_equal(experiment->child.steps, 7);
    assert_string_equal(experiment->search.references, "x, max(x,0)");
    experiment_destroy(&experiment);

    static const char *const rows[][2] = {
        {"child.steps", "--set child.steps: expected section.key=value"},
        {"steps=3", "--set steps=3: expected section.key=value"},
        {"child.step=3", "--set child.step=3: [child] has no key 'step'; did you mean 'steps'?"},
        {"child.steps=x", "--set child.steps=x: child.steps: expected a whole number"},
        {"search.proposals=9",
         "--set search.proposals=9: search.proposals: expected at least search.candidates"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        problem = refused(RANDOM, rows[i][0]);
        if (strncmp(problem.text, rows[i][1], strlen(rows[i][1])) != 0)
            fail_msg("expected '%s': %s", rows[i][1], problem.text);
    }
}

static void the_canonical_text_is_read_back_to_itself(void **state)
{
    (void)state;
    static const char *const texts[] = {
        RANDOM,
        "[search]\nalgorithm = exhaustive\n[space]\nbinary = x1, \"max(x1,x2)\", x1*x2\nunary = paper,\n  "
        "\"x^4\"\n",
        RANDOM "references = \"max(x,0)+b*min(x,0); b=0.25\",\n x\n[child]\nlr = 0.30000000000000004\n",
        "[search]\ncandidates = 9223372036854775807\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct experiment *experiment = parsed(texts[i]);
        char *text = experiment_text(experiment);
        struct experiment *again = parsed(text);
        char *text_again = experiment_text(again);
        assert_string_equal(text, text_again);
        free(text);
        free(text_again);
        experiment_destroy(&experiment);
        experiment_destroy(&again);
    }
}

/* Items of some 250 bytes, four to a line, until the value has `bytes`. */
static void put_long_list(struct buf *text, size_t bytes)
{
    buf_printf(text, RANDOM "[space]\nunary = x");
    size_t begin = text->size - 1;
    for (int i = 2; text->size - begin + 300 < bytes; i++) {
        buf_printf(text, "%sx*%d", i % 4 == 0 ? "\n ," : ",", i);
        for (int k = 0; k < 125; k++)
            buf_printf(text, "+0");
    }
    while (text->size - begin + 2 <= bytes)
        buf_printf(text, "+0");
    buf_printf(text, "\n");
}

/* A list over many lines becomes one line of the canonical text. */
static void a_long_list_is_read_back(void **state)
{
    (void)state;
    struct buf text = {0};
    put_long_list(&text, INI_VALUE_MAX - 1000);
    struct experiment *experiment = parsed(buf_text(&text));
    char *canonical = experiment_text(experiment);
    struct experiment *again = parsed(canonical);
    assert_string_equal(experiment->space.unary, again->space.unary);
    free(canonical);
    buf_release(&text);
    experiment_destroy(&experiment);
    experiment_destroy(&again);
}

/* The canonical text has a space behind each comma. */
static void a_list_that_could_not_be_read_back_is_refused(void **state)
{
    (void)state;
    struct buf text = {0};
    put_long_list(&text, INI_VALUE_MAX - 100);
    struct problem problem = refused(buf_text(&text), NULL);
    assert_non_null(strstr(problem.text, "space.unary: the list has more than 65536 bytes"));
    buf_release(&text);
}

static void what_is_operational_is_not_in_the_canonical_text(void **state)
{
    (void)state;
    struct experiment *a = parsed(RANDOM),
                      *b = parsed(RANDOM "[queue]\nlease = 1h\nattempts = 9\n[log]\nlevel = error\n"),
                      *c = parsed(RANDOM "[child]\nsteps = 101\n");
    char *text_a = experiment_text(a), *text_b = experiment_text(b), *text_c = experiment_text(c);
    assert_string_equal(text_a, text_b);
    assert_null(strstr(text_a, "[queue]"));
    assert_null(strstr(text_a, "[log]"));
    char *none = experiment_difference(text_a, text_b), *some = experiment_difference(text_a, text_c);
    assert_string_equal(none, "");
    assert_string_equal(some, "child.steps: 100 -> 101\n");
    free(none);
    free(some);
    free(text_a);
    free(text_b);
    free(text_c);
    experiment_destroy(&a);
    experiment_destroy(&b);
    experiment_destroy(&c);
}

static void each_rung_trains_eta_times_as_long_as_the_one_below(void **state)
{
    (void)state;
    struct experiment *experiment = NULL;
    struct problem problem = {0};
    assert_int_equal(
        experiment_parse("a", "[search]\ncandidates = 1\n[halving]\nrungs = 3\n[child]\nsteps = 401\n", NULL,
                         0, &experiment, &problem),
        0);
    assert_int_equal(experiment_rung_steps(experiment, 0), 25);
    assert_int_equal(experiment_rung_steps(experiment, 1), 100);
    assert_int_equal(experiment_rung_steps(experiment, 2), 401);
    experiment_destroy(&experiment);
}

static void the_database_is_named_after_the_file(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"experiments/demo.ini", "demo.db"},
        {"demo.ini", "demo.db"},
        {"/a.b/c", "c.db"},
        {"a.b.ini", "a.b.db"},
        {".hidden", ".hidden.db"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *name = experiment_database(rows[i][0]);
        assert_string_equal(name, rows[i][1]);
        free(name);
    }
}

static void a_file_that_is_no_text_or_not_there_is_refused(void **state)
{
    (void)state;
    struct experiment *experiment = NULL;
    struct problem problem = {0};
    assert_int_equal(experiment_load("/nonexistent/a.ini", NULL, 0, &experiment, &problem), ERR_NOT_FOUND);
    assert_non_null(strstr(problem.text, "/nonexistent/a.ini: cannot be opened"));
    char path[] = "/tmp/experiment_test.XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    FILE *file = fdopen(fd, "wb");
    fwrite("[child]\0\n", 1, 9, file);
    fclose(file);
    assert_int_equal(experiment_load(path, NULL, 0, &experiment, &problem), ERR_INPUT);
    assert_non_null(strstr(problem.text, "has a zero byte: no text"));
    remove(path);
    assert_null(experiment);
}

static void the_references_are_expressions(void **state)
{
    (void)state;
    struct experiment *experiment = parsed(RANDOM "references = relu(x), \"max(x,0)+b*min(x,0); b=0.25\"\n");
    struct expr **exprs = NULL;
    struct problem problem = {0};
    int count = 0;
    assert_int_equal(experiment_references(experiment, &exprs, &count, &problem), 0);
    assert_int_equal(count, 2);
    assert_int_equal(expr_betas(exprs[1]), 1);
    assert_true(expr_beta_init(exprs[1], 0) == 0.25);
    for (int i = 0; i < count; i++)
        expr_destroy(&exprs[i]);
    free(exprs);
    experiment_destroy(&experiment);
}

static void a_known_name_among_the_references_becomes_its_formula(void **state)
{
    (void)state;
    static const char ini[] = "[search]\nalgorithm = none\nreferences = relu, prelu, x*tanh(x), swish-1\n";
    struct experiment *experiment = NULL;
    struct problem problem = {0};
    assert_int_equal(experiment_parse("names", ini, NULL, 0, &experiment, &problem), 0);
    assert_string_equal(experiment->search.references,
                        "relu(x), max(x,0)+b*min(x,0); b=0.25, x*tanh(x), x*sigmoid(x)");
    experiment_destroy(&experiment);
}

static void an_experiment_of_references_alone_has_some_and_proposes_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *ini, *says;
    } refused[] = {{"[search]\nalgorithm = none\nreferences =\n", "at least one"},
                   {"[search]\nalgorithm = none\ncandidates = 3\n", "search.candidates: expected 0"},
                   {"[search]\nalgorithm = none\nproposals = 3\n", "search.proposals: expected 0"}};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct experiment *experiment = NULL;
        struct problem problem = {0};
        assert_int_equal(experiment_parse("none", refused[i].ini, NULL, 0, &experiment, &problem), ERR_INPUT);
        assert_non_null(strstr(problem.text, refused[i].says));
    }
}

static void child_settings_are_read_back_and_refused_with_their_line(void **state)
{
    (void)state;
    struct child child = child_defaults(), again;
    struct problem problem = {0};
    struct buf text = {0};
    assert_int_equal(child_set(&child, "steps", "123", &problem), 0);
    assert_int_equal(child_set(&child, "augment", "on", &problem), 0);
    child_print(&child, &text);
    assert_int_equal(child_parse(buf_text(&text), &again, &problem), 0);
    assert_int_equal(again.steps, 123);
    assert_true(again.augment);
    buf_release(&text);
    assert_int_equal(child_set(&child, "step", "1", &problem), ERR_NOT_FOUND);
    assert_string_equal(problem.text, "there is no child.step; did you mean child.steps?");
    static const struct {
        const char *text;
        int line;
    } rows[] = {
        {"steps = 1\nsteps = 2\n", 2}, {"\nsteps = x\n", 2}, {"[child]\nsteps = 1\n", 2}, {"lr\n", 1}};
    again.steps = 77;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        problem = (struct problem){0};
        assert_true(child_parse(rows[i].text, &again, &problem) < 0);
        assert_int_equal(problem.line, rows[i].line);
        assert_int_equal(again.steps, 77);
    }
    assert_int_equal(child_parse("steps = 5\nwarmup = 6\n", &again, &problem), ERR_INPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_search_needs_no_more_than_its_end),
        cmocka_unit_test(the_algorithm_is_the_better_one_for_the_size_of_the_space_and_is_stored_so),
        cmocka_unit_test(every_kind_of_value_is_read),
        cmocka_unit_test(each_refusal_says_the_line_what_is_allowed_and_the_nearest_spelling),
        cmocka_unit_test(an_override_takes_the_place_of_a_line_and_is_named_in_its_problem),
        cmocka_unit_test(the_canonical_text_is_read_back_to_itself),
        cmocka_unit_test(a_long_list_is_read_back),
        cmocka_unit_test(a_list_that_could_not_be_read_back_is_refused),
        cmocka_unit_test(what_is_operational_is_not_in_the_canonical_text),
        cmocka_unit_test(each_rung_trains_eta_times_as_long_as_the_one_below),
        cmocka_unit_test(the_database_is_named_after_the_file),
        cmocka_unit_test(a_file_that_is_no_text_or_not_there_is_refused),
        cmocka_unit_test(the_references_are_expressions),
        cmocka_unit_test(a_known_name_among_the_references_becomes_its_formula),
        cmocka_unit_test(an_experiment_of_references_alone_has_some_and_proposes_nothing),
        cmocka_unit_test(child_settings_are_read_back_and_refused_with_their_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

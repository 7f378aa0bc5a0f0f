/* Lines of JSON to and from a trainer of the user's own. */
#include "worker/lines.h"

#include "common/child.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct line taken(const char *text)
{
    struct line line;
    struct problem problem = {0};
    if (line_read(text, strlen(text), &line, &problem) != 0)
        fail_msg("%s", problem.text);
    return line;
}

static void check_refused(const char *text, const char *why)
{
    struct line line = {.step = 77};
    struct problem problem = {0};
    assert_int_not_equal(line_read(text, strlen(text), &line, &problem), 0);
    if (!strstr(problem.text, why))
        fail_msg("'%s' says nothing of '%s'", problem.text, why);
    assert_int_equal(line.step, 77);
}

static void progress_is_a_step_and_a_loss(void **state)
{
    (void)state;
    struct line line = taken("{\"step\": 12, \"loss\": 1.5}");
    assert_false(line.last);
    assert_int_equal(line.step, 12);
    assert_true(line.loss == 1.5);
    assert_true(isnan(taken("{\"step\":1}").loss));
    assert_true(isnan(taken("{\"step\":1,\"loss\":null}\r").loss));
}

static void an_outcome_has_the_validation(void **state)
{
    (void)state;
    struct line line =
        taken(" {\"correct\":3,\"count\":4,\"validation_loss\":0.25,\"parameters\":10,\"betas\":2,"
              "\"loss\":0.5,\"step\":100,\"diverged\":false} ");
    assert_true(line.last);
    assert_false(line.diverged);
    assert_int_equal(line.correct, 3);
    assert_int_equal(line.count, 4);
    assert_int_equal(line.parameters, 10);
    assert_int_equal(line.betas, 2);
    assert_int_equal(line.step, 100);
    assert_true(line.validation_loss == 0.25 && line.loss == 0.5);
    assert_int_equal(taken("{\"correct\":0,\"count\":1,\"validation_loss\":1}").step, -1);
}

static void a_loss_that_is_not_finite_is_null_and_has_diverged(void **state)
{
    (void)state;
    assert_true(taken("{\"diverged\":true}").diverged);
    assert_true(taken("{\"diverged\":true}").last);
    struct line line = taken("{\"correct\":3,\"count\":4,\"validation_loss\":null}");
    assert_true(line.last && line.diverged && isnan(line.validation_loss));
    assert_int_equal(line.correct, 0);
    check_refused("{\"step\":3,\"loss\":NaN}", "null is for a number that is not finite");
    check_refused("{\"step\":3,\"loss\":-Infinity}", "null is for a number that is not finite");
    check_refused("{\"step\":3,\"loss\":1e999}", "loss: expected a number");
}

static void what_is_no_json_is_shown_with_its_place(void **state)
{
    (void)state;
    check_refused("Loading weights... done", "'Loading weights... done': no JSON from its byte 1");
    check_refused("{\"step\":1} {\"step\":2}", "no JSON from its byte 12");
    check_refused("{\"step\":1", "no JSON");
    check_refused("", "no JSON");
    check_refused("[1]", "expected an object");
    check_refused("7", "expected an object");
    check_refused("{\"step\":\t'1'}", "'{\"step\":?'1'}'");
}

static void a_wrong_key_or_value_is_named(void **state)
{
    (void)state;
    check_refused("{\"setp\":1}", "unknown key 'setp': did you mean 'step'?");
    check_refused("{\"accuracy\":0.5}", "unknown key 'accuracy'");
    check_refused("{\"step\":1,\"step\":2}", "step is there twice");
    check_refused("{\"step\":1.5}", "step: expected a whole number from 0");
    check_refused("{\"step\":-1}", "step: expected a whole number from 0");
    check_refused("{\"step\":1e300}", "step: expected a whole number from 0");
    check_refused("{\"step\":\"1\"}", "step: expected a whole number from 0");
    check_refused("{\"step\":1,\"loss\":\"low\"}", "loss: expected a number");
    check_refused("{\"diverged\":1}", "diverged: expected true or false");
    check_refused("{}", "expected step");
    check_refused("{\"loss\":1}", "expected step");
    check_refused("{\"correct\":3,\"validation_loss\":1}", "count is missing");
    check_refused("{\"correct\":3,\"count\":4}", "validation_loss is missing");
    check_refused("{\"correct\":5,\"count\":4,\"validation_loss\":1}", "5 of 4 correct");
    check_refused("{\"correct\":0,\"count\":0,\"validation_loss\":1}", "0 of 0 correct");
}

static void a_line_has_a_bound_and_nesting_does_no_harm(void **state)
{
    (void)state;
    static char text[LINE_MAX_BYTES + 2];
    memset(text, ' ', LINE_MAX_BYTES);
    memcpy(text, "{\"step\":1}", strlen("{\"step\":1}"));
    assert_int_equal(taken(text).step, 1);
    text[LINE_MAX_BYTES] = ' ';
    check_refused(text, "more than 4096 bytes");
    memset(text, '[', LINE_MAX_BYTES);
    text[LINE_MAX_BYTES] = '\0';
    check_refused(text, "no JSON");
}

static struct msg_lease lease_of(const char *activation)
{
    struct msg_lease lease = {.attempt = 7, .trial = 3, .seed = 5};
    struct child child = child_defaults();
    struct buf text = {0};
    child_print(&child, &text);
    snprintf(lease.activation, sizeof lease.activation, "%s", activation);
    snprintf(lease.child, sizeof lease.child, "%s", buf_text(&text));
    buf_release(&text);
    return lease;
}

static void the_job_is_one_line_with_all_settings_and_the_code(void **state)
{
    (void)state;
    struct msg_lease lease = lease_of("x*sigmoid(b0*x); b0=0.5");
    struct buf line = {0};
    struct problem problem;
    assert_int_equal(line_of_job(&lease, "abc", &line, &problem), 0);
    const char *text = buf_text(&line);
    assert_ptr_equal(strchr(text, '\n'), text + line.size - 1);
    static const char *const parts[] = {
        "{\"version\":1,\"id\":\"abc\",\"trial\":3,",
        "\"activation\":\"x*sigmoid(b0*x); b0=0.5\",\"b\":1,\"seed\":5,",
        "\"data\":\"fashion-mnist\",\"model\":\"cnn\",\"steps\":100,\"batch\":128",
        "\"schedule\":\"cosine\"",
        "\"augment\":false",
        "\"beta_lr\":-1",
        "\"pytorch\":\"import torch\\u000a",
        "torch.full((channels,), 0.5)"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (!strstr(text, parts[i]))
            fail_msg("no '%s' in %s", parts[i], text);
    buf_release(&line);
}

static void a_lease_that_makes_no_sense_is_refused(void **state)
{
    (void)state;
    struct msg_lease lease = lease_of("x*");
    struct buf line = {0};
    struct problem problem;
    assert_int_equal(line_of_job(&lease, "abc", &line, &problem), ERR_INPUT);
    assert_int_equal(line.size, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(progress_is_a_step_and_a_loss),
        cmocka_unit_test(an_outcome_has_the_validation),
        cmocka_unit_test(a_loss_that_is_not_finite_is_null_and_has_diverged),
        cmocka_unit_test(what_is_no_json_is_shown_with_its_place),
        cmocka_unit_test(a_wrong_key_or_value_is_named),
        cmocka_unit_test(a_line_has_a_bound_and_nesting_does_no_harm),
        cmocka_unit_test(the_job_is_one_line_with_all_settings_and_the_code),
        cmocka_unit_test(a_lease_that_makes_no_sense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The link over real sockets of this machine: who gets through the door, who does not and how it notices, and
 * what a message says of its sender. */
#include "proto/link.h"

#include "proto/msg.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <czmq.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

enum { PATIENCE_MS = 10000, CALM_MS = 300 };

/* A coordinator's end, and one worker's. */
struct ends {
    struct key server, worker, other;
    struct link *head, *tail;
    const char *allowed; /* the key that the door lets in; "" none */
    char asked[KEY_TEXT + 1];
    struct link_message message;
};

static struct ends ends_new(void)
{
    struct ends ends = {.allowed = ""};
    key_new("", NULL, &ends.server);
    key_new("worker", ends.server.public_key, &ends.worker);
    key_new("other", ends.worker.public_key, &ends.other); /* not this coordinator's */
    return ends;
}

static void open_ends(struct ends *ends, const struct key *head, const struct key *tail)
{
    struct problem problem = {0};
    struct link_settings settings = {.endpoint = "tcp://127.0.0.1:*", .key = head, .queued = 1000};
    assert_int_equal(link_bind(&settings, &ends->head, &problem), 0);
    settings.endpoint = link_endpoint(ends->head);
    settings.key = tail;
    assert_int_equal(link_connect(&settings, &ends->tail, &problem), 0);
}

static void close_ends(struct ends *ends)
{
    link_destroy(&ends->tail);
    link_destroy(&ends->head);
}

static bool door(void *context, const char *key, const char *address)
{
    struct ends *ends = context;
    assert_string_equal(address, "127.0.0.1");
    snprintf(ends->asked, sizeof ends->asked, "%s", key);
    return strcmp(key, ends->allowed) == 0;
}

/* What comes in at the coordinator's end while the door is tended, until the time is up. */
static enum link_receipt receive_at_head(struct ends *ends, int64_t patience_ms)
{
    struct problem problem = {0};
    enum link_receipt receipt = LINK_NOTHING;
    for (int64_t end_ms = zclock_mono() + patience_ms; receipt == LINK_NOTHING && zclock_mono() < end_ms;) {
        link_answer_door(ends->head, door, ends);
        receipt = link_receive(ends->head, &ends->message);
        if (receipt == LINK_NOTHING)
            link_wait(ends->head, NULL, 0, 20, &problem);
    }
    return receipt;
}

static enum link_news news_at_tail(struct ends *ends)
{
    enum link_news news = LINK_NO_NEWS;
    struct problem problem = {0};
    for (int64_t end_ms = zclock_mono() + PATIENCE_MS; news == LINK_NO_NEWS && zclock_mono() < end_ms;) {
        link_answer_door(ends->head, door, ends);
        news = link_news(ends->tail);
        link_wait(ends->tail, NULL, 0, 20, &problem);
    }
    return news;
}

static void an_allowed_key_gets_through_and_its_messages_bear_it(void **state)
{
    (void)state;
    struct ends ends = ends_new();
    open_ends(&ends, &ends.server, &ends.worker);
    ends.allowed = ends.worker.public_key;
    assert_true(link_send(ends.tail, 0, "hello", 5));
    assert_int_equal(receive_at_head(&ends, PATIENCE_MS), LINK_MESSAGE);
    assert_int_equal(ends.message.size, 5);
    assert_memory_equal(ends.message.data, "hello", 5);
    assert_string_equal(ends.message.key, ends.worker.public_key);
    assert_string_equal(ends.asked, ends.worker.public_key);
    assert_int_equal(link_news(ends.tail), LINK_OPEN);
    assert_true(link_send(ends.head, ends.message.peer, "welcome", 7));
    struct problem problem = {0};
    assert_int_equal(link_wait(ends.tail, NULL, 0, PATIENCE_MS, &problem), 0);
    assert_int_equal(link_receive(ends.tail, &ends.message), LINK_MESSAGE);
    assert_memory_equal(ends.message.data, "welcome", 7);
    assert_false(link_send(ends.head, 12345, "nobody", 6));
    close_ends(&ends);
}

/* A bare connection to the address, which says `text` and nothing more. */
static int connect_raw(const char *endpoint, const char *text)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)atoi(strrchr(endpoint, ':') + 1)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
    return fd;
}

static void connections_that_say_nothing_are_closed_and_keep_nobody_out(void **state)
{
    (void)state;
    enum { RAW = 60 }; /* the handshake of the one that does say something must have time on a busy machine */
    struct ends ends = ends_new();
    struct problem problem = {0};
    struct link_settings settings = {
        .endpoint = "tcp://127.0.0.1:*", .key = &ends.server, .queued = 1000, .handshake_ms = 3000};
    assert_int_equal(link_bind(&settings, &ends.head, &problem), 0);
    int raw[RAW];
    for (int i = 0; i < RAW; i++)
        raw[i] = connect_raw(link_endpoint(ends.head), i % 2 == 0 ? "" : "GET / HTTP/1.1\r\n\r\n");
    settings.endpoint = link_endpoint(ends.head);
    settings.key = &ends.worker;
    settings.handshake_ms = 0;
    assert_int_equal(link_connect(&settings, &ends.tail, &problem), 0);
    ends.allowed = ends.worker.public_key;
    assert_true(link_send(ends.tail, 0, "hello", 5));
    assert_int_equal(receive_at_head(&ends, 3 * PATIENCE_MS), LINK_MESSAGE);
    for (int i = 0; i < RAW; i++) {
        char greeting[256];
        struct pollfd closed = {.fd = raw[i], .events = POLLIN};
        ssize_t size = 1;
        while (size > 0) { /* what the other side says of itself first */
            assert_int_equal(poll(&closed, 1, PATIENCE_MS), 1);
            size = recv(raw[i], greeting, sizeof greeting, 0);
        }
        close(raw[i]);
    }
    close_ends(&ends);
}

static void a_key_that_is_not_allowed_gets_nothing_and_is_told(void **state)
{
    (void)state;
    struct ends ends = ends_new();
    open_ends(&ends, &ends.server, &ends.worker);
    link_send(ends.tail, 0, "hello", 5);
    assert_int_equal(news_at_tail(&ends), LINK_REFUSED);
    assert_int_equal(receive_at_head(&ends, CALM_MS), LINK_NOTHING);
    ends.allowed = ends.worker.public_key; /* a new socket is let in once the key is */
    struct problem problem = {0};
    for (int i = 0; i < 20; i++)
        assert_int_equal(link_renew(ends.tail, &problem), 0);
    link_send(ends.tail, 0, "again", 5);
    assert_int_equal(receive_at_head(&ends, PATIENCE_MS), LINK_MESSAGE);
    assert_memory_equal(ends.message.data, "again", 5);
    close_ends(&ends);
}

static void a_worker_does_not_speak_to_another_coordinator_than_its_own(void **state)
{
    (void)state;
    struct ends ends = ends_new();
    open_ends(&ends, &ends.server, &ends.other);
    ends.allowed = ends.other.public_key;
    link_send(ends.tail, 0, "hello", 5);
    assert_int_equal(news_at_tail(&ends), LINK_BROKEN);
    assert_int_equal(receive_at_head(&ends, CALM_MS), LINK_NOTHING);
    assert_string_equal(ends.asked, ""); /* it never got as far as the door */
    close_ends(&ends);
}

static void without_a_key_nobody_speaks_to_a_coordinator_with_one(void **state)
{
    (void)state;
    struct ends ends = ends_new();
    open_ends(&ends, &ends.server, NULL);
    link_send(ends.tail, 0, "hello", 5);
    enum link_news news = news_at_tail(&ends);
    assert_true(news == LINK_MISMATCH || news == LINK_BROKEN); /* whichever end notices first hangs up */
    assert_int_equal(receive_at_head(&ends, CALM_MS), LINK_NOTHING);
    close_ends(&ends);
}

static void a_worker_with_a_key_does_not_speak_to_a_coordinator_without(void **state)
{
    (void)state;
    struct ends ends = ends_new();
    open_ends(&ends, NULL, &ends.worker);
    link_send(ends.tail, 0, "hello", 5);
    enum link_news news = news_at_tail(&ends);
    assert_true(news == LINK_MISMATCH || news == LINK_BROKEN);
    assert_int_equal(receive_at_head(&ends, CALM_MS), LINK_NOTHING);
    close_ends(&ends);
}

static void without_keys_at_both_ends_a_message_bears_none(void **state)
{
    (void)state;
    struct ends ends = ends_new();
    open_ends(&ends, NULL, NULL);
    link_send(ends.tail, 0, "hello", 5);
    assert_int_equal(receive_at_head(&ends, PATIENCE_MS), LINK_MESSAGE);
    assert_null(ends.message.key);
    close_ends(&ends);
}

static void a_connection_that_is_cut_stays_away_once_its_key_is_gone(void **state)
{
    (void)state;
    struct ends ends = ends_new();
    open_ends(&ends, &ends.server, &ends.worker);
    ends.allowed = ends.worker.public_key;
    link_send(ends.tail, 0, "hello", 5);
    assert_int_equal(receive_at_head(&ends, PATIENCE_MS), LINK_MESSAGE);
    assert_int_equal(link_news(ends.tail), LINK_OPEN);
    ends.allowed = "";
    link_cut(ends.head);
    assert_int_equal(news_at_tail(&ends), LINK_REFUSED); /* it came back by itself, and was not let in */
    link_send(ends.tail, 0, "hello", 5);
    assert_int_equal(receive_at_head(&ends, CALM_MS), LINK_NOTHING);
    close_ends(&ends);
}

static void a_message_of_more_frames_or_with_an_id_of_its_own_is_bad(void **state)
{
    (void)state;
    struct ends ends = ends_new();
    open_ends(&ends, NULL, NULL);
    zsock_t *socket = zsock_new(ZMQ_DEALER);
    assert_int_equal(zsock_connect(socket, "%s", link_endpoint(ends.head)), 0);
    zstr_sendx(socket, "one", "two", "three", NULL);
    zstr_send(socket, "alone");
    assert_int_equal(receive_at_head(&ends, PATIENCE_MS), LINK_BAD);
    assert_string_equal(ends.message.data, "expected one frame");
    assert_int_equal(receive_at_head(&ends, PATIENCE_MS), LINK_MESSAGE);
    assert_memory_equal(ends.message.data, "alone", 5);
    zsock_destroy(&socket);
    socket = zsock_new(ZMQ_DEALER);
    zsock_set_identity(socket, "somebody");
    assert_int_equal(zsock_connect(socket, "%s", link_endpoint(ends.head)), 0);
    zstr_send(socket, "hello");
    assert_int_equal(receive_at_head(&ends, PATIENCE_MS), LINK_BAD);
    assert_int_equal(ends.message.peer, 0);
    zsock_destroy(&socket);
    close_ends(&ends);
}

static void an_address_in_use_is_said_to_be(void **state)
{
    (void)state;
    struct ends ends = ends_new();
    struct problem problem = {0};
    open_ends(&ends, NULL, NULL);
    struct link *second = NULL;
    struct link_settings settings = {.endpoint = link_endpoint(ends.head), .queued = 10};
    assert_int_equal(link_bind(&settings, &second, &problem), ERR_BUSY);
    assert_null(second);
    assert_non_null(strstr(problem.text, "in use"));
    close_ends(&ends);
}

int main(void)
{
    int signals;
    struct problem problem;
    if (link_take_signals(&signals, &problem) != 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connections_that_say_nothing_are_closed_and_keep_nobody_out),
        cmocka_unit_test(an_allowed_key_gets_through_and_its_messages_bear_it),
        cmocka_unit_test(a_key_that_is_not_allowed_gets_nothing_and_is_told),
        cmocka_unit_test(a_worker_does_not_speak_to_another_coordinator_than_its_own),
        cmocka_unit_test(without_a_key_nobody_speaks_to_a_coordinator_with_one),
        cmocka_unit_test(a_worker_with_a_key_does_not_speak_to_a_coordinator_without),
        cmocka_unit_test(without_keys_at_both_ends_a_message_bears_none),
        cmocka_unit_test(a_connection_that_is_cut_stays_away_once_its_key_is_gone),
        cmocka_unit_test(a_message_of_more_frames_or_with_an_id_of_its_own_is_bad),
        cmocka_unit_test(an_address_in_use_is_said_to_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

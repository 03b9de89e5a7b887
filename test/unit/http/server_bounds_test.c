/* What a process holds at most, and who gets it; see src/http/server.h. */
#include "server_harness.h"

/* == Bounds of the process == */

static void the_body_budget_is_asked_before_reading(void **state)
{
    (void)state;
    enum { LARGE = HTTP_BODY_BUDGET_BYTES / HTTP_BODY_BYTES_MAX };
    static struct raw r[LARGE];
    for (size_t index = 0; index < LARGE; index++) {
        r[index] = connect_client();
        RAW_SEND(&r[index], "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 4194304\r\n\r\n");
    }
    WAIT_FOR(metrics().body_bytes_held == HTTP_BODY_BUDGET_BYTES);
    struct raw one_more = connect_client();
    RAW_SEND(&one_more, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5000\r\n\r\n");
    assert_int_equal(raw_read(&one_more).status, 503);
    assert_true(raw_is_ended(&one_more));
    raw_close(&one_more);
    struct raw small = connect_client(); /* fits behind its head: needs nothing */
    RAW_SEND(&small, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello");
    expect_body(raw_read(&small), SLICE("hello"));
    raw_close(&small);
    assert_int_equal(http_echo_gone(echo), 1);
    for (size_t index = 0; index < LARGE; index++)
        raw_close(&r[index]);
    WAIT_FOR(metrics().body_bytes_held == 0);
    assert_int_equal(http_echo_gone(echo), 1 + LARGE);
}

/* Replies that nobody reads fill the budget: then requests are refused until some are gone. */
static void unread_replies_are_bounded(void **state)
{
    (void)state;
    enum { LARGE = HTTP_BODY_BUDGET_BYTES / 40000000 + 1 }; /* the kernel's buffers take a few megabytes of each */
    struct raw r[LARGE];
    for (size_t index = 0; index < LARGE; index++) {
        r[index] = connect_client();
        RAW_SEND(&r[index], "GET /big?60000000 HTTP/1.1\r\nHost: h\r\n\r\n");
    }
    WAIT_FOR(metrics().body_bytes_held > HTTP_BODY_BUDGET_BYTES);
    struct raw known = connect_client(), probe = connect_client();
    RAW_SEND(&known, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_int_equal(raw_read(&known).status, 503);
    assert_true(raw_is_ended(&known));
    RAW_SEND(&probe, "GET /stranger HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_int_equal(raw_read(&probe).status, 200);
    for (size_t index = 0; index < LARGE; index++)
        raw_close(&r[index]);
    WAIT_FOR(metrics().body_bytes_held == 0);
    raw_close(&known);
    known = connect_client();
    RAW_SEND(&known, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_int_equal(raw_read(&known).status, 200);
    raw_close(&known);
    raw_close(&probe);
}

/* Strangers hold all that is theirs; those we know do not notice. */
static void strangers_take_memory_from_one_another_only(void **state)
{
    (void)state;
    enum { LARGE = HTTP_STRANGER_BUDGET_BYTES / HTTP_BODY_BYTES_MAX };
    static struct raw r[LARGE];
    static const char of_stranger[] = "POST /stranger HTTP/1.1\r\nHost: h\r\nContent-Length: 5000\r\n\r\n";
    for (size_t index = 0; index < LARGE; index++) {
        r[index] = connect_client();
        RAW_SEND(&r[index], "POST /stranger HTTP/1.1\r\nHost: h\r\nContent-Length: 4194304\r\n\r\n");
    }
    WAIT_FOR(metrics().body_bytes_held == HTTP_STRANGER_BUDGET_BYTES);
    char head[INPUT_BYTES + 100]; /* its block is a stranger's until it is read */
    int size = snprintf(head, sizeof head, "GET / HTTP/1.1\r\nHost: h\r\nX: %0*d", INPUT_BYTES, 0);
    const struct slice refused[] = { slice_str(of_stranger), slice_of(head, (size_t)size) };
    for (size_t index = 0; index < ARRAY_COUNT(refused); index++) {
        struct raw one_more = connect_client();
        raw_send(&one_more, refused[index]);
        assert_int_equal(raw_read(&one_more).status, 503);
        assert_true(raw_is_ended(&one_more));
        raw_close(&one_more);
    }
    struct raw known = connect_client();
    struct buf b;
    buf_init(&b);
    buf_add_lit(&b, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5000\r\n\r\n");
    memset(buf_reserve(&b, 5000), 'x', 5000);
    b.size += 5000;
    raw_send(&known, buf_slice(&b));
    assert_int_equal(raw_read(&known).body.size, 5000);
    raw_close(&known);
    buf_deinit(&b);
    for (size_t index = 0; index < LARGE; index++)
        raw_close(&r[index]);
    WAIT_FOR(metrics().body_bytes_held == 0);
}

static void the_body_budget_may_be_smaller(void **state)
{
    (void)state;
    http_echo_stop(echo);
    echo = http_echo_start(&(struct http_echo_options){ .threads = 1, .body_budget_bytes = HTTP_BODY_BYTES_MAX });
    assert_int_equal(metrics().body_budget_bytes, HTTP_BODY_BYTES_MAX);
    struct raw large = connect_client(), more = connect_client();
    RAW_SEND(&large, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 4194304\r\n\r\n");
    WAIT_FOR(metrics().body_bytes_held == HTTP_BODY_BYTES_MAX);
    RAW_SEND(&more, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5000\r\n\r\n");
    assert_int_equal(raw_read(&more).status, 503);
    raw_close(&more);
    raw_close(&large);
    WAIT_FOR(metrics().body_bytes_held == 0);
}

static void connections_past_the_bound_are_refused(void **state)
{
    (void)state;
    http_echo_stop(echo);
    echo = http_echo_start(&(struct http_echo_options){ .threads = 1, .is_deferring = true, .max_connections = 3 });
    struct raw r[3];
    for (size_t index = 0; index < ARRAY_COUNT(r); index++) {
        r[index] = connect_client();
        RAW_SEND(&r[index], "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        raw_read(&r[index]);
    }
    struct raw late = connect_client();
    assert_true(raw_is_ended(&late));
    raw_close(&late);
    assert_int_equal(metrics().refused, 1);
    raw_close(&r[0]);
    WAIT_FOR(metrics().connections == 2);
    late = connect_client();
    RAW_SEND(&late, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_int_equal(raw_read(&late).status, 200);
    raw_close(&late);
    raw_close(&r[1]);
    raw_close(&r[2]);
}

static int thread_of(struct raw *r)
{
    RAW_SEND(r, "GET /thread HTTP/1.1\r\nHost: h\r\n\r\n");
    return raw_read(r).body.data[0] - '0';
}

static void connections_go_to_the_least_loaded(void **state)
{
    (void)state;
    enum { EACH = 4, ALL = 3 * EACH };
    struct raw r[ALL];
    int counts[3] = { 0 }, threads[ALL];
    for (size_t index = 0; index < ALL; index++) {
        r[index] = connect_client();
        threads[index] = thread_of(&r[index]);
        counts[threads[index]]++;
    }
    for (int index = 0; index < 3; index++)
        assert_int_equal(counts[index], EACH);
    for (size_t index = 0; index < ALL; index++)
        if (threads[index] == 1)
            raw_close(&r[index]);
    WAIT_FOR(metrics().connections == ALL - EACH);
    for (size_t index = 0; index < ALL; index++)
        if (threads[index] == 1) {
            r[index] = connect_client();
            assert_int_equal(thread_of(&r[index]), 1);
        }
    for (size_t index = 0; index < ALL; index++)
        raw_close(&r[index]);
}

int main(void)
{
    const struct CMUnitTest plain[] = {
        ONE(the_body_budget_is_asked_before_reading),
        ONE(unread_replies_are_bounded),
        ONE(strangers_take_memory_from_one_another_only),
        ONE(the_body_budget_may_be_smaller),
        ONE(connections_past_the_bound_are_refused),
        THREE(connections_go_to_the_least_loaded),
    };
    const struct CMUnitTest tls[] = {
        THREE(connections_go_to_the_least_loaded),
    };
    int plain_failures = cmocka_run_group_tests(plain, NULL, NULL);
    return cmocka_run_group_tests(tls, setup_tls, teardown_tls) + plain_failures;
}

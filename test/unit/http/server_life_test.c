/* How connections live and end: clients that leave, time, drain, starts, many at once; see src/http/server.h. */
#include "server_harness.h"

/* == Streams that end without a reply == */

static void a_client_that_leaves_is_noticed_once(void **state)
{
    (void)state;
    struct raw r = connect_client();
    hold_one(&r);
    raw_close(&r);
    WAIT_FOR(http_echo_held(echo) == 0);
    r = connect_client();
    hold_one(&r);
    raw_reset(&r);
    WAIT_FOR(http_echo_held(echo) == 0);
    r = connect_client();
    hold_one(&r);
    shutdown(r.fd, SHUT_WR); /* looks the same */
    assert_true(raw_is_ended(&r));
    raw_close(&r);
    /* in the middle of a body */
    r = connect_client();
    RAW_SEND(&r, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhe");
    WAIT_FOR(metrics().requests == 4);
    raw_close(&r);
    WAIT_FOR(metrics().connections == 0);
    assert_int_equal(http_echo_held(echo), 0);
    assert_int_equal(http_echo_gone(echo), 4);
    release_held(); /* nobody is answered twice */
}

static void a_half_closed_client_gets_what_is_answered_at_once(void **state)
{
    (void)state;
    struct raw r = connect_client();
    RAW_SEND(&r, "GET / HTTP/1.1\r\nHost: h\r\n\r\nGET /big?1000000 HTTP/1.1\r\nHost: h\r\n\r\n");
    shutdown(r.fd, SHUT_WR);
    assert_int_equal(raw_read(&r).body.size, 300);
    assert_int_equal(raw_read(&r).body.size, 1000000);
    assert_true(raw_is_ended(&r));
    raw_close(&r);
    assert_int_equal(http_echo_gone(echo), 0);
}

/* One segment that is the client's last. */
static void send_and_end(struct raw *r, struct slice s)
{
    assert_int_equal(send(r->fd, s.data, s.size, MSG_NOSIGNAL | MSG_MORE), s.size);
    assert_int_equal(shutdown(r->fd, SHUT_WR), 0);
}

/* What comes together is told together, and once. Time stands still: no timeout helps. */
static void an_end_that_comes_with_a_request_is_seen(void **state)
{
    (void)state;
    static const char one[] = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    static char forty[40 * (sizeof one - 1) + 1];
    for (size_t index = 0; index < 40; index++)
        strcat(forty, one);
    const struct {
        const char *bytes;
        int replies, gone;
    } cases[] = {
        { one, 1, 0 },
        { "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello", 1, 0 },
        { "POST /later HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello", 1, 0 },
        { "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", 1, 0 },
        { "GET /big?3000000 HTTP/1.1\r\nHost: h\r\n\r\n", 1, 0 },
        { "GET /big?3000000 HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", 2, 0 },
        { forty, 40, 0 },
        /* and what is no request yet */
        { "", 0, 0 },
        { "G", 0, 0 },
        { "GET / HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP", 1, 0 },
        { "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhell", 0, 1 },
        { "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5000\r\n\r\nhell", 0, 1 },
        { "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhell", 0, 1 },
        /* the handler holds the reply */
        { "POST /hold HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello", 0, 1 },
        { "GET / HTTP/1.1\r\nHost: h\r\n\r\nGET /hold HTTP/1.1\r\nHost: h\r\n\r\n", 1, 1 },
        { "GET /hold HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", 0, 1 },
    };
    uint64_t gone = 0;
    for (size_t index = 0; index < 2 * ARRAY_COUNT(cases); index++) {
        struct raw r = connect_client();
        if (index % 2) { /* known already */
            RAW_SEND(&r, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
            raw_read(&r);
        }
        send_and_end(&r, slice_str(cases[index / 2].bytes));
        for (int reply = 0; reply < cases[index / 2].replies; reply++)
            assert_int_equal(raw_read(&r).status, 200);
        assert_true(raw_is_ended(&r));
        raw_close(&r);
        WAIT_FOR(metrics().connections == 0);
        gone += (uint64_t)cases[index / 2].gone;
        if (http_echo_gone(echo) != gone)
            fail_msg("%s: %d gone", cases[index / 2].bytes, (int)http_echo_gone(echo));
        assert_int_equal(http_echo_held(echo), 0);
    }
    release_held(); /* nobody is left to be answered */
    assert_int_equal(http_echo_gone(echo), gone);
    assert_int_equal(metrics().timeouts, 0);
}

static void a_held_stream_is_answered_and_goes_on(void **state)
{
    (void)state;
    struct raw r = connect_client();
    hold_one(&r);
    release_held();
    expect_body(raw_read(&r), SLICE("released"));
    /* the next request came in the meantime: kept, and answered afterwards */
    RAW_SEND(&r, "POST /hold HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhelloPOST /echo HTTP/1.1\r\nHost: h\r\n");
    WAIT_FOR(http_echo_held(echo) == 1);
    RAW_SEND(&r, "Content-Length: 3\r\n\r\nabcGET /peer HTTP/1.1\r\nHost: h\r\n\r\n");
    RAW_SEND(&r, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n");
    static char large[100000];
    raw_send(&r, slice_of(large, sizeof large));
    release_held();
    expect_body(raw_read(&r), SLICE("released"));
    expect_body(raw_read(&r), SLICE("abc"));
    expect_body(raw_read(&r), SLICE("127.0.0.1"));
    expect_body(raw_read(&r), slice_of(large, sizeof large));
    raw_close(&r);
}

/* What comes while a reply is pending is told once, then; the client sends nothing more. */
static void what_came_while_a_reply_was_pending_is_answered(void **state)
{
    (void)state;
    static const struct {
        const char *before; /* with the request that is held */
        size_t body_size;   /* bytes of the body of a request in `after`, 0: there is none */
        const char *after;  /* while it is held */
        int replies;
    } cases[] = {
        { "", 0, "", 0 },
        { "", 0, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", 1 },
        { "", 0, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello", 1 },
        { "", 0, "GET / HTTP/1.1\r\nHost: h\r\n\r\nGET /later HTTP/1.1\r\nHost: h\r\n\r\n", 2 },
        { "", 0, "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", 1 },
        { "GET / HTTP/1.1\r\nHost: h\r\n\r\n", 0, "", 1 },
        { "GET / HTTP/1.1\r\nHost: h\r\n\r\n", 0, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", 2 },
        { "GET / HTTP", 0, "/1.1\r\nHost: h\r\n\r\n", 1 },
        { "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhe", 0, "llo", 1 },
        /* more than a block holds */
        { "", 4000, "", 1 },
        { "", 4096, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", 2 },
        { "", 100000, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", 2 },
        { "GET / HTTP/1.1\r\nHost: h\r\n\r\n", 100000, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", 3 },
    };
    static char zeros[100000];
    for (size_t index = 0; index < 3 * ARRAY_COUNT(cases); index++) {
        struct raw r = connect_client();
        struct buf b;
        buf_init(&b);
        buf_add_lit(&b, "POST /hold HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello");
        buf_add(&b, slice_str(cases[index / 3].before));
        size_t first = b.size, size = cases[index / 3].body_size;
        if (size) {
            buf_printf(&b, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n\r\n", size);
            buf_add(&b, slice_of(zeros, size));
        }
        buf_add(&b, slice_str(cases[index / 3].after));
        const size_t cuts[][2] = { { b.size, b.size }, { first, b.size }, { first, first + (b.size - first) / 2 } };
        const size_t *cut = cuts[index % 3]; /* all with the request that is held, or after it, in one or two parts */
        raw_send(&r, slice_head(buf_slice(&b), cut[0]));
        WAIT_FOR(http_echo_held(echo) == 1);
        raw_send(&r, slice_head(slice_from(buf_slice(&b), cut[0]), cut[1] - cut[0]));
        pass_turn(); /* the server has seen all that it wants to see */
        raw_send(&r, slice_from(buf_slice(&b), cut[1]));
        pass_turn();
        release_held();
        expect_body(raw_read(&r), SLICE("released"));
        for (int reply = 0; reply < cases[index / 3].replies; reply++)
            assert_int_equal(raw_read(&r).status, 200);
        RAW_SEND(&r, "GET /peer HTTP/1.1\r\nHost: h\r\n\r\n"); /* and it goes on */
        expect_body(raw_read(&r), SLICE("127.0.0.1"));
        raw_close(&r);
        buf_deinit(&b);
    }
}

static void stop_ends_every_stream(void **state)
{
    (void)state;
    struct raw r[20];
    for (size_t index = 0; index < ARRAY_COUNT(r); index++) {
        r[index] = connect_client();
        hold_one(&r[index]);
    }
    http_server_stop(echo->server);
    http_server_stop(echo->server); /* again: fine */
    assert_int_equal(http_echo_gone(echo), ARRAY_COUNT(r));
    assert_int_equal(http_echo_held(echo), 0);
    assert_int_equal(metrics().connections, 0);
    for (size_t index = 0; index < ARRAY_COUNT(r); index++) {
        assert_true(raw_is_ended(&r[index]));
        raw_close(&r[index]);
    }
}

/* == Time == */

static void slow_clients_are_cut_off(void **state)
{
    (void)state;
    static const struct {
        const char *name, *bytes;
        uint64_t limit_ms;
        int status; /* 0: no reply */
        uint64_t timeouts;
    } cases[] = {
        { "idle", "", HTTP_IDLE_TIMEOUT_MS, 0, 0 },
        { "idle after a request", "GET / HTTP/1.1\r\nHost: h\r\n\r\n", HTTP_IDLE_TIMEOUT_MS, 200, 0 },
        { "head", "GET / HTT", HTTP_HEAD_TIMEOUT_MS, 408, 1 },
        { "head, almost", "GET / HTTP/1.1\r\nHost: h\r\n\r", HTTP_HEAD_TIMEOUT_MS, 408, 1 },
        { "body", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nx", HTTP_BODY_TIMEOUT_MS, 408, 1 },
        { "chunks", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nx", HTTP_BODY_TIMEOUT_MS, 408,
            1 },
    };
    for (size_t index = 0; index < ARRAY_COUNT(cases); index++) {
        struct raw r = connect_client();
        struct http_metrics before = metrics();
        raw_send(&r, slice_str(cases[index].bytes));
        WAIT_FOR(metrics().bytes_in == before.bytes_in + strlen(cases[index].bytes));
        WAIT_FOR(metrics().connections == 1);
        if (cases[index].status == 200)
            assert_int_equal(raw_read(&r).status, 200);
        pass_ms(cases[index].limit_ms - 1);
        if (metrics().connections != 1)
            fail_msg("%s: too early", cases[index].name);
        pass_ms(1);
        if (cases[index].status == 408)
            assert_int_equal(raw_read(&r).status, 408);
        assert_true(raw_is_ended(&r));
        raw_close(&r);
        assert_int_equal(metrics().timeouts - before.timeouts, cases[index].timeouts);
        WAIT_FOR(metrics().connections == 0);
    }
}

static void a_head_in_drips_has_one_limit_and_a_body_one_a_read(void **state)
{
    (void)state;
    struct raw r = connect_client();
    uint64_t bytes = 0;
    static const char head[] = "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 8\r\n\r\n";
    raw_send(&r, slice_of(head, sizeof head - 1));
    bytes += sizeof head - 1;
    for (int index = 0; index < 8; index++) { /* four minutes in all */
        WAIT_FOR(metrics().bytes_in == bytes);
        pass_ms(HTTP_BODY_TIMEOUT_MS - 5000);
        raw_send(&r, slice_of(&"12345678"[index], 1));
        bytes++;
    }
    expect_body(raw_read(&r), SLICE("12345678"));
    for (int index = 0; index < 3; index++) {
        raw_send(&r, slice_of(head + index, 1));
        bytes++;
        WAIT_FOR(metrics().bytes_in == bytes);
        pass_ms(HTTP_HEAD_TIMEOUT_MS / 2 - 1000);
    }
    assert_int_equal(raw_read(&r).status, 408);
    raw_close(&r);
}

/* A body that holds memory of its own has to come at some rate. */
static void a_large_body_in_drips_is_cut_off(void **state)
{
    (void)state;
    struct raw r = connect_client();
    static const char head[] = "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n";
    static char piece[HTTP_PROGRESS_BYTES];
    uint64_t bytes = sizeof head - 1;
    raw_send(&r, slice_of(head, sizeof head - 1));
    for (int index = 0; index < 4; index++) { /* fast enough */
        WAIT_FOR(metrics().bytes_in == bytes);
        pass_ms(HTTP_BODY_TIMEOUT_MS - 5000);
        raw_send(&r, slice_of(piece, sizeof piece));
        bytes += sizeof piece;
    }
    for (int index = 0; index < 2; index++) { /* not any more */
        WAIT_FOR(metrics().bytes_in == bytes);
        pass_ms(HTTP_BODY_TIMEOUT_MS / 2 + 1000);
        if (index == 0)
            raw_send(&r, slice_of(piece, 1));
        bytes++;
    }
    assert_int_equal(raw_read(&r).status, 408);
    assert_int_equal(metrics().timeouts, 1);
    raw_close(&r);
}

static void a_pending_reply_has_no_limit(void **state)
{
    (void)state;
    struct raw r = connect_client();
    hold_one(&r);
    for (int index = 0; index < 10; index++)
        pass_ms(HTTP_IDLE_TIMEOUT_MS);
    release_held();
    expect_body(raw_read(&r), SLICE("released"));
    raw_close(&r);
    assert_int_equal(metrics().timeouts, 0);
}

static void a_reply_not_taken_closes(void **state)
{
    (void)state;
    struct raw r = connect_client();
    RAW_SEND(&r, "GET /big?60000000 HTTP/1.1\r\nHost: h\r\n\r\n");
    WAIT_FOR(metrics().bytes_out > 0);
    pass_ms(HTTP_WRITE_TIMEOUT_MS - 1);
    assert_int_equal(metrics().connections, 1);
    assert_true(metrics().body_bytes_held > 0);
    uint64_t out;
    do { /* the kernel's buffers may still take a little, and then the time begins again */
        out = metrics().bytes_out;
        pass_ms(HTTP_WRITE_TIMEOUT_MS);
    } while (out != metrics().bytes_out);
    assert_int_equal(metrics().connections, 0);
    assert_int_equal(metrics().timeouts, 1);
    assert_int_equal(metrics().body_bytes_held, 0);
    raw_close(&r);
}

/* == Drain == */

static void drain_lets_the_busy_finish(void **state)
{
    (void)state;
    struct raw idle = connect_client(), busy = connect_client(), half = connect_client();
    RAW_SEND(&idle, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    raw_read(&idle);
    hold_one(&busy);
    uint64_t before = metrics().bytes_in;
    RAW_SEND(&half, "GET / HTTP/1.1\r\nHost");
    WAIT_FOR(metrics().bytes_in > before);
    assert_false(http_server_is_drained(echo->server));
    uint16_t port = http_echo_port(echo);
    http_server_drain(echo->server);
    http_server_drain(echo->server); /* again: fine */
    assert_true(raw_is_ended(&idle));
    raw_close(&idle);
    assert_false(http_server_is_drained(echo->server));
    /* nobody new */
    WAIT_FOR(atomic_load(&echo->server->open_listeners) == 0);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), -1);
    close(fd);
    /* the request begun is served, and told that it was the last */
    RAW_SEND(&half, ": h\r\n\r\n");
    struct raw_reply reply = raw_read(&half);
    struct slice connection = raw_header(reply.head, SLICE("connection"));
    assert_int_equal(reply.status, 200);
    assert_true(slice_equal(connection, SLICE("close")));
    assert_true(raw_is_ended(&half));
    raw_close(&half);
    reactor_post(http_server_reactor(echo->server, 0), &echo->fronts[0].release_post);
    reply = raw_read(&busy);
    expect_body(reply, SLICE("released"));
    assert_true(raw_is_ended(&busy));
    raw_close(&busy);
    WAIT_FOR(http_server_is_drained(echo->server));
}

/* == Starting == */

static void a_bad_start_is_explained(void **state)
{
    (void)state;
    static const struct {
        const char *address, *cert, *key, *said;
        uint32_t code;
    } cases[] = {
        { "nonsense", NULL, NULL, "not an address", ERR_CONFIG },
        { "127.0.0.1:0", "/nowhere", NULL, "one is missing", ERR_CONFIG },
        { "127.0.0.1:0", "/nowhere", "/nowhere", "No such file", ERR_CONFIG },
        { "192.0.2.1:80", NULL, NULL, "cannot listen on 192.0.2.1:80", ERR_IO }, /* TEST-NET-1: not ours */
    };
    for (size_t index = 0; index < ARRAY_COUNT(cases); index++) {
        struct http_listener_options listeners[] = {
            { .address = SLICE("127.0.0.1:0") },
            { slice_str(cases[index].address), cases[index].cert, cases[index].key },
        };
        struct http_server_options options = {
            .listeners = listeners,
            .listener_count = 2,
            .threads = 2,
            .handler = { on_head, on_request, on_gone },
        };
        struct http_server *h = NULL;
        struct slice said = SLICE_NONE;
        struct error e = http_server_open(&options, &h, &said);
        assert_int_equal(e.code, cases[index].code);
        assert_null(h);
        if (!memmem(said.data, said.size, cases[index].said, strlen(cases[index].said)))
            fail_msg("%s", said.data);
    }
    http_server_free(NULL);
}

/* == Many at once, over all threads: run with the thread sanitizer too == */

static void *run_client(void *argument)
{
    static const char *const paths[] = { "/echo", "/later", "/idle" };
    int number = (int)(intptr_t)argument;
    for (int round = 0; round < 20; round++) {
        struct raw r = connect_client();
        for (int index = 0; index < 20; index++) {
            char request[200], body[32];
            int size = snprintf(body, sizeof body, "%d.%d.%d", number, round, index);
            snprintf(request, sizeof request, "POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s",
                paths[(number + index) % 3], size, body);
            raw_send(&r, slice_str(request));
            expect_body(raw_read(&r), slice_str(body));
        }
        if (round % 2)
            raw_reset(&r);
        else
            raw_close(&r);
    }
    return NULL;
}

static void many_clients_on_three_threads(void **state)
{
    (void)state;
    pthread_t threads[8];
    for (size_t index = 0; index < ARRAY_COUNT(threads); index++)
        assert_int_equal(pthread_create(&threads[index], NULL, run_client, (void *)(intptr_t)index), 0);
    for (size_t index = 0; index < ARRAY_COUNT(threads); index++)
        pthread_join(threads[index], NULL);
    WAIT_FOR(metrics().connections == 0);
    struct http_metrics m = metrics();
    assert_int_equal(m.accepted, 8 * 20);
    assert_int_equal(m.requests, 8 * 20 * 20);
}

int main(void)
{
    const struct CMUnitTest plain[] = {
        ONE(a_client_that_leaves_is_noticed_once),
        ONE(a_half_closed_client_gets_what_is_answered_at_once),
        ONE(an_end_that_comes_with_a_request_is_seen),
        ONE(a_held_stream_is_answered_and_goes_on),
        ONE(what_came_while_a_reply_was_pending_is_answered),
        THREE(stop_ends_every_stream),
        ONE(slow_clients_are_cut_off),
        ONE(a_head_in_drips_has_one_limit_and_a_body_one_a_read),
        ONE(a_large_body_in_drips_is_cut_off),
        ONE(a_pending_reply_has_no_limit),
        ONE(a_reply_not_taken_closes),
        ONE(drain_lets_the_busy_finish),
        cmocka_unit_test(a_bad_start_is_explained),
        THREE(many_clients_on_three_threads),
    };
    const struct CMUnitTest tls[] = {
        ONE(a_client_that_leaves_is_noticed_once),
        ONE(a_half_closed_client_gets_what_is_answered_at_once),
        ONE(a_held_stream_is_answered_and_goes_on),
        ONE(what_came_while_a_reply_was_pending_is_answered),
        THREE(stop_ends_every_stream),
        ONE(a_large_body_in_drips_is_cut_off),
        ONE(a_pending_reply_has_no_limit),
        ONE(a_reply_not_taken_closes),
        ONE(drain_lets_the_busy_finish),
        THREE(many_clients_on_three_threads),
    };
    int plain_failures = cmocka_run_group_tests(plain, NULL, NULL);
    return cmocka_run_group_tests(tls, setup_tls, teardown_tls) + plain_failures;
}

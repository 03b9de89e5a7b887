/* The server as a client sees it; see src/http/server.h. The handler is test/support/http_echo.c. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#define HTTP_ECHO_NO_MAIN
#include "support/http_echo.c"
#include "support/certificate.h"
#include "support/raw_client.h"

#include "base/log.h"
#include "http/core.h"
#include "sys/sys.h"

static struct http_echo *echo;

static struct http_metrics metrics(void)
{
    struct http_metrics m;
    http_server_get_metrics(echo->server, &m);
    return m;
}

/* == Time: it stands still until the test moves it, however slow the machine is == */

static atomic_uint_least64_t now_us;
static struct sys still_sys;

static uint64_t still_monotonic_us(void)
{
    return atomic_load(&now_us);
}

static atomic_int posts_run;
static void count_post(struct reactor_post *post)
{
    (void)post;
    atomic_fetch_add(&posts_run, 1);
}

/* Every reactor goes through a turn that begins after the call: the first post may still run in the one before. */
static void pass_turn(void)
{
    static struct reactor_post post = { .run = count_post };
    for (int index = 0; index < echo->threads; index++)
        for (int round = 0; round < 2; round++) {
            int before = atomic_load(&posts_run);
            reactor_post(http_server_reactor(echo->server, index), &post);
            WAIT_FOR(atomic_load(&posts_run) == before + 1);
        }
}

/* What was sent belongs to the time before; what is due afterwards has happened when this returns. */
static void pass_ms(uint64_t ms)
{
    pass_turn();
    atomic_fetch_add(&now_us, ms * 1000);
    pass_turn();
}

/* == Set up == */

static SSL_CTX *client_tls; /* NULL: the tests speak plain */
static char directory[] = "/tmp/millrace-http-XXXXXX", cert_path[64], key_path[64];

static int setup_threads(int threads)
{
    bool is_tls = client_tls != NULL;
    atomic_store(&now_us, 3600 * 1000000ull);
    still_sys = sys_real;
    still_sys.clock.monotonic_us = still_monotonic_us;
    sys = &still_sys;
    echo = http_echo_start(&(struct http_echo_options){
        .threads = threads,
        .is_deferring = true,
        .tls_cert = is_tls ? cert_path : NULL,
        .tls_key = is_tls ? key_path : NULL,
    });
    return echo == NULL;
}

static int setup_tls(void **state)
{
    (void)state;
    if (!mkdtemp(directory))
        return 1;
    snprintf(cert_path, sizeof cert_path, "%s/cert", directory);
    snprintf(key_path, sizeof key_path, "%s/key", directory);
    client_tls = SSL_CTX_new(TLS_client_method());
    signal(SIGPIPE, SIG_IGN); /* OpenSSL's own client socket raises it; the server does not */
    return !certificate_write(cert_path, key_path, "first");
}

static int teardown_tls(void **state)
{
    (void)state;
    SSL_CTX_free(client_tls);
    client_tls = NULL;
    signal(SIGPIPE, SIG_DFL);
    unlink(cert_path);
    unlink(key_path);
    return rmdir(directory);
}

static int setup_one(void **state)
{
    (void)state;
    return setup_threads(1);
}

static int setup_three(void **state)
{
    (void)state;
    return setup_threads(3);
}

static int teardown(void **state)
{
    (void)state;
    http_echo_stop(echo); /* its pools assert that every block and connection came back */
    sys = &sys_real;
    return 0;
}

static struct raw connect_client(void)
{
    return raw_connect(http_echo_port(echo), client_tls);
}

static void expect_body(struct raw_reply reply, struct slice wanted)
{
    assert_int_equal(reply.status, 200);
    if (!slice_equal(reply.body, wanted))
        fail_msg("body of %zu bytes '%.*s', wanted %zu '%.*s'", reply.body.size, SLICE_ARG(slice_head(reply.body, 100)),
            wanted.size, SLICE_ARG(slice_head(wanted, 100)));
}

/* == One request == */

static void a_request_is_described(void **state)
{
    (void)state;
    struct raw r = connect_client();
    RAW_SEND(&r, "POST /describe?a=b HTTP/1.1\r\nHost: here:1\r\nX-One: 1\r\nContent-Length: 0\r\n\r\n");
    struct raw_reply reply = raw_read(&r);
    char wanted[200];
    snprintf(wanted, sizeof wanted,
        "method POST\npath /describe\nquery a=b\nhost here:1\ntls %d\nkeep-alive 1\n"
        "header Host=here:1\nheader X-One=1\nheader Content-Length=0\n",
        client_tls != NULL);
    expect_body(reply, slice_str(wanted));
    struct slice type = raw_header(reply.head, SLICE("content-type"));
    assert_true(slice_equal(type, SLICE("text/plain")));
    struct slice date = raw_header(reply.head, SLICE("date"));
    assert_int_equal(date.size, 29);
    assert_true(slice_ends(date, SLICE(" GMT")));
    assert_true(slice_is_none(raw_header(reply.head, SLICE("connection"))));
    RAW_SEND(&r, "GET /peer HTTP/1.1\r\nHost: h\r\n\r\n");
    expect_body(raw_read(&r), SLICE("127.0.0.1"));
    raw_close(&r);
    WAIT_FOR(metrics().bytes_out > 300); /* counted after it was sent */
    struct http_metrics m = metrics();
    assert_int_equal(m.requests, 2);
    assert_int_equal(m.bad_requests, 0);
    assert_int_equal(m.accepted, 1);
    assert_true(m.bytes_in > 100);
    WAIT_FOR(metrics().connections == 0);
}

static void keep_alive_follows_the_version(void **state)
{
    (void)state;
    static const struct {
        const char *request, *connection;
        bool is_kept;
    } cases[] = {
        { "GET / HTTP/1.1\r\nHost: h\r\n\r\n", NULL, true },
        { "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "close", false },
        { "GET / HTTP/1.0\r\n\r\n", "close", false },
        { "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "keep-alive", true },
        { "GET /close HTTP/1.1\r\nHost: h\r\n\r\n", "close", false },
        { "GET /later HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "close", false },
    };
    for (size_t index = 0; index < ARRAY_COUNT(cases); index++) {
        struct raw r = connect_client();
        raw_send(&r, slice_str(cases[index].request));
        struct raw_reply reply = raw_read(&r);
        struct slice connection = raw_header(reply.head, SLICE("Connection"));
        assert_int_equal(slice_is_none(connection), cases[index].connection == NULL);
        if (cases[index].connection)
            assert_true(slice_equal(connection, slice_str(cases[index].connection)));
        if (cases[index].is_kept) {
            raw_send(&r, slice_str(cases[index].request));
            raw_read(&r);
        } else {
            assert_true(raw_is_ended(&r));
        }
        raw_close(&r);
    }
}

static void replies_without_body(void **state)
{
    (void)state;
    struct raw r = connect_client();
    struct raw_reply reply = { 0 };
    RAW_SEND(&r, "HEAD /big?100000 HTTP/1.1\r\nHost: h\r\n\r\nHEAD / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_true(raw_try_read(&r, true, &reply));
    struct slice length = raw_header(reply.head, SLICE("content-length"));
    assert_true(slice_equal(length, SLICE("100000")));
    assert_true(raw_try_read(&r, true, &reply));
    length = raw_header(reply.head, SLICE("content-length"));
    assert_true(slice_equal(length, SLICE("300")));
    RAW_SEND(&r, "GET /nothing HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n");
    reply = raw_read(&r);
    assert_int_equal(reply.status, 204);
    assert_true(slice_is_none(raw_header(reply.head, SLICE("content-length"))));
    assert_int_equal(raw_read(&r).body.size, 300);
    raw_close(&r);
}

/* == Bodies of all sizes, framed and cut in every way, followed by another request == */

static const size_t body_sizes[] = { 0, 1, 100, 3900, 4000, 4095, 4096, 4097, 5000, 16384, 20000, 70000, 300001,
    4194304 };
static const char *const body_paths[] = { "/echo", "/later", "/idle", "/lines" };

static char pattern_at(size_t index)
{
    return (char)(index * 31 + index / 257);
}

/* chunk_bytes 0: Content-Length */
static void add_request(struct buf *b, const char *path, size_t body_size, size_t chunk_bytes, size_t pad)
{
    buf_printf(b, "POST %s HTTP/1.1\r\nHost: h\r\n", path);
    if (pad) {
        buf_add_lit(b, "X-Pad: ");
        memset(buf_reserve(b, pad), 'p', pad);
        b->size += pad;
        buf_add_lit(b, "\r\n");
    }
    if (chunk_bytes)
        buf_add_lit(b, "Transfer-Encoding: chunked\r\n\r\n");
    else
        buf_printf(b, "Content-Length: %zu\r\n\r\n", body_size);
    for (size_t at = 0; at < body_size;) {
        size_t count = chunk_bytes && chunk_bytes < body_size - at ? chunk_bytes : body_size - at;
        if (chunk_bytes)
            buf_printf(b, "%zx%s\r\n", count, at % 3 == 1 ? ";ext=\"v\"" : "");
        char *place = buf_reserve(b, count);
        for (size_t index = 0; index < count; index++)
            place[index] = pattern_at(at + index);
        b->size += count;
        at += count;
        if (chunk_bytes)
            buf_add_lit(b, "\r\n");
    }
    if (chunk_bytes)
        buf_add(b, body_size % 2 ? SLICE("0\r\nTrailer: t\r\n\r\n") : SLICE("0\r\n\r\n"));
}

static void check_echo(struct raw *r, size_t body_size)
{
    struct raw_reply reply = raw_read(r);
    assert_int_equal(reply.status, 200);
    assert_int_equal(reply.body.size, body_size);
    for (size_t index = 0; index < body_size; index++)
        if (reply.body.data[index] != pattern_at(index))
            fail_msg("byte %zu of %zu differs", index, body_size);
}

/* So many pieces at most of one request: MILLRACE_HTTP_PIECES=n for less, where each takes long (memcheck). */
static size_t pieces_max(void)
{
    const char *text = getenv("MILLRACE_HTTP_PIECES");
    return text ? strtoul(text, NULL, 10) : 6000;
}

/* in pieces of `piece` bytes, each a segment of its own */
static void send_in_pieces(struct raw *r, struct slice s, size_t piece)
{
    for (; s.size > 0; s = slice_from(s, piece))
        raw_send(r, slice_head(s, piece));
}

static void check_body(struct raw *r, const char *path, size_t size, size_t chunk_bytes, size_t pad)
{
    static const size_t pieces[] = { 1, 61, 1500, 40000, SIZE_MAX };
    struct buf b;
    buf_init(&b);
    add_request(&b, path, size, chunk_bytes, pad);
    add_request(&b, "/echo", 5, 0, 0); /* pipelined behind it */
    add_request(&b, "/later", 6, 3, 0);
    for (size_t index = 0; index < ARRAY_COUNT(pieces); index++) {
        if (b.size / pieces[index] > pieces_max())
            continue;
        send_in_pieces(r, buf_slice(&b), pieces[index]);
        check_echo(r, size);
        check_echo(r, 5);
        check_echo(r, 6);
    }
    buf_deinit(&b);
}

static void check_bodies(struct raw *r, size_t size_max)
{
    static const size_t chunks[] = { 0, 1, 7, 1000, 4096, 100000 };
    static const size_t pads[] = { 0, 3300, 3950, 12000 };
    for (size_t s = 0; s < ARRAY_COUNT(body_sizes); s++)
        for (size_t c = 0; c < ARRAY_COUNT(chunks); c++)
            for (size_t p = 0; p < ARRAY_COUNT(pads); p++) {
                size_t size = body_sizes[s];
                bool is_wasteful = chunks[c] && size / chunks[c] > 3000;
                if (size <= size_max && !is_wasteful)
                    check_body(r, body_paths[(s + c + p) % ARRAY_COUNT(body_paths)], size, chunks[c], pads[p]);
            }
}

static void bodies_arrive_however_framed_and_cut(void **state)
{
    (void)state;
    struct raw r = connect_client();
    check_bodies(&r, HTTP_BODY_BYTES_MAX);
    raw_close(&r);
    WAIT_FOR(metrics().connections == 0);
    assert_int_equal(metrics().body_bytes_held, 0);
    assert_int_equal(metrics().bad_requests, 0);
}

static void a_body_too_large_is_refused(void **state)
{
    (void)state;
    struct raw r = connect_client();
    RAW_SEND(&r, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 4194305\r\n\r\nxxxx");
    assert_int_equal(raw_read(&r).status, 413);
    assert_true(raw_is_ended(&r));
    raw_close(&r);
    struct buf b;
    buf_init(&b);
    add_request(&b, "/echo", HTTP_BODY_BYTES_MAX + 1, 65536, 0);
    r = connect_client();
    raw_try_send(&r, buf_slice(&b));
    assert_int_equal(raw_read(&r).status, 413);
    raw_close(&r);
    buf_deinit(&b);
    assert_int_equal(http_echo_gone(echo), 1); /* on_head had agreed to the second */
}

static void hold_one(struct raw *r)
{
    uint64_t before = http_echo_held(echo);
    RAW_SEND(r, "POST /hold HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello");
    WAIT_FOR(http_echo_held(echo) == before + 1);
}

static void release_held(void)
{
    struct raw r = connect_client();
    RAW_SEND(&r, "GET /release HTTP/1.1\r\nHost: h\r\n\r\n");
    raw_read(&r);
    raw_close(&r);
}

/* == Pipelining == */

static void pipelined_requests_are_answered_in_order(void **state)
{
    (void)state;
    enum { COUNT_MAX = 3000 };
    static const char *const paths[] = { "/echo", "/later", "/echo", "/echo", "/idle", "/echo" };
    for (size_t mix = 1; mix <= ARRAY_COUNT(paths); mix++) {
        struct buf b;
        buf_init(&b);
        for (int index = 0; index < COUNT_MAX; index++)
            buf_printf(
                &b, "POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\n%06d", paths[(size_t)index % mix], index);
        struct raw r = connect_client();
        raw_send(&r, buf_slice(&b));
        for (int index = 0; index < COUNT_MAX; index++) {
            char wanted[16];
            snprintf(wanted, sizeof wanted, "%06d", index);
            expect_body(raw_read(&r), slice_str(wanted));
        }
        raw_close(&r);
        buf_deinit(&b);
    }
}

static void a_flood_gets_its_share_of_a_turn_only(void **state)
{
    (void)state;
    enum { COUNT_MAX = 20000 };
    struct buf b;
    buf_init(&b);
    for (int index = 0; index < COUNT_MAX; index++)
        buf_add_lit(&b, "GET /peer HTTP/1.1\r\nHost: h\r\n\r\n");
    struct raw r = connect_client();
    RAW_SEND(&r, "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n"); /* so that much is waiting when it begins */
    WAIT_FOR(http_echo_held(echo) == 1);
    raw_send(&r, slice_of(b.data, 100 * 31));
    release_held();
    raw_read(&r);
    raw_send(&r, slice_from(buf_slice(&b), 100 * 31));
    for (int index = 0; index < COUNT_MAX; index++)
        expect_body(raw_read(&r), SLICE("127.0.0.1"));
    /* once for its event, once for what was read before */
    assert_in_range(http_echo_most_in_a_turn(echo), HTTP_PIPELINE_TURN_MAX, 2 * HTTP_PIPELINE_TURN_MAX);
    raw_close(&r);
    buf_deinit(&b);
}

static void a_client_that_does_not_read_is_not_read_from(void **state)
{
    (void)state;
    struct raw r = connect_client(), other = connect_client();
    struct slice request = SLICE("GET /big?100000 HTTP/1.1\r\nHost: h\r\n\r\n");
    struct buf b;
    buf_init(&b);
    enum { REQUESTS = 2000 }; /* 200 MB of replies */
    for (int index = 0; index < REQUESTS; index++)
        buf_add(&b, request);
    raw_send(&r, buf_slice(&b)); /* the kernel takes this much */
    buf_deinit(&b);
    RAW_SEND(&other, "GET / HTTP/1.1\r\nHost: h\r\n\r\n"); /* nobody else suffers */
    raw_read(&other);
    /* handled is what fits into the sockets' buffers and one turn's bound, not everything */
    WAIT_FOR(metrics().requests > 1);
    assert_true(metrics().body_bytes_held <= OUTPUT_PENDING_BYTES_MAX + 100000);
    for (int index = 0; index < REQUESTS; index++) {
        struct raw_reply reply = raw_read(&r);
        assert_int_equal(reply.body.size, 100000);
        assert_true(reply.body.data[0] == 'a' && reply.body.data[99999] == (char)('a' + 99999 % 26));
    }
    raw_close(&r);
    raw_close(&other);
}

/* On the reactor's own thread: as if so many blocks were full of replies that others do not read. */
static atomic_int output_blocks;

static void set_taken(struct reactor_post *post)
{
    (void)post;
    struct pool *outputs = &echo->server->threads[0].outputs;
    outputs->taken =
        outputs->taken < OUTPUTS_PLENTY ? outputs->taken + OUTPUTS_PLENTY : outputs->taken - OUTPUTS_PLENTY;
    atomic_fetch_add(&output_blocks, 1);
}

static void with_many_unread_replies_each_client_gets_one_ahead(void **state)
{
    (void)state;
    static struct reactor_post post = { .run = set_taken };
    atomic_store(&output_blocks, 0);
    reactor_post(http_server_reactor(echo->server, 0), &post);
    WAIT_FOR(atomic_load(&output_blocks) == 1);
    struct raw r = connect_client();
    struct buf b;
    buf_init(&b);
    for (int index = 0; index < 100; index++)
        buf_add_lit(&b, "GET /peer HTTP/1.1\r\nHost: h\r\n\r\n");
    raw_send(&r, buf_slice(&b));
    for (int index = 0; index < 100; index++)
        expect_body(raw_read(&r), SLICE("127.0.0.1"));
    assert_in_range(http_echo_most_in_a_turn(echo), 1, 2); /* for its event, and for what was read before */
    raw_close(&r);
    buf_deinit(&b);
    reactor_post(http_server_reactor(echo->server, 0), &post);
    WAIT_FOR(atomic_load(&output_blocks) == 2);
}

/* == Refusals == */

static void refusals_are_answered_and_close(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        int status;
    } cases[] = {
        { "GET /\r\n\r\n", 400 },
        { "GET / HTTP/1.1\r\n\r\n", 400 },
        { "GET / HTTP/3.0\r\n\r\n", 505 },
        { "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400 },
        { "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n", 501 },
        { "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", 400 },
        { "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcX", 400 },
        { "POST / HTTP/1.1\r\nHost: h\r\nExpect: magic\r\n\r\n", 417 },
    };
    for (size_t index = 0; index < ARRAY_COUNT(cases); index++)
        for (int is_pipelined = 0; is_pipelined < 2; is_pipelined++) {
            struct raw r = connect_client();
            if (is_pipelined)
                RAW_SEND(&r, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
            raw_send(&r, slice_str(cases[index].bytes));
            RAW_SEND(&r, "GET /never HTTP/1.1\r\nHost: h\r\n\r\n"); /* what follows is never looked at */
            if (is_pipelined)
                assert_int_equal(raw_read(&r).status, 200);
            struct raw_reply reply = raw_read(&r);
            assert_int_equal(reply.status, cases[index].status);
            struct slice connection = raw_header(reply.head, SLICE("connection"));
            assert_true(slice_equal(connection, SLICE("close")));
            assert_true(reply.body.size > 10);
            assert_true(raw_is_ended(&r));
            raw_close(&r);
        }
    assert_int_equal(metrics().bad_requests, 2 * ARRAY_COUNT(cases));
    WAIT_FOR(metrics().connections == 0);
}

static void a_handler_refuses_before_the_body(void **state)
{
    (void)state;
    static char body[3000000];
    struct raw r = connect_client();
    struct raw_reply reply = { 0 };
    /* not here yet: answered, and closed after what comes was thrown away, so that the reply is not lost */
    RAW_SEND(&r, "POST /refuse HTTP/1.1\r\nHost: h\r\nContent-Length: 3000000\r\n\r\n");
    raw_try_send(&r, slice_of(body, sizeof body));
    reply = raw_read(&r);
    assert_int_equal(reply.status, 403);
    struct slice connection = raw_header(reply.head, SLICE("connection"));
    assert_true(slice_equal(connection, SLICE("close")));
    raw_close(&r);
    /* here already: nothing has to be closed */
    r = connect_client();
    RAW_SEND(&r, "POST /refuse HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhelloGET / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_int_equal(raw_read(&r).status, 403);
    assert_int_equal(raw_read(&r).status, 200);
    raw_close(&r);
    assert_int_equal(http_echo_gone(echo), 0);
}

static void expectations_are_met(void **state)
{
    (void)state;
    struct raw r = connect_client();
    RAW_SEND(&r, "POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    assert_int_equal(raw_read(&r).status, 100);
    RAW_SEND(&r, "hello");
    expect_body(raw_read(&r), SLICE("hello"));
    RAW_SEND(&r, "POST /later HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert_int_equal(raw_read(&r).status, 100);
    RAW_SEND(&r, "5\r\nhello\r\n0\r\n\r\n");
    expect_body(raw_read(&r), SLICE("hello"));
    /* it did not wait: no interim reply */
    RAW_SEND(&r, "POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello");
    expect_body(raw_read(&r), SLICE("hello"));
    /* refused: the final status instead */
    RAW_SEND(&r, "POST /refuse HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    assert_int_equal(raw_read(&r).status, 403);
    assert_true(raw_is_ended(&r));
    raw_close(&r);
}

/* == Large replies == */

static void large_replies_arrive_whole(void **state)
{
    (void)state;
    static const char *const requests[] = {
        "GET /big?20000000 HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /copy?5000000 HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /big?4000 HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /copy?3800 HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /big?0 HTTP/1.1\r\nHost: h\r\n\r\n",
    };
    static const size_t sizes[] = { 20000000, 5000000, 4000, 3800, 0 };
    struct raw r = connect_client();
    for (size_t index = 0; index < ARRAY_COUNT(requests); index++)
        raw_send(&r, slice_str(requests[index]));
    for (size_t index = 0; index < ARRAY_COUNT(requests); index++) {
        struct raw_reply reply = raw_read(&r);
        assert_int_equal(reply.body.size, sizes[index]);
        for (size_t at = 0; at < reply.body.size; at++)
            if (reply.body.data[at] != (char)('a' + at % 26))
                fail_msg("byte %zu differs", at);
    }
    WAIT_FOR(metrics().body_bytes_held == 0);
    raw_close(&r);
}

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

/* == TLS only == */

static void common_name_of(struct raw *r, char *out, size_t size)
{
    X509 *cert = SSL_get1_peer_certificate(r->ssl);
    assert_non_null(cert);
    X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, out, (int)size);
    X509_free(cert);
}

static void certificates_are_read_again(void **state)
{
    (void)state;
    char name[32];
    struct raw old = connect_client();
    common_name_of(&old, name, sizeof name);
    assert_string_equal(name, "first");
    assert_true(certificate_write(cert_path, key_path, "second"));
    http_server_reload_tls(echo->server);
    struct raw fresh = connect_client();
    common_name_of(&fresh, name, sizeof name);
    assert_string_equal(name, "second");
    raw_close(&fresh);
    /* files that do not fit together: the ones before stay in use */
    FILE *broken = fopen(key_path, "w");
    assert_non_null(broken);
    fclose(broken);
    log_set_level(LOG_ERROR + 1); /* it says so, which is not for the output of a good test */
    http_server_reload_tls(echo->server);
    log_set_level(LOG_INFO);
    fresh = connect_client();
    common_name_of(&fresh, name, sizeof name);
    assert_string_equal(name, "second");
    raw_close(&fresh);
    RAW_SEND(&old, "GET / HTTP/1.1\r\nHost: h\r\n\r\n"); /* a connection outlives the reload */
    assert_int_equal(raw_read(&old).status, 200);
    raw_close(&old);
    assert_true(certificate_write(cert_path, key_path, "first"));
}

static void a_handshake_has_the_time_of_a_head(void **state)
{
    (void)state;
    struct raw r = raw_connect(http_echo_port(echo), NULL);
    WAIT_FOR(metrics().connections == 1);
    pass_ms(HTTP_HEAD_TIMEOUT_MS - 1);
    RAW_SEND(&r, "\x16\x03\x01"); /* the beginning of one */
    pass_turn();
    assert_int_equal(metrics().connections, 1);
    pass_ms(1);
    assert_int_equal(metrics().connections, 0);
    assert_true(raw_is_ended(&r));
    raw_close(&r);
}

static void plain_http_on_the_tls_port_ends(void **state)
{
    (void)state;
    struct raw r = raw_connect(http_echo_port(echo), NULL);
    RAW_SEND(&r, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    while (raw_fill(&r) > 0) { /* an alert */
    }
    raw_close(&r);
    WAIT_FOR(metrics().connections == 0);
    assert_int_equal(metrics().requests, 0);
}

int main(void)
{
#define ONE(name) cmocka_unit_test_setup_teardown(name, setup_one, teardown)
#define THREE(name) cmocka_unit_test_setup_teardown(name, setup_three, teardown)
    const struct CMUnitTest plain[] = {
        ONE(a_request_is_described),
        ONE(keep_alive_follows_the_version),
        ONE(replies_without_body),
        ONE(bodies_arrive_however_framed_and_cut),
        ONE(a_body_too_large_is_refused),
        ONE(pipelined_requests_are_answered_in_order),
        ONE(a_flood_gets_its_share_of_a_turn_only),
        ONE(with_many_unread_replies_each_client_gets_one_ahead),
        ONE(a_client_that_does_not_read_is_not_read_from),
        ONE(refusals_are_answered_and_close),
        ONE(a_handler_refuses_before_the_body),
        ONE(expectations_are_met),
        ONE(large_replies_arrive_whole),
        ONE(a_client_that_leaves_is_noticed_once),
        ONE(a_half_closed_client_gets_what_is_answered_at_once),
        ONE(a_held_stream_is_answered_and_goes_on),
        THREE(stop_ends_every_stream),
        ONE(slow_clients_are_cut_off),
        ONE(a_head_in_drips_has_one_limit_and_a_body_one_a_read),
        ONE(a_large_body_in_drips_is_cut_off),
        ONE(a_pending_reply_has_no_limit),
        ONE(a_reply_not_taken_closes),
        ONE(the_body_budget_is_asked_before_reading),
        ONE(unread_replies_are_bounded),
        ONE(strangers_take_memory_from_one_another_only),
        ONE(the_body_budget_may_be_smaller),
        ONE(connections_past_the_bound_are_refused),
        THREE(connections_go_to_the_least_loaded),
        ONE(drain_lets_the_busy_finish),
        cmocka_unit_test(a_bad_start_is_explained),
        THREE(many_clients_on_three_threads),
    };
    const struct CMUnitTest tls[] = {
        ONE(a_request_is_described),
        ONE(keep_alive_follows_the_version),
        ONE(replies_without_body),
        ONE(bodies_arrive_however_framed_and_cut),
        ONE(pipelined_requests_are_answered_in_order),
        ONE(a_flood_gets_its_share_of_a_turn_only),
        ONE(a_client_that_does_not_read_is_not_read_from),
        ONE(refusals_are_answered_and_close),
        ONE(a_handler_refuses_before_the_body),
        ONE(expectations_are_met),
        ONE(large_replies_arrive_whole),
        ONE(a_client_that_leaves_is_noticed_once),
        ONE(a_half_closed_client_gets_what_is_answered_at_once),
        ONE(a_held_stream_is_answered_and_goes_on),
        THREE(stop_ends_every_stream),
        ONE(a_large_body_in_drips_is_cut_off),
        ONE(a_pending_reply_has_no_limit),
        ONE(a_reply_not_taken_closes),
        THREE(connections_go_to_the_least_loaded),
        ONE(drain_lets_the_busy_finish),
        THREE(many_clients_on_three_threads),
        ONE(certificates_are_read_again),
        ONE(a_handshake_has_the_time_of_a_head),
        ONE(plain_http_on_the_tls_port_ends),
    };
    int plain_failures = cmocka_run_group_tests(plain, NULL, NULL);
    return cmocka_run_group_tests(tls, setup_tls, teardown_tls) + plain_failures;
}

/* The server as a client sees it: requests, bodies, pipelines, refusals, replies; see src/http/server.h. */
#include "server_harness.h"

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

/* Requests of exactly the bytes that a block has room for, and around: what a receive filled leaves more, or nothing. */
static void requests_that_just_fill_a_block_are_answered(void **state)
{
    (void)state;
    static const size_t sizes[] = { INPUT_BYTES - 1, INPUT_BYTES, INPUT_BYTES + 1, 2 * INPUT_BYTES - 1, 2 * INPUT_BYTES,
        2 * INPUT_BYTES + 1, HTTP_HEAD_BYTES_MAX, INPUT_LARGE_BYTES, INPUT_LARGE_BYTES + 1, MIB };
    static const size_t heads[] = { 100, 3000, INPUT_BYTES - 1, INPUT_BYTES, INPUT_BYTES + 1, 2 * INPUT_BYTES };
    struct raw r = connect_client();
    for (size_t s = 0; s < ARRAY_COUNT(sizes); s++)
        for (size_t h = 0; h <= ARRAY_COUNT(heads); h++) {
            size_t size = sizes[s], head = h < ARRAY_COUNT(heads) ? heads[h] : size; /* or without a body */
            if (head > size || head > HTTP_HEAD_BYTES_MAX)
                continue;
            struct buf b;
            buf_init(&b);
            add_request(&b, h % 2 ? "/later" : "/echo", size - head, 0, 1);
            size_t pad = 1 + size - b.size;
            b.size = 0;
            add_request(&b, h % 2 ? "/later" : "/echo", size - head, 0, pad);
            assert_int_equal(b.size, size);
            raw_send(&r, buf_slice(&b)); /* all at once */
            check_echo(&r, size - head);
            raw_send(&r, slice_head(buf_slice(&b), size - 1)); /* all but a byte */
            raw_send(&r, slice_from(buf_slice(&b), size - 1));
            check_echo(&r, size - head);
            add_request(&b, "/echo", 7, 0, 0); /* with another behind it */
            raw_send(&r, buf_slice(&b));
            check_echo(&r, size - head);
            check_echo(&r, 7);
            buf_deinit(&b);
        }
    raw_close(&r);
    WAIT_FOR(metrics().connections == 0);
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
    const struct CMUnitTest plain[] = {
        ONE(a_request_is_described),
        ONE(keep_alive_follows_the_version),
        ONE(replies_without_body),
        ONE(bodies_arrive_however_framed_and_cut),
        ONE(requests_that_just_fill_a_block_are_answered),
        ONE(a_body_too_large_is_refused),
        ONE(pipelined_requests_are_answered_in_order),
        ONE(a_flood_gets_its_share_of_a_turn_only),
        ONE(with_many_unread_replies_each_client_gets_one_ahead),
        ONE(a_client_that_does_not_read_is_not_read_from),
        ONE(refusals_are_answered_and_close),
        ONE(a_handler_refuses_before_the_body),
        ONE(expectations_are_met),
        ONE(large_replies_arrive_whole),
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
        ONE(certificates_are_read_again),
        ONE(a_handshake_has_the_time_of_a_head),
        ONE(plain_http_on_the_tls_port_ends),
    };
    int plain_failures = cmocka_run_group_tests(plain, NULL, NULL);
    return cmocka_run_group_tests(tls, setup_tls, teardown_tls) + plain_failures;
}

/* The head of a request: what is accepted, what is refused and with which status, and that pieces make no difference;
 * see src/http/http1.h. Sources of the refused shapes: RFC 9112, and the published request smuggling collections. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "http/http1.h"

struct parsed {
    struct http1_head head;
    struct http_request request;
    struct header table[HTTP_HEADERS_MAX];
    enum http1_result result;
};

/* `step` bytes more at each call; the bytes stay in one place of exactly their size, so that reading past them shows */
static void parse(struct parsed *p, const char *bytes, size_t size, size_t step)
{
    memset(p, 0, sizeof *p);
    http1_head_init(&p->head, &p->request, p->table);
    p->result = HTTP1_MORE;
    for (size_t have = 0; p->result == HTTP1_MORE && have < size;) {
        have = size - have > step ? have + step : size;
        p->result = http1_head_parse(&p->head, slice_of(bytes, have));
    }
}

static char *exact_copy(struct slice s)
{
    char *copy = malloc(s.size ? s.size : 1);
    assert_non_null(copy);
    memcpy(copy, s.data, s.size);
    return copy;
}

static void expect_slice(const char *what, struct slice got, const char *wanted)
{
    if (slice_is_none(got) != (wanted == NULL) || (wanted && !slice_equal(got, slice_str(wanted))))
        fail_msg("%s: got '%.*s', wanted '%s'", what, SLICE_ARG(got), wanted ? wanted : "(none)");
}

/* == Accepted == */

#define H11 " HTTP/1.1\r\nHost: h\r\n"

static const struct {
    const char *head;
    enum http_method method;
    const char *path, *query, *host, *content_type;
    uint64_t length;
    bool is_chunked, is_keep_alive, expects_continue;
    size_t header_count;
} accepted[] = {
    { "GET /" H11 "\r\n", HTTP_GET, "/", NULL, "h", NULL, 0, false, true, false, 1 },
    { "\r\nGET /" H11 "\r\n", HTTP_GET, "/", NULL, "h", NULL, 0, false, true, false, 1 },
    { "HEAD /a/b%20c?x=1&y=?/" H11 "\r\n", HTTP_HEAD, "/a/b%20c", "x=1&y=?/", "h", NULL, 0, false, true, false, 1 },
    { "POST /?" H11 "Content-Length: 17\r\n\r\n", HTTP_POST, "/", "", "h", NULL, 17, false, true, false, 2 },
    { "PUT /" H11 "content-length:0017  \r\n\r\n", HTTP_PUT, "/", NULL, "h", NULL, 17, false, true, false, 2 },
    { "POST /" H11 "Content-Length: 4194304\r\n\r\n", HTTP_POST, "/", NULL, "h", NULL, 4194304, false, true, false, 2 },
    { "POST /" H11 "Transfer-Encoding:  chunked\t\r\n\r\n", HTTP_POST, "/", NULL, "h", NULL, 0, true, true, false, 2 },
    { "POST /" H11 "TRANSFER-ENCODING: Chunked\r\n\r\n", HTTP_POST, "/", NULL, "h", NULL, 0, true, true, false, 2 },
    { "DELETE /" H11 "Connection: close\r\n\r\n", HTTP_DELETE, "/", NULL, "h", NULL, 0, false, false, false, 2 },
    { "PATCH /" H11 "Connection: foo , CLOSE\r\n\r\n", HTTP_PATCH, "/", NULL, "h", NULL, 0, false, false, false, 2 },
    { "GET /" H11 "Connection: keep-alive\r\nConnection: close\r\n\r\n", HTTP_GET, "/", NULL, "h", NULL, 0, false,
        false, false, 3 },
    { "GET /" H11 "Connection: closed\r\n\r\n", HTTP_GET, "/", NULL, "h", NULL, 0, false, true, false, 2 },
    { "GET / HTTP/1.0\r\n\r\n", HTTP_GET, "/", NULL, NULL, NULL, 0, false, false, false, 0 },
    { "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", HTTP_GET, "/", NULL, NULL, NULL, 0, false, true, false, 1 },
    { "GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n", HTTP_GET, "/", NULL, NULL, NULL, 0, false, false, false, 1 },
    { "POST /" H11 "Expect: 100-Continue\r\nContent-Length: 3\r\n\r\n", HTTP_POST, "/", NULL, "h", NULL, 3, false, true,
        true, 3 },
    { "OPTIONS *" H11 "\r\n", HTTP_OPTIONS, "*", NULL, "h", NULL, 0, false, true, false, 1 },
    { "BREW /pot" H11 "\r\n", HTTP_OTHER, "/pot", NULL, "h", NULL, 0, false, true, false, 1 },
    { "get /" H11 "\r\n", HTTP_OTHER, "/", NULL, "h", NULL, 0, false, true, false, 1 },
    { "GET http://other:80/p?q" H11 "\r\n", HTTP_GET, "/p", "q", "other:80", NULL, 0, false, true, false, 1 },
    { "GET HTTPS://o" H11 "\r\n", HTTP_GET, "/", NULL, "o", NULL, 0, false, true, false, 1 },
    { "GET http://o?q/r" H11 "\r\n", HTTP_GET, "/", "q/r", "o", NULL, 0, false, true, false, 1 },
    { "GET / HTTP/1.1\r\nHost:\r\n\r\n", HTTP_GET, "/", NULL, "", NULL, 0, false, true, false, 1 },
    { "GET / HTTP/1.1\r\nhOsT:[::1]:4566\r\n\r\n", HTTP_GET, "/", NULL, "[::1]:4566", NULL, 0, false, true, false, 1 },
    { "GET /" H11 "Content-Type:  a/b; c=\"d e\" \r\nContent-Type: second\r\n\r\n", HTTP_GET, "/", NULL, "h",
        "a/b; c=\"d e\"", 0, false, true, false, 3 },
    { "GET /" H11 "X-Empty:\r\nX-Tab:\ta\tb\t\r\nX-High: \x80\xff\r\n!#$%&'*+-.^_`|~1: token\r\n\r\n", HTTP_GET, "/",
        NULL, "h", NULL, 0, false, true, false, 5 },
    { "GET //x/../..;/%00" H11 "\r\n", HTTP_GET, "//x/../..;/%00", NULL, "h", NULL, 0, false, true, false, 1 },
};

static void heads_are_understood(void **state)
{
    (void)state;
    for (size_t index = 0; index < ARRAY_COUNT(accepted); index++) {
        struct slice head = slice_str(accepted[index].head);
        char *bytes = exact_copy(head);
        for (size_t step = 1; step <= head.size; step++) {
            struct parsed p;
            parse(&p, bytes, head.size, step);
            if (p.result != HTTP1_DONE)
                fail_msg("case %zu step %zu: result %d: %s", index, step, p.result, p.head.refusal.sentence);
            assert_int_equal(p.head.at, head.size);
            assert_int_equal(p.request.method, accepted[index].method);
            expect_slice("path", p.request.path, accepted[index].path);
            expect_slice("query", p.request.query, accepted[index].query);
            expect_slice("host", p.request.host, accepted[index].host);
            expect_slice("content type", p.request.content_type, accepted[index].content_type);
            assert_int_equal(p.head.content_length, accepted[index].length);
            assert_int_equal(p.head.is_chunked, accepted[index].is_chunked);
            assert_int_equal(p.request.is_keep_alive, accepted[index].is_keep_alive);
            assert_int_equal(p.head.expects_continue, accepted[index].expects_continue);
            assert_int_equal(p.request.header_count, accepted[index].header_count);
        }
        free(bytes);
    }
}

static void values_are_trimmed_and_found_without_case(void **state)
{
    (void)state;
    struct parsed p;
    static const char head[] =
        "GET /" H11 "X-Amz-Date: \t 2026 \t\r\nX-Amz-Dat: short\r\nX-Amz-Date: again\r\n\r\nbody";
    parse(&p, head, sizeof head - 1, sizeof head);
    assert_int_equal(p.result, HTTP1_DONE);
    assert_int_equal(p.head.at, sizeof head - 1 - 4);
    expect_slice("value", http_header_find(&p.request, SLICE("x-amz-DATE")), "2026");
    expect_slice("value", http_header_find(&p.request, SLICE("X-Amz-Dat")), "short");
    expect_slice("value", http_header_find(&p.request, SLICE("X-Amz-Dates")), NULL);
    expect_slice("method", p.request.method_text, "GET");
    expect_slice("target", p.request.target, "/");
    expect_slice("name", p.table[1].name, "X-Amz-Date");
}

/* == Refused == */

static const struct {
    int status;
    const char *head;
    size_t size;
} refused[] = {
#define R(status, literal)                                                                                             \
    {                                                                                                                  \
        status, literal, sizeof literal - 1                                                                            \
    }
    /* request line */
    R(400, "GET /\r\nHost: h\r\n\r\n"),
    R(400, "GET  / HTTP/1.1\r\nHost: h\r\n\r\n"),
    R(400, "GET /  HTTP/1.1\r\nHost: h\r\n\r\n"),
    R(400, "GET\t/ HTTP/1.1\r\nHost: h\r\n\r\n"),
    R(400, " GET / HTTP/1.1\r\nHost: h\r\n\r\n"),
    R(400, "GET / HTTP/1.1 \r\nHost: h\r\n\r\n"),
    R(400, "GET / HTTP/1.1\nHost: h\n\n"),
    R(400, "GET / HTTP/1.1\rHost: h\r\n\r\n"),
    R(400, "GET / http/1.1\r\nHost: h\r\n\r\n"),
    R(400, "GET / HTTP/1.1x\r\nHost: h\r\n\r\n"),
    R(400, "GET / HTTP/11.1\r\nHost: h\r\n\r\n"),
    R(400, "GET / HTTP/.1\r\nHost: h\r\n\r\n"),
    R(505, "GET / HTTP/1.2\r\nHost: h\r\n\r\n"),
    R(505, "GET / HTTP/2.0\r\nHost: h\r\n\r\n"),
    R(505, "GET / HTTP/0.9\r\nHost: h\r\n\r\n"),
    R(505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    R(400, "G(T / HTTP/1.1\r\nHost: h\r\n\r\n"),
    R(400, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), /* TLS on a plain port */
    R(400, "\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n"),
    R(400, "\nGET / HTTP/1.1\r\nHost: h\r\n\r\n"),
    R(400, "\rGET / HTTP/1.1\r\nHost: h\r\n\r\n"),
    R(400, "GET relative HTTP/1.1\r\nHost: h\r\n\r\n"),
    R(400, "GET * HTTP/1.1\r\nHost: h\r\n\r\n"),
    R(400, "GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n"),
    R(400, "GET /a\tb HTTP/1.1\r\nHost: h\r\n\r\n"),
    R(400, "GET /\xc3\xa4 HTTP/1.1\r\nHost: h\r\n\r\n"),
    R(400, "GET /\x7f HTTP/1.1\r\nHost: h\r\n\r\n"),
    R(400, "GET /\0 HTTP/1.1\r\nHost: h\r\n\r\n"),
    R(400, "GET ftp://h/ HTTP/1.1\r\nHost: h\r\n\r\n"),
    R(400, "GET http:///x HTTP/1.1\r\nHost: h\r\n\r\n"),
    R(400, "GET http://u:p@h/ HTTP/1.1\r\nHost: h\r\n\r\n"),
    R(501, "CONNECT h:80 HTTP/1.1\r\nHost: h\r\n\r\n"),
    R(400, "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMNOPQRSTUVWXYZ\r\n"),
    /* header lines */
    R(400, "GET /" H11 "Name : value\r\n\r\n"),
    R(400, "GET /" H11 "Name\t: value\r\n\r\n"),
    R(400, "GET /" H11 " Name: value\r\n\r\n"),
    R(400, "GET / HTTP/1.1\r\n Host: h\r\n\r\n"),
    R(400, "GET /" H11 "Name: value\r\n folded\r\n\r\n"),
    R(400, "GET /" H11 "Name: value\r\n\tfolded\r\n\r\n"),
    R(400, "GET /" H11 "Name\r\n\r\n"),
    R(400, "GET /" H11 ": value\r\n\r\n"),
    R(400, "GET /" H11 "Na me: value\r\n\r\n"),
    R(400, "GET /" H11 "Na\0me: value\r\n\r\n"),
    R(400, "GET /" H11 "Na\xc3me: value\r\n\r\n"),
    R(400, "GET /" H11 "Na(me: value\r\n\r\n"),
    R(400, "GET /" H11 "Name: va\0lue\r\n\r\n"),
    R(400, "GET /" H11 "Name: va\x01lue\r\n\r\n"),
    R(400, "GET /" H11 "Name: va\x7flue\r\n\r\n"),
    R(400, "GET /" H11 "Name: value\n\r\n"),
    R(400, "GET /" H11 "Name: value\nOther: x\r\n\r\n"),
    R(400, "GET /" H11 "Name: value\rOther: x\r\n\r\n"),
    R(400, "GET /" H11 "Name: value\r\r\n\r\n"),
    R(400, "GET /" H11 "\n"),
    R(400, "GET /" H11 "\rX: y\r\n\r\n"),
    /* Host */
    R(400, "GET / HTTP/1.1\r\n\r\n"),
    R(400, "GET / HTTP/1.1\r\nX-Host: h\r\n\r\n"),
    R(400, "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"),
    R(400, "GET / HTTP/1.0\r\nHost: a\r\nhost: b\r\n\r\n"),
    R(400, "GET http://a/ HTTP/1.1\r\n\r\n"),
    R(400, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
    R(400, "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"),
    R(400, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
    R(400, "GET / HTTP/1.1\r\nHost: u@b\r\n\r\n"),
    R(400, "GET / HTTP/1.1\r\nHost: a\"b\r\n\r\n"),
    /* lengths */
    R(400, "POST /" H11 "Content-Length: 5\r\nContent-Length: 5\r\n\r\n"),
    R(400, "POST /" H11 "Content-Length: 5\r\ncontent-length: 6\r\n\r\n"),
    R(400, "POST /" H11 "Content-Length: 5, 5\r\n\r\n"),
    R(400, "POST /" H11 "Content-Length: +5\r\n\r\n"),
    R(400, "POST /" H11 "Content-Length: -5\r\n\r\n"),
    R(400, "POST /" H11 "Content-Length: 0x5\r\n\r\n"),
    R(400, "POST /" H11 "Content-Length: 5 5\r\n\r\n"),
    R(400, "POST /" H11 "Content-Length: 5;\r\n\r\n"),
    R(400, "POST /" H11 "Content-Length: \"5\"\r\n\r\n"),
    R(400, "POST /" H11 "Content-Length: 1e1\r\n\r\n"),
    R(400, "POST /" H11 "Content-Length:\r\n\r\n"),
    R(400, "POST /" H11 "Content-Length: \xd9\xa5\r\n\r\n"),
    R(400, "POST /" H11 "Content-Length: 99999999999999999999999999999999999x\r\n\r\n"),
    R(413, "POST /" H11 "Content-Length: 4194305\r\n\r\n"),
    R(413, "POST /" H11 "Content-Length: 18446744073709551616\r\n\r\n"),
    R(413, "POST /" H11 "Content-Length: 18446744073709551621\r\n\r\n"),
    /* transfer encodings */
    R(400, "POST /" H11 "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"),
    R(400, "POST /" H11 "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"),
    R(400, "POST /" H11 "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n"),
    R(400, "POST /" H11 "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"),
    R(501, "POST /" H11 "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n"),
    R(501, "POST /" H11 "Transfer-Encoding: chunked, chunked\r\n\r\n"),
    R(501, "POST /" H11 "Transfer-Encoding: gzip, chunked\r\n\r\n"),
    R(501, "POST /" H11 "Transfer-Encoding: chunked, identity\r\n\r\n"),
    R(501, "POST /" H11 "Transfer-Encoding: xchunked\r\n\r\n"),
    R(501, "POST /" H11 "Transfer-Encoding: chunkedx\r\n\r\n"),
    R(501, "POST /" H11 "Transfer-Encoding: \"chunked\"\r\n\r\n"),
    R(501, "POST /" H11 "Transfer-Encoding: chunked;q=1\r\n\r\n"),
    R(501, "POST /" H11 "Transfer-Encoding:\r\n\r\n"),
    R(501, "POST /" H11 "Transfer-Encoding: ,chunked\r\n\r\n"),
    { 400,
        "POST /" H11 "Transfer-Encoding: \x0b"
        "chunked\r\n\r\n",
        0 },
    R(400, "POST /" H11 "Transfer-Encoding\x0b: chunked\r\n\r\n"),
    R(400, "POST /" H11 "Transfer-Encoding : chunked\r\n\r\n"),
    R(400, "POST /" H11 "X: y\nTransfer-Encoding: chunked\r\n\r\n"),
    R(400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"),
    R(417, "POST /" H11 "Expect: 200-ok\r\n\r\n"),
    R(417, "POST /" H11 "Expect: 100-continue, x\r\n\r\n"),
#undef R
};

static void bad_heads_are_refused(void **state)
{
    (void)state;
    for (size_t index = 0; index < ARRAY_COUNT(refused); index++) {
        struct slice head = slice_of(refused[index].head, refused[index].size);
        char *bytes = exact_copy(head);
        for (size_t step = 1; step <= head.size; step++) {
            struct parsed p;
            parse(&p, bytes, head.size, step);
            if (p.result != HTTP1_BAD || p.head.refusal.status != refused[index].status)
                fail_msg("case %zu '%s' step %zu: result %d status %d %s", index, head.data, step, p.result,
                    p.head.refusal.status, p.head.refusal.sentence);
            assert_true(p.head.refusal.sentence && strlen(p.head.refusal.sentence) < 140);
        }
        free(bytes);
    }
}

/* Every byte of a good head replaced by every other byte: either it is refused or what was read is made of allowed
 * bytes. */
static void no_byte_slips_through(void **state)
{
    (void)state;
    static const char good[] = "POST /p?q HTTP/1.1\r\nHost: h:1\r\nContent-Length: 5\r\nX-Y: z w\r\n\r\n";
    char *bytes = exact_copy(slice_of(good, sizeof good - 1));
    for (size_t at = 0; at < sizeof good - 1; at++) {
        for (int value = 0; value < 256; value++) {
            struct parsed p;
            bytes[at] = (char)value;
            parse(&p, bytes, sizeof good - 1, sizeof good);
            bytes[at] = good[at];
            if (p.result != HTTP1_DONE)
                continue;
            assert_int_equal(p.head.at, sizeof good - 1); /* the blank line was not found elsewhere */
            assert_int_equal(p.request.header_count, 3);  /* no line became two, or two one */
            for (size_t index = 0; index < 3; index++) {
                struct slice name = p.table[index].name, v = p.table[index].value;
                for (size_t k = 0; k < name.size; k++)
                    assert_true(http1_is_token_byte(name.data[k]));
                for (size_t k = 0; k < v.size; k++)
                    assert_true((uint8_t)v.data[k] >= 0x20 && v.data[k] != 0x7f ? true : v.data[k] == '\t');
            }
        }
    }
    free(bytes);
}

/* == Bounds == */

static enum http1_result parse_buf(struct buf *b, struct parsed *p, size_t step)
{
    char *bytes = exact_copy(buf_slice(b));
    parse(p, bytes, b->size, step);
    free(bytes);
    return p->result;
}

static void repeat(struct buf *b, char byte, size_t count)
{
    memset(buf_reserve(b, count), byte, count);
    b->size += count;
}

static void limits_hold_exactly(void **state)
{
    (void)state;
    static const size_t steps[] = { 1, 7, 4096, SIZE_MAX / 2 };
    struct parsed p;
    struct buf b;
    buf_init(&b);
    for (size_t s = 0; s < ARRAY_COUNT(steps); s++) {
        size_t step = steps[s];
        for (size_t more = 0; more <= 1; more++) {
            /* target */
            buf_reset(&b);
            buf_add_lit(&b, "GET /");
            repeat(&b, 'a', HTTP_TARGET_BYTES_MAX - 1 + more);
            buf_add_lit(&b, H11 "\r\n");
            assert_int_equal(parse_buf(&b, &p, step), more ? HTTP1_BAD : HTTP1_DONE);
            assert_int_equal(p.head.refusal.status, more ? 414 : 0);
            /* method */
            buf_reset(&b);
            repeat(&b, 'M', HTTP_METHOD_BYTES_MAX + more);
            buf_add_lit(&b, " /" H11 "\r\n");
            assert_int_equal(parse_buf(&b, &p, step), more ? HTTP1_BAD : HTTP1_DONE);
            assert_int_equal(p.head.refusal.status, more ? 400 : 0);
            /* number of headers */
            buf_reset(&b);
            buf_add_lit(&b, "GET /" H11);
            for (size_t index = 1; index < HTTP_HEADERS_MAX + more; index++)
                buf_add_lit(&b, "A: b\r\n");
            buf_add_lit(&b, "\r\n");
            assert_int_equal(parse_buf(&b, &p, step), more ? HTTP1_BAD : HTTP1_DONE);
            assert_int_equal(p.head.refusal.status, more ? 431 : 0);
            /* all of it; what comes behind does not count */
            buf_reset(&b);
            buf_add_lit(&b, "GET /" H11 "A: ");
            repeat(&b, 'x', HTTP_HEAD_BYTES_MAX + more - b.size - 4);
            buf_add_lit(&b, "\r\n\r\n");
            assert_int_equal(b.size, HTTP_HEAD_BYTES_MAX + more);
            repeat(&b, 'y', 5000);
            assert_int_equal(parse_buf(&b, &p, step), more ? HTTP1_BAD : HTTP1_DONE);
            assert_int_equal(p.head.refusal.status, more ? 431 : 0);
        }
        /* an endless name is refused when the head is full, not sooner or later */
        buf_reset(&b);
        buf_add_lit(&b, "GET /" H11);
        repeat(&b, 'n', 2 * HTTP_HEAD_BYTES_MAX);
        assert_int_equal(parse_buf(&b, &p, step), HTTP1_BAD);
        assert_int_equal(p.head.refusal.status, 431);
        /* an endless target sooner */
        buf_reset(&b);
        buf_add_lit(&b, "GET /");
        repeat(&b, 'n', 2 * HTTP_HEAD_BYTES_MAX);
        assert_int_equal(parse_buf(&b, &p, step), HTTP1_BAD);
        assert_int_equal(p.head.refusal.status, 414);
    }
    buf_deinit(&b);
}

static void an_incomplete_head_is_waited_for(void **state)
{
    (void)state;
    static const char head[] = "POST /p?q HTTP/1.1\r\nHost: h:1\r\nContent-Length: 5\r\nX-Y: z w\r\n\r\n";
    for (size_t size = 1; size < sizeof head - 1; size++) {
        struct parsed p;
        char *bytes = exact_copy(slice_of(head, size));
        parse(&p, bytes, size, size);
        assert_int_equal(p.result, HTTP1_MORE);
        assert_true(p.head.scanned == size);
        free(bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads_are_understood),
        cmocka_unit_test(values_are_trimmed_and_found_without_case),
        cmocka_unit_test(bad_heads_are_refused),
        cmocka_unit_test(no_byte_slips_through),
        cmocka_unit_test(limits_hold_exactly),
        cmocka_unit_test(an_incomplete_head_is_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* output.c: replies as bytes, coalesced, and on their way; see core.h.
 *
 * Replies of one turn are formatted one behind the other into the same block and leave in one send. A body that does
 * not fit beside its head is attached to the block instead of copied, and leaves in the same sendmsg.
 */
#include <stdio.h>

#include "base/mutant.h"
#include "base/text.h"
#include "http/core.h"
#include "sys/sys.h"

/* == Blocks == */

/* `size` bytes in one piece behind what is there already */
static char *reserve(struct conn *c, size_t size)
{
    struct output *last = c->output_last;
    ASSERT(size <= OUTPUT_ROOM_BYTES);
    if (last && !last->body && OUTPUT_ROOM_BYTES - last->end >= size)
        return last->room + last->end;
    struct output *o = pool_take(&c->thread->outputs);
    *o = (struct output){ 0 };
    if (last)
        last->next = o;
    else
        c->output = o;
    c->output_last = o;
    return o->room;
}

static void commit(struct conn *c, size_t size)
{
    c->output_last->end += (uint32_t)size;
    c->output_bytes += size;
}

/* The last block, which has no body yet, gets one; it is freed when sent. */
static void attach(struct conn *c, char *body, size_t size, struct buf *taken)
{
    struct output *o = c->output_last;
    ASSERT(!o->body);
    o->body = body;
    o->body_begin = 0;
    o->body_end = size;
    if (taken) {
        o->taken = *taken;
        buf_init(taken);
    }
    c->output_bytes += size;
    o->budget = input_budget(c);
    budget_take_anyway(o->budget, size);
}

static void attach_copy(struct conn *c, struct slice bytes)
{
    char *copy = body_new(bytes.size);
    if (!copy)
        check_out_of_memory(bytes.size);
    memcpy(copy, bytes.data, bytes.size);
    attach(c, copy, bytes.size, NULL);
}

static void drop_first(struct conn *c)
{
    struct output *o = c->output;
    c->output = o->next;
    if (!c->output)
        c->output_last = NULL;
    if (o->body)
        budget_give(o->budget, o->body_end);
    if (o->taken.data)
        buf_deinit(&o->taken);
    else
        body_free(o->body);
    pool_give(&c->thread->outputs, o);
}

void output_release(struct conn *c)
{
    while (c->output)
        drop_first(c);
    c->output_bytes = 0;
}

/* == Heads == */

static const struct {
    int status;
    struct slice reason;
} reasons[] = {
#define REASON(status, text)                                                                                           \
    {                                                                                                                  \
        status,                                                                                                        \
        {                                                                                                              \
            text, sizeof text - 1                                                                                      \
        }                                                                                                              \
    }
    REASON(200, "OK"),
    REASON(201, "Created"),
    REASON(202, "Accepted"),
    REASON(204, "No Content"),
    REASON(301, "Moved Permanently"),
    REASON(302, "Found"),
    REASON(304, "Not Modified"),
    REASON(307, "Temporary Redirect"),
    REASON(400, "Bad Request"),
    REASON(401, "Unauthorized"),
    REASON(403, "Forbidden"),
    REASON(404, "Not Found"),
    REASON(405, "Method Not Allowed"),
    REASON(406, "Not Acceptable"),
    REASON(408, "Request Timeout"),
    REASON(409, "Conflict"),
    REASON(411, "Length Required"),
    REASON(413, "Content Too Large"),
    REASON(414, "URI Too Long"),
    REASON(415, "Unsupported Media Type"),
    REASON(417, "Expectation Failed"),
    REASON(429, "Too Many Requests"),
    REASON(431, "Request Header Fields Too Large"),
    REASON(500, "Internal Server Error"),
    REASON(501, "Not Implemented"),
    REASON(503, "Service Unavailable"),
    REASON(505, "HTTP Version Not Supported"),
#undef REASON
};

static struct slice reason_of(int status)
{
    for (size_t index = 0; index < ARRAY_COUNT(reasons); index++)
        if (reasons[index].status == status)
            return reasons[index].reason;
    return SLICE("Status"); /* clients look at the number */
}

static struct slice date_line(struct http_thread *t)
{
    uint64_t now_ms = reactor_now_ms(t->reactor);
    if (now_ms != t->date_checked_ms || t->date_s == 0) {
        t->date_checked_ms = now_ms;
        int64_t now_s = sys->clock.wall_ms() / 1000;
        if (now_s != t->date_s) {
            char date[30];
            t->date_s = now_s;
            text_format_http_date(now_s, date);
            snprintf(t->date_line, sizeof t->date_line, "Date: %s\r\n", date);
        }
    }
    return slice_of(t->date_line, 37);
}

static char *put(char *at, struct slice s)
{
    if (s.size)
        memcpy(at, s.data, s.size);
    return at + s.size;
}
#define PUT(at, literal) put((at), SLICE(literal))

enum { HEAD_FIXED_BYTES_MAX = 224 }; /* all but the content type and the ready-made lines */

static bool may_have_body(int status)
{
    return status != 204 && status != 304; /* RFC 9110 6.4.1; a final status is 200 or more */
}

static size_t put_head(struct conn *c, char *start, const struct http_reply *reply, size_t body_bytes, bool closes)
{
    char status[3] = { (char)('0' + reply->status / 100 % 10), (char)('0' + reply->status / 10 % 10),
        (char)('0' + reply->status % 10) };
    char *at = PUT(start, "HTTP/1.1 ");
    at = put(at, slice_of(status, sizeof status));
    at = PUT(at, " ");
    at = put(at, reason_of(reply->status));
    at = PUT(at, "\r\n");
    at = put(at, date_line(c->thread));
    if (!slice_is_none(reply->content_type)) {
        at = PUT(at, "Content-Type: ");
        at = put(at, reply->content_type);
        at = PUT(at, "\r\n");
    }
    if (may_have_body(reply->status)) {
        at = PUT(at, "Content-Length: ");
        at += text_format_u64(body_bytes, at);
        at = PUT(at, "\r\n");
    }
    if (closes)
        at = PUT(at, "Connection: close\r\n");
    else if (c->is_http10)
        at = PUT(at, "Connection: keep-alive\r\n");
    at = put(at, reply->header_lines);
    at = PUT(at, "\r\n");
    return (size_t)(at - start);
}

/* A head larger than a block goes as a body behind nothing. */
static void add_large_head(struct conn *c, const struct http_reply *reply, size_t body_bytes, bool closes)
{
    size_t bound = HEAD_FIXED_BYTES_MAX + reply->content_type.size + reply->header_lines.size;
    char *head = body_new(bound);
    if (!head)
        check_out_of_memory(bound);
    if (!c->output_last || c->output_last->body)
        reserve(c, OUTPUT_ROOM_BYTES);
    attach(c, head, put_head(c, head, reply, body_bytes, closes), NULL);
}

static void add_reply(struct conn *c, const struct http_reply *reply, bool closes)
{
    struct slice body = reply->body_buf ? buf_slice(reply->body_buf) : reply->body;
    size_t body_bytes = body.size;
    size_t bound = HEAD_FIXED_BYTES_MAX + reply->content_type.size + reply->header_lines.size;
    if (c->stream.request.method == HTTP_HEAD || !may_have_body(reply->status))
        body = slice_head(body, 0);
    if (LIKELY(bound + body.size <= OUTPUT_ROOM_BYTES)) {
        char *start = reserve(c, bound + body.size);
        size_t size = put_head(c, start, reply, body_bytes, closes);
        put(start + size, body);
        commit(c, size + body.size);
        return;
    }
    if (bound <= OUTPUT_ROOM_BYTES) {
        char *start = reserve(c, bound);
        commit(c, put_head(c, start, reply, body_bytes, closes));
    } else {
        add_large_head(c, reply, body_bytes, closes);
    }
    if (body.size == 0)
        return;
    if (c->output_last->body)
        reserve(c, 1);
    if (reply->body_buf)
        attach(c, reply->body_buf->data, body.size, reply->body_buf);
    else
        attach_copy(c, body);
}

void stream_reply(struct stream *s, const struct http_reply *reply)
{
    struct conn *c = CONN_OF(s);
    ASSERT(c->state == CONN_CHECKING || c->state == CONN_PENDING);
    ASSERT(c->is_handed && reply->status >= 200 && reply->status <= 599);
    bool is_client_done = !s->request.is_keep_alive;
    bool is_draining = atomic_load_explicit(&c->thread->server->is_draining, memory_order_relaxed);
    bool closes = is_client_done || reply->close || c->is_body_missing || is_draining;
    add_reply(c, reply, closes);
    c->is_handed = false;
    if (closes) {
        /* who asked for the end sends nothing more; others may, and must not be answered with a reset */
        c->lingers = c->is_body_missing || !is_client_done;
        c->state = CONN_CLOSING;
        input_release(c);
    } else {
        input_finish_request(c);
    }
    if (!c->is_running)
        conn_settle(c);
}

void output_continue(struct conn *c)
{
    struct slice line = SLICE("HTTP/1.1 100 Continue\r\n\r\n");
    put(reserve(c, line.size), line);
    commit(c, line.size);
}

void output_refuse(struct conn *c, int status, const char *sentence)
{
    if (c->is_handed) {
        c->is_handed = false;
        c->thread->server->handler.on_gone(&c->stream);
    }
    COUNT(c->thread, bad_requests, 1);
    char text[160];
    int size = snprintf(text, sizeof text, "%s.\n", sentence);
    struct http_reply reply = {
        .status = status,
        .content_type = SLICE("text/plain"),
        .body = slice_of(text, (size_t)size < sizeof text ? (size_t)size : sizeof text - 1),
    };
    add_reply(c, &reply, true);
    c->lingers = true;
    c->state = CONN_CLOSING;
    input_release(c);
}

/* == On their way == */

static void advance(struct conn *c, size_t sent)
{
    c->output_bytes -= sent;
    c->progress_bytes += (uint32_t)sent;
    COUNT(c->thread, bytes_out, sent);
    while (c->output) {
        struct output *o = c->output;
        size_t part = o->end - o->begin < sent ? o->end - o->begin : sent;
        o->begin += (uint32_t)part;
        sent -= part;
        part = o->body_end - o->body_begin < sent ? o->body_end - o->body_begin : sent;
        o->body_begin += part;
        sent -= part;
        if (o->begin < o->end || o->body_begin < o->body_end)
            return;
        drop_first(c);
    }
    ASSERT(sent == 0);
}

enum { PARTS_MAX = 16 };

static size_t gather(const struct conn *c, struct iovec parts[PARTS_MAX], int *ret_count)
{
    size_t total = 0;
    int count = 0;
    for (const struct output *o = c->output; o && count + 2 <= PARTS_MAX; o = o->next) {
        if (o->begin < o->end)
            parts[count++] = (struct iovec){ (char *)o->room + o->begin, o->end - o->begin };
        if (o->body_begin < o->body_end)
            parts[count++] = (struct iovec){ o->body + o->body_begin, o->body_end - o->body_begin };
        total += o->end - o->begin + (o->body_end - o->body_begin);
    }
    *ret_count = count;
    return total;
}

/* As much as one system call (or TLS record) takes; ret_offered is what it was given. */
static ssize_t send_some(struct conn *c, size_t *ret_offered)
{
    const struct output *o = c->output;
    if (c->tls) {
        bool is_room = o->begin < o->end;
        const char *bytes = is_room ? o->room + o->begin : o->body + o->body_begin;
        *ret_offered = is_room ? o->end - o->begin : o->body_end - o->body_begin;
        return tls_send(c->tls, bytes, *ret_offered);
    }
    if (!o->next && !o->body) {
        *ret_offered = o->end - o->begin;
        return sock_send(c->source.fd, o->room + o->begin, *ret_offered);
    }
    struct iovec parts[PARTS_MAX];
    int count;
    *ret_offered = gather(c, parts, &count);
    return sock_send_parts(c->source.fd, parts, count);
}

enum output_result output_flush(struct conn *c)
{
    c->send_wants_in = false;
    while (c->output) {
        size_t offered;
        ssize_t sent = send_some(c, &offered);
        if (sent > 0)
            advance(c, MUTANT(partial_send_forgotten) ? offered : (size_t)sent);
        if (sent == SOCK_BROKEN || sent == SOCK_END)
            return OUTPUT_BROKEN;
        if (sent == SOCK_AGAIN_OTHER)
            c->send_wants_in = true;
        if (sent < 0)
            return OUTPUT_BLOCKED;
        if (!c->tls && (size_t)sent < offered)
            return OUTPUT_BLOCKED; /* asking again would only be told so */
    }
    return OUTPUT_SENT;
}

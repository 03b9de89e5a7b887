/* no_network.h: the whole server but for its sockets, its clock and its disk, for the fuzz targets of this folder: requests as
 * they go over the wire lead through head, signature, binding, route, owner and journal to a reply. Each has an answer that
 * is never a server fault and whose bytes are a sound head and JSON or XML.
 *
 * Use      open_server(), open_store(), ask(SLICE("POST / HTTP/1.1...")), digest(), owners_close(): static functions of one
 *          program. A request that brings no signature is signed here, unless it has the header "Anonymous"; "$H", "$T" and
 *          "$M" in it stand for the last receipt handle, page token and task handle.
 */
#ifndef MILLRACE_TEST_FUZZ_NO_NETWORK_H
#define MILLRACE_TEST_FUZZ_NO_NETWORK_H

#include "../xml_check.h"
#include "api/clock.h"
#include "api/gateway.h"
#include "api/owner.h"
#include "base/log.h"
#include "base/text.h"
#include "codec/json.h"
#include "http/http1.h"
#include "server/server.h"
#include "service/sqs/queue.h"
#include "service/sqs/sqs.h"
#include "service/sqs/state.h"
#include "sys/sys.h"
#include <stdatomic.h>
#include <stdio.h>

enum { STEP_MS = 700, CALL_BYTES_MAX = 48 * MIB };

#define REQUEST_ID "00000000-0000-4000-8000-000000000000"

/* ---- a server without a network ------------------------------------------------------------------------------------- */

static const uint64_t start_ms = 1767225600000ull; /* 2026-01-01 */
static uint64_t now_ms;
static struct store *store;
static enum store_durability durability = DURABILITY_MEMORY; /* what is asked of the disk; this one is in memory */
static struct credential_set *_Atomic credentials;
static struct gateway_options options = { .credentials = &credentials, .clock_window_s = 900 };

static inline int64_t wall_ms(void)
{
    return (int64_t)now_ms;
}

static inline uint64_t monotonic_us(void)
{
    return now_ms * 1000;
}

static inline void entropy(void *out, size_t size) /* the same in every run */
{
    memset(out, 0x5a, size);
}

static inline void remove_file(void *context, const char *name)
{
    char path[256];
    (void)context;
    snprintf(path, sizeof(path), "/fuzz/%s", name);
    (void)sys->file.remove(path);
}

static inline struct error try_store(struct arena *arena, struct slice *ret_sentence)
{
    size_t count;
    struct service *const *services = server_services(&count);
    const struct store_options how = { .dir = "/fuzz", .durability = durability, .segment_bytes = 4 * MIB };
    *ret_sentence = SLICE_NONE;
    return owners_open(&how, services, count, arena, &store, ret_sentence);
}

static inline void open_store(void)
{
    struct slice sentence;
    struct arena arena;
    arena_init(&arena, 64 * MIB);
    ASSERT(!failed(try_store(&arena, &sentence)));
    arena_deinit(&arena);
}

static inline void remove_files(void)
{
    (void)sys->file.list_dir("/fuzz", remove_file, NULL);
}

static inline void open_server(void)
{
    static struct sys fake;
    now_ms = start_ms;
    log_set_level(LOG_ERROR);
    fake = sys_memory;
    fake.clock = (struct sys_clocks){ wall_ms, monotonic_us };
    fake.entropy = entropy;
    sys = &fake;
    atomic_store(&credentials, credential_set_development());
    remove_files();
    open_store();
    clock_start(now_ms);
    owners_resume();
}

/* What time alone changes is brought to now first, which is all that a state forgets. */
static inline void digest(uint8_t out[32])
{
    for (uint16_t log = 0; log < LOG_COUNT; log++) {
        struct owner *o = owner_of(log);
        const struct sqs_state *s = o->state[SQS_INDEX];
        o->now_ms = now_ms;
        for (struct link *l = s->queues.next; l != &s->queues; l = l->next)
            queue_advance(LIST_ENTRY(l, struct queue, in_state), now_ms, 0);
    }
    owners_digest(SQS_INDEX, out);
}

/* ---- one request ------------------------------------------------------------------------------------------------------ */

static struct {
    struct http_request request;
    struct header headers[HTTP_HEADERS_MAX];
    struct slice handle, token, task; /* of the replies so far */
    struct arena arena;
    struct buf body, lines;
} g;

static inline void begin_asking(void)
{
    arena_init(&g.arena, CALL_BYTES_MAX);
    g.handle = g.token = g.task = SLICE("");
}

static inline void end_asking(void)
{
    arena_deinit(&g.arena);
}

static inline bool has_own_signature(void)
{
    return !slice_is_none(http_header_find(&g.request, SLICE("authorization"))) ||
           !slice_is_none(http_header_find(&g.request, SLICE("anonymous"))) ||
           (g.request.query.size && memmem(g.request.query.data, g.request.query.size, "X-Amz-", 6));
}

static inline void add_header(struct slice name, struct slice value)
{
    if (g.request.header_count < HTTP_HEADERS_MAX)
        g.headers[g.request.header_count++] = header_of(name, value);
}

/* "2026-01-01T00:00:00Z" -> "20260101T000000Z" */
static inline struct slice amz_date(void)
{
    char iso[21], date[17];
    size_t size = 0;
    text_format_iso8601((int64_t)(now_ms / 1000), iso);
    for (const char *at = iso; *at; at++)
        if (*at != '-' && *at != ':')
            date[size++] = *at;
    return arena_copy(&g.arena, slice_of(date, size));
}

static inline void sign(void)
{
    bool has_target = !slice_is_none(http_header_find(&g.request, SLICE("x-amz-target")));
    struct slice date = amz_date();
    add_header(SLICE("X-Amz-Date"), date);
    const struct sigv4_request view = { .method = g.request.method_text,
        .path = g.request.path,
        .query = g.request.query,
        .headers = g.headers,
        .header_count = g.request.header_count };
    bool is_sts = memmem(g.request.body.data, g.request.body.size, "2011-06-15", 10); /* its version */
    struct slice names = has_target ? SLICE("host;x-amz-date;x-amz-target") : SLICE("host;x-amz-date");
    add_header(
        SLICE("Authorization"), sigv4_sign(&view, g.request.body, SLICE("test"), SLICE("test"), SLICE("us-east-1"),
                                    is_sts ? SLICE("sts") : SLICE("sqs"), date, names, &g.arena));
}

/* With what stands for handles replaced. */
static inline struct slice expand(struct slice text)
{
    struct buf b;
    buf_init(&b);
    for (size_t at = 0; at < text.size; at++) {
        char next = at + 1 < text.size ? text.data[at + 1] : 0;
        bool is_mark = text.data[at] == '$' && (next == 'H' || next == 'T' || next == 'M');
        if (!is_mark) {
            buf_add_byte(&b, text.data[at]);
            continue;
        }
        buf_add(&b, next == 'H' ? g.handle : next == 'T' ? g.token : g.task);
        at++;
    }
    struct slice copy = arena_copy(&g.arena, buf_slice(&b));
    buf_deinit(&b);
    return copy;
}

static inline void run(struct owner *o, struct task *t)
{
    struct call *c = CONTAINER_OF(t, struct call, task);
    c->owner = o;
    c->is_timed_out = true; /* nobody waits here */
    c->error = c->op->run(c, c->in, c->out);
    ASSERT(c->error.code != ERR_PENDING);
    if (failed(c->error) || !c->op->finish)
        return;
    c->error = c->op->finish(c, c->in, c->out);
    ASSERT(c->error.code != ERR_PENDING); /* what was just written is in memory */
}

/* ---- what every reply must be ------------------------------------------------------------------------------------------- */

static inline void check_lines(struct slice lines)
{
    while (lines.size) {
        struct slice line = slice_cut(&lines, '\n');
        ASSERT(slice_ends(line, SLICE("\r")) && !slice_is_none(lines));
        struct slice name = slice_cut(&line, ':');
        ASSERT(name.size > 0 && !slice_is_none(line));
        for (size_t i = 0; i < name.size; i++)
            ASSERT(http1_is_token_byte(name.data[i]));
        for (size_t i = 0; i + 1 < line.size; i++)
            ASSERT((uint8_t)line.data[i] >= ' ' && line.data[i] != 0x7f);
    }
}

static inline void check_json(struct slice body)
{
    struct json_reader r;
    struct arena arena;
    arena_init(&arena, CALL_BYTES_MAX);
    ASSERT(text_utf8_valid(body) == body.size);
    json_reader_init(&r, body, &arena);
    ASSERT(!failed(json_skip(&r)) && !failed(json_end(&r)));
    arena_deinit(&arena);
}

static inline void check_reply(const struct http_reply *reply, const struct call *c)
{
    struct slice body = buf_slice(reply->body_buf);
    ASSERT(reply->status >= 200 && reply->status < 500);
    ASSERT((reply->status == 200) == !failed(c->error));
    ASSERT(!failed(c->error) || body.size <= 16 * KIB);
    check_lines(reply->header_lines);
    if (memmem(reply->content_type.data, reply->content_type.size, "json", 4)) {
        if (body.size)
            check_json(body);
    } else {
        ASSERT(xml_is_well_formed(body));
    }
}

static inline void keep(struct slice body, const char *key, struct slice *ret)
{
    const char *found = body.size ? memmem(body.data, body.size, key, strlen(key)) : NULL;
    if (!found)
        return;
    struct slice rest = slice_from(body, (size_t)(found - body.data) + strlen(key));
    *ret = arena_copy(&g.arena, slice_cut(&rest, '"'));
}

/* ---- the way of one -------------------------------------------------------------------------------------------------------- */

static inline void ask(struct slice text)
{
    struct http1_head head;
    struct http_reply reply = { 0 };
    struct call c = { .task.run = run, .request_id = REQUEST_ID };
    memset(&g.request, 0, sizeof(g.request));
    http1_head_init(&head, &g.request, g.headers);
    text = expand(text);
    if (http1_head_parse(&head, text) != HTTP1_DONE)
        return;
    g.request.body = slice_from(text, head.at);
    if (!has_own_signature())
        sign();
    buf_reset(&g.body);
    buf_reset(&g.lines);
    arena_init(&c.arena, CALL_BYTES_MAX);
    c.error = gateway_head(&c, &g.request, &options);
    if (!failed(c.error))
        c.error = gateway_bind(&c, &g.request, &options);
    if (!failed(c.error) && c.op->where == WHERE_FRONT)
        c.error = c.op->run(&c, c.in, c.out);
    else if (!failed(c.error))
        owner_submit(owner_of(c.log), &c.task);
    gateway_encode(&c, &g.body, &g.lines, &reply);
    check_reply(&reply, &c);
    keep(buf_slice(&g.body), "\"ReceiptHandle\":\"", &g.handle);
    keep(buf_slice(&g.body), "\"NextToken\":\"", &g.token);
    keep(buf_slice(&g.body), "\"TaskHandle\":\"", &g.task);
    arena_deinit(&c.arena);
    ASSERT(!failed(store_flush(store)));
    owners_on_durable();
    now_ms += STEP_MS;
    owners_tick(0, 1, now_ms);
}

#endif

/* wire.c: requests as a client of AWS makes them, and replies as it reads them. See net.h.
 *
 * The encoders are the simulator's own where the server has only a decoder (forms), and the server's where it has both: that
 * these agree with the rest of the world is what test/clients shows.
 */
#include "net.h"
#include "api/bind.h"
#include "auth/sigv4.h"
#include "base/text.h"
#include "codec/json.h"
#include "sys/sys.h"
#include <time.h>

/* ---- forms -------------------------------------------------------------------------------------------------------------------- */

static void add_pair(struct buf *b, struct slice name, struct slice value)
{
    buf_add_byte(b, '&');
    buf_add(b, name);
    buf_add_byte(b, '=');
    text_percent_encode(b, value, false);
}

static struct slice below(struct arena *a, struct slice prefix, struct slice name)
{
    return prefix.size ? arena_printf(a, "%.*s.%.*s", SLICE_ARG(prefix), SLICE_ARG(name)) : name;
}

static void add_fields(
    struct buf *b, struct arena *a, struct slice prefix, const struct shape *shape, const void *value);

static void add_blob(struct buf *b, struct arena *a, struct slice name, struct slice bytes)
{
    char *text = arena_alloc(a, BASE64_ENCODED_BYTES(bytes.size) + 1);
    add_pair(b, name, slice_of(text, text_base64_encode(bytes.data, bytes.size, text)));
}

static void add_list(struct buf *b, struct arena *a, struct slice name, const struct field *f, const struct values *v)
{
    for (size_t i = 0; i < v->count; i++) {
        struct slice item = arena_printf(a, "%.*s.%zu", SLICE_ARG(name), i + 1);
        if (f->of)
            add_fields(b, a, item, f->of, (const char *)v->items + i * f->of->size);
        else
            add_pair(b, item, ((const struct slice *)v->items)[i]);
    }
}

static void add_map(struct buf *b, struct arena *a, struct slice name, const struct field *f, const struct values *v)
{
    const struct pair *pairs = v->items;
    for (size_t i = 0; i < v->count; i++) {
        struct slice item = arena_printf(a, "%.*s.%zu", SLICE_ARG(name), i + 1);
        struct slice value = below(a, item, slice_str(f->query_value));
        add_pair(b, below(a, item, slice_str(f->query_key)), pairs[i].key);
        if (f->of)
            add_fields(b, a, value, f->of, pairs[i].value);
        else
            add_pair(b, value, pairs[i].text);
    }
}

static void add_field(struct buf *b, struct arena *a, struct slice name, const struct field *f, const void *at)
{
    const struct slice *text = at;
    const int64_t *number = at;
    switch (f->kind) {
    case KIND_STR:
        if (!slice_is_none(*text))
            add_pair(b, name, *text);
        return;
    case KIND_BLOB:
        if (!slice_is_none(*text))
            add_blob(b, a, name, *text);
        return;
    case KIND_INT:
        if (*number != INT_ABSENT)
            add_pair(b, name, arena_printf(a, "%lld", (long long)*number));
        return;
    case KIND_LIST:
        add_list(b, a, name, f, at);
        return;
    case KIND_MAP:
        add_map(b, a, name, f, at);
        return;
    default:
        ASSERT(f->kind == KIND_BOOL && *number == INT_ABSENT); /* no request has one */
    }
}

static void add_fields(
    struct buf *b, struct arena *a, struct slice prefix, const struct shape *shape, const void *value)
{
    for (const struct field *f = shape->fields(); f->kind != KIND_END; f++)
        add_field(b, a, below(a, prefix, f->query ? slice_str(f->query) : f->wire), f, (const char *)value + f->offset);
}

/* ---- requests -------------------------------------------------------------------------------------------------------------------- */

static void encode_body(struct sim_call *c, struct buf *body)
{
    const struct call *call = &c->call;
    if (!c->net.is_query) {
        bind_json_encode(body, call->op->in, call->in);
        return;
    }
    buf_printf(body, "Action=%.*s&Version=2012-11-05", SLICE_ARG(call->op->name));
    add_fields(body, &c->call.arena, SLICE(""), call->op->in, call->in);
}

static struct slice date_text(struct sim_call *c)
{
    time_t now = (time_t)c->net.signed_s;
    struct tm tm;
    char *text = arena_alloc(&c->call.arena, 17);
    gmtime_r(&now, &tm);
    return slice_of(text, strftime(text, 17, "%Y%m%dT%H%M%SZ", &tm));
}

static struct slice sign(struct sim_call *c, struct slice date, struct slice target, struct slice body)
{
    const struct header headers[] = { header_of(SLICE("host"), SLICE("localhost:4566")),
        header_of(SLICE("x-amz-date"), date), header_of(SLICE("x-amz-target"), target) };
    const struct sigv4_request view = {
        .method = SLICE("POST"), .path = SLICE("/"), .headers = headers, .header_count = c->net.is_query ? 2 : 3
    };
    return sigv4_sign(&view, body, SLICE("test"), SLICE("test"), SLICE("us-east-1"), SLICE("sqs"), date,
        c->net.is_query ? SLICE("host;x-amz-date") : SLICE("host;x-amz-date;x-amz-target"), &c->call.arena);
}

static void add_chunks(struct buf *b, struct slice body)
{
    while (body.size) {
        size_t most = body.size < 20 * KIB ? body.size : 20 * KIB;
        struct slice chunk = slice_head(body, 1 + (size_t)prng_below(&sim.random, most));
        buf_printf(b, "%zx%s\r\n", chunk.size, prng_one_in(&sim.random, 4) ? ";a=b" : "");
        buf_add(b, chunk);
        buf_add_lit(b, "\r\n");
        body = slice_from(body, chunk.size);
    }
    buf_add_lit(b, "0\r\n\r\n");
}

void wire_encode(struct sim_call *c)
{
    struct buf body, *b = &c->net.request;
    buf_init(&body);
    buf_reset(b);
    c->net.is_query = sim.plan.net.query && prng_one_in(&sim.random, sim.plan.net.query);
    c->net.is_xml = c->net.is_query && (c - sim.calls) % 2;
    c->net.signed_s = sys->clock.wall_ms() / 1000;
    encode_body(c, &body);
    struct slice date = date_text(c);
    struct slice target = arena_printf(&c->call.arena, "AmazonSQS.%.*s", SLICE_ARG(c->call.op->name));
    struct slice authorization = sign(c, date, target, buf_slice(&body));
    bool is_chunked = prng_one_in(&sim.random, 8);
    buf_add_lit(b, "POST / HTTP/1.1\r\nHost: localhost:4566\r\nX-Serial: ");
    c->net.serial_at = b->size;
    buf_printf(b, "%0*d\r\nX-Amz-Date: %.*s\r\nAuthorization: %.*s\r\n", SERIAL_DIGITS, 0, SLICE_ARG(date),
        SLICE_ARG(authorization));
    if (c->net.is_query)
        buf_printf(b, "Content-Type: application/x-www-form-urlencoded\r\n%s",
            c->net.is_xml ? "" : "Accept: application/json\r\n");
    else
        buf_printf(b, "Content-Type: application/x-amz-json-1.0\r\nX-Amz-Target: %.*s\r\n", SLICE_ARG(target));
    if (prng_one_in(&sim.random, 12))
        buf_add_lit(b, "Expect: 100-continue\r\n");
    if (is_chunked)
        buf_add_lit(b, "Transfer-Encoding: chunked\r\n\r\n");
    else
        buf_printf(b, "Content-Length: %zu\r\n\r\n", body.size);
    c->net.head_bytes = b->size;
    if (is_chunked)
        add_chunks(b, buf_slice(&body));
    else
        buf_add(b, buf_slice(&body));
    buf_deinit(&body);
}

/* ---- replies ------------------------------------------------------------------------------------------------------------------------ */

static size_t find(struct slice text, struct slice part)
{
    const char *at = text.size ? memmem(text.data, text.size, part.data, part.size) : NULL;
    return at ? (size_t)(at - text.data) : SIZE_MAX;
}

/* The value of a header of the server's, which writes their names always the same; none if absent. */
static struct slice header(struct slice head, struct slice name)
{
    size_t at = find(head, name);
    if (at == SIZE_MAX)
        return SLICE_NONE;
    struct slice value = slice_from(head, at + name.size);
    return slice_head(value, find(value, SLICE("\r\n")));
}

bool wire_parse_reply(struct slice input, struct wire_reply *ret)
{
    size_t end = find(input, SLICE("\r\n\r\n"));
    if (end == SIZE_MAX)
        return false;
    struct slice head = slice_head(input, end + 4), status = SLICE_NONE, length;
    uint64_t number = 0, bytes = 0;
    if (slice_starts(head, SLICE("HTTP/1.1 ")))
        status = slice_head(slice_from(head, 9), 3);
    CHECK(INV_OWN_REPLY, text_parse_u64(status, &number), "this is no reply: %.*s", SLICE_ARG(slice_head(head, 200)));
    length = header(head, SLICE("\r\nContent-Length: "));
    CHECK(INV_OWN_REPLY, number == 100 || text_parse_u64(length, &bytes), "a reply without a length: %.*s",
        SLICE_ARG(head));
    if (input.size - head.size < bytes)
        return false;
    *ret = (struct wire_reply){ .status = (int)number,
        .head_bytes = head.size,
        .body_bytes = (size_t)bytes,
        .request_id = header(head, SLICE("\r\nx-amzn-RequestId: ")),
        .body = slice_of(input.data + head.size, (size_t)bytes),
        .closes = find(head, SLICE("\r\nConnection: close\r\n")) != SIZE_MAX };
    return true;
}

/* {"XResponse":{"XResult":{..},"ResponseMetadata":{..}}}: the inner object; none if it is something else. */
static struct slice result_of(const struct sim_call *c, struct slice body)
{
    struct slice name = c->call.op->name;
    struct slice front = arena_printf((struct arena *)(uintptr_t)&c->call.arena,
        "{\"%.*sResponse\":{\"%.*sResult\":", SLICE_ARG(name), SLICE_ARG(name));
    size_t end = body.size;
    while (end > 0 && !slice_starts(slice_from(body, end), SLICE(",\"ResponseMetadata\":{\"RequestId\":\"")))
        end--;
    return slice_starts(body, front) && end >= front.size ? slice_from(slice_head(body, end), front.size) : SLICE_NONE;
}

static void add_plain(struct buf *b, struct json_reader *r, const struct shape *shape);

/* [{"Name":..,"Value":..}] as {..:..}; what is none of it breaks the reader. */
static void add_plain_map(struct buf *b, struct json_reader *r, const struct field *f)
{
    struct slice names[] = { slice_str(f->query_key ? f->query_key : "Name"),
        slice_str(f->query_value ? f->query_value : "Value") };
    struct slice name, text;
    int count = 0;
    buf_add_byte(b, '{');
    json_enter_array(r);
    while (json_next_element(r)) {
        json_enter_object(r);
        bool is_entry = json_next_key(r, &name) && slice_equal(name, names[0]) && !failed(json_read_string(r, &text));
        if (is_entry)
            json_write_key(b, &count, text);
        is_entry = is_entry && json_next_key(r, &name) && slice_equal(name, names[1]);
        if (is_entry && f->of)
            add_plain(b, r, f->of);
        else if (is_entry && !failed(json_read_string(r, &text)))
            json_write_string(b, text);
        if (!is_entry || json_next_key(r, &name))
            json_read_null(r); /* there is none */
    }
    buf_add_byte(b, '}');
}

/* What a form is answered with has maps as lists of entries; here they are objects, as in the other protocol. */
static void add_plain(struct buf *b, struct json_reader *r, const struct shape *shape)
{
    struct slice name, raw;
    int count = 0;
    buf_add_byte(b, '{');
    json_enter_object(r);
    while (json_next_key(r, &name)) {
        const struct field *f = shape->fields();
        while (f->kind != KIND_END && !slice_equal(f->wire, name))
            f++;
        json_write_key(b, &count, name);
        if (f->kind == KIND_MAP) {
            add_plain_map(b, r, f);
        } else if (f->kind == KIND_LIST && f->of) {
            json_enter_array(r);
            buf_add_byte(b, '[');
            for (bool is_first = true; json_next_element(r); is_first = false) {
                if (!is_first)
                    buf_add_byte(b, ',');
                add_plain(b, r, f->of);
            }
            buf_add_byte(b, ']');
        } else if (!failed(json_read_raw(r, &raw))) {
            buf_add(b, raw);
        }
    }
    buf_add_byte(b, '}');
}

/* None: it cannot be read. */
static struct slice plain_of(struct sim_call *c, struct slice result)
{
    struct json_reader r;
    struct buf b;
    buf_init(&b);
    json_reader_init(&r, result, &c->call.arena);
    add_plain(&b, &r, c->call.op->out);
    struct slice plain = failed(json_end(&r)) ? SLICE_NONE : arena_copy(&c->call.arena, buf_slice(&b));
    buf_deinit(&b);
    return plain;
}

static bool has_fields(const struct shape *shape)
{
    return shape->fields()[0].kind != KIND_END;
}

void wire_decode(struct sim_call *c, const struct wire_reply *r)
{
    struct call *call = &c->call;
    struct slice body = r->body;
    struct buf again;
    if (c->net.is_xml) {
        body = xml_result_as_json(body, call->op, r->request_id, &call->arena);
        CHECK(INV_OWN_REPLY, !slice_is_none(body), "the reply of %.*s is none: %.*s", SLICE_ARG(call->op->name),
            SLICE_ARG(r->body));
        sim.figures.xml++;
    }
    if (!has_fields(call->op->out)) {
        shape_clear(call->op->out, call->out);
        CHECK(INV_OWN_REPLY, c->net.is_query || body.size == 0, "%.*s says %.*s", SLICE_ARG(call->op->name),
            SLICE_ARG(body));
        return;
    }
    if (c->net.is_query && !c->net.is_xml)
        body = plain_of(c, result_of(c, body));
    struct error e = bind_json_decode(call, call->op->out, body, call->out);
    CHECK(INV_OWN_REPLY, !failed(e) && body.size, "the reply of %.*s cannot be read: %.*s", SLICE_ARG(call->op->name),
        SLICE_ARG(r->body));
    buf_init(&again);
    bind_json_encode(&again, call->op->out, call->out);
    CHECK(INV_OWN_REPLY, slice_equal(buf_slice(&again), buf_slice(&c->net.decided)),
        "%.*s was decided as %.*s, the reply is %.*s", SLICE_ARG(call->op->name), SLICE_ARG(buf_slice(&c->net.decided)),
        SLICE_ARG(r->body));
    buf_deinit(&again);
}

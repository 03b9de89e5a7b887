#include "api/gateway.h"
#include "base/mutant.h"
#include "api/bind.h"
#include "api/origin.h"
#include "api/owner.h"
#include "api/service.h"
#include "base/text.h"
#include "codec/json.h"
#include "codec/xml.h"
#include "sys/sys.h"
#include <stdatomic.h>

/* of requests without a signature's scope */
#define DEFAULT_REGION SLICE("us-east-1")
enum { MESSAGE_BYTES_MAX = 2 * KIB };

/* ---- error rows of the api ----------------------------------------------------------------------------------------- */

static const struct error_row api_rows[] = {
#define API_ERROR(name, shape, query, status, fault, text) { name, #name, shape, query, status, fault, text },
#include "api/errors.def"
#undef API_ERROR
};

void gateway_register(void)
{
    error_rows_register(API_ERROR_FIRST + 1, api_rows, ARRAY_COUNT(api_rows));
}

/* ---- after the head ------------------------------------------------------------------------------------------------ */

/* The client signed the Host that it wrote, which a proxy may have replaced. */
static const struct header *signed_headers(struct call *c, const struct http_request *r)
{
    if (LIKELY(!c->request->client.is_host_told))
        return r->headers;
    struct header *headers = ARENA_ARRAY(&c->arena, struct header, r->header_count);
    memcpy(headers, r->headers, r->header_count * sizeof(*headers));
    for (size_t i = 0; i < r->header_count; i++)
        if (header_is(&headers[i], SLICE("host")))
            headers[i].value = c->request->client.host;
    return headers;
}

static struct sigv4_request signed_view(struct call *c, const struct http_request *r)
{
    return (struct sigv4_request){ .method = r->method_text,
        .path = r->path,
        .query = r->query,
        .headers = signed_headers(c, r),
        .header_count = r->header_count };
}

static bool is_json_call(const struct http_request *r)
{
    return !slice_is_none(http_header_find(r, SLICE("x-amz-target")));
}

static void choose_protocol(struct call *c, const struct http_request *r)
{
    if (is_json_call(r)) {
        c->protocol = PROTOCOL_JSON;
        c->is_query_mode = slice_equal_nocase(http_header_find(r, SLICE("x-amzn-query-mode")), SLICE("true"));
        return;
    }
    struct slice accept = http_header_find(r, SLICE("accept")), json = SLICE("application/json");
    bool is_json = slice_equal_nocase(slice_head(accept, json.size), json); /* the first choice counts */
    c->protocol = is_json ? PROTOCOL_QUERY_JSON : PROTOCOL_QUERY_XML;
}

static struct error signature_error(struct call *c, enum sigv4_result result)
{
    struct slice sentence = c->request->signature.sentence;
    uint32_t code = API_BAD_SIGNATURE;
    switch (result) {
    case SIGV4_OK:
        return OK;
    case SIGV4_NONE:
        code = API_MISSING_AUTHENTICATION;
        break;
    case SIGV4_INCOMPLETE:
        code = API_INCOMPLETE_SIGNATURE;
        break;
    case SIGV4_SKEWED:
        code = API_SIGNATURE_EXPIRED;
        break;
    case SIGV4_EXPIRED:
        code = API_REQUEST_EXPIRED;
        break;
    case SIGV4_UNKNOWN_KEY:
        code = API_UNKNOWN_KEY;
        break;
    case SIGV4_MISMATCH:
        break;
    }
    return slice_is_none(sentence) ? call_fail(c, code, NULL) : call_fail(c, code, "%.*s", SLICE_ARG(sentence));
}

/* A copy: the body may come long after the head, and the set may be replaced meanwhile. */
static bool find_credential(struct call *c, const struct gateway_options *o)
{
    struct credential *kept = &c->request->credential;
    const struct credential_set *set = atomic_load_explicit(o->credentials, memory_order_acquire);
    const struct credential *found = credential_find(set, c->request->signature.access_key, kept, &c->arena);
    if (!found)
        return false;
    if (found != kept)
        *kept = (struct credential){ .access_key = c->request->signature.access_key,
            .secret = arena_copy(&c->arena, found->secret),
            .arn = arena_copy(&c->arena, found->arn),
            .user_id = arena_copy(&c->arena, found->user_id) };
    memcpy(kept->account, found->account, sizeof(kept->account));
    return true;
}

/* A page that a browser fetched from elsewhere must not make calls: with an Origin header, which browsers add to all but
 * the simplest requests, it is judged by that; an image or a link has none, but says where it comes from. */
static struct error check_origin(struct call *c, const struct http_request *r, const struct gateway_options *o)
{
    struct buf lines;
    buf_init(&lines);
    bool may_pass = origin_is_allowed(r, o, &lines);
    if (lines.size)
        c->cors = arena_copy(&c->arena, buf_slice(&lines));
    buf_deinit(&lines);
    bool is_simple = r->method == HTTP_GET && !o->is_any_origin_allowed;
    if (is_simple && slice_equal(http_header_find(r, SLICE("sec-fetch-site")), SLICE("cross-site")))
        may_pass = may_pass && c->cors.size;
    if (!may_pass && !MUTANT(any_origin))
        return call_fail(c, API_FOREIGN_ORIGIN, NULL);
    struct slice foreign = origin_foreign_host(r, c->request->client.host, o);
    if (!slice_is_none(foreign) && !MUTANT(any_host))
        return call_fail(c, API_FOREIGN_HOST, ORIGIN_HOST_SENTENCE, SLICE_ARG(foreign), SLICE_ARG(foreign));
    return OK;
}

static struct error find_client(struct call *c, const struct http_request *r, const struct gateway_options *o)
{
    const char *sentence;
    if (!forwarded_read(r, &c->peer, o, &c->request->client, &sentence))
        return call_fail(c, API_MALFORMED_REQUEST, "%s", sentence);
    c->peer = c->request->client.peer;
    return OK;
}

/* Actions come by POST, and in the query protocol by GET; what else asks is answered without side effects. */
static bool is_api_method(const struct call *c, const struct http_request *r)
{
    return r->method == HTTP_POST || (r->method == HTTP_GET && c->protocol != PROTOCOL_JSON);
}

/* NULL: there is none */
static const struct service *service_of_name(struct slice name)
{
    const struct service *s;
    for (size_t i = 0; (s = owners_service(i)); i++)
        if (slice_equal(s->name, name))
            break;
    return s;
}

struct error gateway_head(struct call *c, const struct http_request *r, const struct gateway_options *o)
{
    c->request = ARENA_NEW(&c->arena, struct gateway_request);
    choose_protocol(c, r);
    TRY(find_client(c, r, o));
    TRY(check_origin(c, r, o));
    if (!is_api_method(c, r))
        return call_fail(c, c->protocol == PROTOCOL_JSON ? API_UNKNOWN_OPERATION : API_MISSING_ACTION, NULL);
    const struct sigv4_request view = signed_view(c, r);
    enum sigv4_result result =
        sigv4_parse(&view, sys->clock.wall_ms() / 1000, o->clock_window_s, &c->arena, &c->request->signature);
    c->request->signature_result = result;
    if (result == SIGV4_NONE)
        return OK; /* a query request without Action is answered before its signature is missed */
    if (c->protocol != PROTOCOL_JSON)
        c->service = service_of_name(c->request->signature.service); /* whose namespace a refusal is in */
    if (result == SIGV4_OK && !find_credential(c, o))
        result = SIGV4_UNKNOWN_KEY;
    return signature_error(c, result);
}

/* ---- with the body -------------------------------------------------------------------------------------------------- */

static struct error verify(struct call *c, const struct http_request *r)
{
    struct gateway_request *g = c->request;
    bool may_be_anonymous = c->op && c->op->route && !c->op->owner_only;
    if (g->signature_result == SIGV4_NONE && may_be_anonymous) {
        caller_anonymous(&c->caller); /* the resource's policy decides */
        c->region = DEFAULT_REGION;
        c->account = SLICE("");
        return OK;
    }
    if (g->signature_result != SIGV4_OK)
        return signature_error(c, g->signature_result);
    const struct sigv4_request view = signed_view(c, r);
    struct slice body = slice_is_none(r->body) ? SLICE("") : r->body;
    TRY(signature_error(c, sigv4_verify(&g->signature, &view, body, g->credential.secret, &c->arena)));
    if (c->service && !slice_equal(g->signature.service, c->service->name) && !MUTANT(any_service_scope))
        return call_fail(c, API_BAD_SIGNATURE, "Credential should be scoped to correct service: '%.*s'.",
            SLICE_ARG(c->service->name));
    if (g->signature.region.size > REGION_BYTES_MAX)
        return call_fail(c, API_INCOMPLETE_SIGNATURE, "Credential should be scoped to a valid region.");
    caller_of_credential(&g->credential, &c->caller);
    c->region = g->signature.region;
    c->account = slice_of(c->caller.account, ACCOUNT_BYTES);
    return OK;
}

static const struct op *find_op(const struct service *s, struct slice name)
{
    for (size_t i = 0; i < s->op_count; i++)
        if (slice_equal(s->ops[i].name, name))
            return &s->ops[i];
    return NULL;
}

static void choose_endpoint(struct call *c, const struct gateway_options *o)
{
    if (!slice_is_none(o->public_url)) {
        c->endpoint = o->public_url;
        return;
    }
    const struct forwarded *client = &c->request->client;
    struct slice host = slice_is_none(client->host) ? SLICE("localhost:4566") : client->host;
    size_t scheme = client->is_tls ? 8 : 7;
    char *text = arena_alloc(&c->arena, scheme + host.size);
    memcpy(text, client->is_tls ? "https://" : "http://", scheme);
    memcpy(text + scheme, host.data, host.size);
    c->endpoint = slice_of(text, scheme + host.size);
}

static void prepare(struct call *c)
{
    c->in = arena_alloc(&c->arena, c->op->in->size + 1);
    c->out = arena_zero(&c->arena, c->op->out->size + 1);
    shape_clear(c->op->out, c->out);
}

static struct error bind_json_call(struct call *c, const struct http_request *r)
{
    struct slice name = http_header_find(r, SLICE("x-amz-target"));
    struct slice prefix = slice_cut(&name, '.');
    for (size_t i = 0; (c->service = owners_service(i)); i++)
        if (slice_equal(c->service->target_prefix, prefix))
            break;
    if (c->service && !slice_is_none(name))
        c->op = find_op(c->service, name);
    if (!c->op)
        return call_fail(c, API_UNKNOWN_OPERATION, NULL);
    TRY(verify(c, r));
    prepare(c);
    struct slice body = slice_is_none(r->body) || r->body.size == 0 ? SLICE("{}") : r->body;
    return bind_json_decode(c, c->op->in, body, c->in);
}

static struct error query_text(struct call *c, const struct http_request *r, struct slice *ret_text)
{
    struct slice query = slice_is_none(r->query) ? SLICE("") : r->query;
    bool is_form = r->method == HTTP_POST && !slice_is_none(r->body) && r->body.size;
    *ret_text = is_form && query.size == 0 ? r->body : query;
    if (!is_form || query.size == 0)
        return OK;
    size_t size = query.size + 1 + r->body.size;
    if (!arena_room(&c->arena, size))
        return call_fail(c, API_BODY_TOO_LARGE, NULL);
    char *text = arena_alloc(&c->arena, size);
    memcpy(text, query.data, query.size);
    text[query.size] = '&';
    memcpy(text + query.size + 1, r->body.data, r->body.size);
    *ret_text = slice_of(text, size);
    return OK;
}

static struct error parse_form(struct call *c, const struct http_request *r, struct form *ret_form)
{
    struct slice text;
    TRY(query_text(c, r, &text));
    struct error e = form_parse(&c->arena, text, ret_form);
    if (e.code == ERR_NO_MEMORY)
        return call_fail(c, API_BODY_TOO_LARGE, NULL);
    if (e.code == ERR_TOO_LARGE)
        return call_fail(c, API_SERIALIZATION, "The form holds more than %d parameters.", FORM_PAIRS_MAX);
    if (failed(e))
        return call_fail(c, API_SERIALIZATION, "The form has a broken escape or bytes that are not UTF-8, at byte %d.",
            (int)e.system);
    return OK;
}

/* "/" alone is the service's endpoint; anything longer is a queue's. */
static bool is_root_path(struct slice path)
{
    return path.size <= 1;
}

static const struct service *service_of_scope(const struct call *c, const struct form *form)
{
    struct slice version = form_get(form, SLICE("Version"));
    const struct service *s;
    for (size_t i = 0; (s = owners_service(i)); i++)
        if (!slice_is_none(version) && slice_equal(s->query_version, version))
            return s;
    s = service_of_name(c->request->signature.service);
    return s ? s : owners_service(0);
}

static struct error bind_query_call(struct call *c, const struct http_request *r)
{
    struct form form;
    TRY(parse_form(c, r, &form));
    struct slice action = form_get(&form, SLICE("Action"));
    if (slice_is_none(action) || action.size == 0)
        return call_fail(c, API_MISSING_ACTION, NULL);
    c->service = service_of_scope(c, &form);
    c->op = find_op(c->service, action);
    TRY(verify(c, r));
    if (!c->op || (!is_root_path(r->path) && !c->op->route))
        return call_fail(c, API_INVALID_ACTION, error_row(API_INVALID_ACTION)->text, SLICE_ARG(action));
    prepare(c);
    return bind_form_decode(c, c->op->in, &form, c->in);
}

struct error gateway_bind(struct call *c, const struct http_request *r, const struct gateway_options *o)
{
    if (!text_percent_decode(&c->arena, r->path, false, &c->path) || text_utf8_valid(c->path) != c->path.size)
        return call_fail(c, API_SERIALIZATION, "The path has a broken percent escape or bytes that are not UTF-8.");
    choose_endpoint(c, o);
    c->trace_header = http_header_find(r, SLICE("x-amzn-trace-id"));
    if (c->protocol == PROTOCOL_JSON)
        TRY(bind_json_call(c, r));
    else
        TRY(bind_query_call(c, r));
    /* The queue URL may come from the path: routes fill it in before "required" is judged. */
    if (c->op->route)
        TRY(c->op->route(c, c->in, c->out));
    return bind_check(c, c->op->in, c->in, c->protocol != PROTOCOL_JSON);
}

/* ---- replies -------------------------------------------------------------------------------------------------------- */

/* What the client sent may be quoted in it, however long that was. */
static struct slice message_of(const struct call *c, const struct error_row *row)
{
    if (slice_is_none(c->error_message))
        return slice_str(row->text);
    struct slice head = slice_head(c->error_message, MESSAGE_BYTES_MAX);
    return slice_head(head, text_utf8_valid(head));
}

/* JSON 1.0 keeps the query status only for clients that asked for it; these and server faults always. */
static int status_of(const struct call *c, const struct error_row *row)
{
    static const uint32_t kept[] = { API_ACCESS_DENIED, API_FOREIGN_ORIGIN, API_FOREIGN_HOST, API_BODY_TOO_LARGE };
    if (c->protocol != PROTOCOL_JSON || c->is_query_mode || row->status >= 500)
        return row->status;
    for (size_t i = 0; i < ARRAY_COUNT(kept); i++)
        if (row->code == kept[i])
            return row->status;
    return 400;
}

static void encode_json_error(struct call *c, const struct error_row *row, struct buf *body, struct buf *lines)
{
    bool is_service = c->service && row->code >= 512;
    bool is_coral = is_service && (row->code == c->service->error_missing || row->code == c->service->error_invalid);
    buf_add_lit(body, "{\"__type\":\"");
    buf_add(body, is_coral || !is_service ? SLICE("com.amazon.coral.service#") : c->service->error_namespace);
    buf_add(body, slice_str(row->shape));
    buf_add_lit(body, "\",\"message\":");
    json_write_string(body, message_of(c, row));
    buf_add_lit(body, "}");
    buf_add_lit(lines, "x-amzn-query-error: ");
    buf_add(lines, slice_str(row->query));
    buf_add(lines, row->fault == SENDER ? SLICE(";Sender\r\n") : SLICE(";Receiver\r\n"));
}

static void encode_xml_error(struct call *c, const struct error_row *row, struct buf *body)
{
    if (row->code == API_MISSING_ACTION) {
        buf_add_lit(body, "<UnknownOperationException/>\n");
        return;
    }
    struct slice namespace = c->service ? c->service->xml_namespace : owners_service(0)->xml_namespace;
    buf_add_lit(body, "<?xml version=\"1.0\"?><ErrorResponse xmlns=\"");
    buf_add(body, namespace);
    buf_add_lit(body, "\"><Error><Type>");
    buf_add(body, row->fault == SENDER ? SLICE("Sender") : SLICE("Receiver"));
    buf_add_lit(body, "</Type>");
    xml_element(body, SLICE("Code"), slice_str(row->query));
    xml_element(body, SLICE("Message"), xml_clean(&c->arena, message_of(c, row)));
    buf_add_lit(body, "<Detail/></Error>");
    xml_element(body, SLICE("RequestId"), slice_str(c->request_id));
    buf_add_lit(body, "</ErrorResponse>");
}

static void encode_query_json_error(struct call *c, const struct error_row *row, struct buf *body)
{
    buf_add_lit(body, "{\"Error\":{\"Code\":");
    json_write_string(body, slice_str(row->query));
    buf_add_lit(body, ",\"Message\":");
    json_write_string(body, message_of(c, row));
    buf_add(body, row->fault == SENDER ? SLICE(",\"Type\":\"Sender\"") : SLICE(",\"Type\":\"Receiver\""));
    buf_add_lit(body, "},\"RequestId\":");
    json_write_string(body, slice_str(c->request_id));
    buf_add_lit(body, "}");
}

static bool has_fields(const struct shape *shape)
{
    return shape->fields()[0].kind != KIND_END;
}

/* An empty result is <NameResult/>, as the real service writes it: some clients look for just that. */
static void encode_result(struct call *c, struct buf *body)
{
    buf_printf(body, "<%.*sResult", SLICE_ARG(c->op->name));
    size_t at = body->size;
    buf_add_lit(body, ">");
    bind_xml_encode(body, c->op->out, c->out);
    if (body->size > at + 1) {
        buf_printf(body, "</%.*sResult>", SLICE_ARG(c->op->name));
    } else {
        body->size = at;
        buf_add_lit(body, "/>");
    }
}

static void encode_xml(struct call *c, struct buf *body)
{
    struct slice name = c->op->name;
    buf_add_lit(body, "<?xml version=\"1.0\"?><");
    buf_add(body, name);
    buf_add_lit(body, "Response xmlns=\"");
    buf_add(body, c->service->xml_namespace);
    buf_add_lit(body, "\">");
    if (has_fields(c->op->out))
        encode_result(c, body);
    buf_add_lit(body, "<ResponseMetadata>");
    xml_element(body, SLICE("RequestId"), slice_str(c->request_id));
    buf_add_lit(body, "</ResponseMetadata></");
    buf_add(body, name);
    buf_add_lit(body, "Response>");
}

static void encode_query_json(struct call *c, struct buf *body)
{
    buf_printf(body, "{\"%.*sResponse\":{", SLICE_ARG(c->op->name));
    if (has_fields(c->op->out)) {
        buf_printf(body, "\"%.*sResult\":", SLICE_ARG(c->op->name));
        bind_query_json_encode(body, c->op->out, c->out);
        buf_add_lit(body, ",");
    }
    buf_printf(body, "\"ResponseMetadata\":{\"RequestId\":\"%s\"}}}", c->request_id);
}

static struct slice content_type_of(const struct call *c)
{
    if (c->protocol == PROTOCOL_JSON)
        return SLICE("application/x-amz-json-1.0");
    bool is_no_action = c->error.code == API_MISSING_ACTION;
    return c->protocol == PROTOCOL_QUERY_JSON && !is_no_action ? SLICE("application/json") : SLICE("text/xml");
}

void gateway_encode(struct call *c, struct buf *body, struct buf *lines, struct http_reply *reply)
{
    buf_add_lit(lines, "x-amzn-RequestId: ");
    buf_add(lines, slice_of(c->request_id, 36));
    buf_add_lit(lines, "\r\n");
    if (c->cors.size)
        buf_add(lines, c->cors);
    reply->status = 200;
    reply->content_type = content_type_of(c);
    if (failed(c->error)) {
        const struct error_row *row = error_row(c->error.code);
        reply->status = status_of(c, row);
        if (c->protocol == PROTOCOL_JSON)
            encode_json_error(c, row, body, lines);
        else if (c->protocol == PROTOCOL_QUERY_XML || row->code == API_MISSING_ACTION)
            encode_xml_error(c, row, body);
        else
            encode_query_json_error(c, row, body);
    } else if (c->protocol == PROTOCOL_JSON) {
        if (has_fields(c->op->out))
            bind_json_encode(body, c->op->out, c->out);
    } else if (c->protocol == PROTOCOL_QUERY_XML) {
        encode_xml(c, body);
    } else {
        encode_query_json(c, body);
    }
    reply->header_lines = buf_slice(lines);
    reply->body_buf = body;
}

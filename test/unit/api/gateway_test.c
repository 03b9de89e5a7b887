/* gateway.c: tables of requests as bytes, with the status, header lines and body that answer them: protocols, signatures,
 * origins, shapes of errors, bounds. A toy service stands behind it; test/clients shows the same with SQS and real SDKs. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "api/clock.h"
#include "api/gateway.h"
#include "api/owner.h"
#include "auth/sigv4.h"
#include "base/text.h"
#include "http/http1.h"
#include "sys/sys.h"
#include "unit/api/test_shapes.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <stdatomic.h>
#include <unistd.h>

/* ---- a service of three operations ------------------------------------------------------------------------------------- */

enum { TOY_FIRST = 512, TOY_GONE = TOY_FIRST, TOY_SLOW_DOWN, TOY_BROKEN, TOY_NEEDED, TOY_WRONG };

static const struct error_row toy_rows[] = {
    { TOY_GONE, "TOY_GONE", "ToyGone", "Toy.NonExistent", 404, SENDER, "The toy is gone." },
    { TOY_SLOW_DOWN, "TOY_SLOW_DOWN", "ToySlowDown", "Toy.SlowDown", 403, SENDER,
        "Only one \"toy\" <at a time> & no more." },
    { TOY_BROKEN, "TOY_BROKEN", "ToyBroken", "Toy.Broken", 500, RECEIVER, "The toy is broken." },
    { TOY_NEEDED, "TOY_NEEDED", "NeededException", "MissingParameter", 400, SENDER,
        "The request must contain the parameter %.*s." },
    { TOY_WRONG, "TOY_WRONG", "WrongException", "InvalidParameterValue", 400, SENDER, "Wrong." },
};

static struct error route_here(struct call *c, const void *in, void *out)
{
    (void)in;
    (void)out;
    c->resource = c->path;
    return OK;
}

static struct error run_echo(struct call *c, const void *in, void *out)
{
    (void)c;
    memcpy(out, in, sizeof(struct test_all));
    return OK;
}

/* Fails with the error that Delay names, quoting Body when there is one. */
static struct error run_fail(struct call *c, const void *in, void *out)
{
    const struct test_all *v = in;
    (void)out;
    if (slice_is_none(v->body))
        return call_fail(c, (uint32_t)v->delay, NULL);
    return call_fail(c, (uint32_t)v->delay, "It was \"%.*s\".", SLICE_ARG(v->body));
}

static struct error run_nothing(struct call *c, const void *in, void *out)
{
    (void)c;
    (void)in;
    (void)out;
    return OK;
}

static const struct op toy_ops[] = {
    { .name = { "Echo", 4 }, .in = &test_all_shape, .out = &test_all_shape, .route = route_here, .run = run_echo },
    { .name = { "Fail", 4 }, .in = &test_all_shape, .out = &test_nothing_shape, .route = route_here, .run = run_fail },
    { .name = { "Nothing", 7 }, .in = &test_nothing_shape, .out = &test_nothing_shape, .run = run_nothing },
    { .name = { "Own", 3 },
        .in = &test_nothing_shape,
        .out = &test_nothing_shape,
        .route = route_here,
        .run = run_nothing,
        .owner_only = "Own" },
};
static struct service toy = { .name = { "toy", 3 },
    .target_prefix = { "AmazonToy", 9 },
    .error_namespace = { "com.amazonaws.toy#", 18 },
    .query_version = { "2020-01-01", 10 },
    .xml_namespace = { "http://toy/", 11 },
    .ops = toy_ops,
    .op_count = ARRAY_COUNT(toy_ops),
    .error_missing = TOY_NEEDED,
    .error_missing_query = TOY_NEEDED,
    .error_invalid = TOY_WRONG };

/* A second one that speaks the query protocol only, as STS does. */
static const struct op who_ops[] = {
    { .name = { "Who", 3 }, .in = &test_nothing_shape, .out = &test_nothing_shape, .run = run_nothing },
};
static struct service who = { .name = { "who", 3 },
    .query_version = { "2021-01-01", 10 },
    .xml_namespace = { "http://who/", 11 },
    .ops = who_ops,
    .op_count = ARRAY_COUNT(who_ops) };

/* ---- one request through the gateway ---------------------------------------------------------------------------------- */

enum signing {
    SIGNED, /* in the header, as the SDKs do */
    UNSIGNED,
    BAD_SECRET,
    UNKNOWN_KEY,
    OTHER_ACCOUNT, /* the key of twelve digits */
    OLD,           /* an hour ago */
    EARLY,         /* an hour ahead */
    OTHER_SERVICE, /* the scope names another service */
    UNKNOWN_OTHER, /* the same with a key that nobody has */
    ODD_REGION,    /* longer than any */
    CHANGED_BODY,
    CHANGED_TARGET,
    NO_HOST_SIGNED,
};

struct request {
    const char *method, *target, *headers, *body; /* headers: "Name: value\r\n" ..., NULL: none */
    enum signing signing;
    const char *host; /* NULL: toy.localhost:4566 */
};

static struct {
    struct call call;
    struct http_request request;
    struct header headers[HTTP_HEADERS_MAX];
    struct arena arena; /* of the request's bytes */
    struct buf body, lines;
    struct http_reply reply;
} g;

static struct gateway_options options;
static struct credential_set *_Atomic credentials;
static struct store *store;
static struct arena store_arena;

static void parse(const char *text)
{
    struct http1_head h;
    memset(&g.request, 0, sizeof(g.request));
    http1_head_init(&h, &g.request, g.headers);
    if (http1_head_parse(&h, slice_str(text)) != HTTP1_DONE)
        fail_msg("not a request (%d %s): %s", h.refusal.status, h.refusal.sentence, text);
}

static const char *text_of(struct slice s)
{
    return arena_printf(&g.arena, "%.*s", SLICE_ARG(s)).data;
}

static const char *join(const char *format, ...) PRINTF_LIKE(1, 2);
static const char *join(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    struct slice text = arena_vprintf(&g.arena, format, args);
    va_end(args);
    return text.data;
}

static const char *date_of(const struct request *r)
{
    time_t now = (time_t)(sys->clock.wall_ms() / 1000) + (r->signing == OLD ? -3600 : r->signing == EARLY ? 3600 : 0);
    struct tm tm;
    char date[32];
    gmtime_r(&now, &tm);
    strftime(date, sizeof(date), "%Y%m%dT%H%M%SZ", &tm);
    return join("%s", date);
}

/* The head as it goes over the wire, signed as the row says. */
static const char *head_of(const struct request *r)
{
    const char *extra = r->headers ? r->headers : "", *date = date_of(r);
    const char *host = r->host ? r->host : "toy.localhost:4566";
    const char *plain = join("%s %s HTTP/1.1\r\nHost: %s\r\n%s", r->method, r->target, host, extra);
    if (r->signing == UNSIGNED)
        return join("%s\r\n", plain);
    plain = join("%sX-Amz-Date: %s\r\n", plain, date);
    const char *signed_target = r->signing == CHANGED_TARGET ? "/elsewhere" : r->target;
    parse(join("%s %s HTTP/1.1\r\nHost: %s\r\n%sX-Amz-Date: %s\r\n\r\n", r->method, signed_target, host, extra, date));
    const struct sigv4_request view = { .method = g.request.method_text,
        .path = g.request.path,
        .query = g.request.query,
        .headers = g.headers,
        .header_count = g.request.header_count };
    bool has_target = !slice_is_none(http_header_find(&g.request, SLICE("x-amz-target")));
    bool has_mode = !slice_is_none(http_header_find(&g.request, SLICE("x-amzn-query-mode")));
    (void)has_mode; /* x-amzn-, not x-amz-: need not be signed */
    const char *names =
        join("%sx-amz-date%s", r->signing == NO_HOST_SIGNED ? "" : "host;", has_target ? ";x-amz-target" : "");
    const char *body = r->signing == CHANGED_BODY ? "other" : r->body ? r->body : "";
    bool is_unknown = r->signing == UNKNOWN_KEY || r->signing == UNKNOWN_OTHER;
    bool is_other = r->signing == OTHER_SERVICE || r->signing == UNKNOWN_OTHER;
    struct slice key = is_unknown                    ? SLICE("nobody")
                       : r->signing == OTHER_ACCOUNT ? SLICE("111122223333")
                                                     : SLICE("test");
    struct slice region =
        r->signing == ODD_REGION ? SLICE("a-region-with-more-than-thirty-two-bytes") : SLICE("us-east-1");
    struct slice authorization =
        sigv4_sign(&view, slice_str(body), key, r->signing == BAD_SECRET ? SLICE("tesT") : SLICE("test"), region,
            is_other ? SLICE("who") : SLICE("toy"), slice_str(date), slice_str(names), &g.arena);
    return join("%sAuthorization: %s\r\n\r\n", plain, text_of(authorization));
}

static void begin(void)
{
    arena_deinit(&g.call.arena);
    arena_deinit(&g.arena);
    memset(&g.call, 0, sizeof(g.call));
    arena_init(&g.call.arena, 48 * MIB);
    arena_init(&g.arena, 64 * MIB);
    memcpy(g.call.request_id, "REQUEST-ID-OF-THIRTY-SIX-CHARACTERS!", 37);
    buf_reset(&g.body);
    buf_reset(&g.lines);
}

/* What front.c does with a call, without sockets and owners. */
static void run(void)
{
    struct call *c = &g.call;
    c->error = gateway_head(c, &g.request, &options);
    if (!failed(c->error))
        c->error = gateway_bind(c, &g.request, &options);
    if (!failed(c->error))
        c->error = c->op->run(c, c->in, c->out);
    memset(&g.reply, 0, sizeof(g.reply));
    gateway_encode(c, &g.body, &g.lines, &g.reply);
}

static void ask(const struct request *r)
{
    begin();
    parse(head_of(r));
    g.request.body = r->body ? slice_str(r->body) : SLICE_NONE;
    run();
}

static struct slice reply_body(void)
{
    return buf_slice(g.reply.body_buf);
}

static void expect_status(const char *what, int status)
{
    if (g.reply.status != status)
        fail_msg("%s: %d instead of %d: %.*s", what, g.reply.status, status, SLICE_ARG(reply_body()));
}

static void expect_body(const char *what, const char *body)
{
    if (!slice_equal(reply_body(), slice_str(body)))
        fail_msg("%s: '%.*s' instead of '%s'", what, SLICE_ARG(reply_body()), body);
}

static void expect_line(const char *what, const char *line, bool is_there)
{
    struct slice lines = g.reply.header_lines;
    bool found = memmem(lines.data, lines.size, line, strlen(line)) != NULL;
    if (found != is_there)
        fail_msg("%s: '%s' is %sin '%.*s'", what, line, found ? "" : "not ", SLICE_ARG(lines));
}

#define JSON(operation) "X-Amz-Target: AmazonToy." operation "\r\nContent-Type: application/x-amz-json-1.0\r\n"
#define FORM "Content-Type: application/x-www-form-urlencoded\r\n"
#define ID "REQUEST-ID-OF-THIRTY-SIX-CHARACTERS!"
#define XML_ERROR(namespace, type, code, message)                                                                      \
    "<?xml version=\"1.0\"?><ErrorResponse xmlns=\"" namespace "\"><Error><Type>" type "</Type><Code>" code            \
                                                               "</Code><Message>" message                              \
                                                               "</Message><Detail/></Error><RequestId>" ID             \
                                                               "</RequestId></ErrorResponse>"
#define XML_OK(operation, inner)                                                                                       \
    "<?xml version=\"1.0\"?><" operation "Response xmlns=\"http://toy/\">" inner "<ResponseMetadata><RequestId>" ID    \
    "</RequestId></ResponseMetadata></" operation "Response>"

/* ---- rows: everything that has one answer --------------------------------------------------------------------------------- */

struct row {
    const char *what;
    struct request request;
    int status;
    const char *body; /* NULL: not looked at */
    const char *type; /* NULL: not looked at */
    const char *line; /* must be among the header lines; NULL: none */
};

static const struct row protocol_rows[] = {
    { .what = "JSON",
        { .method = "POST", "/", JSON("Echo"), "{\"QueueUrl\":\"u\",\"Body\":\"b\"}" },
        200,
        "{\"QueueUrl\":\"u\",\"Body\":\"b\"}",
        "application/x-amz-json-1.0",
        "x-amzn-RequestId: " ID "\r\n" },
    { .what = "JSON on a queue's path",
        { .method = "POST", "/1/q", JSON("Echo"), "{\"QueueUrl\":\"u\"}" },
        200,
        "{\"QueueUrl\":\"u\"}" },
    { .what = "JSON without output",
        { .method = "POST", "/", JSON("Nothing"), "{}" },
        200,
        "",
        "application/x-amz-json-1.0" },
    { .what = "JSON without a body", { .method = "POST", "/", JSON("Nothing"), NULL }, 200, "" },
    { .what = "JSON by GET",
        { .method = "GET", "/", JSON("Nothing"), NULL },
        400,
        "{\"__type\":\"com.amazon.coral.service#UnknownOperationException\",\"message\":\"The action or operation "
        "requested is not known.\"}" },
    { .what = "JSON by PUT", { .method = "PUT", "/", JSON("Nothing"), "{}" }, 400 },
    { .what = "JSON, unknown operation",
        { .method = "POST", "/", JSON("Dance"), "{}" },
        400,
        "{\"__type\":\"com.amazon.coral.service#UnknownOperationException\",\"message\":\"The action or operation "
        "requested is not known.\"}",
        "application/x-amz-json-1.0",
        "x-amzn-query-error: InvalidAction;Sender\r\n" },
    { .what = "JSON, unknown service", { .method = "POST", "/", "X-Amz-Target: Other.Echo\r\n", "{}" }, 400 },
    { .what = "JSON, no operation", { .method = "POST", "/", "X-Amz-Target: AmazonToy\r\n", "{}" }, 400 },
    { .what = "JSON, empty target", { .method = "POST", "/", "X-Amz-Target:\r\n", "{}" }, 400 },
    { .what = "JSON to a query service", { .method = "POST", "/", "X-Amz-Target: .Who\r\n", "{}" }, 400 },

    { .what = "form",
        { .method = "POST", "/", FORM, "Action=Echo&Version=2020-01-01&QueueUrl=u&Body=a%26b" },
        200,
        XML_OK("Echo", "<EchoResult><QueueUrl>u</QueueUrl><Body>a&amp;b</Body></EchoResult>"),
        "text/xml",
        "x-amzn-RequestId: " ID "\r\n" },
    { .what = "query string",
        { .method = "GET", "/?Action=Echo&Version=2020-01-01&QueueUrl=u", NULL, NULL },
        200,
        XML_OK("Echo", "<EchoResult><QueueUrl>u</QueueUrl></EchoResult>") },
    { .what = "query string and form",
        { .method = "POST", "/?Action=Echo&Version=2020-01-01", FORM, "QueueUrl=u" },
        200,
        XML_OK("Echo", "<EchoResult><QueueUrl>u</QueueUrl></EchoResult>") },
    { .what = "form without output",
        { .method = "POST", "/", FORM, "Action=Nothing&Version=2020-01-01" },
        200,
        XML_OK("Nothing", "") },
    { .what = "form, answered in JSON",
        { .method = "POST", "/", "Accept: application/json\r\n", "Action=Echo&Version=2020-01-01&QueueUrl=u" },
        200,
        "{\"EchoResponse\":{\"EchoResult\":{\"QueueUrl\":\"u\"},\"ResponseMetadata\":{\"RequestId\":\"" ID "\"}}}",
        "application/json" },
    { .what = "media types have no case",
        { .method = "POST", "/", "Accept: Application/JSON; q=1, */*\r\n", "Action=Nothing&Version=2020-01-01" },
        200,
        NULL,
        "application/json" },
    { .what = "JSON is not the first choice",
        { .method = "POST", "/", "Accept: text/html, application/json\r\n", "Action=Nothing&Version=2020-01-01" },
        200,
        NULL,
        "text/xml" },
    { .what = "form without output, in JSON",
        { .method = "POST", "/", "Accept: application/json\r\n", "Action=Nothing&Version=2020-01-01" },
        200,
        "{\"NothingResponse\":{\"ResponseMetadata\":{\"RequestId\":\"" ID "\"}}}" },
    { .what = "no Version: the scope's service",
        { .method = "POST", "/", FORM, "Action=Nothing" },
        200,
        XML_OK("Nothing", "") },
    { .what = "unknown Version: the scope's service",
        { .method = "POST", "/", FORM, "Action=Nothing&Version=1999-09-09" },
        200,
        XML_OK("Nothing", "") },
    { .what = "no Action", { .method = "GET", "/", NULL, NULL }, 404, "<UnknownOperationException/>\n", "text/xml" },
    { .what = "no Action, JSON asked for",
        { .method = "GET", "/", "Accept: application/json\r\n", NULL },
        404,
        "<UnknownOperationException/>\n",
        "text/xml" },
    { .what = "no Action, unsigned",
        { .method = "GET", "/", NULL, NULL, UNSIGNED },
        404,
        "<UnknownOperationException/>\n" },
    { .what = "empty Action", { .method = "GET", "/?Action=", NULL, NULL }, 404, "<UnknownOperationException/>\n" },
    { .what = "unknown path",
        { .method = "GET", "/favicon.ico", NULL, NULL, UNSIGNED },
        404,
        "<UnknownOperationException/>\n" },
    { .what = "HEAD does nothing", { .method = "HEAD", "/?Action=Nothing&Version=2020-01-01", NULL, NULL }, 404 },
    { .what = "PUT does nothing", { .method = "PUT", "/?Action=Nothing&Version=2020-01-01", NULL, NULL }, 404 },
    { .what = "DELETE does nothing",
        { .method = "DELETE", "/1/q?Action=Nothing&Version=2020-01-01", NULL, NULL },
        404 },
    { .what = "unknown Action",
        { .method = "GET", "/?Action=Dance&Version=2020-01-01", NULL, NULL },
        400,
        XML_ERROR("http://toy/", "Sender", "InvalidAction", "The action Dance is not valid for this endpoint.") },
    { .what = "unknown Action, in JSON",
        { .method = "GET", "/?Action=Dance&Version=2020-01-01", "Accept: application/json\r\n", NULL },
        400,
        "{\"Error\":{\"Code\":\"InvalidAction\",\"Message\":\"The action Dance is not valid for this "
        "endpoint.\",\"Type\":\"Sender\"},\"RequestId\":\"" ID "\"}",
        "application/json" },
    { .what = "an Action that takes no queue, on a queue's path",
        { .method = "GET", "/1/q?Action=Nothing&Version=2020-01-01", NULL, NULL },
        400,
        XML_ERROR("http://toy/", "Sender", "InvalidAction", "The action Nothing is not valid for this endpoint.") },
    { .what = "an Action that takes one",
        { .method = "GET", "/1/q?Action=Echo&Version=2020-01-01&QueueUrl=u", NULL, NULL },
        200 },
    { .what = "an Action in control characters",
        { .method = "GET", "/?Action=A%01%1FB&Version=2020-01-01", NULL, NULL },
        400,
        XML_ERROR("http://toy/", "Sender", "InvalidAction", "The action A??B is not valid for this endpoint.") },
    { .what = "JSON from a foreign page",
        { .method = "POST", "/", JSON("Nothing") "Origin: https://evil.example\r\n", "{}" },
        403,
        NULL,
        NULL,
        "x-amzn-query-error: AccessDenied;Sender\r\n" },
};

static const struct row signature_rows[] = {
    { .what = "JSON unsigned",
        { .method = "POST", "/", JSON("Nothing"), "{}", UNSIGNED },
        400,
        "{\"__type\":\"com.amazon.coral.service#MissingAuthenticationTokenException\",\"message\":\"Request is missing "
        "Authentication Token\"}",
        NULL,
        "x-amzn-query-error: MissingAuthenticationToken;Sender\r\n" },
    { .what = "JSON unsigned, query mode",
        { .method = "POST", "/", JSON("Nothing") "x-amzn-query-mode: true\r\n", "{}", UNSIGNED },
        403 },
    { .what = "form unsigned",
        { .method = "POST", "/", FORM, "Action=Nothing&Version=2020-01-01", UNSIGNED },
        403,
        XML_ERROR("http://toy/", "Sender", "MissingAuthenticationToken", "Request is missing Authentication Token") },
    { .what = "unsigned, a policy may allow it",
        { .method = "POST", "/", FORM, "Action=Echo&Version=2020-01-01&QueueUrl=u", UNSIGNED },
        200 },
    { .what = "unsigned, never allowed",
        { .method = "POST", "/", FORM, "Action=Own&Version=2020-01-01", UNSIGNED },
        403 },
    { .what = "JSON, bad secret",
        { .method = "POST", "/", JSON("Nothing"), "{}", BAD_SECRET },
        400,
        NULL,
        NULL,
        "x-amzn-query-error: SignatureDoesNotMatch;Sender\r\n" },
    { .what = "form, bad secret",
        { .method = "POST", "/", FORM, "Action=Nothing&Version=2020-01-01", BAD_SECRET },
        403 },
    { .what = "a bad signature where a policy may allow it",
        { .method = "POST", "/", FORM, "Action=Echo&Version=2020-01-01&QueueUrl=u", BAD_SECRET },
        403 },
    { .what = "JSON, unknown key",
        { .method = "POST", "/", JSON("Nothing"), "{}", UNKNOWN_KEY },
        400,
        "{\"__type\":\"com.amazon.coral.service#UnrecognizedClientException\",\"message\":\"The security token "
        "included in the request is invalid.\"}" },
    { .what = "form, unknown key",
        { .method = "POST", "/", FORM, "Action=Nothing&Version=2020-01-01", UNKNOWN_KEY },
        403 },
    { .what = "another account", { .method = "POST", "/", JSON("Nothing"), "{}", OTHER_ACCOUNT }, 200 },
    { .what = "JSON, old",
        { .method = "POST", "/", JSON("Nothing"), "{}", OLD },
        400,
        NULL,
        NULL,
        "x-amzn-query-error: SignatureDoesNotMatch;Sender\r\n" },
    { .what = "form, old", { .method = "POST", "/", FORM, "Action=Nothing&Version=2020-01-01", OLD }, 403 },
    { .what = "form, early", { .method = "POST", "/", FORM, "Action=Nothing&Version=2020-01-01", EARLY }, 403 },
    { .what = "scoped to another service",
        { .method = "POST", "/", JSON("Nothing"), "{}", OTHER_SERVICE },
        400,
        "{\"__type\":\"com.amazon.coral.service#InvalidSignatureException\",\"message\":\"Credential should be scoped "
        "to correct service: 'toy'.\"}" },
    { .what = "scoped to another service, by Version",
        { .method = "POST", "/", FORM, "Action=Nothing&Version=2020-01-01", OTHER_SERVICE },
        403,
        XML_ERROR("http://toy/", "Sender", "SignatureDoesNotMatch",
            "Credential should be scoped to correct service: 'toy'.") },
    { .what = "scoped to the query service",
        { .method = "POST", "/", FORM, "Action=Who&Version=2021-01-01", OTHER_SERVICE },
        200 },
    { .what = "refused before the body, in the scope's namespace",
        { .method = "POST", "/", FORM, "Action=Who&Version=2021-01-01", UNKNOWN_OTHER },
        403,
        XML_ERROR("http://who/", "Sender", "InvalidClientTokenId",
            "The security token included in the request is invalid.") },
    { .what = "a region too long",
        { .method = "POST", "/", JSON("Nothing"), "{}", ODD_REGION },
        400,
        NULL,
        NULL,
        "x-amzn-query-error: IncompleteSignature;Sender\r\n" },
    { .what = "another body",
        { .method = "POST", "/", JSON("Nothing"), "{}", CHANGED_BODY },
        400,
        NULL,
        NULL,
        "x-amzn-query-error: SignatureDoesNotMatch;Sender\r\n" },
    { .what = "another target", { .method = "POST", "/", JSON("Nothing"), "{}", CHANGED_TARGET }, 400 },
    { .what = "Host not signed",
        { .method = "POST", "/", JSON("Nothing"), "{}", NO_HOST_SIGNED },
        400,
        NULL,
        NULL,
        "x-amzn-query-error: IncompleteSignature;Sender\r\n" },
    { .what = "header and query string at once",
        { .method = "GET", "/?Action=Nothing&X-Amz-Signature=00&X-Amz-Algorithm=AWS4-HMAC-SHA256", NULL, NULL },
        400 },
    { .what = "not a signature",
        { .method = "POST", "/", JSON("Nothing") "Authorization: Basic dGVzdDp0ZXN0\r\n", "{}", UNSIGNED },
        400,
        NULL,
        NULL,
        "x-amzn-query-error: IncompleteSignature;Sender\r\n" },
    { .what = "nothing behind the name",
        { .method = "POST", "/", JSON("Nothing") "Authorization: AWS4-HMAC-SHA256\r\n", "{}", UNSIGNED },
        400 },
    { .what = "empty Authorization",
        { .method = "POST", "/", JSON("Nothing") "Authorization:\r\n", "{}", UNSIGNED },
        400 },
};

static const struct row error_rows_of_toy[] = {
    { .what = "JSON collapses 404",
        { .method = "POST", "/", JSON("Fail"), "{\"QueueUrl\":\"u\",\"Delay\":512}" },
        400,
        "{\"__type\":\"com.amazonaws.toy#ToyGone\",\"message\":\"The toy is gone.\"}",
        "application/x-amz-json-1.0",
        "x-amzn-query-error: Toy.NonExistent;Sender\r\n" },
    { .what = "JSON in query mode keeps it",
        { .method = "POST", "/", JSON("Fail") "x-amzn-query-mode: true\r\n", "{\"QueueUrl\":\"u\",\"Delay\":512}" },
        404 },
    { .what = "query mode is a word",
        { .method = "POST", "/", JSON("Fail") "x-amzn-query-mode: TRUE\r\n", "{\"QueueUrl\":\"u\",\"Delay\":512}" },
        404 },
    { .what = "query mode off",
        { .method = "POST", "/", JSON("Fail") "x-amzn-query-mode: false\r\n", "{\"QueueUrl\":\"u\",\"Delay\":512}" },
        400 },
    { .what = "JSON collapses 403",
        { .method = "POST", "/", JSON("Fail"), "{\"QueueUrl\":\"u\",\"Delay\":513}" },
        400,
        "{\"__type\":\"com.amazonaws.toy#ToySlowDown\",\"message\":\"Only one \\\"toy\\\" <at a time> & no more.\"}" },
    { .what = "form keeps it and escapes",
        { .method = "POST", "/", FORM, "Action=Fail&QueueUrl=u&Delay=513" },
        403,
        XML_ERROR(
            "http://toy/", "Sender", "Toy.SlowDown", "Only one &quot;toy&quot; &lt;at a time&gt; &amp; no more.") },
    { .what = "JSON keeps 500",
        { .method = "POST", "/", JSON("Fail"), "{\"QueueUrl\":\"u\",\"Delay\":514}" },
        500,
        "{\"__type\":\"com.amazonaws.toy#ToyBroken\",\"message\":\"The toy is broken.\"}",
        NULL,
        "x-amzn-query-error: Toy.Broken;Receiver\r\n" },
    { .what = "form, receiver",
        { .method = "POST", "/", FORM, "Action=Fail&QueueUrl=u&Delay=514" },
        500,
        XML_ERROR("http://toy/", "Receiver", "Toy.Broken", "The toy is broken.") },
    { .what = "form in JSON",
        { .method = "POST", "/", "Accept: application/json\r\n", "Action=Fail&QueueUrl=u&Delay=514" },
        500,
        "{\"Error\":{\"Code\":\"Toy.Broken\",\"Message\":\"The toy is "
        "broken.\",\"Type\":\"Receiver\"},\"RequestId\":\"" ID "\"}" },
    { .what = "JSON, required",
        { .method = "POST", "/", JSON("Echo"), "{}" },
        400,
        "{\"__type\":\"com.amazon.coral.service#NeededException\",\"message\":\"The request must contain the parameter "
        "QueueUrl.\"}",
        NULL,
        "x-amzn-query-error: MissingParameter;Sender\r\n" },
    { .what = "JSON, null is absent", { .method = "POST", "/", JSON("Echo"), "{\"QueueUrl\":null}" }, 400 },
    { .what = "form, required",
        { .method = "POST", "/", FORM, "Action=Echo" },
        400,
        XML_ERROR("http://toy/", "Sender", "MissingParameter", "The request must contain the parameter QueueUrl.") },
    { .what = "JSON, out of bounds",
        { .method = "POST", "/", JSON("Echo"), "{\"QueueUrl\":\"u\",\"Count\":11}" },
        400,
        "{\"__type\":\"com.amazon.coral.service#WrongException\",\"message\":\"Value 11 for parameter Count is "
        "invalid. Reason: Must be between 1 and 10, if provided.\"}" },
    { .what = "denied: 403 in JSON too",
        { .method = "POST", "/", JSON("Fail"), "{\"QueueUrl\":\"u\",\"Delay\":272}" },
        403,
        NULL,
        NULL,
        "x-amzn-query-error: AccessDenied;Sender\r\n" },
    /* what the layers below say becomes something a client can act on */
    { .what = "too much pending",
        { .method = "POST", "/", JSON("Fail"), "{\"QueueUrl\":\"u\",\"Delay\":AGAIN}" },
        400,
        NULL,
        NULL,
        "x-amzn-query-error: Throttling;Sender\r\n" },
    { .what = "disk full",
        { .method = "POST", "/", JSON("Fail"), "{\"QueueUrl\":\"u\",\"Delay\":FULL}" },
        503,
        NULL,
        NULL,
        "x-amzn-query-error: ServiceUnavailable;Receiver\r\n" },
    { .what = "disk full, form", { .method = "POST", "/", FORM, "Action=Fail&QueueUrl=u&Delay=FULL" }, 503 },
    { .what = "disk failed",
        { .method = "POST", "/", JSON("Fail"), "{\"QueueUrl\":\"u\",\"Delay\":IO}" },
        500,
        NULL,
        NULL,
        "x-amzn-query-error: InternalFailure;Receiver\r\n" },
    { .what = "a quoted text in JSON",
        { .method = "POST", "/", JSON("Fail"), "{\"QueueUrl\":\"u\",\"Delay\":512,\"Body\":\"\\u0001<\\n\\\"\"}" },
        400,
        "{\"__type\":\"com.amazonaws.toy#ToyGone\",\"message\":\"It was \\\"\\u0001<\\n\\\"\\\".\"}" },
    { .what = "a quoted text in XML",
        { .method = "POST", "/", FORM, "Action=Fail&QueueUrl=u&Delay=512&Body=%01%3C%0D%0A%22" },
        404,
        XML_ERROR("http://toy/", "Sender", "Toy.NonExistent", "It was &quot;?&lt;&#xD;\n&quot;&quot;.") },
    { .what = "characters XML has not",
        { .method = "POST", "/", FORM, "Action=Fail&QueueUrl=u&Delay=512&Body=%EF%BF%BF" },
        404,
        XML_ERROR("http://toy/", "Sender", "Toy.NonExistent", "It was &quot;?&quot;.") },
};

static const struct row content_rows[] = {
    { .what = "not JSON",
        { .method = "POST", "/", JSON("Nothing"), "QueueUrl=u" },
        400,
        NULL,
        NULL,
        "x-amzn-query-error: MalformedInput;Sender\r\n" },
    { .what = "an array", { .method = "POST", "/", JSON("Nothing"), "[]" }, 400 },
    { .what = "a string", { .method = "POST", "/", JSON("Nothing"), "\"x\"" }, 400 },
    { .what = "two values", { .method = "POST", "/", JSON("Nothing"), "{}{}" }, 400 },
    { .what = "half an object", { .method = "POST", "/", JSON("Nothing"), "{\"a\":" }, 400 },
    { .what = "a byte order mark", { .method = "POST", "/", JSON("Nothing"), "\xef\xbb\xbf{}" }, 400 },
    { .what = "unknown members",
        { .method = "POST", "/", JSON("Echo"), "{\"QueueUrl\":\"u\",\"Unknown\":{\"a\":[1,2,{}]}}" },
        200,
        "{\"QueueUrl\":\"u\"}" },
    { .what = "the last of two",
        { .method = "POST", "/", JSON("Echo"), "{\"QueueUrl\":\"u\",\"QueueUrl\":\"v\"}" },
        200,
        "{\"QueueUrl\":\"v\"}" },
    { .what = "wrong type", { .method = "POST", "/", JSON("Echo"), "{\"QueueUrl\":5}" }, 400 },
    { .what = "JSON, bytes that are not UTF-8",
        { .method = "POST", "/", JSON("Echo"), "{\"QueueUrl\":\"\xff\"}" },
        400 },
    { .what = "JSON, an overlong form", { .method = "POST", "/", JSON("Echo"), "{\"QueueUrl\":\"\xc0\xaf\"}" }, 400 },
    { .what = "JSON, a surrogate in bytes",
        { .method = "POST", "/", JSON("Echo"), "{\"QueueUrl\":\"\xed\xa0\x80\"}" },
        400 },
    { .what = "JSON, a lone surrogate", { .method = "POST", "/", JSON("Echo"), "{\"QueueUrl\":\"\\ud800\"}" }, 400 },
    { .what = "JSON, in an unknown member",
        { .method = "POST", "/", JSON("Echo"), "{\"QueueUrl\":\"u\",\"x\":\"\xff\"}" },
        400 },
    { .what = "form, bytes that are not UTF-8", { .method = "POST", "/", FORM, "Action=Echo&QueueUrl=\xff" }, 400 },
    { .what = "form, escaped",
        { .method = "POST", "/", FORM, "Action=Echo&QueueUrl=%FF" },
        400,
        XML_ERROR("http://toy/", "Sender", "MalformedInput",
            "The form has a broken escape or bytes that are not UTF-8, at byte 21.") },
    { .what = "form, in a key", { .method = "POST", "/", FORM, "Action=Echo&%FF=x" }, 400 },
    { .what = "form, half an escape", { .method = "POST", "/", FORM, "Action=Echo&QueueUrl=%4" }, 400 },
    { .what = "path, escaped",
        { .method = "POST", "/1/%FF", JSON("Echo"), "{\"QueueUrl\":\"u\"}" },
        400,
        NULL,
        NULL,
        "x-amzn-query-error: MalformedInput;Sender\r\n" },
    { .what = "path, half an escape", { .method = "POST", "/1/%4", JSON("Echo"), "{\"QueueUrl\":\"u\"}" }, 400 },
    { .what = "path, UTF-8", { .method = "POST", "/1/%C3%A4", JSON("Echo"), "{\"QueueUrl\":\"u\"}" }, 200 },
    { .what = "a NUL in a form with a query string",
        { .method = "POST", "/?Action=Echo", FORM, "QueueUrl=u%00v" },
        200,
        NULL },
};

static char *replace(const char *text, const char *word, uint32_t code)
{
    const char *at = strstr(text, word);
    if (!at)
        return NULL;
    return (char *)(uintptr_t)join("%.*s%u%s", (int)(at - text), text, code, at + strlen(word));
}

/* Rows may name base errors: their numbers are not the rows' business. */
static const char *with_codes(const char *body)
{
    static const struct {
        const char *word;
        uint32_t code;
    } codes[] = { { "AGAIN", ERR_AGAIN }, { "FULL", ERR_FULL }, { "IO", ERR_IO } };
    for (size_t i = 0; body && i < ARRAY_COUNT(codes); i++) {
        const char *changed = strstr(body, "Delay") ? replace(body, codes[i].word, codes[i].code) : NULL;
        if (changed)
            return changed;
    }
    return body;
}

static void check_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct row *row = &rows[i];
        struct request r = row->request;
        char body[512];
        begin();
        const char *text = with_codes(r.body);
        if (text) {
            assert_true(strlen(text) < sizeof(body));
            strcpy(body, text);
            r.body = body;
        }
        ask(&r);
        expect_status(row->what, row->status);
        if (row->body)
            expect_body(row->what, row->body);
        if (row->type && !slice_equal(g.reply.content_type, slice_str(row->type)))
            fail_msg("%s: '%.*s' instead of '%s'", row->what, SLICE_ARG(g.reply.content_type), row->type);
        if (row->line)
            expect_line(row->what, row->line, true);
        if (text_utf8_valid(reply_body()) != reply_body().size)
            fail_msg("%s: the reply is not UTF-8", row->what);
    }
}

static void test_protocols(void **state)
{
    (void)state;
    check_rows(protocol_rows, ARRAY_COUNT(protocol_rows));
}

static void test_signatures(void **state)
{
    (void)state;
    check_rows(signature_rows, ARRAY_COUNT(signature_rows));
}

/* The table of contract access 4.4: a row and what becomes of it in every protocol. */
#define LONG_AGO(headers)                                                                                              \
    "/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=test/20150830/us-east-1/toy/aws4_request"                     \
    "&X-Amz-Date=20150830T123600Z&X-Amz-Expires=60&X-Amz-SignedHeaders=" headers "&X-Amz-Signature="                   \
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void expect_refusal(
    const char *headers, const char *target, const char *body, enum signing signing, int status, const char *content)
{
    const struct request r = { "POST", target, headers, body, signing, NULL };
    ask(&r);
    expect_status(content, status);
    struct slice found = reply_body();
    if (!memmem(found.data, found.size, content, strlen(content)))
        fail_msg("'%s' is not in '%.*s'", content, SLICE_ARG(found));
}

static void test_refusals_by_protocol(void **state)
{
    (void)state;
    static const struct {
        enum signing signing;
        const char *shape, *code;
        int status;
        const char *json_target, *form_target;
    } rows[] = {
        { UNSIGNED, "MissingAuthenticationTokenException", "MissingAuthenticationToken", 403, "/", "/" },
        { UNKNOWN_KEY, "UnrecognizedClientException", "InvalidClientTokenId", 403, "/", "/" },
        { BAD_SECRET, "InvalidSignatureException", "SignatureDoesNotMatch", 403, "/", "/" },
        { NO_HOST_SIGNED, "IncompleteSignatureException", "IncompleteSignature", 400, "/", "/" },
        { OLD, "InvalidSignatureException", "SignatureDoesNotMatch", 403, "/", "/" },
        { EARLY, "InvalidSignatureException", "SignatureDoesNotMatch", 403, "/", "/" },
        { UNSIGNED, "InvalidSignatureException", "RequestExpired", 400, LONG_AGO("host%3Bx-amz-target"),
            LONG_AGO("host") },
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        const char *target = rows[i].json_target, *form_target = rows[i].form_target,
                   *form = "Action=Nothing&Version=2020-01-01";
        char type[96], xml[96], json[96], line[96];
        snprintf(type, sizeof(type), "{\"__type\":\"com.amazon.coral.service#%s\"", rows[i].shape);
        snprintf(xml, sizeof(xml), "<Type>Sender</Type><Code>%s</Code>", rows[i].code);
        snprintf(json, sizeof(json), "{\"Error\":{\"Code\":\"%s\"", rows[i].code);
        snprintf(line, sizeof(line), "x-amzn-query-error: %s;Sender\r\n", rows[i].code);
        expect_refusal(JSON("Nothing"), target, "{}", rows[i].signing, 400, type);
        expect_line(rows[i].code, line, true);
        expect_refusal(
            JSON("Nothing") "x-amzn-query-mode: true\r\n", target, "{}", rows[i].signing, rows[i].status, type);
        expect_line(rows[i].code, line, true);
        expect_refusal(FORM, form_target, form, rows[i].signing, rows[i].status, xml);
        expect_refusal(FORM "Accept: application/json\r\n", form_target, form, rows[i].signing, rows[i].status, json);
    }
}

static void test_errors(void **state)
{
    (void)state;
    check_rows(error_rows_of_toy, ARRAY_COUNT(error_rows_of_toy));
}

static void test_contents(void **state)
{
    (void)state;
    check_rows(content_rows, ARRAY_COUNT(content_rows));
}

/* ---- web origins ------------------------------------------------------------------------------------------------------------- */

static void test_origins(void **state)
{
    (void)state;
    static const struct slice configured[] = { { "https://app.example", 19 } };
    static const struct {
        const char *headers;
        const char *method;
        bool may_pass, is_any, has_lines;
    } rows[] = {
        { "", "POST", true, false, false },
        { "Origin: http://localhost\r\n", "POST", true, false, true },
        { "Origin: http://localhost:3000\r\n", "POST", true, false, true },
        { "Origin: https://127.0.0.1:8443\r\n", "POST", true, false, true },
        { "Origin: http://[::1]:1\r\n", "POST", true, false, true },
        { "Origin: https://app.example\r\n", "POST", true, false, true },
        { "Origin: https://app.example:443\r\n", "POST", false, false, false },
        { "Origin: http://app.example\r\n", "POST", false, false, false },
        { "Origin: https://evil.example\r\n", "POST", false, false, false },
        { "Origin: http://localhost.evil.example\r\n", "POST", false, false, false },
        { "Origin: http://localhost:3000.evil.example\r\n", "POST", false, false, false },
        { "Origin: http://127.0.0.1.evil.example\r\n", "POST", false, false, false },
        { "Origin: http://localhost@evil.example\r\n", "POST", false, false, false },
        { "Origin: http://localhost:\r\n", "POST", false, false, false },
        { "Origin: null\r\n", "POST", false, false, false },
        { "Origin:\r\n", "POST", false, false, false },
        { "Origin: file://\r\n", "POST", false, false, false },
        { "Origin: https://evil.example\r\n", "POST", true, true, true },
        { "Sec-Fetch-Site: cross-site\r\n", "GET", false, false, false }, /* an image on a foreign page */
        { "Sec-Fetch-Site: same-site\r\n", "GET", true, false, false },
        { "Sec-Fetch-Site: none\r\n", "GET", true, false, false },
        { "Sec-Fetch-Site: cross-site\r\n", "GET", true, true, false },
        { "Sec-Fetch-Site: cross-site\r\nOrigin: https://app.example\r\n", "GET", true, false, true },
    };
    options.cors_origins = configured;
    options.cors_origin_count = 1;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        bool is_get = !strcmp(rows[i].method, "GET");
        struct request r = { .method = rows[i].method,
            is_get ? "/?Action=Nothing&Version=2020-01-01" : "/",
            rows[i].headers,
            is_get ? NULL : "Action=Nothing" };
        options.is_any_origin_allowed = rows[i].is_any;
        ask(&r);
        expect_status(rows[i].headers, rows[i].may_pass ? 200 : 403);
        expect_line(rows[i].headers, "Access-Control-Allow-Origin: ", rows[i].has_lines);
        expect_line(rows[i].headers, "Vary: Origin\r\n", rows[i].has_lines);
    }
    options.is_any_origin_allowed = false;
    options.cors_origin_count = 0;
}

/* A page whose name was pointed at this machine, signed with the key that everybody knows; which hosts: origin_test.c */
static void test_a_foreign_host_is_told(void **state)
{
    (void)state;
    struct request r = { "GET", "/?Action=Nothing&Version=2020-01-01", NULL, NULL, SIGNED, "evil.example:4566" };
    ask(&r);
    expect_status("a foreign host", 403);
    assert_non_null(strstr(text_of(reply_body()), "<Code>AccessDenied</Code>"));
    assert_non_null(strstr(text_of(reply_body()), "for the host 'evil.example:4566' are refused"));
    assert_non_null(strstr(text_of(reply_body()), "--cors-origins http://evil.example:4566"));
    r.signing = UNSIGNED;
    ask(&r);
    expect_status("not signed", 403);
    r.method = "HEAD";
    ask(&r);
    expect_status("HEAD", 403);
    r = (struct request){ "POST", "/", NULL, "Action=Nothing&Version=2020-01-01", SIGNED, "evil.example" };
    ask(&r);
    expect_status("a page would have to say its origin", 200);
    r = (struct request){ "GET", "/", "X-Amz-Target: Toy_1.Nothing\r\n", NULL, SIGNED, "evil.example" };
    ask(&r);
    expect_status("JSON", 403);
    assert_non_null(strstr(text_of(reply_body()), "#AccessDeniedException\""));
    options.is_any_origin_allowed = true;
    r = (struct request){ "GET", "/?Action=Nothing&Version=2020-01-01", NULL, NULL, SIGNED, "evil.example" };
    ask(&r);
    expect_status("any origin may", 200);
    options.is_any_origin_allowed = false;
}

/* ---- bounds ------------------------------------------------------------------------------------------------------------------- */

static char *repeat(const char *before, const char *piece, size_t count, const char *after)
{
    size_t size = strlen(before) + count * strlen(piece) + strlen(after) + 1;
    char *text = malloc(size), *at = stpcpy(text, before);
    assert_non_null(text);
    for (size_t i = 0; i < count; i++)
        at = stpcpy(at, piece);
    strcpy(at, after);
    return text;
}

/* Whatever fits into the largest body is answered, and the call's memory stays below its bound. */
static void test_huge_bodies(void **state)
{
    (void)state;
    enum { ROOM = HTTP_BODY_BYTES_MAX - 64 };
    static const struct {
        const char *what, *headers, *before, *piece, *after;
        size_t count;
        int status;
    } rows[] = {
        { "a long string", JSON("Echo"), "{\"QueueUrl\":\"", "x", "\"}", ROOM, 200 },
        { "a long string of escapes", JSON("Echo"), "{\"QueueUrl\":\"", "\\u00e9", "\"}", ROOM / 6, 200 },
        { "many members", JSON("Echo"), "{", "\"a\":1,", "\"QueueUrl\":\"u\"}", ROOM / 6 - 3, 200 },
        { "many entries", JSON("Echo"), "{\"QueueUrl\":\"u\",\"Entries\":[", "{},", "{}]}", ROOM / 3 - 20, 400 },
        { "many names", JSON("Echo"), "{\"QueueUrl\":\"u\",\"Names\":[", "\"\",", "\"\"]}", ROOM / 3 - 20, 400 },
        { "many tags", JSON("Echo"), "{\"QueueUrl\":\"u\",\"Tags\":{", "\"a\":\"b\",", "\"a\":\"b\"}}", ROOM / 8 - 20,
            400 },
        { "many blanks", JSON("Echo"), "{\"QueueUrl\":\"u\"", " ", "}", ROOM, 200 },
        { "deep arrays", JSON("Echo"), "{\"QueueUrl\":\"u\",\"x\":", "[", "", ROOM, 400 },
        { "deep objects", JSON("Echo"), "{\"QueueUrl\":\"u\",\"x\":", "{\"a\":", "", ROOM / 6, 400 },
        { "many parameters", FORM, "Action=Echo&QueueUrl=u", "&a=b", "", 1998, 200 },
        { "too many parameters", FORM, "Action=Echo&QueueUrl=u", "&a=b", "", 1999, 400 },
        { "far too many parameters", FORM, "Action=Echo&QueueUrl=u", "&a", "", ROOM / 2, 400 },
        { "many empty pieces", FORM, "Action=Echo&QueueUrl=u", "&", "", ROOM, 200 },
        { "a long value of escapes", FORM, "Action=Echo&QueueUrl=", "%41", "", ROOM / 3, 200 },
        { "a long Action", FORM, "Action=", "A", "", ROOM, 400 },
        { "a far element", FORM, "Action=Echo&QueueUrl=u&Name.99999999999999999999=a", "", "", 0, 200 },
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        char *body = repeat(rows[i].before, rows[i].piece, rows[i].count, rows[i].after);
        assert_true(strlen(body) <= HTTP_BODY_BYTES_MAX);
        struct request r = { .method = "POST", "/", rows[i].headers, body };
        ask(&r);
        expect_status(rows[i].what, rows[i].status);
        assert_true(g.call.arena.used_bytes <= g.call.arena.limit_bytes);
        if (rows[i].status != 200) /* an error quotes what was sent only so far */
            assert_true(reply_body().size < 16 * KIB);
        free(body);
    }
}

/* Depth: what the parser takes and not one more. */
static void test_depth(void **state)
{
    (void)state;
    for (int depth = JSON_DEPTH_MAX - 3; depth <= JSON_DEPTH_MAX + 3; depth++) {
        char body[256] = "{\"QueueUrl\":\"u\",\"x\":";
        for (int i = 1; i < depth; i++)
            strcat(body, "[");
        for (int i = 1; i < depth; i++)
            strcat(body, "]");
        strcat(body, "}");
        struct request r = { .method = "POST", "/", JSON("Echo"), body };
        ask(&r);
        expect_status(body, depth <= JSON_DEPTH_MAX ? 200 : 400);
    }
}

/* A NUL byte as it is ends nothing early: the body is signed and read as a whole. */
static void test_a_raw_nul(void **state)
{
    (void)state;
    static const char body[] = "QueueUrl=u\0v&Body=after";
    struct request r = { .method = "POST", "/?Action=Echo&Version=2020-01-01", FORM, "", UNSIGNED };
    begin();
    parse(head_of(&r));
    g.request.body = slice_of(body, sizeof(body) - 1);
    run();
    expect_status("a raw NUL", 200);
    const struct test_all *v = g.call.out;
    assert_int_equal(v->url.size, 3);
    assert_true(slice_equal(v->body, SLICE("after")));
}

/* ---- who, where ------------------------------------------------------------------------------------------------------------------ */

static void test_what_a_call_knows(void **state)
{
    (void)state;
    struct request r = { .method = "POST",
        "/1%2F2/q",
        JSON("Echo") "X-Amzn-Trace-Id: Root=1-2-3\r\n",
        "{\"QueueUrl\":\"u\"}",
        OTHER_ACCOUNT };
    ask(&r);
    const struct call *c = &g.call;
    assert_true(slice_equal(c->account, SLICE("111122223333")));
    assert_string_equal(c->caller.account, "111122223333");
    assert_true(slice_equal(c->caller.arn, SLICE("arn:aws:iam::111122223333:root")));
    assert_true(slice_equal(c->caller.access_key, SLICE("111122223333")));
    assert_true(slice_equal(c->region, SLICE("us-east-1")));
    assert_true(slice_equal(c->endpoint, SLICE("http://toy.localhost:4566")));
    assert_true(slice_equal(c->path, SLICE("/1/2/q")));
    assert_true(slice_equal(c->trace_header, SLICE("Root=1-2-3")));
    assert_false(c->caller.is_anonymous);
    r.signing = UNSIGNED;
    ask(&r);
    assert_true(c->caller.is_anonymous);
    assert_true(slice_equal(c->region, SLICE("us-east-1")));
    options.public_url = SLICE("https://queues.example");
    r.signing = SIGNED;
    ask(&r);
    options.public_url = SLICE_NONE;
    assert_true(slice_equal(c->endpoint, SLICE("https://queues.example")));
}

/* The set of credentials may go between the head and the body: the call has its own copy, and judges by it. */
static void test_a_reload_meanwhile(void **state)
{
    (void)state;
    struct arena set_arena;
    struct credential_set *set = NULL;
    struct slice sentence;
    char path[] = "/tmp/gateway-test-XXXXXX";
    int fd = mkstemp(path);
    static const char text[] = "test test 000000000000 user/someone\n";
    assert_true(fd >= 0 && write(fd, text, sizeof(text) - 1) == sizeof(text) - 1);
    close(fd);
    arena_init(&set_arena, 4 * MIB);
    assert_false(failed(credential_set_load_from(&sys_real.file, path, &set_arena, &set, &sentence)));
    unlink(path);
    atomic_store(&credentials, set);
    struct request r = { .method = "POST", "/", JSON("Nothing"), "{}" };
    begin();
    parse(head_of(&r));
    g.request.body = SLICE("{}");
    assert_false(failed(gateway_head(&g.call, &g.request, &options)));
    atomic_store(&credentials, credential_set_development());
    arena_deinit(&set_arena);
    assert_false(failed(gateway_bind(&g.call, &g.request, &options)));
    assert_true(slice_equal(g.call.caller.arn, SLICE("arn:aws:iam::000000000000:user/someone")));
    assert_false(g.call.caller.is_root);
}

/* ---- set-up --------------------------------------------------------------------------------------------------------------------- */

static int set_up(void **state)
{
    (void)state;
    static struct service *const services[] = { &toy, &who };
    static struct sys memory;
    const struct store_options store_options = {
        .dir = "gateway-test", .durability = DURABILITY_FSYNC, .segment_bytes = 4 * MIB
    };
    struct slice sentence;
    memory = sys_memory;
    memory.clock = sys_real.clock;
    sys = &memory;
    arena_init(&store_arena, 4 * MIB);
    gateway_register();
    error_rows_register(TOY_FIRST, toy_rows, ARRAY_COUNT(toy_rows));
    assert_false(failed(owners_open(&store_options, services, 2, &store_arena, &store, &sentence)));
    atomic_store(&credentials, credential_set_development());
    options = (struct gateway_options){ .credentials = &credentials, .clock_window_s = 900 };
    buf_init(&g.body);
    buf_init(&g.lines);
    arena_init(&g.call.arena, MIB);
    arena_init(&g.arena, MIB);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    owners_close(false);
    arena_deinit(&g.call.arena);
    arena_deinit(&g.arena);
    arena_deinit(&store_arena);
    buf_deinit(&g.body);
    buf_deinit(&g.lines);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_protocols),
        cmocka_unit_test(test_signatures),
        cmocka_unit_test(test_refusals_by_protocol),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_contents),
        cmocka_unit_test(test_origins),
        cmocka_unit_test(test_a_foreign_host_is_told),
        cmocka_unit_test(test_huge_bodies),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_a_raw_nul),
        cmocka_unit_test(test_what_a_call_knows),
        cmocka_unit_test(test_a_reload_meanwhile),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

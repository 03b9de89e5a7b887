/* http1.c: the head of a request; see http1.h. */
#include "http/http1.h"
#include "base/mutant.h"

#include "base/scan.h"
#include "base/text.h"

/* == Byte classes == */

enum { TOKEN = 1, HOST = 2 };

#define LETTERS(class) ['A' ... 'Z'] = (class), ['a' ... 'z'] = (class)
#define DIGITS(class) ['0' ... '9'] = (class)

/* TOKEN: RFC 9110 5.6.2. HOST: what names, numbers, ports and IPv6 literals are made of, a subset of RFC 3986 3.2.2:
 * sub-delims are legal in a host and in no host that exists, and this value ends up in URLs of replies. */
static const uint8_t classes[256] = {
    LETTERS(TOKEN | HOST),
    DIGITS(TOKEN | HOST),
    ['-'] = TOKEN | HOST,
    ['.'] = TOKEN | HOST,
    ['_'] = TOKEN | HOST,
    ['~'] = TOKEN | HOST,
    ['%'] = TOKEN | HOST,
    ['!'] = TOKEN,
    ['#'] = TOKEN,
    ['$'] = TOKEN,
    ['&'] = TOKEN,
    ['\''] = TOKEN,
    ['*'] = TOKEN,
    ['+'] = TOKEN,
    ['^'] = TOKEN,
    ['`'] = TOKEN,
    ['|'] = TOKEN,
    [':'] = HOST,
    ['['] = HOST,
    [']'] = HOST,
};

bool http1_is_token_byte(char byte)
{
    return (classes[(uint8_t)byte] & TOKEN) != 0;
}

/* Letters, digits and '-', which most names are made of, a block at a time. */
static const char *skip_token(const char *at, const char *end)
{
    for (; end - at >= SCAN_BYTES; at += SCAN_BYTES) {
        scan_block b = scan_load(at);
        scan_mask letter = scan_between(scan_lower(b), 'a', 'z');
        scan_mask other = scan_not(scan_or(scan_or(letter, scan_between(b, '0', '9')), scan_is(b, '-')));
        if (!scan_any(other))
            continue;
        at += scan_index(other);
        break;
    }
    while (at < end && (classes[(uint8_t)*at] & TOKEN))
        at++;
    return at;
}

/* the first control byte except tab; `end` if there is none */
static const char *find_control(const char *at, const char *end)
{
    for (; end - at >= SCAN_BYTES; at += SCAN_BYTES) {
        scan_block b = scan_load(at);
        scan_mask control = scan_and_not(scan_or(scan_below(b, 0x20), scan_is(b, 0x7f)), scan_is(b, '\t'));
        if (scan_any(control))
            return at + scan_index(control);
    }
    for (; at < end; at++)
        if (((uint8_t)*at < 0x20 && *at != '\t') || *at == 0x7f)
            return at;
    return end;
}

/* the first byte that cannot be part of a target: anything but 0x21..0x7e, and '#' */
static const char *find_target_end(const char *at, const char *end)
{
    for (; end - at >= SCAN_BYTES; at += SCAN_BYTES) {
        scan_block b = scan_load(at);
        scan_mask outside =
            scan_or(scan_or(scan_below(b, 0x21), scan_is(b, 0x7f)), scan_or(scan_high(b), scan_is(b, '#')));
        if (scan_any(outside))
            return at + scan_index(outside);
    }
    for (; at < end; at++)
        if ((uint8_t)*at < 0x21 || (uint8_t)*at >= 0x7f || *at == '#')
            return at;
    return end;
}

/* == Refusals == */

static enum http1_result refuse(struct http1_head *h, int status, const char *sentence)
{
    h->refusal = (struct http1_refusal){ status, sentence };
    return HTTP1_BAD;
}

/* == Request line == */

static const struct {
    struct slice text;
    enum http_method method;
} methods[] = {
    { { "GET", 3 }, HTTP_GET },
    { { "PUT", 3 }, HTTP_PUT },
    { { "HEAD", 4 }, HTTP_HEAD },
    { { "POST", 4 }, HTTP_POST },
    { { "PATCH", 5 }, HTTP_PATCH },
    { { "DELETE", 6 }, HTTP_DELETE },
    { { "OPTIONS", 7 }, HTTP_OPTIONS },
};

static enum http_method method_of(struct slice text)
{
    for (size_t index = 0; index < ARRAY_COUNT(methods); index++)
        if (slice_equal(text, methods[index].text))
            return methods[index].method;
    return HTTP_OTHER;
}

static void split_target(struct http_request *r, struct slice path_and_query)
{
    size_t mark = slice_find(path_and_query, '?');
    r->path = slice_head(path_and_query, mark);
    r->query = mark < path_and_query.size ? slice_from(path_and_query, mark + 1) : SLICE_NONE;
}

bool http_is_host(struct slice s)
{
    for (size_t index = 0; index < s.size; index++)
        if (!(classes[(uint8_t)s.data[index]] & HOST))
            return false;
    return true;
}

/* http://authority/path?query: what proxies are asked; RFC 9112 3.2.2 demands that servers understand it too */
static bool parse_absolute(struct http_request *r)
{
    struct slice http = SLICE("http://"), https = SLICE("https://"), rest;
    if (slice_equal_nocase(slice_head(r->target, http.size), http))
        rest = slice_from(r->target, http.size);
    else if (slice_equal_nocase(slice_head(r->target, https.size), https))
        rest = slice_from(r->target, https.size);
    else
        return false;
    size_t end = slice_find(rest, '/'), mark = slice_find(rest, '?');
    if (mark < end)
        end = mark;
    r->host = slice_head(rest, end);
    if (r->host.size == 0 || !http_is_host(r->host)) /* user:password@ is not a host either */
        return false;
    split_target(r, slice_from(rest, end));
    if (r->path.size == 0)
        r->path = SLICE("/");
    return true;
}

static enum http1_result parse_target(struct http1_head *h)
{
    struct http_request *r = h->request;
    if (r->target.data[0] == '/') {
        split_target(r, r->target);
        return HTTP1_DONE;
    }
    if (slice_equal(r->method_text, SLICE("CONNECT")))
        return refuse(h, 501, "CONNECT is for proxies");
    if (r->method == HTTP_OPTIONS && slice_equal(r->target, SLICE("*"))) {
        r->path = r->target;
        return HTTP1_DONE;
    }
    if (parse_absolute(r))
        return HTTP1_DONE;
    return refuse(h, 400, "the request target must begin with '/' or be an http URL");
}

static enum http1_result parse_version(struct http1_head *h, const char *at)
{
    if (memcmp(at, "HTTP/", 5) != 0 || !text_is_digit(at[5]) || at[6] != '.' || !text_is_digit(at[7]))
        return refuse(h, 400, "the request line must end in the HTTP version");
    if (at[8] != '\r' || at[9] != '\n')
        return refuse(h, 400, "the request line must end in CR LF right after the version");
    if (at[5] != '1' || at[7] > '1')
        return refuse(h, 505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
    h->minor = (uint8_t)(at[7] - '0');
    return HTTP1_DONE;
}

enum { VERSION_LINE_END_BYTES = 10 }; /* HTTP/1.1 CR LF */

static enum http1_result parse_request_line(
    struct http1_head *h, const char *at, const char *end, const char **ret_next)
{
    struct http_request *r = h->request;
    const char *method_end = skip_token(at, end);
    if (method_end - at > HTTP_METHOD_BYTES_MAX)
        return refuse(h, 400, "the method is too long");
    if (method_end == end)
        return HTTP1_MORE;
    if (*method_end != ' ' || method_end == at)
        return refuse(h, 400, "a request begins with a method and one blank");
    const char *target = method_end + 1, *target_end = find_target_end(target, end);
    if (target_end - target > HTTP_TARGET_BYTES_MAX)
        return refuse(h, 414, "the request target is too long");
    if (target_end == end)
        return HTTP1_MORE;
    if (*target_end != ' ' || target_end == target)
        return refuse(h, 400, "the request target must be visible ASCII without '#', between single blanks");
    if (end - target_end <= VERSION_LINE_END_BYTES)
        return HTTP1_MORE;
    enum http1_result result = parse_version(h, target_end + 1);
    if (result != HTTP1_DONE)
        return result;
    r->method_text = slice_of(at, (size_t)(method_end - at));
    r->method = method_of(r->method_text);
    r->target = slice_of(target, (size_t)(target_end - target));
    *ret_next = target_end + 1 + VERSION_LINE_END_BYTES;
    return parse_target(h);
}

/* == The headers that concern framing and routing == */

static enum http1_result on_host(struct http1_head *h, struct slice value)
{
    if (h->has_host)
        return refuse(h, 400, "there must be one Host header");
    if (!http_is_host(value))
        return refuse(h, 400, "the Host header is not a host");
    h->has_host = true;
    if (slice_is_none(h->request->host)) /* else the target named the authority */
        h->request->host = value;
    return HTTP1_DONE;
}

static enum http1_result on_content_type(struct http1_head *h, struct slice value)
{
    if (slice_is_none(h->request->content_type))
        h->request->content_type = value;
    return HTTP1_DONE;
}

static enum http1_result on_content_length(struct http1_head *h, struct slice value)
{
    if (h->has_length && !MUTANT(two_lengths))
        return refuse(h, 400, "there must be one Content-Length header");
    if (value.size == 0)
        return refuse(h, 400, "the Content-Length must be a number");
    uint64_t length = 0;
    for (size_t index = 0; index < value.size; index++) {
        if (!text_is_digit(value.data[index]))
            return refuse(h, 400, "the Content-Length must be a number");
        if (length <= HTTP_BODY_BYTES_MAX) /* past it the value no longer matters, and must not wrap */
            length = length * 10 + (uint64_t)(value.data[index] - '0');
    }
    h->has_length = true;
    h->content_length = length;
    return HTTP1_DONE;
}

static enum http1_result on_transfer_encoding(struct http1_head *h, struct slice value)
{
    if (h->has_encoding)
        return refuse(h, 400, "there must be one Transfer-Encoding header");
    h->has_encoding = true;
    h->is_chunked = slice_equal_nocase(value, SLICE("chunked"));
    if (!h->is_chunked)
        return refuse(h, 501, "the only transfer encoding understood is chunked");
    return HTTP1_DONE;
}

static enum http1_result on_connection(struct http1_head *h, struct slice value)
{
    while (!slice_is_none(value)) {
        struct slice option = slice_trim(slice_cut(&value, ','));
        if (slice_equal_nocase(option, SLICE("close")))
            h->says_close = true;
        else if (slice_equal_nocase(option, SLICE("keep-alive")))
            h->says_keep_alive = true;
    }
    return HTTP1_DONE;
}

static enum http1_result on_expect(struct http1_head *h, struct slice value)
{
    if (!slice_equal_nocase(value, SLICE("100-continue")))
        return refuse(h, 417, "the only expectation understood is 100-continue");
    h->expects_continue = true;
    return HTTP1_DONE;
}

static enum http1_result on_header(struct http1_head *h, const struct header *header)
{
#define ON_HEADER(name, on_value)                                                                                      \
    if (header_is(header, SLICE(name)))                                                                                \
    return on_value(h, header->value)
    ON_HEADER("host", on_host);
    ON_HEADER("expect", on_expect);
    ON_HEADER("connection", on_connection);
    ON_HEADER("content-type", on_content_type);
    ON_HEADER("content-length", on_content_length);
    ON_HEADER("transfer-encoding", on_transfer_encoding);
#undef ON_HEADER
    return HTTP1_DONE;
}

/* == Header lines == */

static enum http1_result refuse_name(struct http1_head *h, char byte)
{
    if (byte == ' ' || byte == '\t')
        return refuse(h, 400, "no blanks at the start of a header line or before its colon");
    if (byte == '\n')
        return refuse(h, 400, "lines must end in CR LF");
    return refuse(h, 400, "a header line must be a name, a colon and a value");
}

/* `at` is not the CR of the blank line */
static enum http1_result parse_header_line(struct http1_head *h, const char *at, const char *end, const char **ret_next)
{
    const char *name_end = skip_token(at, end);
    if (name_end == end)
        return HTTP1_MORE;
    if (*name_end != ':' || name_end == at)
        return refuse_name(h, *name_end);
    const char *value = name_end + 1;
    while (value < end && (*value == ' ' || *value == '\t'))
        value++;
    const char *line_end = find_control(value, end);
    if (end - line_end < 2) {
        if (line_end < end && *line_end != '\r')
            return refuse(h, 400, "control bytes are not allowed in header values, and lines end in CR LF");
        return HTTP1_MORE;
    }
    if (line_end[0] != '\r' || line_end[1] != '\n')
        return refuse(h, 400, "control bytes are not allowed in header values, and lines end in CR LF");
    if (h->request->header_count == HTTP_HEADERS_MAX)
        return refuse(h, 431, "too many headers");
    const char *value_end = line_end;
    while (value_end > value && (value_end[-1] == ' ' || value_end[-1] == '\t'))
        value_end--;
    struct header *header = &h->table[h->request->header_count++];
    *header = header_of(slice_of(at, (size_t)(name_end - at)), slice_of(value, (size_t)(value_end - value)));
    *ret_next = line_end + 2;
    return on_header(h, header);
}

/* == The head as a whole == */

void http1_head_init(struct http1_head *h, struct http_request *request, struct header *table)
{
    *h = (struct http1_head){ .request = request, .table = table };
    *request = (struct http_request){ .headers = table, .is_tls = request->is_tls };
}

static enum http1_result finish(struct http1_head *h)
{
    if (h->minor == 1 && !h->has_host)
        return refuse(h, 400, "there must be one Host header");
    if (h->is_chunked && h->has_length && !MUTANT(chunked_and_length))
        return refuse(h, 400, "Content-Length and Transfer-Encoding exclude each other");
    if (h->is_chunked && h->minor == 0)
        return refuse(h, 400, "HTTP/1.0 knows no transfer encoding");
    if (h->content_length > HTTP_BODY_BYTES_MAX)
        return refuse(h, 413, "the body is too large");
    if (h->minor == 0)
        h->expects_continue = false; /* RFC 9110 10.1.1 */
    h->request->is_keep_alive = !h->says_close && (h->minor == 1 || h->says_keep_alive);
    return HTTP1_DONE;
}

/* One line at h->at. HTTP1_DONE: it was the blank one. HTTP1_MORE: incomplete, or `at` moved and there is another. */
static enum http1_result parse_line(struct http1_head *h, const char *start, const char *end)
{
    const char *at = start + h->at, *next = at;
    enum http1_result result;
    if (at == end)
        return HTTP1_MORE;
    if (*at == '\r' && (h->has_request_line || !h->has_blank_line)) {
        if (end - at < 2)
            return HTTP1_MORE;
        if (at[1] != '\n')
            return refuse(h, 400, "lines must end in CR LF");
        h->at += 2;
        if (h->has_request_line)
            return finish(h);
        h->has_blank_line = true; /* one before the request line is forgiven: RFC 9112 2.2 */
        return HTTP1_MORE;
    }
    if (h->has_request_line)
        result = parse_header_line(h, at, end, &next);
    else
        result = parse_request_line(h, at, end, &next);
    if (result == HTTP1_DONE) {
        h->has_request_line = true;
        h->at = (uint32_t)(next - start);
        result = HTTP1_MORE;
    }
    return result;
}

enum http1_result http1_head_parse(struct http1_head *h, struct slice bytes)
{
    struct slice fresh = slice_from(bytes, h->scanned);
    if (h->scanned > h->at && slice_find(fresh, '\n') == fresh.size && bytes.size < HTTP_HEAD_BYTES_MAX) {
        h->scanned = (uint32_t)bytes.size; /* a line that comes in drips is not parsed at each drop */
        return HTTP1_MORE;
    }
    /* what lies behind the largest head is a body's or the next request's */
    const char *end = bytes.data + (bytes.size < HTTP_HEAD_BYTES_MAX ? bytes.size : HTTP_HEAD_BYTES_MAX);
    uint32_t before;
    enum http1_result result;
    do {
        before = h->at;
        result = parse_line(h, bytes.data, end);
    } while (result == HTTP1_MORE && h->at > before);
    if (result != HTTP1_MORE)
        return result;
    h->scanned = (uint32_t)(end - bytes.data);
    if (h->scanned == HTTP_HEAD_BYTES_MAX && !MUTANT(endless_head))
        return refuse(h, 431, "the head of the request is too large");
    return HTTP1_MORE;
}

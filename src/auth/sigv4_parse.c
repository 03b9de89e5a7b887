/* sigv4_parse.c: what the client says about its signature, before any of it is believed. See sigv4.h.
 *
 * Everything that could be read in two ways is refused: a header or parameter of the signature given twice, both forms
 * at once, signed headers that are not lower case and ascending. Sentences quote the client's bytes cut and made
 * printable.
 */
#include "auth/sigv4.h"
#include "auth/sigv4_names.h"
#include "base/mutant.h"

#include "base/limits.h"
#include "base/text.h"

enum {
    SIGNATURE_BYTES = 64,
    SERVICE_BYTES_MAX = 32,
    AMZ_DATE_BYTES = 16, /* 20150830T123600Z */
    EXPIRES_S_MAX = 604800,
    QUOTED_BYTES_MAX = 96,
    PARAMETER_NAME_BYTES_MAX = 20, /* X-Amz-Security-Token */
};

enum part { /* what may be found, in headers, query parameters or inside of Authorization */
    AUTHORIZATION,
    DATE_HEADER,
    AMZ_DATE_HEADER,
    CONTENT_SHA256,
    TOKEN_HEADER,
    ALGORITHM,
    CREDENTIAL,
    AMZ_DATE,
    EXPIRES,
    SIGNED_HEADERS,
    SIGNATURE,
    TOKEN,
    PARTS,
};

struct parser {
    const struct sigv4_request *request;
    struct arena *arena;
    struct sigv4 *s;
    struct slice parts[PARTS]; /* none if absent */
    struct signed_names *own_names;
    const struct signed_names *names; /* these or a memo's */
};

#define INCOMPLETE(p, ...) ((p)->s->sentence = arena_printf((p)->arena, __VA_ARGS__), SIGV4_INCOMPLETE)
#define TRY_PART(expression)                                                                                           \
    do {                                                                                                               \
        enum sigv4_result try_part_ = (expression);                                                                    \
        if (try_part_ != SIGV4_OK)                                                                                     \
            return try_part_;                                                                                          \
    } while (0)

/* A client's bytes for a sentence that goes into JSON or XML. */
static struct slice quoted(struct parser *p, struct slice s)
{
    s = slice_head(s, QUOTED_BYTES_MAX);
    char *out = arena_alloc(p->arena, s.size + 1);
    for (size_t index = 0; index < s.size; index++)
        out[index] = s.data[index] >= ' ' && s.data[index] <= '~' ? s.data[index] : '?';
    return slice_of(out, s.size);
}

/* ---- where the parts are ---------------------------------------------------------------------------------------- */

struct part_row {
    struct slice name; /* lower case for headers; exact for the others */
    enum part part;
    bool is_optional;
};

static const struct part_row header_rows[] = {
    { { "authorization", 13 }, AUTHORIZATION, true },
    { { "x-amz-date", 10 }, AMZ_DATE_HEADER, true },
    { { "date", 4 }, DATE_HEADER, true },
    { { "x-amz-content-sha256", 20 }, CONTENT_SHA256, true },
    { { "x-amz-security-token", 20 }, TOKEN_HEADER, true },
};

static const struct part_row parameter_rows[] = {
    { { "X-Amz-Algorithm", 15 }, ALGORITHM, false },
    { { "X-Amz-Credential", 16 }, CREDENTIAL, false },
    { { "X-Amz-Date", 10 }, AMZ_DATE, false },
    { { "X-Amz-Expires", 13 }, EXPIRES, false },
    { { "X-Amz-SignedHeaders", 19 }, SIGNED_HEADERS, false },
    { { "X-Amz-Signature", 15 }, SIGNATURE, false },
    { { "X-Amz-Security-Token", 20 }, TOKEN, true },
};

static const struct part_row authorization_rows[] = {
    { { "Credential", 10 }, CREDENTIAL, false },
    { { "SignedHeaders", 13 }, SIGNED_HEADERS, false },
    { { "Signature", 9 }, SIGNATURE, false },
};

static enum sigv4_result set_part(struct parser *p, const struct part_row *row, struct slice value)
{
    struct slice *part = &p->parts[row->part];
    if (!slice_is_none(*part))
        return INCOMPLETE(p, "The request gives '%.*s' more than once.", SLICE_ARG(row->name));
    *part = slice_is_none(value) ? SLICE("") : value;
    return SIGV4_OK;
}

static enum sigv4_result scan_headers(struct parser *p)
{
    for (size_t index = 0; index < p->request->header_count; index++) {
        const struct header *h = &p->request->headers[index];
#pragma GCC unroll 8 /* so that the keys of the rows are constants */
        for (size_t row = 0; row < ARRAY_COUNT(header_rows); row++) {
            if (header_is(h, header_rows[row].name))
                TRY_PART(set_part(p, &header_rows[row], slice_trim(h->value)));
        }
    }
    return SIGV4_OK;
}

static enum sigv4_result scan_query(struct parser *p)
{
    struct slice rest = p->request->query;
    while (rest.size) {
        struct slice value = slice_head(rest, slice_find(rest, '&')), name, text;
        rest = slice_from(rest, value.size + 1);
        name = slice_head(value, slice_find(value, '='));
        value = slice_from(value, name.size + 1);
        if (name.size > 3 * PARAMETER_NAME_BYTES_MAX || !text_percent_decode(p->arena, name, true, &name))
            continue; /* no parameter of ours */
        for (size_t row = 0; row < ARRAY_COUNT(parameter_rows); row++) {
            if (!slice_equal(name, parameter_rows[row].name))
                continue;
            if (!text_percent_decode(p->arena, value, true, &text))
                return INCOMPLETE(p, "The query parameter '%.*s' holds a broken escape.", SLICE_ARG(name));
            TRY_PART(set_part(p, &parameter_rows[row], text));
        }
    }
    return SIGV4_OK;
}

static enum sigv4_result check_algorithm(struct parser *p, struct slice algorithm)
{
    if (!slice_equal(algorithm, SLICE("AWS4-HMAC-SHA256"))) {
        struct slice shown = quoted(p, algorithm);
        return INCOMPLETE(
            p, "Unsupported AWS 'algorithm': '%.*s'. Only AWS4-HMAC-SHA256 is accepted.", SLICE_ARG(shown));
    }
    return SIGV4_OK;
}

/* "AWS4-HMAC-SHA256 Credential=..., SignedHeaders=..., Signature=..." in any order */
static enum sigv4_result read_authorization(struct parser *p)
{
    struct slice rest = p->parts[AUTHORIZATION];
    TRY_PART(check_algorithm(p, slice_cut(&rest, ' ')));
    while (rest.size) {
        struct slice value = slice_trim(slice_cut(&rest, ','));
        struct slice name = slice_head(value, slice_find(value, '='));
        size_t row = 0;
        while (row < ARRAY_COUNT(authorization_rows) && !slice_equal(name, authorization_rows[row].name))
            row++;
        if (row == ARRAY_COUNT(authorization_rows) || name.size == value.size) {
            struct slice shown = quoted(p, name);
            return INCOMPLETE(p, "'%.*s' not a valid key=value pair of the Authorization header.", SLICE_ARG(shown));
        }
        TRY_PART(set_part(p, &authorization_rows[row], slice_from(value, name.size + 1)));
    }
    for (size_t row = 0; row < ARRAY_COUNT(authorization_rows); row++) {
        if (slice_is_none(p->parts[authorization_rows[row].part]))
            return INCOMPLETE(
                p, "Authorization header requires '%.*s' parameter.", SLICE_ARG(authorization_rows[row].name));
    }
    return SIGV4_OK;
}

static enum sigv4_result check_parameters(struct parser *p)
{
    for (size_t index = 0; index < ARRAY_COUNT(parameter_rows); index++) {
        const struct part_row *row = &parameter_rows[index];
        if (!row->is_optional && slice_is_none(p->parts[row->part]))
            return INCOMPLETE(p, "AWS query-string parameters must include '%.*s'.", SLICE_ARG(row->name));
    }
    return check_algorithm(p, p->parts[ALGORITHM]);
}

/* ---- credential and date ---------------------------------------------------------------------------------------- */

/* A name of the scope: it is compared, cached and logged, so only what such names are made of. */
static bool is_scope_name(struct slice s, size_t max)
{
    for (size_t index = 0; index < s.size; index++) {
        if (!text_is_alnum(s.data[index]) && s.data[index] != '-' && s.data[index] != '_')
            return false;
    }
    return s.size > 0 && s.size <= max;
}

static enum sigv4_result read_credential(struct parser *p)
{
    struct slice parts[5], rest = p->parts[CREDENTIAL], shown;
    for (size_t index = 0; index < ARRAY_COUNT(parts); index++)
        parts[index] = slice_is_none(rest) ? SLICE_NONE : slice_cut(&rest, '/');
    if (slice_is_none(parts[4]) || !slice_is_none(rest)) {
        shown = quoted(p, p->parts[CREDENTIAL]);
        return INCOMPLETE(p,
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '%.*s'",
            SLICE_ARG(shown));
    }
    if (parts[0].size == 0 || parts[0].size > ACCESS_KEY_BYTES_MAX)
        return INCOMPLETE(p, "The access key id in Credential must have 1 to %d characters.", ACCESS_KEY_BYTES_MAX);
    if (!is_scope_name(parts[2], REGION_BYTES_MAX)) {
        shown = quoted(p, parts[2]);
        return INCOMPLETE(p, "Credential should be scoped to a valid region, not '%.*s'.", SLICE_ARG(shown));
    }
    if (!is_scope_name(parts[3], SERVICE_BYTES_MAX)) {
        shown = quoted(p, parts[3]);
        return INCOMPLETE(p, "Credential should be scoped to a valid service, not '%.*s'.", SLICE_ARG(shown));
    }
    if (!slice_equal(parts[4], SLICE("aws4_request"))) {
        shown = quoted(p, parts[4]);
        return INCOMPLETE(
            p, "Credential should be scoped with a valid terminator: 'aws4_request', not '%.*s'.", SLICE_ARG(shown));
    }
    p->s->access_key = parts[0];
    p->s->day = parts[1];
    p->s->region = parts[2];
    p->s->service = parts[3];
    return SIGV4_OK;
}

static void format_amz_date(int64_t epoch_s, char out[AMZ_DATE_BYTES + 1])
{
    char extended[21]; /* 2015-08-30T12:36:00Z */
    size_t used = 0;
    text_format_iso8601(epoch_s, extended);
    for (size_t index = 0; extended[index] && used < AMZ_DATE_BYTES; index++) {
        if (extended[index] != '-' && extended[index] != ':')
            out[used++] = extended[index];
    }
    out[used] = '\0';
}

/* A Date header of RFC 9110, "Sun, 30 Aug 2015 12:36:00 GMT" (some signers write the zone as -0000 or +0000), in the
 * form that is signed. False if it is none. */
static bool amz_date_of_http_date(struct slice s, char out[AMZ_DATE_BYTES])
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    static const char form[] = "___, 00 ___ 0000 00:00:00 ";
    if (s.size < sizeof form - 1)
        return false;
    struct slice zone = slice_from(s, sizeof form - 1);
    if (!slice_equal(zone, SLICE("GMT")) && !slice_equal(zone, SLICE("-0000")) && !slice_equal(zone, SLICE("+0000")))
        return false;
    for (size_t index = 0; index < sizeof form - 1; index++) {
        bool is_right = form[index] == '0'   ? text_is_digit(s.data[index])
                        : form[index] == '_' ? text_is_alpha(s.data[index])
                                             : form[index] == s.data[index];
        if (!is_right)
            return false;
    }
    unsigned month = 0;
    while (month < 12 && memcmp(months + 3 * month, s.data + 8, 3) != 0)
        month++;
    if (month == 12)
        return false;
    memcpy(out, s.data + 12, 4);
    out[4] = (char)('0' + (month + 1) / 10);
    out[5] = (char)('0' + (month + 1) % 10);
    memcpy(out + 6, s.data + 5, 2);
    out[8] = 'T';
    memcpy(out + 9, s.data + 17, 2);
    memcpy(out + 11, s.data + 20, 2);
    memcpy(out + 13, s.data + 23, 2);
    out[15] = 'Z';
    return true;
}

/* Most are of the same second as the last one. */
static bool parse_date(struct slice text, int64_t *ret_s)
{
    static _Thread_local struct {
        char text[AMZ_DATE_BYTES];
        int64_t s;
    } last = { { "19700101T000000Z" }, 0 };
    if (memcmp(text.data, last.text, AMZ_DATE_BYTES) != 0) {
        if (!text_parse_amz_date(text, &last.s))
            return false;
        memcpy(last.text, text.data, AMZ_DATE_BYTES);
    }
    *ret_s = last.s;
    return true;
}

static enum sigv4_result read_date(struct parser *p)
{
    struct slice given = p->parts[p->s->is_query ? AMZ_DATE : AMZ_DATE_HEADER], shown;
    if (slice_is_none(given))
        given = p->parts[DATE_HEADER];
    if (slice_is_none(given))
        return INCOMPLETE(p, "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.");
    p->s->date = given;
    char converted[AMZ_DATE_BYTES];
    if (given.data == p->parts[DATE_HEADER].data && amz_date_of_http_date(given, converted))
        p->s->date = arena_copy(p->arena, slice_of(converted, sizeof converted));
    if (p->s->date.size != AMZ_DATE_BYTES || !parse_date(p->s->date, &p->s->date_s)) {
        shown = quoted(p, given);
        return INCOMPLETE(
            p, "Date must be in ISO-8601 'basic format' (20150830T123600Z). Got '%.*s'.", SLICE_ARG(shown));
    }
    if (!slice_equal(p->s->day, slice_head(p->s->date, 8))) {
        shown = quoted(p, p->s->day);
        return INCOMPLETE(p,
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
            "'%.*s' != '%.*s', from '%.*s'.",
            SLICE_ARG(shown), 8, p->s->date.data, SLICE_ARG(p->s->date));
    }
    if (p->s->is_query) {
        if (!text_parse_i64(p->parts[EXPIRES], &p->s->expires_s) || p->s->expires_s < 1 ||
            p->s->expires_s > EXPIRES_S_MAX)
            return INCOMPLETE(p, "X-Amz-Expires must be a number of seconds between 1 and %d.", EXPIRES_S_MAX);
    }
    return SIGV4_OK;
}

/* ---- signed headers --------------------------------------------------------------------------------------------- */

static enum sigv4_result read_names(struct parser *p)
{
    struct slice list = p->s->signed_headers;
    if (!signed_names_read(list, p->own_names))
        return INCOMPLETE(p, "SignedHeaders must be lower-case header names in ascending order, separated by ';'.");
    if (!signed_names_hold(p->own_names, list, SLICE("host")))
        return INCOMPLETE(p, "'Host' must be a 'SignedHeader' in the AWS Authorization.");
    p->names = p->own_names;
    return SIGV4_OK;
}

/* Two may go unsigned, as some clients add them last: the hash, which is compared with the body anyway, and the token.
 */
static bool may_be_unsigned(struct slice name)
{
    return slice_equal_nocase(name, SLICE("x-amz-content-sha256")) ||
           slice_equal_nocase(name, SLICE("x-amz-security-token"));
}

static enum sigv4_result check_signed_headers(struct parser *p)
{
    bool is_signed[HTTP_HEADERS_MAX] = { false };
    struct slice missing;
    if (p->request->header_count > HTTP_HEADERS_MAX)
        return INCOMPLETE(p, "The request has more than %d headers.", HTTP_HEADERS_MAX);
    if (!signed_names_match(p->names, p->s->signed_headers, p->request, &p->s->order, &missing)) {
        struct slice shown = quoted(p, missing);
        return INCOMPLETE(p, "The request has no header '%.*s', which SignedHeaders names.", SLICE_ARG(shown));
    }
    for (size_t index = 0; index < p->s->order.count; index++)
        is_signed[p->s->order.at[index] & ~SIGNED_AGAIN] = true;
    for (size_t index = 0; index < p->request->header_count; index++) {
        struct slice name = p->request->headers[index].name;
        if (is_signed[index] || !slice_equal_nocase(slice_head(name, 6), SLICE("x-amz-")) || may_be_unsigned(name))
            continue;
        struct slice shown = quoted(p, name);
        return INCOMPLETE(p, "'%.*s' must be a 'SignedHeader' in the AWS Authorization.", SLICE_ARG(shown));
    }
    return SIGV4_OK;
}

static enum sigv4_result check_hashes(struct parser *p)
{
    const struct sigv4 *s = p->s;
    if (s->signature.size != SIGNATURE_BYTES)
        return INCOMPLETE(p, "The signature must be %d hexadecimal digits.", SIGNATURE_BYTES);
    if (slice_is_none(s->content_sha256))
        return SIGV4_OK;
    uint8_t hash[SIGNATURE_BYTES / 2];
    if (!text_parse_hex(s->content_sha256, hash, sizeof hash)) {
        struct slice shown = quoted(p, s->content_sha256);
        return INCOMPLETE(
            p, "x-amz-content-sha256 must be the SHA-256 of the body in hexadecimal, not '%.*s'.", SLICE_ARG(shown));
    }
    return SIGV4_OK;
}

/* ---- what was read before ---------------------------------------------------------------------------------------

 * Of a client's Authorization headers only the signature differs for a day. It comes last; what comes before it and was found to
 * be right is kept, with the places of its parts. */

enum { MEMOS = 8, MEMO_TEXT_BYTES_MAX = 320, MEMO_PARTS = 5 };

static _Thread_local struct memo {
    size_t size; /* 0: empty */
    struct {
        uint16_t at, size;
    } parts[MEMO_PARTS];
    struct signed_names names;
    char text[MEMO_TEXT_BYTES_MAX];
} memos[MEMOS];

static struct memo *memo_of(struct slice text)
{
    return &memos[header_key(slice_head(text, 48)) / 64 % MEMOS]; /* differs with the access key */
}

static void memo_views(struct sigv4 *s, struct slice *ret_views[MEMO_PARTS])
{
    ret_views[0] = &s->access_key;
    ret_views[1] = &s->day;
    ret_views[2] = &s->region;
    ret_views[3] = &s->service;
    ret_views[4] = &s->signed_headers;
}

static bool recall(struct parser *p)
{
    struct slice given = p->parts[AUTHORIZATION], *views[MEMO_PARTS];
    const struct memo *m = memo_of(given);
    if (m->size == 0 || given.size != m->size + SIGNATURE_BYTES ||
        (memcmp(given.data, m->text, m->size) != 0 && !MUTANT(any_memo)))
        return false;
    p->s->signature = slice_from(given, m->size);
    if (slice_find(p->s->signature, ',') < SIGNATURE_BYTES)
        return false; /* another part begins in there */
    memo_views(p->s, views);
    for (size_t part = 0; part < MEMO_PARTS; part++)
        *views[part] = slice_of(given.data + m->parts[part].at, m->parts[part].size);
    p->names = &m->names;
    return true;
}

static void remember(struct parser *p)
{
    struct slice given = p->parts[AUTHORIZATION], signature = p->s->signature, *views[MEMO_PARTS];
    struct memo *m = memo_of(given);
    size_t size = given.size - signature.size;
    if (signature.size != SIGNATURE_BYTES || signature.data != given.data + size || size > sizeof m->text)
        return;
    memo_views(p->s, views);
    for (size_t part = 0; part < MEMO_PARTS; part++) {
        m->parts[part].at = (uint16_t)(views[part]->data - given.data);
        m->parts[part].size = (uint16_t)views[part]->size;
    }
    m->names = *p->names;
    memcpy(m->text, given.data, size);
    m->size = size;
}

/* ---- time ------------------------------------------------------------------------------------------------------- */

static enum sigv4_result check_window(struct parser *p, int64_t now_s, int64_t window_s)
{
    struct sigv4 *s = p->s;
    bool is_early = s->date_s > now_s + window_s;
    if (s->is_query && !is_early) {
        if (now_s <= s->date_s + s->expires_s)
            return SIGV4_OK;
        s->sentence = SLICE("Request has expired.");
        return SIGV4_EXPIRED;
    }
    if ((!is_early && s->date_s >= now_s - window_s) || MUTANT(no_clock_window))
        return SIGV4_OK;
    char edge[AMZ_DATE_BYTES + 1], now[AMZ_DATE_BYTES + 1];
    format_amz_date(now_s, now);
    format_amz_date(is_early ? now_s + window_s : now_s - window_s, edge);
    s->sentence = arena_printf(p->arena,
        is_early ? "Signature not yet current: %.*s is still later than %s (%s + %lld min.)"
                 : "Signature expired: %.*s is now earlier than %s (%s - %lld min.)",
        SLICE_ARG(s->date), edge, now, (long long)window_s / 60);
    return SIGV4_SKEWED;
}

enum sigv4_result sigv4_parse(
    const struct sigv4_request *r, int64_t now_s, int64_t window_s, struct arena *arena, struct sigv4 *ret)
{
    struct signed_names own_names;
    struct parser p = { .request = r, .arena = arena, .s = ret, .own_names = &own_names };
    *ret = (struct sigv4){ 0 };
    TRY_PART(scan_headers(&p));
    if (r->query.size)
        TRY_PART(scan_query(&p));
    bool is_header = !slice_is_none(p.parts[AUTHORIZATION]);
    ret->is_query =
        !slice_is_none(p.parts[ALGORITHM]) || !slice_is_none(p.parts[CREDENTIAL]) || !slice_is_none(p.parts[SIGNATURE]);
    if (ret->is_query && is_header && !MUTANT(signed_twice))
        return INCOMPLETE(
            &p, "The request is signed twice: give either the Authorization header or the query parameters.");
    if (!ret->is_query && !is_header)
        return SIGV4_NONE;
    if (is_header)
        p.parts[SIGNED_HEADERS] = SLICE_NONE; /* a lone query parameter of that name means nothing */
    if (!is_header || !recall(&p)) {
        TRY_PART(is_header ? read_authorization(&p) : check_parameters(&p));
        ret->signed_headers = p.parts[SIGNED_HEADERS];
        ret->signature = p.parts[SIGNATURE];
        TRY_PART(read_credential(&p));
        TRY_PART(read_names(&p));
        if (is_header)
            remember(&p);
    }
    ret->token = p.parts[is_header ? TOKEN_HEADER : TOKEN];
    ret->content_sha256 = p.parts[CONTENT_SHA256];
    TRY_PART(read_date(&p));
    TRY_PART(check_signed_headers(&p));
    TRY_PART(check_hashes(&p));
    return check_window(&p, now_s, window_s);
}

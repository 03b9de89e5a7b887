/* sigv4_test.c: the vectors of test/vectors/sigv4.txt verify, in every equivalent spelling; with any byte changed none
 * does; malformed signatures are told apart; what a thread remembers of them changes no verdict; what sigv4_sign makes is
 * what sigv4_verify takes.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "auth/sigv4.h"
#include "auth/sigv4_canonical.h"
#include "auth/sigv4_key.h"
#include "base/limits.h"
#include "base/text.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { VECTORS_MAX = 128, HEADERS_MAX = 32, WINDOW_S = 900 };

struct vector {
    struct slice name, secret, body;
    int64_t now_s;
    struct sigv4_request request;
    struct header headers[HEADERS_MAX];
};

static struct arena memory; /* of the vectors */
static struct vector vectors[VECTORS_MAX];
static size_t vector_count;

/* ---- vectors ------------------------------------------------------------------------------------------------------
 */

static struct slice read_whole(const char *path)
{
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    fseek(f, 0, SEEK_END);
    long size = ftell(f);
    rewind(f);
    char *text = arena_alloc(&memory, (size_t)size);
    assert_int_equal(fread(text, 1, (size_t)size, f), size);
    fclose(f);
    return slice_of(text, (size_t)size);
}

static void read_vector_line(struct vector *v, struct slice name, struct slice value)
{
    if (slice_equal(name, SLICE("vector"))) {
        v->name = value;
    } else if (slice_equal(name, SLICE("now"))) {
        assert_true(text_parse_i64(value, &v->now_s));
    } else if (slice_equal(name, SLICE("secret"))) {
        v->secret = value;
    } else if (slice_equal(name, SLICE("method"))) {
        v->request.method = value;
    } else if (slice_equal(name, SLICE("path"))) {
        v->request.path = value;
    } else if (slice_equal(name, SLICE("query"))) {
        v->request.query = value;
    } else if (slice_equal(name, SLICE("body"))) {
        char *bytes = arena_alloc(&memory, value.size / 2);
        assert_true(text_parse_hex(value, bytes, value.size / 2));
        v->body = slice_of(bytes, value.size / 2);
    } else {
        assert_true(slice_equal(name, SLICE("header")));
        struct slice header_name = slice_cut(&value, ':');
        v->headers[v->request.header_count++] = header_of(header_name, slice_from(value, 1));
    }
}

static int load_vectors(void **state)
{
    arena_init(&memory, 64 * MIB);
    struct slice text = read_whole("test/vectors/sigv4.txt");
    while (text.size) {
        struct slice line = slice_cut(&text, '\n');
        if (line.size == 0 || line.data[0] == '#')
            continue;
        struct vector *v = &vectors[vector_count];
        if (slice_equal(line, SLICE("end"))) {
            v->request.headers = v->headers;
            vector_count++;
            continue;
        }
        struct slice name = slice_cut(&line, ' ');
        read_vector_line(v, name, line);
    }
    return vector_count < 90; /* the file must not have shrunk */
}

static int unload_vectors(void **state)
{
    arena_deinit(&memory);
    return 0;
}

static enum sigv4_result check_at(const struct vector *v, int64_t now_s, struct slice *ret_sentence)
{
    struct arena arena;
    struct sigv4 s;
    arena_init(&arena, MIB);
    enum sigv4_result result = sigv4_parse(&v->request, now_s, WINDOW_S, &arena, &s);
    if (result == SIGV4_OK)
        result = sigv4_verify(&s, &v->request, v->body, v->secret, &arena);
    if (ret_sentence)
        *ret_sentence = arena_copy(&memory, s.sentence);
    arena_deinit(&arena);
    return result;
}

static enum sigv4_result check(const struct vector *v)
{
    return check_at(v, v->now_s, NULL);
}

static void expect(const struct vector *v, enum sigv4_result expected, const char *what)
{
    enum sigv4_result result = check(v);
    if (result != expected)
        fail_msg("%.*s, %s: %d instead of %d", SLICE_ARG(v->name), what, result, expected);
}

static struct vector copy_of(const struct vector *v)
{
    struct vector copy = *v;
    copy.request.headers = NULL; /* the caller sets it to its own copy's headers */
    return copy;
}

static struct header *header_named(struct vector *v, const char *name)
{
    for (size_t index = 0; index < v->request.header_count; index++) {
        if (slice_equal_nocase(v->headers[index].name, slice_str(name)))
            return &v->headers[index];
    }
    return NULL;
}

static const struct vector *vector_named(const char *name)
{
    for (size_t index = 0; index < vector_count; index++) {
        if (slice_equal(vectors[index].name, slice_str(name)))
            return &vectors[index];
    }
    fail_msg("no vector %s", name);
    return NULL;
}

static void vectors_verify(void **state)
{
    for (size_t index = 0; index < vector_count; index++)
        expect(&vectors[index], SIGV4_OK, "as it is");
}

/* ---- any change is refused ----------------------------------------------------------------------------------------
 */

/* Flips one bit of each byte in turn. 0x10 never turns a byte into an equivalent spelling (case, '.' and '/', blanks).
 */
static void refuse_flips(struct vector *v, struct slice *part, const char *what)
{
    struct slice whole = *part;
    char *changed = malloc(whole.size + 1);
    assert_non_null(changed);
    for (size_t index = 0; index < whole.size; index++) {
        memcpy(changed, whole.data, whole.size);
        changed[index] ^= 0x10;
        *part = slice_of(changed, whole.size);
        if (check(v) == SIGV4_OK)
            fail_msg("%.*s: byte %zu of %s changed and accepted", SLICE_ARG(v->name), index, what);
    }
    free(changed);
    *part = whole;
    expect(v, SIGV4_OK, "changed back");
}

static bool is_in_list(struct slice list, struct slice name)
{
    while (list.size) {
        if (slice_equal_nocase(slice_cut(&list, ';'), name))
            return true;
    }
    return false;
}

static void flips_are_refused(void **state)
{
    for (size_t index = 0; index < vector_count; index++) {
        struct vector v = copy_of(&vectors[index]);
        struct sigv4 s;
        v.request.headers = v.headers;
        if (slice_equal(v.name, SLICE("header-long")) || slice_equal(v.name, SLICE("body-large")))
            continue; /* only more of the same */
        assert_int_equal(sigv4_parse(&v.request, v.now_s, WINDOW_S, &memory, &s), SIGV4_OK);
        refuse_flips(&v, &v.request.method, "the method");
        if (!memmem(v.request.path.data, v.request.path.size, "..", 2)) /* what ".." takes away does not count */
            refuse_flips(&v, &v.request.path, "the path");
        refuse_flips(&v, &v.request.query, "the query");
        refuse_flips(&v, &v.body, "the body");
        refuse_flips(&v, &v.secret, "the secret");
        for (size_t header = 0; header < v.request.header_count; header++) {
            struct slice name = v.headers[header].name;
            bool is_authorization = slice_equal_nocase(name, SLICE("authorization"));
            if (!is_authorization && !is_in_list(s.signed_headers, name))
                continue;
            if (!is_authorization)
                refuse_flips(&v, &v.headers[header].name, "a signed header's name");
            /* the key id is not signed: who it stands for is looked up, and that secret must fit */
            struct slice *value = &v.headers[header].value;
            if (!is_authorization) {
                refuse_flips(&v, value, "a signed header");
                continue;
            }
            struct slice whole = *value, scope = slice_from(whole, slice_find(whole, '/'));
            char *text = malloc(whole.size);
            assert_non_null(text);
            for (size_t at = (size_t)(scope.data - whole.data); at < whole.size; at++) {
                memcpy(text, whole.data, whole.size);
                text[at] ^= 0x10;
                *value = slice_of(text, whole.size);
                if (check(&v) == SIGV4_OK)
                    fail_msg("%.*s: byte %zu of Authorization changed and accepted", SLICE_ARG(v.name), at);
            }
            free(text);
            *value = whole;
        }
    }
}

static void every_bit_of_signature_and_body_counts(void **state)
{
    struct vector v = copy_of(vector_named("sqs-json"));
    v.request.headers = v.headers;
    struct header *authorization = header_named(&v, "authorization");
    struct slice whole = authorization->value;
    char text[1024];
    for (size_t at = whole.size - 64; at < whole.size; at++) {
        for (int bit = 0; bit < 8; bit++) {
            memcpy(text, whole.data, whole.size);
            text[at] = (char)(text[at] ^ 1 << bit);
            authorization->value = slice_of(text, whole.size);
            assert_int_not_equal(check(&v), SIGV4_OK);
        }
    }
    authorization->value = whole;
    struct slice body = v.body;
    for (size_t at = 0; at < 8 * body.size; at++) {
        memcpy(text, body.data, body.size);
        text[at / 8] = (char)(text[at / 8] ^ 1 << at % 8);
        v.body = slice_of(text, body.size);
        assert_int_equal(check(&v), SIGV4_MISMATCH);
    }
    v.body = slice_head(body, body.size - 1);
    assert_int_equal(check(&v), SIGV4_MISMATCH);
    v.body = SLICE_NONE;
    assert_int_equal(check(&v), SIGV4_MISMATCH);
}

/* ---- equivalent spellings are accepted ------------------------------------------------------------------------------
 */

static struct slice changed_case(struct slice s)
{
    char *out = arena_alloc(&memory, s.size);
    for (size_t index = 0; index < s.size; index++)
        out[index] = text_is_alpha(s.data[index]) && index % 2 ? (char)(s.data[index] ^ 0x20) : s.data[index];
    return slice_of(out, s.size);
}

/* Every third unreserved byte as a %-escape, in lower-case digits; escapes that are there stay. */
static struct slice escaped(struct slice s, bool keep_separators)
{
    struct buf b;
    buf_init(&b);
    for (size_t index = 0; index < s.size; index++) {
        char c = s.data[index];
        bool is_plain = text_is_alnum(c) || (strchr("-_.~", c) && !keep_separators);
        if (c == '%') {
            buf_add(&b, slice_head(slice_from(s, index), 3));
            index += 2;
        } else if (is_plain && index % 3 == 1) {
            buf_printf(&b, "%%%02x", (unsigned char)c);
        } else {
            buf_add_byte(&b, c);
        }
    }
    struct slice out = arena_copy(&memory, buf_slice(&b));
    buf_deinit(&b);
    return out;
}

static void spellings_are_accepted(void **state)
{
    for (size_t index = 0; index < vector_count; index++) {
        struct vector v = copy_of(&vectors[index]);
        v.request.headers = v.headers;
        size_t count = v.request.header_count;
        for (size_t header = 0; header < count; header++) {
            struct header *h = &v.headers[header];
            *h = header_of(changed_case(h->name), arena_printf(&memory, " \t%.*s  ", SLICE_ARG(h->value)));
        }
        expect(&v, SIGV4_OK, "header names in another case, blanks around");
        for (size_t header = 1; header < count; header++) { /* moved to the front; those of one name keep their order */
            struct header h = v.headers[header];
            bool is_repeated = slice_equal_nocase(h.name, v.headers[header - 1].name);
            for (size_t other = 0; other < count; other++)
                is_repeated |= other != header && slice_equal_nocase(h.name, v.headers[other].name);
            if (is_repeated)
                continue;
            memmove(&v.headers[1], &v.headers[0], header * sizeof h);
            v.headers[0] = h;
        }
        expect(&v, SIGV4_OK, "headers in another order");
        v.request.query = escaped(v.request.query, false);
        expect(&v, SIGV4_OK, "unreserved bytes of the query escaped");
        v.request.query = arena_printf(&memory, "&%.*s&&", SLICE_ARG(v.request.query));
        expect(&v, SIGV4_OK, "empty pieces in the query");
    }
}

static void path_spellings_are_accepted(void **state)
{
    static const struct {
        const char *vector, *path;
    } rows[] = {
        { "path-queue", "/123456789012/orders%2efifo" },
        { "path-queue", "/%31%32%33456789012/orders.fifo" },
        { "path-queue", "//123456789012//orders.fifo" },
        { "path-queue", "/x/../123456789012/./orders.fifo" },
        { "path-unreserved", "/%2D%2E_%7e0123456789abcXYZ" },
        { "path-utf8", "/%e1%88%b4" },
        { "get-vanilla", "/./" },
        { "get-vanilla", "/a/.." },
        { "get-vanilla", "" },
    };
    for (size_t row = 0; row < ARRAY_COUNT(rows); row++) {
        struct vector v = copy_of(vector_named(rows[row].vector));
        v.request.headers = v.headers;
        v.request.path = slice_str(rows[row].path);
        expect(&v, SIGV4_OK, rows[row].path);
    }
}

static void other_paths_are_refused(void **state)
{
    static const struct {
        const char *vector, *path;
    } rows[] = {
        { "path-queue", "/123456789012/orders.fif%6F/" },
        { "path-queue", "/123456789012%2Forders.fifo" },
        { "path-queue", "/123456789012/orders.fifo/" },
        { "path-queue", "/123456789012/orders.fifo%" },
        { "path-queue", "/123456789012/ORDERS.fifo" },
        { "path-trailing", "/example" },
        { "path-space", "/a+b/c" },
        { "get-vanilla", "/.../" },
    };
    for (size_t row = 0; row < ARRAY_COUNT(rows); row++) {
        struct vector v = copy_of(vector_named(rows[row].vector));
        v.request.headers = v.headers;
        v.request.path = slice_str(rows[row].path);
        expect(&v, SIGV4_MISMATCH, rows[row].path);
    }
}

static void plus_is_a_blank_in_the_query(void **state)
{
    struct vector v = copy_of(vector_named("query-space")); /* a=b%20c&d=%2B */
    v.request.headers = v.headers;
    v.request.query = SLICE("a=b+c&d=%2B");
    expect(&v, SIGV4_OK, "plus for a blank");
    v.request.query = SLICE("a=b%20c&d=+");
    expect(&v, SIGV4_MISMATCH, "plus for a plus");
}

/* ---- what is malformed --------------------------------------------------------------------------------------------
 */

#define HOST "Host: h\n"
#define DATE "X-Amz-Date: 20150830T123600Z\n"
#define SCOPE "AKID/20150830/us-east-1/sqs/aws4_request"
#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define SIGNED "SignedHeaders=host;x-amz-date"
#define AUTH "Authorization: AWS4-HMAC-SHA256 Credential=" SCOPE ", " SIGNED ", Signature=" HEX "\n"
#define PRESIGNED(credential, date, expires)                                                                           \
    "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=" credential "&X-Amz-Date=" date "&X-Amz-Expires=" expires      \
    "&X-Amz-SignedHeaders=host&X-Amz-Signature=" HEX
#define SCOPE_ESCAPED "AKID%2F20150830%2Fus-east-1%2Fsqs%2Faws4_request"

static const struct malformed_row {
    const char *headers, *query;
    enum sigv4_result result;
    const char *sentence; /* holds this */
} malformed_rows[] = {
    /* well formed, and nothing at all */
    { HOST DATE AUTH, "", SIGV4_OK, "" },
    { HOST, PRESIGNED(SCOPE_ESCAPED, "20150830T123600Z", "60"), SIGV4_OK, "" },
    { HOST DATE "Authorization: AWS4-HMAC-SHA256 Signature=" HEX ",Credential=" SCOPE "," SIGNED "\n", "", SIGV4_OK,
        "" },
    { HOST DATE, "Action=x", SIGV4_NONE, "" },
    { HOST, "X-Amz-Date=1&X-Amz-Expires=2&X-Amz-SignedHeaders=x", SIGV4_NONE, "" },
    { HOST DATE AUTH, "X-Amz-Date=1&X-Amz-Expires=x&X-Amz-SignedHeaders=x&X-Amz-Security-Token=t", SIGV4_OK, "" },
    /* twice */
    { HOST DATE AUTH, PRESIGNED(SCOPE_ESCAPED, "20150830T123600Z", "60"), SIGV4_INCOMPLETE, "signed twice" },
    { HOST DATE AUTH, "X-Amz-Signature=1", SIGV4_INCOMPLETE, "signed twice" },
    { HOST DATE AUTH, "%58-Amz-Signature=1", SIGV4_INCOMPLETE, "signed twice" },
    { HOST DATE AUTH AUTH, "", SIGV4_INCOMPLETE, "'authorization' more than once" },
    { HOST DATE DATE AUTH, "", SIGV4_INCOMPLETE, "'x-amz-date' more than once" },
    { HOST, PRESIGNED(SCOPE_ESCAPED, "20150830T123600Z", "60") "&X-Amz-Expires=7", SIGV4_INCOMPLETE,
        "'X-Amz-Expires' more" },
    /* Authorization */
    { HOST DATE "Authorization:\n", "", SIGV4_INCOMPLETE, "Unsupported AWS 'algorithm': ''" },
    { HOST DATE "Authorization: Basic dGVzdDp0ZXN0\n", "", SIGV4_INCOMPLETE, "'algorithm': 'Basic'" },
    { HOST DATE "Authorization: AWS4-HMAC-SHA256\n", "", SIGV4_INCOMPLETE, "requires 'Credential'" },
    { HOST DATE "Authorization: AWS4-HMAC-SHA256 Credential=" SCOPE ", Signature=" HEX "\n", "", SIGV4_INCOMPLETE,
        "requires 'SignedHeaders'" },
    { HOST DATE "Authorization: AWS4-HMAC-SHA256 Credential=" SCOPE ", " SIGNED "\n", "", SIGV4_INCOMPLETE,
        "requires 'Signature'" },
    { HOST DATE "Authorization: AWS4-HMAC-SHA256 Credential=" SCOPE ", " SIGNED ", Signature\n", "", SIGV4_INCOMPLETE,
        "'Signature' not a valid key=value pair" },
    { HOST DATE "Authorization: AWS4-HMAC-SHA256 Credential=" SCOPE ", " SIGNED ", Signature=" HEX ", Signature=" HEX
                "\n",
        "", SIGV4_INCOMPLETE, "'Signature' more than once" },
    { HOST DATE "Authorization: AWS4-HMAC-SHA256 Credential=" SCOPE ", " SIGNED ", Signature=abc\n", "",
        SIGV4_INCOMPLETE, "64 hexadecimal digits" },
    { HOST DATE "Authorization: AWS4-HMAC-SHA256 Credential=" SCOPE ", " SIGNED ", Other=1, Signature=" HEX "\n", "",
        SIGV4_INCOMPLETE, "'Other' not a valid" },
    { HOST DATE "Authorization: AWS4-HMAC-SHA256 \xff\xfe=1\n", "", SIGV4_INCOMPLETE, "'\?\?' not a valid" },
/* the scope */
#define WITH_SCOPE(scope)                                                                                              \
    HOST DATE "Authorization: AWS4-HMAC-SHA256 Credential=" scope ", " SIGNED ", Signature=" HEX "\n"
    { WITH_SCOPE(""), "", SIGV4_INCOMPLETE, "exactly 5 slash-delimited elements" },
    { WITH_SCOPE("AKID/20150830/us-east-1/aws4_request"), "", SIGV4_INCOMPLETE, "exactly 5" },
    { WITH_SCOPE("AK/ID/20150830/us-east-1/sqs/aws4_request"), "", SIGV4_INCOMPLETE, "exactly 5" },
    { WITH_SCOPE("/20150830/us-east-1/sqs/aws4_request"), "", SIGV4_INCOMPLETE, "access key id" },
    { WITH_SCOPE("AKID/20150830//sqs/aws4_request"), "", SIGV4_INCOMPLETE, "valid region, not ''" },
    { WITH_SCOPE("AKID/20150830/us east/sqs/aws4_request"), "", SIGV4_INCOMPLETE, "valid region, not 'us east'" },
    { WITH_SCOPE("AKID/20150830/" HEX "/sqs/aws4_request"), "", SIGV4_INCOMPLETE, "valid region" },
    { WITH_SCOPE("AKID/20150830/us-east-1/s.q/aws4_request"), "", SIGV4_INCOMPLETE, "valid service, not 's.q'" },
    { WITH_SCOPE("AKID/20150830/us-east-1/sqs/aws3_request"), "", SIGV4_INCOMPLETE,
        "'aws4_request', not 'aws3_request'" },
    { WITH_SCOPE("AKID/20150831/us-east-1/sqs/aws4_request"), "", SIGV4_INCOMPLETE, "'20150831' != '20150830'" },
    { WITH_SCOPE("AKID/2015083/us-east-1/sqs/aws4_request"), "", SIGV4_INCOMPLETE, "'2015083' != '20150830'" },
    /* the date */
    { HOST AUTH, "", SIGV4_INCOMPLETE, "either a 'X-Amz-Date' or a 'Date' header" },
    { HOST "X-Amz-Date: 2015-08-30T12:36:00Z\n" AUTH, "", SIGV4_INCOMPLETE, "'basic format'" },
    { HOST "X-Amz-Date: 20150830T126000Z\n" AUTH, "", SIGV4_INCOMPLETE, "'basic format'" },
    { HOST "X-Amz-Date: Sun, 30 Aug 2015 12:36:00 GMT\n" AUTH, "", SIGV4_INCOMPLETE, "'basic format'" },
#define DATE_ONLY "Authorization: AWS4-HMAC-SHA256 Credential=" SCOPE ", SignedHeaders=date;host, Signature=" HEX "\n"
    { HOST "Date: Sun, 30 Aug 2015 12:36:00 GMT\n" DATE_ONLY, "", SIGV4_OK, "" },
    { HOST "Date: 20150830T123600Z\n" DATE_ONLY, "", SIGV4_OK, "" },
    { HOST "Date: Sun, 30 Aug 2015 12:36:00 CET\n" DATE_ONLY, "", SIGV4_INCOMPLETE, "'basic format'" },
    { HOST "Date: Sun, 30 Xxx 2015 12:36:00 GMT\n" DATE_ONLY, "", SIGV4_INCOMPLETE, "'basic format'" },
    { HOST "Date: Sun, 31 Feb 2015 12:36:00 GMT\n" DATE_ONLY, "", SIGV4_INCOMPLETE, "'basic format'" },
    { HOST "Date: Sunday, 30 Aug 2015\n" DATE_ONLY, "", SIGV4_INCOMPLETE, "'basic format'" },
/* signed headers */
#define WITH_SIGNED(list)                                                                                              \
    "Authorization: AWS4-HMAC-SHA256 Credential=" SCOPE ", SignedHeaders=" list ", Signature=" HEX "\n"
    { HOST DATE WITH_SIGNED(""), "", SIGV4_INCOMPLETE, "in ascending order" },
    { HOST DATE WITH_SIGNED("x-amz-date;host"), "", SIGV4_INCOMPLETE, "in ascending order" },
    { HOST DATE WITH_SIGNED("host;host;x-amz-date"), "", SIGV4_INCOMPLETE, "in ascending order" },
    { HOST DATE WITH_SIGNED("Host;x-amz-date"), "", SIGV4_INCOMPLETE, "lower-case" },
    { HOST DATE WITH_SIGNED("host;;x-amz-date"), "", SIGV4_INCOMPLETE, "lower-case" },
    { HOST DATE WITH_SIGNED("host;x-amz-date;"), "", SIGV4_INCOMPLETE, "lower-case" },
    { HOST DATE WITH_SIGNED("host;x-amz-date;x-gone"), "", SIGV4_INCOMPLETE, "no header 'x-gone'" },
    { HOST DATE WITH_SIGNED("x-amz-date"), "", SIGV4_INCOMPLETE, "'Host' must be a 'SignedHeader'" },
    { HOST DATE WITH_SIGNED("host"), "", SIGV4_INCOMPLETE, "'X-Amz-Date' must be a 'SignedHeader'" },
    { HOST DATE "X-AMZ-Target: a\n" AUTH, "", SIGV4_INCOMPLETE, "'X-AMZ-Target' must be a 'SignedHeader'" },
    { HOST "X-Amz-Meta: a\n", PRESIGNED(SCOPE_ESCAPED, "20150830T123600Z", "60"), SIGV4_INCOMPLETE,
        "'X-Amz-Meta' must be" },
    { HOST DATE "X-Amzn-Trace-Id: a\nX-Amz: b\nX-Amz-Security-Token: c\nX-Amz-Content-Sha256: " HEX "\n" AUTH, "",
        SIGV4_OK, "" },
    /* the body's hash */
    { HOST DATE "X-Amz-Content-Sha256: UNSIGNED-PAYLOAD\n" AUTH, "", SIGV4_INCOMPLETE, "not 'UNSIGNED-PAYLOAD'" },
    { HOST DATE "X-Amz-Content-Sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD\n" AUTH, "", SIGV4_INCOMPLETE,
        "not 'STREAMING" },
    { HOST DATE "X-Amz-Content-Sha256:\n" AUTH, "", SIGV4_INCOMPLETE, "not ''" },
    /* query parameters */
    { HOST, "X-Amz-Signature=" HEX, SIGV4_INCOMPLETE, "must include 'X-Amz-Algorithm'" },
    { HOST, "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a", SIGV4_INCOMPLETE, "must include 'X-Amz-Date'" },
    { HOST, "X-Amz-Credential=%zz", SIGV4_INCOMPLETE, "broken escape" },
    { HOST, PRESIGNED(SCOPE_ESCAPED, "20150830T123600Z", "0"), SIGV4_INCOMPLETE, "between 1 and 604800" },
    { HOST, PRESIGNED(SCOPE_ESCAPED, "20150830T123600Z", "604801"), SIGV4_INCOMPLETE, "between 1 and 604800" },
    { HOST, PRESIGNED(SCOPE_ESCAPED, "20150830T123600Z", "-1"), SIGV4_INCOMPLETE, "between 1 and 604800" },
    { HOST, PRESIGNED(SCOPE_ESCAPED, "20150830T123600Z", "99999999999999999999"), SIGV4_INCOMPLETE, "between 1 and" },
    { HOST, PRESIGNED(SCOPE_ESCAPED, "20150830T123600Z", ""), SIGV4_INCOMPLETE, "between 1 and 604800" },
    { HOST, PRESIGNED(SCOPE_ESCAPED, "20150829T123600Z", "60"), SIGV4_INCOMPLETE, "does not match YYYYMMDD" },
    { HOST, PRESIGNED("AKID", "20150830T123600Z", "60"), SIGV4_INCOMPLETE, "exactly 5" },
};

static size_t read_headers(const char *text, struct header headers[HEADERS_MAX])
{
    struct slice rest = slice_str(text);
    size_t count = 0;
    while (rest.size) {
        struct slice line = slice_cut(&rest, '\n');
        struct slice name = slice_cut(&line, ':');
        headers[count++] = header_of(name, line);
    }
    return count;
}

static bool holds(struct slice text, const char *part)
{
    return *part == '\0' || (text.size && memmem(text.data, text.size, part, strlen(part)));
}

static void malformed_is_told(void **state)
{
    for (size_t index = 0; index < ARRAY_COUNT(malformed_rows); index++) {
        const struct malformed_row *row = &malformed_rows[index];
        struct header headers[HEADERS_MAX];
        struct sigv4_request r = {
            .method = SLICE("GET"), .path = SLICE("/"), .query = slice_str(row->query), .headers = headers
        };
        struct sigv4 s;
        r.header_count = read_headers(row->headers, headers);
        enum sigv4_result result = sigv4_parse(&r, 1440938160, WINDOW_S, &memory, &s);
        if (result != row->result || !holds(s.sentence, row->sentence))
            fail_msg("row %zu (%s | %s): %d '%.*s'", index, row->headers, row->query, result, SLICE_ARG(s.sentence));
    }
}

static void parts_are_read(void **state)
{
    const struct vector *v = vector_named("presigned-token");
    struct sigv4 s;
    assert_int_equal(sigv4_parse(&v->request, v->now_s, WINDOW_S, &memory, &s), SIGV4_OK);
    assert_true(s.is_query);
    assert_true(slice_equal(s.access_key, SLICE("AKIDEXAMPLE")));
    assert_true(slice_equal(s.day, SLICE("20150830")));
    assert_true(slice_equal(s.region, SLICE("us-east-1")));
    assert_true(slice_equal(s.service, SLICE("sqs")));
    assert_true(slice_equal(s.token, SLICE("a/b+c=d")));
    assert_int_equal(s.expires_s, 3600);
    v = vector_named("header-token");
    assert_int_equal(sigv4_parse(&v->request, v->now_s, WINDOW_S, &memory, &s), SIGV4_OK);
    assert_false(s.is_query);
    assert_true(slice_starts(s.token, SLICE("AQoDYXdzEPT")));
    assert_true(slice_equal(s.date, SLICE("20150830T123600Z")));
    assert_int_equal(s.date_s, 1440938160);
}

/* ---- what is remembered changes no verdict ------------------------------------------------------------------------
 */

struct verdict {
    const struct vector *v;
    char said[1024]; /* the result, its sentence, and the parts that others go by */
};

static void *judge(void *argument)
{
    struct verdict *d = argument;
    const struct vector *v = d->v;
    struct arena arena;
    struct sigv4 s;
    arena_init(&arena, MIB);
    enum sigv4_result parsed = sigv4_parse(&v->request, v->now_s, WINDOW_S, &arena, &s), result = parsed;
    if (parsed == SIGV4_OK)
        result = sigv4_verify(&s, &v->request, v->body, v->secret, &arena);
    else
        s = (struct sigv4){ .sentence = s.sentence };
    snprintf(d->said, sizeof d->said, "%d '%.*s' %.*s/%.*s/%.*s/%.*s %.*s %.*s %.*s", result, SLICE_ARG(s.sentence),
        SLICE_ARG(s.access_key), SLICE_ARG(s.day), SLICE_ARG(s.region), SLICE_ARG(s.service), SLICE_ARG(s.date),
        SLICE_ARG(s.signature), SLICE_ARG(s.signed_headers));
    arena_deinit(&arena);
    return NULL;
}

/* The verdict of this thread is that of one that remembers nothing. */
static void expect_as_if_new(const struct vector *v, const char *what, size_t at)
{
    struct verdict here = { .v = v }, elsewhere = { .v = v };
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, judge, &elsewhere), 0);
    judge(&here);
    pthread_join(thread, NULL);
    if (strcmp(here.said, elsewhere.said) != 0)
        fail_msg("%.*s, %s %zu: %s instead of %s", SLICE_ARG(v->name), what, at, here.said, elsewhere.said);
}

static void expect_between_originals(
    struct vector *v, struct header *authorization, struct slice changed, const char *what, size_t at)
{
    struct slice original = authorization->value;
    expect(v, SIGV4_OK, "as it is");
    authorization->value = changed;
    expect_as_if_new(v, what, at);
    expect_as_if_new(v, what, at); /* now that it may be remembered itself */
    authorization->value = original;
    expect(v, SIGV4_OK, "as it is, again");
}

static void a_changed_byte_of_authorization_is_judged_as_if_new(void **state)
{
    static const char others[] = ",;= /A\0"; /* what its parts are told apart by */
    for (size_t index = 0; index < vector_count; index++) {
        struct vector v = copy_of(&vectors[index]);
        v.request.headers = v.headers;
        struct header *authorization = header_named(&v, "authorization");
        if (!authorization || slice_equal(v.name, SLICE("body-large")))
            continue;
        expect_as_if_new(&v, "as it is", 0);
        expect_as_if_new(&v, "as it is, again", 0);
        struct slice whole = authorization->value;
        char text[2048];
        bool is_long = whole.size > 1000; /* is not remembered */
        assert_true(whole.size < sizeof text);
        for (size_t at = is_long ? whole.size - 70 : 0; at < whole.size; at++) {
            memcpy(text, whole.data, whole.size);
            text[at] ^= 0x10;
            expect_between_originals(&v, authorization, slice_of(text, whole.size), "flipped byte", at);
            text[at] = others[(index + at) % sizeof others];
            expect_between_originals(&v, authorization, slice_of(text, whole.size), "replaced byte", at);
        }
    }
}

static void a_longer_or_shorter_authorization_is_judged_as_if_new(void **state)
{
    struct vector v = copy_of(vector_named("sqs-json"));
    v.request.headers = v.headers;
    struct header *authorization = header_named(&v, "authorization");
    struct slice whole = authorization->value;
    char text[1024];
    for (size_t at = 0; at < whole.size; at++) {
        memcpy(text, whole.data, at);
        memcpy(text + at, whole.data + at + 1, whole.size - at - 1);
        expect_between_originals(&v, authorization, slice_of(text, whole.size - 1), "left out byte", at);
        memcpy(text + at + 1, whole.data + at, whole.size - at);
        text[at] = at % 2 ? ',' : '0';
        expect_between_originals(&v, authorization, slice_of(text, whole.size + 1), "added byte", at);
        expect_between_originals(&v, authorization, slice_head(whole, at), "cut off at byte", at);
    }
}

/* Clients that take each other's places, as with few places they do. */
static void vectors_verify_in_any_order(void **state)
{
    uint32_t random = 1;
    for (int round = 0; round < 3000; round++) {
        random = random * 1664525 + 1013904223;
        const struct vector *v = &vectors[(random >> 8) % vector_count];
        if (v->body.size < 4096)
            expect(v, SIGV4_OK, "in another order");
    }
}

#define TARGET "X-Amz-Target: AmazonSQS.ListQueues\n"
#define ALL_SIGNED "host;x-amz-date;x-amz-target"
#define HALF "0123456789abcdef0123456789abcdef"

static const struct remembered_row {
    const char *headers, *signed_headers;
    const char *signature; /* NULL: the original's */
    const char *secret;
    enum sigv4_result result;
    const char *sentence; /* holds this */
} remembered_rows[] = {
    { HOST DATE TARGET, ALL_SIGNED, NULL, "secret", SIGV4_OK, "" },
    { "Accept: a\n" TARGET HOST "Accept: b\n" DATE, ALL_SIGNED, NULL, "secret", SIGV4_OK, "" },
    /* other headers than those it was read with */
    { HOST DATE, ALL_SIGNED, NULL, "secret", SIGV4_INCOMPLETE, "no header 'x-amz-target'" },
    { DATE TARGET, ALL_SIGNED, NULL, "secret", SIGV4_INCOMPLETE, "no header 'host'" },
    { HOST DATE TARGET "X-Amz-Meta: a\n", ALL_SIGNED, NULL, "secret", SIGV4_INCOMPLETE, "'X-Amz-Meta' must be" },
    { HOST DATE TARGET TARGET, ALL_SIGNED, NULL, "secret", SIGV4_MISMATCH, "" },
    { HOST DATE "X-Amz-Target: AmazonSQS.ListQueuet\n", ALL_SIGNED, NULL, "secret", SIGV4_MISMATCH, "" },
    { HOST DATE "X-Amz-Target: \n", ALL_SIGNED, NULL, "secret", SIGV4_MISMATCH, "" },
    { HOST DATE DATE TARGET, ALL_SIGNED, NULL, "secret", SIGV4_INCOMPLETE, "'x-amz-date' more than once" },
    { HOST DATE TARGET "X-Amz-Content-Sha256: " HEX "\n", ALL_SIGNED, NULL, "secret", SIGV4_MISMATCH, "" },
    { HOST DATE TARGET "X-Amz-Content-Sha256: x\n", ALL_SIGNED, NULL, "secret", SIGV4_INCOMPLETE, "not 'x'" },
    /* another date */
    { HOST TARGET, ALL_SIGNED, NULL, "secret", SIGV4_INCOMPLETE, "existence of either" },
    { HOST TARGET "X-Amz-Date: 20150830T123601Z\n", ALL_SIGNED, NULL, "secret", SIGV4_MISMATCH, "" },
    { HOST TARGET "X-Amz-Date: 20150830T133600Z\n", ALL_SIGNED, NULL, "secret", SIGV4_SKEWED, "not yet current" },
    { HOST TARGET "X-Amz-Date: 20150831T123600Z\n", ALL_SIGNED, NULL, "secret", SIGV4_INCOMPLETE, "'20150830' != " },
    { HOST TARGET "X-Amz-Date: 20150830T126000Z\n", ALL_SIGNED, NULL, "secret", SIGV4_INCOMPLETE, "'basic format'" },
    { HOST TARGET "X-Amz-Date: 20150830T123600X\n", ALL_SIGNED, NULL, "secret", SIGV4_INCOMPLETE, "'basic format'" },
    { HOST TARGET "X-Amz-Date: 20150830T12360\n", ALL_SIGNED, NULL, "secret", SIGV4_INCOMPLETE, "'basic format'" },
    /* another signature */
    { HOST DATE TARGET, ALL_SIGNED, HEX, "secret", SIGV4_MISMATCH, "" },
    { HOST DATE TARGET, ALL_SIGNED, "", "secret", SIGV4_INCOMPLETE, "64 hexadecimal digits" },
    { HOST DATE TARGET, ALL_SIGNED, HALF "0123456789abcdef0123456789abcde", "secret", SIGV4_INCOMPLETE, "64 hex" },
    { HOST DATE TARGET, ALL_SIGNED, HEX "0", "secret", SIGV4_INCOMPLETE, "64 hexadecimal digits" },
    { HOST DATE TARGET, ALL_SIGNED, HEX HEX, "secret", SIGV4_INCOMPLETE, "64 hexadecimal digits" },
    { HOST DATE TARGET, ALL_SIGNED, HALF ",123456789abcdef0123456789abcdef", "secret", SIGV4_INCOMPLETE,
        "'123456789abcdef0123456789abcdef' not a valid" },
    { HOST DATE TARGET, ALL_SIGNED, HALF "0123456789abcdef0123456789abcde,", "secret", SIGV4_INCOMPLETE, "64 hex" },
    { HOST DATE TARGET, ALL_SIGNED, "," HALF "0123456789abcdef0123456789abcde", "secret", SIGV4_INCOMPLETE,
        "not a valid" },
    { HOST DATE TARGET, ALL_SIGNED, HALF ", SignedHeaders=host;x-amz-date;", "secret", SIGV4_INCOMPLETE,
        "'SignedHeaders' more than once" },
    { HOST DATE TARGET, ALL_SIGNED, HALF "                ,              =", "secret", SIGV4_INCOMPLETE,
        "'' not a valid" },
    { HOST DATE TARGET, ALL_SIGNED, HEX ",", "secret", SIGV4_MISMATCH, "" },
    /* other signed headers, in the same place of what is remembered */
    { HOST DATE, "host;x-amz-date", HEX, "secret", SIGV4_MISMATCH, "" },
    { HOST DATE TARGET, "host;x-amz-date", HEX, "secret", SIGV4_INCOMPLETE, "'X-Amz-Target' must be" },
    { HOST DATE TARGET, "host;x-amz-date;x-amz-targeu", NULL, "secret", SIGV4_INCOMPLETE, "'x-amz-targeu'" },
    { HOST DATE TARGET, "x-amz-date;host;x-amz-target", NULL, "secret", SIGV4_INCOMPLETE, "ascending" },
    /* another secret */
    { HOST DATE TARGET, ALL_SIGNED, NULL, "secres", SIGV4_MISMATCH, "" },
    { HOST DATE TARGET, ALL_SIGNED, NULL, "", SIGV4_MISMATCH, "" },
};

static struct vector remembered_vector(const struct remembered_row *row, const char *right_signature)
{
    struct vector v = { .name = SLICE("remembered"),
        .secret = slice_str(row->secret),
        .body = SLICE("{}"),
        .now_s = 1440938160,
        .request = { .method = SLICE("POST"), .path = SLICE("/"), .query = SLICE_NONE } };
    v.request.header_count = read_headers(row->headers, v.headers);
    struct slice value = arena_printf(&memory, "AWS4-HMAC-SHA256 Credential=" SCOPE ", SignedHeaders=%s, Signature=%s",
        row->signed_headers, row->signature ? row->signature : right_signature);
    v.headers[v.request.header_count++] = header_of(SLICE("Authorization"), value);
    return v;
}

/* Of the first row, the original. */
static void right_signature(char ret_hex[65])
{
    struct vector v = remembered_vector(&remembered_rows[0], "");
    v.request.headers = v.headers;
    struct slice value = sigv4_sign(&v.request, v.body, SLICE("AKID"), v.secret, SLICE("us-east-1"), SLICE("sqs"),
        SLICE("20150830T123600Z"), SLICE(ALL_SIGNED), &memory);
    memcpy(ret_hex, value.data + value.size - 64, 64);
    ret_hex[64] = '\0';
}

static void what_authorization_was_read_with_is_not_remembered(void **state)
{
    char right[65];
    right_signature(right);
    struct vector original = remembered_vector(&remembered_rows[0], right);
    original.request.headers = original.headers;
    for (size_t index = 0; index < ARRAY_COUNT(remembered_rows); index++) {
        const struct remembered_row *row = &remembered_rows[index];
        struct vector v = remembered_vector(row, right);
        struct slice sentence;
        v.request.headers = v.headers;
        expect(&original, SIGV4_OK, "the original");
        enum sigv4_result result = check_at(&v, v.now_s, &sentence);
        if (result != row->result || !holds(sentence, row->sentence))
            fail_msg("row %zu: %d '%.*s'", index, result, SLICE_ARG(sentence));
        expect(&original, SIGV4_OK, "the original");
        expect_as_if_new(&v, "row", index);
        expect_as_if_new(&v, "again, row", index);
    }
}

/* What comes last is as long as a signature here, so that it could be taken for one. */
#define NULS8 "%00%00%00%00%00%00%00%00"
static void a_date_of_nul_bytes_is_none(void **state)
{
    struct vector v = { .name = SLICE("nul-date"),
        .secret = SLICE("secret"),
        .now_s = 1440938160,
        .request = { .method = SLICE("GET"),
            .path = SLICE("/"),
            .query = SLICE(PRESIGNED("AKID%2F" NULS8 "%2Fus-east-1%2Fsqs%2Faws4_request", NULS8 NULS8, "60")) } };
    v.request.header_count = read_headers(HOST, v.headers);
    v.request.headers = v.headers;
    expect_as_if_new(&v, "nul date", 0);
}

static void parts_in_any_order_are_judged_as_if_new(void **state)
{
    static const char *const orders[] = { "csS", "cSs", "scS", "sSc", "Scs", "Ssc" };
    char right[65], text[1024];
    right_signature(right);
    struct vector v = remembered_vector(&remembered_rows[0], right);
    v.request.headers = v.headers;
    struct header *authorization = header_named(&v, "authorization");
    for (size_t index = 0; index < 2 * ARRAY_COUNT(orders); index++) {
        size_t size = (size_t)sprintf(text, "AWS4-HMAC-SHA256 ");
        for (const char *part = orders[index / 2]; *part; part++)
            size += (size_t)sprintf(text + size, "%s%s%s",
                *part == 'c'   ? "Credential=" HEX "/20150830/us-east-1/sqs/aws4_request"
                : *part == 's' ? "SignedHeaders=" ALL_SIGNED
                               : "Signature=",
                *part == 'S' ? right : "", part[1] || index % 2 ? "," : "");
        authorization->value = slice_of(text, size);
        for (int again = 0; again < 2; again++) {
            expect(&v, SIGV4_OK, orders[index / 2]);
            expect_as_if_new(&v, orders[index / 2], index);
        }
    }
}

/* ---- time ---------------------------------------------------------------------------------------------------------
 */

static void window_is_kept(void **state)
{
    static const struct {
        const char *vector;
        int64_t offset_s; /* of now from the date of the request */
        enum sigv4_result result;
        const char *sentence;
    } rows[] = {
        { "get-vanilla", 900, SIGV4_OK, "" },
        { "get-vanilla", -900, SIGV4_OK, "" },
        { "get-vanilla", 901, SIGV4_SKEWED,
            "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T125101Z - 15 min.)" },
        { "get-vanilla", -901, SIGV4_SKEWED,
            "Signature not yet current: 20150830T123600Z is still later than 20150830T123559Z (20150830T122059Z + 15 "
            "min.)" },
        { "header-date", 901, SIGV4_SKEWED, "Signature expired: 20150830T123600Z" },
        { "get-vanilla", 1000000000, SIGV4_SKEWED, "Signature expired" },
        { "presigned-plain", 3600, SIGV4_OK, "" },
        { "presigned-plain", 3601, SIGV4_EXPIRED, "expired" },
        { "presigned-plain", -900, SIGV4_OK, "" },
        { "presigned-plain", -901, SIGV4_SKEWED, "not yet current" },
        { "presigned-short", 1, SIGV4_OK, "" },
        { "presigned-short", 2, SIGV4_EXPIRED, "expired" },
        { "presigned-week", 604800, SIGV4_OK, "" },
        { "presigned-week", 604801, SIGV4_EXPIRED, "expired" },
    };
    for (size_t row = 0; row < ARRAY_COUNT(rows); row++) {
        const struct vector *v = vector_named(rows[row].vector);
        struct slice sentence;
        enum sigv4_result result = check_at(v, v->now_s + rows[row].offset_s, &sentence);
        if (result != rows[row].result || !holds(sentence, rows[row].sentence))
            fail_msg("row %zu: %d '%.*s'", row, result, SLICE_ARG(sentence));
    }
}

/* ---- signing ------------------------------------------------------------------------------------------------------
 */

static void documented_signing_key(void **state)
{
    /* AWS General Reference, "Examples of how to derive a signing key": HMAC of nothing stands in for showing the key
     */
    uint8_t key[SHA256_BYTES], expected[SHA256_BYTES], actual[SHA256_BYTES];
    struct hmac_key derived;
    assert_true(
        text_parse_hex(SLICE("f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404d"), key, sizeof key));
    hmac_sha256(slice_of(key, sizeof key), SLICE("x"), expected);
    struct signing_scope scope = { SLICE("20120215"), SLICE("us-east-1"), SLICE("iam") };
    for (int round = 0; round < 2; round++) { /* derived, then from the cache */
        signing_key(&scope, SLICE("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"), &derived);
        hmac_sha256_keyed(&derived, SLICE("x"), actual);
        assert_memory_equal(actual, expected, sizeof actual);
    }
}

static void cache_never_mixes_keys(void **state)
{
    enum { KEYS = 300 };
    struct hmac_key first[KEYS], again;
    for (int round = 0; round < 2; round++) {
        for (unsigned index = 0; index < KEYS; index++) {
            char secret[16], day[9];
            snprintf(secret, sizeof secret, "s%u", index % 10);
            snprintf(day, sizeof day, "2015%04u", index / 10 % 10);
            struct signing_scope scope = { slice_str(day), index < 100 ? SLICE("a") : SLICE("b"), SLICE("sqs") };
            if (index >= 200)
                scope.service = SLICE("sns");
            signing_key(&scope, slice_str(secret), round ? &again : &first[index]);
            if (round)
                assert_memory_equal(&again, &first[index], sizeof again);
        }
    }
    for (unsigned index = 0; index < KEYS; index++) {
        for (unsigned other = 0; other < index; other++)
            assert_memory_not_equal(&first[index], &first[other], sizeof again);
    }
    /* where a part ends counts */
    signing_key(&(struct signing_scope){ SLICE("20150101"), SLICE("ab"), SLICE("c") }, SLICE("s"), &first[0]);
    signing_key(&(struct signing_scope){ SLICE("20150101"), SLICE("a"), SLICE("bc") }, SLICE("s"), &first[1]);
    assert_memory_not_equal(&first[0], &first[1], sizeof again);
}

static void signed_requests_verify(void **state)
{
    struct slice queries[] = { SLICE_NONE, SLICE("b=2&a=1&a=%20"), SLICE("x=%"), SLICE("+=+") };
    struct slice paths[] = { SLICE("/"), SLICE(""), SLICE("/a//b/../%zz/\xc3\xa9") };
    for (size_t index = 0; index < ARRAY_COUNT(queries) * ARRAY_COUNT(paths); index++) {
        struct header headers[4] = {
            header_of(SLICE("Host"), SLICE("localhost:4566")),
            header_of(SLICE("X-Amz-Date"), SLICE("20260131T235959Z")),
            header_of(SLICE("x-amz-target"), SLICE("AmazonSQS.ListQueues")),
        };
        struct sigv4_request r = {
            .method = SLICE("POST"),
            .path = paths[index / ARRAY_COUNT(queries)],
            .query = queries[index % ARRAY_COUNT(queries)],
            .headers = headers,
            .header_count = 3,
        };
        struct vector v = {
            .name = SLICE("signed"), .secret = SLICE("test"), .body = SLICE("{}"), .now_s = 1769903999
        };
        struct slice authorization = sigv4_sign(&r, v.body, SLICE("test"), v.secret, SLICE("us-east-1"), SLICE("sqs"),
            SLICE("20260131T235959Z"), SLICE("host;x-amz-date;x-amz-target"), &memory);
        headers[3] = header_of(SLICE("authorization"), authorization);
        r.header_count = 4;
        v.request = r;
        expect(&v, SIGV4_OK, "signed here");
        v.secret = SLICE("tesu");
        expect(&v, SIGV4_MISMATCH, "another secret");
    }
}

/* The header may go unsigned, but then it must still be the body's. */
static void content_hash_must_be_the_body_s(void **state)
{
    struct vector v = copy_of(vector_named("sqs-json"));
    v.request.headers = v.headers;
    struct header *added = &v.headers[v.request.header_count++];
    char hex[64];
    uint8_t digest[SHA256_BYTES];
    sha256(v.body, digest);
    text_format_hex(digest, sizeof digest, hex);
    *added = header_of(SLICE("X-Amz-Content-Sha256"), slice_of(hex, sizeof hex));
    expect(&v, SIGV4_OK, "the right hash added");
    hex[63] ^= 1;
    assert_int_not_equal(check(&v), SIGV4_OK);
    sha256(SLICE(""), digest);
    text_format_hex(digest, sizeof digest, hex);
    expect(&v, SIGV4_MISMATCH, "the hash of nothing added");
}

static void small_arena_fails_closed(void **state)
{
    struct vector v = copy_of(vector_named("header-long"));
    struct arena arena;
    struct sigv4 s;
    v.request.headers = v.headers;
    arena_init(&arena, 4096); /* the canonical form needs more than the stack buffer, and more than this */
    assert_int_equal(sigv4_parse(&v.request, v.now_s, WINDOW_S, &arena, &s), SIGV4_OK);
    assert_int_equal(sigv4_verify(&s, &v.request, v.body, v.secret, &arena), SIGV4_MISMATCH);
    arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_verify),
        cmocka_unit_test(flips_are_refused),
        cmocka_unit_test(every_bit_of_signature_and_body_counts),
        cmocka_unit_test(spellings_are_accepted),
        cmocka_unit_test(path_spellings_are_accepted),
        cmocka_unit_test(other_paths_are_refused),
        cmocka_unit_test(plus_is_a_blank_in_the_query),
        cmocka_unit_test(malformed_is_told),
        cmocka_unit_test(parts_are_read),
        cmocka_unit_test(a_changed_byte_of_authorization_is_judged_as_if_new),
        cmocka_unit_test(a_longer_or_shorter_authorization_is_judged_as_if_new),
        cmocka_unit_test(vectors_verify_in_any_order),
        cmocka_unit_test(what_authorization_was_read_with_is_not_remembered),
        cmocka_unit_test(a_date_of_nul_bytes_is_none),
        cmocka_unit_test(parts_in_any_order_are_judged_as_if_new),
        cmocka_unit_test(window_is_kept),
        cmocka_unit_test(documented_signing_key),
        cmocka_unit_test(cache_never_mixes_keys),
        cmocka_unit_test(signed_requests_verify),
        cmocka_unit_test(content_hash_must_be_the_body_s),
        cmocka_unit_test(small_arena_fails_closed),
    };
    return cmocka_run_group_tests(tests, load_vectors, unload_vectors);
}

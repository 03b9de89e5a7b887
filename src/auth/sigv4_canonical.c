/* sigv4_canonical.c: see sigv4_canonical.h. The size of the form is bounded first, so the writers below do not check.
 */
#include "auth/sigv4_canonical.h"

#include "base/text.h"
#include "crypto/digest.h"
#include <stdlib.h>

/* Of one client's requests for one operation within a second only the hash of the body differs, which comes last. */
enum { MEMOS = 8 };
static _Thread_local struct sha256_memo memos[MEMOS]; /* by length: other operations have names of other lengths */

enum { CANONICAL_STACK_BYTES = 4096, ENCODED_BYTES_MAX = 3 /* of one byte: %XX */ };

/* ---- bytes ------------------------------------------------------------------------------------------------------ */

static bool is_unreserved(unsigned char c)
{
    return text_is_alnum((char)c) || c == '-' || c == '_' || c == '.' || c == '~';
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static char *put(char *at, struct slice s)
{
    if (s.size)
        memcpy(at, s.data, s.size);
    return at + s.size;
}

static char *put_encoded(char *at, unsigned char c)
{
    static const char digits[] = "0123456789ABCDEF";
    if (is_unreserved(c)) {
        *at = (char)c;
        return at + 1;
    }
    at[0] = '%';
    at[1] = digits[c >> 4];
    at[2] = digits[c & 15];
    return at + ENCODED_BYTES_MAX;
}

static int hex_digit(char c)
{
    if (text_is_digit(c))
        return c - '0';
    c = text_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte at s.data[index]; *index moves past it, past all of a %-escape that is whole. */
static unsigned char take_byte(struct slice s, size_t *index)
{
    const char *at = s.data + *index;
    if (*at == '%' && s.size - *index >= 3) {
        int high = hex_digit(at[1]), low = hex_digit(at[2]);
        if (high >= 0 && low >= 0) {
            *index += 3;
            return (unsigned char)(high << 4 | low);
        }
    }
    *index += 1;
    return (unsigned char)*at;
}

/* ---- path ------------------------------------------------------------------------------------------------------- */

static char *put_path(char *at, struct slice path)
{
    char *start = at;
    struct slice rest = path;
    *at++ = '/';
    while (rest.size) { /* between segments the output ends with a slash */
        struct slice segment = slice_head(rest, slice_find(rest, '/'));
        rest = slice_from(rest, segment.size + 1);
        if (segment.size == 0 || slice_equal(segment, SLICE(".")))
            continue;
        if (slice_equal(segment, SLICE(".."))) {
            if (at > start + 1)
                at--;
            while (at[-1] != '/')
                at--;
            continue;
        }
        for (size_t index = 0; index < segment.size; index++)
            at = put_encoded(at, (unsigned char)segment.data[index]);
        *at++ = '/';
    }
    if (at > start + 1 && !slice_ends(path, SLICE("/")))
        at--;
    return at;
}

struct slice canonical_path_spelling(struct slice raw_path, struct arena *arena)
{
    if (slice_find(raw_path, '%') == raw_path.size || !arena_room(arena, raw_path.size))
        return raw_path;
    char *start = arena_alloc(arena, raw_path.size), *at = start;
    for (size_t index = 0; index < raw_path.size;) {
        size_t before = index;
        unsigned char c = take_byte(raw_path, &index);
        if (index - before == 1)
            *at++ = (char)c; /* it was no escape: stays, reserved or not */
        else
            at = put_encoded(at, c);
    }
    struct slice spelled = slice_of(start, (size_t)(at - start));
    return slice_equal(spelled, raw_path) ? raw_path : spelled;
}

/* ---- query ------------------------------------------------------------------------------------------------------ */

struct query_pair {
    struct slice name, value; /* encoded */
};

static int query_pair_compare(const void *left, const void *right)
{
    const struct query_pair *a = left, *b = right;
    int order = slice_compare(a->name, b->name);
    return order ? order : slice_compare(a->value, b->value);
}

static size_t query_pieces(struct slice query)
{
    size_t count = 1;
    for (size_t index = 0; index < query.size; index++)
        count += query.data[index] == '&';
    return count;
}

static struct slice encode_again(char **at, struct slice s)
{
    char *start = *at;
    for (size_t index = 0; index < s.size;) {
        bool is_plus = s.data[index] == '+';
        unsigned char c = take_byte(s, &index);
        *at = put_encoded(*at, is_plus ? ' ' : c);
    }
    return slice_of(start, (size_t)(*at - start));
}

static char *put_query(char *at, struct slice query, bool skip_signature, struct arena *arena)
{
    struct query_pair *pairs = arena_alloc(arena, query_pieces(query) * sizeof *pairs);
    char *scratch = arena_alloc(arena, query.size * ENCODED_BYTES_MAX);
    size_t count = 0;
    struct slice rest = query;
    while (rest.size) {
        struct slice value = slice_head(rest, slice_find(rest, '&'));
        rest = slice_from(rest, value.size + 1);
        if (value.size == 0)
            continue;
        struct slice name = slice_head(value, slice_find(value, '='));
        value = slice_from(value, name.size + 1);
        struct query_pair pair = { .name = encode_again(&scratch, name) };
        pair.value = encode_again(&scratch, value);
        if (!skip_signature || !slice_equal(pair.name, SLICE("X-Amz-Signature")))
            pairs[count++] = pair;
    }
    qsort(pairs, count, sizeof *pairs, query_pair_compare);
    for (size_t index = 0; index < count; index++) {
        if (index)
            *at++ = '&';
        at = put(at, pairs[index].name);
        *at++ = '=';
        at = put(at, pairs[index].value);
    }
    return at;
}

/* ---- headers ---------------------------------------------------------------------------------------------------- */

static char *put_header_value(char *at, struct slice value)
{
    value = slice_trim(value);
    if (slice_find(value, ' ') == value.size && slice_find(value, '\t') == value.size)
        return put(at, value);
    for (size_t index = 0; index < value.size; index++) {
        if (!is_blank(value.data[index]))
            *at++ = value.data[index];
        else if (!is_blank(value.data[index - 1])) /* a trimmed value starts with no blank */
            *at++ = ' ';
    }
    return at;
}

static char *put_headers(char *at, const struct sigv4_request *r, struct slice names, const struct signed_order *order)
{
    struct slice rest = names;
    for (size_t index = 0; index < order->count; index++) {
        const struct header *h = &r->headers[order->at[index] & ~SIGNED_AGAIN];
        if (order->at[index] & SIGNED_AGAIN) {
            at[-1] = ',';
        } else {
            at = put(at, slice_head(rest, h->name.size));
            *at++ = ':';
            rest = slice_from(rest, h->name.size + 1);
        }
        at = put_header_value(at, h->value);
        *at++ = '\n';
    }
    return at;
}

/* ---- all of it -------------------------------------------------------------------------------------------------- */

/* More than the form can take: a name is written at most once, with ':', '\n' and a comma a value. */
static size_t canonical_bound(const struct canonical_request *c)
{
    const struct sigv4_request *r = c->request;
    size_t bound =
        r->method.size + c->path.size * ENCODED_BYTES_MAX + 2 * c->signed_headers.size + SHA256_HEX_BYTES + 16;
    bound += r->query.size * (ENCODED_BYTES_MAX + 2); /* "a" becomes "a=" and '&' */
    for (size_t index = 0; index < r->header_count; index++)
        bound += r->headers[index].value.size + 3;
    return bound + 2 * (slice_is_none(c->signed_headers) ? 0 : c->signed_headers.size + 1);
}

bool canonical_request_hash(const struct canonical_request *c, struct arena *arena, char ret_hex[SHA256_HEX_BYTES])
{
    char stack[CANONICAL_STACK_BYTES];
    const struct sigv4_request *r = c->request;
    size_t bound = canonical_bound(c), scratch = 0;
    if (r->query.size)
        scratch = query_pieces(r->query) * sizeof(struct query_pair) + r->query.size * ENCODED_BYTES_MAX + 64;
    if (!arena_room(arena, scratch + (bound > sizeof stack ? bound + 16 : 0)))
        return false;
    char *start = bound > sizeof stack ? arena_alloc(arena, bound) : stack, *at = start;
    at = put(at, r->method);
    *at++ = '\n';
    at = put_path(at, c->path);
    *at++ = '\n';
    if (r->query.size)
        at = put_query(at, r->query, c->skip_signature, arena);
    *at++ = '\n';
    at = put_headers(at, r, c->signed_headers, c->order);
    *at++ = '\n';
    at = put(at, c->signed_headers);
    *at++ = '\n';
    size_t stable = (size_t)(at - start);
    at = put(at, slice_of(c->body_hex, SHA256_HEX_BYTES));
    ASSERT((size_t)(at - start) <= bound);
    uint8_t digest[SHA256_BYTES];
    sha256_remember(&memos[stable % MEMOS], slice_of(start, (size_t)(at - start)), stable, digest);
    text_format_hex(digest, sizeof digest, ret_hex);
    return true;
}

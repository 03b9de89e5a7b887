/* sigv4.c: signature over a canonical request; see sigv4.h. Parsing what the client sent is in sigv4_parse.c. */
#include "auth/sigv4.h"
#include "base/mutant.h"

#include "auth/sigv4_canonical.h"
#include "auth/sigv4_key.h"
#include "auth/sigv4_names.h"
#include "base/limits.h"
#include "base/text.h"
#include "crypto/digest.h"

enum { STRING_TO_SIGN_BYTES_MAX = 512, SCOPE_PART_BYTES_MAX = 64 };

static size_t put(char *out, size_t used, struct slice s)
{
    ASSERT(STRING_TO_SIGN_BYTES_MAX - used >= s.size);
    if (s.size)
        memcpy(out + used, s.data, s.size);
    return used + s.size;
}

/* The signature, in lower-case hexadecimal, over a canonical request whose digest is `hash_hex`. */
static void sign(const struct hmac_key *key, const struct signing_scope *scope, struct slice date, const char *hash_hex,
    char ret_hex[SHA256_HEX_BYTES])
{
    char text[STRING_TO_SIGN_BYTES_MAX];
    uint8_t digest[SHA256_BYTES];
    size_t used = put(text, 0, SLICE("AWS4-HMAC-SHA256\n"));
    used = put(text, used, date);
    used = put(text, used, SLICE("\n"));
    used = put(text, used, scope->day);
    used = put(text, used, SLICE("/"));
    used = put(text, used, scope->region);
    used = put(text, used, SLICE("/"));
    used = put(text, used, scope->service);
    used = put(text, used, SLICE("/aws4_request\n"));
    used = put(text, used, slice_of(hash_hex, SHA256_HEX_BYTES));
    hmac_sha256_keyed(key, slice_of(text, used), digest);
    text_format_hex(digest, sizeof digest, ret_hex);
}

static void body_hash(struct slice body, char ret_hex[SHA256_HEX_BYTES])
{
    uint8_t digest[SHA256_BYTES];
    sha256(body, digest);
    text_format_hex(digest, sizeof digest, ret_hex);
}

static bool is_signed_by(
    const struct sigv4 *s, const struct canonical_request *c, const struct hmac_key *key, struct arena *arena)
{
    char hash_hex[SHA256_HEX_BYTES], signature_hex[SHA256_HEX_BYTES];
    struct signing_scope scope = { s->day, s->region, s->service };
    if (!canonical_request_hash(c, arena, hash_hex))
        return false;
    sign(key, &scope, s->date, hash_hex, signature_hex);
    size_t size = MUTANT(half_signature) ? SHA256_HEX_BYTES / 2 : SHA256_HEX_BYTES;
    return bytes_equal_constant_time(signature_hex, s->signature.data, size);
}

enum sigv4_result sigv4_verify(
    const struct sigv4 *s, const struct sigv4_request *r, struct slice body, struct slice secret, struct arena *arena)
{
    char body_hex[SHA256_HEX_BYTES];
    struct hmac_key key;
    ASSERT(s->signature.size == SHA256_HEX_BYTES);
    body_hash(body, body_hex);
    if (!slice_is_none(s->content_sha256) && !slice_equal(s->content_sha256, slice_of(body_hex, sizeof body_hex)) &&
        !MUTANT(body_not_compared))
        return SIGV4_MISMATCH;
    struct canonical_request c = {
        .request = r,
        .path = r->path,
        .signed_headers = s->signed_headers,
        .order = &s->order,
        .skip_signature = s->is_query,
        .body_hex = body_hex,
    };
    signing_key(&(struct signing_scope){ s->day, s->region, s->service }, secret, &key);
    if (is_signed_by(s, &c, &key, arena))
        return SIGV4_OK;
    /* A proxy may have respelled the path ("%2D" for "-"): it names the same resource, so that spelling counts too. */
    c.path = canonical_path_spelling(r->path, arena);
    if (c.path.data != r->path.data && is_signed_by(s, &c, &key, arena))
        return SIGV4_OK;
    return SIGV4_MISMATCH;
}

struct slice sigv4_sign(const struct sigv4_request *r, struct slice body, struct slice access_key, struct slice secret,
    struct slice region, struct slice service, struct slice amz_date, struct slice signed_headers, struct arena *arena)
{
    char body_hex[SHA256_HEX_BYTES], hash_hex[SHA256_HEX_BYTES], signature_hex[SHA256_HEX_BYTES];
    struct signing_scope scope = { slice_head(amz_date, 8), region, service };
    struct hmac_key key;
    struct signed_names names;
    struct signed_order order;
    struct slice missing;
    bool is_list =
        signed_names_read(signed_headers, &names) && signed_names_match(&names, signed_headers, r, &order, &missing);
    ASSERT(is_list);
    ASSERT(region.size <= SCOPE_PART_BYTES_MAX && service.size <= SCOPE_PART_BYTES_MAX && amz_date.size == 16);
    body_hash(body, body_hex);
    struct canonical_request c = {
        .request = r,
        .path = r->path,
        .signed_headers = signed_headers,
        .order = &order,
        .body_hex = body_hex,
    };
    bool has_room = canonical_request_hash(&c, arena, hash_hex);
    ASSERT(has_room);
    signing_key(&scope, secret, &key);
    sign(&key, &scope, amz_date, hash_hex, signature_hex);
    return arena_printf(arena,
        "AWS4-HMAC-SHA256 Credential=%.*s/%.*s/%.*s/%.*s/aws4_request, SignedHeaders=%.*s, Signature=%.*s",
        SLICE_ARG(access_key), SLICE_ARG(scope.day), SLICE_ARG(region), SLICE_ARG(service), SLICE_ARG(signed_headers),
        SHA256_HEX_BYTES, signature_hex);
}

/* sigv4.h: AWS Signature Version 4: verify what a client signed, in the Authorization header or in the query string.
 *
 * Two steps, so that nothing large is read for strangers: sigv4_parse after the head (scope, key id, date window,
 * required signed headers), sigv4_verify once the body is there.
 *
 * Thread   any. Kept per thread: 64 derived signing keys (by secret, day, region, service), what 8 Authorization headers said
 *          besides the signature, and the state of SHA-256 at the end of what 8 canonical requests share.
 * Cost     verify of a 200-byte body about 0.8 us with a cached key, sigv4_parse 0.3 us; no allocation but in `arena`.
 * Strict   a part given twice, both forms at once, SignedHeaders not lower case and ascending, an x-amz-* header that
 * is not signed (x-amz-content-sha256 and x-amz-security-token may be), UNSIGNED-PAYLOAD: all INCOMPLETE. Source
 * contracts/access.md 4.4; AWS General Reference "Signature Version 4 signing process".
 */
#ifndef MILLRACE_AUTH_SIGV4_H
#define MILLRACE_AUTH_SIGV4_H

#include "auth/credential.h"
#include "base/limits.h"
#include "codec/header.h"

struct sigv4_request {
    struct slice method; /* as received */
    struct slice path;   /* raw */
    struct slice query;  /* raw, none if absent */
    const struct header *headers;
    size_t header_count;
};

enum sigv4_result {
    SIGV4_OK,
    SIGV4_NONE,        /* no signature at all: anonymous */
    SIGV4_INCOMPLETE,  /* malformed: missing or broken part (sentence says which) */
    SIGV4_SKEWED,      /* header date outside +-window: "Signature expired: ..." / "Signature not yet current: ..." */
    SIGV4_EXPIRED,     /* presigned: past X-Amz-Expires */
    SIGV4_UNKNOWN_KEY, /* set by the caller */
    SIGV4_MISMATCH,
};

/* The signed headers in the order of their names: places in sigv4_request.headers. */
enum { SIGNED_AGAIN = 0x80 }; /* of the same name as the one before */
struct signed_order {
    uint8_t count, at[HTTP_HEADERS_MAX];
};
static_assert(HTTP_HEADERS_MAX <= 0x80, "a place and the mark share a byte");

struct sigv4 { /* parsed; views of the request or the arena */
    bool is_query;
    struct slice access_key, day, region, service, signature, signed_headers;
    struct slice date; /* X-Amz-Date (or Date) as in the string to sign */
    int64_t date_s, expires_s;
    struct slice token;          /* x-amz-security-token, none if absent */
    struct slice content_sha256; /* x-amz-content-sha256 header, none if absent */
    struct signed_order order;
    struct slice sentence; /* for INCOMPLETE, SKEWED, EXPIRED: printable ASCII */
};

enum sigv4_result sigv4_parse(
    const struct sigv4_request *r, int64_t now_s, int64_t window_s, struct arena *arena, struct sigv4 *ret);
enum sigv4_result sigv4_verify(
    const struct sigv4 *s, const struct sigv4_request *r, struct slice body, struct slice secret, struct arena *arena);

/* The same code the other way round: makes the Authorization header value (tests, later outbound calls). */
struct slice sigv4_sign(const struct sigv4_request *r, struct slice body, struct slice access_key, struct slice secret,
    struct slice region, struct slice service, struct slice amz_date, struct slice signed_headers, struct arena *arena);

#endif

/* sigv4_canonical.h: the canonical request of SigV4 and its SHA-256: the one form that signer and verifier both hash.
 *
 *   method \n path \n query \n name:value \n ... \n \n signed headers \n body hash
 *
 * Path     dot segments and double slashes removed, then every byte but unreserved ones and '/' percent-encoded (the
 * raw path is encoded already: so twice in all, as every service but S3 wants it). Query    each name and value decoded
 * ('+' is a blank) and encoded again, sorted by name, then value; a broken escape stands for its own bytes. Empty
 * pieces ("a=1&&") do not count. Headers  in the order of signed_headers, which must be lower case and ascending;
 * values trimmed, inner blanks made one, repeated headers joined by commas in order of arrival. Memory   a stack buffer
 * for common requests, the arena beyond it. False only when the arena has no room. Source   contracts/access.md 4.4.
 */
#ifndef MILLRACE_AUTH_SIGV4_CANONICAL_H
#define MILLRACE_AUTH_SIGV4_CANONICAL_H

#include "auth/sigv4.h"

enum { SHA256_HEX_BYTES = 64 };

struct canonical_request {
    const struct sigv4_request *request;
    struct slice path;                /* the request's, or another spelling of it */
    struct slice signed_headers;      /* "content-type;host;x-amz-date" */
    const struct signed_order *order; /* the headers that they are */
    bool skip_signature;              /* leave X-Amz-Signature out of the query: presigned */
    const char *body_hex;             /* SHA256_HEX_BYTES */
};

bool canonical_request_hash(const struct canonical_request *c, struct arena *arena, char ret_hex[SHA256_HEX_BYTES]);

/* RFC 3986 6.2.2: %-escapes of unreserved bytes become those bytes, other escapes get upper-case digits. The same slice
 * when nothing changes (or when the arena has no room for it). */
struct slice canonical_path_spelling(struct slice raw_path, struct arena *arena);

#endif

/* sigv4_key.h: signing keys derived from a secret, and their cache.
 *
 *   "AWS4" + secret ── day ──> . ── region ──> . ── service ──> . ── "aws4_request" ──> the key of the day
 *
 * Thread   any; each thread has its own cache, 16 sets of 4 ways (about 35 KiB), found by all that goes into the key: a
 * changed secret never meets an old entry. Cost     a hit is one keyed hash of some 60 bytes and a compare; a miss four
 * HMACs, about 3 us. Limits   parts too long for an entry are derived each time.
 */
#ifndef MILLRACE_AUTH_SIGV4_KEY_H
#define MILLRACE_AUTH_SIGV4_KEY_H

#include "base/slice.h"
#include "crypto/digest.h"

struct signing_scope {
    struct slice day, region, service;
};

void signing_key(const struct signing_scope *scope, struct slice secret, struct hmac_key *ret_key);

#endif

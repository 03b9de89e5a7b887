/* sign.h: AWS Signature Version 4 for the JSON 1.0 protocol, made anew for every request.
 *
 * Signed headers: content-type, host, x-amz-date, x-amz-target. The digest is fetched once and the signing key of the day
 * is kept as two HMAC states that are copied, so that a signature costs two SHA-256 runs and four blocks.
 *
 * Owner    one signer per thread.
 * Memory   signer_free(NULL) is fine.
 * Fails    never, except for a broken libcrypto (ends the process).
 */
#ifndef BENCH_SIGN_H
#define BENCH_SIGN_H

#include "util.h"

struct signer;

struct signer *signer_new(const char *host_header);
void signer_free(struct signer *s);

/* Appends a whole signed POST / request, head and body, to `out`. `target` is the value of X-Amz-Target. */
void signer_add_request(struct signer *s, struct buf *out, const char *target, struct span body);

#endif

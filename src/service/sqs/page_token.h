/* page_token.h: NextToken: where a listing goes on, sealed and bound to the question it belongs to.
 *
 * Bytes    base64(key id (1) ‖ nonce (12) ‖ AES-256-GCM(position) ‖ tag (16)); associated data: the question.
 *          The key is derived from the directory's root secret for this purpose alone, so a token survives a
 *          restart and nobody can make one.
 */
#ifndef MILLRACE_SERVICE_SQS_PAGE_TOKEN_H
#define MILLRACE_SERVICE_SQS_PAGE_TOKEN_H

#include "base/arena.h"

/* secret: store_secret(). question: everything that must be the same on the next page. */
struct slice sqs_page_token_seal(
    const uint8_t secret[32], struct slice question, struct slice position, struct arena *arena);
/* False: not a token of ours, or of another question. */
bool sqs_page_token_open(const uint8_t secret[32], struct slice question, struct slice token, struct arena *arena,
    struct slice *ret_position);

#endif

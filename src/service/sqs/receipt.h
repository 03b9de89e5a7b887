/* receipt.h: receipt handles: which message, which receive, sealed so that nobody can make one.
 *
 * Bytes    base64( key id 1 | nonce 12 | AES-256-GCM( uid 8, seq 8, group key 8, generation 4, epoch 4 ) | tag 16 ), 84
 *          characters. Integers are big endian. The nonce is a keyed hash of the plaintext: the same receive gives the same
 *          handle (ReceiveRequestAttemptId needs that), and two plaintexts share a nonce with probability 2^-96.
 * Thread   any.
 */
#ifndef MILLRACE_SERVICE_SQS_RECEIPT_H
#define MILLRACE_SERVICE_SQS_RECEIPT_H

#include "base/slice.h"

enum { RECEIPT_KEY_ID = 1, RECEIPT_PLAIN_BYTES = 32, RECEIPT_TEXT_BYTES = 84 };

struct sqs_keys;
struct receipt {
    uint64_t uid, seq, group_key;
    uint32_t generation;
    uint32_t epoch; /* of the store when it was received: a lease of this epoch cannot have been lost in a crash */
};

void receipt_seal(const struct sqs_keys *keys, const struct receipt *r, char out[RECEIPT_TEXT_BYTES]);
bool receipt_open(const struct sqs_keys *keys, struct slice text, struct receipt *ret); /* false: not one of ours */

#endif

/* attempt.h: ReceiveRequestAttemptId of FIFO queues: which messages a receive with that id got (contract 2.2).
 *
 * For five minutes the same id gives the same messages with the same handles and their time starts anew, as long as none of
 * them was deleted, released, changed or ran out. What an attempt gave is in its LEASED record, so it survives a restart.
 * Limits   SQS_ATTEMPTS_MAX a queue: the oldest is forgotten.
 */
#ifndef MILLRACE_SERVICE_SQS_ATTEMPT_H
#define MILLRACE_SERVICE_SQS_ATTEMPT_H

#include "service/sqs/queue.h"

struct attempt {
    struct link link; /* oldest first */
    uint64_t hash[2];
    uint64_t time_ms, epoch;
    uint32_t count;
    uint64_t seqs[SQS_RECEIVE_MAX];
    uint32_t generations[SQS_RECEIVE_MAX];
};
struct attempts {
    struct map by_hash;
    struct link oldest;
};

struct attempt *attempt_find(const struct queue *q, const uint64_t hash[2]); /* NULL */
bool attempt_is_valid(const struct queue *q, const struct attempt *a);
/* Replaces one of the same hash. The caller fills in seqs and generations. */
struct attempt *attempt_new(struct queue *q, const uint64_t hash[2], uint64_t time_ms, uint64_t epoch);
void attempts_expire(struct queue *q); /* by the queue's view_ms */
void attempts_free(struct queue *q);

#endif

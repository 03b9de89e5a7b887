/* expired.h: records of messages that time took away, before they are counted as dead.
 *
 * Expiry is a view and not logged; but a snapshot may still hold an expired message, and its segment must not be freed while
 * a start from that snapshot would look for it. So the records are collected, and before they are counted as dead a
 * TIME_PASSED record says that the log's time came so far: replay lets everything expire up to it (store.h G8: what made a
 * record dead is durable before its segment goes). At most one such record a second and log, unless much expires.
 */
#ifndef MILLRACE_SERVICE_SQS_EXPIRED_H
#define MILLRACE_SERVICE_SQS_EXPIRED_H

#include "service/sqs/queue.h"

enum { EXPIRED_STRETCHES_MAX = 4096, EXPIRED_PAUSE_MS = 1000 };

struct expired {
    struct queue_live *stretches;
    size_t count, capacity;
    uint64_t due_ms; /* when they are counted at the latest */
};

/* The record at `lsn` is of no use any more, because of the time alone. In replay it is counted at once. */
void expired_add(struct sqs_state *s, uint64_t lsn, uint64_t now_ms);
/* Part of the state's advance. */
void expired_settle(struct sqs_state *s, uint64_t now_ms);
void expired_free(struct sqs_state *s);

#endif

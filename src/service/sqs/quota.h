/* quota.h: `quotas = aws`: how often a FIFO queue may be called in one second (contract 2.2).
 *
 * 300 calls of each action a second, batches counted as one call (so 3,000 messages); queues for high throughput
 * (DeduplicationScope messageGroup and FifoThroughputLimit perMessageGroupId) are not limited. What is counted matters
 * for one second only: it is neither state nor in a record.
 *
 * Owner    a table for each log, used by the holder of its token; made at the first use, kept until the process ends.
 * Limits   RATE_QUEUES_MAX queues a log and second are counted, more go uncounted.
 */
#ifndef MILLRACE_SERVICE_SQS_QUOTA_H
#define MILLRACE_SERVICE_SQS_QUOTA_H

#include "api/call.h"

enum sqs_rate_action { SQS_RATE_SEND, SQS_RATE_RECEIVE, SQS_RATE_DELETE, SQS_RATE_VISIBILITY, SQS_RATE_COUNT };
enum { RATE_QUEUES_MAX = 512 };

/* Counts one call; false: it is one too many in this second. */
bool sqs_rate_take(uint16_t log, uint64_t queue_uid, enum sqs_rate_action action, uint64_t second);

struct queue;
/* SQS_REQUEST_THROTTLED. Only the first run of a call counts. */
struct error sqs_quota_check(struct call *c, const struct queue *q);

#endif

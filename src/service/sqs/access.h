/* access.h: the queue a call is about, if the caller may have it.
 *
 * Rule     (1) no such queue: QueueDoesNotExist; (2) the owner's account: allowed, unless the queue's policy denies
 *          it; (3) another account or nobody: never for operations that are the owner's alone, else the policy must
 *          allow it. A policy that denies everybody cannot lock the owner out: its root may always read and set
 *          attributes and remove permissions. (4) With `quotas = aws` the rate of the queue (quota.h).
 * Thread   a task of the log's owner; sqs_access_check without a config also on the front.
 * Cost     one map lookup; the policy only when there is one or the account differs.
 */
#ifndef MILLRACE_SERVICE_SQS_ACCESS_H
#define MILLRACE_SERVICE_SQS_ACCESS_H

#include "api/call.h"

struct queue;
struct sqs_config;

struct error sqs_queue_for_call(struct call *c, struct queue **ret_queue);

/* For operations that name queues otherwise (CreateQueue, move tasks). NULL: no queue, the account alone. */
struct error sqs_access_check(struct call *c, const struct sqs_config *config);
struct error sqs_fail_no_queue(struct call *c); /* the sentence of its protocol (contract 1.2) */

#endif

/* redrive.h: the seam where messages leave for a dead-letter queue.
 *
 * queue_pick has chosen `entry` (PICKED), and one more receive would exceed maxReceiveCount of the queue's RedrivePolicy.
 * sqs_redrive_out moves it away instead of letting it be received: it appends what that takes (within this task) and
 * apply removes the entry from the queue; *ret_moved says whether it did. When it cannot (no such target, target refuses,
 * channel full) the entry is left as it was and is received as usual: a message is never lost because its dead-letter queue
 * is gone.
 *
 * What a moved message brings along is in the stored message (MESSAGE_MOVED, MESSAGE_SENT in message.h): its id, the ARN it
 * came from, its receive count; queue_put takes receives > 0. Standard keeps the sent time, FIFO starts a new one and uses the
 * message id as deduplication id (contract 2.1 "DLQ").
 */
#ifndef MILLRACE_SERVICE_SQS_REDRIVE_H
#define MILLRACE_SERVICE_SQS_REDRIVE_H

#include "base/error.h"
#include <stdbool.h>
#include <stdint.h>

struct queue;

struct error sqs_redrive_out(struct queue *q, uint32_t entry, bool *ret_moved);

#endif

/* fifo.h: which group of a FIFO queue is served next.
 *
 * A group is ready when its next message is before every message of it that is in flight: so nothing follows a message in
 * flight (the group lock), and when a batch runs out while its middle was extended, what is before the middle comes again
 * (contract 2.2). Ready groups wait in a list in the order they became so; a receive takes from the first as much as it may,
 * then from the next. A group that was served and is open at once stands behind the others. A blocked group is in no list,
 * so it costs nothing.
 */
#ifndef MILLRACE_SERVICE_SQS_FIFO_H
#define MILLRACE_SERVICE_SQS_FIFO_H

#include "service/sqs/queue.h"

bool fifo_is_ready(const struct group *g);
void fifo_refresh(
    struct queue *q, struct group *g); /* into or out of the list; a group that becomes ready wakes a waiter */
void fifo_yield(struct queue *q, struct group *g); /* behind the others, if it is ready */
void fifo_forget(struct group *g);                 /* before it is freed */
struct group *fifo_next(const struct queue *q);    /* NULL: every group is empty or locked */

#endif

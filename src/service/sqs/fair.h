/* fair.h: which tenant of a standard queue is served next (contract 2.3).
 *
 *      quiet  (heap by position: the oldest message first, the main group beside them)
 *        │ noisy: > 10 % of what is in flight and >= 30, or > 10 % of the recent processing time
 *      noisy  (heap by messages in flight: the fewest first; served when nothing quiet waits)
 *        └ quiet again: backlog drained, or nothing sent for 5 minutes
 *
 * Messages without a group are each their own tenant: the main group is always quiet.
 * Time is the queue's view_ms. All of this is a view: never in a record, never in a snapshot; after a start everybody is quiet.
 * Processing time of a tenant: messages in flight integrated over time, in two windows of a minute.
 * Cost     O(log tenants); a tenant is freed with its last message.
 */
#ifndef MILLRACE_SERVICE_SQS_FAIR_H
#define MILLRACE_SERVICE_SQS_FAIR_H

#include "service/sqs/queue.h"

struct fair_usage {
    uint64_t since_ms, window; /* counted up to; number of the present window */
    uint64_t now, before;      /* message-milliseconds of the present and the last window */
};
struct tenant {
    struct group *group;
    struct heap_node turn;  /* in quiet or noisy while something waits */
    struct link noisy_link; /* in the fair's list while noisy, the one that sent longest ago first */
    uint64_t last_sent_ms;
    struct fair_usage usage;
    bool is_noisy;
};
struct fair {
    struct heap quiet, noisy;
    struct link noisy_tenants;
    struct fair_usage usage; /* of the whole queue */
    uint64_t tenant_count;
};

void fair_join(struct queue *q, struct group *g);   /* a new group */
void fair_forget(struct queue *q, struct group *g); /* before it is freed */
void fair_free(struct queue *q);
/* Before in_flight of the group (and of the queue) changes. g may be the main group. */
void fair_count(struct queue *q, struct group *g);
void fair_sent(struct queue *q, struct group *g);
void fair_refresh(struct queue *q, struct group *g);
void fair_advance(struct queue *q);
/* The tenant or main group whose turn it is; NULL: nothing waits. */
struct group *fair_next(struct queue *q);

#endif

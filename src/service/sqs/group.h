/* group.h: messages that are scheduled together: a FIFO group, a tenant of a fair queue, or all of a plain standard queue.
 *
 *   lane (never received) ──pick──> flight entries: leased, delayed, or back in `returned`
 *
 * What is served next is the lower of the lane's head (by seq) and the top of `returned` (by position).
 *
 * Invariants  G1 `entries` counts the flight entries that point here; G2 a group without messages is freed (but the main
 *             one); G3 FIFO: `leased` holds exactly the leased entries, by seq; G4 is_aged: in the queue's `ages` with a key
 *             that is not after the sent time of the lane's head.
 * Memory      about 200 bytes; a group id is kept as its keyed 64-bit hash: two ids of one hash would share their order and
 *             lock, which is safe, and takes four thousand million groups in one queue to be likely.
 */
#ifndef MILLRACE_SERVICE_SQS_GROUP_H
#define MILLRACE_SERVICE_SQS_GROUP_H

#include "base/heap.h"
#include "base/list.h"
#include "service/sqs/flight.h"
#include "service/sqs/lane.h"

struct queue;

struct group {
    uint64_t key; /* 0: the main group */
    struct lane lane;
    struct flight_heap returned; /* by position */
    uint32_t entries, in_flight;
    struct heap_node age; /* in the queue's ages: when the oldest in the lane was sent */
    union {
        struct {                       /* fifo.c */
            struct flight_heap leased; /* by seq */
            struct link ready;         /* in the queue's ready list */
        };
        struct tenant *tenant; /* fair.c; NULL for the main group */
    };
};

struct group *group_main(struct queue *q);                     /* made when first used */
struct group *group_find(const struct queue *q, uint64_t key); /* NULL */
struct group *group_get(struct queue *q, uint64_t key);        /* made if absent */
void group_free_all(struct queue *q);
/* Messages are about to be added to these, if they exist: their memory is asked for, all at once. For queues with so many
 * groups that they do not stay in the processor's caches. */
enum { GROUPS_FAR = 2048, GROUPS_FETCHED_MAX = 16 };
void group_fetch(const struct queue *q, const uint64_t *keys, size_t count);

/* After any change to it: where the scheduler has it, and is it still needed. The group may be gone afterwards. */
void group_refresh(struct queue *q, struct group *g);

/* Where the next one is: seq or position; UINT64_MAX: nothing waits. */
uint64_t group_head_position(const struct group *g);

#endif

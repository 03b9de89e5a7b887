/* queue.h: one queue: what its records made, and the views that follow from it and the time.
 *
 *                 ┌────────────── visible ──────────────┐
 *   sent ──delay──┤ lane (never received)   returned    ├──receive──> leased (in flight) ──delete──> gone
 *                 └─────────────────────────────────────┘ <──timeout── │ release
 *                         retention: gone from anywhere
 *
 * Three schedulers over one structure: a plain standard queue has its main group; messages with a MessageGroupId on a
 * standard queue live in tenants (fair.h); a FIFO queue has a group for each id (fifo.h).
 *
 * Owner       the holder of the log's token; nobody else reads a word of it.
 * State       uid, names, times, config, next_seq, and of each message: seq, LSN, sent time, receives, lease. Everything else
 *             (orders, heaps, ready lists, counters) is a view and never in a record. queue_advance brings the views to a
 *             time; apply calls it with the record's time first, so replay sees what deciding saw.
 * Invariants  Q1 messages = lanes + flights; Q2 in_flight = LEASED entries, delayed = DELAYED entries; Q3 every entry but a
 *             PICKED one has a deadline; Q4 RETURNED entries are in their group's `returned`.
 * Cost        O(1) in the backlog, O(log) in what is in flight.
 * Memory      an idle queue: this struct, its names in the same block, its config.
 */
#ifndef MILLRACE_SERVICE_SQS_QUEUE_H
#define MILLRACE_SERVICE_SQS_QUEUE_H

#include "api/owner.h"
#include "base/map.h"
#include "service/sqs/config.h"
#include "service/sqs/dedup.h"
#include "service/sqs/group.h"

struct sqs_state;
struct fair;
struct attempts;
struct move_tasks;

struct queue_figures { /* since start; not state */
    uint64_t sent, received, deleted, empty_receives, deduplicated;
};

struct queue {
    uint64_t uid; /* LSN of its QUEUE_CREATED */
    struct sqs_state *state;
    struct slice account, region, name; /* behind this struct */
    struct sqs_config *config;
    uint64_t created_ms, changed_ms, purged_ms;
    uint64_t next_seq; /* from 1 */
    uint64_t view_ms;  /* the time the views are at: of the last queue_advance; what "now" means below */

    uint64_t messages, delayed;
    uint64_t in_transit; /* left for another queue and not settled there (channel.h); not among `messages` */
    uint32_t in_flight;
    bool is_fifo;

    struct flights flights;
    struct group *main;
    struct map groups; /* by key */
    struct heap ages;  /* of groups with a lane, by a lower bound of their oldest sent time */
    struct link ready; /* FIFO: groups a receive may take from, in the order they became so */
    struct fair *fair; /* standard, NULL without tenants */
    struct dedup dedup;
    struct attempts *attempts; /* NULL without */
    struct move_tasks *moves;  /* NULL without (move_task.h) */

    struct link in_state;
    struct link waiters;    /* long polls: struct call.waiting */
    struct heap_node watch; /* in the state's, while there are waiters: its next deadline */
    struct queue_figures figures;
};

static inline uint64_t queue_visible(const struct queue *q) /* ApproximateNumberOfMessages */
{
    return q->messages - q->in_flight - q->delayed;
}
static inline uint64_t queue_retention_ms(const struct queue *q)
{
    return (uint64_t)q->config->retention_s * 1000;
}
/* Of those that do not stand at the back for having been received often. UINT64_MAX: there are none. O(in flight) */
uint64_t queue_oldest_sent_ms(const struct queue *q);

/* Brings the views to `now_ms`: delays and leases that ended, messages past retention, deduplication ids, attempts. Wakes
 * waiters for what became visible. At most about `budget` messages expire (0: all); what is expired is never served. */
void queue_advance(struct queue *q, uint64_t now_ms, size_t budget);
/* When queue_advance has something to do next; UINT64_MAX: never. */
uint64_t queue_next_deadline(struct queue *q);
/* For up to `count` messages that can be received now: that many long polls look again. */
void queue_wake(struct queue *q, uint64_t count);
/* After a change, if there are waiters: makes sure that advance runs when its next deadline comes. */
void queue_watch(struct queue *q);

/* ---- messages; used by apply, and by receive while it picks -------------------------------------------------------- */

struct queue_message { /* what is needed to put one in */
    uint64_t seq, lsn, sent_ms;
    uint64_t group_key;  /* 0: none */
    uint64_t visible_ms; /* delayed until then; 0: at once */
    uint32_t receives;   /* it brings with it (dead letters) */
    uint64_t first_ms;   /* of its first receive, if receives > 0 */
};
void queue_put(struct queue *q, const struct queue_message *m);
/* The best visible message as a PICKED entry; FLIGHT_NONE: nothing may be received. Expired ones are dropped on the way. */
uint32_t queue_pick(struct queue *q);
/* PICKED entries that were not leased go back where they were. */
void queue_unpick(struct queue *q, uint32_t entry);
/* The entry of `seq`, taken out of its lane if it waits there (group_key says which). FLIGHT_NONE: gone. */
uint32_t queue_lift(struct queue *q, uint64_t seq, uint64_t group_key);
/* Entry from any state to: leased until (visible at once if that is not after now), visible, gone. */
void queue_lease(struct queue *q, uint32_t entry, uint64_t leased_ms, uint64_t visible_ms);
void queue_release(struct queue *q, uint32_t entry);
void queue_drop(struct queue *q, uint32_t entry);
/* Gone from here, but its record stays live: the message travels (channel.h). */
void queue_take(struct queue *q, uint32_t entry);
/* Where the record of `seq` is; 0: it is gone. And: it is now at `to_lsn`; false: it is gone. */
uint64_t queue_lsn_of(const struct queue *q, uint64_t seq, uint64_t group_key);
bool queue_relocate(struct queue *q, uint64_t seq, uint64_t group_key, uint64_t to_lsn);
void queue_drop_all(struct queue *q); /* and the deduplication ids, attempts */
/* DelaySeconds of a FIFO queue or retention changed: every deadline anew, and FIFO messages delayed or visible as if the
 * delay had always been so (contract 1.6). */
void queue_reconsider(struct queue *q);
void queue_free(struct queue *q); /* and all it holds, without counting dead records */

/* ---- restoring a snapshot: messages come back as they were ------------------------------------------------------------ */

/* LSNs that agree above these bits (4 KiB of journal) are in one segment: segments are multiples of it. */
enum { QUEUE_LIVE_STRETCH_BITS = 8 };
struct queue_live { /* counts live records of one stretch of the journal together */
    uint64_t stretch, lsn;
    uint32_t count;
};
void queue_live_add(struct queue *q, struct queue_live *live, uint64_t lsn);      /* lsn 0: the end */
void queue_live_drop(struct sqs_state *s, struct queue_live *live, uint64_t lsn); /* the same for records that died */
bool queue_restore_lane(struct queue *q, uint64_t group_key, struct unpack *u, struct queue_live *live);
/* `image`: an entry with everything but its group and places. False: impossible. */
bool queue_restore_entry(struct queue *q, const struct flight *image, uint64_t group_key, struct queue_live *live);

#endif

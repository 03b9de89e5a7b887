/* flight.h: messages that are more than waiting: received at least once, delayed, or picked out of their lane.
 *
 *                 ┌── order[queue or group] by position ──> served before the lane's head
 *   by seq (hash) ┤
 *                 └── deadlines: when it is visible again, when its delay ends, when retention ends
 *
 * An entry is 64 bytes in blocks that are allocated as they are needed and given back when the last entry goes. Entries are
 * named by their number (uint32_t): it stays the same as long as the entry lives.
 *
 * Deadlines are lazy: a changed or deleted entry leaves its slot behind, which is skipped when it comes to the top and
 * swept out when half of the slots are stale. They mostly come in rising order and mostly end by deletion in about the same
 * order, so those that rise wait in a line, and only the others in a heap: a life costs one write and one look. Orders are
 * exact heaps.
 *
 * Owner   the holder of the log's token.
 * Cost    find O(1); heaps O(log n), four children a node, keys beside the numbers.
 * Limits  2^31 entries a queue.
 */
#ifndef MILLRACE_SERVICE_SQS_FLIGHT_H
#define MILLRACE_SERVICE_SQS_FLIGHT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum flight_state {
    FLIGHT_FREE,
    FLIGHT_RETURNED, /* visible: in its group's `returned` order */
    FLIGHT_DELAYED,  /* never received, not yet visible */
    FLIGHT_LEASED,   /* in flight until visible_at */
    FLIGHT_PICKED, /* visible, but chosen by the receive that is being decided: in no order; never seen between tasks */
};
enum flight_flags {
    FLIGHT_CHANGED = 1, /* its lease was changed since it was given: receive attempts are void (contract 2.2) */
    FLIGHT_REFUSED = 2, /* its dead-letter queue refused it: it is received once before the next try (channel.h) */
    FLIGHT_SEEN = 128,  /* only while deadlines are swept */
};
enum { FLIGHT_NONE = UINT32_MAX };

struct group;

struct flight {
    uint64_t seq;
    uint64_t lsn;
    uint64_t sent_ms;
    union {
        uint64_t position;  /* RETURNED, PICKED: its place among the waiting; its seq unless it went to the back */
        uint64_t leased_ms; /* LEASED: when it was received; the 12-hour rule counts from here */
        uint32_t next_free; /* FREE */
    };
    struct group *group;
    uint32_t visible_after; /* ms after sent_ms, LEASED and DELAYED */
    uint32_t first_after;   /* ms after sent_ms of the first receive */
    uint32_t generation;    /* number of receives, undone ones too: what a handle names */
    uint32_t due_after;     /* ms after sent_ms of its deadline; its slot in the deadlines says the same, or is stale */
    uint32_t place;         /* + 1 in an order */
    uint16_t undone;        /* receives that were taken back: count = generation - undone */
    uint8_t state;
    uint8_t flags;
};

/* A slot of a heap: of the queue's deadlines, or of an order of a group. */
struct flight_slot {
    uint64_t key;
    uint32_t entry;
    uint32_t tie; /* low half of seq: equal keys leave in the order of sending, so that ended delays fit into a lane */
};
struct flight_heap {
    struct flight_slot *slots;
    uint32_t count, capacity;
};

struct flight_line { /* slots in rising order: a window of `count` from `first` */
    struct flight_slot *slots;
    uint32_t first, count, capacity;
};

struct flights {
    struct flight **blocks;
    uint32_t *table; /* by seq; FLIGHT_NONE: empty */
    uint32_t table_capacity;
    uint32_t block_count, block_capacity;
    uint32_t free_head; /* + 1 */
    uint32_t used;      /* entries ever handed out of the blocks */
    uint32_t count;
    struct flight_line line; /* deadlines that came in rising order */
    struct flight_heap odd;  /* the others */
};

/* A zeroed struct flights is an empty one. */
void flights_clear(struct flights *f); /* all entries; orders of groups must be cleared by their owners */
uint32_t flights_add(struct flights *f, uint64_t seq);        /* zeroed but for seq; the seq must be new */
uint32_t flights_find(const struct flights *f, uint64_t seq); /* FLIGHT_NONE */
void flights_remove(struct flights *f, uint32_t entry);       /* must be in no order; leaves the deadlines by itself */
struct flight *flights_get(const struct flights *f, uint32_t entry);
/* for (uint32_t i = 0; flights_next(f, &i, &entry);) ...; by number, so the order depends on history */
bool flights_next(const struct flights *f, uint32_t *position, uint32_t *ret_entry);
size_t flights_memory(const struct flights *f);

/* The entry's deadline; replaces the one it had. */
void flight_due(struct flights *f, uint32_t entry, uint64_t due_ms);
/* The first deadline; UINT64_MAX: there is none. */
uint64_t flight_first_due(struct flights *f, uint32_t *ret_entry);

void flight_heap_clear(struct flight_heap *h); /* frees; does not touch the entries */
void flight_order_insert(struct flights *f, struct flight_heap *h, uint32_t entry, uint64_t key);
void flight_order_remove(struct flights *f, struct flight_heap *h, uint32_t entry);
static inline uint32_t flight_heap_top(const struct flight_heap *h) /* of an order; FLIGHT_NONE when empty */
{
    return h->count ? h->slots[0].entry : FLIGHT_NONE;
}
static inline uint64_t flight_heap_key(const struct flight_heap *h) /* of an order's top; UINT64_MAX when empty */
{
    return h->count ? h->slots[0].key : UINT64_MAX;
}

/* small facts */
static inline uint32_t flight_count(const struct flight *e) /* ApproximateReceiveCount */
{
    return e->generation - e->undone;
}
static inline uint64_t flight_visible_ms(const struct flight *e)
{
    return e->sent_ms + e->visible_after;
}
static inline uint64_t flight_first_ms(const struct flight *e)
{
    return e->sent_ms + e->first_after;
}
static inline uint32_t flight_after(const struct flight *e, uint64_t ms) /* a time as it is kept */
{
    uint64_t after = ms > e->sent_ms ? ms - e->sent_ms : 0;
    return after < UINT32_MAX ? (uint32_t)after : UINT32_MAX;
}

#endif

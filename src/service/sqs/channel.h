/* channel.h: messages on their way to a queue of another log (or of this one): dead letters and move tasks.
 *
 *   source log                                         destination log
 *   MOVED_OUT: numbers 7..9 leave their queue
 *     │ durable
 *     └──── transfer: base 7, items 7..9 ────────────> decides each: takes it (SENT) or refuses it
 *                                                      ARRIVED: 7..9 are decided, 8 was refused   (one append with SENT)
 *   OUT_DONE: up to 9 settled, <───── answer ────────────┘ durable
 *   8 goes back to its queue
 *     │ durable
 *     └──── transfer: base 10, ... (what is below 10 is forgotten there)
 *
 * Why nothing is lost or doubled   a number leaves the outbox only by OUT_DONE; the destination remembers what it decided for
 * every number that the source may still send again. After a crash the same numbers are sent again and answered from there.
 * Why nothing blocks   one transfer a channel is under way; every step is a task of an owner that returns at once.
 *
 * Channel      of (source log, destination log): numbers from 1, dense, in the order of the source's records.
 * In transit   messages here belong to no queue: their queue counts them in `in_transit`, their records stay live. A purge
 *              of the queue makes them orphans: if they are refused, they are dropped, as they are when the queue is gone.
 * Owner        outboxes and inboxes: the holder of their log's token. A transfer: the source's until submitted to the
 *              destination's owner, that one's until it submits the answer.
 * State        outbox: base, next, entries; inbox: base, mark, refused. The rest of an outbox is what is under way.
 * Limits       SQS_OUTBOX_MAX entries a channel, CHANNEL_BATCH_MAX and CHANNEL_BATCH_BYTES a transfer.
 */
#ifndef MILLRACE_SERVICE_SQS_CHANNEL_H
#define MILLRACE_SERVICE_SQS_CHANNEL_H

#include "api/owner.h"
#include "base/map.h"
#include "service/sqs/message.h"

struct queue;
struct sqs_state;
struct unpack;
struct flight;
struct snapshot_writer;
struct digest;

enum {
    CHANNEL_BATCH_MAX = 100,       /* items of a transfer, and messages of a MOVED_OUT record */
    CHANNEL_BATCH_BYTES = 1 * MIB, /* of a transfer; one message may be larger */
    CHANNEL_WINDOW_WORDS = 2,      /* bits an inbox remembers: 128, more than a transfer holds */
    CHANNEL_RETRY_MS = 1000,       /* after an append that failed: the disk is full, or too much is pending */
    CHANNEL_TASK_ID_BYTES = 16,
};

enum channel_kind {
    CHANNEL_REDRIVE, /* to the dead-letter queue: keeps its id and its count */
    CHANNEL_MOVE,    /* by a move task: becomes a new message */
};

/* Where messages of one queue go, and why: what those of one batch have in common. Never changes. */
struct channel_route {
    uint32_t references; /* the source's */
    uint8_t kind;
    bool is_fifo;
    uint8_t task_id[CHANNEL_TASK_ID_BYTES];  /* CHANNEL_MOVE */
    struct slice source_account, source_arn; /* behind this struct, as all of these */
    struct slice account, region, name;      /* the destination */
};

struct channel_entry {      /* one message in transit */
    uint64_t uid, seq, lsn; /* its queue, number and record there */
    uint64_t sent_ms, first_ms, position, group_key;
    uint32_t generation;
    uint16_t undone;
    bool is_orphan;
    struct channel_route *route;
};

/* ---- a transfer ------------------------------------------------------------------------------------------------------ */

struct transfer_item {
    const struct channel_route *route;
    lsn_t lsn;              /* pinned until the answer */
    struct message message; /* as it is stored at the source; views of the transfer's arena */
    uint8_t id[16];         /* its MessageId */
    uint64_t sent_ms, first_ms;
    uint32_t receives;
    bool is_damaged; /* its record cannot be read: refuse it */
};
struct transfer {
    struct task task; /* at the destination */
    uint16_t from;
    struct task *answer; /* at the source */
    uint64_t base;
    uint32_t count;
    struct transfer_item *items;
    /* the answer */
    struct error error; /* nothing was decided: try again later */
    uint64_t refused[CHANNEL_WINDOW_WORDS];
};

enum outbox_phase {
    OUTBOX_IDLE,
    OUTBOX_APPENDED, /* waits until its entries are durable */
    OUTBOX_WARMING,  /* a reader thread brings records into memory */
    OUTBOX_SENT,     /* the destination has the transfer */
    OUTBOX_SETTLED,  /* waits until OUT_DONE is durable */
};

struct outbox {
    struct sqs_state *state;
    uint16_t to;
    uint64_t base, next;            /* numbers of the entries: base to next - 1 */
    struct channel_entry **entries; /* a ring: number & (capacity - 1) */
    uint32_t capacity;
    /* not state */
    lsn_t appended_lsn; /* of the newest MOVED_OUT; 0 after a start: all is durable then */
    uint8_t phase;
    bool is_warm;          /* what is sent next was just warmed: now it may wait for the disk */
    uint64_t durable_upto; /* numbers below it are durable, or will be when `task` runs */
    uint64_t retry_ms;     /* 0: nothing failed */
    struct task task;      /* the next step at the source */
    struct transfer transfer;
    struct arena arena; /* of the transfer, while there is one */
    bool has_arena;
};

struct inbox { /* what was decided for numbers base to mark; bit i of refused: base + i */
    uint64_t base, mark;
    uint64_t refused[CHANNEL_WINDOW_WORDS];
};

/* What a log's state has of it. A zeroed one is empty, but for channels_init. */
struct channels {
    struct outbox *out[LOG_COUNT]; /* by destination; NULL: never used */
    struct inbox *in[LOG_COUNT];   /* by source */
    struct map by_message;         /* entries by (uid, seq): the cleaner looks for them */
    uint64_t work_ms;              /* when sqs_work runs next; UINT64_MAX: nothing to do */
    bool is_work_queued;
    struct task work;
};
void channels_init(struct channels *c);
void channels_free(struct sqs_state *s);

/* ---- for those who move messages ------------------------------------------------------------------------------------------ */

struct channel_target {
    uint8_t kind;
    const uint8_t *task_id; /* CHANNEL_MOVE */
    struct slice account, region, name;
};
/* How many messages may be added for that destination. */
uint32_t channel_room(const struct sqs_state *s, const struct channel_target *target);
/* Appends MOVED_OUT: the entries (PICKED, at most CHANNEL_BATCH_MAX) leave `q`. On failure they are as they were. */
struct error channel_move_out(
    struct queue *q, const struct channel_target *target, const uint32_t *entries, uint32_t count);

/* Work across logs of this log's state runs soon after `ms` (0: when the present task is done). Not while replaying. */
void sqs_work_at(struct sqs_state *s, uint64_t ms);
void sqs_work_advance(struct sqs_state *s, uint64_t now_ms); /* of sqs_state_advance */

/* ---- for apply.c and state.c ---------------------------------------------------------------------------------------------- */

void channels_orphan(struct sqs_state *s, struct queue *q); /* the queue was purged */
/* Is the record of (uid, seq) in transit, and where is it? 0: no. And: it is now at to_lsn; false: not in transit. */
uint64_t channel_lsn_of(const struct sqs_state *s, uint64_t uid, uint64_t seq);
bool channel_relocate(struct sqs_state *s, uint64_t uid, uint64_t seq, uint64_t to_lsn);
uint64_t channels_in_transit(const struct sqs_state *s);

/* ---- records: payloads ------------------------------------------------------------------------------------------------------
 *
 *   MOVED_OUT  (object: the queue) destination log, first number, kind, [task id 16], account, region, name, count,
 *              (seq << 1 | has group, [group key 8])...
 *   ARRIVED    source log, base, last - base, refused words
 *   OUT_DONE   destination log, base, last - base, refused words
 */
struct record_moved_out {
    uint16_t to;
    uint64_t first;
    uint8_t kind;
    uint8_t task_id[CHANNEL_TASK_ID_BYTES];
    struct slice account, region, name;
    uint32_t count;
    struct {
        uint64_t seq, group_key;
    } items[CHANNEL_BATCH_MAX];
};
void record_moved_out(struct buf *b, const struct record_moved_out *r);
bool record_moved_out_parse(struct slice payload, struct record_moved_out *ret);

struct record_decided { /* ARRIVED, OUT_DONE */
    uint16_t log;
    uint64_t base, last;
    uint64_t refused[CHANNEL_WINDOW_WORDS];
};
void record_decided(struct buf *b, const struct record_decided *r);
bool record_decided_parse(struct slice payload, struct record_decided *ret);

static inline bool channel_bit(const uint64_t words[CHANNEL_WINDOW_WORDS], uint64_t index)
{
    return words[index / 64] >> (index % 64) & 1;
}
static inline void channel_bit_set(uint64_t words[CHANNEL_WINDOW_WORDS], uint64_t index)
{
    words[index / 64] |= (uint64_t)1 << (index % 64);
}

/* ---- between channel.c, channel_send.c, channel_receive.c, channel_snapshot.c ------------------------------------------------- */

struct outbox *outbox_get(struct sqs_state *s, uint16_t to); /* made if absent */
struct inbox *inbox_get(struct sqs_state *s, uint16_t from);
struct channel_entry *outbox_entry(const struct outbox *b, uint64_t number);
/* Adds it under the next number; takes the entry's route reference. */
struct channel_entry *outbox_add(struct outbox *b, const struct channel_entry *image);
struct channel_route *channel_route_new(const struct channel_route *image);
void channel_route_unref(struct channel_route *route);
void outboxes_work(struct sqs_state *s, uint64_t now_ms); /* channel_send.c: whatever can go on goes on */
void transfer_deliver(struct owner *o, struct task *t);   /* channel_receive.c: at the destination */

void channels_capture(const struct sqs_state *s, struct buf *pending, struct snapshot_writer *w);
bool channels_restore(struct sqs_state *s, struct unpack *u);
void channels_digest(const struct sqs_state *s, struct digest *d);

#endif

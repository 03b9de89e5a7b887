/* move_task.h: message move tasks: a dead-letter queue empties into another queue, or back to where its messages came from.
 *
 *   RUNNING ──nothing left, or as many as were counted──> COMPLETED
 *      │  └──the destination is gone, or unknown; too long──> FAILED
 *      └──cancel──> CANCELLING ──nothing in transit──> CANCELLED
 *
 * A task moves what is visible, as fast as its rate allows; what it takes travels by channel (channel.h) and arrives as new
 * messages. It ends when the last of its messages is settled, so that its counts are final.
 * State    everything of struct move_task up to `in_transit`; a queue keeps its last MOVE_TASKS_KEPT tasks.
 * Owner    the holder of the token of the source queue's log; tasks are made and changed by apply, freed with their queue.
 */
#ifndef MILLRACE_SERVICE_SQS_MOVE_TASK_H
#define MILLRACE_SERVICE_SQS_MOVE_TASK_H

#include "base/list.h"
#include "service/sqs/channel.h"

enum {
    MOVE_TASKS_KEPT = 10,      /* what ListMessageMoveTasks can show at most */
    MOVE_WINDOW = 200,         /* messages of one task in transit */
    MOVE_SLICES_A_SECOND = 10, /* a task with a rate moves so often */
    MOVE_PAUSE_MS = 1,         /* between slices of a task without a rate: others have their turn */
    MOVE_RETRY_MS = 1000,
};

enum move_status { MOVE_RUNNING, MOVE_COMPLETED, MOVE_CANCELLING, MOVE_CANCELLED, MOVE_FAILED, MOVE_STATUS_COUNT };
enum move_failure { MOVE_NOT_FAILED, MOVE_NO_DESTINATION, MOVE_NO_SOURCE, MOVE_TOO_LONG, MOVE_FAILURE_COUNT };

struct move_task {
    struct link link; /* in its queue's, newest first */
    uint8_t id[CHANNEL_TASK_ID_BYTES];
    uint64_t started_ms;
    uint32_t rate; /* messages a second; 0: as fast as possible */
    uint8_t status, failure;
    uint64_t to_move; /* visible when it started */
    uint64_t moved, refused;
    uint64_t in_transit;
    struct slice destination; /* ARN, behind this struct; none: each to its own source */
    /* not state */
    uint64_t next_ms;  /* of the next slice */
    bool is_drained;   /* there was nothing left to take */
    uint8_t ends_with; /* enum move_failure: it takes no more and fails when nothing is in transit */
};
struct move_tasks {    /* of a queue; made with its first task */
    struct link tasks; /* newest first */
    uint32_t count;
    uint64_t started;   /* ever: makes ids */
    struct link active; /* in the state's, while one runs or is being cancelled */
    struct queue *queue;
};

static inline bool move_task_is_active(const struct move_task *t)
{
    return t->status == MOVE_RUNNING || t->status == MOVE_CANCELLING;
}
struct move_task *move_task_active(const struct queue *q);                  /* NULL */
struct move_task *move_task_find(const struct queue *q, const uint8_t *id); /* NULL */
void move_tasks_free(struct queue *q);

struct move_warming { /* of a log: records that tasks without a destination must read; one batch at a time */
    struct task task;
    bool is_busy, is_warm; /* is_warm: the next slice may wait for the disk */
    uint32_t count;
    lsn_t lsns[CHANNEL_BATCH_MAX]; /* pinned */
};
struct moves {          /* what a log's state has of it */
    struct link active; /* struct move_tasks with a task that is not over */
    struct move_warming warming;
};
void moves_init(struct moves *m);

/* The active tasks of this log go on; called by the log's work (channel.h). */
void move_tasks_work(struct sqs_state *s, uint64_t now_ms);

/* ---- apply ---- */
void move_task_took(struct queue *q, const uint8_t *id, uint64_t count); /* left for the channel */
void move_task_settled(struct queue *q, const uint8_t *id, bool is_refused);

/* ---- records: TASK_STARTED: id 16, rate, to move, destination ARN (empty: none). TASK_STATUS: id 16, status, failure ---- */
struct record_task_started {
    uint8_t id[CHANNEL_TASK_ID_BYTES];
    uint32_t rate;
    uint64_t to_move;
    struct slice destination;
};
void record_task_started(struct buf *b, const struct record_task_started *r);
bool record_task_started_parse(struct slice payload, struct record_task_started *ret);
struct record_task_status {
    uint8_t id[CHANNEL_TASK_ID_BYTES];
    uint8_t status, failure;
};
void record_task_status(struct buf *b, const struct record_task_status *r);
bool record_task_status_parse(struct slice payload, struct record_task_status *ret);
struct error move_task_set_status(
    struct queue *q, struct move_task *t, enum move_status status, enum move_failure failure);

extern const char *const move_status_names[MOVE_STATUS_COUNT];
extern const char *const move_failure_names[MOVE_FAILURE_COUNT];

/* ---- snapshot ---- */
void move_tasks_capture(const struct sqs_state *s, struct buf *pending);
bool move_tasks_restore(struct sqs_state *s, struct unpack *u);
void move_tasks_digest(const struct sqs_state *s, struct digest *d);

#endif

/* weigh.c: SQS-INV-18: how much more a server may hold than one that has just read the same state, by the sizes of what it
 * is made of. Why at all: arrays double and are not made smaller, entries stay until the last one of their queue goes.
 *
 *   at rest (queues empty, ids ended)   a queue: QUEUE_LEFT; a log that has queues: LOG_LEFT
 *   at any time                         and for each queue that has messages: BUSY_QUEUE, and for the most messages it had since
 *                                       it was empty: MESSAGE each; an id: ID each, an attempt: ATTEMPT each, of ten minutes
 */
#include "model.h"
#include "service/sqs/attempt.h"
#include "service/sqs/fair.h"
#include "service/sqs/state.h"

enum {
    MALLOC = 8 + 15, /* beside a block: memory.c's own bytes, and some */
    GROWTH = 2,      /* arrays double */
    POINTER = sizeof(void *),
    MAP_SLOT = sizeof(struct map_slot) * GROWTH * 4 / 3,                                       /* at most 3/4 full */
    MAP_FIRST = sizeof(struct map_part) + 16 * sizeof(struct map_slot) + POINTER + 2 * MALLOC, /* a directory of one */
    SLOT = sizeof(struct flight_slot) * GROWTH,
    DEADLINES_SLACK = 64, /* flight.c: so many may be stale, and as many again as are not */

    HEAP_OF_CALLS = CALLS_MAX * POINTER * GROWTH + MALLOC,
    LOG_LEFT = 2 * HEAP_OF_CALLS,          /* deadlines of calls; queues with waiters */
    TRANSIT = POINTER * GROWTH + MAP_SLOT, /* a ring and a map */

    GROUP = sizeof(struct group) + sizeof(struct tenant) + 2 * MALLOC,
    QUEUE_LEFT = MAP_FIRST + (GROUPS + 1) * (MAP_SLOT + POINTER * GROWTH) + GROUP, /* groups, ages; the main one */
    BUSY_QUEUE = (GROUPS + 1) * (GROUP + 4 * MALLOC + 64 + 2 * 4 * SLOT) /* chunk and orders of the first few */ +
                 2 * DEADLINES_SLACK * SLOT + 8 * sizeof(struct flight),
    MESSAGE = GROWTH * sizeof(struct flight) + sizeof(uint32_t) * GROWTH * 4 / 3 /* by seq */ +
              2 * SLOT /* deadlines, half of them stale */ + 2 * SLOT /* orders */ + GROWTH * LANE_ITEM_BYTES_MAX +
              GROWTH * sizeof(struct queue_live) /* expired.h */,
    ID = sizeof(struct dedup_entry) + 8 * sizeof(uint32_t) /* its table is made smaller at an eighth */ + 1,
    IDS = 2 * sizeof(struct dedup_chunk) + sizeof(struct dedup_part) + POINTER + 64 * sizeof(uint32_t) + 5 * MALLOC,
    ATTEMPT = sizeof(struct attempt) + MALLOC + MAP_SLOT,
};

static uint64_t messages_peak[QUEUES_MAX]; /* since it was empty, or the start */
static uint64_t transit_peak[LOG_COUNT];

void weigh_start(void)
{
    memset(messages_peak, 0, sizeof(messages_peak));
    memset(transit_peak, 0, sizeof(transit_peak));
}

void weigh_note(struct sqs_state *s, const struct record *r)
{
    const struct queue *q = sqs_queue_find_uid(s, r->object);
    uint64_t in_transit = r->type == SQS_RECORD_MOVED_OUT ? channels_in_transit(s) : 0;
    if (in_transit > transit_peak[s->owner->log])
        transit_peak[s->owner->log] = in_transit;
    if (!q)
        return;
    size_t index = (size_t)(q->name.data[1] - '0'); /* q7.fifo */
    ASSERT(index < QUEUES_MAX);
    uint64_t *peak = &messages_peak[index];
    if (q->messages == 0 || q->messages > *peak)
        *peak = q->messages;
}

static size_t of_queue(uint32_t index)
{
    const struct model_queue *q = &model.queues[index];
    size_t bytes = QUEUE_LEFT;
    if (sim.is_draining)
        return bytes;
    if (messages_peak[index])
        bytes += BUSY_QUEUE + messages_peak[index] * MESSAGE;
    if (q->dedup_count)
        bytes += IDS + q->dedup_count * ID;
    return bytes + q->attempt_count * ATTEMPT + (q->attempt_count ? MAP_FIRST : 0);
}

size_t weigh_slack(void)
{
    bool has_queues[LOG_COUNT] = { false };
    size_t bytes = 0;
    for (uint32_t i = 0; i < sim.plan.queue_count; i++) {
        has_queues[model.queues[i].log] = true;
        bytes += of_queue(i);
    }
    for (int log = 0; log < LOG_COUNT; log++)
        bytes += has_queues[log] ? LOG_LEFT + transit_peak[log] * TRANSIT : 0;
    return bytes;
}

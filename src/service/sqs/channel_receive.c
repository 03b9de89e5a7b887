/* channel_receive.c: the destination's side of a channel: each message is taken or refused, once (channel.h). */
#include "base/mutant.h"
#include "base/text.h"
#include "service/sqs/channel.h"
#include "service/sqs/state.h"

enum {
    TAIL_FLAGS = MESSAGE_SENDER | MESSAGE_GROUP | MESSAGE_DEDUP | MESSAGE_TRACE | MESSAGE_ATTRIBUTES,
    DELIVERY_ARENA_BYTES = 16 * MIB,
    UUID_CHARS = 36,
};

struct delivery { /* of one transfer, while it is decided */
    struct sqs_state *s;
    struct arena *arena;
    const struct transfer *transfer;
    uint64_t refused[CHANNEL_WINDOW_WORDS];
    struct record_in records[CHANNEL_BATCH_MAX + 1];
    struct slice parts[CHANNEL_BATCH_MAX][3];
    uint32_t count; /* of records: messages that are taken */
    struct {
        const struct queue *q;
        uint64_t next_seq;
    } queues[CHANNEL_BATCH_MAX];
    uint32_t queue_count;
};

/* ---- one message --------------------------------------------------------------------------------------------------------- */

static bool is_welcome(const struct queue *q, const struct transfer_item *item)
{
    const struct channel_route *route = item->route;
    if (!q || q->is_fifo != route->is_fifo || item->is_damaged)
        return false;
    return route->kind != CHANNEL_REDRIVE || sqs_redrive_is_allowed(&q->config->redrive_allow, route->source_arn);
}

/* A dead letter of a standard queue keeps its sent time: it may be past the retention of this queue. */
static bool is_expired(const struct delivery *d, const struct queue *q, const struct transfer_item *item)
{
    return item->route->kind == CHANNEL_REDRIVE && !q->is_fifo &&
           item->sent_ms + queue_retention_ms(q) <= d->s->owner->now_ms;
}

static uint64_t next_seq(struct delivery *d, const struct queue *q)
{
    uint32_t i = 0;
    while (i < d->queue_count && d->queues[i].q != q)
        i++;
    if (i == d->queue_count) {
        d->queues[i].q = q;
        d->queues[i].next_seq = q->next_seq;
        d->queue_count++;
    }
    return d->queues[i].next_seq++;
}

/* What it brings along from where it failed: its name, its count; on FIFO queues its name is also its deduplication id and
 * its time starts anew (contract 2.1 "DLQ", "Retention"). */
static void keep_identity(struct delivery *d, const struct transfer_item *item, struct message *m)
{
    m->flags |= MESSAGE_MOVED;
    m->moved_id = slice_of(item->id, sizeof(item->id));
    m->source_arn = item->route->source_arn;
    m->receives = item->receives;
    if (item->route->is_fifo) {
        char *id = arena_alloc(d->arena, UUID_CHARS + 1);
        text_format_uuid(item->id, id);
        m->flags = (m->flags & ~(uint32_t)MESSAGE_DEDUP_HASH) | MESSAGE_DEDUP;
        m->dedup_id = slice_of(id, UUID_CHARS);
    } else {
        m->flags |= MESSAGE_SENT;
        m->sent_ms = item->sent_ms;
        m->first_after_ms = item->first_ms > item->sent_ms ? item->first_ms - item->sent_ms : 0;
    }
}

static void take(struct delivery *d, const struct queue *q, const struct transfer_item *item)
{
    struct message m = item->message;
    m.flags &= TAIL_FLAGS | MESSAGE_DEDUP_HASH;
    m.seq = next_seq(d, q);
    if (item->route->kind == CHANNEL_REDRIVE)
        keep_identity(d, item, &m);
    if (!(m.flags & MESSAGE_SENDER) && !slice_equal(item->route->source_account, q->account)) {
        m.flags |= MESSAGE_SENDER;
        m.sender = item->route->source_account;
    }
    size_t bound = 128 + m.source_arn.size + m.sender.size + m.group_id.size + m.dedup_id.size + m.trace.size +
                   m.attributes.size + 10 * 10;
    struct buf b = { .data = arena_alloc(d->arena, bound), .capacity = bound };
    struct slice *parts = d->parts[d->count];
    message_encode_head(&b, &m);
    message_encode_tail(&b, &m);
    parts[0] = buf_slice(&b);
    parts[1] = m.body;
    d->records[d->count++] = (struct record_in){ .type = SQS_RECORD_SENT,
        .version = SQS_RECORD_VERSION,
        .flags = RECORD_MUST_UNDERSTAND | RECORD_LIVE,
        .object = q->uid,
        .parts = parts,
        .part_count = 2,
        .opaque_parts = 1 };
}

/* ---- one transfer ---------------------------------------------------------------------------------------------------------- */

static struct error decide(struct delivery *d, uint32_t index)
{
    const struct transfer_item *item = &d->transfer->items[index];
    const struct channel_route *route = item->route;
    struct queue *q = sqs_queue_find(d->s, route->account, route->region, route->name);
    if (!is_welcome(q, item)) {
        channel_bit_set(d->refused, index);
        return OK;
    }
    if (q->is_fifo && dedup_count(&q->dedup) + d->count >= SQS_DEDUP_ENTRIES_MAX)
        return ERROR_OF(ERR_AGAIN);
    if (!is_expired(d, q, item))
        take(d, q, item);
    return OK;
}

static struct error append(struct delivery *d, uint64_t last)
{
    char bytes[64];
    lsn_t lsns[CHANNEL_BATCH_MAX + 1];
    struct buf b = { .data = bytes, .capacity = sizeof(bytes) };
    struct record_decided r = { .log = d->transfer->from, .base = d->transfer->base, .last = last };
    memcpy(r.refused, d->refused, sizeof(r.refused));
    record_decided(&b, &r);
    const struct slice payload = buf_slice(&b);
    d->records[d->count] = (struct record_in){ .type = SQS_RECORD_ARRIVED,
        .version = SQS_RECORD_VERSION,
        .flags = RECORD_MUST_UNDERSTAND,
        .parts = &payload,
        .part_count = 1 };
    return owner_record(d->s->owner, d->records, d->count + 1, false, lsns);
}

/* What was decided before is answered from memory, the rest is decided now and remembered. */
static struct error receive(struct delivery *d)
{
    const struct transfer *t = d->transfer;
    const struct inbox *inbox = d->s->channels.in[t->from];
    uint64_t mark = inbox && !MUTANT(arrival_not_remembered) ? inbox->mark : 0, last = t->base + t->count - 1;
    ASSERT(!inbox || t->base >= inbox->base); /* the source forgets first, and durably */
    for (uint64_t number = t->base; inbox && number <= mark; number++)
        if (channel_bit(inbox->refused, number - inbox->base))
            channel_bit_set(d->refused, number - t->base);
    if (last <= mark)
        return OK;
    uint64_t first_new = mark >= t->base ? mark + 1 : t->base;
    for (uint64_t number = first_new; number <= last; number++)
        TRY(decide(d, (uint32_t)(number - t->base)));
    return append(d, last);
}

void transfer_deliver(struct owner *o, struct task *task)
{
    struct transfer *t = CONTAINER_OF(task, struct transfer, task);
    struct arena arena;
    arena_init(&arena, DELIVERY_ARENA_BYTES);
    struct delivery *d = ARENA_NEW(&arena, struct delivery);
    d->s = sqs_state_of(o);
    d->arena = &arena;
    d->transfer = t;
    t->error = receive(d);
    memcpy(t->refused, d->refused, sizeof(t->refused));
    arena_deinit(&arena);
    /* From here on the transfer is the source's again. */
    owner_submit_when_durable(owner_of(t->from), t->answer, failed(t->error) ? 0 : o->last_lsn);
}

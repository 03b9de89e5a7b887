/* channel_send.c: the source's side of a channel: what is durable is read, sent, and settled by the answer (channel.h). */
#include "base/log.h"
#include "service/sqs/channel.h"
#include "service/sqs/state.h"

enum {
    TRANSFER_ARENA_BYTES = 16 * MIB, /* a full transfer, and one message of the largest size more */
    WARM_MAX = CHANNEL_BATCH_MAX,
};

static void outbox_step(struct owner *o, struct task *t);

static uint64_t now_of(const struct outbox *b)
{
    return b->state->owner->now_ms;
}

static void retry_later(struct outbox *b)
{
    b->phase = OUTBOX_IDLE;
    b->retry_ms = now_of(b) + CHANNEL_RETRY_MS;
    sqs_work_at(b->state, b->retry_ms);
}

/* ---- what is to be sent ---------------------------------------------------------------------------------------------- */

static void unpin(struct outbox *b)
{
    for (uint32_t i = 0; i < b->transfer.count; i++)
        store_unpin(b->state->owner->store, b->transfer.items[i].lsn);
    b->transfer.count = 0;
}

static void message_id_of(
    const struct outbox *b, const struct channel_entry *e, const struct message *m, uint8_t out[16])
{
    if (m->flags & MESSAGE_MOVED)
        memcpy(out, m->moved_id.data, 16);
    else
        message_id_derive(sqs_state_keys(b->state), e->uid, e->seq, out);
}

/* One more item of the transfer. ERR_COLD: its record is not in memory. *ret_bytes: what it takes. */
static struct error add_item(struct outbox *b, const struct channel_entry *e, size_t *ret_bytes)
{
    struct store *store = b->state->owner->store;
    struct transfer_item *item = &b->transfer.items[b->transfer.count];
    struct record r;
    struct error error = store_read(store, e->lsn, b->is_warm, &b->arena, &r);
    if (error.code == ERR_COLD)
        return error;
    *item = (struct transfer_item){ .route = e->route,
        .lsn = e->lsn,
        .sent_ms = e->sent_ms,
        .first_ms = e->first_ms,
        .receives = e->generation - e->undone };
    if (!failed(error))
        error = message_decode(r.payload, &item->message);
    item->is_damaged = failed(error) || r.object != e->uid || item->message.seq != e->seq;
    if (item->is_damaged)
        log_event(LOG_ERROR, "message_damaged", "source=%.*s lsn=%llu", SLICE_ARG(e->route->source_arn),
            (unsigned long long)e->lsn);
    else
        message_id_of(b, e, &item->message, item->id);
    *ret_bytes = item->is_damaged ? 0 : r.payload.size;
    store_pin(store, e->lsn);
    b->transfer.count++;
    return OK;
}

static void warmed(void *argument)
{
    struct outbox *b = argument;
    owner_submit(b->state->owner, &b->task);
}

/* The first record is cold: a reader thread brings the next ones into memory. The transfer's items hold the pins. */
static void warm(struct outbox *b)
{
    lsn_t lsns[WARM_MAX];
    size_t count = 0;
    for (uint64_t n = b->base; n < b->durable_upto && count < WARM_MAX; n++) {
        lsns[count] = b->transfer.items[count].lsn = outbox_entry(b, n)->lsn;
        store_pin(b->state->owner->store, lsns[count]);
        b->transfer.count = (uint32_t)++count;
    }
    b->phase = OUTBOX_WARMING;
    store_warm(b->state->owner->store, lsns, count, warmed, b);
}

static void send(struct outbox *b)
{
    struct transfer *t = &b->transfer;
    size_t bytes = 0;
    if (!b->has_arena) {
        arena_init(&b->arena, TRANSFER_ARENA_BYTES);
        b->has_arena = true;
    }
    arena_reset(&b->arena);
    *t = (struct transfer){ .task = { .run = transfer_deliver },
        .from = b->state->owner->log,
        .answer = &b->task,
        .base = b->base,
        .items = ARENA_ARRAY(&b->arena, struct transfer_item, CHANNEL_BATCH_MAX) };
    for (uint64_t n = b->base; n < b->durable_upto && t->count < CHANNEL_BATCH_MAX && bytes < CHANNEL_BATCH_BYTES;
         n++) {
        size_t more;
        if (failed(add_item(b, outbox_entry(b, n), &more)))
            break;
        bytes += more;
    }
    if (t->count == 0) {
        warm(b);
        return;
    }
    b->is_warm = false;
    b->phase = OUTBOX_SENT;
    owner_submit(owner_of(b->to), &t->task);
}

/* ---- the answer -------------------------------------------------------------------------------------------------------- */

static void settle(struct outbox *b)
{
    const struct transfer *t = &b->transfer;
    struct record_decided d = { .log = b->to, .base = t->base, .last = t->base + t->count - 1 };
    memcpy(d.refused, t->refused, sizeof(d.refused));
    struct error e = t->error;
    unpin(b);
    if (!failed(e)) {
        char bytes[64];
        struct buf payload = { .data = bytes, .capacity = sizeof(bytes) };
        static_assert(sizeof(bytes) > (3 + CHANNEL_WINDOW_WORDS) * 10, "the record fits");
        record_decided(&payload, &d);
        e = record_append(b->state, SQS_RECORD_OUT_DONE, 0, buf_slice(&payload), true);
    }
    if (failed(e)) {
        retry_later(b);
        return;
    }
    b->phase = OUTBOX_SETTLED;
    owner_submit_when_durable(b->state->owner, &b->task, b->state->owner->last_lsn);
}

/* ---- one step after the other ------------------------------------------------------------------------------------------ */

static void start(struct outbox *b)
{
    if (b->base == b->next) {
        if (b->has_arena)
            arena_deinit(&b->arena);
        b->has_arena = false;
        return;
    }
    b->phase = OUTBOX_APPENDED;
    b->durable_upto = b->next;
    b->retry_ms = 0;
    b->task.run = outbox_step;
    owner_submit_when_durable(b->state->owner, &b->task, b->appended_lsn);
}

static void outbox_step(struct owner *o, struct task *task)
{
    struct outbox *b = CONTAINER_OF(task, struct outbox, task);
    (void)o;
    switch (b->phase) {
    case OUTBOX_APPENDED:
        send(b);
        return;
    case OUTBOX_WARMING:
        unpin(b);
        b->is_warm = true;
        send(b);
        return;
    case OUTBOX_SENT:
        settle(b);
        return;
    case OUTBOX_SETTLED:
        b->phase = OUTBOX_IDLE;
        start(b);
        return;
    default:
        ASSERT(false);
    }
}

void outboxes_work(struct sqs_state *s, uint64_t now_ms)
{
    for (size_t log = 0; log < LOG_COUNT; log++) {
        struct outbox *b = s->channels.out[log];
        if (!b || b->phase != OUTBOX_IDLE)
            continue;
        if (b->retry_ms > now_ms)
            sqs_work_at(s, b->retry_ms);
        else
            start(b);
    }
}

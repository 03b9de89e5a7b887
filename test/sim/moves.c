/* moves.c: what crosses queues, told by its records in the order in which they were applied.
 *
 *   MOVED_OUT at the source ──> every message was due, and may be taken          (M_TRANSIT)
 *   SENT..., ARRIVED there  ──> each number decided once, rightly, the rest as it was (M_ARRIVED, M_REFUSED, a new message)
 *   OUT_DONE at the source  ──> says the same; what was refused is back          (M_MOVED, M_LIVE)
 *
 * Calls are judged by their replies; these steps have none, so the model follows the records and checks that each was called
 * for. That the messages are where it believes them to be shows when they are received.
 */
#include "base/text.h"
#include "model.h"
#include "service/sqs/channel.h"
#include "service/sqs/message.h"
#include "service/sqs/move_task.h"
#include "service/sqs/state.h"

struct arrival { /* a SENT record that an ARRIVED one may follow */
    uint64_t uid, seq;
    uint32_t content;
};
struct arrived {
    struct record_decided decided;
    uint32_t count;
    struct arrival arrivals[CHANNEL_BATCH_MAX];
};
static struct {
    uint32_t count;
    struct arrival arrivals[CHANNEL_BATCH_MAX];
} sent[LOG_COUNT]; /* since the last record or call of the log that was something else */
static uint32_t moved_recently[LOG_COUNT];

void moves_call_ended(uint16_t log)
{
    sent[log].count = 0;
}

uint32_t moves_since_last_call(uint16_t log)
{
    uint32_t count = moved_recently[log];
    moved_recently[log] = 0;
    return count;
}

/* ---- while records are applied -------------------------------------------------------------------------------------------- */

/* What is applied lacks the body (record_in.opaque_parts); the log has it. */
static void remember_sent(const struct owner *o, const struct record *r)
{
    struct message m;
    struct record whole;
    uint64_t content = 0;
    if (sent[o->log].count == CHANNEL_BATCH_MAX)
        return;
    ASSERT(!failed(store_read(o->store, r->lsn, true, &sim.details, &whole)));
    ASSERT(!failed(message_decode(whole.payload, &m)));
    struct slice rest = m.body;
    slice_cut(&rest, ' '); /* "content 17 ..." */
    text_parse_u64(slice_cut(&rest, ' '), &content);
    sent[o->log].arrivals[sent[o->log].count++] = (struct arrival){ r->object, m.seq, (uint32_t)content };
}

static const void *detail_of(const struct owner *o, const struct record *r)
{
    struct arena *arena = &sim.details;
    struct record_task_status *status = ARENA_NEW(arena, struct record_task_status);
    struct arrived *arrived = ARENA_NEW(arena, struct arrived);
    struct record_moved_out *out = ARENA_NEW(arena, struct record_moved_out);
    bool is_good = true;
    switch (r->type) {
    case SQS_RECORD_MOVED_OUT:
        is_good = record_moved_out_parse(r->payload, out);
        out->account = arena_copy(arena, out->account);
        out->region = arena_copy(arena, out->region);
        out->name = arena_copy(arena, out->name);
        ASSERT(is_good);
        return out;
    case SQS_RECORD_TASK_STATUS:
        ASSERT(record_task_status_parse(r->payload, status));
        return status;
    default:
        ASSERT(record_decided_parse(r->payload, &arrived->decided));
        if (r->type == SQS_RECORD_ARRIVED) {
            arrived->count = sent[o->log].count;
            memcpy(arrived->arrivals, sent[o->log].arrivals, sizeof(arrived->arrivals));
        }
        return arrived;
    }
}

static uint32_t queue_named(struct slice name)
{
    for (uint32_t i = 0; i < sim.plan.queue_count; i++)
        if (slice_equal(slice_str(model.queues[i].name), name))
            return i;
    sim_fail(INV_MOVED, "messages were sent to %.*s, which nobody named", SLICE_ARG(name));
}

/* The queue with this uid, now: by its name, which is the model's too. UINT32_MAX: there is none. */
static uint32_t queue_of_uid(struct sqs_state *state, uint64_t uid)
{
    const struct queue *q = sqs_queue_find_uid(state, uid);
    return q ? queue_named(q->name) : UINT32_MAX;
}

struct error moves_apply(void *state, const struct record *r)
{
    const struct owner *o = ((struct sqs_state *)state)->owner;
    struct error e = sqs_state_apply(state, r);
    if (!failed(e))
        weigh_note(state, r);
    if (failed(e) || o->is_replaying)
        return e;
    if (r->type == SQS_RECORD_SENT) {
        remember_sent(o, r);
        return e;
    }
    bool is_ours = r->type == SQS_RECORD_MOVED_OUT || r->type == SQS_RECORD_ARRIVED || r->type == SQS_RECORD_OUT_DONE ||
                   r->type == SQS_RECORD_TASK_STATUS;
    if (is_ours) {
        ASSERT(sim.event_count < EVENTS_MAX);
        sim.events[sim.event_count++] = (struct event){ .kind = EVENT_RECORD,
            .detail = detail_of(o, r),
            .type = r->type,
            .queue = queue_of_uid(state, r->object), /* which may be gone when the model hears of it */
            .now_ms = r->time_ms,
            .lsn = r->lsn,
            .log = o->log };
    }
    sent[o->log].count = 0;
    return e;
}

/* ---- the model ---------------------------------------------------------------------------------------------------------------- */

bool model_is_away(const struct model_message *m)
{
    return m->state == M_TRANSIT || m->state == M_ARRIVED || m->state == M_REFUSED;
}

uint64_t moves_in_transit(void)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < model.message_count; i++)
        count += model_is_away(&model.messages[i]);
    return count;
}

bool model_is_due(const struct model_message *m)
{
    const struct model_queue *q = &model.queues[m->queue];
    if (!q->redrive_to || m->was_refused || m->generation - m->undone < q->max_receive)
        return false;
    const struct model_queue *target = &model.queues[q->redrive_to - 1];
    return target->exists && target->is_fifo == q->is_fifo;
}

static struct model_message *in_transit(uint16_t from, uint16_t to, uint64_t number)
{
    for (uint32_t i = 0; i < sim.plan.queue_count; i++) {
        const struct model_queue *q = &model.queues[i];
        for (word k = 0; q->log == from && k < q->list_count; k++) {
            struct model_message *m = &model.messages[q->list[k]];
            if (model_is_away(m) && m->transit_number == number && model.queues[m->transit_to].log == to)
                return m;
        }
    }
    sim_fail(INV_MOVED, "number %llu from log %u to log %u was decided about, and nothing of that number is on its way",
        (unsigned long long)number, from, to);
}

static bool is_task_too_long(const struct model_queue *q, uint64_t now_ms)
{
    return sqs_quotas.move_task_ms_max && now_ms >= q->task_started_ms + sqs_quotas.move_task_ms_max;
}

static void leave(
    const struct event *e, struct model_queue *q, const struct record_moved_out *r, uint32_t i, uint32_t target)
{
    struct model_message *m = model_find(q, q->order_base + r->items[i].seq);
    CHECK(INV_MOVED,
        m && message_is_there(m, e->now_ms) && !message_is_leased(m, e->now_ms) && !message_is_delayed(m, e->now_ms),
        "%s: number %llu was moved away, it is not there, in flight or delayed", q->name,
        (unsigned long long)r->items[i].seq);
    bool is_task = r->kind == CHANNEL_MOVE;
    if (is_task)
        CHECK(INV_MOVED, q->task_status == TASK_RUNNING && !is_task_too_long(q, e->now_ms),
            "%s: a message was moved by a task that does not run, or no longer", q->name);
    else
        CHECK(INV_MOVED, model_is_due(m) && q->redrive_to == target + 1, "%s: a message was moved after %llu receives",
            q->name, (unsigned long long)(m->generation - m->undone));
    TRACE("   %llu leaves for queue %llu with number %llu", m - model.messages, target, r->first + i);
    model_set(&m->state, M_TRANSIT);
    model_set(&m->transit_number, r->first + i);
    model_set(&m->transit_to, target);
    model_set(&m->is_orphan, 0);
    model_set(&m->by_task, is_task);
    if (is_task)
        model_set(&q->task_transit, q->task_transit + 1);
    moved_recently[e->log]++;
    ++*(is_task ? &sim.figures.task_moves : &sim.figures.letters);
}

static void moved_out(const struct event *e)
{
    const struct record_moved_out *r = e->detail;
    uint32_t target = queue_named(r->name);
    ASSERT(e->queue != UINT32_MAX);
    struct model_queue *q = &model.queues[e->queue];
    TRACE("%llu messages leave queue %llu for %llu, kind %llu, lsn %llu", r->count, q - model.queues, target, r->kind,
        e->lsn);
    for (uint32_t i = 0; i < r->count; i++)
        leave(e, q, r, i, target);
    CHECK(INV_MOVED, r->kind != CHANNEL_MOVE || q->task_moved + q->task_refused + q->task_transit <= q->task_to_move,
        "%s: a task took more messages than it counted at its start", q->name);
}

/* A dead letter of a standard queue keeps its sent time, so it may be past the retention of where it comes to. */
static bool expires_there(const struct model_message *m, const struct model_queue *q, uint64_t now_ms)
{
    return !m->by_task && !q->is_fifo && m->sent_ms + q->retention_s * 1000 <= now_ms;
}

static void arrived(const struct event *e)
{
    const struct arrived *a = e->detail;
    word *mark = &model.marks[a->decided.log][e->log];
    uint32_t used = 0;
    CHECK(INV_MOVED, a->decided.last > *mark, "log %u decided number %llu twice", e->log,
        (unsigned long long)a->decided.last);
    for (uint64_t number = *mark + 1; number <= a->decided.last; number++) {
        struct model_message *m = in_transit(a->decided.log, e->log, number);
        const struct model_queue *to = &model.queues[m->transit_to];
        bool is_refused = channel_bit(a->decided.refused, number - a->decided.base);
        bool must_refuse = !to->exists || to->is_fifo != model.queues[m->queue].is_fifo;
        CHECK(INV_MOVED, m->state == M_TRANSIT && is_refused == must_refuse, "message %u was %s by %s, wrongly",
            (uint32_t)(m - model.messages), is_refused ? "refused" : "taken", to->name);
        TRACE("   number %llu of log %llu, %llu, arrives at queue %llu: refused %llu", number, a->decided.log,
            m - model.messages, m->transit_to, is_refused);
        ++*(is_refused ? &sim.figures.refused : &sim.figures.arrived);
        model_set(&m->state, is_refused ? M_REFUSED : M_ARRIVED);
        if (is_refused || expires_there(m, to, e->now_ms))
            continue;
        CHECK(INV_MOVED, used < a->count && a->arrivals[used].content == m->content,
            "%s: another message arrived than was sent", to->name);
        CHECK(INV_MOVED, a->arrivals[used].seq == to->next_order - to->order_base, "%s: a message arrived out of order",
            to->name);
        used++;
        model_arrives(m, (uint32_t)m->transit_to, !m->by_task, e->now_ms);
    }
    CHECK(INV_MOVED, used == a->count, "log %u: %u messages arrived that nobody sent", e->log, a->count - used);
    model_set(mark, a->decided.last);
}

static void settle(uint16_t from, struct model_message *m, bool is_refused)
{
    struct model_queue *q = &model.queues[m->queue];
    CHECK(INV_MOVED, m->state == (is_refused ? M_REFUSED : M_ARRIVED),
        "message %u: the two queues do not agree about it", (uint32_t)(m - model.messages));
    if (m->by_task && m->born == q->born && q->exists) {
        word *count = is_refused ? &q->task_refused : &q->task_moved;
        model_set(count, *count + 1);
        model_set(&q->task_transit, q->task_transit - 1);
    }
    (void)from;
    if (!is_refused || m->is_orphan) {
        model_message_dies(m, is_refused ? M_PURGED : M_MOVED);
        return;
    }
    TRACE("   %llu is back in queue %llu", m - model.messages, m->queue);
    model_set(&m->state, M_LIVE);
    model_set(&m->lease_ms, 0);
    model_set(&m->was_refused, 1);
}

static void out_done(const struct event *e)
{
    const struct arrived *a = e->detail;
    for (uint64_t number = a->decided.base; number <= a->decided.last; number++)
        settle(e->log, in_transit(e->log, a->decided.log, number),
            channel_bit(a->decided.refused, number - a->decided.base));
}

static void task_status(const struct event *e)
{
    const struct record_task_status *r = e->detail;
    ASSERT(e->queue != UINT32_MAX);
    struct model_queue *q = &model.queues[e->queue];
    TRACE("the task of queue %llu is %llu now", q - model.queues, r->status + 1);
    word status = r->status + 1u;
    if (status == TASK_CANCELLING)
        return; /* the call that did it says so */
    CHECK(INV_MOVED, q->task_transit == 0, "%s: a task ended with %llu messages on their way", q->name,
        (unsigned long long)q->task_transit);
    CHECK(INV_MOVED, q->task_status == (status == TASK_CANCELLED ? TASK_CANCELLING : TASK_RUNNING),
        "%s: a task that was not running ended", q->name);
    if (r->failure == MOVE_TOO_LONG) {
        CHECK(INV_MOVED, is_task_too_long(q, e->now_ms) && q->task_moved + q->task_refused < q->task_to_move,
            "%s: a task ended before its time", q->name);
        sim.figures.tasks_too_long++;
    }
    ++*(status == TASK_COMPLETED   ? &sim.figures.tasks_completed
        : status == TASK_CANCELLED ? &sim.figures.tasks_cancelled
                                   : &sim.figures.tasks_failed);
    model_set(&q->task_status, status);
}

void moves_take(const struct event *e)
{
    if (e->type == SQS_RECORD_MOVED_OUT)
        moved_out(e);
    else if (e->type == SQS_RECORD_ARRIVED)
        arrived(e);
    else if (e->type == SQS_RECORD_OUT_DONE)
        out_done(e);
    else
        task_status(e);
}

/* move_task.c: the tasks of a queue: their records, and their snapshot. The runner is in move_run.c, operations in move_ops.c. */
#include "service/sqs/move_task.h"
#include "service/sqs/apply.h"
#include "service/sqs/catalog.h"
#include "service/sqs/digest.h"
#include "service/sqs/memory.h"
#include "service/sqs/state.h"

const char *const move_status_names[MOVE_STATUS_COUNT] = { "RUNNING", "COMPLETED", "CANCELLING", "CANCELLED",
    "FAILED" };
const char *const move_failure_names[MOVE_FAILURE_COUNT] = { "", "AWS.SimpleQueueService.NonExistentQueue",
    "CouldNotDetermineMessageSource", "OverLimit" };

/* ---- finding ------------------------------------------------------------------------------------------------------------- */

static struct move_task *task_of(struct link *l)
{
    return LIST_ENTRY(l, struct move_task, link);
}

struct move_task *move_task_find(const struct queue *q, const uint8_t *id)
{
    if (!q->moves)
        return NULL;
    for (struct link *l = q->moves->tasks.next; l != &q->moves->tasks; l = l->next)
        if (memcmp(task_of(l)->id, id, CHANNEL_TASK_ID_BYTES) == 0)
            return task_of(l);
    return NULL;
}

/* Only the newest can be: a new one starts when the others are over. */
struct move_task *move_task_active(const struct queue *q)
{
    if (!q->moves || list_is_empty(&q->moves->tasks))
        return NULL;
    struct move_task *t = task_of(q->moves->tasks.next);
    return move_task_is_active(t) ? t : NULL;
}

/* ---- memory ---------------------------------------------------------------------------------------------------------------- */

static struct move_tasks *tasks_get(struct queue *q)
{
    if (q->moves)
        return q->moves;
    q->moves = memory_zero(sizeof(*q->moves));
    q->moves->queue = q;
    list_init(&q->moves->tasks);
    return q->moves;
}

static void forget(struct move_tasks *m, struct move_task *t)
{
    list_remove(&t->link);
    m->count--;
    memory_free(t);
}

static struct move_task *task_new(struct move_tasks *m, const uint8_t *id, struct slice destination)
{
    struct move_task *t = memory_zero(sizeof(*t) + destination.size);
    memcpy(t->id, id, sizeof(t->id));
    if (destination.size) {
        memcpy(t + 1, destination.data, destination.size);
        t->destination = slice_of(t + 1, destination.size);
    }
    if (m->count == MOVE_TASKS_KEPT)
        forget(m, task_of(m->tasks.prev));
    list_push_front(&m->tasks, &t->link);
    m->count++;
    return t;
}

static void set_active(struct queue *q, bool is_active, lsn_t lsn)
{
    const struct sqs_catalog_key key = { q->account, q->region, q->name };
    sqs_work_at(q->state, 0);
    if (list_is_linked(&q->moves->active) == is_active)
        return;
    if (is_active)
        list_push_back(&q->state->moves.active, &q->moves->active);
    else
        list_remove(&q->moves->active);
    sqs_catalog_set_moving(&key, is_active, lsn);
}

void move_tasks_free(struct queue *q)
{
    if (!q->moves)
        return;
    for (struct link *l = q->moves->tasks.next, *next; l != &q->moves->tasks; l = next) {
        next = l->next;
        memory_free(task_of(l));
    }
    if (list_is_linked(&q->moves->active))
        list_remove(&q->moves->active);
    memory_free(q->moves);
    q->moves = NULL;
}

/* ---- records --------------------------------------------------------------------------------------------------------------- */

static bool unpack_id(struct unpack *u, uint8_t *id)
{
    struct slice bytes = unpack_raw(u, CHANNEL_TASK_ID_BYTES);
    if (!u->is_bad)
        memcpy(id, bytes.data, bytes.size);
    return !u->is_bad;
}

void record_task_started(struct buf *b, const struct record_task_started *r)
{
    buf_add(b, slice_of(r->id, sizeof(r->id)));
    pack_u64(b, r->rate);
    pack_u64(b, r->to_move);
    pack_bytes(b, r->destination);
}

bool record_task_started_parse(struct slice payload, struct record_task_started *ret)
{
    struct unpack u = unpack_of(payload);
    if (!unpack_id(&u, ret->id))
        return false;
    ret->rate = unpack_u32(&u);
    ret->to_move = unpack_u64(&u);
    ret->destination = unpack_bytes(&u);
    return !u.is_bad && u.at == u.end;
}

void record_task_status(struct buf *b, const struct record_task_status *r)
{
    buf_add(b, slice_of(r->id, sizeof(r->id)));
    pack_u64(b, r->status);
    pack_u64(b, r->failure);
}

bool record_task_status_parse(struct slice payload, struct record_task_status *ret)
{
    struct unpack u = unpack_of(payload);
    if (!unpack_id(&u, ret->id))
        return false;
    uint64_t status = unpack_u64(&u), failure = unpack_u64(&u);
    if (u.is_bad || u.at != u.end || status >= MOVE_STATUS_COUNT || failure >= MOVE_FAILURE_COUNT)
        return false;
    ret->status = (uint8_t)status;
    ret->failure = (uint8_t)failure;
    return true;
}

struct error move_task_set_status(
    struct queue *q, struct move_task *t, enum move_status status, enum move_failure failure)
{
    struct record_task_status r = { .status = (uint8_t)status, .failure = (uint8_t)failure };
    char bytes[64];
    struct buf b = { .data = bytes, .capacity = sizeof(bytes) };
    memcpy(r.id, t->id, sizeof(r.id));
    record_task_status(&b, &r);
    return record_append(q->state, SQS_RECORD_TASK_STATUS, q->uid, buf_slice(&b), true);
}

struct error apply_task_started(struct sqs_state *s, const struct record *r)
{
    struct record_task_started started;
    struct queue *q = sqs_queue_find_uid(s, r->object);
    if (!q || !record_task_started_parse(r->payload, &started) || move_task_active(q))
        return ERROR_OF(ERR_CORRUPT);
    struct move_tasks *m = tasks_get(q);
    struct move_task *t = task_new(m, started.id, started.destination);
    t->started_ms = r->time_ms;
    t->rate = started.rate;
    t->to_move = started.to_move;
    m->started++;
    set_active(q, true, r->lsn);
    return OK;
}

struct error apply_task_status(struct sqs_state *s, const struct record *r)
{
    struct record_task_status status;
    struct queue *q = sqs_queue_find_uid(s, r->object);
    if (!q || !record_task_status_parse(r->payload, &status))
        return ERROR_OF(ERR_CORRUPT);
    struct move_task *t = move_task_find(q, status.id);
    if (!t || !move_task_is_active(t))
        return ERROR_OF(ERR_CORRUPT);
    t->status = status.status;
    t->failure = status.failure;
    set_active(q, move_task_is_active(t), r->lsn);
    return OK;
}

/* A task waits for its messages, so it is there until the last one is settled. */
void move_task_took(struct queue *q, const uint8_t *id, uint64_t count)
{
    struct move_task *t = move_task_find(q, id);
    if (t)
        t->in_transit += count;
}

void move_task_settled(struct queue *q, const uint8_t *id, bool is_refused)
{
    struct move_task *t = move_task_find(q, id);
    if (!t)
        return;
    t->in_transit--;
    *(is_refused ? &t->refused : &t->moved) += 1;
}

/* ---- snapshot -------------------------------------------------------------------------------------------------------------- */

static void capture_tasks(const struct move_tasks *m, struct buf *b)
{
    pack_u64(b, m->queue->uid);
    pack_u64(b, m->started);
    pack_u64(b, m->count);
    for (struct link *l = m->tasks.prev; l != &m->tasks;
         l = l->prev) { /* oldest first: they are put in front of each other */
        const struct move_task *t = task_of(l);
        buf_add(b, slice_of(t->id, sizeof(t->id)));
        pack_bytes(b, t->destination);
        pack_u64(b, t->started_ms);
        pack_u64(b, t->rate);
        pack_u64(b, t->status);
        pack_u64(b, t->failure);
        pack_u64(b, t->to_move);
        pack_u64(b, t->moved);
        pack_u64(b, t->refused);
    }
}

void move_tasks_capture(const struct sqs_state *s, struct buf *pending)
{
    uint64_t count = 0;
    for (struct link *l = s->queues.next; l != &s->queues; l = l->next)
        count += LIST_ENTRY(l, struct queue, in_state)->moves ? 1 : 0;
    pack_u64(pending, count);
    for (struct link *l = s->queues.next; l != &s->queues; l = l->next) {
        const struct queue *q = LIST_ENTRY(l, struct queue, in_state);
        if (q->moves)
            capture_tasks(q->moves, pending);
    }
}

static bool restore_task(struct queue *q, struct unpack *u)
{
    uint8_t id[CHANNEL_TASK_ID_BYTES];
    if (!unpack_id(u, id))
        return false;
    struct slice destination = unpack_bytes(u);
    if (u->is_bad || move_task_find(q, id))
        return false;
    struct move_task *t = task_new(q->moves, id, destination);
    t->started_ms = unpack_ms(u);
    t->rate = unpack_u32(u);
    uint64_t status = unpack_u64(u), failure = unpack_u64(u);
    t->to_move = unpack_u64(u);
    t->moved = unpack_u64(u);
    t->refused = unpack_u64(u);
    if (u->is_bad || status >= MOVE_STATUS_COUNT || failure >= MOVE_FAILURE_COUNT)
        return false;
    t->status = (uint8_t)status;
    t->failure = (uint8_t)failure;
    return true;
}

bool move_tasks_restore(struct sqs_state *s, struct unpack *u)
{
    uint64_t queues = unpack_u64(u);
    for (uint64_t i = 0; i < queues && !u->is_bad; i++) {
        uint64_t uid = unpack_u64(u), started = unpack_u64(u), count = unpack_u64(u);
        struct queue *q = sqs_queue_find_uid(s, uid);
        if (u->is_bad || !q || q->moves || count > MOVE_TASKS_KEPT)
            return false;
        tasks_get(q)->started = started;
        for (uint64_t k = 0; k < count; k++)
            if (!restore_task(q, u))
                return false;
        if (move_task_active(q))
            set_active(q, true, 0);
    }
    return !u->is_bad;
}

void move_tasks_digest(const struct sqs_state *s, struct digest *d)
{
    for (struct link *l = s->queues.next; l != &s->queues; l = l->next) {
        const struct queue *q = LIST_ENTRY(l, struct queue, in_state);
        uint64_t place = 0;
        if (!q->moves)
            continue;
        for (struct link *k = q->moves->tasks.next; k != &q->moves->tasks; k = k->next, place++) {
            const struct move_task *t = task_of(k);
            const uint64_t facts[] = { 't', q->uid, place, q->moves->started,
                digest_text(slice_of(t->id, sizeof(t->id))), digest_text(t->destination), t->started_ms, t->rate,
                t->status, t->failure, t->to_move, t->moved, t->refused, t->in_transit };
            digest_add(d, facts, ARRAY_COUNT(facts));
        }
    }
}

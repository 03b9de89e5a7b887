/* move_run.c: what makes move tasks go on: a slice of messages at a time, as fast as the rate allows (move_task.h). */
#include "service/sqs/apply.h"
#include "base/mutant.h"
#include "service/sqs/catalog.h"
#include "service/sqs/move_task.h"
#include "service/sqs/state.h"

enum { SLICE_MAX = CHANNEL_BATCH_MAX, SLICE_ARENA_BYTES = 4 * MIB, READ_ARENA_BYTES = 16 * MIB };

struct slice_of_task { /* one slice, while it is decided */
    struct queue *q;
    struct move_task *task;
    struct arena arena, scratch; /* scratch: one stored message after the other */
    uint32_t entries[SLICE_MAX];
    struct channel_target targets[SLICE_MAX];
    uint32_t count; /* of entries that were picked */
    uint32_t moved; /* of them, the first ones that left */
};

/* ---- how much, and when ---------------------------------------------------------------------------------------------------- */

static uint32_t slice_size(const struct move_task *t)
{
    uint64_t left = t->to_move - t->moved - t->refused - t->in_transit;
    uint64_t size = SLICE_MAX;
    if (t->rate)
        size = t->rate >= MOVE_SLICES_A_SECOND ? t->rate / MOVE_SLICES_A_SECOND : 1;
    if (size > MOVE_WINDOW - t->in_transit)
        size = MOVE_WINDOW - t->in_transit;
    return (uint32_t)(size < left ? size : left);
}

static bool is_all_taken(const struct move_task *t)
{
    return t->is_drained || t->moved + t->refused + t->in_transit >= t->to_move;
}

static void plan_next(struct move_task *t, uint64_t now_ms, uint32_t moved)
{
    t->next_ms = now_ms + (t->rate ? (moved * 1000ull + t->rate - 1) / t->rate : MOVE_PAUSE_MS);
}

/* ---- where to ---------------------------------------------------------------------------------------------------------------- */

/* The queue of that name, as far as the catalogue knows; its owner decides. */
static bool find_target(const struct queue *q, struct slice arn, struct arena *arena, struct channel_target *target)
{
    struct sqs_catalog_key key;
    struct sqs_catalog_facts facts;
    arn = arena_copy(arena, arn);
    if (!sqs_arn_parse(arn, &key.region, &key.account, &key.name))
        return false;
    if (!sqs_catalog_find(&key, SLICE_NONE, &facts) || facts.is_fifo != q->is_fifo)
        return false;
    target->account = key.account;
    target->region = key.region;
    target->name = key.name;
    return true;
}

/* Where the message at `lsn` came from: a view of scratch, none if from nowhere. ERR_COLD. */
static struct error read_source(struct slice_of_task *w, lsn_t lsn, struct slice *ret_arn)
{
    struct sqs_state *s = w->q->state;
    struct record r;
    struct message m;
    *ret_arn = SLICE_NONE;
    arena_reset(&w->scratch);
    struct error e = store_read(s->owner->store, lsn, s->moves.warming.is_warm, &w->scratch, &r);
    if (e.code == ERR_COLD)
        return e;
    if (!failed(e) && !failed(message_decode(r.payload, &m)) && (m.flags & MESSAGE_MOVED))
        *ret_arn = m.source_arn;
    return OK;
}

/* The target of one picked message. What stops the task is in *ret_failure. */
static struct error aim(struct slice_of_task *w, uint32_t index, enum move_failure *ret_failure)
{
    struct channel_target *target = &w->targets[index];
    struct slice arn = w->task->destination;
    *target = (struct channel_target){ .kind = CHANNEL_MOVE, .task_id = w->task->id };
    if (arn.size == 0)
        TRY(read_source(w, flights_get(&w->q->flights, w->entries[index])->lsn, &arn));
    if (arn.size == 0)
        *ret_failure = MOVE_NO_SOURCE;
    else if (!find_target(w->q, arn, &w->arena, target))
        *ret_failure = MOVE_NO_DESTINATION;
    return OK;
}

/* ---- cold records: a reader thread brings those of the slice into memory -------------------------------------------------------- */

static void warmed_task(struct owner *o, struct task *t)
{
    struct move_warming *w = CONTAINER_OF(t, struct move_warming, task);
    for (uint32_t i = 0; i < w->count; i++)
        store_unpin(o->store, w->lsns[i]);
    w->is_busy = false;
    w->is_warm = true;
    sqs_work_at(sqs_state_of(o), 0);
}

static void warmed(void *argument)
{
    struct sqs_state *s = argument;
    owner_submit(s->owner, &s->moves.warming.task);
}

static void warm(struct slice_of_task *w)
{
    struct sqs_state *s = w->q->state;
    struct move_warming *warming = &s->moves.warming;
    warming->is_busy = true;
    warming->count = w->count;
    for (uint32_t i = 0; i < w->count; i++) {
        warming->lsns[i] = flights_get(&w->q->flights, w->entries[i])->lsn;
        store_pin(s->owner->store, warming->lsns[i]);
    }
    store_warm(s->owner->store, warming->lsns, warming->count, warmed, s);
}

/* ---- one slice ----------------------------------------------------------------------------------------------------------------- */

static bool is_same_target(const struct channel_target *a, const struct channel_target *b)
{
    return slice_equal(a->name, b->name) && slice_equal(a->account, b->account) && slice_equal(a->region, b->region);
}

/* Entries that go the same way leave in one record. */
static struct error move_out(struct slice_of_task *w, uint32_t aimed)
{
    while (w->moved < aimed) {
        const struct channel_target *target = &w->targets[w->moved];
        uint32_t end = w->moved + 1;
        while (end < aimed && is_same_target(target, &w->targets[end]))
            end++;
        if (channel_room(w->q->state, target) < end - w->moved)
            return ERROR_OF(ERR_AGAIN);
        TRY(channel_move_out(w->q, target, w->entries + w->moved, end - w->moved));
        w->moved = end;
    }
    return OK;
}

static void run_slice(struct slice_of_task *w, uint64_t now_ms)
{
    struct move_task *t = w->task;
    struct queue *q = w->q;
    enum move_failure failure = MOVE_NOT_FAILED;
    struct error e = OK;
    uint32_t aimed = 0, size = slice_size(t);
    while (w->count < size && (w->entries[w->count] = queue_pick(q)) != FLIGHT_NONE)
        w->count++;
    t->is_drained = w->count < size;
    while (aimed < w->count && !failed(e) && failure == MOVE_NOT_FAILED) {
        e = aim(w, aimed, &failure);
        if (!failed(e) && failure == MOVE_NOT_FAILED)
            aimed++;
    }
    bool is_cold = e.code == ERR_COLD;
    if (is_cold) {
        warm(w);
    } else {
        q->state->moves.warming.is_warm = false;
        e = move_out(w, aimed);
    }
    for (uint32_t i = w->moved; i < w->count; i++)
        queue_unpick(q, w->entries[i]);
    if (failed(e))
        t->is_drained = false;
    else if (failure != MOVE_NOT_FAILED)
        t->ends_with = (uint8_t)failure;
    plan_next(t, now_ms, w->moved);
    if (failed(e) && !is_cold)
        t->next_ms = now_ms + MOVE_RETRY_MS;
}

/* ---- one task -------------------------------------------------------------------------------------------------------------------- */

/* What it becomes when nothing of it is in transit; MOVE_RUNNING: it goes on. */
static enum move_status ending(const struct move_task *t, enum move_failure *ret_failure)
{
    *ret_failure = t->refused ? MOVE_NO_DESTINATION : (enum move_failure)t->ends_with;
    if (t->status == MOVE_CANCELLING && !MUTANT(cancel_ignored)) {
        *ret_failure = MOVE_NOT_FAILED;
        return MOVE_CANCELLED;
    }
    if (*ret_failure != MOVE_NOT_FAILED)
        return MOVE_FAILED;
    return is_all_taken(t) ? MOVE_COMPLETED : MOVE_RUNNING;
}

/* Its time is over before its work is. */
static bool is_too_long(const struct move_task *t, uint64_t now_ms)
{
    uint64_t max_ms = sqs_quotas.move_task_ms_max;
    return max_ms && now_ms >= t->started_ms + max_ms && !is_all_taken(t) && !MUTANT(endless_task);
}

static void go_on(struct sqs_state *s, struct queue *q, struct move_task *t, uint64_t now_ms)
{
    enum move_failure failure;
    if (is_too_long(t, now_ms) && t->ends_with == MOVE_NOT_FAILED)
        t->ends_with = MOVE_TOO_LONG;
    enum move_status status = ending(t, &failure);
    if (status != MOVE_RUNNING) {
        if (t->in_transit == 0 && failed(move_task_set_status(q, t, status, failure)))
            sqs_work_at(s, now_ms + MOVE_RETRY_MS);
        return; /* with messages in transit: what settles them comes back here */
    }
    if (t->in_transit >= MOVE_WINDOW || s->moves.warming.is_busy)
        return;
    if (t->next_ms <= now_ms) {
        struct slice_of_task w = { .q = q, .task = t };
        arena_init(&w.arena, SLICE_ARENA_BYTES);
        arena_init(&w.scratch, READ_ARENA_BYTES);
        queue_advance(q, now_ms, QUEUE_EXPIRE_MAX);
        run_slice(&w, now_ms);
        queue_watch(q);
        arena_deinit(&w.scratch);
        arena_deinit(&w.arena);
    }
    if (t->in_transit == 0 && !s->moves.warming.is_busy && ending(t, &failure) != MOVE_RUNNING)
        sqs_work_at(s, 0); /* there was nothing to take: it ends in the next round */
    else
        sqs_work_at(s, t->next_ms);
}

void move_tasks_work(struct sqs_state *s, uint64_t now_ms)
{
    for (struct link *l = s->moves.active.next, *next; l != &s->moves.active; l = next) {
        struct queue *q = LIST_ENTRY(l, struct move_tasks, active)->queue;
        next = l->next; /* a task that ends leaves the list */
        go_on(s, q, move_task_active(q), now_ms);
    }
}

void moves_init(struct moves *m)
{
    list_init(&m->active);
    m->warming.task.run = warmed_task;
}

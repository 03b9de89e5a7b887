/* channel.c: what outboxes and inboxes hold, and the records that change them (channel.h). */
#include "base/mutant.h"
#include "service/sqs/channel.h"
#include "service/sqs/apply.h"
#include "service/sqs/memory.h"
#include "service/sqs/move_task.h"
#include "service/sqs/state.h"

enum { RING_FIRST = 16 };

/* ---- routes ---------------------------------------------------------------------------------------------------------- */

static struct slice put_text(char **at, struct slice s)
{
    if (s.size)
        memcpy(*at, s.data, s.size);
    struct slice copy = slice_of(*at, s.size);
    *at += s.size;
    return copy;
}

struct channel_route *channel_route_new(const struct channel_route *image)
{
    struct channel_route *route = memory_new(sizeof(*route) + image->source_account.size + image->source_arn.size +
                                             image->account.size + image->region.size + image->name.size);
    char *at = (char *)(route + 1);
    *route = *image;
    route->references = 1;
    route->source_account = put_text(&at, image->source_account);
    route->source_arn = put_text(&at, image->source_arn);
    route->account = put_text(&at, image->account);
    route->region = put_text(&at, image->region);
    route->name = put_text(&at, image->name);
    return route;
}

void channel_route_unref(struct channel_route *route)
{
    if (--route->references == 0)
        memory_free(route);
}

static bool is_same_route(const struct channel_route *a, const struct channel_route *b)
{
    return a->kind == b->kind && a->is_fifo == b->is_fifo && memcmp(a->task_id, b->task_id, sizeof(a->task_id)) == 0 &&
           slice_equal(a->source_arn, b->source_arn) && slice_equal(a->account, b->account) &&
           slice_equal(a->region, b->region) && slice_equal(a->name, b->name);
}

/* A reference to the route of the newest entry if it goes the same way, else a new one. */
static struct channel_route *route_for(const struct outbox *b, const struct queue *q, const struct record_moved_out *r)
{
    struct arena arena;
    arena_init(&arena, 64 * KIB);
    struct channel_route image = { .kind = r->kind,
        .is_fifo = q->is_fifo,
        .source_account = q->account,
        .source_arn = sqs_arn(&arena, q->region, q->account, q->name),
        .account = r->account,
        .region = r->region,
        .name = r->name };
    memcpy(image.task_id, r->task_id, sizeof(image.task_id));
    struct channel_route *route = b->base < b->next ? outbox_entry(b, b->next - 1)->route : NULL;
    if (route && is_same_route(route, &image))
        route->references++;
    else
        route = channel_route_new(&image);
    arena_deinit(&arena);
    return route;
}

/* ---- outboxes and inboxes -------------------------------------------------------------------------------------------- */

struct outbox *outbox_get(struct sqs_state *s, uint16_t to)
{
    struct outbox *b = s->channels.out[to];
    if (b)
        return b;
    b = s->channels.out[to] = memory_zero(sizeof(*b));
    b->state = s;
    b->to = to;
    b->base = b->next = 1;
    return b;
}

struct inbox *inbox_get(struct sqs_state *s, uint16_t from)
{
    struct inbox *i = s->channels.in[from];
    if (i)
        return i;
    i = s->channels.in[from] = memory_zero(sizeof(*i));
    i->base = 1;
    return i;
}

struct channel_entry *outbox_entry(const struct outbox *b, uint64_t number)
{
    ASSERT(number >= b->base && number < b->next);
    return b->entries[number & (b->capacity - 1)];
}

static void outbox_grow(struct outbox *b)
{
    uint32_t capacity = b->capacity ? b->capacity * 2 : RING_FIRST;
    struct channel_entry **entries = memory_new(capacity * sizeof(void *));
    for (uint64_t n = b->base; n < b->next; n++)
        entries[n & (capacity - 1)] = outbox_entry(b, n);
    memory_free(b->entries);
    b->entries = entries;
    b->capacity = capacity;
}

struct message_name {
    uint64_t uid, seq;
};

static uint64_t hash_name(uint64_t uid, uint64_t seq)
{
    return map_hash_u64(uid) ^ map_hash_u64(~seq);
}

static bool has_name(const void *entry, const void *key)
{
    const struct channel_entry *e = entry;
    const struct message_name *name = key;
    return e->uid == name->uid && e->seq == name->seq;
}

struct channel_entry *outbox_add(struct outbox *b, const struct channel_entry *image)
{
    struct channel_entry *e = memory_new(sizeof(*e));
    *e = *image;
    if (b->next - b->base >= b->capacity)
        outbox_grow(b);
    b->entries[b->next & (b->capacity - 1)] = e;
    b->next++;
    map_insert(&b->state->channels.by_message, hash_name(e->uid, e->seq), e);
    return e;
}

/* Forgets the oldest entry. */
static void outbox_pop(struct outbox *b)
{
    struct channel_entry *e = outbox_entry(b, b->base);
    map_remove(&b->state->channels.by_message, hash_name(e->uid, e->seq), e);
    channel_route_unref(e->route);
    memory_free(e);
    b->base++;
    if (b->base == b->next) {
        memory_free(b->entries);
        b->entries = NULL;
        b->capacity = 0;
    }
}

void channels_free(struct sqs_state *s)
{
    for (size_t log = 0; log < LOG_COUNT; log++) {
        struct outbox *b = s->channels.out[log];
        memory_free(s->channels.in[log]);
        if (!b)
            continue;
        while (b->base < b->next)
            outbox_pop(b);
        if (b->has_arena)
            arena_deinit(&b->arena);
        memory_free(b);
    }
    map_deinit(&s->channels.by_message);
}

/* ---- finding ----------------------------------------------------------------------------------------------------------- */

static struct channel_entry *find(const struct sqs_state *s, uint64_t uid, uint64_t seq)
{
    const struct message_name name = { uid, seq };
    return map_find(&s->channels.by_message, hash_name(uid, seq), has_name, &name);
}

uint64_t channel_lsn_of(const struct sqs_state *s, uint64_t uid, uint64_t seq)
{
    const struct channel_entry *e = find(s, uid, seq);
    return e ? e->lsn : 0;
}

bool channel_relocate(struct sqs_state *s, uint64_t uid, uint64_t seq, uint64_t to_lsn)
{
    struct channel_entry *e = find(s, uid, seq);
    if (!e)
        return false;
    store_live_add(s->owner->store, to_lsn, 1);
    store_live_drop(s->owner->store, e->lsn, 1);
    e->lsn = to_lsn;
    return true;
}

uint64_t channels_in_transit(const struct sqs_state *s)
{
    return s->channels.by_message.count;
}

void channels_orphan(struct sqs_state *s, struct queue *q)
{
    void *entry;
    if (q->in_transit == 0)
        return;
    q->in_transit = 0;
    for (size_t i = 0; map_next(&s->channels.by_message, &i, &entry);) {
        struct channel_entry *e = entry;
        if (e->uid == q->uid)
            e->is_orphan = true;
    }
}

/* ---- moving out ---------------------------------------------------------------------------------------------------------- */

uint32_t channel_room(const struct sqs_state *s, const struct channel_target *target)
{
    const struct outbox *b = s->channels.out[owner_log_of(target->account, target->region, target->name)];
    uint64_t used = b ? b->next - b->base : 0;
    return used < SQS_OUTBOX_MAX ? (uint32_t)(SQS_OUTBOX_MAX - used) : 0;
}

struct error channel_move_out(
    struct queue *q, const struct channel_target *target, const uint32_t *entries, uint32_t count)
{
    struct sqs_state *s = q->state;
    struct record_moved_out r = { .to = owner_log_of(target->account, target->region, target->name),
        .kind = target->kind,
        .account = target->account,
        .region = target->region,
        .name = target->name,
        .count = count };
    ASSERT(count > 0 && count <= CHANNEL_BATCH_MAX);
    r.first = s->channels.out[r.to] ? s->channels.out[r.to]->next : 1;
    if (target->task_id)
        memcpy(r.task_id, target->task_id, sizeof(r.task_id));
    for (uint32_t i = 0; i < count; i++) {
        const struct flight *e = flights_get(&q->flights, entries[i]);
        r.items[i].seq = e->seq;
        r.items[i].group_key = e->group->key;
    }
    struct buf b;
    buf_init(&b);
    record_moved_out(&b, &r);
    struct error e = record_append(s, SQS_RECORD_MOVED_OUT, q->uid, buf_slice(&b), false);
    buf_deinit(&b);
    return e;
}

static void take_out(struct outbox *b, struct queue *q, uint32_t entry, struct channel_route *route)
{
    const struct flight *e = flights_get(&q->flights, entry);
    const struct channel_entry image = { .uid = q->uid,
        .seq = e->seq,
        .lsn = e->lsn,
        .sent_ms = e->sent_ms,
        .first_ms = flight_first_ms(e),
        .position = e->state == FLIGHT_PICKED || e->state == FLIGHT_RETURNED ? e->position : e->seq,
        .group_key = e->group->key,
        .generation = e->generation,
        .undone = e->undone,
        .route = route };
    route->references++;
    outbox_add(b, &image);
    queue_take(q, entry);
    q->in_transit++;
}

struct error apply_moved_out(struct sqs_state *s, const struct record *r)
{
    struct record_moved_out m;
    struct queue *q = sqs_queue_find_uid(s, r->object);
    if (!q || !record_moved_out_parse(r->payload, &m))
        return ERROR_OF(ERR_CORRUPT);
    queue_advance(q, r->time_ms, s->owner->is_replaying ? 0 : QUEUE_EXPIRE_MAX);
    struct outbox *b = outbox_get(s, m.to);
    if (m.first != b->next)
        return ERROR_OF(ERR_CORRUPT);
    struct channel_route *route = route_for(b, q, &m);
    uint32_t taken = 0;
    for (; taken < m.count; taken++) {
        uint32_t entry = queue_lift(q, m.items[taken].seq, m.items[taken].group_key);
        if (entry == FLIGHT_NONE)
            break;
        take_out(b, q, entry, route);
    }
    channel_route_unref(route);
    if (taken < m.count)
        return ERROR_OF(ERR_CORRUPT);
    if (m.kind == CHANNEL_MOVE)
        move_task_took(q, m.task_id, m.count);
    b->appended_lsn = r->lsn;
    queue_watch(q);
    sqs_work_at(s, 0);
    return OK;
}

/* ---- arriving ---------------------------------------------------------------------------------------------------------- */

struct error apply_arrived(struct sqs_state *s, const struct record *r)
{
    struct record_decided d;
    if (!record_decided_parse(r->payload, &d))
        return ERROR_OF(ERR_CORRUPT);
    struct inbox *i = inbox_get(s, d.log);
    if (d.base < i->base || d.base > i->mark + 1 || d.last < i->mark)
        return ERROR_OF(ERR_CORRUPT);
    i->base = d.base;
    i->mark = d.last;
    memcpy(i->refused, d.refused, sizeof(i->refused));
    return OK;
}

/* ---- settling ------------------------------------------------------------------------------------------------------------ */

/* Back to where it was, as if it had been released; a receive gets it once before it is tried again. */
static void put_back(struct queue *q, const struct channel_entry *e, uint64_t time_ms)
{
    struct queue_live live = { 0 }; /* its record was live all the time: nothing to count */
    const struct flight image = { .seq = e->seq,
        .lsn = e->lsn,
        .sent_ms = e->sent_ms,
        .position = e->position,
        .first_after = flight_after(&(struct flight){ .sent_ms = e->sent_ms }, e->first_ms),
        .generation = e->generation,
        .undone = e->undone,
        .state = FLIGHT_RETURNED,
        .flags = FLIGHT_REFUSED };
    queue_advance(q, time_ms, q->state->owner->is_replaying ? 0 : QUEUE_EXPIRE_MAX);
    bool is_back = queue_restore_entry(q, &image, e->group_key, &live);
    ASSERT(is_back);
    if (!q->is_fifo)
        queue_wake(q, 1);
    queue_watch(q);
    sqs_state_plan_sweep(q->state, time_ms);
}

static void settle(struct sqs_state *s, const struct channel_entry *e, bool is_refused, uint64_t time_ms)
{
    struct queue *q = sqs_queue_find_uid(s, e->uid);
    if (q && !e->is_orphan)
        q->in_transit--;
    if (is_refused && q && (!e->is_orphan || MUTANT(orphan_comes_back)) && !MUTANT(refused_is_lost))
        put_back(q, e, time_ms);
    else
        store_live_drop(s->owner->store, e->lsn, 1);
    if (q && e->route->kind == CHANNEL_MOVE)
        move_task_settled(q, e->route->task_id, is_refused);
}

struct error apply_out_done(struct sqs_state *s, const struct record *r)
{
    struct record_decided d;
    if (!record_decided_parse(r->payload, &d))
        return ERROR_OF(ERR_CORRUPT);
    struct outbox *b = s->channels.out[d.log];
    if (!b || d.base != b->base || d.last >= b->next)
        return ERROR_OF(ERR_CORRUPT);
    while (b->base <= d.last) {
        settle(s, outbox_entry(b, b->base), channel_bit(d.refused, b->base - d.base), r->time_ms);
        outbox_pop(b);
    }
    sqs_work_at(s, 0);
    return OK;
}

/* ---- work ---------------------------------------------------------------------------------------------------------------- */

static void run_work(struct owner *o, struct task *t)
{
    struct sqs_state *s = CONTAINER_OF(t, struct sqs_state, channels.work);
    s->channels.is_work_queued = false;
    s->channels.work_ms = UINT64_MAX;
    outboxes_work(s, o->now_ms);
    move_tasks_work(s, o->now_ms);
}

void channels_init(struct channels *c)
{
    map_init(&c->by_message);
    c->work_ms = UINT64_MAX;
    c->work.run = run_work;
}

void sqs_work_at(struct sqs_state *s, uint64_t ms)
{
    if (s->owner->is_replaying || ms >= s->channels.work_ms)
        return;
    s->channels.work_ms = ms;
    owner_wake_at(s->owner, ms);
}

void sqs_work_advance(struct sqs_state *s, uint64_t now_ms)
{
    struct channels *c = &s->channels;
    if (c->is_work_queued)
        return;
    if (c->work_ms <= now_ms) { /* it appends records: as a task of its own, after this look at the views */
        c->is_work_queued = true;
        owner_defer(s->owner, &c->work);
    } else if (c->work_ms != UINT64_MAX) {
        owner_wake_at(s->owner, c->work_ms);
    }
}

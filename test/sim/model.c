#include "model.h"
#include <stdlib.h>

struct model model;
enum { MEMORY_MS = 10 * 60 * 1000 }; /* twice what any deduplication or attempt lives */

/* ---- words, and the way back ------------------------------------------------------------------------------------------------ */

struct change {
    word *at, old;
};
struct mark { /* the changes up to `end` came with the record `lsn` */
    lsn_t lsn;
    uint16_t log;
    size_t end;
};
static struct {
    struct change *changes;
    size_t count, capacity;
    struct mark *marks;
    size_t mark_first, mark_count, mark_capacity; /* those before mark_first are durable */
    lsn_t durable[LOG_COUNT];                     /* the newest durable record of each log that changed something */
} back;

void model_set(word *at, word value)
{
    if (*at == value)
        return;
    if (back.count == back.capacity) {
        back.capacity = back.capacity ? 2 * back.capacity : 4096;
        back.changes = realloc(back.changes, back.capacity * sizeof(*back.changes));
        ASSERT(back.changes);
    }
    back.changes[back.count++] = (struct change){ at, *at };
    *at = value;
}

static size_t mark_end(void)
{
    return back.mark_count ? back.marks[back.mark_count - 1].end : 0;
}

void model_commit(lsn_t lsn, uint16_t log)
{
    if (back.count == mark_end())
        return;
    if (back.mark_count == back.mark_capacity) {
        back.mark_capacity = back.mark_capacity ? 2 * back.mark_capacity : 1024;
        back.marks = realloc(back.marks, back.mark_capacity * sizeof(*back.marks));
        ASSERT(back.marks);
    }
    back.marks[back.mark_count++] = (struct mark){ lsn, log, back.count };
}

void model_durable(lsn_t durable)
{
    while (back.mark_first < back.mark_count && back.marks[back.mark_first].lsn < durable) {
        const struct mark *m = &back.marks[back.mark_first++];
        back.durable[m->log] = m->lsn;
    }
    if (back.mark_first == back.mark_count) {
        ASSERT(back.count == mark_end());
        back.mark_first = back.mark_count = back.count = 0;
    }
}

static void check_held(void)
{
    for (uint32_t i = 0; i < HELD_MAX; i++) {
        const struct held *h = &sim.held[i];
        CHECK(INV_DURABLE, !h->is_used || model.messages[h->message].state != M_NONE,
            "message %u was delivered to a client, and after the crash it was never sent", h->message);
    }
}

void model_crash(lsn_t last, const lsn_t logs[LOG_COUNT])
{
    CHECK(INV_DURABLE, model.acked_lsn <= last,
        "%s was acknowledged with record %llu, but the newest record after the crash is %llu", model.acked_what,
        (unsigned long long)model.acked_lsn, (unsigned long long)last);
    for (int log = 0; log < LOG_COUNT; log++)
        CHECK(INV_DURABLE, back.durable[log] <= logs[log],
            "log %d: record %llu was durable, the newest after the crash is %llu", log,
            (unsigned long long)back.durable[log], (unsigned long long)logs[log]);
    while (back.mark_count > back.mark_first && back.marks[back.mark_count - 1].lsn > last) {
        size_t end = --back.mark_count ? back.marks[back.mark_count - 1].end : 0;
        while (back.count > end) {
            const struct change *c = &back.changes[--back.count];
            *c->at = c->old;
        }
    }
    for (size_t i = back.mark_first; i < back.mark_count; i++) {
        const struct mark *m = &back.marks[i];
        CHECK(INV_DURABLE, m->lsn <= logs[m->log],
            "log %u: record %llu is missing although later ones of other logs are there", m->log,
            (unsigned long long)m->lsn);
    }
    check_held();
}

/* ---- birth --------------------------------------------------------------------------------------------------------------------- */

/* Kept from seed to seed, and not cleared: counts say what is in use. */
static struct {
    uint32_t message_max;
    struct model_message *messages;
    uint32_t *lists[QUEUES_MAX];
    struct model_dedup *dedups[QUEUES_MAX];
    struct model_attempt *attempts[QUEUES_MAX];
} arrays;

static void *array(void *old, size_t count, size_t size)
{
    free(old);
    void *p = calloc(count, size);
    ASSERT(p);
    return p;
}

static void arrays_make(uint32_t message_max)
{
    arrays.message_max = message_max;
    arrays.messages = array(arrays.messages, message_max, sizeof(*arrays.messages));
    for (int i = 0; i < QUEUES_MAX; i++) {
        arrays.lists[i] = array(arrays.lists[i], message_max, sizeof(*arrays.lists[i]));
        arrays.dedups[i] = array(arrays.dedups[i], DEDUP_MAX, sizeof(*arrays.dedups[i]));
        arrays.attempts[i] = array(arrays.attempts[i], ATTEMPTS_MAX, sizeof(*arrays.attempts[i]));
    }
}

void model_start(uint32_t steps)
{
    back.count = back.mark_first = back.mark_count = 0;
    memset(back.durable, 0, sizeof(back.durable));
    uint32_t message_max = 4 * steps + 1000;
    if (message_max > arrays.message_max)
        arrays_make(message_max);
    memset(&model, 0, sizeof(model));
    model.message_max = message_max;
    model.messages = arrays.messages;
    for (int i = 0; i < QUEUES_MAX; i++) {
        struct model_queue *q = &model.queues[i];
        q->list = arrays.lists[i];
        q->dedups = arrays.dedups[i];
        q->attempts = arrays.attempts[i];
    }
    model.content_count = 1;
}

uint32_t model_new_message(uint32_t queue)
{
    if (model.message_count == model.message_max)
        return UINT32_MAX;
    uint32_t index = model.message_count++;
    model.messages[index] = (struct model_message){ .queue = queue };
    return index;
}

static void tidy_memories(struct model_queue *q)
{
    word dedups = 0, attempts = 0;
    if (q->dedup_count + q->attempt_count < 512)
        return;
    for (word i = 0; i < q->dedup_count; i++)
        if (q->dedups[i].time_ms + MEMORY_MS > sim.now_ms)
            q->dedups[dedups++] = q->dedups[i];
    for (word i = 0; i < q->attempt_count; i++)
        if (q->attempts[i].time_ms + MEMORY_MS > sim.now_ms)
            q->attempts[attempts++] = q->attempts[i];
    q->dedup_count = dedups;
    q->attempt_count = attempts;
}

/* Lists lose their dead only when nothing may be taken back. */
void model_tidy(void)
{
    if (back.mark_count)
        return;
    for (int i = 0; i < QUEUES_MAX; i++) {
        struct model_queue *q = &model.queues[i];
        tidy_memories(q);
        if (q->dead_count < 64 || q->dead_count * 2 < q->list_count)
            continue;
        word kept = 0;
        for (word k = 0; k < q->list_count; k++)
            if (model.messages[q->list[k]].state == M_LIVE || model_is_away(&model.messages[q->list[k]]))
                q->list[kept++] = q->list[k];
        q->list_count = kept;
        q->dead_count = 0;
    }
}

/* ---- what is, at a time ---------------------------------------------------------------------------------------------------------- */

static uint64_t expiry_ms(const struct model_message *m)
{
    return m->sent_ms + model.queues[m->queue].retention_s * 1000;
}

bool message_is_there(const struct model_message *m, uint64_t now_ms)
{
    return m->state == M_LIVE && expiry_ms(m) > now_ms;
}

bool message_is_leased(const struct model_message *m, uint64_t now_ms)
{
    return m->lease_ms > now_ms;
}

/* FIFO: by the queue's delay of now, for what was never received (contract 1.6: retroactive). */
static uint64_t delayed_until_ms(const struct model_message *m)
{
    const struct model_queue *q = &model.queues[m->queue];
    if (m->generation)
        return 0;
    return q->is_fifo ? m->sent_ms + q->delay_s * 1000 : m->visible_ms;
}

bool message_is_delayed(const struct model_message *m, uint64_t now_ms)
{
    return delayed_until_ms(m) > now_ms;
}

static uint64_t fifo_receivable(const struct model_queue *q, uint64_t now_ms)
{
    uint64_t first_leased[GROUPS + 1], count = 0;
    memset(first_leased, 0xff, sizeof(first_leased));
    for (word i = 0; i < q->list_count; i++) {
        const struct model_message *m = &model.messages[q->list[i]];
        if (message_is_there(m, now_ms) && message_is_leased(m, now_ms) && m->order < first_leased[m->group])
            first_leased[m->group] = m->order;
    }
    for (word i = 0; i < q->list_count; i++) {
        const struct model_message *m = &model.messages[q->list[i]];
        count += message_is_there(m, now_ms) && !message_is_leased(m, now_ms) && !message_is_delayed(m, now_ms) &&
                 m->order < first_leased[m->group];
    }
    return count;
}

struct model_figures model_figures(const struct model_queue *q, uint64_t now_ms)
{
    struct model_figures f = { 0 };
    for (word i = 0; i < q->list_count; i++) {
        const struct model_message *m = &model.messages[q->list[i]];
        f.in_transit += model_is_away(m) && !m->is_orphan;
        if (!message_is_there(m, now_ms))
            continue;
        if (message_is_leased(m, now_ms))
            f.in_flight++;
        else if (message_is_delayed(m, now_ms))
            f.delayed++;
        else
            f.visible++;
    }
    f.receivable = q->is_fifo && f.in_flight ? fifo_receivable(q, now_ms) : f.visible;
    return f;
}

uint64_t model_ended_between(const struct model_queue *q, uint64_t from_ms, uint64_t to_ms)
{
    uint64_t count = 0;
    for (word i = 0; i < q->list_count; i++) {
        const struct model_message *m = &model.messages[q->list[i]];
        count += message_is_there(m, from_ms) && !message_is_there(m, to_ms);
    }
    return count;
}

static void earlier(uint64_t *next_ms, uint64_t ms, uint64_t now_ms)
{
    if (ms > now_ms && ms < *next_ms)
        *next_ms = ms;
}

uint64_t model_next_ms(const struct model_queue *q, uint64_t now_ms)
{
    uint64_t next_ms = UINT64_MAX;
    for (word i = 0; i < q->list_count; i++) {
        const struct model_message *m = &model.messages[q->list[i]];
        if (!message_is_there(m, now_ms))
            continue;
        earlier(&next_ms, m->lease_ms, now_ms);
        earlier(&next_ms, delayed_until_ms(m), now_ms);
    }
    return next_ms;
}

struct model_message *model_find(struct model_queue *q, uint64_t order)
{
    word from = 0, to = q->list_count;
    while (from < to) {
        word middle = from + (to - from) / 2;
        struct model_message *m = &model.messages[q->list[middle]];
        if (m->order == order)
            return m;
        if (m->order < order)
            from = middle + 1;
        else
            to = middle;
    }
    return NULL;
}

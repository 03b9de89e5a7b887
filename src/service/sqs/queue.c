#include "service/sqs/queue.h"
#include "base/mutant.h"
#include "service/sqs/attempt.h"
#include "service/sqs/fair.h"
#include "service/sqs/fifo.h"
#include "service/sqs/grave.h"
#include "service/sqs/memory.h"
#include "service/sqs/move_task.h"
#include "service/sqs/state.h"

/* ---- dead records -------------------------------------------------------------------------------------------------- */

static void record_died(struct queue *q, uint64_t lsn)
{
    store_live_drop(q->state->owner->store, lsn, 1);
}

static void message_gone(struct queue *q)
{
    q->messages--;
    q->state->messages--;
}

/* ---- the states of an entry ---------------------------------------------------------------------------------------- */

static uint64_t expiry_ms(const struct queue *q, uint64_t sent_ms)
{
    return sent_ms + queue_retention_ms(q) + (MUTANT(retention_ends_late) ? 5000 : 0);
}

static uint64_t deadline_ms(const struct queue *q, const struct flight *e)
{
    uint64_t expiry = expiry_ms(q, e->sent_ms);
    if (e->state != FLIGHT_LEASED && e->state != FLIGHT_DELAYED)
        return expiry;
    return flight_visible_ms(e) < expiry ? flight_visible_ms(e) : expiry;
}

static void set_deadline(struct queue *q, uint32_t entry)
{
    flight_due(&q->flights, entry, deadline_ms(q, flights_get(&q->flights, entry)));
}

/* Out of everything its state put it into, but the deadlines; it is PICKED then. */
static void leave_state(struct queue *q, uint32_t entry)
{
    struct flight *e = flights_get(&q->flights, entry);
    struct group *g = e->group;
    switch (e->state) {
    case FLIGHT_LEASED:
        fair_count(q, g);
        if (q->in_flight-- == SQS_IN_FLIGHT_MAX)
            queue_wake(q, 1);
        g->in_flight--;
        if (q->is_fifo)
            flight_order_remove(&q->flights, &g->leased, entry);
        break;
    case FLIGHT_DELAYED:
        q->delayed--;
        break;
    case FLIGHT_RETURNED:
        flight_order_remove(&q->flights, &g->returned, entry);
        break;
    default:
        break;
    }
    e->state = FLIGHT_PICKED;
}

/* What nobody can handle goes to the back of a standard queue, and its age says nothing (contract 2.1 "CloudWatch"). */
static bool is_of_the_back(const struct queue *q, const struct flight *e)
{
    return !q->is_fifo && flight_count(e) >= SQS_BACK_OF_QUEUE_RECEIVES;
}

/* Its place among the waiting. */
static uint64_t position_of(const struct queue *q, const struct flight *e)
{
    return is_of_the_back(q, e) ? q->next_seq : e->seq;
}

static void enter_returned(struct queue *q, uint32_t entry, uint64_t position)
{
    struct flight *e = flights_get(&q->flights, entry);
    e->state = FLIGHT_RETURNED;
    e->position = position;
    flight_order_insert(&q->flights, &e->group->returned, entry, position);
    set_deadline(q, entry);
}

static void enter_leased(struct queue *q, uint32_t entry, uint64_t leased_ms)
{
    struct flight *e = flights_get(&q->flights, entry);
    fair_count(q, e->group);
    e->state = FLIGHT_LEASED;
    e->leased_ms = leased_ms;
    q->in_flight++;
    e->group->in_flight++;
    if (q->is_fifo)
        flight_order_insert(&q->flights, &e->group->leased, entry, e->seq);
    set_deadline(q, entry);
}

static void entry_free(struct queue *q, uint32_t entry)
{
    flights_get(&q->flights, entry)->group->entries--;
    flights_remove(&q->flights, entry);
}

/* ---- lanes --------------------------------------------------------------------------------------------------------- */

static void age_group(struct queue *q, struct group *g)
{
    uint64_t head_ms = g->lane.head.time_ms;
    if (g == q->main)
        return;
    if (!heap_has(&g->age))
        heap_insert(&q->ages, &g->age, head_ms, g->key);
    else if (head_ms < g->age.key) /* a delayed message came to an empty lane after younger ones had gone */
        heap_change(&q->ages, &g->age, head_ms);
}

static bool lane_takes(const struct group *g, uint64_t seq)
{
    return g->lane.count == 0 || seq > g->lane.tail.seq;
}

static void lane_put(struct queue *q, struct group *g, const struct lane_item *item)
{
    lane_append(&g->lane, item);
    age_group(q, g);
}

static uint32_t entry_new(struct queue *q, struct group *g, const struct lane_item *item)
{
    uint32_t entry = flights_add(&q->flights, item->seq);
    struct flight *e = flights_get(&q->flights, entry);
    e->lsn = item->lsn;
    e->sent_ms = item->time_ms;
    e->group = g;
    e->state = FLIGHT_PICKED;
    e->position = item->seq;
    g->entries++;
    return entry;
}

/* ---- in, and from state to state -------------------------------------------------------------------------------------- */

void queue_put(struct queue *q, const struct queue_message *m)
{
    struct group *g = group_get(q, m->group_key);
    const struct lane_item item = { m->seq, m->lsn, m->sent_ms };
    q->messages++;
    q->state->messages++;
    store_live_add(q->state->owner->store, m->lsn, 1);
    if (q->fair)
        fair_sent(q, g);
    bool is_delayed = m->visible_ms > q->view_ms;
    if (!is_delayed && m->receives == 0 && lane_takes(g, m->seq)) {
        lane_put(q, g, &item);
    } else {
        uint32_t entry = entry_new(q, g, &item);
        struct flight *e = flights_get(&q->flights, entry);
        e->generation = m->receives;
        e->first_after = m->receives ? flight_after(e, m->first_ms) : 0;
        if (is_delayed) {
            e->state = FLIGHT_DELAYED;
            e->visible_after = flight_after(e, m->visible_ms);
            q->delayed++;
            set_deadline(q, entry);
        } else {
            enter_returned(q, entry, m->seq);
        }
    }
    group_refresh(q, g);
    if (!is_delayed && !q->is_fifo && !MUTANT(send_wakes_nobody))
        queue_wake(q, 1);
}

void queue_lease(struct queue *q, uint32_t entry, uint64_t leased_ms, uint64_t visible_ms)
{
    struct flight *e = flights_get(&q->flights, entry);
    struct group *g = e->group;
    leave_state(q, entry);
    e->visible_after = flight_after(e, visible_ms);
    if (visible_ms > q->view_ms) {
        enter_leased(q, entry, leased_ms);
    } else {
        enter_returned(q, entry, position_of(q, e));
        queue_wake(q, 1); /* FIFO too: a group that was ready all the time wakes nobody by itself */
    }
    group_refresh(q, g);
    if (q->is_fifo)
        fifo_yield(q, g);
}

void queue_release(struct queue *q, uint32_t entry)
{
    struct flight *e = flights_get(&q->flights, entry);
    struct group *g = e->group;
    leave_state(q, entry);
    if (e->generation == 0 && lane_takes(g, e->seq)) { /* its delay ended: a few bytes will do again */
        const struct lane_item item = { e->seq, e->lsn, e->sent_ms };
        entry_free(q, entry);
        lane_put(q, g, &item);
    } else {
        enter_returned(q, entry, position_of(q, e));
    }
    group_refresh(q, g);
    if (!q->is_fifo && !MUTANT(lost_wake))
        queue_wake(q, 1);
}

void queue_take(struct queue *q, uint32_t entry)
{
    struct group *g = flights_get(&q->flights, entry)->group;
    leave_state(q, entry);
    message_gone(q);
    entry_free(q, entry);
    group_refresh(q, g);
}

void queue_drop(struct queue *q, uint32_t entry)
{
    record_died(q, flights_get(&q->flights, entry)->lsn);
    queue_take(q, entry);
}

uint64_t queue_lsn_of(const struct queue *q, uint64_t seq, uint64_t group_key)
{
    struct lane_item item;
    uint32_t entry = flights_find(&q->flights, seq);
    if (entry != FLIGHT_NONE)
        return flights_get(&q->flights, entry)->lsn;
    const struct group *g = group_find(q, group_key);
    return g && lane_find(&g->lane, seq, &item) ? item.lsn : 0;
}

bool queue_relocate(struct queue *q, uint64_t seq, uint64_t group_key, uint64_t to_lsn)
{
    uint32_t entry = flights_find(&q->flights, seq);
    uint64_t from_lsn;
    if (entry != FLIGHT_NONE) {
        struct flight *e = flights_get(&q->flights, entry);
        from_lsn = e->lsn;
        e->lsn = MUTANT(relocation_forgets) ? from_lsn : to_lsn;
    } else {
        struct group *g = group_find(q, group_key);
        if (!g || !lane_relocate(&g->lane, seq, to_lsn, &from_lsn))
            return false;
    }
    store_live_add(q->state->owner->store, to_lsn, 1);
    record_died(q, from_lsn);
    return true;
}

/* ---- out: picking --------------------------------------------------------------------------------------------------- */

static bool drop_expired_head(struct queue *q, struct group *g)
{
    if (g->lane.count == 0 || expiry_ms(q, g->lane.head.time_ms) > q->view_ms)
        return false;
    uint64_t lsn = g->lane.head.lsn;
    lane_pop(&g->lane);
    message_gone(q);
    expired_add(q->state, lsn, q->view_ms);
    return true;
}

uint32_t queue_pick(struct queue *q)
{
    for (;;) {
        struct group *g = q->is_fifo ? fifo_next(q) : fair_next(q);
        if (!g)
            return FLIGHT_NONE;
        if (drop_expired_head(q, g)) { /* advance had more to expire than its budget */
            group_refresh(q, g);
            continue;
        }
        uint32_t entry;
        if (g->lane.count && g->lane.head.seq < flight_heap_key(&g->returned)) {
            const struct lane_item item = g->lane.head;
            lane_pop(&g->lane);
            entry = entry_new(q, g, &item);
        } else {
            entry = flight_heap_top(&g->returned);
            if (entry == FLIGHT_NONE)
                return FLIGHT_NONE;
            leave_state(q, entry);
        }
        group_refresh(q, g);
        return entry;
    }
}

void queue_unpick(struct queue *q, uint32_t entry)
{
    struct flight *e = flights_get(&q->flights, entry);
    ASSERT(e->state == FLIGHT_PICKED);
    struct group *g = e->group;
    enter_returned(q, entry, e->position);
    group_refresh(q, g);
}

uint32_t queue_lift(struct queue *q, uint64_t seq, uint64_t group_key)
{
    uint32_t entry = flights_find(&q->flights, seq);
    if (entry != FLIGHT_NONE)
        return entry;
    struct group *g = group_find(q, group_key);
    struct lane_item item;
    if (!g || !lane_extract(&g->lane, seq, &item))
        return FLIGHT_NONE;
    entry = entry_new(q, g, &item);
    set_deadline(q, entry);
    return entry;
}

/* ---- what time does --------------------------------------------------------------------------------------------------- */

static void advance_entries(struct queue *q)
{
    uint32_t entry;
    while (flight_first_due(&q->flights, &entry) <= q->view_ms) {
        const struct flight *e = flights_get(&q->flights, entry);
        if (expiry_ms(q, e->sent_ms) <= q->view_ms) {
            expired_add(q->state, e->lsn, q->view_ms);
            queue_take(q, entry);
        } else {
            queue_release(q, entry);
        }
    }
}

/* Drops what is past retention at the head of a lane; false: there may be more. */
static bool expire_lane(struct queue *q, struct group *g, size_t *budget)
{
    while (drop_expired_head(q, g))
        if (--*budget == 0)
            return false;
    return true;
}

static void advance_lanes(struct queue *q, size_t budget)
{
    struct heap_node *node;
    if (q->main && !expire_lane(q, q->main, &budget))
        return;
    while ((node = heap_top(&q->ages)) && expiry_ms(q, node->key) <= q->view_ms) {
        struct group *g = CONTAINER_OF(node, struct group, age);
        bool is_done = expire_lane(q, g, &budget);
        if (g->lane.count)
            heap_change(&q->ages, node, g->lane.head.time_ms);
        else
            heap_remove(&q->ages, node);
        group_refresh(q, g);
        if (!is_done)
            return;
    }
}

/* What went without a record for each, and a start would load from the last snapshot for nothing. */
static void waste(struct queue *q, uint64_t messages, uint64_t ids)
{
    enum { MESSAGE_BYTES = 8 }; /* in a snapshot, more or less */
    store_snapshot_waste(q->state->owner->store, messages * MESSAGE_BYTES + ids * sizeof(struct dedup_entry));
}

void queue_advance(struct queue *q, uint64_t now_ms, size_t budget)
{
    uint64_t messages = q->messages, ids = dedup_count(&q->dedup);
    if (now_ms > q->view_ms)
        q->view_ms = now_ms;
    advance_entries(q);
    advance_lanes(q, budget ? budget : SIZE_MAX);
    if (q->dedup.count && q->view_ms >= SQS_DEDUP_WINDOW_MS)
        dedup_expire(&q->dedup, q->view_ms - SQS_DEDUP_WINDOW_MS + (MUTANT(short_dedup_window) ? 1000 : 0) -
                                    (MUTANT(long_dedup_window) ? 1000 : 0));
    if (UNLIKELY(messages != q->messages || ids != dedup_count(&q->dedup)))
        waste(q, messages - q->messages, ids - dedup_count(&q->dedup));
    if (q->attempts)
        attempts_expire(q);
    if (q->fair)
        fair_advance(q);
}

uint64_t queue_next_deadline(struct queue *q)
{
    uint32_t entry;
    return flight_first_due(&q->flights, &entry);
}

void queue_wake(struct queue *q, uint64_t count)
{
    struct owner *o = q->state->owner;
    if (o->is_replaying)
        return;
    while (count-- && call_wake_first(o, &q->waiters))
        ;
}

void queue_watch(struct queue *q)
{
    uint64_t deadline = queue_next_deadline(q);
    if (list_is_empty(&q->waiters) || deadline == UINT64_MAX)
        return;
    struct heap *watched = &q->state->watched;
    if (!heap_has(&q->watch))
        heap_insert(watched, &q->watch, deadline, q->uid);
    else if (q->watch.key != deadline)
        heap_change(watched, &q->watch, deadline);
    owner_wake_at(q->state->owner, deadline);
}

/* ---- when the rules change ----------------------------------------------------------------------------------------------- */

static uint64_t fifo_visible_ms(const struct queue *q, uint64_t sent_ms)
{
    return sent_ms + (uint64_t)q->config->delay_s * 1000;
}

/* FIFO: the part of a lane that the new delay hides becomes delayed entries. */
static void delay_lane(struct queue *q, struct group *g)
{
    if (g->lane.count == 0 || fifo_visible_ms(q, g->lane.tail.time_ms) <= q->view_ms)
        return;
    struct lane old = g->lane;
    struct lane_item item;
    memset(&g->lane, 0, sizeof(g->lane));
    for (struct lane_cursor at = lane_begin(&old); lane_next(&at, &item);) {
        if (fifo_visible_ms(q, item.time_ms) <= q->view_ms) {
            lane_append(&g->lane, &item);
            continue;
        }
        uint32_t entry = entry_new(q, g, &item);
        flights_get(&q->flights, entry)->state = FLIGHT_DELAYED;
        q->delayed++;
    }
    lane_clear(&old);
}

/* The same for one that waits as an entry and was never received. */
static void delay_entry(struct queue *q, uint32_t entry)
{
    struct flight *e = flights_get(&q->flights, entry);
    if (e->state != FLIGHT_RETURNED || e->generation || fifo_visible_ms(q, e->sent_ms) <= q->view_ms)
        return;
    leave_state(q, entry);
    e->state = FLIGHT_DELAYED;
    q->delayed++;
}

void queue_reconsider(struct queue *q)
{
    void *group;
    uint32_t entry;
    if (q->is_fifo)
        for (size_t i = 0; map_next(&q->groups, &i, &group);)
            delay_lane(q, group);
    for (uint32_t i = 0; flights_next(&q->flights, &i, &entry);) {
        struct flight *e = flights_get(&q->flights, entry);
        if (q->is_fifo)
            delay_entry(q, entry);
        if (q->is_fifo && e->state == FLIGHT_DELAYED)
            e->visible_after = flight_after(e, fifo_visible_ms(q, e->sent_ms));
        set_deadline(q, entry);
    }
    if (q->is_fifo) /* a group whose lane was hidden is not ready any more; none is freed here: all have messages */
        for (size_t i = 0; map_next(&q->groups, &i, &group);)
            fifo_refresh(q, group);
    queue_advance(q, q->view_ms, 0);
}

/* ---- all at once --------------------------------------------------------------------------------------------------------- */

void queue_drop_all(struct queue *q)
{
    waste(q, q->messages, dedup_count(&q->dedup));
    grave_take(q);
    q->state->messages -= q->messages;
    q->messages = q->delayed = 0;
    q->in_flight = 0;
    dedup_clear(&q->dedup);
    attempts_free(q);
}

void queue_free(struct queue *q)
{
    if (heap_has(&q->watch))
        heap_remove(&q->state->watched, &q->watch);
    flights_clear(&q->flights);
    group_free_all(q);
    map_deinit(&q->groups);
    heap_deinit(&q->ages);
    fair_free(q);
    dedup_clear(&q->dedup);
    attempts_free(q);
    move_tasks_free(q);
    sqs_config_free(q->config);
    memory_free(q);
}

uint64_t queue_oldest_sent_ms(const struct queue *q)
{
    uint64_t oldest = UINT64_MAX;
    uint32_t entry;
    if (q->main && q->main->lane.count)
        oldest = q->main->lane.head.time_ms;
    if (heap_top(&q->ages) && heap_top(&q->ages)->key < oldest)
        oldest = heap_top(&q->ages)->key;
    for (uint32_t i = 0; flights_next(&q->flights, &i, &entry);) {
        const struct flight *e = flights_get(&q->flights, entry);
        if (e->sent_ms < oldest && !is_of_the_back(q, e))
            oldest = e->sent_ms;
    }
    return oldest;
}

/* ---- restoring ------------------------------------------------------------------------------------------------------------ */

/* Adds `lsn` to the stretch that is being counted; true: *ret_done is a stretch that is complete. */
static bool count_live(struct queue_live *live, uint64_t lsn, struct queue_live *ret_done)
{
    uint64_t stretch = lsn >> QUEUE_LIVE_STRETCH_BITS;
    bool is_done = live->count && (lsn == 0 || stretch != live->stretch);
    if (is_done) {
        *ret_done = *live;
        live->count = 0;
    }
    if (lsn)
        *live = (struct queue_live){ .stretch = stretch, .lsn = lsn, .count = live->count + 1 };
    return is_done;
}

void queue_live_add(struct queue *q, struct queue_live *live, uint64_t lsn)
{
    struct queue_live done;
    if (count_live(live, lsn, &done))
        store_live_add(q->state->owner->store, done.lsn, done.count);
}

void queue_live_drop(struct sqs_state *s, struct queue_live *live, uint64_t lsn)
{
    struct queue_live done;
    if (count_live(live, lsn, &done))
        store_live_drop(s->owner->store, done.lsn, done.count);
}

struct restore_lane {
    struct queue *q;
    struct queue_live *live;
};

static void restored_item(void *context, const struct lane_item *item)
{
    struct restore_lane *r = context;
    queue_live_add(r->q, r->live, item->lsn);
}

bool queue_restore_lane(struct queue *q, uint64_t group_key, struct unpack *u, struct queue_live *live)
{
    struct restore_lane context = { q, live };
    struct group *g = group_get(q, group_key);
    if (g->lane.count || !lane_restore(&g->lane, u, restored_item, &context))
        return false;
    if (g->lane.count && g->lane.tail.seq >= q->next_seq)
        return false;
    q->messages += g->lane.count;
    q->state->messages += g->lane.count;
    if (g->lane.count)
        age_group(q, g);
    group_refresh(q, g);
    return true;
}

bool queue_restore_entry(struct queue *q, const struct flight *image, uint64_t group_key, struct queue_live *live)
{
    if (image->seq >= q->next_seq || flights_find(&q->flights, image->seq) != FLIGHT_NONE)
        return false;
    struct group *g = group_get(q, group_key);
    const struct lane_item item = { image->seq, image->lsn, image->sent_ms };
    uint32_t entry = entry_new(q, g, &item);
    struct flight *e = flights_get(&q->flights, entry);
    e->visible_after = image->visible_after;
    e->first_after = image->first_after;
    e->generation = image->generation;
    e->undone = image->undone;
    e->flags = image->flags;
    q->messages++;
    q->state->messages++;
    queue_live_add(q, live, image->lsn);
    if (image->state == FLIGHT_LEASED) {
        enter_leased(q, entry, image->leased_ms);
    } else if (image->state == FLIGHT_DELAYED) {
        e->state = FLIGHT_DELAYED;
        q->delayed++;
        set_deadline(q, entry);
    } else if (image->state == FLIGHT_RETURNED) {
        enter_returned(q, entry, image->position);
    } else {
        return false;
    }
    group_refresh(q, g);
    return true;
}

/* snapshot.c: the whole state of one log as bytes and back, and its digest.
 *
 *   version, deleted names, queues: names, times, config, lanes (chunks by reference), entries, deduplication, attempts;
 *   since version 2: move tasks (move_task.c), channels (channel_snapshot.c)
 *
 * Numbers are varints (pack.h). What follows from the rest (counters, heaps, ready lists) is not written.
 */
#include "crypto/digest.h"
#include "base/mutant.h"
#include "service/sqs/apply.h"
#include "service/sqs/attempt.h"
#include "service/sqs/channel.h"
#include "service/sqs/digest.h"
#include "service/sqs/memory.h"
#include "service/sqs/move_task.h"

enum { SNAPSHOT_VERSION = 2, SNAPSHOT_VERSION_WITHOUT_CHANNELS = 1, PENDING_MAX = 256 * KIB };

/* ---- capture ---------------------------------------------------------------------------------------------------------- */

static void flush(struct buf *pending, struct snapshot_writer *w, size_t limit)
{
    if (pending->size <= limit)
        return;
    snapshot_add(w, pending->data, pending->size);
    buf_reset(pending);
}

static void pack_key(struct buf *b, uint64_t key)
{
    buf_add(b, slice_of(&key, sizeof(key)));
}

static void capture_lanes(const struct queue *q, struct buf *pending, struct snapshot_writer *w)
{
    void *entry;
    uint64_t count = q->main && q->main->lane.count ? 1 : 0;
    for (size_t i = 0; map_next(&q->groups, &i, &entry);)
        count += ((struct group *)entry)->lane.count ? 1 : 0;
    pack_u64(pending, count);
    if (q->main && q->main->lane.count) {
        pack_key(pending, 0);
        lane_capture(&q->main->lane, pending, w);
    }
    for (size_t i = 0; map_next(&q->groups, &i, &entry);) {
        const struct group *g = entry;
        if (g->lane.count == 0)
            continue;
        pack_key(pending, g->key);
        lane_capture(&g->lane, pending, w);
        flush(pending, w, PENDING_MAX);
    }
}

static void capture_entries(const struct queue *q, struct buf *pending, struct snapshot_writer *w)
{
    uint32_t entry;
    pack_u64(pending, q->flights.count);
    for (uint32_t i = 0; flights_next(&q->flights, &i, &entry);) {
        const struct flight *e = flights_get(&q->flights, entry);
        pack_key(pending, e->group->key);
        pack_u64(pending, e->seq);
        pack_u64(pending, e->lsn);
        pack_u64(pending, e->sent_ms);
        pack_u64(pending, e->state == FLIGHT_DELAYED ? 0 : e->position);
        pack_u64(pending, MUTANT(lease_not_in_snapshot) && e->state == FLIGHT_LEASED ? 0 : e->visible_after);
        pack_u64(pending, e->first_after);
        pack_u64(pending, MUTANT(count_not_in_snapshot) ? e->undone : e->generation);
        pack_u64(pending, e->undone);
        pack_u64(pending, e->state);
        pack_u64(pending, e->flags);
        flush(pending, w, PENDING_MAX);
    }
}

static void capture_attempts(const struct queue *q, struct buf *pending)
{
    bool has_attempts = q->attempts && !MUTANT(attempts_not_in_snapshot);
    pack_u64(pending, has_attempts ? q->attempts->by_hash.count : 0);
    if (!has_attempts)
        return;
    for (struct link *l = q->attempts->oldest.next; l != &q->attempts->oldest; l = l->next) {
        const struct attempt *a = LIST_ENTRY(l, struct attempt, link);
        pack_key(pending, a->hash[0]);
        pack_key(pending, a->hash[1]);
        pack_u64(pending, a->time_ms);
        pack_u64(pending, a->epoch);
        pack_u64(pending, a->count);
        for (uint32_t i = 0; i < a->count; i++) {
            pack_u64(pending, a->seqs[i]);
            pack_u64(pending, a->generations[i]);
        }
    }
}

static void capture_queue(const struct queue *q, struct buf *pending, struct snapshot_writer *w)
{
    pack_u64(pending, q->uid);
    pack_bytes(pending, q->account);
    pack_bytes(pending, q->region);
    pack_bytes(pending, q->name);
    record_queue_changed(pending, q->config);
    pack_u64(pending, q->created_ms);
    pack_u64(pending, q->changed_ms);
    pack_u64(pending, q->purged_ms);
    pack_u64(pending, q->view_ms);
    pack_u64(pending, q->next_seq);
    capture_lanes(q, pending, w);
    capture_entries(q, pending, w);
    dedup_capture(&q->dedup, pending, w);
    capture_attempts(q, pending);
    flush(pending, w, PENDING_MAX);
}

void sqs_state_capture(void *state, struct snapshot_writer *w)
{
    struct sqs_state *s = state;
    struct buf pending;
    buf_init(&pending);
    pack_u64(&pending, SNAPSHOT_VERSION);
    sqs_deleted_expire(s, s->owner->last_time_ms);
    pack_u64(&pending, s->deleted_count);
    for (struct link *l = s->deleted.next; l != &s->deleted; l = l->next) {
        const struct sqs_deleted *d = LIST_ENTRY(l, struct sqs_deleted, link);
        pack_bytes(&pending, d->account);
        pack_bytes(&pending, d->region);
        pack_bytes(&pending, d->name);
        pack_u64(&pending, d->deleted_ms);
    }
    pack_u64(&pending, s->by_uid.count);
    for (struct link *l = s->queues.next; l != &s->queues; l = l->next)
        capture_queue(LIST_ENTRY(l, struct queue, in_state), &pending, w);
    move_tasks_capture(s, &pending);
    channels_capture(s, &pending, w);
    flush(&pending, w, 0);
    buf_deinit(&pending);
}

/* ---- restore ---------------------------------------------------------------------------------------------------------- */

static uint64_t unpack_key(struct unpack *u)
{
    uint64_t key = 0;
    struct slice bytes = unpack_raw(u, sizeof(key));
    if (!u->is_bad)
        memcpy(&key, bytes.data, sizeof(key));
    return key;
}

static bool restore_lanes(struct queue *q, struct unpack *u, struct queue_live *live)
{
    uint64_t count = unpack_u64(u);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t key = unpack_key(u);
        if (u->is_bad || !queue_restore_lane(q, key, u, live))
            return false;
    }
    return !u->is_bad;
}

static bool restore_entries(struct queue *q, struct unpack *u, struct queue_live *live)
{
    uint64_t count = unpack_u64(u);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t key = unpack_key(u);
        struct flight e = { .seq = unpack_u64(u) };
        e.lsn = unpack_u64(u);
        e.sent_ms = unpack_ms(u);
        e.position = unpack_u64(u);
        e.visible_after = unpack_u32(u);
        e.first_after = unpack_u32(u);
        e.generation = unpack_u32(u);
        e.undone = (uint16_t)unpack_u32(u);
        e.state = (uint8_t)unpack_u32(u);
        e.flags = (uint8_t)unpack_u32(u);
        if (u->is_bad || e.lsn == 0 || !queue_restore_entry(q, &e, key, live))
            return false;
    }
    return !u->is_bad;
}

static bool restore_attempts(struct queue *q, struct unpack *u)
{
    uint64_t count = unpack_u64(u);
    for (uint64_t i = 0; i < count && !u->is_bad; i++) {
        uint64_t hash[2];
        hash[0] = unpack_key(u);
        hash[1] = unpack_key(u);
        uint64_t time_ms = unpack_ms(u), epoch = unpack_u64(u), messages = unpack_u64(u);
        if (u->is_bad || messages > SQS_RECEIVE_MAX)
            return false;
        struct attempt *a = attempt_new(q, hash, time_ms, epoch);
        a->count = (uint32_t)messages;
        for (uint32_t k = 0; k < a->count; k++) {
            a->seqs[k] = unpack_u64(u);
            a->generations[k] = unpack_u32(u);
        }
    }
    return !u->is_bad;
}

static struct error restore_queue(struct sqs_state *s, struct unpack *u)
{
    struct queue_live live = { 0 };
    struct sqs_config *config;
    uint64_t uid = unpack_u64(u);
    struct slice account = unpack_bytes(u), region = unpack_bytes(u), name = unpack_bytes(u), text = unpack_bytes(u);
    if (u->is_bad || sqs_queue_find_uid(s, uid) || sqs_queue_find(s, account, region, name))
        return ERROR_OF(ERR_CORRUPT);
    TRY(sqs_config_decode(text, &config));
    struct queue *q = sqs_queue_new(s, account, region, name, config);
    q->uid = uid;
    q->created_ms = unpack_ms(u);
    q->changed_ms = unpack_ms(u);
    q->purged_ms = unpack_ms(u);
    q->view_ms = unpack_ms(u);
    q->next_seq = unpack_u64(u);
    sqs_queue_link(s, q, 0);
    bool is_good = restore_lanes(q, u, &live) && restore_entries(q, u, &live) && dedup_restore(&q->dedup, u) &&
                   restore_attempts(q, u);
    queue_live_add(q, &live, 0);
    return is_good ? OK : ERROR_OF(ERR_CORRUPT);
}

struct error sqs_state_restore(void *state, struct slice bytes)
{
    struct sqs_state *s = state;
    struct unpack u = unpack_of(bytes);
    uint64_t version = unpack_u64(&u);
    if (version != SNAPSHOT_VERSION && version != SNAPSHOT_VERSION_WITHOUT_CHANNELS)
        return ERROR_OF(u.is_bad ? ERR_CORRUPT : ERR_NEWER_FORMAT);
    uint64_t deleted = unpack_u64(&u);
    for (uint64_t i = 0; i < deleted && !u.is_bad; i++) {
        struct slice account = unpack_bytes(&u), region = unpack_bytes(&u), name = unpack_bytes(&u);
        uint64_t deleted_ms = unpack_ms(&u);
        if (!u.is_bad)
            sqs_deleted_add(s, account, region, name, deleted_ms);
    }
    uint64_t queues = unpack_u64(&u);
    for (uint64_t i = 0; i < queues && !u.is_bad; i++)
        TRY(restore_queue(s, &u));
    if (version == SNAPSHOT_VERSION && (!move_tasks_restore(s, &u) || !channels_restore(s, &u)))
        return ERROR_OF(ERR_CORRUPT);
    return u.is_bad || u.at != u.end ? ERROR_OF(ERR_CORRUPT) : OK;
}

/* ---- digest: a sum of keyed hashes of all facts, so that no order matters ---------------------------------------------------- */

void digest_add(struct digest *d, const uint64_t *facts, size_t count)
{
    static const uint8_t key[2][16] = { "facts one", "facts two" };
    for (int i = 0; i < 2; i++) {
        uint64_t hash[2];
        siphash128(key[i], slice_of(facts, count * sizeof(*facts)), hash);
        d->sum[2 * i] += hash[0];
        d->sum[2 * i + 1] += hash[1];
    }
}

uint64_t digest_text(struct slice s)
{
    static const uint8_t key[16] = "text";
    uint64_t hash[2];
    siphash128(key, s, hash);
    return hash[0];
}

/* A message that was never received is the same fact in a lane and as an entry. */
static void digest_lane(struct digest *d, uint64_t uid, const struct group *g)
{
    struct lane_item item;
    for (struct lane_cursor at = lane_begin(&g->lane); lane_next(&at, &item);) {
        const uint64_t facts[] = { 'm', uid, g->key, item.seq, item.lsn, item.time_ms, 0, 0, 0, 0, 0, 0, item.seq };
        digest_add(d, facts, ARRAY_COUNT(facts));
    }
}

static void digest_entry(struct digest *d, uint64_t uid, const struct flight *e)
{
    bool is_waiting = e->state == FLIGHT_RETURNED || e->state == FLIGHT_PICKED;
    const uint64_t facts[] = { 'm', uid, e->group->key, e->seq, e->lsn, e->sent_ms, e->generation, e->undone,
        flight_count(e) ? flight_first_ms(e) : 0, is_waiting ? 0 : flight_visible_ms(e),
        e->state == FLIGHT_LEASED ? e->leased_ms : 0, e->state == FLIGHT_LEASED ? e->flags : 0,
        is_waiting ? e->position : 0 };
    digest_add(d, facts, ARRAY_COUNT(facts));
}

static void digest_memories(struct digest *d, const struct queue *q)
{
    for (uint32_t i = 0; i < dedup_count(&q->dedup); i++) {
        uint64_t facts[6] = { 'd', q->uid };
        dedup_get(&q->dedup, i, &facts[2], &facts[4], &facts[5]);
        digest_add(d, facts, ARRAY_COUNT(facts));
    }
    if (!q->attempts)
        return;
    for (struct link *l = q->attempts->oldest.next; l != &q->attempts->oldest; l = l->next) {
        const struct attempt *a = LIST_ENTRY(l, struct attempt, link);
        for (uint32_t i = 0; i < a->count; i++) {
            const uint64_t facts[] = { 'a', q->uid, a->hash[0], a->hash[1], a->time_ms, a->epoch, a->seqs[i],
                a->generations[i] };
            digest_add(d, facts, ARRAY_COUNT(facts));
        }
    }
}

static void digest_queue(struct digest *d, const struct queue *q)
{
    struct buf config;
    void *entry;
    uint32_t number;
    buf_init(&config);
    sqs_config_encode(&config, q->config);
    const uint64_t facts[] = { 'q', q->uid, digest_text(q->account), digest_text(q->region), digest_text(q->name),
        digest_text(buf_slice(&config)), q->created_ms, q->changed_ms, q->purged_ms, q->next_seq, q->messages,
        q->delayed, q->in_flight };
    digest_add(d, facts, ARRAY_COUNT(facts));
    buf_deinit(&config);
    if (q->main)
        digest_lane(d, q->uid, q->main);
    for (size_t i = 0; map_next(&q->groups, &i, &entry);)
        digest_lane(d, q->uid, entry);
    for (uint32_t i = 0; flights_next(&q->flights, &i, &number);)
        digest_entry(d, q->uid, flights_get(&q->flights, number));
    digest_memories(d, q);
}

void sqs_state_digest(void *state, uint8_t out[32])
{
    struct sqs_state *s = state;
    struct digest d = { { 0 } };
    uint64_t now_ms = s->owner->now_ms > s->owner->last_time_ms ? s->owner->now_ms : s->owner->last_time_ms;
    sqs_deleted_expire(s, now_ms);
    for (struct link *l = s->deleted.next; l != &s->deleted; l = l->next) {
        const struct sqs_deleted *n = LIST_ENTRY(l, struct sqs_deleted, link);
        const uint64_t facts[] = { 'n', digest_text(n->account), digest_text(n->region), digest_text(n->name),
            n->deleted_ms };
        digest_add(&d, facts, ARRAY_COUNT(facts));
    }
    for (struct link *l = s->queues.next; l != &s->queues; l = l->next) {
        struct queue *q = LIST_ENTRY(l, struct queue, in_state);
        queue_advance(q, now_ms, 0);
        digest_queue(&d, q);
    }
    move_tasks_digest(s, &d);
    channels_digest(s, &d);
    sha256(slice_of(d.sum, sizeof(d.sum)), out);
}

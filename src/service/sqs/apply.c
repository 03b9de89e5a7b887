/* apply.c: what each record does to the state. No clock, no randomness: the record says all, its time included.
 *
 * Every apply brings the queue's views to the record's time first, so that replay finds the messages where deciding found
 * them. What a checksummed record cannot say is ERR_CORRUPT; a message that is not there any more is passed over where time
 * may have taken it.
 */
#include "service/sqs/apply.h"
#include "base/mutant.h"
#include "base/text.h"
#include "service/sqs/attempt.h"
#include "service/sqs/catalog.h"
#include "service/sqs/channel.h"
#include "service/sqs/memory.h"
#include "service/sqs/message.h"
#include "service/sqs/send_keys.h"

/* ---- queues ------------------------------------------------------------------------------------------------------- */

struct error apply_queue_created(struct sqs_state *s, const struct record *r)
{
    struct record_queue parsed;
    struct sqs_config *config;
    if (!record_queue_parse(r->payload, &parsed))
        return ERROR_OF(ERR_CORRUPT);
    if (sqs_queue_find(s, parsed.account, parsed.region, parsed.name))
        return ERROR_OF(ERR_CORRUPT);
    TRY(sqs_config_decode(parsed.config, &config));
    struct queue *q = sqs_queue_new(s, parsed.account, parsed.region, parsed.name, config);
    q->uid = r->lsn;
    q->created_ms = q->changed_ms = q->view_ms = r->time_ms;
    q->next_seq = 1;
    sqs_queue_link(s, q, r->lsn);
    return OK;
}

static struct error find(struct sqs_state *s, const struct record *r, struct queue **ret_queue)
{
    struct queue *q = sqs_queue_find_uid(s, r->object);
    if (UNLIKELY(!q))
        return ERROR_OF(ERR_CORRUPT);
    queue_advance(q, r->time_ms, s->owner->is_replaying ? 0 : QUEUE_EXPIRE_MAX);
    *ret_queue = q;
    return OK;
}

struct error apply_queue_changed(struct sqs_state *s, const struct record *r)
{
    struct queue *q;
    struct sqs_config *config;
    TRY(find(s, r, &q));
    queue_advance(q, r->time_ms, 0); /* what was past the old retention stays gone */
    struct unpack u = unpack_of(r->payload);
    struct slice text = unpack_bytes(&u);
    if (u.is_bad)
        return ERROR_OF(ERR_CORRUPT);
    TRY(sqs_config_decode(text, &config));
    bool is_other_time = config->retention_s != q->config->retention_s || config->delay_s != q->config->delay_s;
    sqs_config_free(q->config);
    q->config = config;
    q->changed_ms = r->time_ms;
    const struct sqs_catalog_key key = { q->account, q->region, q->name };
    sqs_catalog_put(&key, q->uid, s->owner->log, config, r->lsn);
    if (is_other_time)
        queue_reconsider(q);
    queue_watch(q);
    return OK;
}

struct error apply_queue_deleted(struct sqs_state *s, const struct record *r)
{
    struct queue *q;
    TRY(find(s, r, &q));
    sqs_queue_unlink(s, q, r->time_ms, r->lsn);
    queue_drop_all(q);
    queue_free(q);
    return OK;
}

/* ---- sending ------------------------------------------------------------------------------------------------------ */

/* False: the queue remembers nothing for it. */
static bool dedup_hash(const struct queue *q, const struct message *m, uint64_t ret_hash[2])
{
    char hex[64];
    struct slice id = m->dedup_id;
    if (m->flags & MESSAGE_DEDUP_HASH) {
        text_format_hex(m->dedup_hash.data, 32, hex);
        id = slice_of(hex, sizeof(hex));
    }
    if (!q->is_fifo || slice_is_none(id) || id.size > SQS_ID_BYTES_MAX || m->group_id.size > SQS_ID_BYTES_MAX)
        return false;
    sqs_dedup_hash(q, m->group_id, id, ret_hash);
    return true;
}

static struct error remember_dedup(struct queue *q, const struct message *m, uint64_t time_ms)
{
    uint64_t hash[2], seq;
    if (q->is_fifo && (m->dedup_id.size > SQS_ID_BYTES_MAX || m->group_id.size > SQS_ID_BYTES_MAX))
        return ERROR_OF(ERR_CORRUPT);
    if (!dedup_hash(q, m, hash))
        return OK;
    if (!dedup_takes(&q->dedup, m->seq, time_ms))
        return ERROR_OF(ERR_CORRUPT);
    if (!dedup_find(&q->dedup, hash, &seq))
        dedup_add(&q->dedup, hash, m->seq, time_ms);
    return OK;
}

/* In a long FIFO queue each message belongs to a group, and leaves an id, far from those of the one before. */
void sqs_state_look_ahead(void *state, const struct record *records, size_t count)
{
    struct sqs_state *s = state;
    const struct queue *q = NULL;
    uint64_t keys[GROUPS_FETCHED_MAX], hash[2];
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        struct message m;
        if (records[i].type != SQS_RECORD_SENT || failed(message_decode(records[i].payload, &m)))
            continue;
        if (!q || q->uid != records[i].object || used == GROUPS_FETCHED_MAX) {
            if (used)
                group_fetch(q, keys, used);
            used = 0;
            q = sqs_queue_find_uid(s, records[i].object);
        }
        if (!q || !q->is_fifo)
            continue;
        if (dedup_hash(q, &m, hash))
            dedup_fetch(&q->dedup, hash);
        keys[used++] = sqs_group_key(sqs_state_keys(s), m.group_id);
    }
    if (used)
        group_fetch(q, keys, used);
}

struct error apply_sent(struct sqs_state *s, const struct record *r)
{
    struct queue *q;
    struct message m;
    TRY(find(s, r, &q));
    TRY(message_decode(r->payload, &m));
    if (m.seq != q->next_seq || (q->is_fifo && slice_is_none(m.group_id)))
        return ERROR_OF(ERR_CORRUPT);
    q->next_seq = m.seq + 1;
    uint64_t sent_ms = m.sent_ms ? m.sent_ms : r->time_ms;
    uint64_t delay_s = q->is_fifo ? q->config->delay_s : m.delay_s;
    const struct queue_message put = {
        .seq = m.seq,
        .lsn = r->lsn,
        .sent_ms = sent_ms,
        .group_key = sqs_group_key(sqs_state_keys(s), m.group_id),
        .visible_ms = delay_s && m.receives == 0 ? sent_ms + delay_s * 1000 : 0,
        .receives = m.receives,
        .first_ms = sent_ms + m.first_after_ms,
    };
    TRY(remember_dedup(q, &m, r->time_ms));
    queue_put(q, &put);
    queue_watch(q);
    sqs_state_plan_sweep(s, r->time_ms);
    return OK;
}

/* ---- leases ------------------------------------------------------------------------------------------------------- */

static struct error lease_one(
    struct queue *q, const struct record_leased *l, uint64_t seq, uint64_t group_key, uint64_t now_ms)
{
    uint32_t entry = queue_lift(q, seq, group_key);
    if (entry == FLIGHT_NONE)
        return ERROR_OF(ERR_CORRUPT);
    struct flight *e = flights_get(&q->flights, entry);
    if (!(l->flags & LEASED_IS_RENEWAL)) {
        e->generation++;
        e->flags &= (uint8_t) ~(FLIGHT_CHANGED | FLIGHT_REFUSED);
        if (flight_count(e) == 1)
            e->first_after = flight_after(e, now_ms);
    }
    queue_lease(q, entry, now_ms, now_ms + l->visibility_s * 1000ull);
    return OK;
}

static void remember_attempt(struct queue *q, const struct record_leased *l, uint64_t now_ms)
{
    struct attempt *a = attempt_new(q, l->attempt, now_ms, l->epoch);
    for (uint32_t i = 0; i < l->run_count; i++)
        for (uint32_t k = 0; k < l->runs[i].count; k++) {
            uint32_t entry = flights_find(&q->flights, l->runs[i].seqs[k]);
            a->seqs[a->count] = l->runs[i].seqs[k];
            a->generations[a->count++] = entry == FLIGHT_NONE ? 0 : flights_get(&q->flights, entry)->generation;
        }
}

struct error apply_leased(struct sqs_state *s, const struct record *r)
{
    struct queue *q;
    struct record_leased l;
    TRY(find(s, r, &q));
    if (!record_leased_parse(r->payload, &l))
        return ERROR_OF(ERR_CORRUPT);
    uint64_t now_ms = MUTANT(replay_uses_now) ? s->owner->now_ms : r->time_ms;
    for (uint32_t i = 0; i < l.run_count; i++)
        for (uint32_t k = 0; k < l.runs[i].count; k++)
            TRY(lease_one(q, &l, l.runs[i].seqs[k], l.runs[i].group_key, now_ms));
    if ((l.flags & LEASED_HAS_ATTEMPT) && !(l.flags & LEASED_IS_RENEWAL))
        remember_attempt(q, &l, r->time_ms);
    queue_watch(q);
    return OK;
}

struct error apply_visibility(struct sqs_state *s, const struct record *r)
{
    struct queue *q;
    struct record_seqs l;
    TRY(find(s, r, &q));
    if (!record_seqs_parse(SQS_RECORD_VISIBILITY, r->payload, &l))
        return ERROR_OF(ERR_CORRUPT);
    for (uint32_t i = 0; i < l.count; i++) {
        uint32_t entry = flights_find(&q->flights, l.items[i].seq);
        if (entry == FLIGHT_NONE)
            continue;
        struct flight *e = flights_get(&q->flights, entry);
        if (e->state != FLIGHT_LEASED)
            continue;
        e->flags |= FLIGHT_CHANGED;
        queue_lease(q, entry, e->leased_ms, r->time_ms + l.items[i].visibility_s * 1000ull);
    }
    queue_watch(q);
    return OK;
}

/* A receive that nobody got: the message is back where it was, its count as before. */
struct error apply_returned(struct sqs_state *s, const struct record *r)
{
    struct queue *q;
    struct record_seqs l;
    TRY(find(s, r, &q));
    if (!record_seqs_parse(SQS_RECORD_RETURNED, r->payload, &l))
        return ERROR_OF(ERR_CORRUPT);
    for (uint32_t i = 0; i < l.count; i++) {
        uint32_t entry = flights_find(&q->flights, l.items[i].seq);
        if (entry == FLIGHT_NONE)
            continue;
        struct flight *e = flights_get(&q->flights, entry);
        if (flight_count(e) > 0 && e->undone < UINT16_MAX)
            e->undone++;
        if (flight_count(e) == 0)
            e->first_after = 0;
        if (e->state == FLIGHT_LEASED)
            queue_release(q, entry);
    }
    return OK;
}

struct error apply_deleted(struct sqs_state *s, const struct record *r)
{
    struct queue *q;
    struct record_seqs l;
    TRY(find(s, r, &q));
    if (!record_seqs_parse(SQS_RECORD_DELETED, r->payload, &l))
        return ERROR_OF(ERR_CORRUPT);
    for (uint32_t i = 0; i < l.count; i++) {
        uint32_t entry = l.items[i].in_lane ? queue_lift(q, l.items[i].seq, l.items[i].group_key)
                                            : flights_find(&q->flights, l.items[i].seq);
        if (entry != FLIGHT_NONE)
            queue_drop(q, entry);
    }
    return OK;
}

/* Live, everything that is due is gone already: only its record waits to be counted. */
struct error apply_time_passed(struct sqs_state *s, const struct record *r)
{
    for (struct link *l = s->queues.next; l != &s->queues && s->owner->is_replaying; l = l->next)
        queue_advance(LIST_ENTRY(l, struct queue, in_state), r->time_ms, 0);
    return OK;
}

/* ---- all at once, and the cleaner ---------------------------------------------------------------------------------- */

struct error apply_purged(struct sqs_state *s, const struct record *r)
{
    struct queue *q;
    TRY(find(s, r, &q));
    struct unpack u = unpack_of(r->payload);
    uint64_t upto = unpack_u64(&u);
    if (u.is_bad || upto != q->next_seq)
        return ERROR_OF(ERR_CORRUPT);
    if (MUTANT(purge_spares_leased) && q->in_flight)
        return OK;
    queue_drop_all(q);
    channels_orphan(s, q);
    q->purged_ms = r->time_ms;
    return OK;
}

struct error apply_relocated(struct sqs_state *s, const struct record *r)
{
    struct message m;
    struct queue *q = sqs_queue_find_uid(s, r->object);
    TRY(message_decode(r->payload, &m));
    if (!channel_relocate(s, r->object, m.seq, r->lsn) && q)
        queue_relocate(q, m.seq, sqs_group_key(sqs_state_keys(s), m.group_id), r->lsn);
    return OK;
}

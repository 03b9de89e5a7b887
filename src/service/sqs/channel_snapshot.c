/* channel_snapshot.c: outboxes and inboxes as bytes and back, and their digest (channel.h).
 *
 *   count of outboxes: destination log, base, count of entries, entries: [route if another than the one before], facts
 *   count of inboxes: source log, base, mark, refused words
 */
#include "service/sqs/channel.h"
#include "base/mutant.h"
#include "service/sqs/digest.h"
#include "service/sqs/move_task.h"
#include "service/sqs/state.h"

enum { PENDING_MAX = 256 * KIB, ENTRY_HAS_ROUTE = 1, ENTRY_IS_ORPHAN = 2 };

/* ---- capture ------------------------------------------------------------------------------------------------------------- */

static void capture_route(const struct channel_route *r, struct buf *b)
{
    pack_u64(b, r->kind);
    pack_u64(b, r->is_fifo);
    buf_add(b, slice_of(r->task_id, sizeof(r->task_id)));
    pack_bytes(b, r->source_account);
    pack_bytes(b, r->source_arn);
    pack_bytes(b, r->account);
    pack_bytes(b, r->region);
    pack_bytes(b, r->name);
}

static void capture_outbox(const struct outbox *o, struct buf *b, struct snapshot_writer *w)
{
    const struct channel_route *route = NULL;
    pack_u64(b, o->to);
    pack_u64(b, o->base);
    pack_u64(b, o->next - o->base);
    for (uint64_t n = o->base; n < o->next; n++) {
        const struct channel_entry *e = outbox_entry(o, n);
        pack_u64(b, (e->route != route ? ENTRY_HAS_ROUTE : 0) | (e->is_orphan ? ENTRY_IS_ORPHAN : 0));
        if (e->route != route)
            capture_route(e->route, b);
        route = e->route;
        const uint64_t facts[] = { e->uid, e->seq, e->lsn, e->sent_ms, e->first_ms, e->position, e->generation,
            e->undone };
        for (size_t i = 0; i < ARRAY_COUNT(facts); i++)
            pack_u64(b, facts[i]);
        buf_add(b, slice_of(&e->group_key, sizeof(e->group_key)));
        if (b->size > PENDING_MAX) {
            snapshot_add(w, b->data, b->size);
            buf_reset(b);
        }
    }
}

void channels_capture(const struct sqs_state *s, struct buf *pending, struct snapshot_writer *w)
{
    uint64_t outboxes = 0, inboxes = 0;
    for (size_t log = 0; log < LOG_COUNT; log++) {
        outboxes += s->channels.out[log] ? 1 : 0;
        inboxes += s->channels.in[log] ? 1 : 0;
    }
    pack_u64(pending, outboxes);
    for (size_t log = 0; log < LOG_COUNT; log++)
        if (s->channels.out[log])
            capture_outbox(s->channels.out[log], pending, w);
    pack_u64(pending, inboxes);
    for (size_t log = 0; log < LOG_COUNT; log++) {
        const struct inbox *i = s->channels.in[log];
        if (!i)
            continue;
        pack_u64(pending, log);
        pack_u64(pending, i->base);
        pack_u64(pending, MUTANT(mark_not_in_snapshot) ? i->base - 1 : i->mark);
        for (size_t k = 0; k < CHANNEL_WINDOW_WORDS; k++)
            pack_u64(pending, MUTANT(refusals_not_in_snapshot) ? 0 : i->refused[k]);
    }
}

/* ---- restore ------------------------------------------------------------------------------------------------------------- */

static struct channel_route *restore_route(struct unpack *u)
{
    struct channel_route image = { .kind = (uint8_t)unpack_u32(u) };
    image.is_fifo = unpack_u64(u);
    struct slice id = unpack_raw(u, sizeof(image.task_id));
    image.source_account = unpack_bytes(u);
    image.source_arn = unpack_bytes(u);
    image.account = unpack_bytes(u);
    image.region = unpack_bytes(u);
    image.name = unpack_bytes(u);
    if (u->is_bad || image.kind > CHANNEL_MOVE)
        return NULL;
    memcpy(image.task_id, id.data, sizeof(image.task_id));
    return channel_route_new(&image);
}

static bool restore_entry(struct outbox *o, struct unpack *u)
{
    struct sqs_state *s = o->state;
    uint64_t flags = unpack_u64(u);
    struct channel_entry e = { .is_orphan = flags & ENTRY_IS_ORPHAN };
    if (flags & ENTRY_HAS_ROUTE) {
        e.route = restore_route(u);
    } else if (o->base < o->next) {
        e.route = outbox_entry(o, o->next - 1)->route;
        e.route->references++;
    }
    if (!e.route)
        return false;
    e.uid = unpack_u64(u);
    e.seq = unpack_u64(u);
    e.lsn = unpack_u64(u);
    e.sent_ms = unpack_ms(u);
    e.first_ms = unpack_ms(u);
    e.position = unpack_u64(u);
    e.generation = unpack_u32(u);
    e.undone = (uint16_t)unpack_u32(u);
    struct slice key = unpack_raw(u, sizeof(e.group_key));
    if (u->is_bad || e.lsn == 0 || channel_lsn_of(s, e.uid, e.seq)) {
        channel_route_unref(e.route);
        return false;
    }
    memcpy(&e.group_key, key.data, sizeof(e.group_key));
    outbox_add(o, &e);
    store_live_add(s->owner->store, e.lsn, MUTANT(transit_not_live) ? 0 : 1);
    struct queue *q = sqs_queue_find_uid(s, e.uid);
    if (q && !e.is_orphan)
        q->in_transit++;
    if (q && e.route->kind == CHANNEL_MOVE)
        move_task_took(q, e.route->task_id, 1);
    return true;
}

static bool restore_outbox(struct sqs_state *s, struct unpack *u)
{
    uint64_t log = unpack_u64(u), base = unpack_u64(u), count = unpack_u64(u);
    if (u->is_bad || log >= LOG_COUNT || base == 0 || s->channels.out[log])
        return false;
    struct outbox *o = outbox_get(s, (uint16_t)log);
    o->base = o->next = base;
    for (uint64_t i = 0; i < count; i++)
        if (!restore_entry(o, u))
            return false;
    return true;
}

bool channels_restore(struct sqs_state *s, struct unpack *u)
{
    uint64_t outboxes = unpack_u64(u);
    for (uint64_t i = 0; i < outboxes && !u->is_bad; i++)
        if (!restore_outbox(s, u))
            return false;
    uint64_t inboxes = unpack_u64(u);
    for (uint64_t i = 0; i < inboxes && !u->is_bad; i++) {
        uint64_t log = unpack_u64(u);
        if (u->is_bad || log >= LOG_COUNT)
            return false;
        struct inbox *in = inbox_get(s, (uint16_t)log);
        in->base = unpack_u64(u);
        in->mark = unpack_u64(u);
        for (size_t k = 0; k < CHANNEL_WINDOW_WORDS; k++)
            in->refused[k] = unpack_u64(u);
        if (in->base == 0 || in->mark + 1 < in->base || in->mark - in->base + 1 > CHANNEL_WINDOW_WORDS * 64)
            return false;
    }
    return !u->is_bad;
}

/* ---- digest -------------------------------------------------------------------------------------------------------------- */

static void digest_outbox(const struct outbox *o, struct digest *d)
{
    const uint64_t own[] = { 'c', o->to, o->base, o->next };
    digest_add(d, own, ARRAY_COUNT(own));
    for (uint64_t n = o->base; n < o->next; n++) {
        const struct channel_entry *e = outbox_entry(o, n);
        const struct channel_route *r = e->route;
        const uint64_t facts[] = { 'o', o->to, n, e->uid, e->seq, e->lsn, e->sent_ms, e->first_ms, e->position,
            e->group_key, e->generation, e->undone, e->is_orphan, r->kind, r->is_fifo,
            digest_text(slice_of(r->task_id, sizeof(r->task_id))), digest_text(r->source_arn), digest_text(r->account),
            digest_text(r->region), digest_text(r->name) };
        digest_add(d, facts, ARRAY_COUNT(facts));
    }
}

void channels_digest(const struct sqs_state *s, struct digest *d)
{
    for (size_t log = 0; log < LOG_COUNT; log++) {
        const struct inbox *i = s->channels.in[log];
        if (s->channels.out[log])
            digest_outbox(s->channels.out[log], d);
        if (!i)
            continue;
        const uint64_t facts[] = { 'i', log, i->base, i->mark, i->refused[0], i->refused[1] };
        static_assert(CHANNEL_WINDOW_WORDS == 2, "all words of an inbox are facts");
        digest_add(d, facts, ARRAY_COUNT(facts));
    }
}

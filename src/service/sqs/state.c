#include "service/sqs/state.h"
#include "base/mutant.h"
#include "service/sqs/attempt.h"
#include "crypto/digest.h"
#include "service/sqs/access.h"
#include "service/sqs/apply.h"
#include "service/sqs/catalog.h"
#include "service/sqs/grave.h"
#include "service/sqs/memory.h"
#include "service/sqs/message.h"
#include "service/sqs/send_keys.h"

enum {
    DELETED_NAMES_MAX = 10000, /* a log; the oldest is forgotten: its quarantine ends early */
    SWEEP_QUEUES = 64,         /* looked at in one slice */
    SWEEP_PAUSE_MS = 5,        /* between slices of a round */
    BURY_MESSAGES = 20000,     /* of purged queues in one slice: less than a millisecond */
};

/* ---- keys --------------------------------------------------------------------------------------------------------- */

static void derive(const uint8_t secret[32], struct slice purpose, uint8_t *out, size_t size)
{
    uint8_t key[SHA256_BYTES];
    hmac_sha256(slice_of(secret, 32), purpose, key);
    memcpy(out, key, size);
}

void sqs_keys_derive(struct sqs_keys *keys, const uint8_t secret[32])
{
    derive(secret, SLICE("sqs group"), keys->group, sizeof(keys->group));
    derive(secret, SLICE("sqs deduplication"), keys->dedup, sizeof(keys->dedup));
    derive(secret, SLICE("sqs message id"), keys->message_id, sizeof(keys->message_id));
    derive(secret, SLICE("sqs receipt nonce"), keys->receipt_nonce, sizeof(keys->receipt_nonce));
    derive(secret, SLICE("sqs receipt"), keys->receipt, sizeof(keys->receipt));
}

const struct sqs_keys *sqs_state_keys(struct sqs_state *s)
{
    if (UNLIKELY(!s->has_keys)) { /* the store is there only when replay begins */
        sqs_keys_derive(&s->keys, store_secret(s->owner->store));
        s->has_keys = true;
    }
    return &s->keys;
}

/* ---- finding queues ------------------------------------------------------------------------------------------------- */

static bool has_uid(const void *entry, const void *key)
{
    return ((const struct queue *)entry)->uid == *(const uint64_t *)key;
}

struct queue *sqs_queue_find_uid(struct sqs_state *s, uint64_t uid)
{
    return map_find(&s->by_uid, map_hash_u64(uid), has_uid, &uid);
}

static bool has_names(const void *entry, const void *key)
{
    const struct queue *q = entry;
    const struct sqs_catalog_key *names = key;
    return slice_equal(q->name, names->name) && slice_equal(q->account, names->account) &&
           slice_equal(q->region, names->region);
}

static uint64_t hash_names(const struct sqs_catalog_key *names)
{
    return map_hash(names->name) ^ map_hash(names->account) * 3 ^ map_hash(names->region) * 7;
}

struct queue *sqs_queue_find(struct sqs_state *s, struct slice account, struct slice region, struct slice name)
{
    const struct sqs_catalog_key names = { account, region, name };
    return map_find(&s->by_name, hash_names(&names), has_names, &names);
}

struct error sqs_queue_enter(struct call *c, struct queue **ret_queue)
{
    TRY(sqs_queue_for_call(c, ret_queue));
    queue_advance(*ret_queue, c->owner->now_ms, QUEUE_EXPIRE_MAX);
    return OK;
}

/* ---- names that rest ------------------------------------------------------------------------------------------------ */

static void deleted_forget(struct sqs_state *s, struct sqs_deleted *d)
{
    list_remove(&d->link);
    s->deleted_count--;
    memory_free(d);
}

void sqs_deleted_expire(struct sqs_state *s, uint64_t now_ms)
{
    while (!list_is_empty(&s->deleted)) {
        struct sqs_deleted *d = LIST_ENTRY(s->deleted.next, struct sqs_deleted, link);
        if (d->deleted_ms + SQS_QUARANTINE_MS > now_ms && s->deleted_count <= DELETED_NAMES_MAX)
            return;
        deleted_forget(s, d);
    }
}

static struct slice put_text(char **at, struct slice s)
{
    memcpy(*at, s.data, s.size);
    struct slice copy = slice_of(*at, s.size);
    *at += s.size;
    return copy;
}

void sqs_deleted_add(
    struct sqs_state *s, struct slice account, struct slice region, struct slice name, uint64_t deleted_ms)
{
    struct sqs_deleted *d = memory_zero(sizeof(*d) + account.size + region.size + name.size);
    char *at = (char *)(d + 1);
    d->account = put_text(&at, account);
    d->region = put_text(&at, region);
    d->name = put_text(&at, name);
    d->deleted_ms = deleted_ms;
    list_push_back(&s->deleted, &d->link);
    s->deleted_count++;
    sqs_deleted_expire(s, deleted_ms);
}

uint64_t sqs_queue_deleted_ms(struct sqs_state *s, struct slice account, struct slice region, struct slice name)
{
    sqs_deleted_expire(s, s->owner->now_ms);
    for (struct link *l = s->deleted.prev; l != &s->deleted; l = l->prev) {
        const struct sqs_deleted *d = LIST_ENTRY(l, struct sqs_deleted, link);
        if (slice_equal(d->name, name) && slice_equal(d->account, account) && slice_equal(d->region, region))
            return d->deleted_ms;
    }
    return 0;
}

/* ---- queues come and go --------------------------------------------------------------------------------------------- */

struct queue *sqs_queue_new(
    struct sqs_state *s, struct slice account, struct slice region, struct slice name, struct sqs_config *config)
{
    struct queue *q = memory_zero(sizeof(*q) + account.size + region.size + name.size);
    char *at = (char *)(q + 1);
    q->state = s;
    q->account = put_text(&at, account);
    q->region = put_text(&at, region);
    q->name = put_text(&at, name);
    q->config = config;
    q->is_fifo = config->is_fifo;
    map_init(&q->groups);
    heap_init(&q->ages);
    list_init(&q->ready);
    list_init(&q->waiters);
    return q;
}

void sqs_queue_link(struct sqs_state *s, struct queue *q, lsn_t lsn)
{
    const struct sqs_catalog_key names = { q->account, q->region, q->name };
    map_insert(&s->by_uid, map_hash_u64(q->uid), q);
    map_insert(&s->by_name, hash_names(&names), q);
    list_push_back(&s->queues, &q->in_state);
    sqs_catalog_put(&names, q->uid, s->owner->log, q->config, lsn);
}

static struct queue *queue_after(struct sqs_state *s, const struct queue *q)
{
    return q->in_state.next == &s->queues ? NULL : LIST_ENTRY(q->in_state.next, struct queue, in_state);
}

void sqs_queue_unlink(struct sqs_state *s, struct queue *q, uint64_t now_ms, lsn_t lsn)
{
    const struct sqs_catalog_key names = { q->account, q->region, q->name };
    if (s->sweep_at == q)
        s->sweep_at = queue_after(s, q);
    map_remove(&s->by_uid, map_hash_u64(q->uid), q);
    map_remove(&s->by_name, hash_names(&names), q);
    list_remove(&q->in_state);
    if (!MUTANT(deleted_queue_listed))
        sqs_catalog_remove(&names, lsn);
    sqs_deleted_add(s, q->account, q->region, q->name, now_ms);
    call_wake_all(s->owner, &q->waiters);
}

struct error sqs_queue_create(struct sqs_state *s, struct slice account, struct slice region, struct slice name,
    const struct sqs_config *config, struct queue **ret_queue)
{
    struct buf b;
    buf_init(&b);
    record_queue_created(&b, account, region, name, config);
    struct error e = record_append(s, SQS_RECORD_QUEUE_CREATED, 0, buf_slice(&b), false);
    buf_deinit(&b);
    if (!failed(e))
        *ret_queue = sqs_queue_find(s, account, region, name);
    return e;
}

struct error sqs_queue_change(struct queue *q, const struct sqs_config *config)
{
    struct buf b;
    buf_init(&b);
    record_queue_changed(&b, config);
    struct error e = record_append(q->state, SQS_RECORD_QUEUE_CHANGED, q->uid, buf_slice(&b), false);
    buf_deinit(&b);
    return e;
}

struct error sqs_queue_delete(struct queue *q)
{
    return record_append(q->state, SQS_RECORD_QUEUE_DELETED, q->uid, SLICE(""), true);
}

/* ---- the machine ------------------------------------------------------------------------------------------------------ */

void *sqs_state_new(struct owner *o)
{
    struct sqs_state *s = memory_zero(sizeof(*s));
    s->owner = o;
    map_init(&s->by_uid);
    map_init(&s->by_name);
    list_init(&s->queues);
    list_init(&s->deleted);
    list_init(&s->graves);
    heap_init(&s->watched);
    channels_init(&s->channels);
    moves_init(&s->moves);
    return s;
}

void sqs_state_free(void *state)
{
    struct sqs_state *s = state;
    if (!s)
        return;
    while (!list_is_empty(&s->queues)) {
        struct queue *q = LIST_ENTRY(s->queues.next, struct queue, in_state);
        list_remove(&q->in_state);
        queue_free(q);
    }
    while (!list_is_empty(&s->deleted))
        deleted_forget(s, LIST_ENTRY(s->deleted.next, struct sqs_deleted, link));
    graves_free(s);
    expired_free(s);
    channels_free(s);
    sqs_catalog_remove_log(s->owner->log);
    map_deinit(&s->by_uid);
    map_deinit(&s->by_name);
    heap_deinit(&s->watched);
    memory_free(s);
}

struct error sqs_state_apply(void *state, const struct record *r)
{
    static struct error (*const rows[])(struct sqs_state *, const struct record *) = {
#define RECORD(number, name, apply, describe) [number] = apply,
#include "service/sqs/records.def"
#undef RECORD
    };
    size_t number = r->type & 0xff;
    if (number >= ARRAY_COUNT(rows) || !rows[number])
        return r->flags & RECORD_MUST_UNDERSTAND ? ERROR_OF(ERR_NEWER_FORMAT) : OK;
    if (r->version > SQS_RECORD_VERSION)
        return ERROR_OF(ERR_NEWER_FORMAT);
    return rows[number](state, r);
}

/* ---- time --------------------------------------------------------------------------------------------------------------- */

void sqs_state_plan_sweep(struct sqs_state *s, uint64_t now_ms)
{
    s->sweeps_again = true;
    if (s->sweep_ms || s->owner->is_replaying)
        return;
    s->sweep_ms = now_ms + SQS_SWEEP_MS;
    owner_wake_at(s->owner, s->sweep_ms);
}

/* Does the queue hold anything that time alone takes away? Deduplication ids and attempts outlive its messages. */
static bool goes_by_time(const struct queue *q)
{
    return q->messages || (!MUTANT(dedup_kept) && (dedup_count(&q->dedup) || q->attempts));
}

/* One slice of a round over all queues: retention frees space, and what was remembered memory, without anybody asking. */
static void sweep(struct sqs_state *s, uint64_t now_ms)
{
    if (!s->sweep_at) {
        s->sweeps_again = false;
        s->sweep_at = list_is_empty(&s->queues) ? NULL : LIST_ENTRY(s->queues.next, struct queue, in_state);
    }
    for (int i = 0; i < SWEEP_QUEUES && s->sweep_at; i++) {
        struct queue *q = s->sweep_at;
        uint64_t before = q->messages;
        queue_advance(q, now_ms, QUEUE_EXPIRE_MAX);
        if (before - q->messages >= QUEUE_EXPIRE_MAX)
            break; /* there may be more: this queue again in the next slice */
        s->sweeps_again |= goes_by_time(q);
        s->sweep_at = queue_after(s, q);
    }
    s->sweep_ms = s->sweep_at ? now_ms + SWEEP_PAUSE_MS : s->sweeps_again ? now_ms + SQS_SWEEP_MS : 0;
}

static void advance_watched(struct sqs_state *s, uint64_t now_ms)
{
    struct heap_node *node;
    while ((node = heap_top(&s->watched)) && node->key <= now_ms) {
        struct queue *q = CONTAINER_OF(node, struct queue, watch);
        heap_remove(&s->watched, node);
        queue_advance(q, now_ms, QUEUE_EXPIRE_MAX);
        queue_watch(q);
    }
}

void sqs_state_advance(void *state, uint64_t now_ms)
{
    struct sqs_state *s = state;
    advance_watched(s, now_ms);
    if (s->sweep_ms && s->sweep_ms <= now_ms)
        sweep(s, now_ms);
    if (heap_top(&s->watched))
        owner_wake_at(s->owner, heap_top(&s->watched)->key);
    if (s->sweep_ms)
        owner_wake_at(s->owner, s->sweep_ms);
    expired_settle(s, now_ms);
    if (!graves_bury(s, BURY_MESSAGES))
        owner_wake_at(s->owner, now_ms + 1);
    sqs_work_advance(s, now_ms);
}

void sqs_state_resume(void *state)
{
    struct sqs_state *s = state;
    if (!list_is_empty(&s->queues))
        sqs_state_plan_sweep(s, s->owner->now_ms);
    sqs_work_at(s, 0); /* what was on its way between logs goes on */
}

/* Is the record at r->lsn where this message is, in its queue or in transit? */
static bool is_current(struct sqs_state *s, const struct record *r, const struct message *m)
{
    struct queue *q = sqs_queue_find_uid(s, r->object);
    if (channel_lsn_of(s, r->object, m->seq) == r->lsn)
        return true;
    if (!q)
        return false;
    queue_advance(q, s->owner->now_ms, QUEUE_EXPIRE_MAX);
    return queue_lsn_of(q, m->seq, sqs_group_key(sqs_state_keys(s), m->group_id)) == r->lsn;
}

struct error sqs_state_relocate(void *state, const struct record *r)
{
    struct sqs_state *s = state;
    struct message m;
    if (r->type != SQS_RECORD_SENT && r->type != SQS_RECORD_RELOCATED)
        return OK;
    TRY(message_decode(r->payload, &m));
    if (!is_current(s, r, &m))
        return OK;
    const struct record_in in = { .type = SQS_RECORD_RELOCATED,
        .version = SQS_RECORD_VERSION,
        .flags = RECORD_MUST_UNDERSTAND | RECORD_LIVE,
        .object = r->object,
        .parts = &r->payload,
        .part_count = 1 };
    return owner_record(s->owner, &in, 1, true, NULL);
}

/* ---- figures ------------------------------------------------------------------------------------------------------------ */

const struct metric_row sqs_metric_rows[] = {
    { "sqs_messages_visible", "gauge", "Messages that a receive could get." },
    { "sqs_messages_in_flight", "gauge", "Messages received and not yet deleted or visible again." },
    { "sqs_messages_delayed", "gauge", "Messages whose delay has not ended." },
    { "sqs_oldest_message_age_seconds", "gauge",
        "Age of the oldest message, but for those of standard queues received three times." },
    { "sqs_messages_sent_total", "counter", "Messages accepted since start." },
    { "sqs_messages_received_total", "counter", "Messages handed out since start." },
    { "sqs_messages_deleted_total", "counter", "Messages deleted since start." },
    { "sqs_empty_receives_total", "counter", "Receives that returned nothing since start." },
    { "sqs_messages_deduplicated_total", "counter", "Sends that were duplicates since start." },
    { "sqs_messages_in_transit", "gauge", "Messages on their way to a dead-letter queue or moved by a task." },
    { NULL, NULL, NULL },
};

static void copy_text(char *out, size_t size, struct slice s)
{
    size_t length = s.size < size - 1 ? s.size : size - 1;
    memcpy(out, s.data, length);
    out[length] = 0;
}

void sqs_state_metrics(void *state, struct metrics_writer *w)
{
    struct sqs_state *s = state;
    uint64_t now_ms = s->owner->now_ms;
    for (struct link *l = s->queues.next; l != &s->queues; l = l->next) {
        struct queue *q = LIST_ENTRY(l, struct queue, in_state);
        queue_advance(q, now_ms, QUEUE_EXPIRE_MAX);
        uint64_t oldest = q->messages ? queue_oldest_sent_ms(q) : now_ms;
        const struct queue_figures *f = &q->figures;
        struct metrics_object o = { .activity = f->sent + f->received + f->deleted + f->empty_receives + q->messages,
            .values = { (int64_t)queue_visible(q), (int64_t)q->in_flight, (int64_t)q->delayed,
                oldest < now_ms ? (int64_t)((now_ms - oldest) / 1000) : 0, (int64_t)f->sent, (int64_t)f->received,
                (int64_t)f->deleted, (int64_t)f->empty_receives, (int64_t)f->deduplicated, (int64_t)q->in_transit } };
        copy_text(o.name, sizeof(o.name), q->name);
        copy_text(o.account, sizeof(o.account), q->account);
        copy_text(o.region, sizeof(o.region), q->region);
        metrics_add_object(w, &o);
    }
}

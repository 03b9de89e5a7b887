/* toy.h: a small state machine above a store, and the judge of what a store may do with it. For the programs of this folder.
 *
 *   put (live) ──> item {id, LSN, hash of its body} ──drop──> gone        every log: items, and a running digest of all
 *                          └──relocate──> same item, other LSN            records applied (LSN, time, type, bytes)
 *
 * The judge keeps one history of all appends in their order, with the log's digest after each. What a start brings back must
 * be a prefix of it (G1, G4), no shorter than what was reported durable (G3); what was cut off once stays cut off. Then every
 * item must be readable, byte for byte (G8).
 *
 * Seeds    MILLRACE_STORE_SEEDS=n: more than the few of a usual run, or fewer, where each takes long (memcheck).
 * Use      static functions of one test program; one toy at a time (ops.context is not needed, but kept honest).
 */
#ifndef MILLRACE_TEST_STORE_TOY_H
#define MILLRACE_TEST_STORE_TOY_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/text.h"
#include "crypto/digest.h"
#include "store/store.h"
#include "sys/sys.h"
#include <stdio.h>
#include <stdlib.h>

enum { TOY_PUT = 1, TOY_DROP = 2, TOY_MOVE = 3, TOY_NOTE = 4 };

struct toy_item {
    uint64_t id, lsn;
    uint32_t crc, size; /* of the body */
};
struct toy_log {
    struct toy_item *items;
    size_t count, capacity;
    uint64_t digest, last_lsn, last_time_ms;
};
struct toy_event {
    uint16_t log;
    uint64_t lsn; /* of the last record of the batch */
    uint64_t digest;
};
struct toy {
    struct store *store;
    struct toy_log logs[LOG_COUNT];
    struct toy_event *history;
    size_t count, capacity;
    size_t acknowledged; /* this many events of the history were reported durable */
    uint64_t next_id, now_ms, random;
    uint64_t applied, restored, relocated;
    void (*on_capture)(struct toy *t, uint16_t log); /* what others do while a snapshot is taken; NULL: nothing */
    struct slice sentence;
    struct arena arena;
    struct buf bodies; /* of the put under way; kept, so that a fatal error may jump out of it */
};

static inline uint64_t toy_seeds(uint64_t usual)
{
    const char *text = getenv("MILLRACE_STORE_SEEDS");
    return text ? strtoull(text, NULL, 10) : usual;
}

static inline uint64_t toy_random(struct toy *t) /* splitmix64 */
{
    uint64_t x = t->random += 0x9e3779b97f4a7c15ull;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
    return x ^ (x >> 31);
}

static inline uint64_t toy_below(struct toy *t, uint64_t bound)
{
    return toy_random(t) % bound;
}

/* ---- state ------------------------------------------------------------------------------------------------------------- */

static inline struct toy_item *toy_find(struct toy_log *l, uint64_t id)
{
    for (size_t i = 0; i < l->count; i++)
        if (l->items[i].id == id)
            return &l->items[i];
    return NULL;
}

static inline struct toy_item *toy_item_add(struct toy_log *l)
{
    if (l->count == l->capacity) {
        l->capacity = l->capacity ? 2 * l->capacity : 16;
        l->items = realloc(l->items, l->capacity * sizeof(l->items[0]));
        assert_non_null(l->items);
    }
    return &l->items[l->count++];
}

static inline uint64_t toy_mix(uint64_t digest, const void *bytes, size_t size)
{
    uint64_t x = digest ^ ((uint64_t)crc32c((uint32_t)digest, bytes, size) << 20) ^ size;
    x *= 0x9e3779b97f4a7c15ull;
    return x ^ (x >> 31);
}

static inline struct error toy_apply(void *context, const struct record *r)
{
    struct toy *t = context;
    assert_in_range(r->log, 0, LOG_COUNT - 1);
    struct toy_log *l = &t->logs[r->log];
    assert_true(r->lsn > l->last_lsn);          /* G1: in order, each once */
    assert_true(r->time_ms >= l->last_time_ms); /* G10 */
    const uint64_t words[4] = { r->lsn, r->time_ms, r->object, (uint64_t)r->type << 16 | r->version << 8 | r->flags };
    l->digest = toy_mix(toy_mix(l->digest, words, sizeof(words)), r->payload.data, r->payload.size);
    l->last_lsn = r->lsn;
    l->last_time_ms = r->time_ms;
    t->applied++;
    if (r->type == TOY_NOTE)
        return OK;
    struct toy_item *item = toy_find(l, r->object);
    if (r->type == TOY_PUT) {
        assert_null(item);
        item = toy_item_add(l);
        *item = (struct toy_item){ .id = r->object };
    }
    assert_non_null(item);
    if (r->type != TOY_PUT)
        store_live_drop(t->store, item->lsn, 1);
    if (r->type == TOY_DROP) {
        *item = l->items[--l->count];
        return OK;
    }
    item->lsn = r->lsn;
    item->crc = crc32c(0, r->payload.data, r->payload.size);
    item->size = (uint32_t)r->payload.size;
    store_live_add(t->store, r->lsn, 1);
    return OK;
}

static inline struct error toy_capture(void *context, uint16_t log, struct snapshot_writer *w, lsn_t *ret_covers)
{
    struct toy *t = context;
    if (t->on_capture)
        t->on_capture(t, log);
    struct toy_log *l = &t->logs[log];
    const uint64_t head[4] = { l->count, l->digest, l->last_lsn, l->last_time_ms };
    snapshot_add(w, head, sizeof(head));
    if (l->count)
        snapshot_add_ref(w, l->items, l->count * sizeof(l->items[0]), NULL, NULL);
    *ret_covers = l->last_lsn;
    return OK;
}

static inline struct error toy_restore(void *context, uint16_t log, lsn_t covers, struct slice bytes)
{
    struct toy *t = context;
    struct toy_log *l = &t->logs[log];
    uint64_t head[4];
    assert_int_equal(l->count, 0);
    assert_true(bytes.size >= sizeof(head));
    memcpy(head, bytes.data, sizeof(head));
    assert_int_equal(bytes.size, sizeof(head) + head[0] * sizeof(struct toy_item));
    l->digest = head[1];
    assert_int_equal(covers, head[2]);
    l->last_lsn = head[2];
    l->last_time_ms = head[3];
    for (uint64_t i = 0; i < head[0]; i++) {
        struct toy_item *item = toy_item_add(l);
        memcpy(item, bytes.data + sizeof(head) + i * sizeof(*item), sizeof(*item));
        store_live_add(t->store, item->lsn, 1);
    }
    t->restored++;
    return OK;
}

/* ---- appends ------------------------------------------------------------------------------------------------------------- */

static inline void toy_remember(struct toy *t, uint16_t log)
{
    if (t->count == t->capacity) {
        t->capacity = t->capacity ? 2 * t->capacity : 256;
        t->history = realloc(t->history, t->capacity * sizeof(t->history[0]));
        assert_non_null(t->history);
    }
    t->history[t->count++] = (struct toy_event){ log, t->logs[log].last_lsn, t->logs[log].digest };
}

static inline struct error toy_append(
    struct toy *t, uint16_t log, const struct record_in *records, size_t count, bool urgent)
{
    lsn_t lsns[64];
    assert_in_range(count, 1, 64);
    TRY(store_append(t->store, log, t->now_ms, records, count, urgent, lsns));
    for (size_t i = 0; i < count; i++) {
        struct buf gathered;
        buf_init(&gathered);
        for (size_t part = 0; part < records[i].part_count; part++)
            buf_add(&gathered, records[i].parts[part]);
        const struct record r = { .lsn = lsns[i],
            .time_ms = t->now_ms,
            .log = log,
            .type = records[i].type,
            .version = records[i].version,
            .flags = records[i].flags,
            .object = records[i].object,
            .payload = buf_slice(&gathered) };
        toy_apply(t, &r);
        buf_deinit(&gathered);
    }
    toy_remember(t, log);
    return OK;
}

/* A body that its id and size determine. */
static inline void toy_fill(uint64_t id, char *out, size_t size)
{
    uint64_t x = id * 0x9e3779b97f4a7c15ull + 1;
    for (size_t i = 0; i < size; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        out[i] = (char)x;
    }
}

/* `count` items of `size` bytes in one batch, each in two parts. */
static inline struct error toy_put(struct toy *t, uint16_t log, size_t count, size_t size)
{
    struct record_in records[16];
    struct slice parts[16][2];
    buf_reset(&t->bodies);
    char *bodies = buf_reserve(&t->bodies, count * size + 1);
    assert_in_range(count, 1, 16);
    for (size_t i = 0; i < count; i++) {
        uint64_t id = ++t->next_id;
        char *body = bodies + i * size;
        toy_fill(id, body, size);
        parts[i][0] = slice_of(body, size / 3);
        parts[i][1] = slice_of(body + size / 3, size - size / 3);
        records[i] = (struct record_in){
            .type = TOY_PUT, .version = 1, .flags = RECORD_LIVE, .object = id, .parts = parts[i], .part_count = 2
        };
    }
    return toy_append(t, log, records, count, false);
}

static inline struct error toy_drop(struct toy *t, uint16_t log, size_t index)
{
    const struct record_in r = { .type = TOY_DROP, .version = 1, .object = t->logs[log].items[index].id };
    return toy_append(t, log, &r, 1, true);
}

static inline struct error toy_relocate(void *context, const struct record *r)
{
    struct toy *t = context;
    const struct toy_item *item = toy_find(&t->logs[r->log], r->object);
    if (!item || item->lsn != r->lsn)
        return OK;
    const struct record_in in = {
        .type = TOY_MOVE, .version = 1, .flags = RECORD_LIVE, .object = r->object, .parts = &r->payload, .part_count = 1
    };
    t->relocated++;
    return toy_append(t, r->log, &in, 1, true);
}

/* ---- life ----------------------------------------------------------------------------------------------------------------- */

static inline void toy_init(struct toy *t, uint64_t seed)
{
    memset(t, 0, sizeof(*t));
    t->random = seed;
    t->now_ms = 1000;
    arena_init(&t->arena, 64 * MIB);
    buf_init(&t->bodies);
}

static inline void toy_clear_state(struct toy *t)
{
    for (int i = 0; i < LOG_COUNT; i++)
        free(t->logs[i].items);
    memset(t->logs, 0, sizeof(t->logs));
    t->applied = t->restored = 0;
    t->store = NULL;
}

static inline void toy_deinit(struct toy *t)
{
    toy_clear_state(t);
    free(t->history);
    arena_deinit(&t->arena);
    buf_deinit(&t->bodies);
}

static inline struct error toy_open(struct toy *t, const struct store_options *options)
{
    const struct store_state_ops ops = {
        .context = t, .apply = toy_apply, .restore = toy_restore, .capture = toy_capture, .relocate = toy_relocate
    };
    toy_clear_state(t);
    arena_reset(&t->arena);
    return store_open(options, &ops, &t->arena, &t->store, &t->sentence);
}

/* Opens where it must succeed; the sentence is shown when it does not. */
static inline void toy_must_open(struct toy *t, const struct store_options *options)
{
    struct error e = toy_open(t, options);
    if (failed(e))
        fail_msg("%s: %.*s", error_text(e), SLICE_ARG(t->sentence));
}

/* Everything appended so far was reported durable. */
static inline void toy_flush(struct toy *t)
{
    struct error e = store_flush(t->store);
    assert_int_equal(e.code, 0);
    assert_true(store_durable(t->store) >= store_end(t->store));
    t->acknowledged = t->count;
}

/* ---- the judge ------------------------------------------------------------------------------------------------------------- */

/* How many events of the history the present state is made of; they must be its first ones. */
static inline size_t toy_prefix(const struct toy *t)
{
    size_t upto = 0;
    uint64_t digests[LOG_COUNT] = { 0 };
    for (size_t i = 0; i < t->count; i++)
        if (t->history[i].lsn == t->logs[t->history[i].log].last_lsn)
            upto = i + 1;
    for (size_t i = 0; i < upto; i++)
        digests[t->history[i].log] = t->history[i].digest;
    for (int i = 0; i < LOG_COUNT; i++)
        assert_int_equal(t->logs[i].digest, digests[i]);
    return upto;
}

static inline void toy_check_record(uint16_t log, const struct toy_item *item, const struct record *r)
{
    assert_int_equal(r->lsn, item->lsn);
    assert_int_equal(r->log, log);
    assert_int_equal(r->object, item->id);
    assert_int_equal(r->payload.size, item->size);
    assert_int_equal(crc32c(0, r->payload.data, r->payload.size), item->crc);
}

/* One by one, and some at a time: rising, or falling. */
static inline void toy_read_some(
    struct toy *t, uint16_t log, const struct toy_item *items, size_t count, bool is_rising, struct arena *arena)
{
    lsn_t lsns[STORE_READ_MAX];
    struct record records[STORE_READ_MAX];
    struct error errors[STORE_READ_MAX];
    const struct toy_item *order[STORE_READ_MAX];
    for (size_t i = 0; i < count; i++) {
        order[i] = &items[is_rising ? i : count - 1 - i];
        lsns[i] = order[i]->lsn;
        store_pin(t->store, lsns[i]);
    }
    assert_int_equal(store_read_some(t->store, lsns, count, true, arena, records, errors).code, 0);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(errors[i].code, 0);
        toy_check_record(log, order[i], &records[i]);
        assert_int_equal(store_read(t->store, lsns[i], true, arena, &records[i]).code, 0);
        toy_check_record(log, order[i], &records[i]);
        store_unpin(t->store, lsns[i]);
    }
    arena_reset(arena);
}

static inline void toy_read_all(struct toy *t)
{
    struct arena arena;
    arena_init(&arena, 64 * MIB);
    for (uint16_t log = 0; log < LOG_COUNT; log++) {
        const struct toy_log *l = &t->logs[log];
        for (size_t i = 0, some = 1; i < l->count; i += some, some = some % STORE_READ_MAX + 1) {
            some = some < l->count - i ? some : l->count - i;
            toy_read_some(t, log, l->items + i, some, some % 3 != 0, &arena);
        }
    }
    arena_deinit(&arena);
}

/* After a start: what came back is a prefix that holds all that was acknowledged; from here on it is the history. */
static inline void toy_judge(struct toy *t)
{
    size_t upto = toy_prefix(t);
    if (upto < t->acknowledged)
        fail_msg("%zu of %zu acknowledged events are gone", t->acknowledged - upto, t->acknowledged);
    t->count = upto;
    t->acknowledged = upto;
    toy_read_all(t);
}

#endif

/* state_harness.h: the whole of SQS under its front, in one thread: real owners and journal, files in memory, a clock that
 * the test moves. A call goes through route, run and finish like a client's; only sockets and encodings are missing. */
#ifndef MILLRACE_TEST_STATE_HARNESS_H
#define MILLRACE_TEST_STATE_HARNESS_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "api/clock.h"
#include "api/front.h"
#include "api/gateway.h"
#include "service/sqs/sqs.h"
#include "service/sqs/state.h"
#include "sys/sys.h"
#include <stdio.h>
#include <stdlib.h>

static uint64_t harness_ms = 1700000000000ull; /* now */
static struct store *harness_store;
static uint64_t harness_snapshot_bytes; /* between snapshots; 0: as usual */
static struct arena harness_arena;      /* what tests build inputs in; reset by harness_forget */

static int64_t harness_wall(void)
{
    return (int64_t)harness_ms;
}
static uint64_t harness_monotonic(void)
{
    return harness_ms * 1000;
}

static void harness_entropy(void *out, size_t size) /* the same secrets in every run */
{
    static uint64_t counter;
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)out)[i] = (uint8_t)(map_hash_u64(++counter) >> 24);
}

static void harness_open(const char *dir)
{
    static struct sys with_clock;
    static bool is_registered;
    struct arena arena;
    struct slice sentence = SLICE("");
    with_clock = sys_memory;
    with_clock.clock = (struct sys_clocks){ harness_wall, harness_monotonic };
    with_clock.entropy = harness_entropy;
    sys = &with_clock;
    if (!is_registered) {
        gateway_register();
        sqs_register();
        arena_init(&harness_arena, 256 * MIB);
        is_registered = true;
    }
    arena_init(&arena, 64 * MIB);
    struct service *const services[] = { &sqs_service };
    const struct store_options options = {
        .dir = dir, .durability = DURABILITY_MEMORY, .segment_bytes = 4 * MIB, .snapshot_bytes = harness_snapshot_bytes
    };
    struct error e = owners_open(&options, services, 1, &arena, &harness_store, &sentence);
    if (failed(e))
        print_error("owners_open: %.*s\n", SLICE_ARG(sentence));
    assert_int_equal(e.code, 0);
    arena_deinit(&arena);
    clock_start(owners_latest_record_ms() > harness_ms ? owners_latest_record_ms() : harness_ms);
    owners_resume();
}

static void harness_close(bool snapshot)
{
    owners_end_waits();
    owners_close(snapshot);
}

/* Time passes; everything that is due runs, in steps as a real clock would have it. */
static inline void harness_pass(uint64_t ms)
{
    uint64_t until = harness_ms + ms;
    while (harness_ms < until) {
        uint64_t next = owners_next_wake(0, 1);
        harness_ms = next > harness_ms && next < until ? next : next <= harness_ms ? harness_ms + 1 : until;
        owners_tick(0, 1, harness_ms);
    }
}

/* ---- calls ---------------------------------------------------------------------------------------------------------- */

struct harness_call {
    struct call call;
    bool is_done;
};

static void harness_run(struct owner *o, struct task *t)
{
    struct call *c = CONTAINER_OF(t, struct call, task);
    struct harness_call *h = CONTAINER_OF(c, struct harness_call, call);
    c->owner = o;
    struct error e = c->op->run(c, c->in, c->out);
    if (e.code == ERR_PENDING)
        return;
    c->error = e;
    h->is_done = true;
    if (!failed(e) && c->op->finish)
        c->error = c->op->finish(c, c->in, c->out);
}

static struct harness_call *harness_start_as(const char *account, enum sqs_op op, const void *in)
{
    struct harness_call *h = calloc(1, sizeof(*h));
    struct call *c = &h->call;
    arena_init(&c->arena, 64 * MIB);
    c->op = &sqs_service.ops[op];
    c->service = &sqs_service;
    c->protocol = PROTOCOL_JSON;
    c->in = shape_copy(c->op->in, in, &c->arena);
    c->out = arena_zero(&c->arena, c->op->out->size + 1);
    shape_clear(c->op->out, c->out);
    memcpy(c->caller.account, account, ACCOUNT_BYTES);
    c->caller.arn = SLICE("arn:aws:iam::000000000000:root");
    c->caller.user_id = slice_str(c->caller.account);
    c->caller.is_root = true;
    c->region = SLICE("us-east-1");
    c->account = slice_str(c->caller.account);
    c->endpoint = SLICE("http://localhost:4566");
    c->path = SLICE("/");
    c->task.run = harness_run;
    if (c->op->route)
        c->error = c->op->route(c, c->in, c->out);
    if (failed(c->error) || c->op->where == WHERE_FRONT) {
        if (!failed(c->error))
            c->error = c->op->run(c, c->in, c->out);
        h->is_done = true;
        return h;
    }
    owner_submit(owner_of(c->log), &c->task);
    return h;
}

static inline struct harness_call *harness_start(enum sqs_op op, const void *in)
{
    return harness_start_as("000000000000", op, in);
}

static void harness_end(struct harness_call *h)
{
    assert_true(h->is_done);
    arena_deinit(&h->call.arena);
    free(h);
}

/* A call that must answer at once. The reply lives until harness_forget. */
static struct harness_call *harness_calls[4096];
static size_t harness_call_count;

static inline void harness_forget(void)
{
    while (harness_call_count)
        harness_end(harness_calls[--harness_call_count]);
    arena_reset(&harness_arena);
}
static struct call *harness_call(enum sqs_op op, const void *in)
{
    struct harness_call *h = harness_start(op, in);
    assert_true(h->is_done);
    assert_true(harness_call_count < ARRAY_COUNT(harness_calls));
    harness_calls[harness_call_count++] = h;
    return &h->call;
}

static void harness_run_undo(struct owner *o, struct task *t)
{
    struct call *c = CONTAINER_OF(t, struct call, task);
    c->owner = o;
    c->op->undo(c, c->in, c->out);
}
/* As if the client had gone before the reply. */
static inline void harness_undo(struct call *c)
{
    c->task.run = harness_run_undo;
    owner_submit(owner_of(c->log), &c->task);
}

/* ---- the usual calls --------------------------------------------------------------------------------------------------- */

static inline struct values harness_map(const char *const *pairs) /* name, value, ..., NULL */
{
    size_t count = 0;
    while (pairs && pairs[2 * count])
        count++;
    struct pair *items = ARENA_ARRAY(&harness_arena, struct pair, count + 1);
    for (size_t i = 0; i < count; i++)
        items[i] = (struct pair){ .key = slice_str(pairs[2 * i]), .text = slice_str(pairs[2 * i + 1]) };
    return (struct values){ .items = items, .count = count, .is_set = true };
}

static inline void harness_create(const char *name, const char *const *attributes)
{
    struct sqs_create_queue_in in;
    shape_clear(&sqs_create_queue_in_shape, &in);
    in.queue_name = slice_str(name);
    in.attributes = harness_map(attributes);
    const struct call *c = harness_call(OP_sqs_create_queue, &in);
    if (failed(c->error))
        print_error(
            "CreateQueue: %.*s\n", (int)c->error_message.size, c->error_message.data ? c->error_message.data : "");
    assert_int_equal(c->error.code, 0);
}

static inline struct call *harness_set(const char *queue, const char *name, const char *value)
{
    struct sqs_set_queue_attributes_in in;
    shape_clear(&sqs_set_queue_attributes_in_shape, &in);
    in.queue_url = slice_str(queue);
    in.attributes = harness_map((const char *[]){ name, value, NULL });
    return harness_call(OP_sqs_set_queue_attributes, &in);
}

struct sent {
    const char *queue, *body, *group, *dedup;
    int64_t delay_s; /* -1: none */
};
static inline struct call *harness_send(const struct sent *s)
{
    struct sqs_send_message_in in;
    shape_clear(&sqs_send_message_in_shape, &in);
    in.queue_url = slice_str(s->queue);
    in.body = slice_str(s->body);
    in.group_id = slice_str(s->group);
    in.dedup_id = slice_str(s->dedup);
    if (s->delay_s >= 0)
        in.delay_s = s->delay_s;
    return harness_call(OP_sqs_send_message, &in);
}

struct wanted {
    const char *queue;
    int64_t max, visibility_s, wait_s; /* -1: none */
    const char *attempt;
};
static inline void harness_receive_in(const struct wanted *w, struct sqs_receive_message_in *in)
{
    static const struct slice all = { "All", 3 };
    shape_clear(&sqs_receive_message_in_shape, in);
    in->queue_url = slice_str(w->queue);
    in->max_messages = w->max < 0 ? INT_ABSENT : w->max;
    in->visibility_s = w->visibility_s < 0 ? INT_ABSENT : w->visibility_s;
    in->wait_s = w->wait_s < 0 ? INT_ABSENT : w->wait_s;
    in->attempt_id = slice_str(w->attempt);
    in->system_attribute_names = (struct values){ .items = (void *)(uintptr_t)&all, .count = 1, .is_set = true };
    in->message_attribute_names = in->system_attribute_names;
}
static inline struct call *harness_receive(const struct wanted *w)
{
    struct sqs_receive_message_in in;
    harness_receive_in(w, &in);
    return harness_call(OP_sqs_receive_message, &in);
}
static inline size_t received_count(const struct call *c)
{
    assert_int_equal(c->error.code, 0);
    return ((const struct sqs_receive_message_out *)c->out)->messages.count;
}
static inline const struct sqs_message *received(const struct call *c, size_t index)
{
    const struct sqs_receive_message_out *out = c->out;
    assert_true(index < out->messages.count);
    return (const struct sqs_message *)out->messages.items + index;
}
static inline struct slice received_attribute(const struct sqs_message *m, const char *name)
{
    const struct pair *pairs = m->attributes.items;
    for (size_t i = 0; i < m->attributes.count; i++)
        if (slice_equal(pairs[i].key, slice_str(name)))
            return pairs[i].text;
    return SLICE_NONE;
}

static inline struct call *harness_delete(const char *queue, struct slice handle)
{
    struct sqs_delete_message_in in;
    shape_clear(&sqs_delete_message_in_shape, &in);
    in.queue_url = slice_str(queue);
    in.receipt_handle = handle;
    return harness_call(OP_sqs_delete_message, &in);
}

static inline struct call *harness_visibility(const char *queue, struct slice handle, int64_t visibility_s)
{
    struct sqs_change_message_visibility_in in;
    shape_clear(&sqs_change_message_visibility_in_shape, &in);
    in.queue_url = slice_str(queue);
    in.receipt_handle = handle;
    in.visibility_s = visibility_s;
    return harness_call(OP_sqs_change_message_visibility, &in);
}

static inline struct call *harness_purge(const char *queue)
{
    struct sqs_purge_queue_in in = { .queue_url = slice_str(queue) };
    return harness_call(OP_sqs_purge_queue, &in);
}

static inline struct queue *harness_queue(const char *name)
{
    struct slice account = SLICE("000000000000"), region = SLICE("us-east-1");
    struct owner *o = owner_of(owner_log_of(account, region, slice_str(name)));
    struct queue *q = sqs_queue_find(sqs_state_of(o), account, region, slice_str(name));
    if (q)
        queue_advance(q, harness_ms, 0);
    return q;
}

#define assert_text(slice, text) assert_slice_(slice, slice_str(text))
static inline void assert_slice_(struct slice a, struct slice b)
{
    if (!slice_equal(a, b))
        print_error(
            "have \"%.*s\"\nwant \"%.*s\"\n", (int)a.size, a.data ? a.data : "", (int)b.size, b.data ? b.data : "");
    assert_true(slice_equal(a, b));
}
static inline void assert_fails(const struct call *c, uint32_t code, const char *text)
{
    assert_int_equal(c->error.code, code);
    assert_text(c->error_message, text);
}
static inline void assert_works(const struct call *c)
{
    if (failed(c->error))
        print_error("code %u: %.*s\n", c->error.code, (int)c->error_message.size,
            c->error_message.data ? c->error_message.data : "");
    assert_int_equal(c->error.code, 0);
}

#endif

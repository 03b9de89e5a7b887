/* redrive_harness.h: what tests of work across logs need beside state_harness.h: a disk whose syncs the test makes, restarts
 * with and without `resume`, crashes, the operations of move tasks. */
#ifndef MILLRACE_TEST_REDRIVE_HARNESS_H
#define MILLRACE_TEST_REDRIVE_HARNESS_H

#include "base/log.h"
#include "service/sqs/channel.h"
#include "service/sqs/move_task.h"
#include "state_harness.h"

enum { SETTLE_ROUNDS_MAX = 10000 };

/* One sync, and everything that waited for it. */
static inline void redrive_sync(void)
{
    assert_int_equal(store_flush(harness_store).code, 0);
    owners_on_durable();
}

static inline uint64_t redrive_in_transit(void)
{
    uint64_t count = 0;
    for (uint16_t log = 0; log < LOG_COUNT; log++)
        count += channels_in_transit(sqs_state_of(owner_of(log)));
    return count;
}

static inline bool redrive_is_busy(void)
{
    for (uint16_t log = 0; log < LOG_COUNT; log++) {
        const struct sqs_state *s = sqs_state_of(owner_of(log));
        for (uint16_t to = 0; to < LOG_COUNT; to++)
            if (s->channels.out[to] &&
                (s->channels.out[to]->phase != OUTBOX_IDLE || s->channels.out[to]->base < s->channels.out[to]->next))
                return true;
        if (!list_is_empty(&s->moves.active))
            return true;
    }
    return false;
}

/* Until nothing is on its way. Time passes a little: move tasks pause between slices. */
static inline void redrive_settle(void)
{
    for (int i = 0; i < SETTLE_ROUNDS_MAX; i++) {
        redrive_sync();
        harness_pass(1);
        if (!redrive_is_busy())
            return;
    }
    fail_msg("work across logs does not come to an end");
}

/* Opens again without resuming: what replay alone makes. */
static inline void redrive_open_only(const char *dir)
{
    struct arena arena;
    struct slice sentence = SLICE("");
    struct service *const services[] = { &sqs_service };
    const struct store_options options = { .dir = dir, .durability = DURABILITY_MEMORY };
    arena_init(&arena, 64 * MIB);
    struct error e = owners_open(&options, services, 1, &arena, &harness_store, &sentence);
    if (failed(e))
        print_error("owners_open: %.*s\n", SLICE_ARG(sentence));
    assert_int_equal(e.code, 0);
    arena_deinit(&arena);
    clock_start(owners_latest_record_ms() > harness_ms ? owners_latest_record_ms() : harness_ms);
}

static inline void redrive_digest(uint8_t out[32])
{
    for (uint16_t log = 0; log < LOG_COUNT; log++)
        owner_of(log)->now_ms = harness_ms;
    owners_digest(0, out);
}

static inline void redrive_crash(const char *dir)
{
    harness_forget();
    owners_end_waits();
    owners_abandon();
    harness_open(dir);
}

/* Closes in an orderly way, or with what is synced only; replay must make the same state. Then goes on. */
static inline void redrive_restart(const char *dir, bool snapshot)
{
    uint8_t before[32], after[32];
    assert_int_equal(store_flush(harness_store).code, 0); /* nothing that waits for it runs any more */
    redrive_digest(before);
    harness_forget();
    harness_close(snapshot);
    redrive_open_only(dir);
    redrive_digest(after);
    assert_memory_equal(before, after, sizeof(before));
    owners_resume();
}

/* ---- names ---------------------------------------------------------------------------------------------------------- */

static inline const char *redrive_arn(const char *queue)
{
    struct slice text = arena_printf(&harness_arena, "arn:aws:sqs:us-east-1:000000000000:%s%c", queue, 0);
    return text.data;
}

static inline const char *redrive_policy(const char *queue, int max)
{
    struct slice text = arena_printf(
        &harness_arena, "{\"deadLetterTargetArn\":\"%s\",\"maxReceiveCount\":%d}%c", redrive_arn(queue), max, 0);
    return text.data;
}

static inline void redrive_pair(const char *source, const char *dead, int max)
{
    bool is_fifo = slice_ends(slice_str(source), SLICE(".fifo"));
    if (!harness_queue(dead))
        harness_create(dead, (const char *[]){ is_fifo ? "FifoQueue" : NULL, "true", NULL });
    harness_create(source,
        (const char *[]){ "RedrivePolicy", redrive_policy(dead, max), is_fifo ? "FifoQueue" : NULL, "true", NULL });
}

/* ---- messages --------------------------------------------------------------------------------------------------------- */

static inline struct call *redrive_send(const char *queue, const char *body)
{
    struct call *c = harness_send(&(struct sent){ .queue = queue, .body = body, .delay_s = -1 });
    assert_works(c);
    return c;
}

static inline struct call *redrive_take(const char *queue, int64_t max, int64_t visibility_s)
{
    return harness_receive(&(struct wanted){ .queue = queue, .max = max, .visibility_s = visibility_s, .wait_s = 0 });
}

static inline void redrive_bodies(const struct call *c, const char *bodies) /* one character each */
{
    assert_int_equal(received_count(c), strlen(bodies));
    for (size_t i = 0; bodies[i]; i++)
        assert_slice_(received(c, i)->body, slice_of(&bodies[i], 1));
}

static inline void redrive_counts(const char *queue, uint64_t visible, uint64_t in_flight, uint64_t in_transit)
{
    const struct queue *q = harness_queue(queue);
    assert_non_null(q);
    if (queue_visible(q) != visible || q->in_flight != in_flight || q->in_transit != in_transit)
        print_error("%s: visible %llu, in flight %u, in transit %llu\n", queue, (unsigned long long)queue_visible(q),
            q->in_flight, (unsigned long long)q->in_transit);
    assert_int_equal(queue_visible(q), visible);
    assert_int_equal(q->in_flight, in_flight);
    assert_int_equal(q->in_transit, in_transit);
}

/* Sends and lets each fail once, so that with maxReceiveCount 1 the next receive moves it. */
static inline void redrive_fail(const char *queue, const char *bodies)
{
    for (const char *at = bodies; *at; at++) {
        struct slice body = arena_printf(&harness_arena, "%c%c", *at, 0);
        redrive_send(queue, body.data);
    }
    for (size_t i = 0; i < strlen(bodies); i++)
        assert_int_equal(received_count(redrive_take(queue, 1, 43200)), 1);
    harness_pass(43200 * 1000ull);
}

static inline void redrive_bury(const char *source, const char *dead, const char *bodies)
{
    uint64_t before = harness_queue(dead)->messages;
    for (const char *at = bodies; *at; at++) {
        struct slice body = arena_printf(&harness_arena, "%c%c", *at, 0);
        redrive_send(source, body.data);
        assert_int_equal(received_count(redrive_take(source, 1, 0)), 1);
        assert_int_equal(received_count(redrive_take(source, 1, 0)), 0);
    }
    redrive_settle();
    assert_int_equal(harness_queue(dead)->messages, before + strlen(bodies));
}

/* ---- operations --------------------------------------------------------------------------------------------------------- */

static inline struct call *redrive_start(const char *source_arn, const char *destination_arn, int64_t rate)
{
    struct sqs_start_message_move_task_in in;
    shape_clear(&sqs_start_message_move_task_in_shape, &in);
    in.source_arn = slice_str(source_arn);
    in.destination_arn = destination_arn ? slice_str(destination_arn) : SLICE_NONE;
    in.max_per_second = rate < 0 ? INT_ABSENT : rate;
    return harness_call(OP_sqs_start_message_move_task, &in);
}

static inline struct call *redrive_cancel(struct slice handle)
{
    struct sqs_cancel_message_move_task_in in;
    shape_clear(&sqs_cancel_message_move_task_in_shape, &in);
    in.task_handle = handle;
    return harness_call(OP_sqs_cancel_message_move_task, &in);
}

static inline struct call *redrive_list(const char *source_arn, int64_t max)
{
    struct sqs_list_message_move_tasks_in in;
    shape_clear(&sqs_list_message_move_tasks_in_shape, &in);
    in.source_arn = slice_str(source_arn);
    in.max_results = max < 0 ? INT_ABSENT : max;
    return harness_call(OP_sqs_list_message_move_tasks, &in);
}

static inline struct slice redrive_handle(const struct call *c)
{
    assert_works(c);
    return ((const struct sqs_start_message_move_task_out *)c->out)->task_handle;
}

static inline const struct sqs_move_task *redrive_task(const char *source, size_t index)
{
    const struct call *c = redrive_list(redrive_arn(source), 10);
    assert_works(c);
    const struct sqs_list_message_move_tasks_out *out = c->out;
    assert_true(index < out->results.count);
    return (const struct sqs_move_task *)out->results.items + index;
}

static inline void redrive_delete_queue(const char *queue)
{
    const struct sqs_delete_queue_in in = { .queue_url = slice_str(queue) };
    assert_works(harness_call(OP_sqs_delete_queue, &in));
}

#endif

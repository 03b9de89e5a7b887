/* What must survive a restart, what a crash may take from a standard queue, and records that move or die in the journal. */
#include "base/log.h"
#include "service/sqs/receipt.h"
#include "service/sqs/send_keys.h"
#include "state_harness.h"

static char dir[32];

static int setup(void **state)
{
    static int number;
    (void)state;
    snprintf(dir, sizeof(dir), "/recovery%d", number++);
    harness_open(dir);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    harness_forget();
    harness_close(false);
    return 0;
}

static void restart(bool snapshot)
{
    harness_close(snapshot);
    harness_open(dir);
}

static const char *const fifo[] = { "FifoQueue", "true", "VisibilityTimeout", "30", NULL };

static void send(const char *queue, const char *body, const char *group)
{
    bool is_fifo = slice_ends(slice_str(queue), SLICE(".fifo"));
    assert_works(harness_send(
        &(struct sent){ .queue = queue, .body = body, .group = group, .dedup = is_fifo ? body : NULL, .delay_s = -1 }));
}

static struct call *take(const char *queue, int64_t max)
{
    return harness_receive(&(struct wanted){ .queue = queue, .max = max, .visibility_s = -1, .wait_s = -1 });
}

static void test_fifo_lock_handles_and_window_survive(void **state)
{
    (void)state;
    harness_create("q.fifo", fifo);
    send("q.fifo", "1", "A");
    send("q.fifo", "2", "A");
    const struct wanted w = { .queue = "q.fifo", .max = 1, .visibility_s = -1, .wait_s = -1, .attempt = "try" };
    struct call *first = harness_receive(&w);
    assert_int_equal(received_count(first), 1);
    for (int i = 0; i < 4; i++) {
        restart(i % 2);
        assert_int_equal(received_count(take("q.fifo", 10)), 0); /* locked */
        struct call *again = harness_receive(&w);
        assert_slice_(received(again, 0)->receipt_handle, received(first, 0)->receipt_handle);
        send("q.fifo", "1", "A"); /* a duplicate still */
        assert_int_equal(harness_queue("q.fifo")->messages, 2);
    }
    assert_works(harness_delete("q.fifo", received(first, 0)->receipt_handle));
    restart(true);
    assert_slice_(received(take("q.fifo", 10), 0)->body, SLICE("2"));
    harness_pass(SQS_DEDUP_WINDOW_MS);
    restart(false);
    send("q.fifo", "1", "A");
    assert_int_equal(harness_queue("q.fifo")->messages, 2);
}

static void test_deleted_stays_deleted(void **state)
{
    (void)state;
    harness_create("q", NULL);
    for (int i = 0; i < 30; i++)
        send("q", "x", NULL);
    for (int i = 0; i < 3; i++) {
        struct call *r = take("q", 5);
        for (size_t k = 0; k < 5; k++)
            assert_works(harness_delete("q", received(r, k)->receipt_handle));
        restart(i % 2);
    }
    assert_int_equal(harness_queue("q")->messages, 15);
    assert_works(harness_purge("q"));
    restart(false);
    assert_int_equal(harness_queue("q")->messages, 0);
    struct sqs_delete_queue_in in = { .queue_url = SLICE("q") };
    assert_works(harness_call(OP_sqs_delete_queue, &in));
    restart(false);
    assert_null(harness_queue("q"));
    restart(true);
    assert_null(harness_queue("q"));
}

/* A longer retention does not bring back what was gone, neither now nor after a replay. */
static void test_expired_stays_expired(void **state)
{
    (void)state;
    harness_create("q", (const char *[]){ "MessageRetentionPeriod", "60", NULL });
    send("q", "old", NULL);
    harness_pass(61000);
    assert_works(harness_set("q", "MessageRetentionPeriod", "1209600"));
    send("q", "new", NULL);
    assert_int_equal(harness_queue("q")->messages, 1);
    restart(false);
    assert_int_equal(harness_queue("q")->messages, 1);
    assert_slice_(received(take("q", 10), 0)->body, SLICE("new"));
}

/* A snapshot may hold messages that expired since; their segments are freed, and a start from that snapshot must not look
 * for them. */
static void test_expired_segments_may_go(void **state)
{
    (void)state;
    static char body[60001];
    memset(body, 'x', sizeof(body) - 1);
    harness_create("q", (const char *[]){ "MessageRetentionPeriod", "60", NULL });
    harness_create("other", NULL);
    for (int i = 0; i < 300; i++) {
        send("q", body, i % 2 ? "tenant" : NULL);
        harness_forget();
    }
    send("other", "kept", NULL);
    for (int i = 0; i < 8; i++)
        take("q", 10); /* some of them in flight */
    assert_int_equal(store_snapshot_now(harness_store).code, 0);
    struct store_metrics before, after;
    store_get_metrics(harness_store, &before);
    harness_pass(60000 + SQS_SWEEP_MS + 5000);
    assert_int_equal(store_flush(harness_store).code, 0);
    while (store_step(harness_store))
        ;
    store_get_metrics(harness_store, &after);
    assert_true(after.recycled_segments > before.recycled_segments + 2);
    for (int i = 0; i < 2; i++) {
        restart(false);
        assert_int_equal(harness_queue("q")->messages, 0);
        assert_int_equal(harness_queue("other")->messages, 1);
    }
}

/* A standard receive does not wait for its lease: after a crash its handle names a message that was never received. */
static void lost_lease(const char *group)
{
    harness_create("q", NULL);
    for (int i = 0; i < 5; i++)
        send("q", "x", group);
    restart(false);
    struct queue *q = harness_queue("q");
    struct receipt r = { .uid = q->uid,
        .seq = 3,
        .group_key = group ? sqs_group_key(sqs_state_keys(q->state), slice_str(group)) : 0,
        .generation = 1,
        .epoch = (uint32_t)store_epoch(harness_store) - 1 };
    char text[RECEIPT_TEXT_BYTES];
    receipt_seal(sqs_state_keys(q->state), &r, text);
    struct slice handle = slice_of(text, sizeof(text));
    assert_works(harness_visibility("q", handle, 100)); /* as if it had run out: fine, and visible */
    assert_int_equal(queue_visible(harness_queue("q")), 5);
    assert_works(harness_delete("q", handle));
    assert_int_equal(harness_queue("q")->messages, 4);
    assert_works(harness_delete("q", handle));
    restart(false);
    assert_int_equal(harness_queue("q")->messages, 4);
    assert_int_equal(received_count(take("q", 10)), 4);
    /* a handle of this epoch cannot have lost its lease */
    q = harness_queue("q");
    r.epoch++;
    r.seq = 1;
    receipt_seal(sqs_state_keys(q->state), &r, text);
    assert_works(harness_delete("q", handle));
    assert_int_equal(harness_queue("q")->messages, 3); /* received meanwhile: any handle of it deletes */
}

/* What time takes leaves no record: without a new snapshot a start would go on loading it. */
static void test_expired_makes_a_snapshot_due(void **state)
{
    static const char *const minute[] = { "MessageRetentionPeriod", "60", NULL };
    const struct {
        const char *queue, *const *attributes;
        uint64_t passes_ms;
    } rows[] = {
        { "ids.fifo", fifo, SQS_DEDUP_WINDOW_MS },
        { "q", minute, 60000 },
    };
    (void)state;
    harness_snapshot_bytes = 16 * KIB;
    restart(false);
    for (size_t row = 0; row < ARRAY_COUNT(rows); row++) {
        struct store_metrics before, after;
        harness_create(rows[row].queue, rows[row].attributes);
        for (int i = 0; i < 6000; i++) {
            char body[8];
            snprintf(body, sizeof(body), "%d", i);
            send(rows[row].queue, body, row == 0 ? "g" : NULL);
            harness_forget();
        }
        assert_int_equal(store_snapshot_now(harness_store).code, 0);
        while (store_step(harness_store))
            ;
        store_get_metrics(harness_store, &before);
        harness_pass(rows[row].passes_ms + SQS_SWEEP_MS + 5000);
        while (store_step(harness_store))
            ;
        store_get_metrics(harness_store, &after);
        assert_int_equal(after.snapshots, before.snapshots + 1);
        assert_true(after.snapshot_bytes < before.snapshot_bytes);
    }
    harness_snapshot_bytes = 0;
}

static void test_lost_lease(void **state)
{
    (void)state;
    lost_lease(NULL);
}

static void test_lost_lease_of_tenant(void **state)
{
    (void)state;
    lost_lease("tenant");
}

/* ---- records that move ------------------------------------------------------------------------------------------------- */

struct move {
    struct task task;
    lsn_t lsn;
};

static void run_move(struct owner *o, struct task *t)
{
    struct move *m = CONTAINER_OF(t, struct move, task);
    struct arena arena;
    struct record r;
    arena_init(&arena, MIB);
    assert_int_equal(store_read(o->store, m->lsn, true, &arena, &r).code, 0);
    assert_int_equal(sqs_state_relocate(sqs_state_of(o), &r).code, 0);
    arena_deinit(&arena);
}

static lsn_t lsn_of(struct queue *q, uint64_t seq, const char *group)
{
    return queue_lsn_of(q, seq, group ? sqs_group_key(sqs_state_keys(q->state), slice_str(group)) : 0);
}

static void check_relocation(const char *queue, const char *group)
{
    struct queue *q = harness_queue(queue);
    for (int i = 0; i < 8; i++) {
        char body[2] = { (char)('a' + i), 0 };
        send(queue, body, group);
    }
    struct call *r = take(queue, 2);
    assert_int_equal(received_count(r), 2);
    for (uint64_t seq = 1; seq <= 8; seq += seq == 5 ? 1 : 2) { /* in flight, first and inner ones of the lane */
        lsn_t before = lsn_of(q, seq, group);
        struct move m = { .task = { .run = run_move }, .lsn = before };
        owner_submit(q->state->owner, &m.task);
        assert_true(lsn_of(q, seq, group) > before);
        owner_submit(q->state->owner, &m.task); /* nothing points there any more */
        assert_int_equal(lsn_of(q, seq, group), q->state->owner->last_lsn);
    }
    for (int i = 0; i < 3; i++) {
        restart(i == 1);
        q = harness_queue(queue);
        assert_int_equal(q->messages, 8);
        assert_true(lsn_of(q, 6, group) > lsn_of(q, 7, group)); /* it moved, its neighbour did not */
    }
    assert_works(harness_delete(queue, received(r, 0)->receipt_handle));
    assert_works(harness_delete(queue, received(r, 1)->receipt_handle));
    r = take(queue, 10);
    assert_int_equal(received_count(r), 6);
    for (size_t i = 0; i < 6; i++) { /* the same bodies in the same order, sent when they were */
        assert_slice_(received(r, i)->body, slice_of(&"cdefgh"[i], 1));
        assert_text(received_attribute(received(r, i), "SentTimestamp"), "1700000000000");
    }
}

static void test_relocation(void **state)
{
    (void)state;
    uint64_t before = harness_ms;
    harness_ms = 1700000000000ull;
    setup(state);
    harness_create("q", NULL);
    check_relocation("q", NULL);
    harness_create("q.fifo", fifo);
    harness_ms = 1700000000000ull;
    check_relocation("q.fifo", "A");
    harness_create("fair", NULL);
    check_relocation("fair", "T");
    teardown(state);
    harness_ms = before;
}

/* ---- many at once ---------------------------------------------------------------------------------------------------------- */

static void test_big_purge_is_sliced(void **state)
{
    (void)state;
    harness_create("q", NULL);
    harness_create("q.fifo", fifo);
    for (int i = 0; i < 3000; i++) {
        char body[16], group[16];
        snprintf(body, sizeof(body), "m%d", i);
        snprintf(group, sizeof(group), "g%d", i % 700);
        send("q", "x", i % 3 ? NULL : group);
        send("q.fifo", body, group);
        if (i % 500 == 0)
            harness_forget();
    }
    take("q", 10);
    take("q.fifo", 10);
    assert_works(harness_purge("q"));
    struct sqs_delete_queue_in in = { .queue_url = SLICE("q.fifo") };
    assert_works(harness_call(OP_sqs_delete_queue, &in));
    struct sqs_state *s = harness_queue("q")->state;
    assert_int_equal(harness_queue("q")->messages, 0);
    send("q", "after", NULL);
    harness_pass(100);
    assert_true(list_is_empty(&s->graves));
    assert_slice_(received(take("q", 10), 0)->body, SLICE("after"));
    restart(true);
    assert_int_equal(harness_queue("q")->messages, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(test_fifo_lock_handles_and_window_survive),
        TEST(test_deleted_stays_deleted),
        TEST(test_expired_stays_expired),
        TEST(test_expired_segments_may_go),
        TEST(test_expired_makes_a_snapshot_due),
        TEST(test_lost_lease),
        TEST(test_lost_lease_of_tenant),
        cmocka_unit_test(test_relocation),
        TEST(test_big_purge_is_sliced),
    };
    log_set_level(LOG_WARN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Dead letters against the contract, section 2.1 "DLQ": one test a topic. */
#include "redrive_harness.h"
#include "crypto/digest.h"

static char dir[32];

static int setup(void **state)
{
    static int number;
    (void)state;
    snprintf(dir, sizeof(dir), "/dead%d", number++);
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

static struct slice now_text(void)
{
    return arena_printf(&harness_arena, "%llu", (unsigned long long)harness_ms);
}

/* ---- the move -------------------------------------------------------------------------------------------------------- */

static void test_after_the_last_receive(void **state)
{
    (void)state;
    redrive_pair("q", "dead", 3);
    struct slice sent = now_text();
    struct slice id = ((const struct sqs_send_message_out *)redrive_send("q", "a")->out)->message_id;
    for (const char *count = "123"; *count; count++) {
        struct call *r = redrive_take("q", 1, 0);
        redrive_bodies(r, "a");
        assert_slice_(received_attribute(received(r, 0), "ApproximateReceiveCount"), slice_of(count, 1));
        harness_pass(1000);
    }
    redrive_counts("q", 1, 0, 0);
    redrive_bodies(redrive_take("q", 1, 0), ""); /* it moves instead of being received */
    redrive_counts("q", 0, 0, 1);
    redrive_counts("dead", 0, 0, 0); /* not before what took it out is durable */
    redrive_settle();
    redrive_counts("q", 0, 0, 0);
    redrive_counts("dead", 1, 0, 0);
    struct call *r = redrive_take("dead", 1, 0);
    const struct sqs_message *m = received(r, 0);
    assert_slice_(m->message_id, id);
    assert_text(m->body, "a");
    assert_text(received_attribute(m, "ApproximateReceiveCount"), "4");
    assert_slice_(received_attribute(m, "SentTimestamp"), sent);
    assert_slice_(received_attribute(m, "ApproximateFirstReceiveTimestamp"), sent);
    assert_text(received_attribute(m, "DeadLetterQueueSourceArn"), redrive_arn("q"));
    assert_text(received_attribute(m, "SenderId"), "000000000000");
    assert_int_equal(harness_queue("dead")->figures.sent, 0); /* not a send */
    assert_works(harness_delete("dead", m->receipt_handle));
    redrive_counts("dead", 0, 0, 0);
}

static void test_only_a_receive_moves(void **state)
{
    (void)state;
    redrive_pair("q", "dead", 1);
    redrive_send("q", "a");
    redrive_bodies(redrive_take("q", 1, 10), "a");
    harness_pass(100000);
    redrive_settle();
    redrive_counts("q", 1, 0, 0);
    redrive_counts("dead", 0, 0, 0);
    redrive_bodies(redrive_take("q", 1, 10), "");
    redrive_settle();
    redrive_counts("dead", 1, 0, 0);
}

static void test_the_rest_is_received(void **state)
{
    (void)state;
    redrive_pair("q", "dead", 1);
    redrive_fail("q", "abc");
    redrive_send("q", "d");
    redrive_bodies(redrive_take("q", 10, 10), "d"); /* the three before it left in the same receive */
    redrive_counts("q", 0, 1, 3);
    redrive_settle();
    redrive_bodies(redrive_take("dead", 10, 10), "abc");
}

static void test_in_transit_counts_as_not_visible(void **state)
{
    (void)state;
    static const struct slice name = { "ApproximateNumberOfMessagesNotVisible", 37 };
    redrive_pair("q", "dead", 1);
    redrive_fail("q", "a");
    redrive_take("q", 1, 10);
    struct sqs_get_queue_attributes_in in;
    shape_clear(&sqs_get_queue_attributes_in_shape, &in);
    in.queue_url = SLICE("q");
    in.names = (struct values){ .items = (void *)(uintptr_t)&name, .count = 1, .is_set = true };
    const struct call *c = harness_call(OP_sqs_get_queue_attributes, &in);
    assert_works(c);
    const struct pair *pairs = ((const struct sqs_get_queue_attributes_out *)c->out)->attributes.items;
    assert_text(pairs[0].text, "1");
}

static void test_a_poll_of_the_dead_letters_is_woken(void **state)
{
    (void)state;
    struct sqs_receive_message_in in;
    redrive_pair("q", "dead", 1);
    redrive_fail("q", "a");
    harness_receive_in(&(struct wanted){ .queue = "dead", .max = 10, .visibility_s = -1, .wait_s = 20 }, &in);
    struct harness_call *h = harness_start(OP_sqs_receive_message, &in);
    redrive_take("q", 1, 10);
    assert_false(h->is_done);
    redrive_settle();
    assert_true(h->is_done);
    redrive_bodies(&h->call, "a");
    harness_end(h);
}

static void test_chains(void **state)
{
    (void)state;
    redrive_pair("middle", "last", 2);
    harness_create("q", (const char *[]){ "RedrivePolicy", redrive_policy("middle", 1), NULL });
    struct slice sent = now_text();
    struct slice id = ((const struct sqs_send_message_out *)redrive_send("q", "a")->out)->message_id;
    redrive_take("q", 1, 0);
    redrive_take("q", 1, 0);
    redrive_settle();
    redrive_bodies(redrive_take("middle", 1, 0), "a"); /* received once before, once here */
    redrive_bodies(redrive_take("middle", 1, 0), "");
    redrive_settle();
    struct call *r = redrive_take("last", 1, 0);
    assert_slice_(received(r, 0)->message_id, id);
    assert_text(received_attribute(received(r, 0), "DeadLetterQueueSourceArn"), redrive_arn("middle"));
    assert_text(received_attribute(received(r, 0), "ApproximateReceiveCount"), "3");
    assert_slice_(received_attribute(received(r, 0), "SentTimestamp"), sent);
}

static void test_everything_travels(void **state)
{
    (void)state;
    struct sqs_attribute_value values[2];
    const struct pair pairs[2] = { { .key = SLICE("n"), .value = &values[0] },
        { .key = SLICE("b"), .value = &values[1] } };
    struct sqs_send_message_in in;
    redrive_pair("q", "dead", 1);
    shape_clear(&sqs_send_message_in_shape, &in);
    shape_clear(&sqs_attribute_value_shape, &values[0]);
    shape_clear(&sqs_attribute_value_shape, &values[1]);
    values[0].data_type = SLICE("Number.int");
    values[0].string_value = SLICE("42");
    values[1].data_type = SLICE("Binary");
    values[1].binary_value = slice_of("\0\1\2", 3);
    in.queue_url = SLICE("q");
    in.body = SLICE("body");
    in.group_id = SLICE("tenant");
    in.attributes = (struct values){ .items = (void *)(uintptr_t)pairs, .count = 2, .is_set = true };
    struct call *s = harness_call(OP_sqs_send_message, &in);
    assert_works(s);
    struct slice md5 = ((const struct sqs_send_message_out *)s->out)->md5_of_attributes;
    redrive_take("q", 1, 0);
    redrive_take("q", 1, 0);
    redrive_settle();
    struct call *r = redrive_take("dead", 1, 0);
    assert_text(received(r, 0)->body, "body");
    assert_slice_(received(r, 0)->md5_of_attributes, md5);
    assert_int_equal(received(r, 0)->message_attributes.count, 2);
    assert_text(received_attribute(received(r, 0), "MessageGroupId"), "tenant");
}

static void test_retention_goes_on(void **state)
{
    (void)state;
    redrive_pair("q", "dead", 1);
    harness_set("dead", "MessageRetentionPeriod", "60");
    redrive_send("q", "a");
    redrive_take("q", 1, 0);
    harness_pass(30000);
    redrive_take("q", 1, 0);
    redrive_settle();
    redrive_counts("dead", 1, 0, 0);
    harness_pass(30000); /* sixty seconds after it was sent, thirty after it came */
    redrive_counts("dead", 0, 0, 0);
    redrive_send("q", "b");
    redrive_take("q", 1, 0);
    harness_pass(60000);
    redrive_take("q", 1, 0);
    redrive_settle();
    redrive_counts("q", 0, 0, 0);
    redrive_counts("dead", 0, 0, 0); /* it was past its time when it came */
}

static struct outbox *outbox_between(const char *from, const char *to)
{
    return harness_queue(from)->state->channels.out[harness_queue(to)->state->owner->log];
}

/* Nothing is told to another log, and nothing forgotten, before what it rests on is durable. */
static void test_every_step_waits_for_the_disk(void **state)
{
    (void)state;
    static const struct {
        uint8_t phase;
        uint64_t in_transit, arrived;
    } rows[] = { { OUTBOX_APPENDED, 1, 0 }, { OUTBOX_SENT, 1, 1 }, { OUTBOX_SETTLED, 0, 1 }, { OUTBOX_IDLE, 0, 1 } };
    redrive_pair("q", "dead", 1);
    redrive_fail("q", "a");
    redrive_sync();
    redrive_take("q", 1, 0);
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        for (int k = 0; k < 3; k++) { /* time alone does nothing */
            assert_int_equal(outbox_between("q", "dead")->phase, rows[i].phase);
            assert_int_equal(harness_queue("q")->in_transit, rows[i].in_transit);
            assert_int_equal(harness_queue("dead")->messages, rows[i].arrived);
            harness_pass(2 * CHANNEL_RETRY_MS);
            owners_on_durable();
        }
        redrive_sync();
    }
    struct store_metrics metrics;
    store_get_metrics(harness_store, &metrics);
    assert_int_equal(metrics.pinned, 0);
}

/* A record that is in transit is moved by the cleaner. */
static void test_a_record_moves_on_the_way(void **state)
{
    (void)state;
    redrive_pair("q", "dead", 1);
    redrive_fail("q", "ab");
    redrive_take("q", 1, 0);
    for (int i = 0; i < 2; i++) { /* before it is sent, and while it is */
        const struct channel_entry *e = outbox_entry(outbox_between("q", "dead"), 1);
        struct owner *o = harness_queue("q")->state->owner;
        struct record r;
        lsn_t before = e->lsn;
        assert_int_equal(store_read(harness_store, before, true, &harness_arena, &r).code, 0);
        assert_int_equal(sqs_state_relocate(o->state[SQS_INDEX], &r).code, 0);
        assert_true(e->lsn > before);
        assert_int_equal(sqs_state_relocate(o->state[SQS_INDEX], &r).code, 0); /* it is not there any more */
        assert_true(store_end(harness_store) > e->lsn);
        redrive_restart(dir, i == 1); /* and goes on */
    }
    redrive_settle();
    redrive_bodies(redrive_take("dead", 10, 0), "ab");
}

/* ---- when the target does not take it ------------------------------------------------------------------------------------- */

static void test_no_target_is_received_as_usual(void **state)
{
    (void)state;
    redrive_pair("q", "dead", 1);
    redrive_fail("q", "a");
    redrive_delete_queue("dead");
    redrive_bodies(redrive_take("q", 1, 0), "a");
    redrive_bodies(redrive_take("q", 1, 0), "a");
    harness_create("dead", NULL);
    redrive_bodies(redrive_take("q", 1, 0), "");
    redrive_settle();
    redrive_counts("dead", 1, 0, 0);
}

static void test_a_target_that_denies(void **state)
{
    (void)state;
    redrive_pair("q", "dead", 1);
    redrive_fail("q", "a");
    assert_works(harness_set("dead", "RedriveAllowPolicy", "{\"redrivePermission\":\"denyAll\"}"));
    redrive_bodies(redrive_take("q", 1, 0), "a");
    assert_works(harness_set("dead", "RedriveAllowPolicy", ""));
    redrive_bodies(redrive_take("q", 1, 0), "");
    redrive_settle();
    redrive_counts("dead", 1, 0, 0);
}

/* The target vanishes, changes its mind, or comes back as another kind while the message is on its way. */
static void refused_on_its_way(const char *allow_policy)
{
    redrive_pair("q", "dead", 1);
    redrive_fail("q", "ab");
    struct call *r = redrive_take("q", 1, 10);
    redrive_bodies(r, "");
    redrive_counts("q", 0, 0, 2);
    if (allow_policy)
        assert_works(harness_set("dead", "RedriveAllowPolicy", allow_policy));
    else
        redrive_delete_queue("dead");
    redrive_settle();
    redrive_counts("q", 2, 0, 0);
    assert_int_equal(harness_queue("q")->messages, 2);
    r = redrive_take("q", 10, 10);
    redrive_bodies(r, "ab"); /* in their places, and received */
    assert_text(received_attribute(received(r, 0), "ApproximateReceiveCount"), "2");
    assert_works(harness_delete("q", received(r, 0)->receipt_handle));
    redrive_counts("q", 0, 1, 0);
}

static void test_gone_on_its_way(void **state)
{
    (void)state;
    refused_on_its_way(NULL);
}

static void test_denied_on_its_way(void **state)
{
    (void)state;
    refused_on_its_way("{\"redrivePermission\":\"denyAll\"}");
}

static void test_refused_ones_are_tried_again(void **state)
{
    (void)state;
    redrive_pair("q", "dead", 1);
    redrive_fail("q", "a");
    redrive_take("q", 1, 10);
    redrive_delete_queue("dead");
    redrive_settle();
    harness_create("dead", NULL);
    redrive_bodies(redrive_take("q", 1, 0), "a"); /* once as usual: a refusal must not become a circle */
    redrive_bodies(redrive_take("q", 1, 0), "");
    redrive_settle();
    redrive_counts("dead", 1, 0, 0);
}

static void test_a_poll_gets_what_was_refused(void **state)
{
    (void)state;
    struct sqs_receive_message_in in;
    redrive_pair("q", "dead", 1);
    redrive_fail("q", "a");
    harness_receive_in(&(struct wanted){ .queue = "q", .max = 1, .visibility_s = -1, .wait_s = 20 }, &in);
    struct harness_call *h = harness_start(OP_sqs_receive_message, &in);
    assert_false(h->is_done);
    redrive_delete_queue("dead");
    redrive_settle();
    assert_true(h->is_done);
    redrive_bodies(&h->call, "a");
    harness_end(h);
}

/* ---- when the source changes meanwhile ------------------------------------------------------------------------------------- */

static void test_the_source_is_deleted_meanwhile(void **state)
{
    (void)state;
    redrive_pair("q", "dead", 1);
    redrive_fail("q", "a");
    redrive_take("q", 1, 0);
    redrive_delete_queue("q");
    redrive_settle();
    struct call *r = redrive_take("dead", 1, 0);
    redrive_bodies(r, "a");
    assert_text(received_attribute(received(r, 0), "DeadLetterQueueSourceArn"), redrive_arn("q"));
    redrive_restart(dir, true);
}

static void test_both_are_deleted_meanwhile(void **state)
{
    (void)state;
    redrive_pair("q", "dead", 1);
    redrive_fail("q", "a");
    redrive_take("q", 1, 0);
    redrive_delete_queue("q");
    redrive_delete_queue("dead");
    redrive_settle();
    assert_int_equal(redrive_in_transit(), 0);
    harness_create("q", NULL);
    redrive_counts("q", 0, 0, 0); /* another queue of that name gets nothing back */
    redrive_restart(dir, false);
}

static void test_a_purge_meanwhile(void **state)
{
    (void)state;
    redrive_pair("q", "dead", 1);
    redrive_fail("q", "a");
    redrive_take("q", 1, 0);
    assert_works(harness_purge("q"));
    redrive_counts("q", 0, 0, 0);
    redrive_delete_queue("dead");
    redrive_restart(dir, false);
    redrive_settle();
    redrive_counts("q", 0, 0, 0); /* refused, and purged before: gone */
    assert_int_equal(harness_queue("q")->messages, 0);
}

/* ---- FIFO -------------------------------------------------------------------------------------------------------------------- */

static void send_group(const char *queue, const char *body, const char *group)
{
    assert_works(
        harness_send(&(struct sent){ .queue = queue, .body = body, .group = group, .dedup = body, .delay_s = -1 }));
}

static void test_fifo(void **state)
{
    (void)state;
    redrive_pair("q.fifo", "dead.fifo", 1);
    for (const char *body = "a\0b\0c\0"; *body; body += 2)
        send_group("q.fifo", body, "g");
    send_group("q.fifo", "x", "h");
    struct call *r = redrive_take("q.fifo", 2, 10);
    redrive_bodies(r, "ab");
    struct slice id = received(r, 0)->message_id;
    harness_pass(10000);
    redrive_bodies(redrive_take("q.fifo", 10, 10), "xc"); /* the group goes on behind its dead */
    struct slice moved = now_text();
    redrive_settle();
    r = redrive_take("dead.fifo", 10, 10);
    redrive_bodies(r, "ab");
    const struct sqs_message *m = received(r, 0);
    assert_slice_(m->message_id, id);
    assert_slice_(received_attribute(m, "MessageDeduplicationId"), id);
    assert_text(received_attribute(m, "MessageGroupId"), "g");
    assert_text(received_attribute(m, "ApproximateReceiveCount"), "2");
    assert_text(received_attribute(m, "DeadLetterQueueSourceArn"), redrive_arn("q.fifo"));
    assert_slice_(received_attribute(m, "SentTimestamp"), moved); /* anew */
    send_group("dead.fifo", "a", "g");                            /* its own deduplication id is free there */
    assert_int_equal(harness_queue("dead.fifo")->messages, 3);
}

static void test_fifo_content_deduplication(void **state)
{
    (void)state;
    redrive_pair("q.fifo", "dead.fifo", 1);
    harness_set("q.fifo", "ContentBasedDeduplication", "true");
    assert_works(harness_send(&(struct sent){ .queue = "q.fifo", .body = "a", .group = "g", .delay_s = -1 }));
    struct call *r = redrive_take("q.fifo", 1, 0);
    struct slice id = received(r, 0)->message_id;
    redrive_take("q.fifo", 1, 0);
    redrive_settle();
    r = redrive_take("dead.fifo", 1, 0);
    assert_slice_(received_attribute(received(r, 0), "MessageDeduplicationId"), id);
}

static void test_fifo_refused_comes_first_again(void **state)
{
    (void)state;
    redrive_pair("q.fifo", "dead.fifo", 1);
    send_group("q.fifo", "a", "g");
    send_group("q.fifo", "b", "g");
    redrive_bodies(redrive_take("q.fifo", 1, 0), "a");
    struct call *r = redrive_take("q.fifo", 1, 10); /* a leaves, b is in flight */
    redrive_bodies(r, "b");
    redrive_delete_queue("dead.fifo");
    redrive_settle();
    redrive_bodies(redrive_take("q.fifo", 1, 10), "a"); /* what is before those in flight may come */
    redrive_bodies(redrive_take("q.fifo", 1, 10), "");
}

/* ---- many, restarts, cold records ------------------------------------------------------------------------------------------------ */

static void fill(const char *queue, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        redrive_send(queue, "x");
        if (i % 500 == 0)
            harness_forget();
    }
    for (size_t i = 0; i < count; i += 10) {
        redrive_take(queue, 10, 43200);
        if (i % 500 == 0)
            harness_forget();
    }
    harness_pass(43200 * 1000ull);
}

static void test_many(void **state)
{
    (void)state;
    redrive_pair("q", "dead", 1);
    fill("q", 950);
    for (uint64_t left = 950; left; left -= left < CHANNEL_BATCH_MAX ? left : CHANNEL_BATCH_MAX) {
        assert_int_equal(harness_queue("q")->messages, left);
        redrive_bodies(redrive_take("q", 10, 0), ""); /* none is received too often, however many there are */
    }
    redrive_counts("q", 0, 0, 950);
    redrive_settle();
    redrive_counts("q", 0, 0, 0);
    redrive_counts("dead", 950, 0, 0);
    redrive_restart(dir, true);
    redrive_counts("dead", 950, 0, 0);
}

static void test_a_restart_on_the_way(void **state)
{
    (void)state;
    for (int snapshot = 0; snapshot < 2; snapshot++) {
        const char *q = snapshot ? "q1" : "q0";
        redrive_pair(q, "dead", 1);
        redrive_fail(q, "abc");
        redrive_take(q, 1, 0);
        redrive_counts(q, 0, 0, 3);
        redrive_restart(dir, snapshot); /* its digest is compared with the messages in transit */
        redrive_settle();
        redrive_counts(q, 0, 0, 0);
        assert_int_equal(harness_queue("dead")->messages, 3u * (unsigned)(snapshot + 1));
    }
}

static struct error cold_now(struct sys_file *f, uint64_t offset, void *out, size_t size, size_t *ret_size)
{
    static unsigned calls;
    if (++calls % 3)
        return ERROR_OF(ERR_COLD);
    return sys->file.read(f, offset, out, size, ret_size);
}

static void test_cold_records(void **state)
{
    (void)state;
    static struct sys with_cold;
    const struct sys *warm = sys;
    redrive_pair("q", "dead", 1);
    redrive_fail("q", "abcde");
    redrive_restart(dir, false); /* the journal's ring is empty now: records are in files */
    with_cold = *sys;
    with_cold.file.read_nowait = cold_now;
    sys = &with_cold;
    redrive_take("q", 1, 0);
    redrive_settle();
    sys = warm;
    redrive_bodies(redrive_take("dead", 10, 0), "abcde");
    struct store_metrics metrics;
    store_get_metrics(harness_store, &metrics);
    assert_int_equal(metrics.pinned, 0);
}

/* A long poll goes through all of them at once and gets what is behind. */
static void test_a_poll_behind_many(void **state)
{
    (void)state;
    redrive_pair("q", "dead", 1);
    fill("q", 250);
    redrive_send("q", "y");
    struct call *c = harness_receive(&(struct wanted){ .queue = "q", .max = 10, .visibility_s = 10, .wait_s = 20 });
    redrive_bodies(c, "y");
    redrive_settle();
    redrive_counts("dead", 250, 0, 0);
}

static struct error no_space(const char *path, uint64_t *ret_free, uint64_t *ret_total)
{
    (void)path;
    *ret_free = *ret_total = 0;
    return OK;
}

static void test_a_full_disk(void **state)
{
    (void)state;
    static struct sys with_full_disk;
    const struct sys *good = sys;
    struct store_metrics metrics = { .refuses_sends = false };
    redrive_pair("q", "dead", 1);
    redrive_fail("q", "ab");
    assert_int_equal(received_count(redrive_take("q", 1, 0)), 0);
    with_full_disk = *sys;
    with_full_disk.file.free_bytes = no_space;
    sys = &with_full_disk;
    harness_pass(1000); /* the store looks twice a second */
    while (store_step(harness_store))
        ;
    store_get_metrics(harness_store, &metrics);
    assert_true(metrics.refuses_sends);
    for (int i = 0; i < 10; i++) {
        redrive_sync();
        harness_pass(CHANNEL_RETRY_MS);
    }
    redrive_counts("q", 0, 0, 2);
    redrive_counts("dead", 0, 0, 0);
    sys = good;
    harness_pass(1000);
    while (store_step(harness_store))
        ;
    redrive_settle();
    redrive_counts("q", 0, 0, 0);
    redrive_counts("dead", 2, 0, 0);
}

/* Messages of one megabyte: a transfer takes one or two, and they all come. */
static void test_large_messages(void **state)
{
    (void)state;
    enum { LARGE = 700 * 1024 };
    char *body = arena_alloc(&harness_arena, LARGE + 1);
    memset(body, 'y', LARGE);
    body[LARGE] = 0;
    redrive_pair("q", "dead", 1);
    for (int i = 0; i < 5; i++)
        redrive_send("q", body);
    for (int i = 0; i < 5; i++)
        redrive_take("q", 1, 43200);
    harness_pass(43200 * 1000ull);
    redrive_take("q", 1, 0);
    redrive_counts("q", 0, 0, 5);
    redrive_settle();
    redrive_counts("dead", 5, 0, 0);
    struct call *r = redrive_take("dead", 1, 0);
    assert_int_equal(received(r, 0)->body.size, LARGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(test_after_the_last_receive),
        TEST(test_only_a_receive_moves),
        TEST(test_the_rest_is_received),
        TEST(test_in_transit_counts_as_not_visible),
        TEST(test_a_poll_of_the_dead_letters_is_woken),
        TEST(test_chains),
        TEST(test_everything_travels),
        TEST(test_retention_goes_on),
        TEST(test_every_step_waits_for_the_disk),
        TEST(test_a_record_moves_on_the_way),
        TEST(test_no_target_is_received_as_usual),
        TEST(test_a_target_that_denies),
        TEST(test_gone_on_its_way),
        TEST(test_denied_on_its_way),
        TEST(test_refused_ones_are_tried_again),
        TEST(test_a_poll_gets_what_was_refused),
        TEST(test_the_source_is_deleted_meanwhile),
        TEST(test_both_are_deleted_meanwhile),
        TEST(test_a_purge_meanwhile),
        TEST(test_fifo),
        TEST(test_fifo_content_deduplication),
        TEST(test_fifo_refused_comes_first_again),
        TEST(test_many),
        TEST(test_a_restart_on_the_way),
        TEST(test_cold_records),
        TEST(test_a_poll_behind_many),
        TEST(test_a_full_disk),
        TEST(test_large_messages),
    };
    log_set_level(LOG_WARN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

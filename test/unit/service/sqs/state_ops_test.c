/* The operations on messages against the contract, sections 2.1 and 2.2: one test a topic. */
#include "base/log.h"
#include "service/sqs/receipt.h"
#include "state_harness.h"

static void begin(const char *name, const char *const *attributes)
{
    harness_create(name, attributes);
}

static int setup(void **state)
{
    static int number;
    static char dir[32];
    (void)state;
    snprintf(dir, sizeof(dir), "/ops%d", number++);
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

static struct call *send(const char *queue, const char *body)
{
    struct call *c = harness_send(&(struct sent){ .queue = queue, .body = body, .delay_s = -1 });
    assert_works(c);
    return c;
}

static struct call *send_group(const char *queue, const char *body, const char *group)
{
    struct call *c =
        harness_send(&(struct sent){ .queue = queue, .body = body, .group = group, .dedup = body, .delay_s = -1 });
    assert_works(c);
    return c;
}

static struct call *take(const char *queue, int64_t max)
{
    return harness_receive(&(struct wanted){ .queue = queue, .max = max, .visibility_s = -1, .wait_s = -1 });
}

static void assert_counts(const char *queue, uint64_t visible, uint64_t in_flight, uint64_t delayed)
{
    const struct queue *q = harness_queue(queue);
    assert_int_equal(queue_visible(q), visible);
    assert_int_equal(q->in_flight, in_flight);
    assert_int_equal(q->delayed, delayed);
}

static void assert_bodies(const struct call *c, const char *bodies) /* one character each */
{
    assert_int_equal(received_count(c), strlen(bodies));
    for (size_t i = 0; bodies[i]; i++)
        assert_slice_(received(c, i)->body, slice_of(&bodies[i], 1));
}

/* ---- standard -------------------------------------------------------------------------------------------------------- */

static void test_life(void **state)
{
    (void)state;
    begin("q", NULL);
    struct call *s = send("q", "hello");
    const struct sqs_send_message_out *sent = s->out;
    assert_text(sent->md5_of_body, "5d41402abc4b2a76b9719d911017c592");
    assert_true(slice_is_none(sent->sequence_number));
    assert_int_equal(sent->message_id.size, 36);
    assert_int_equal(sent->message_id.data[14], '4');
    struct call *r = take("q", 10);
    assert_int_equal(received_count(r), 1);
    const struct sqs_message *m = received(r, 0);
    assert_text(m->body, "hello");
    assert_text(m->md5_of_body, "5d41402abc4b2a76b9719d911017c592");
    assert_slice_(m->message_id, sent->message_id);
    assert_text(received_attribute(m, "SenderId"), "000000000000");
    assert_text(received_attribute(m, "SentTimestamp"), "1700000000000");
    assert_text(received_attribute(m, "ApproximateReceiveCount"), "1");
    assert_true(slice_is_none(received_attribute(m, "SequenceNumber")));
    assert_counts("q", 0, 1, 0);
    assert_int_equal(received_count(take("q", 10)), 0);
    assert_works(harness_delete("q", m->receipt_handle));
    assert_counts("q", 0, 0, 0);
    assert_works(harness_delete("q", m->receipt_handle)); /* again: fine */
    assert_int_equal(harness_queue("q")->messages, 0);
}

static void test_visibility(void **state)
{
    (void)state;
    begin("q", (const char *[]){ "VisibilityTimeout", "10", NULL });
    send("q", "a");
    struct call *first = take("q", 1);
    assert_int_equal(received_count(first), 1);
    harness_pass(9999);
    assert_int_equal(received_count(take("q", 1)), 0);
    harness_pass(1);
    assert_counts("q", 1, 0, 0);
    struct call *second = take("q", 1);
    assert_bodies(second, "a");
    assert_text(received_attribute(received(second, 0), "ApproximateReceiveCount"), "2");
    assert_slice_(received_attribute(received(second, 0), "ApproximateFirstReceiveTimestamp"),
        received_attribute(received(first, 0), "ApproximateFirstReceiveTimestamp"));
    assert_false(slice_equal(received(first, 0)->receipt_handle, received(second, 0)->receipt_handle));
    /* an older handle still changes visibility: to zero, at once */
    assert_works(harness_visibility("q", received(first, 0)->receipt_handle, 0));
    assert_counts("q", 1, 0, 0);
    /* visible again: a change succeeds and hides nothing */
    assert_works(harness_visibility("q", received(second, 0)->receipt_handle, 100));
    assert_counts("q", 1, 0, 0);
    /* an expired handle deletes */
    assert_works(harness_delete("q", received(first, 0)->receipt_handle));
    assert_counts("q", 0, 0, 0);
    struct slice handle = received(first, 0)->receipt_handle;
    struct slice text = arena_printf(&harness_arena,
        "Value %.*s for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for "
        "visibility "
        "timeout change.",
        SLICE_ARG(handle));
    struct call *c = harness_visibility("q", handle, 5);
    assert_int_equal(c->error.code, SQS_INVALID_PARAMETER);
    assert_slice_(c->error_message, text);
}

static void test_visibility_cap(void **state)
{
    (void)state;
    begin("q", NULL);
    send("q", "a");
    struct call *r = take("q", 1);
    assert_works(harness_visibility("q", received(r, 0)->receipt_handle, 43200));
    harness_pass(1000);
    assert_fails(harness_visibility("q", received(r, 0)->receipt_handle, 43200), SQS_INVALID_PARAMETER,
        "Value 43200 for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for the message is "
        "beyond the "
        "limit [43200 seconds]");
    assert_works(harness_visibility("q", received(r, 0)->receipt_handle, 43199));
}

static void test_visibility_zero_receive(void **state)
{
    (void)state;
    begin("q", NULL);
    send("q", "a");
    send("q", "b");
    for (int i = 1; i <= 3; i++) {
        struct call *r = harness_receive(&(struct wanted){ .queue = "q", .max = 1, .visibility_s = 0, .wait_s = -1 });
        assert_bodies(r, "a");
    }
    assert_counts("q", 2, 0, 0);
    harness_pass(1000);
    send("q", "c"); /* received three times: it went to the back, which was before c came */
    assert_int_equal(queue_oldest_sent_ms(harness_queue("q")), harness_ms - 1000); /* b */
    assert_bodies(take("q", 10), "bac");
    harness_forget();
    begin("old", NULL);
    send("old", "a");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(queue_oldest_sent_ms(harness_queue("old")), harness_ms);
        harness_receive(&(struct wanted){ .queue = "old", .max = 1, .visibility_s = 0, .wait_s = -1 });
    }
    assert_int_equal(queue_oldest_sent_ms(harness_queue("old")), UINT64_MAX); /* its age says nothing any more */
}

static void test_order_after_return(void **state)
{
    (void)state;
    begin("q", NULL);
    for (const char *body = "a\0b\0c\0d\0"; *body; body += 2)
        send("q", body);
    struct call *r = take("q", 2);
    assert_bodies(r, "ab");
    assert_works(harness_visibility("q", received(r, 0)->receipt_handle, 0));
    assert_bodies(take("q", 2), "ac"); /* it was sent first: it comes first again */
}

static void test_delay(void **state)
{
    (void)state;
    begin("q", (const char *[]){ "DelaySeconds", "5", NULL });
    send("q", "a");
    assert_works(harness_send(&(struct sent){ .queue = "q", .body = "b", .delay_s = 0 }));
    assert_works(harness_send(&(struct sent){ .queue = "q", .body = "c", .delay_s = 60 }));
    assert_counts("q", 1, 0, 2);
    assert_bodies(take("q", 10), "b");
    assert_works(harness_set("q", "DelaySeconds", "0")); /* not retroactive */
    assert_counts("q", 0, 1, 2);
    harness_pass(4999);
    assert_int_equal(received_count(take("q", 10)), 0);
    harness_pass(1);
    assert_bodies(take("q", 10), "a");
    harness_pass(55000);
    assert_bodies(take("q", 10), "abc"); /* the first two leases ran out meanwhile */
}

static void test_retention(void **state)
{
    (void)state;
    begin("q", (const char *[]){ "MessageRetentionPeriod", "60", NULL });
    send("q", "a");
    harness_pass(30000);
    send("q", "b");
    struct call *r = harness_receive(&(struct wanted){ .queue = "q", .max = 1, .visibility_s = 1000, .wait_s = -1 });
    assert_bodies(r, "a");
    harness_pass(29999);
    assert_counts("q", 1, 1, 0);
    harness_pass(1);
    assert_counts("q", 1, 0, 0); /* in flight, and gone */
    assert_works(harness_delete("q", received(r, 0)->receipt_handle));
    harness_pass(30000);
    assert_counts("q", 0, 0, 0);
    send("q", "c");
    harness_pass(50000);
    assert_works(harness_set("q", "MessageRetentionPeriod", "120"));
    harness_pass(60000);
    assert_counts("q", 1, 0, 0);
    harness_pass(10000);
    assert_counts("q", 0, 0, 0);
}

static void test_retention_without_traffic(void **state)
{
    (void)state;
    begin("q", (const char *[]){ "MessageRetentionPeriod", "60", NULL });
    for (int i = 0; i < 3000; i++) {
        send("q", "a");
        if (i % 1000 == 0)
            harness_forget();
    }
    harness_pass(60000 + SQS_SWEEP_MS + 1000);
    struct slice account = SLICE("000000000000"), region = SLICE("us-east-1");
    struct owner *o = owner_of(owner_log_of(account, region, SLICE("q")));
    assert_int_equal(sqs_queue_find(sqs_state_of(o), account, region, SLICE("q"))->messages, 0); /* not by looking */
}

static void test_purge(void **state)
{
    (void)state;
    begin("q", NULL);
    for (int i = 0; i < 20; i++)
        assert_works(harness_send(&(struct sent){ .queue = "q", .body = "x", .delay_s = i % 3 ? -1 : 100 }));
    take("q", 5);
    assert_works(harness_purge("q"));
    assert_counts("q", 0, 0, 0);
    assert_works(harness_purge("q"));
    send("q", "y");
    assert_bodies(take("q", 10), "y");
    sqs_quotas.is_aws = true;
    assert_fails(
        harness_purge("q"), SQS_PURGE_IN_PROGRESS, "Only one PurgeQueue operation on q is allowed every 60 seconds.");
    harness_pass(60000);
    assert_works(harness_purge("q"));
    sqs_quotas.is_aws = false;
}

/* ---- long polls ---------------------------------------------------------------------------------------------------------- */

static struct harness_call *poll(const char *queue, int64_t wait_s)
{
    struct sqs_receive_message_in in;
    harness_receive_in(&(struct wanted){ .queue = queue, .max = 10, .visibility_s = -1, .wait_s = wait_s }, &in);
    struct harness_call *h = harness_start(OP_sqs_receive_message, &in);
    assert_false(h->is_done);
    return h;
}

static void assert_polled(struct harness_call *h, const char *bodies)
{
    assert_true(h->is_done);
    assert_bodies(&h->call, bodies);
    harness_end(h);
}

static void test_long_poll(void **state)
{
    (void)state;
    begin("q", (const char *[]){ "VisibilityTimeout", "10", NULL });
    struct harness_call *h = poll("q", 20), *second = poll("q", 20);
    harness_pass(3000);
    send("q", "a");
    assert_polled(h, "a"); /* woken by the send; the other goes on waiting */
    assert_false(second->is_done);
    harness_pass(9999);
    assert_false(second->is_done);
    harness_pass(1);
    assert_polled(second, "a"); /* the lease ended */
    harness_pass(10000);
    struct call *r = take("q", 1);
    h = poll("q", 5);
    assert_works(harness_visibility("q", received(r, 0)->receipt_handle, 0));
    assert_polled(h, "a"); /* released */
    h = poll("q", 5);
    harness_pass(4999);
    assert_false(h->is_done);
    harness_pass(1);
    assert_polled(h, ""); /* the deadline, to the millisecond */
    assert_works(harness_purge("q"));
    h = poll("q", 5);
    assert_works(harness_send(&(struct sent){ .queue = "q", .body = "d", .delay_s = 2 }));
    assert_false(h->is_done);
    harness_pass(2000);
    assert_polled(h, "d"); /* the delay ended */
}

static void test_long_poll_of_deleted_queue(void **state)
{
    (void)state;
    begin("q", NULL);
    struct harness_call *h = poll("q", 20);
    struct sqs_delete_queue_in in = { .queue_url = SLICE("q") };
    assert_works(harness_call(OP_sqs_delete_queue, &in));
    assert_true(h->is_done);
    assert_int_equal(h->call.error.code, SQS_QUEUE_DOES_NOT_EXIST);
    harness_end(h);
}

static void test_many_polls(void **state)
{
    (void)state;
    struct harness_call *polls[50];
    begin("q", NULL);
    for (size_t i = 0; i < ARRAY_COUNT(polls); i++)
        polls[i] = poll("q", 20);
    for (size_t i = 0; i < ARRAY_COUNT(polls); i++) {
        send("q", "m");
        assert_polled(polls[i], "m"); /* in the order they came */
    }
}

static void test_undo(void **state)
{
    (void)state;
    begin("q", NULL);
    send("q", "a");
    struct harness_call *waiting = NULL;
    struct call *r = take("q", 1);
    waiting = poll("q", 20);
    assert_works(r);
    harness_undo(r);
    assert_true(waiting->is_done); /* back at once, and the count as if nothing had been */
    assert_text(received_attribute(received(&waiting->call, 0), "ApproximateReceiveCount"), "1");
    assert_false(slice_equal(received(&waiting->call, 0)->receipt_handle, received(r, 0)->receipt_handle));
    harness_end(waiting);
}

/* ---- FIFO ------------------------------------------------------------------------------------------------------------------ */

static const char *const fifo[] = { "FifoQueue", "true", NULL };

static void test_fifo_groups(void **state)
{
    (void)state;
    begin("q.fifo", fifo);
    send_group("q.fifo", "1", "A");
    send_group("q.fifo", "x", "B");
    send_group("q.fifo", "2", "A");
    send_group("q.fifo", "3", "A");
    struct call *r = take("q.fifo", 2);
    assert_bodies(r, "12");
    assert_text(received_attribute(received(r, 0), "MessageGroupId"), "A");
    assert_text(received_attribute(received(r, 0), "MessageDeduplicationId"), "1");
    assert_text(received_attribute(received(r, 0), "SequenceNumber"), "18000000000000000001");
    assert_bodies(take("q.fifo", 10), "x"); /* A is locked */
    assert_works(harness_delete("q.fifo", received(r, 0)->receipt_handle));
    assert_int_equal(received_count(take("q.fifo", 10)), 0); /* a partial delete keeps the lock */
    assert_works(harness_delete("q.fifo", received(r, 1)->receipt_handle));
    assert_bodies(take("q.fifo", 10), "3");
    assert_counts("q.fifo", 0, 2, 0);
}

static void test_fifo_batch_takes_one_group_first(void **state)
{
    (void)state;
    begin("q.fifo", fifo);
    for (const char *at = "aAbBaCbDcE"; *at; at += 2) {
        char group[2] = { at[0], 0 }, body[2] = { at[1], 0 };
        send_group("q.fifo", body, group);
    }
    assert_bodies(take("q.fifo", 10), "ACBDE");
}

static void test_fifo_extended_middle(void **state)
{
    (void)state;
    begin("q.fifo", (const char *[]){ "FifoQueue", "true", "VisibilityTimeout", "10", NULL });
    for (const char *body = "1\0002\0003\0004\0005\000"; *body; body += 2)
        send_group("q.fifo", body, "A");
    struct call *r = take("q.fifo", 4);
    assert_bodies(r, "1234");
    assert_works(harness_visibility("q.fifo", received(r, 2)->receipt_handle, 60));
    harness_pass(10000);
    assert_counts("q.fifo", 4, 1, 0);
    assert_bodies(take("q.fifo", 10), "12"); /* only what is before the one that was extended */
    harness_pass(10000);
    assert_bodies(take("q.fifo", 1), "1");
    harness_pass(40000);
    assert_bodies(take("q.fifo", 10), "12345");
}

static void test_fifo_visibility_zero(void **state)
{
    (void)state;
    begin("q.fifo", fifo);
    send_group("q.fifo", "1", "A");
    send_group("q.fifo", "2", "A");
    for (int i = 0; i < 4; i++) {
        struct call *r =
            harness_receive(&(struct wanted){ .queue = "q.fifo", .max = 1, .visibility_s = 0, .wait_s = -1 });
        assert_bodies(r, "1");
    }
    assert_bodies(take("q.fifo", 10), "12");
}

/* Served groups stand behind the others, as the real service has it. */
static void test_fifo_groups_take_turns(void **state)
{
    static const struct {
        const char *body, *group;
    } sent[] = { { "1", "g1" }, { "3", "g2" }, { "4", "g2" }, { "5", "g3" }, { "2", "g1" } };
    (void)state;
    begin("q.fifo", fifo);
    for (size_t i = 0; i < ARRAY_COUNT(sent); i++)
        send_group("q.fifo", sent[i].body, sent[i].group);
    struct wanted wanted = { .queue = "q.fifo", .max = 3, .visibility_s = 0, .wait_s = -1 };
    assert_bodies(harness_receive(&wanted), "123");
    wanted.max = 10;
    assert_bodies(harness_receive(&wanted), "51234");
    wanted.max = 1;
    assert_bodies(harness_receive(&wanted), "5"); /* the whole round was served */
    assert_bodies(harness_receive(&wanted), "1");
    assert_bodies(harness_receive(&wanted), "3");
    assert_bodies(harness_receive(&wanted), "5");
}

static void test_fifo_handles_expire(void **state)
{
    (void)state;
    begin("q.fifo", (const char *[]){ "FifoQueue", "true", "VisibilityTimeout", "10", NULL });
    send_group("q.fifo", "1", "A");
    struct call *r = take("q.fifo", 1);
    struct slice handle = received(r, 0)->receipt_handle;
    assert_works(harness_visibility("q.fifo", handle, 20)); /* moves the handle's end */
    harness_pass(15000);
    assert_works(harness_visibility("q.fifo", handle, 10));
    harness_pass(10000);
    struct slice text = arena_printf(&harness_arena,
        "Value %.*s for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.",
        SLICE_ARG(handle));
    struct call *c = harness_delete("q.fifo", handle);
    assert_int_equal(c->error.code, SQS_INVALID_PARAMETER);
    assert_slice_(c->error_message, text);
    assert_int_equal(harness_visibility("q.fifo", handle, 10)->error.code, SQS_INVALID_PARAMETER);
    struct call *again = take("q.fifo", 1);
    assert_int_equal(harness_delete("q.fifo", handle)->error.code, SQS_INVALID_PARAMETER);
    assert_works(harness_delete("q.fifo", received(again, 0)->receipt_handle));
    assert_works(harness_delete("q.fifo", handle)); /* it is gone, as asked */
}

static void test_fifo_dedup(void **state)
{
    (void)state;
    begin("q.fifo", fifo);
    struct call *first = send_group("q.fifo", "1", "A");
    struct call *other = send_group("q.fifo", "1", "B"); /* the scope is the queue */
    const struct sqs_send_message_out *a = first->out, *b = other->out;
    assert_slice_(a->message_id, b->message_id);
    assert_slice_(a->sequence_number, b->sequence_number);
    assert_counts("q.fifo", 1, 0, 0);
    struct call *r = take("q.fifo", 10);
    assert_works(harness_delete("q.fifo", received(r, 0)->receipt_handle));
    harness_pass(SQS_DEDUP_WINDOW_MS - 1);
    send_group("q.fifo", "1", "A");
    assert_counts("q.fifo", 0, 0, 0); /* received and deleted since: a duplicate all the same */
    harness_pass(1);
    send_group("q.fifo", "1", "A");
    assert_counts("q.fifo", 1, 0, 0);
    assert_works(harness_purge("q.fifo")); /* forgets */
    send_group("q.fifo", "1", "A");
    assert_counts("q.fifo", 1, 0, 0);
}

static void test_fifo_dedup_scope_is_born(void **state)
{
    (void)state;
    begin("g.fifo", (const char *[]){ "FifoQueue", "true", "DeduplicationScope", "messageGroup", NULL });
    begin("q.fifo", fifo);
    send_group("g.fifo", "1", "A");
    send_group("g.fifo", "1", "B");
    send_group("g.fifo", "1", "B");
    assert_counts("g.fifo", 2, 0, 0);
    assert_works(harness_set("g.fifo", "DeduplicationScope", "queue"));
    assert_works(harness_set("q.fifo", "DeduplicationScope", "messageGroup"));
    send_group("g.fifo", "2", "A");
    send_group("g.fifo", "2", "B");
    assert_counts("g.fifo", 4, 0, 0);
    send_group("q.fifo", "2", "A");
    send_group("q.fifo", "2", "B");
    assert_counts("q.fifo", 1, 0, 0);
}

static void test_fifo_content_dedup(void **state)
{
    (void)state;
    begin("q.fifo", (const char *[]){ "FifoQueue", "true", "ContentBasedDeduplication", "true", NULL });
    for (int i = 0; i < 2; i++)
        assert_works(harness_send(&(struct sent){ .queue = "q.fifo", .body = "hello", .group = "A", .delay_s = -1 }));
    /* an explicit id that is the body's SHA-256 is the same id */
    assert_works(harness_send(&(struct sent){ .queue = "q.fifo",
        .body = "other",
        .group = "A",
        .dedup = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
        .delay_s = -1 }));
    assert_counts("q.fifo", 1, 0, 0);
    assert_works(
        harness_send(&(struct sent){ .queue = "q.fifo", .body = "hello", .group = "A", .dedup = "x", .delay_s = -1 }));
    assert_counts("q.fifo", 2, 0, 0); /* explicit wins */
    struct call *r = take("q.fifo", 10);
    assert_text(received_attribute(received(r, 0), "MessageDeduplicationId"),
        "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
}

static void test_fifo_delay_is_retroactive(void **state)
{
    (void)state;
    begin("q.fifo", fifo);
    send_group("q.fifo", "1", "A");
    harness_pass(10000);
    send_group("q.fifo", "2", "A");
    send_group("q.fifo", "3", "B");
    assert_works(harness_set("q.fifo", "DelaySeconds", "5"));
    assert_counts("q.fifo", 1, 0, 2);
    assert_bodies(take("q.fifo", 10), "1");
    assert_works(harness_set("q.fifo", "DelaySeconds", "100"));
    assert_counts("q.fifo", 0, 1, 2);
    harness_pass(6000);
    assert_bodies(take("q.fifo", 10), "");
    assert_works(harness_set("q.fifo", "DelaySeconds", "5"));
    assert_counts("q.fifo", 2, 1, 0);
    assert_bodies(take("q.fifo", 10), "3");
    struct call *c =
        harness_send(&(struct sent){ .queue = "q.fifo", .body = "4", .group = "B", .dedup = "4", .delay_s = 0 });
    assert_works(c); /* an explicit zero still takes the queue's */
    assert_counts("q.fifo", 1, 2, 1);
}

static void test_fifo_attempt(void **state)
{
    (void)state;
    begin("q.fifo", (const char *[]){ "FifoQueue", "true", "VisibilityTimeout", "10", NULL });
    for (const char *body = "1\0002\0003\0004\000"; *body; body += 2)
        send_group("q.fifo", body, "A");
    const struct wanted w = { .queue = "q.fifo", .max = 2, .visibility_s = -1, .wait_s = -1, .attempt = "try" };
    struct call *first = harness_receive(&w);
    assert_bodies(first, "12");
    harness_pass(8000);
    struct call *again = harness_receive(&w);
    assert_bodies(again, "12");
    assert_slice_(received(again, 0)->receipt_handle, received(first, 0)->receipt_handle);
    assert_slice_(received(again, 1)->receipt_handle, received(first, 1)->receipt_handle);
    assert_text(received_attribute(received(again, 0), "ApproximateReceiveCount"), "1");
    harness_pass(9000); /* the time started anew */
    assert_counts("q.fifo", 2, 2, 0);
    assert_works(harness_delete("q.fifo", received(first, 0)->receipt_handle));
    assert_bodies(harness_receive(&w), ""); /* void: one of them was deleted; the group is locked */
    assert_works(harness_delete("q.fifo", received(first, 1)->receipt_handle));
    assert_bodies(harness_receive(&w), "34");
    harness_pass(10000);
    struct call *later = harness_receive(&w); /* ran out: a new receive */
    assert_bodies(later, "34");
    assert_text(received_attribute(received(later, 0), "ApproximateReceiveCount"), "2");
    assert_works(harness_visibility("q.fifo", received(later, 1)->receipt_handle, 10));
    assert_bodies(harness_receive(&w), ""); /* void: changed */
}

static void test_fifo_polls(void **state)
{
    (void)state;
    begin("q.fifo", fifo);
    send_group("q.fifo", "1", "A");
    send_group("q.fifo", "2", "A");
    struct call *r = take("q.fifo", 1);
    struct harness_call *h = poll("q.fifo", 20);
    assert_works(harness_delete("q.fifo", received(r, 0)->receipt_handle));
    assert_polled(h, "2"); /* the lock ended */
    h = poll("q.fifo", 20);
    send_group("q.fifo", "3", "A");
    harness_pass(1);
    assert_false(h->is_done);
    send_group("q.fifo", "4", "B");
    assert_polled(h, "4");
}

/* ---- refusals (contract 1.3, 1.4) ------------------------------------------------------------------------------------------- */

static void test_send_errors(void **state)
{
    (void)state;
    begin("q", (const char *[]){ "MaximumMessageSize", "1024", NULL });
    begin("q.fifo", fifo);
    char long_body[1026];
    memset(long_body, 'x', 1025);
    long_body[1025] = 0;
    assert_fails(harness_send(&(struct sent){ .queue = "q", .body = long_body, .delay_s = -1 }), SQS_INVALID_PARAMETER,
        "One or more parameters are invalid. Reason: Message must be shorter than 1024 bytes.");
    long_body[1024] = 0;
    assert_works(harness_send(&(struct sent){ .queue = "q", .body = long_body, .delay_s = -1 }));
    assert_int_equal(harness_send(&(struct sent){ .queue = "q", .body = "a\x01", .delay_s = -1 })->error.code,
        SQS_INVALID_MESSAGE_CONTENTS);
    assert_fails(harness_send(&(struct sent){ .queue = "q", .body = "a", .group = "", .delay_s = -1 }),
        SQS_INVALID_PARAMETER,
        "Value  for parameter MessageGroupId is invalid. Reason: MessageGroupId can only include alphanumeric and "
        "punctuation "
        "characters. 1 to 128 in length.");
    assert_int_equal(
        harness_send(&(struct sent){ .queue = "q", .body = "a", .group = "a b", .delay_s = -1 })->error.code,
        SQS_INVALID_PARAMETER);
    assert_fails(harness_send(&(struct sent){ .queue = "q", .body = "a", .dedup = "d", .delay_s = -1 }),
        SQS_INVALID_PARAMETER,
        "Value d for parameter MessageDeduplicationId is invalid. Reason: The request includes a parameter that is not "
        "valid for "
        "this queue type.");
    assert_fails(harness_send(&(struct sent){ .queue = "q.fifo", .body = "a", .dedup = "d", .delay_s = -1 }),
        SQS_MISSING_PARAMETER, "The request must contain the parameter MessageGroupId.");
    assert_fails(harness_send(&(struct sent){ .queue = "q.fifo", .body = "a", .group = "g", .delay_s = -1 }),
        SQS_INVALID_PARAMETER,
        "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly");
    assert_fails(
        harness_send(&(struct sent){ .queue = "q.fifo", .body = "a", .group = "g", .dedup = "d", .delay_s = 2 }),
        SQS_INVALID_PARAMETER,
        "Value 2 for parameter DelaySeconds is invalid. Reason: The request include parameter that is not valid for "
        "this queue "
        "type.");
}

static void test_handle_errors(void **state)
{
    (void)state;
    begin("q", NULL);
    begin("other", NULL);
    send("q", "a");
    struct call *r = take("q", 1);
    assert_fails(harness_delete("q", SLICE("garbage")), SQS_RECEIPT_HANDLE_INVALID,
        "The input receipt handle \"garbage\" is not a valid receipt handle.");
    assert_int_equal(harness_delete("other", received(r, 0)->receipt_handle)->error.code, SQS_RECEIPT_HANDLE_INVALID);
    char text[128];
    struct slice handle = received(r, 0)->receipt_handle;
    memcpy(text, handle.data, handle.size);
    for (size_t i = 0; i < handle.size; i++) { /* any character changed: not ours */
        text[i] = text[i] == 'A' ? 'B' : 'A';
        assert_int_equal(harness_delete("q", slice_of(text, handle.size))->error.code, SQS_RECEIPT_HANDLE_INVALID);
        text[i] = handle.data[i];
    }
    assert_counts("q", 0, 1, 0);
}

static struct call *send_batch(const char *queue, const struct sqs_send_entry *entries, size_t count)
{
    struct sqs_send_message_batch_in in;
    shape_clear(&sqs_send_message_batch_in_shape, &in);
    in.queue_url = slice_str(queue);
    in.entries = (struct values){ .items = (void *)(uintptr_t)entries, .count = count, .is_set = true };
    return harness_call(OP_sqs_send_message_batch, &in);
}

static struct sqs_send_entry entry(const char *id, const char *body, const char *group, const char *dedup)
{
    struct sqs_send_entry e;
    shape_clear(&sqs_send_entry_shape, &e);
    e.id = slice_str(id);
    e.body = slice_str(body);
    e.group_id = slice_str(group);
    e.dedup_id = slice_str(dedup);
    return e;
}

static void test_batches(void **state)
{
    (void)state;
    begin("q", (const char *[]){ "MaximumMessageSize", "1024", NULL });
    char long_body[1026];
    memset(long_body, 'x', 1025);
    long_body[1025] = 0;
    struct sqs_send_entry entries[3] = { entry("a", "1", NULL, NULL), entry("b", long_body, NULL, NULL),
        entry("c", "\x02", NULL, NULL) };
    struct call *c = send_batch("q", entries, 3);
    assert_works(c);
    const struct sqs_send_message_batch_out *out = c->out;
    assert_int_equal(out->successful.count, 1);
    assert_int_equal(out->failed.count, 2);
    const struct sqs_batch_error *errors = out->failed.items;
    assert_text(errors[0].id, "b");
    assert_text(errors[0].code, "InvalidParameterValue");
    assert_text(errors[0].message,
        "One or more parameters cannot be validated. Reason: Message must be shorter than 1024 bytes.");
    assert_int_equal(errors[0].sender_fault, 1);
    assert_text(errors[1].code, "InvalidMessageContents");
    assert_counts("q", 1, 0, 0);
    struct call *r = take("q", 10);
    struct sqs_delete_entry deletes[3] = { { SLICE("x"), received(r, 0)->receipt_handle }, { SLICE("y"), SLICE("bad") },
        { SLICE("z"), received(r, 0)->receipt_handle } };
    struct sqs_delete_message_batch_in in = { .queue_url = SLICE("q"), .entries = { deletes, 3, true } };
    const struct sqs_delete_message_batch_out *deleted = harness_call(OP_sqs_delete_message_batch, &in)->out;
    assert_int_equal(deleted->successful.count, 2);
    assert_int_equal(deleted->failed.count, 1);
    assert_text(((struct sqs_batch_error *)deleted->failed.items)->code, "ReceiptHandleIsInvalid");
    assert_counts("q", 0, 0, 0);
}

static void test_fifo_batch(void **state)
{
    (void)state;
    begin("q.fifo", fifo);
    struct sqs_send_entry entries[4] = { entry("a", "1", "g", "d1"), entry("b", "2", "g", "d2"),
        entry("c", "3", "g", "d1"), entry("d", "4", "h", "d4") };
    struct call *c = send_batch("q.fifo", entries, 4);
    const struct sqs_send_message_batch_out *out = c->out;
    assert_int_equal(out->successful.count, 4);
    const struct sqs_send_result *results = out->successful.items;
    assert_slice_(results[0].message_id, results[2].message_id); /* a duplicate inside the batch */
    assert_slice_(results[0].sequence_number, results[2].sequence_number);
    assert_counts("q.fifo", 3, 0, 0);
    entries[1].group_id = SLICE_NONE; /* whole-request */
    assert_fails(send_batch("q.fifo", entries, 4), SQS_INVALID_PARAMETER,
        "The request must contain the parameter MessageGroupId.");
    assert_bodies(take("q.fifo", 10), "124");
}

static void test_visibility_batch(void **state)
{
    (void)state;
    begin("q", NULL);
    send("q", "a");
    send("q", "b");
    struct call *r = take("q", 10);
    struct sqs_visibility_entry entries[4] = {
        { SLICE("1"), received(r, 0)->receipt_handle, 0 },
        { SLICE("2"), received(r, 1)->receipt_handle, 43201 },
        { SLICE("3"), received(r, 1)->receipt_handle, INT_ABSENT },
        { SLICE("4"), SLICE("bad"), 5 },
    };
    struct sqs_change_message_visibility_batch_in in = { .queue_url = SLICE("q"), .entries = { entries, 4, true } };
    const struct sqs_change_message_visibility_batch_out *out =
        harness_call(OP_sqs_change_message_visibility_batch, &in)->out;
    assert_int_equal(out->successful.count, 1);
    assert_int_equal(out->failed.count, 3);
    const struct sqs_batch_error *errors = out->failed.items;
    assert_text(errors[0].code, "InvalidParameterValue");
    assert_text(errors[1].code, "MissingParameter");
    assert_text(errors[2].code, "ReceiptHandleIsInvalid");
    assert_counts("q", 1, 1, 0);
}

/* ---- fair queues ------------------------------------------------------------------------------------------------------------- */

static void test_quiet_tenants_first(void **state)
{
    (void)state;
    begin("q", (const char *[]){ "VisibilityTimeout", "600", NULL });
    for (int i = 0; i < 2000; i++) {
        assert_works(harness_send(&(struct sent){ .queue = "q", .body = "noisy", .group = "noisy", .delay_s = -1 }));
        if (i % 500 == 0)
            harness_forget();
    }
    for (int i = 0; i < 10; i++)
        take("q", 10);
    assert_int_equal(harness_queue("q")->in_flight, 100); /* alone it gets everything */
    for (int i = 0; i < 100; i++) {
        char group[16];
        snprintf(group, sizeof(group), "quiet%d", i);
        assert_works(harness_send(&(struct sent){ .queue = "q", .body = "quiet", .group = group, .delay_s = -1 }));
    }
    assert_works(harness_send(&(struct sent){ .queue = "q", .body = "alone", .delay_s = -1 }));
    size_t quiet = 0, alone = 0;
    for (int i = 0; i < 10; i++) {
        struct call *r = take("q", 10);
        assert_int_equal(received_count(r), 10);
        for (size_t k = 0; k < 10; k++) {
            quiet += slice_equal(received(r, k)->body, SLICE("quiet"));
            alone += slice_equal(received(r, k)->body, SLICE("alone"));
        }
    }
    assert_int_equal(quiet, 100);
    struct call *r = take("q", 2);
    alone += slice_equal(received(r, 0)->body, SLICE("alone"));
    assert_int_equal(alone, 1);
    assert_text(received(r, 1)->body, "noisy"); /* nobody quiet waits: it is served */
    assert_text(received_attribute(received(r, 1), "MessageGroupId"), "noisy");
    assert_int_equal(harness_queue("q")->in_flight, 202);
}

static size_t take_and_count(const char *body)
{
    struct call *r = take("q", 10);
    size_t count = 0;
    for (size_t i = 0; i < received_count(r); i++)
        count += slice_equal(received(r, i)->body, slice_str(body));
    return count;
}

static void send_tenant(const char *body, const char *tenant, int count)
{
    for (int i = 0; i < count; i++)
        assert_works(harness_send(&(struct sent){ .queue = "q", .body = body, .group = tenant, .delay_s = -1 }));
}

/* Few in flight, but for long: its share of the processing time makes it noisy. */
static void test_slow_tenant_is_noisy(void **state)
{
    (void)state;
    begin("q", (const char *[]){ "VisibilityTimeout", "600", NULL });
    send_tenant("slow", "slow", 40);
    take("q", 5);
    harness_pass(70000);
    assert_int_equal(harness_queue("q")->in_flight, 5);
    send_tenant("quick", "quick", 10);
    assert_int_equal(take_and_count("quick"), 10); /* though they came last */
    assert_int_equal(take_and_count("slow"), 10);
}

static void test_noise_ends(void **state)
{
    (void)state;
    begin("q", (const char *[]){ "VisibilityTimeout", "43200", NULL });
    send_tenant("noisy", "noisy", 80);
    for (int i = 0; i < 4; i++)
        take("q", 10);
    send_tenant("quiet", "quiet", 20);
    assert_int_equal(take_and_count("quiet"), 10);
    harness_pass(SQS_NOISY_QUIET_MS); /* it sent nothing for so long: its turn is by age again */
    assert_int_equal(take_and_count("noisy"), 10);
}

/* Among noisy tenants the one with the fewest in flight comes first, whoever sent first. */
static void test_noisy_tenants_in_turn(void **state)
{
    (void)state;
    begin("q", (const char *[]){ "VisibilityTimeout", "43200", NULL });
    send_tenant("A", "a", 100);
    for (int i = 0; i < 6; i++)
        assert_int_equal(take_and_count("A"), 10);
    send_tenant("B", "b", 100);
    for (int i = 0; i < 4; i++) /* quiet until it has 30 in flight, then the fewer of two noisy ones */
        assert_int_equal(take_and_count("B"), 10);
    size_t of_b = 40;
    for (int i = 0; i < 4; i++)
        of_b += take_and_count("B");
    assert_int_equal(of_b, 70); /* at 60 and 60 they take turns */
    assert_int_equal(harness_queue("q")->in_flight, 140);
}

/* A group that is locked costs the others nothing, wherever it stands. */
static void test_blocked_group_at_the_head(void **state)
{
    (void)state;
    begin("q.fifo", fifo);
    for (int i = 0; i < 200; i++) {
        char body[16];
        snprintf(body, sizeof(body), "b%d", i);
        send_group("q.fifo", body, "blocked");
    }
    assert_int_equal(received_count(take("q.fifo", 1)), 1);
    for (int i = 0; i < 20; i++) {
        char body[16], group[16];
        snprintf(body, sizeof(body), "f%d", i);
        snprintf(group, sizeof(group), "g%d", i);
        send_group("q.fifo", body, group);
    }
    assert_int_equal(received_count(take("q.fifo", 10)), 10);
    assert_int_equal(received_count(take("q.fifo", 10)), 10);
    assert_int_equal(received_count(take("q.fifo", 10)), 0);
    assert_counts("q.fifo", 199, 21, 0);
}

static void test_tenants_are_freed(void **state)
{
    (void)state;
    begin("q", NULL);
    for (int i = 0; i < 50; i++) {
        char group[16];
        snprintf(group, sizeof(group), "t%d", i);
        assert_works(harness_send(&(struct sent){ .queue = "q", .body = "x", .group = group, .delay_s = -1 }));
    }
    assert_int_equal(harness_queue("q")->groups.count, 50);
    for (int i = 0; i < 5; i++) {
        struct call *r = take("q", 10);
        for (size_t k = 0; k < received_count(r); k++)
            assert_works(harness_delete("q", received(r, k)->receipt_handle));
    }
    assert_int_equal(harness_queue("q")->groups.count, 0);
    assert_null(harness_queue("q")->fair);
}

/* ---- bounds ------------------------------------------------------------------------------------------------------------------- */

/* As many in flight as there may be, ten more waiting; a group for each batch when `group` is not NULL. The last receive's
 * first handle. */
static struct slice fill_in_flight(const char *queue, const char *group)
{
    static char handle[RECEIPT_TEXT_BYTES];
    for (int i = 0; i < SQS_IN_FLIGHT_MAX / 10 + 1; i++) {
        struct sqs_send_entry entries[10];
        char *name = arena_alloc(&harness_arena, 24);
        snprintf(name, 24, "%s%d", group ? group : "", i);
        for (int k = 0; k < 10; k++) {
            char *id = arena_alloc(&harness_arena, 24);
            snprintf(id, 24, "%d-%d", i, k);
            entries[k] = entry(id, "x", group ? name : NULL, group ? id : NULL);
        }
        assert_works(send_batch(queue, entries, 10));
        if (i < SQS_IN_FLIGHT_MAX / 10) {
            struct call *r = take(queue, 10);
            assert_int_equal(received_count(r), 10);
            memcpy(handle, received(r, 0)->receipt_handle.data, sizeof(handle));
        }
        harness_forget();
    }
    return slice_of(handle, sizeof(handle));
}

static void test_in_flight_cap(void **state)
{
    (void)state;
    begin("q", (const char *[]){ "VisibilityTimeout", "43200", NULL });
    struct slice handle = fill_in_flight("q", NULL);
    assert_counts("q", 10, SQS_IN_FLIGHT_MAX, 0);
    struct call *c = harness_receive(&(struct wanted){ .queue = "q", .max = 10, .visibility_s = -1, .wait_s = 0 });
    assert_int_equal(c->error.code, SQS_OVER_LIMIT);
    struct harness_call *h = poll("q", 5);
    harness_pass(5000);
    assert_polled(h, ""); /* a long poll is just empty */
    h = poll("q", 5);
    assert_works(harness_delete("q", handle));
    assert_polled(h, "x"); /* one left: there is room again */
}

static void test_fifo_in_flight_cap(void **state)
{
    (void)state;
    begin("q.fifo", (const char *[]){ "FifoQueue", "true", "VisibilityTimeout", "43200", NULL });
    fill_in_flight("q.fifo", "g");
    assert_counts("q.fifo", 10, SQS_IN_FLIGHT_MAX, 0);
    assert_int_equal(received_count(take("q.fifo", 10)), 0); /* no error: nothing is returned */
    struct harness_call *h = poll("q.fifo", 5);
    harness_pass(5000);
    assert_polled(h, "");
}

/* ---- quotas = aws -------------------------------------------------------------------------------------------------------------- */

static size_t send_until_refused(const char *queue, size_t max)
{
    const char *dedup = strchr(queue, '.') ? "d" : NULL; /* one message, sent again and again */
    for (size_t count = 0; count < max; count++) {
        const struct call *c =
            harness_send(&(struct sent){ .queue = queue, .body = "x", .group = "g", .dedup = dedup, .delay_s = -1 });
        if (failed(c->error)) {
            assert_int_equal(c->error.code, SQS_REQUEST_THROTTLED);
            return count;
        }
    }
    return max;
}

static void test_fifo_rates(void **state)
{
    (void)state;
    begin("q.fifo", fifo);
    begin("fast.fifo", (const char *[]){ "FifoQueue", "true", "DeduplicationScope", "messageGroup",
                           "FifoThroughputLimit", "perMessageGroupId", NULL });
    begin("q", NULL);
    assert_int_equal(send_until_refused("q.fifo", 400), 400); /* off unless asked for */
    sqs_quotas.is_aws = true;
    harness_pass(1000);
    assert_int_equal(send_until_refused("q.fifo", 400), 300);
    struct sqs_send_entry batch = entry("a", "x", "g", "e");
    assert_int_equal(send_batch("q.fifo", &batch, 1)->error.code, SQS_REQUEST_THROTTLED); /* the same action */
    assert_works(take("q.fifo", 1));                                                      /* another one */
    harness_pass(1000);
    assert_int_equal(send_until_refused("q.fifo", 400), 300);
    assert_int_equal(send_until_refused("fast.fifo", 400), 400);
    assert_int_equal(send_until_refused("q", 400), 400);
    sqs_quotas.is_aws = false;
}

static void test_idle_queue_is_small(void **state)
{
    (void)state;
    assert_in_range(sizeof(struct queue), 0, 640);
    assert_in_range(sizeof(struct group), 0, 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(test_life),
        TEST(test_visibility),
        TEST(test_visibility_cap),
        TEST(test_visibility_zero_receive),
        TEST(test_order_after_return),
        TEST(test_delay),
        TEST(test_retention),
        TEST(test_retention_without_traffic),
        TEST(test_purge),
        TEST(test_long_poll),
        TEST(test_long_poll_of_deleted_queue),
        TEST(test_many_polls),
        TEST(test_undo),
        TEST(test_fifo_groups),
        TEST(test_fifo_batch_takes_one_group_first),
        TEST(test_fifo_extended_middle),
        TEST(test_fifo_visibility_zero),
        TEST(test_fifo_groups_take_turns),
        TEST(test_fifo_handles_expire),
        TEST(test_fifo_dedup),
        TEST(test_fifo_dedup_scope_is_born),
        TEST(test_fifo_content_dedup),
        TEST(test_fifo_delay_is_retroactive),
        TEST(test_fifo_attempt),
        TEST(test_fifo_polls),
        TEST(test_send_errors),
        TEST(test_handle_errors),
        TEST(test_batches),
        TEST(test_fifo_batch),
        TEST(test_visibility_batch),
        TEST(test_quiet_tenants_first),
        TEST(test_slow_tenant_is_noisy),
        TEST(test_noise_ends),
        TEST(test_noisy_tenants_in_turn),
        TEST(test_blocked_group_at_the_head),
        TEST(test_tenants_are_freed),
        TEST(test_in_flight_cap),
        TEST(test_fifo_in_flight_cap),
        TEST(test_fifo_rates),
        TEST(test_idle_queue_is_small),
    };
    log_set_level(LOG_WARN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

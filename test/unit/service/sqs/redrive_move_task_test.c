/* Message move tasks against the contract, sections 1.4, 1.5 and 2.1 "Move task". */
#include "base/text.h"
#include "redrive_harness.h"
#include "service/sqs/catalog.h"

static char dir[32];

static int setup(void **state)
{
    static int number;
    (void)state;
    snprintf(dir, sizeof(dir), "/move%d", number++);
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

static void assert_task(const char *dead, const char *status, int64_t moved, int64_t to_move)
{
    const struct sqs_move_task *t = redrive_task(dead, 0);
    assert_text(t->status, status);
    assert_int_equal(t->moved, moved);
    assert_int_equal(t->to_move, to_move);
}

/* Rounds of a sync and a millisecond each. */
static void rounds(int count)
{
    while (count--) {
        redrive_sync();
        harness_pass(1);
    }
}

/* ---- moving ---------------------------------------------------------------------------------------------------------------- */

static void test_back_to_the_source(void **state)
{
    (void)state;
    redrive_pair("q", "dead", 1);
    redrive_bury("q", "dead", "abc");
    struct slice old = received(redrive_take("dead", 1, 0), 0)->message_id;
    uint64_t started_ms = harness_ms;
    struct slice handle = redrive_handle(redrive_start(redrive_arn("dead"), NULL, -1));
    assert_slice_(redrive_task("dead", 0)->task_handle, handle);
    assert_text(redrive_task("dead", 0)->status, "RUNNING");
    harness_pass(500);
    redrive_settle();
    uint64_t moved_ms = harness_ms;
    const struct sqs_move_task *t = redrive_task("dead", 0);
    assert_text(t->status, "COMPLETED");
    assert_text(t->source_arn, redrive_arn("dead"));
    assert_true(slice_is_none(t->task_handle) && slice_is_none(t->destination_arn) && slice_is_none(t->failure_reason));
    assert_int_equal(t->moved, 3);
    assert_int_equal(t->to_move, 3);
    assert_int_equal(t->started_ms, started_ms);
    assert_int_equal(t->max_per_second, INT_ABSENT);
    redrive_counts("dead", 0, 0, 0);
    struct call *r = redrive_take("q", 10, 0);
    redrive_bodies(r, "abc");
    const struct sqs_message *m = received(r, 0);
    assert_false(slice_equal(m->message_id, old)); /* they are new messages */
    assert_text(received_attribute(m, "ApproximateReceiveCount"), "1");
    assert_true(slice_is_none(received_attribute(m, "DeadLetterQueueSourceArn")));
    uint64_t sent_ms;
    assert_true(text_parse_u64(received_attribute(m, "SentTimestamp"), &sent_ms));
    assert_in_range(sent_ms, started_ms, moved_ms);
    assert_int_equal(harness_queue("q")->figures.sent, 3); /* those of redrive_bury */
}

static void test_each_to_its_own_source(void **state)
{
    (void)state;
    redrive_pair("one", "dead", 1);
    redrive_pair("two", "dead", 1);
    redrive_bury("one", "dead", "a");
    redrive_bury("two", "dead", "b");
    redrive_bury("one", "dead", "c");
    assert_works(redrive_start(redrive_arn("dead"), NULL, -1));
    redrive_settle();
    assert_task("dead", "COMPLETED", 3, 3);
    redrive_bodies(redrive_take("one", 10, 10), "ac");
    redrive_bodies(redrive_take("two", 10, 10), "b");
}

static void test_to_another_queue(void **state)
{
    (void)state;
    redrive_pair("q", "dead", 1);
    harness_create("target", (const char *[]){ "DelaySeconds", "5", NULL });
    redrive_bury("q", "dead", "ab");
    redrive_send("dead", "c"); /* sent here, from no queue: with a destination that is no matter */
    assert_works(redrive_start(redrive_arn("dead"), redrive_arn("target"), -1));
    redrive_settle();
    assert_task("dead", "COMPLETED", 3, 3);
    assert_text(redrive_task("dead", 0)->destination_arn, redrive_arn("target"));
    redrive_bodies(redrive_take("target", 10, 10), "abc"); /* without its delay: nobody sent them there */
    redrive_counts("q", 0, 0, 0);
}

static void test_fifo(void **state)
{
    (void)state;
    redrive_pair("q.fifo", "dead.fifo", 1);
    for (const char *body = "a\0b\0c\0"; *body; body += 2)
        assert_works(harness_send(
            &(struct sent){ .queue = "q.fifo", .body = body, .group = "g", .dedup = body, .delay_s = -1 }));
    redrive_bodies(redrive_take("q.fifo", 10, 0), "abc");
    redrive_take("q.fifo", 10, 0);
    redrive_settle();
    redrive_counts("dead.fifo", 3, 0, 0);
    assert_works(redrive_start(redrive_arn("dead.fifo"), NULL, -1));
    redrive_settle();
    assert_task("dead.fifo", "COMPLETED", 3, 3);
    struct call *r = redrive_take("q.fifo", 10, 10);
    redrive_bodies(r, "abc"); /* though the queue saw their deduplication ids just now */
    assert_text(received_attribute(received(r, 0), "MessageGroupId"), "g");
    assert_text(received_attribute(received(r, 0), "ApproximateReceiveCount"), "1");
}

static void test_nothing_to_move(void **state)
{
    (void)state;
    redrive_pair("q", "dead", 1);
    assert_works(redrive_start(redrive_arn("dead"), NULL, -1));
    redrive_settle();
    assert_task("dead", "COMPLETED", 0, 0);
}

static void test_what_is_in_flight_stays(void **state)
{
    (void)state;
    redrive_pair("q", "dead", 1);
    redrive_bury("q", "dead", "abc");
    redrive_take("dead", 1, 100);
    assert_works(redrive_start(redrive_arn("dead"), NULL, -1));
    redrive_settle();
    assert_task("dead", "COMPLETED", 2, 2);
    redrive_counts("dead", 0, 1, 0);
}

static void test_many(void **state)
{
    (void)state;
    redrive_pair("q", "dead", 1);
    for (int i = 0; i < 1500; i++) {
        redrive_send("dead", "x");
        if (i % 500 == 0)
            harness_forget();
    }
    harness_create("target", NULL);
    assert_works(redrive_start(redrive_arn("dead"), redrive_arn("target"), -1));
    rounds(1);
    assert_in_range(harness_queue("dead")->in_transit, 1, MOVE_WINDOW);
    redrive_settle();
    assert_task("dead", "COMPLETED", 1500, 1500);
    redrive_counts("dead", 0, 0, 0);
    redrive_counts("target", 1500, 0, 0);
}

/* ---- rate ------------------------------------------------------------------------------------------------------------------- */

static void test_rate(void **state)
{
    (void)state;
    static const struct {
        int64_t rate;
        uint64_t pass_ms, least, most;
    } rows[] = { { 1, 3000, 3, 4 }, { 7, 2000, 13, 15 }, { 100, 1000, 100, 120 }, { 500, 400, 190, 250 } };
    redrive_pair("q", "dead", 1);
    harness_create("target", NULL);
    for (int i = 0; i < 1000; i++)
        redrive_send("dead", "x");
    harness_forget();
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        uint64_t before = harness_queue("target")->messages;
        struct slice handle = redrive_handle(redrive_start(redrive_arn("dead"), redrive_arn("target"), rows[i].rate));
        assert_int_equal(redrive_task("dead", 0)->max_per_second, rows[i].rate);
        rounds((int)rows[i].pass_ms);
        assert_in_range(harness_queue("target")->messages - before, rows[i].least, rows[i].most);
        assert_works(redrive_cancel(handle));
        redrive_settle();
        harness_forget();
    }
}

/* ---- cancelling ------------------------------------------------------------------------------------------------------------- */

static void test_cancel(void **state)
{
    (void)state;
    redrive_pair("q", "dead", 1);
    redrive_bury("q", "dead", "abcdef");
    struct slice handle = redrive_handle(redrive_start(redrive_arn("dead"), NULL, 1));
    rounds(1500);
    assert_text(redrive_task("dead", 0)->status, "RUNNING");
    assert_fails(redrive_start(redrive_arn("dead"), NULL, -1), SQS_INVALID_PARAMETER,
        "There is already a task running. Only one active task is allowed for a source queue arn at a given time.");
    harness_pass(1000); /* one more is in transit */
    struct call *c = redrive_cancel(handle);
    assert_works(c);
    assert_int_equal(((const struct sqs_cancel_message_move_task_out *)c->out)->moved, 2);
    const struct sqs_move_task *t = redrive_task("dead", 0);
    assert_text(t->status, "CANCELLING");
    assert_true(slice_is_none(t->task_handle));
    redrive_settle();
    assert_task("dead", "CANCELLED", 3, 6);
    redrive_counts("dead", 3, 0, 0);
    redrive_counts("q", 3, 0, 0);
    assert_int_equal(redrive_cancel(handle)->error.code, SQS_UNSUPPORTED_OPERATION);
    harness_pass(10000);
    redrive_counts("q", 3, 0, 0);
    assert_works(redrive_start(redrive_arn("dead"), NULL, -1)); /* another one may start now */
    redrive_settle();
    assert_task("dead", "COMPLETED", 3, 3);
}

/* ---- failing ------------------------------------------------------------------------------------------------------------------ */

static void test_the_destination_vanishes(void **state)
{
    (void)state;
    redrive_pair("q", "dead", 1);
    harness_create("target", NULL);
    redrive_bury("q", "dead", "abcd");
    assert_works(redrive_start(redrive_arn("dead"), redrive_arn("target"), 1));
    rounds(1);
    redrive_delete_queue("target"); /* with one message there */
    rounds(2000);
    assert_task("dead", "FAILED", 1, 4);
    assert_text(redrive_task("dead", 0)->failure_reason, "AWS.SimpleQueueService.NonExistentQueue");
    redrive_counts("dead", 3, 0, 0);
}

static void test_the_destination_vanishes_meanwhile(void **state)
{
    (void)state;
    redrive_pair("q", "dead", 1);
    harness_create("target", NULL);
    redrive_bury("q", "dead", "abcd");
    assert_works(redrive_start(redrive_arn("dead"), redrive_arn("target"), -1));
    redrive_counts("dead", 0, 0, 4);
    redrive_delete_queue("target");
    redrive_settle();
    assert_task("dead", "FAILED", 0, 4);
    assert_text(redrive_task("dead", 0)->failure_reason, "AWS.SimpleQueueService.NonExistentQueue");
    redrive_bodies(redrive_take("dead", 10, 0), "abcd"); /* all are back, none is lost */
}

static void test_a_message_from_nowhere(void **state)
{
    (void)state;
    redrive_pair("q", "dead", 1);
    redrive_bury("q", "dead", "a");
    redrive_send("dead", "b");
    redrive_bury("q", "dead", "c");
    assert_works(redrive_start(redrive_arn("dead"), NULL, -1));
    redrive_settle();
    assert_task("dead", "FAILED", 1, 3);
    assert_text(redrive_task("dead", 0)->failure_reason, "CouldNotDetermineMessageSource");
    redrive_bodies(redrive_take("dead", 10, 0), "bc");
}

static void test_the_source_is_deleted(void **state)
{
    (void)state;
    redrive_pair("q", "dead", 1);
    harness_create("target", NULL);
    redrive_bury("q", "dead", "abc");
    assert_works(redrive_start(redrive_arn("dead"), redrive_arn("target"), -1));
    redrive_counts("dead", 0, 0, 3);
    redrive_delete_queue("dead"); /* the task goes with it; what is in transit still comes */
    redrive_settle();
    redrive_counts("target", 3, 0, 0);
    assert_fails(redrive_list(redrive_arn("dead"), -1), SQS_RESOURCE_NOT_FOUND,
        "The resource that you specified for the SourceArn parameter doesn't exist.");
    redrive_restart(dir, true);
}

static void test_the_source_is_purged(void **state)
{
    (void)state;
    redrive_pair("q", "dead", 1);
    redrive_bury("q", "dead", "abc");
    assert_works(redrive_start(redrive_arn("dead"), NULL, 1));
    assert_works(harness_purge("dead"));
    redrive_restart(dir, true);
    rounds(1500);
    assert_task("dead", "COMPLETED", 1, 3); /* one was on its way */
    redrive_counts("q", 1, 0, 0);
}

/* ---- refused ----------------------------------------------------------------------------------------------------------------- */

static struct slice handle_of(const char *json)
{
    char *text = arena_alloc(&harness_arena, BASE64_ENCODED_BYTES(strlen(json)));
    return slice_of(text, text_base64_encode(json, strlen(json), text));
}

static void test_bad_starts(void **state)
{
    (void)state;
    redrive_pair("q", "dead", 1);
    redrive_pair("q.fifo", "dead.fifo", 1);
    const struct {
        const char *source, *destination;
        int64_t rate;
        uint32_t code;
        const char *text;
    } rows[] = {
        { "", NULL, -1, SQS_MISSING_PARAMETER, "The request must contain the parameter SourceArn." },
        { redrive_arn("q"), NULL, -1, SQS_INVALID_PARAMETER,
            "Source queue must be configured as a Dead Letter Queue." },
        { redrive_arn("no"), NULL, -1, SQS_RESOURCE_NOT_FOUND,
            "The resource that you specified for the SourceArn parameter doesn't exist." },
        { "arn:aws:sns:us-east-1:000000000000:dead", NULL, -1, SQS_RESOURCE_NOT_FOUND,
            "The resource that you specified for the SourceArn parameter doesn't exist." },
        { redrive_arn("dead"), redrive_arn("no"), -1, SQS_RESOURCE_NOT_FOUND,
            "The resource that you specified for the DestinationArn parameter doesn't exist." },
        { redrive_arn("dead"), "arn:aws:sqs:us-east-1:111111111111:q", -1, SQS_RESOURCE_NOT_FOUND,
            "The resource that you specified for the DestinationArn parameter doesn't exist." },
        { redrive_arn("dead"), redrive_arn("dead"), -1, SQS_INVALID_PARAMETER, NULL },
        { redrive_arn("dead"), redrive_arn("q.fifo"), -1, SQS_INVALID_PARAMETER, NULL },
        { redrive_arn("dead"), NULL, 501, SQS_INVALID_PARAMETER, NULL },
        { redrive_arn("dead"), NULL, 0, SQS_INVALID_PARAMETER, NULL },
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        const struct call *c =
            redrive_start(*rows[i].source ? rows[i].source : NULL, rows[i].destination, rows[i].rate);
        assert_int_equal(c->error.code, rows[i].code);
        if (rows[i].text)
            assert_text(c->error_message, rows[i].text);
    }
    assert_int_equal(
        ((const struct sqs_list_message_move_tasks_out *)redrive_list(redrive_arn("dead"), -1)->out)->results.count, 0);
}

static void test_bad_handles(void **state)
{
    (void)state;
    redrive_pair("q", "dead", 1);
    const char *const invalid[] = { "{\"taskId\":\"x\"}", "{\"sourceArn\":\"arn:aws:sqs:us-east-1:000000000000:dead\"}",
        "[]", "{", "{\"taskId\":1,\"sourceArn\":\"arn:aws:sqs:us-east-1:000000000000:dead\"}",
        "{\"taskId\":\"x\",\"sourceArn\":\"dead\"}" };
    for (size_t i = 0; i < ARRAY_COUNT(invalid); i++)
        assert_fails(
            redrive_cancel(handle_of(invalid[i])), SQS_INVALID_PARAMETER, "Value for parameter TaskHandle is invalid.");
    assert_fails(redrive_cancel(SLICE("garbage")), SQS_INVALID_PARAMETER, "Value for parameter TaskHandle is invalid.");
    assert_fails(redrive_cancel(handle_of("{\"taskId\":\"10f57c4d-6b35-4e22-8c9f-31b2f5c2e6a0\",\"sourceArn\":"
                                          "\"arn:aws:sqs:us-east-1:000000000000:dead\"}")),
        SQS_RESOURCE_NOT_FOUND, "Task does not exist.");
    assert_fails(redrive_cancel(handle_of("{\"taskId\":\"10f57c4d-6b35-4e22-8c9f-31b2f5c2e6a0\",\"sourceArn\":"
                                          "\"arn:aws:sqs:us-east-1:000000000000:no\"}")),
        SQS_RESOURCE_NOT_FOUND, "The resource that you specified for the SourceArn parameter doesn't exist.");
}

static void test_crafted_handle(void **state)
{
    (void)state;
    redrive_pair("q", "dead", 1);
    redrive_bury("q", "dead", "ab");
    struct slice handle = redrive_handle(redrive_start(redrive_arn("dead"), NULL, 1));
    char json[512];
    size_t size = 0;
    assert_true(handle.size < sizeof(json) && text_base64_decode(handle, json, &size));
    json[size] = 0;
    char *id = strstr(json, "\"taskId\":\"");
    assert_non_null(id);
    struct slice crafted = arena_printf(&harness_arena,
        "{ \"other\": [1], \"sourceArn\": \"%s\", \"taskId\": \"%.36s\" }%c", redrive_arn("dead"), id + 10, 0);
    assert_works(redrive_cancel(handle_of(crafted.data)));
}

static void test_of_another_account(void **state)
{
    (void)state;
    redrive_pair("q", "dead", 1);
    struct sqs_list_message_move_tasks_in in;
    shape_clear(&sqs_list_message_move_tasks_in_shape, &in);
    in.source_arn = slice_str(redrive_arn("dead"));
    struct harness_call *h = harness_start_as("111111111111", OP_sqs_list_message_move_tasks, &in);
    assert_int_equal(h->call.error.code, API_ACCESS_DENIED);
    harness_end(h);
}

/* ---- quotas ---------------------------------------------------------------------------------------------------------------- */

enum { HOUR_MS = 3600 * 1000 };

/* As if the server had been down, or its processor somebody else's: nothing happens in between. */
static void leap(uint64_t ms)
{
    harness_ms += ms;
    owners_tick(0, 1, harness_ms);
}

/* Begins to move three messages, one a second: it is active until time passes. */
static struct call *start_slowly(const char *dead)
{
    for (int i = 0; i < 3; i++)
        redrive_send(dead, "x");
    return redrive_start(redrive_arn(dead), redrive_arn("target"), 1);
}

static void test_a_task_has_36_hours(void **state)
{
    const struct {
        bool is_aws;
        uint64_t ms;
        const char *status, *reason;
        int64_t moved;
    } rows[] = { { true, 36ull * HOUR_MS, "FAILED", "OverLimit", 1 },
        { true, 36ull * HOUR_MS - 100, "COMPLETED", NULL, 3 }, { false, 40ull * HOUR_MS, "COMPLETED", NULL, 3 } };
    (void)state;
    harness_create("target", NULL);
    redrive_pair("q", "dead", 1);
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        sqs_quotas = rows[i].is_aws ? sqs_quotas_aws : (struct sqs_quotas){ 0 };
        uint64_t started_ms = harness_ms;
        assert_works(start_slowly("dead"));
        rounds(10);
        assert_task("dead", "RUNNING", 1, 3);
        leap(started_ms + rows[i].ms - harness_ms);
        if (rows[i].moved == 3) { /* two more slices of one message, a second apart */
            rounds(10);
            sqs_quotas.move_task_ms_max = 0;
        }
        redrive_settle();
        const struct sqs_move_task *t = redrive_task("dead", 0);
        assert_task("dead", rows[i].status, rows[i].moved, 3);
        assert_true(rows[i].reason ? slice_equal(t->failure_reason, slice_str(rows[i].reason))
                                   : slice_is_none(t->failure_reason));
        redrive_counts("dead", 3 - (uint64_t)rows[i].moved, 0, 0);
        redrive_restart(dir, i % 2); /* what ended is over, whoever reads it */
        assert_task("dead", rows[i].status, rows[i].moved, 3);
        assert_works(harness_purge("dead"));
    }
    sqs_quotas = (struct sqs_quotas){ 0 };
}

static void test_the_tasks_of_an_account(void **state)
{
    char names[SQS_MOVE_TASKS_MAX + 1][16], source[16];
    (void)state;
    sqs_quotas = sqs_quotas_aws;
    harness_create("target", NULL);
    for (int i = 0; i <= SQS_MOVE_TASKS_MAX; i++) {
        snprintf(names[i], sizeof(names[i]), "dead%d", i);
        snprintf(source, sizeof(source), "q%d", i);
        redrive_pair(source, names[i], 1);
    }
    for (int i = 0; i < SQS_MOVE_TASKS_MAX; i++)
        assert_works(start_slowly(names[i]));
    const char *last = names[SQS_MOVE_TASKS_MAX];
    assert_fails(start_slowly(last), SQS_OVER_LIMIT,
        "100 message move tasks of this account are active, which is the maximum: start again when one has ended, or "
        "cancel one.");
    redrive_restart(dir, true);
    assert_int_equal(start_slowly(last)->error.code, SQS_OVER_LIMIT); /* they still are */
    redrive_restart(dir, false);
    assert_int_equal(start_slowly(last)->error.code, SQS_OVER_LIMIT);
    assert_int_equal(start_slowly(names[0])->error.code, SQS_INVALID_PARAMETER); /* it has one already */
    redrive_delete_queue(names[3]);
    assert_works(start_slowly(last));
    assert_int_equal(sqs_catalog_moving(slice_str("000000000000"), 1000), SQS_MOVE_TASKS_MAX);
    assert_int_equal(sqs_catalog_moving(slice_str("000000000001"), 1000), 0);
    sqs_quotas = (struct sqs_quotas){ 0 };
    for (int i = 0; i < 20; i++) {
        harness_pass(1000);
        redrive_sync();
    }
    redrive_settle();
    assert_int_equal(sqs_catalog_moving(slice_str("000000000000"), 1000), 0);
}

/* ---- lists, and what stays ------------------------------------------------------------------------------------------------------ */

static void test_the_last_ones_are_kept(void **state)
{
    (void)state;
    redrive_pair("q", "dead", 1);
    harness_create("target", NULL);
    for (int i = 0; i < MOVE_TASKS_KEPT + 3; i++) {
        redrive_send("dead", "x");
        if (i % 2)
            redrive_send("dead", "x");
        assert_works(redrive_start(redrive_arn("dead"), redrive_arn("target"), -1));
        redrive_settle();
    }
    const struct call *c = redrive_list(redrive_arn("dead"), -1);
    assert_int_equal(((const struct sqs_list_message_move_tasks_out *)c->out)->results.count, 1);
    for (size_t i = 0; i < MOVE_TASKS_KEPT; i++) /* newest first */
        assert_int_equal(redrive_task("dead", i)->to_move, i % 2 ? 2 : 1);
    const int64_t bad[] = { 0, 11 };
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
        assert_int_equal(redrive_list(redrive_arn("dead"), bad[i])->error.code, SQS_INVALID_PARAMETER);
    assert_int_equal(harness_queue("dead")->moves->count, MOVE_TASKS_KEPT);
    redrive_restart(dir, true);
    for (size_t i = 0; i < MOVE_TASKS_KEPT; i++)
        assert_int_equal(redrive_task("dead", i)->to_move, i % 2 ? 2 : 1);
}

static void test_a_restart_in_the_middle(void **state)
{
    (void)state;
    for (int snapshot = 0; snapshot < 2; snapshot++) {
        const char *q = snapshot ? "q1" : "q0", *dead = snapshot ? "dead1" : "dead0";
        redrive_pair(q, dead, 1);
        redrive_bury(q, dead, "abcdefgh");
        struct slice handle = redrive_handle(redrive_start(redrive_arn(dead), NULL, 2));
        char kept[512];
        memcpy(kept, handle.data, handle.size);
        rounds(1200);
        redrive_restart(dir, snapshot);
        const struct sqs_move_task *t = redrive_task(dead, 0);
        assert_text(t->status, "RUNNING");
        assert_in_range(t->moved, 1, 4);
        assert_slice_(t->task_handle, slice_of(kept, handle.size));
        rounds(5000);
        assert_task(dead, "COMPLETED", 8, 8);
        redrive_counts(dead, 0, 0, 0);
        redrive_counts(q, 8, 0, 0);
    }
}

static void test_a_crash_while_cancelling(void **state)
{
    (void)state;
    redrive_pair("q", "dead", 1);
    redrive_bury("q", "dead", "abc");
    struct slice handle = redrive_handle(redrive_start(redrive_arn("dead"), NULL, 1));
    assert_works(redrive_cancel(handle));
    assert_int_equal(store_flush(harness_store).code, 0);
    redrive_crash(dir);
    redrive_settle();
    assert_task("dead", "CANCELLED", 1, 3);
    redrive_counts("dead", 2, 0, 0);
    redrive_counts("q", 1, 0, 0);
}

static struct error cold_now(struct sys_file *f, uint64_t offset, void *out, size_t size, size_t *ret_size)
{
    static unsigned calls;
    if (++calls % 2)
        return ERROR_OF(ERR_COLD);
    return sys->file.read(f, offset, out, size, ret_size);
}

static void test_cold_records(void **state)
{
    (void)state;
    static struct sys with_cold;
    const struct sys *warm = sys;
    redrive_pair("q", "dead", 1);
    redrive_bury("q", "dead", "abcdef");
    redrive_restart(dir, false);
    with_cold = *sys;
    with_cold.file.read_nowait = cold_now;
    sys = &with_cold;
    assert_works(redrive_start(redrive_arn("dead"), NULL, -1));
    redrive_settle();
    sys = warm;
    assert_task("dead", "COMPLETED", 6, 6);
    redrive_bodies(redrive_take("q", 10, 0), "abcdef");
    struct store_metrics metrics;
    store_get_metrics(harness_store, &metrics);
    assert_int_equal(metrics.pinned, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(test_back_to_the_source),
        TEST(test_each_to_its_own_source),
        TEST(test_to_another_queue),
        TEST(test_fifo),
        TEST(test_nothing_to_move),
        TEST(test_what_is_in_flight_stays),
        TEST(test_many),
        TEST(test_rate),
        TEST(test_cancel),
        TEST(test_the_destination_vanishes),
        TEST(test_the_destination_vanishes_meanwhile),
        TEST(test_a_message_from_nowhere),
        TEST(test_the_source_is_deleted),
        TEST(test_the_source_is_purged),
        TEST(test_bad_starts),
        TEST(test_bad_handles),
        TEST(test_crafted_handle),
        TEST(test_of_another_account),
        TEST(test_a_task_has_36_hours),
        TEST(test_the_tasks_of_an_account),
        TEST(test_the_last_ones_are_kept),
        TEST(test_a_restart_in_the_middle),
        TEST(test_a_crash_while_cancelling),
        TEST(test_cold_records),
    };
    log_set_level(LOG_WARN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The payloads of work across logs: there and back, and nothing else is taken; lines of `log dump`; older snapshots. */
#include "redrive_harness.h"
#include "state_random.h"

/* Every shorter payload, and one that is longer, is refused. */
#define assert_only_whole(parse, payload, type)                                                                        \
    do {                                                                                                               \
        type other_;                                                                                                   \
        for (size_t size_ = 0; size_ < (payload).size; size_++)                                                        \
            assert_false(parse(slice_of((payload).data, size_), &other_));                                             \
        buf_add_byte(&(payload), 0);                                                                                   \
        assert_false(parse(buf_slice(&(payload)), &other_));                                                           \
    } while (0)

static void test_moved_out(void **state)
{
    (void)state;
    static const struct {
        uint16_t to;
        uint64_t first;
        uint8_t kind;
        uint32_t count;
        uint64_t group_key;
    } rows[] = { { 0, 1, CHANNEL_REDRIVE, 1, 0 }, { 63, UINT64_MAX, CHANNEL_MOVE, CHANNEL_BATCH_MAX, UINT64_MAX },
        { 7, 300, CHANNEL_MOVE, 3, 1 } };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct record_moved_out r = { .to = rows[i].to,
            .first = rows[i].first,
            .kind = rows[i].kind,
            .account = SLICE("000000000000"),
            .region = SLICE("us-east-1"),
            .name = SLICE("dead"),
            .count = rows[i].count },
                                back;
        for (uint32_t k = 0; k < r.count; k++) {
            r.items[k].seq = 1000 - k;
            r.items[k].group_key = k % 2 ? rows[i].group_key : 0;
        }
        if (r.kind == CHANNEL_MOVE)
            memset(r.task_id, 0xee, sizeof(r.task_id));
        struct buf b;
        buf_init(&b);
        record_moved_out(&b, &r);
        assert_true(record_moved_out_parse(buf_slice(&b), &back));
        assert_int_equal(back.to, r.to);
        assert_int_equal(back.first, r.first);
        assert_int_equal(back.kind, r.kind);
        assert_memory_equal(back.task_id, r.task_id, sizeof(r.task_id));
        assert_slice_(back.account, r.account);
        assert_slice_(back.region, r.region);
        assert_slice_(back.name, r.name);
        assert_int_equal(back.count, r.count);
        assert_memory_equal(back.items, r.items, r.count * sizeof(r.items[0]));
        assert_only_whole(record_moved_out_parse, b, struct record_moved_out);
        buf_deinit(&b);
    }
}

static void test_decided(void **state)
{
    (void)state;
    static const struct record_decided rows[] = { { 0, 1, 1, { 0, 0 } }, { 63, 5, 132, { 1, 1ull << 63 } },
        { 9, UINT64_MAX - 127, UINT64_MAX, { UINT64_MAX, UINT64_MAX } } };
    static const struct record_decided bad[] = { { 64, 1, 1, { 0, 0 } }, { 0, 0, 0, { 0, 0 } },
        { 0, 1, 129, { 0, 0 } } };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct record_decided back;
        struct buf b;
        buf_init(&b);
        record_decided(&b, &rows[i]);
        assert_true(record_decided_parse(buf_slice(&b), &back));
        assert_int_equal(back.log, rows[i].log);
        assert_int_equal(back.base, rows[i].base);
        assert_int_equal(back.last, rows[i].last);
        assert_memory_equal(back.refused, rows[i].refused, sizeof(back.refused));
        assert_only_whole(record_decided_parse, b, struct record_decided);
        buf_deinit(&b);
    }
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        struct record_decided back;
        struct buf b;
        buf_init(&b);
        record_decided(&b, &bad[i]);
        assert_false(record_decided_parse(buf_slice(&b), &back));
        buf_deinit(&b);
    }
}

static void test_tasks(void **state)
{
    (void)state;
    static const struct record_task_started rows[] = { { { 1 }, 0, 0, { "", 0 } },
        { { 2, 3 }, 500, UINT64_MAX, { "arn:aws:sqs:us-east-1:000000000000:q", 36 } } };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct record_task_started back;
        struct buf b;
        buf_init(&b);
        record_task_started(&b, &rows[i]);
        assert_true(record_task_started_parse(buf_slice(&b), &back));
        assert_memory_equal(back.id, rows[i].id, sizeof(back.id));
        assert_int_equal(back.rate, rows[i].rate);
        assert_int_equal(back.to_move, rows[i].to_move);
        assert_slice_(back.destination, rows[i].destination);
        assert_only_whole(record_task_started_parse, b, struct record_task_started);
        buf_deinit(&b);
    }
    for (uint8_t status = 0; status <= MOVE_STATUS_COUNT; status++)
        for (uint8_t failure = 0; failure <= MOVE_FAILURE_COUNT; failure++) {
            const struct record_task_status r = { { 9 }, status, failure };
            struct record_task_status back;
            struct buf b;
            buf_init(&b);
            record_task_status(&b, &r);
            assert_int_equal(record_task_status_parse(buf_slice(&b), &back),
                status < MOVE_STATUS_COUNT && failure < MOVE_FAILURE_COUNT);
            assert_only_whole(record_task_status_parse, b, struct record_task_status);
            buf_deinit(&b);
        }
}

/* Random bytes are refused or parsed, and described, without harm. */
static void test_random_bytes(void **state)
{
    (void)state;
    struct random random = { 42 };
    uint8_t bytes[300];
    struct arena arena;
    arena_init(&arena, 1 * MIB);
    for (int i = 0; i < 20000; i++) {
        size_t size = random_below(&random, sizeof(bytes));
        for (size_t k = 0; k < size; k++)
            bytes[k] = random_below(&random, 3) ? (uint8_t)random_below(&random, 4) : (uint8_t)random_next(&random);
        const struct record r = { .type = (uint16_t)(SQS_RECORD_MOVED_OUT + random_below(&random, 5)),
            .payload = slice_of(bytes, size) };
        assert_true(sqs_record_describe(&arena, &r).size > 0);
        arena_reset(&arena);
    }
    arena_deinit(&arena);
}

/* What replay must refuse: numbers that do not follow, entries that are not there. */
static void test_impossible_records(void **state)
{
    (void)state;
    harness_open("/impossible");
    redrive_pair("q", "dead", 1);
    redrive_send("q", "a");
    struct queue *q = harness_queue("q");
    struct sqs_state *s = q->state;
    const struct {
        uint64_t first, seq, object;
    } moves[] = { { 2, 1, q->uid }, { 1, 2, q->uid }, { 1, 1, q->uid + 1 } };
    for (size_t i = 0; i < ARRAY_COUNT(moves); i++) {
        struct record_moved_out m = { .to = 5,
            .first = moves[i].first,
            .name = SLICE("dead"),
            .account = SLICE("0"),
            .region = SLICE("r"),
            .count = 1 };
        m.items[0].seq = moves[i].seq;
        struct buf b;
        buf_init(&b);
        record_moved_out(&b, &m);
        const struct record r = {
            .type = SQS_RECORD_MOVED_OUT, .object = moves[i].object, .time_ms = harness_ms, .payload = buf_slice(&b)
        };
        assert_int_equal(sqs_state_apply(s, &r).code, ERR_CORRUPT);
        buf_deinit(&b);
    }
    const struct record_decided decided[] = { { 5, 1, 1, { 0, 0 } }, { 6, 1, 1, { 0, 0 } } };
    for (size_t i = 0; i < ARRAY_COUNT(decided); i++) { /* nothing is in those channels */
        struct buf b;
        buf_init(&b);
        record_decided(&b, &decided[i]);
        const struct record r = { .type = SQS_RECORD_OUT_DONE, .time_ms = harness_ms, .payload = buf_slice(&b) };
        assert_int_equal(sqs_state_apply(s, &r).code, ERR_CORRUPT);
        buf_deinit(&b);
    }
    static const struct {
        struct record_decided d;
        uint32_t code;
    } arrivals[] = { { { 5, 2, 3, { 0, 0 } }, ERR_CORRUPT }, { { 5, 1, 3, { 2, 0 } }, ERR_NONE },
        { { 5, 1, 2, { 0, 0 } }, ERR_CORRUPT }, { { 5, 5, 6, { 0, 0 } }, ERR_CORRUPT },
        { { 5, 4, 6, { 0, 0 } }, ERR_NONE }, { { 5, 3, 6, { 0, 0 } }, ERR_CORRUPT } };
    for (size_t i = 0; i < ARRAY_COUNT(arrivals); i++) {
        struct buf b;
        buf_init(&b);
        record_decided(&b, &arrivals[i].d);
        const struct record r = { .type = SQS_RECORD_ARRIVED, .time_ms = harness_ms, .payload = buf_slice(&b) };
        assert_int_equal(sqs_state_apply(s, &r).code, arrivals[i].code);
        buf_deinit(&b);
    }
    harness_forget();
    owners_end_waits();
    owners_abandon();
}

static void test_snapshots(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        uint32_t code;
    } rows[] = { { "\1\0\0", 3, ERR_NONE }, /* without tasks and channels: the version before them */
        { "\2\0\0\0\0\0", 6, ERR_NONE }, { "\1\0\0\0\0\0", 6, ERR_CORRUPT }, { "\2\0\0", 3, ERR_CORRUPT },
        { "\3\0\0\0\0\0", 6, ERR_NEWER_FORMAT }, { "\2\0\0\0\1\5\0\0\0", 9, ERR_CORRUPT },      /* numbers are from 1 */
        { "\2\0\0\0\1\5\1\0\0", 9, ERR_NONE }, { "\2\0\0\0\2\5\1\0\5\1\0\0", 12, ERR_CORRUPT }, /* one log twice */
        { "\2\0\0\0\1\100\1\0\0", 9, ERR_CORRUPT }, { "\2\0\0\1\7\0\0\0\0", 9, ERR_CORRUPT },   /* tasks of no queue */
        { "\2\0\0\0\0\1\3\5\10\0\0", 11, ERR_NONE }, { "\2\0\0\0\0\1\3\12\10\0\0", 11, ERR_CORRUPT } };
    harness_open("/snapshots");
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct owner *o = owner_of((uint16_t)i);
        assert_int_equal(sqs_state_restore(sqs_state_of(o), slice_of(rows[i].bytes, rows[i].size)).code, rows[i].code);
    }
    owners_end_waits();
    owners_abandon();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_moved_out),
        cmocka_unit_test(test_decided),
        cmocka_unit_test(test_tasks),
        cmocka_unit_test(test_random_bytes),
        cmocka_unit_test(test_impossible_records),
        cmocka_unit_test(test_snapshots),
    };
    log_set_level(LOG_WARN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

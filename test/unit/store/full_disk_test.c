/* full_disk_test.c: a store that has filled its disk gets the room back that deletes make, by itself. */
#include "unit/store/toy.h"
#include "support/faulty_disk.c"
#include "base/log.h"

static struct toy t;

/* A snapshot by bytes is far away, as it is with the usual options when a disk is full. */
static const struct store_options options = { .dir = "/data", .segment_bytes = 4 * MIB, .snapshot_bytes = 1024 * MIB };

static void begin(uint64_t seed)
{
    sys = &sys_faulty;
    faulty_disk_reset(seed);
    toy_init(&t, seed);
    toy_must_open(&t, &options);
}

static void end(void)
{
    store_close(t.store, false);
    toy_deinit(&t);
}

static void step_some(void)
{
    for (int i = 0; i < 40; i++) {
        store_step(t.store);
        if (store_end(t.store) > store_durable(t.store))
            toy_flush(&t);
        faulty_clock_advance(200000);
    }
}

static void fill_until_refused(void)
{
    for (int i = 0; i < 2000; i++) {
        struct error e = toy_put(&t, (uint16_t)(i % 4), 1, 60000);
        if (failed(e)) {
            assert_int_equal(e.code, ERR_FULL);
            return;
        }
        if (i % 4 == 0)
            toy_flush(&t);
        if (i % 16 == 0)
            store_step(t.store); /* the clock stands still: the free space must be known without it */
    }
    fail_msg("the disk is not full");
}

static void drop_all_but(uint64_t keep_one_in)
{
    for (uint16_t log = 0; log < 4; log++) {
        for (size_t i = t.logs[log].count; i-- > 0;)
            if (!keep_one_in || toy_below(&t, keep_one_in))
                assert_int_equal(toy_drop(&t, log, i).code, 0);
        toy_flush(&t);
    }
}

/* Every delete goes through on a disk that sends have filled, and then there is room again, with no bytes added from outside:
 * a snapshot is taken for the sake of the segments it lets go, and the cleaner carries the rest together. */
static void test_deletes_make_room(void **state)
{
    (void)state;
    static const uint64_t keep_one_in[] = { 0, 20, 8 };
    for (size_t i = 0; i < ARRAY_COUNT(keep_one_in); i++) {
        begin(i + 1);
        faulty_disk_set_capacity(64 * MIB);
        for (int round = 0; round < 4; round++) {
            fill_until_refused();
            assert_true(faulty_disk_used_bytes() > 40 * MIB);
            drop_all_but(keep_one_in[i]);
            step_some();
            for (int n = 0; n < 100; n++)
                assert_int_equal(toy_put(&t, 1, 1, 60000).code, 0);
            toy_flush(&t);
        }
        store_abandon(t.store);
        faulty_disk_crash(CRASH_POWER);
        toy_must_open(&t, &options);
        toy_judge(&t);
        end();
    }
}

/* Room is there as soon as what is dead was freed, and not when the disk is looked at the next time. */
static void test_room_is_seen_at_once(void **state)
{
    (void)state;
    begin(50);
    faulty_clock_advance(10 * 1000 * 1000);
    faulty_disk_set_capacity(64 * MIB);
    fill_until_refused();
    step_some();
    assert_int_equal(toy_put(&t, 1, 1, 60000).code, ERR_FULL);
    assert_int_equal(store_snapshot_now(t.store).code, 0);
    drop_all_but(0);
    while (store_step(t.store))
        ;
    for (int n = 0; n < 100; n++)
        assert_int_equal(toy_put(&t, 1, 1, 60000).code, 0);
    toy_flush(&t);
    end();
}

/* A step that has other work to do looks at the disk all the same: a refusal never waits for the work to end. */
static void test_a_busy_step_sees_room(void **state)
{
    (void)state;
    begin(51);
    faulty_clock_advance(10 * 1000 * 1000);
    faulty_disk_set_capacity(64 * MIB);
    fill_until_refused();
    step_some();
    assert_int_equal(store_snapshot_now(t.store).code, 0);
    drop_all_but(0);
    faulty_disk_set_capacity(UINT64_MAX);
    faulty_clock_advance(1000 * 1000);
    assert_int_equal(toy_put(&t, 1, 1, 60000).code, ERR_FULL);
    assert_true(store_step(t.store)); /* one of many dead segments */
    assert_int_equal(toy_put(&t, 1, 1, 60000).code, 0);
    toy_flush(&t);
    assert_true(store_step(t.store)); /* there was more to do */
    end();
}

/* A group is never given a place that the disk may not have: whatever happens around it, what was taken can be written. */
static void test_a_taken_group_has_its_place(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= toy_seeds(30); seed++) {
        begin(seed);
        faulty_disk_set_capacity(faulty_disk_used_bytes() + toy_below(&t, 24 * MIB));
        for (int i = 0; i < 120; i++) {
            struct error e = toy_put(&t, 2, 1, 400000);
            if (failed(e))
                assert_int_equal(e.code, ERR_FULL);
            if (t.logs[2].count && toy_below(&t, 2))
                (void)toy_drop(&t, 2, 0);
            if (store_end(t.store) > store_durable(t.store))
                toy_flush(&t); /* a write that fails ends the test's process */
            if (toy_below(&t, 8) == 0)
                store_step(t.store);
            faulty_clock_advance(toy_below(&t, 300000));
        }
        store_abandon(t.store);
        faulty_disk_crash(CRASH_POWER);
        faulty_disk_set_capacity(UINT64_MAX);
        toy_must_open(&t, &options);
        toy_judge(&t);
        end();
    }
}

int main(void)
{
    log_set_level(LOG_ERROR + 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deletes_make_room),
        cmocka_unit_test(test_room_is_seen_at_once),
        cmocka_unit_test(test_a_busy_step_sees_room),
        cmocka_unit_test(test_a_taken_group_has_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

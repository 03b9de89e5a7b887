/* beside_test.c: files beside the journal fail (the segment that comes next, snapshots): an append finds another way, and what
 * it took is there after a power loss. */
#include "unit/store/toy.h"
#include "support/faulty_disk.c"
#include "base/log.h"

enum { ALWAYS = 1 << 30, FILL_BYTES = 100000 };

static struct toy t;
static const struct store_options options = { .dir = "/data", .segment_bytes = 4 * MIB, .snapshot_bytes = 1024 * MIB };

/* ---- a disk on which one kind of call fails so many times in a row ------------------------------------------------------- */

enum kind { NO_KIND, FAIL_OPEN, FAIL_WRITE, FAIL_SYNC, FAIL_RENAME, FAIL_SYNC_DIR, KIND_COUNT };
static enum kind failing;
static int failures_left, failures_done;

static bool is_failing(enum kind kind)
{
    if (failing != kind || failures_left == 0)
        return false;
    failures_left--;
    failures_done++;
    return true;
}

static struct error failing_open(const char *path, int flags, struct sys_file **ret_file)
{
    return (flags & SYS_OPEN_CREATE) && is_failing(FAIL_OPEN) ? ERROR_SYS(ERR_IO, EIO)
                                                              : sys_faulty.file.open(path, flags, ret_file);
}

static struct error failing_write(struct sys_file *f, uint64_t offset, const struct iovec *parts, int count)
{
    if (is_failing(FAIL_WRITE))
        faulty_disk_fail_write(0); /* some of it is written */
    return sys_faulty.file.write(f, offset, parts, count);
}

static struct error failing_sync(struct sys_file *f)
{
    if (is_failing(FAIL_SYNC))
        faulty_disk_fail_sync(0); /* what it should have saved is in doubt */
    return sys_faulty.file.sync(f);
}

static struct error failing_rename(const char *from, const char *to)
{
    return is_failing(FAIL_RENAME) ? ERROR_SYS(ERR_IO, EIO) : sys_faulty.file.rename(from, to);
}

static struct error failing_sync_dir(const char *path)
{
    return is_failing(FAIL_SYNC_DIR) ? ERROR_SYS(ERR_IO, EIO) : sys_faulty.file.sync_dir(path);
}

static void begin(uint64_t seed)
{
    static struct sys table;
    table = sys_faulty;
    table.file.open = failing_open;
    table.file.write = failing_write;
    table.file.sync = failing_sync;
    table.file.rename = failing_rename;
    table.file.sync_dir = failing_sync_dir;
    sys = &table;
    failing = NO_KIND;
    faulty_disk_reset(seed);
    toy_init(&t, seed);
    toy_must_open(&t, &options);
}

static void end_with_power_loss(void)
{
    failing = NO_KIND;
    store_abandon(t.store);
    faulty_disk_crash(CRASH_POWER);
    toy_must_open(&t, &options);
    toy_judge(&t);
    store_close(t.store, false);
    toy_deinit(&t);
    assert_int_equal(faulty_disk_open_handles(), 0);
}

static void fail_next(enum kind kind, int times)
{
    failing = kind;
    failures_left = times;
    failures_done = 0;
}

/* Puts, each flushed, until the next one must go into a new segment: then nothing of the old one is pending. */
static void fill_segment(uint64_t bytes)
{
    uint64_t from = store_end(t.store) * STORE_RECORD_ALIGN;
    while (store_end(t.store) * STORE_RECORD_ALIGN + FILL_BYTES + 4096 < from / bytes * bytes + bytes) {
        assert_int_equal(toy_put(&t, 1, 1, FILL_BYTES).code, 0);
        toy_flush(&t);
    }
}

static struct store_metrics metrics(void)
{
    static struct store_metrics m;
    store_get_metrics(t.store, &m);
    return m;
}

/* ---- the tests ------------------------------------------------------------------------------------------------------------ */

/* The background did not run: the append makes the segment itself. Whatever fails on the way, three times in a row. */
static void test_a_segment_in_a_hurry(void **state)
{
    (void)state;
    for (int kind = FAIL_OPEN; kind < KIND_COUNT; kind++) {
        begin((uint64_t)kind);
        fill_segment(1 * MIB); /* of the first, small segment */
        for (int i = 0; i < 4; i++) {
            uint64_t before = metrics().segments;
            fail_next((enum kind)kind, 3);
            assert_int_equal(toy_put(&t, 2, 1, 1 * MIB).code, 0);
            assert_int_equal(failures_done, 3);
            assert_int_equal(metrics().segments, before + 1);
            fail_next(NO_KIND, 0);
            toy_flush(&t);
            fill_segment(4 * MIB);
        }
        end_with_power_loss();
    }
}

/* A spare that the background made cannot get its name, or cannot be written: another file takes its place. */
static void test_a_spare_that_fails(void **state)
{
    (void)state;
    static const enum kind kinds[] = { FAIL_WRITE, FAIL_SYNC, FAIL_RENAME, FAIL_SYNC_DIR };
    for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
        begin(100 + i);
        for (int round = 0; round < 3; round++) {
            assert_int_equal(toy_put(&t, 1, 1, 600000).code, 0); /* past the mark where the next one is wanted */
            toy_flush(&t);
            fail_next(kinds[i], 3);
            for (int n = 0; n < 4; n++) {
                (void)store_step(t.store);
                faulty_clock_advance(100000);
            }
            assert_int_equal(failures_done, 3);
            fail_next(NO_KIND, 0);
            for (int n = 0; n < 5; n++) {
                assert_int_equal(toy_put(&t, 2, 1, 1 * MIB).code, 0);
                toy_flush(&t);
            }
        }
        end_with_power_loss();
    }
}

/* No way is left: the append is refused, nothing of it is kept, and the next one finds the disk well again. */
static void test_no_way_left(void **state)
{
    (void)state;
    for (int kind = FAIL_OPEN; kind < KIND_COUNT; kind++) {
        begin(200 + (uint64_t)kind);
        fill_segment(1 * MIB);
        fail_next((enum kind)kind, ALWAYS);
        assert_int_equal(toy_put(&t, 2, 1, 1 * MIB).code, ERR_IO);
        assert_int_equal(toy_put(&t, 2, 1, 1 * MIB).code, ERR_IO);
        assert_true(store_end(t.store) == store_durable(t.store));
        fail_next(NO_KIND, 0);
        assert_int_equal(toy_put(&t, 2, 1, 1 * MIB).code, 0);
        toy_flush(&t);
        end_with_power_loss();
    }
}

/* A snapshot that fails counts as not taken: appends go on, and the next try succeeds. */
static void test_a_snapshot_that_fails(void **state)
{
    (void)state;
    static const enum kind kinds[] = { FAIL_OPEN, FAIL_WRITE, FAIL_SYNC, FAIL_RENAME, FAIL_SYNC_DIR };
    for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
        begin(300 + i);
        for (int round = 0; round < 3; round++) {
            assert_int_equal(toy_put(&t, 1, 4, 1000).code, 0);
            toy_flush(&t);
            fail_next(kinds[i], 1);
            assert_true(failed(store_snapshot_now(t.store)));
            fail_next(NO_KIND, 0);
            assert_int_equal(toy_put(&t, 1, 4, 1000).code, 0);
            toy_flush(&t);
            if (round == 1)
                assert_int_equal(store_snapshot_now(t.store).code, 0);
        }
        end_with_power_loss();
    }
}

/* What a failed snapshot would have covered is still to be replayed, once: the next one is neither late nor early. */
static void test_when_the_next_snapshot_is_due(void **state)
{
    (void)state;
    const struct store_options often = { .dir = "/data", .segment_bytes = 4 * MIB, .snapshot_bytes = 1 * MIB };
    begin(400);
    store_close(t.store, false);
    toy_must_open(&t, &often);
    assert_int_equal(toy_put(&t, 1, 1, 400000).code, 0);
    toy_flush(&t);
    fail_next(FAIL_WRITE, 1);
    assert_true(failed(store_snapshot_now(t.store)));
    fail_next(NO_KIND, 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(toy_put(&t, 1, 1, 350000).code, 0);
        toy_flush(&t);
        while (store_step(t.store))
            ;
        assert_int_equal(metrics().snapshots, i);
    }
    end_with_power_loss();
}

/* A snapshot whose contents were dropped at once, by few records, is not what the next start should read. */
static void test_a_wasted_snapshot_is_replaced(void **state)
{
    (void)state;
    const struct store_options small = { .dir = "/data", .segment_bytes = 4 * MIB, .snapshot_bytes = 16 * KIB };
    begin(401);
    store_close(t.store, false);
    toy_must_open(&t, &small);
    for (int i = 0; i < 2000; i++)
        assert_int_equal(toy_put(&t, 1, 1, 40).code, 0);
    toy_flush(&t);
    assert_int_equal(store_snapshot_now(t.store).code, 0);
    uint64_t size = metrics().snapshot_bytes;
    assert_true(size > 32 * KIB);
    store_snapshot_waste(t.store, size / 2); /* half of it is left: that may not be written again for so little */
    while (store_step(t.store))
        ;
    assert_int_equal(metrics().snapshots, 1);
    store_snapshot_waste(t.store, size / 4); /* three quarters spared, one to be written */
    while (store_step(t.store))
        ;
    assert_int_equal(metrics().snapshots, 2);
    while (store_step(t.store)) /* and then no more */
        ;
    assert_int_equal(metrics().snapshots, 2);
    end_with_power_loss();
}

int main(void)
{
    log_set_level(LOG_ERROR + 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_segment_in_a_hurry),
        cmocka_unit_test(test_a_spare_that_fails),
        cmocka_unit_test(test_no_way_left),
        cmocka_unit_test(test_a_snapshot_that_fails),
        cmocka_unit_test(test_when_the_next_snapshot_is_due),
        cmocka_unit_test(test_a_wasted_snapshot_is_replaced),
    };
    int result = cmocka_run_group_tests(tests, NULL, NULL);
    faulty_disk_reset(0);
    return result;
}

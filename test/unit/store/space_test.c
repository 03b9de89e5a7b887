/* space_test.c: segments come and go: recycling, cleaning, pins, full disks, backups; and crashes in the middle of it. */
#include "unit/store/toy.h"
#include "support/faulty_disk.c"
#include "base/log.h"

static struct toy t;

static struct store_options options_of(void)
{
    return (struct store_options){ .dir = "/data", .segment_bytes = 4 * MIB, .snapshot_bytes = 6 * MIB };
}

static void must_open(void)
{
    struct store_options options = options_of();
    toy_must_open(&t, &options);
}

static void begin(uint64_t seed)
{
    sys = &sys_faulty;
    faulty_disk_reset(seed);
    toy_init(&t, seed);
    must_open();
}

static void end(void)
{
    store_close(t.store, false);
    toy_deinit(&t);
}

static void step_all(void)
{
    for (int i = 0; i < 1000; i++) {
        bool did = store_step(t.store);
        if (store_end(t.store) > store_durable(t.store))
            toy_flush(&t);
        faulty_clock_advance(1000000);
        if (!did)
            return;
    }
    fail_msg("the background work never ends");
}

static struct store_metrics metrics(void)
{
    static struct store_metrics m;
    store_get_metrics(t.store, &m);
    return m;
}

/* `mib` megabytes of items in bodies of 60 KiB; all but one in `keep_one_in` are dropped again (0: all). */
static void churn(int mib, uint64_t keep_one_in)
{
    for (int i = 0; i < mib * 17; i++) {
        uint16_t log = (uint16_t)toy_below(&t, 4);
        t.now_ms++;
        assert_int_equal(toy_put(&t, log, 1, 60000).code, 0);
        size_t last = t.logs[log].count - 1;
        if (keep_one_in == 0 || toy_below(&t, keep_one_in))
            assert_int_equal(toy_drop(&t, log, last).code, 0);
        if (i % 8 == 0) {
            toy_flush(&t);
            store_step(t.store);
        }
    }
    toy_flush(&t);
}

/* ---- what is dead comes back as room ---------------------------------------------------------------------------------------- */

static void test_dead_segments_are_recycled(void **state)
{
    (void)state;
    begin(1);
    churn(60, 0);
    step_all();
    struct store_metrics m = metrics();
    assert_true(m.recycled_segments >= 10);
    assert_true(m.snapshots >= 5);
    assert_in_range(m.segments, 1, 7); /* two snapshots' worth and the one in use */
    assert_true(faulty_disk_used_bytes() < 60ull * MIB);
    store_abandon(t.store);
    faulty_disk_crash(CRASH_POWER);
    must_open();
    toy_judge(&t);
    end();
}

static void test_live_records_hold_their_segment(void **state)
{
    (void)state;
    begin(2);
    for (int i = 0; i < 20; i++)
        assert_int_equal(toy_put(&t, 9, 1, 50000).code, 0);
    toy_flush(&t);
    churn(30, 0);
    step_all();
    toy_read_all(&t); /* wherever they are now */
    assert_int_equal(t.logs[9].count, 20);
    end();
}

static void test_pins_hold_a_segment(void **state)
{
    (void)state;
    begin(3);
    assert_int_equal(toy_put(&t, 9, 1, 1000).code, 0);
    toy_flush(&t);
    lsn_t lsn = t.logs[9].items[0].lsn;
    store_pin(t.store, lsn);
    assert_int_equal(metrics().pinned, 1);
    assert_int_equal(toy_drop(&t, 9, 0).code, 0);
    churn(40, 0);
    step_all();
    struct arena arena;
    struct record r;
    arena_init(&arena, 4 * MIB);
    assert_int_equal(store_read(t.store, lsn, true, &arena, &r).code, 0);
    assert_int_equal(r.payload.size, 1000);
    uint64_t recycled = metrics().recycled_segments;
    store_unpin(t.store, lsn);
    step_all();
    assert_true(metrics().recycled_segments > recycled);
    arena_deinit(&arena);
    end();
}

static void test_cleaner_moves_the_few_that_live(void **state)
{
    (void)state;
    begin(4);
    churn(100, 50); /* one in fifty stays: every segment keeps a little */
    step_all();
    struct store_metrics m = metrics();
    assert_true(t.relocated > 0);
    assert_true(m.relocated_records > 0);
    assert_true(m.relocated_bytes < 40ull * MIB);
    assert_true(faulty_disk_used_bytes() < 80ull * MIB);
    toy_read_all(&t);
    store_abandon(t.store);
    faulty_disk_crash(CRASH_POWER);
    must_open();
    toy_judge(&t);
    end();
}

/* ---- crashes in the middle of all that ------------------------------------------------------------------------------------------ */

static void test_crashes_while_segments_move(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= toy_seeds(12); seed++) {
        begin(seed);
        for (int round = 0; round < 6; round++) {
            churn(4 + (int)toy_below(&t, 12), 1 + toy_below(&t, 30));
            for (uint64_t i = toy_below(&t, 12); i > 0; i--) {
                store_step(t.store);
                faulty_clock_advance(1000000);
            }
            if (toy_below(&t, 2) && store_end(t.store) > store_durable(t.store))
                toy_flush(&t);
            store_abandon(t.store);
            faulty_disk_crash(toy_below(&t, 3) ? CRASH_POWER : CRASH_PROCESS);
            must_open();
            toy_judge(&t);
        }
        end();
    }
}

/* ---- a full disk ------------------------------------------------------------------------------------------------------------------- */

static void test_full_disk_refuses_and_recovers(void **state)
{
    (void)state;
    begin(5);
    churn(8, 2);
    faulty_disk_set_capacity(faulty_disk_used_bytes() + 10 * MIB);
    uint64_t refused = 0, urgent_while_refused = 0;
    for (int i = 0; i < 2000 && refused < 100; i++) {
        faulty_clock_advance(1000000);
        store_step(t.store);
        struct error e = toy_put(&t, 1, 1, 60000);
        if (failed(e)) {
            assert_int_equal(e.code, ERR_FULL);
            refused++;
            if (t.logs[1].count && !failed(toy_drop(&t, 1, 0)))
                urgent_while_refused++;
        }
        toy_flush(&t); /* what was taken can always be written */
    }
    assert_int_equal(refused, 100);
    assert_true(urgent_while_refused > 0); /* deletes have a reserve of their own */
    assert_true(metrics().refuses_sends);
    store_abandon(t.store);
    faulty_disk_crash(CRASH_POWER);
    must_open();
    toy_judge(&t);
    faulty_disk_set_capacity(UINT64_MAX);
    faulty_clock_advance(1000000);
    step_all();
    assert_false(metrics().refuses_sends);
    assert_int_equal(toy_put(&t, 1, 1, 60000).code, 0); /* service resumes by itself */
    toy_flush(&t);
    end();
}

/* Somebody else fills the disk to the last byte. */
static void test_no_byte_left_is_not_fatal(void **state)
{
    (void)state;
    begin(6);
    churn(3, 2);
    faulty_disk_set_capacity(faulty_disk_used_bytes());
    for (int i = 0; i < 300; i++) {
        faulty_clock_advance(1000000);
        store_step(t.store);
        struct error e = toy_put(&t, 1, 1, 60000);
        if (failed(e))
            assert_int_equal(e.code, ERR_FULL);
        toy_flush(&t);
    }
    faulty_disk_set_capacity(UINT64_MAX);
    faulty_clock_advance(1000000);
    step_all();
    assert_int_equal(toy_put(&t, 1, 1, 60000).code, 0);
    toy_flush(&t);
    store_abandon(t.store);
    faulty_disk_crash(CRASH_POWER);
    must_open();
    toy_judge(&t);
    end();
}

/* ---- copies ----------------------------------------------------------------------------------------------------------------------------- */

static void ignore_line(void *context, struct slice line)
{
    (void)context;
    (void)line;
}

static void count_line(void *context, struct slice line)
{
    assert_true(line.size > 10);
    ++*(size_t *)context;
}

static void judge_copy(const char *dir)
{
    struct store_options options = options_of();
    options.dir = dir;
    assert_int_equal(store_verify(dir, ignore_line, NULL).code, 0);
    toy_must_open(&t, &options);
    toy_judge(&t);
}

static void test_backups(void **state)
{
    (void)state;
    begin(7);
    churn(12, 10);
    uint8_t secret[32];
    memcpy(secret, store_secret(t.store), sizeof(secret));
    assert_int_equal(store_backup(t.store, "/copy").code, 0);
    size_t upto = t.count;
    churn(3, 2);
    assert_true(failed(store_backup(t.store, "/copy"))); /* never over another one */
    assert_int_equal(store_backup_offline("/data", "/offline").code, ERR_LOCKED);
    assert_int_equal(store_verify("/data", ignore_line, NULL).code, ERR_LOCKED);
    store_close(t.store, false);
    assert_int_equal(store_backup_offline("/data", "/offline").code, 0);
    judge_copy("/offline");
    assert_memory_equal(store_secret(t.store), secret, sizeof(secret));
    store_close(t.store, false);
    t.acknowledged = upto; /* the earlier copy is of an earlier time */
    judge_copy("/copy");
    assert_int_equal(t.count, upto);
    end();
}

/* Opens of files in the copy run `copied`, once each: what a server does while its files are copied. */
static int files_copied;

static struct error open_and_work(const char *path, int flags, struct sys_file **ret_file)
{
    if (!strncmp(path, "/copy/journal-", 14)) {
        files_copied++;
        churn(9, 0); /* more than a snapshot apart, each time */
    }
    return sys_faulty.file.open(path, flags, ret_file);
}

/* Nothing waits for a backup: appends, new segments and snapshots go on, and only segments that are copied are not freed. */
static void test_a_backup_holds_nobody_up(void **state)
{
    (void)state;
    static struct sys table;
    begin(9);
    churn(12, 2);
    table = sys_faulty;
    table.file.open = open_and_work;
    sys = &table;
    files_copied = 0;
    size_t before = t.count;
    struct store_metrics was = metrics();
    assert_int_equal(store_backup(t.store, "/copy").code, 0);
    sys = &sys_faulty;
    struct store_metrics now = metrics();
    assert_true(files_copied >= 2);
    assert_true(now.snapshots > was.snapshots + 1); /* one is the backup's own */
    assert_int_equal(now.recycled_segments, was.recycled_segments);
    step_all();
    assert_true(metrics().recycled_segments > now.recycled_segments);
    store_close(t.store, false);
    t.acknowledged = before;
    judge_copy("/copy");
    assert_int_equal(t.count, before); /* and nothing of what came meanwhile */
    end();
}

static void test_a_server_that_ends_ends_its_backup(void **state)
{
    (void)state;
    begin(10);
    churn(12, 2);
    struct sys_file *f;
    store_stop_backups(t.store);
    assert_int_equal(store_backup(t.store, "/copy").code, ERR_CLOSED);
    assert_int_equal(sys->file.open("/copy/format", SYS_OPEN_READ, &f).code, ERR_NOT_FOUND);
    end();
}

static struct slice describe(struct arena *arena, const struct record *r)
{
    return arena_printf(arena, "%zu", r->payload.size);
}

static void test_dump_prints_every_record(void **state)
{
    (void)state;
    begin(8);
    for (int i = 0; i < 50; i++)
        assert_int_equal(toy_put(&t, (uint16_t)i, 3, 10).code, 0);
    toy_flush(&t);
    store_close(t.store, false);
    size_t lines = 0;
    assert_int_equal(store_dump("/data", describe, count_line, &lines).code, 0);
    assert_int_equal(lines, 150);
    must_open();
    end();
}

int main(void)
{
    log_set_level(LOG_ERROR + 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dead_segments_are_recycled),
        cmocka_unit_test(test_live_records_hold_their_segment),
        cmocka_unit_test(test_pins_hold_a_segment),
        cmocka_unit_test(test_cleaner_moves_the_few_that_live),
        cmocka_unit_test(test_crashes_while_segments_move),
        cmocka_unit_test(test_full_disk_refuses_and_recovers),
        cmocka_unit_test(test_no_byte_left_is_not_fatal),
        cmocka_unit_test(test_backups),
        cmocka_unit_test(test_a_backup_holds_nobody_up),
        cmocka_unit_test(test_a_server_that_ends_ends_its_backup),
        cmocka_unit_test(test_dump_prints_every_record),
    };
    int result = cmocka_run_group_tests(tests, NULL, NULL);
    faulty_disk_reset(0);
    return result;
}

/* crash_test.c: power losses, killed processes and failed syncs over the faulty disk, many small histories by seed.
 *
 * After each end the store is opened again and judged (toy.h): what was acknowledged is back, the rest is back as a prefix of
 * whole batches, nothing that was cut off once ever returns, every live item can be read.
 *
 * A failure prints its seed; toy.h says how many run.
 */
#include "unit/store/toy.h"
#include "support/faulty_disk.c"
#include "base/log.h"

/* on_fatal jumps out of a store that in life would end with its process: what it held then is not a leak */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:snapshot_take\n";
}

static struct toy t;
static uint64_t current_seed;
static bool is_inside_seed;
static jmp_buf after_fatal;
static bool is_fatal;

static void on_fatal(const char *sentence)
{
    assert_non_null(strstr(sentence, "nothing more can be promised"));
    is_fatal = true;
    longjmp(after_fatal, 1);
}

static struct store_options options_of(void)
{
    return (struct store_options){
        .dir = "/data", .segment_bytes = 4 * MIB, .snapshot_bytes = 256 * KIB, .fatal = on_fatal
    };
}

static void begin(uint64_t seed)
{
    current_seed = seed;
    is_inside_seed = true;
    is_fatal = false;
    sys = &sys_faulty;
    faulty_disk_reset(seed);
    toy_init(&t, seed * 977 + 5);
}

static void end(void)
{
    toy_deinit(&t);
    is_inside_seed = false;
}

static int tell_seed(void **state)
{
    (void)state;
    if (is_inside_seed)
        print_error("that was seed %llu\n", (unsigned long long)current_seed);
    is_inside_seed = false;
    return 0;
}

static void reopen(void)
{
    struct store_options options = options_of();
    toy_must_open(&t, &options);
    toy_judge(&t);
}

/* Sizes that fill sectors, pages and, at times, most of a first segment. */
static size_t draw_size_of_body(void)
{
    switch (toy_below(&t, 8)) {
    case 0:
        return toy_below(&t, 16);
    case 1:
        return 400 + toy_below(&t, 200);
    case 2:
        return toy_below(&t, 20000);
    case 3:
        return toy_below(&t, 4) == 0 ? toy_below(&t, 300000) : 4096;
    default:
        return toy_below(&t, 700);
    }
}

static void one_turn(void)
{
    uint16_t log = (uint16_t)toy_below(&t, 6);
    t.now_ms += toy_below(&t, 3);
    struct error e;
    if (t.logs[log].count && toy_below(&t, 2))
        e = toy_drop(&t, log, toy_below(&t, t.logs[log].count));
    else
        e = toy_put(&t, log, 1 + toy_below(&t, 3), draw_size_of_body());
    (void)e; /* a refused append is none: the history has only what was taken */
    if (toy_below(&t, 3) == 0 && !failed(store_flush(t.store)))
        t.acknowledged = t.count;
    if (toy_below(&t, 10) == 0)
        store_step(t.store);
    if (toy_below(&t, 40) == 0)
        (void)store_snapshot_now(t.store);
    faulty_clock_advance(100000);
}

static void turns_of_life(int turns)
{
    for (int i = 0; i < turns; i++)
        one_turn();
}

/* These run until they are done or the store has given up; setjmp stands alone so that no local outlives the jump. */
static void live(int turns)
{
    if (setjmp(after_fatal) == 0)
        turns_of_life(turns);
}

static void flush_until_fatal(void)
{
    if (setjmp(after_fatal) == 0)
        (void)store_flush(t.store);
}

static struct error open_until_fatal(const struct store_options *options)
{
    if (setjmp(after_fatal) == 0)
        return toy_open(&t, options);
    return ERROR_OF(ERR_IO);
}

/* ---- crashes of all kinds ------------------------------------------------------------------------------------------------- */

static void finish(int kind)
{
    if (kind == 0) {
        store_close(t.store, toy_below(&t, 2));
        t.acknowledged = t.count;
        if (toy_below(&t, 2))
            faulty_disk_crash(CRASH_POWER);
        return;
    }
    store_abandon(t.store);
    faulty_disk_crash(kind == 1 ? CRASH_PROCESS : CRASH_POWER);
}

static void test_random_ends(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= toy_seeds(150); seed++) {
        begin(seed);
        reopen();
        for (int round = 0; round < 6; round++) {
            live((int)toy_below(&t, 60));
            assert_false(is_fatal);
            finish((int)toy_below(&t, 4));
            reopen();
        }
        store_close(t.store, false);
        end();
    }
}

/* The second loss comes right after a start that found a cut-off tail: what the start decided must hold. */
static void test_loss_after_loss(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= toy_seeds(150); seed++) {
        begin(seed);
        reopen();
        live(20);
        for (int round = 0; round < 5; round++) {
            toy_put(&t, 1, 2, 3000);
            if (toy_below(&t, 2) && !failed(store_flush(t.store)))
                t.acknowledged = t.count;
            store_abandon(t.store);
            faulty_disk_crash(toy_below(&t, 2) ? CRASH_POWER : CRASH_PROCESS);
            reopen();
        }
        store_close(t.store, false);
        end();
    }
}

/* A killed process leaves its last group in the page cache; the next start reads it, may build on it, and then the power
 * goes: what that start showed to anyone must still be there. */
static void test_kill_then_power_loss(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= toy_seeds(150); seed++) {
        begin(seed);
        reopen();
        live(15);
        toy_put(&t, 2, 3, 900);
        faulty_disk_fail_sync(0); /* written, not synced, and the process ends at that */
        flush_until_fatal();
        assert_true(is_fatal);
        store_abandon(t.store);
        faulty_disk_crash(CRASH_PROCESS);
        reopen();
        size_t shown = t.count;
        store_abandon(t.store);
        faulty_disk_crash(CRASH_POWER);
        reopen();
        assert_int_equal(t.count, shown);
        store_close(t.store, false);
        end();
    }
}

/* ---- faults in the middle ---------------------------------------------------------------------------------------------------- */

static void test_failed_syncs(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= toy_seeds(150); seed++) {
        begin(seed);
        reopen();
        for (int round = 0; round < 4; round++) {
            is_fatal = false;
            faulty_disk_fail_sync((uint32_t)toy_below(&t, 24));
            live(60);
            store_abandon(t.store);
            faulty_disk_crash(toy_below(&t, 2) ? CRASH_PROCESS : CRASH_POWER);
            faulty_disk_fail_sync(UINT32_MAX);
            reopen();
        }
        store_close(t.store, false);
        end();
    }
}

/* A start that a fault or a loss of power interrupts must leave a directory that the next one can open. */
static void test_interrupted_starts(void **state)
{
    (void)state;
    struct store_options options = options_of();
    for (uint64_t seed = 1; seed <= toy_seeds(150); seed++) {
        begin(seed);
        reopen();
        live(40);
        for (int round = 0; round < 4; round++) {
            store_abandon(t.store);
            faulty_disk_crash(toy_below(&t, 2) ? CRASH_PROCESS : CRASH_POWER);
            if (toy_below(&t, 2))
                faulty_disk_fail_write((uint32_t)toy_below(&t, 12));
            else
                faulty_disk_fail_sync((uint32_t)toy_below(&t, 8));
            if (!failed(open_until_fatal(&options))) {
                toy_judge(&t);
                store_abandon(t.store);
            }
            faulty_disk_fail_write(UINT32_MAX);
            faulty_disk_fail_sync(UINT32_MAX);
            faulty_disk_crash(CRASH_POWER);
            reopen();
            live(10);
        }
        store_close(t.store, false);
        end();
    }
}

static void interrupt_start(void)
{
    struct store_options options = options_of();
    if (toy_below(&t, 2))
        faulty_disk_fail_write((uint32_t)toy_below(&t, 8));
    else
        faulty_disk_fail_sync((uint32_t)toy_below(&t, 8));
    if (!failed(open_until_fatal(&options)))
        store_abandon(t.store);
    faulty_disk_fail_write(UINT32_MAX);
    faulty_disk_fail_sync(UINT32_MAX);
    faulty_disk_crash(CRASH_PROCESS);
}

/* The page cache shows the first frame of a segment, which a failed sync kept from the disk; starts that get no further than
 * a segment of their own lie above it, so that it is not among the newest any more. It must not come back from the cache. */
static void test_failed_sync_then_interrupted_starts(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= toy_seeds(300); seed++) {
        begin(seed);
        reopen();
        if (toy_below(&t, 4)) { /* else there is no frame before it */
            toy_put(&t, 1, 2, 100);
            toy_flush(&t);
            store_abandon(t.store);
            faulty_disk_crash(CRASH_PROCESS);
            reopen();
        }
        toy_put(&t, 2, 3, 900);
        faulty_disk_fail_sync(0);
        flush_until_fatal();
        assert_true(is_fatal);
        store_abandon(t.store);
        faulty_disk_crash(CRASH_PROCESS);
        for (uint64_t starts = 1 + toy_below(&t, 4); starts > 0; starts--)
            interrupt_start();
        reopen();
        size_t shown = t.count;
        store_abandon(t.store);
        faulty_disk_crash(CRASH_POWER);
        reopen();
        assert_int_equal(t.count, shown);
        store_close(t.store, false);
        end();
    }
}

/* Segments grow from start to start: one that is smaller than the span goes on where the one before it was full, and is no
 * word about what came before. */
static void test_growing_segments(void **state)
{
    (void)state;
    enum { BODIES = 30, BODY_BYTES = 100000 }; /* past the first segment of a start */
    struct store_options options = options_of();
    options.segment_bytes = 64 * MIB;
    begin(1);
    for (int life = 0; life < 3; life++) {
        toy_must_open(&t, &options);
        toy_judge(&t);
        assert_int_equal(t.count, life * BODIES);
        for (int i = 0; i < BODIES; i++)
            assert_int_equal(toy_put(&t, 1, 1, BODY_BYTES).code, 0);
        toy_flush(&t);
        store_abandon(t.store);
        faulty_disk_crash(CRASH_PROCESS);
    }
    end();
}

static void test_births_that_end_early(void **state)
{
    (void)state;
    struct store_options options = options_of();
    for (uint64_t seed = 1; seed <= toy_seeds(200); seed++) {
        begin(seed);
        if (seed % 2)
            faulty_disk_fail_write((uint32_t)(seed / 2 % 20));
        else
            faulty_disk_fail_sync((uint32_t)(seed / 2 % 12));
        if (!failed(open_until_fatal(&options)))
            store_abandon(t.store);
        faulty_disk_fail_write(UINT32_MAX);
        faulty_disk_fail_sync(UINT32_MAX);
        faulty_disk_crash(CRASH_POWER);
        reopen();
        uint8_t secret[32];
        memcpy(secret, store_secret(t.store), sizeof(secret));
        live(10);
        toy_flush(&t);
        store_abandon(t.store);
        faulty_disk_crash(CRASH_POWER);
        reopen();
        assert_memory_equal(store_secret(t.store), secret, sizeof(secret));
        store_close(t.store, false);
        end();
    }
}

/* An epoch is part of nonces: whatever happens, no two starts that got as far as serving have the same. */
static void test_epochs_never_repeat(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= toy_seeds(100); seed++) {
        begin(seed);
        uint64_t epoch = 0;
        for (int round = 0; round < 8; round++) {
            reopen();
            assert_true(store_epoch(t.store) > epoch);
            epoch = store_epoch(t.store);
            if (toy_below(&t, 3) == 0)
                live(10);
            store_abandon(t.store);
            if (toy_below(&t, 2)) {
                struct store_options options = options_of();
                faulty_disk_fail_write((uint32_t)toy_below(&t, 12));
                if (!failed(toy_open(&t, &options))) {
                    assert_true(store_epoch(t.store) > epoch);
                    epoch = store_epoch(t.store);
                    store_abandon(t.store);
                }
                faulty_disk_fail_write(UINT32_MAX);
            }
            faulty_disk_crash(toy_below(&t, 2) ? CRASH_PROCESS : CRASH_POWER);
        }
        end();
    }
}

int main(void)
{
    log_set_level(LOG_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_random_ends, tell_seed),
        cmocka_unit_test_teardown(test_loss_after_loss, tell_seed),
        cmocka_unit_test_teardown(test_kill_then_power_loss, tell_seed),
        cmocka_unit_test_teardown(test_failed_syncs, tell_seed),
        cmocka_unit_test_teardown(test_interrupted_starts, tell_seed),
        cmocka_unit_test_teardown(test_failed_sync_then_interrupted_starts, tell_seed),
        cmocka_unit_test_teardown(test_growing_segments, tell_seed),
        cmocka_unit_test_teardown(test_births_that_end_early, tell_seed),
        cmocka_unit_test_teardown(test_epochs_never_repeat, tell_seed),
    };
    int result = cmocka_run_group_tests(tests, NULL, NULL);
    faulty_disk_reset(0);
    return result;
}

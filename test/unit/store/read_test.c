/* Protects: what lies beside a record that was read comes from memory; what is read is right whatever is kept and whatever
 * is not; a record is read though its neighbourhood cannot be. */
#include "unit/store/toy.h"
#include "base/log.h"

enum { LARGE_READ = 8 * KIB };

static struct sys counting;
static size_t file_reads, waits;
static bool is_all_cold;
static enum { LARGE_GOOD, LARGE_COLD, LARGE_FAILS, LARGE_FLIPPED } large; /* what becomes of reads of whole blocks */

static struct error read_nowait(struct sys_file *f, uint64_t offset, void *out, size_t size, size_t *ret_size)
{
    file_reads++;
    if (is_all_cold)
        return ERROR_OF(ERR_COLD);
    if (size <= LARGE_READ || large == LARGE_GOOD)
        return sys_memory.file.read_nowait(f, offset, out, size, ret_size);
    if (large == LARGE_COLD)
        return ERROR_OF(ERR_COLD);
    if (large == LARGE_FAILS)
        return ERROR_SYS(ERR_IO, 5);
    struct error e = sys_memory.file.read_nowait(f, offset, out, size, ret_size);
    for (size_t i = 0; i < *ret_size; i += 128)
        ((char *)out)[i] ^= 1;
    return e;
}

static struct error read_waiting(struct sys_file *f, uint64_t offset, void *out, size_t size, size_t *ret_size)
{
    file_reads++;
    waits++;
    return sys_memory.file.read(f, offset, out, size, ret_size);
}

/* A store that was closed and opened again, so that nothing is in the ring. Object ids of log i count from 1. */
static void open_filled(struct toy *t, const size_t *sizes, size_t size_count, int logs, size_t each)
{
    static int next;
    static char dir[64];
    counting = sys_memory;
    counting.file.read_nowait = read_nowait;
    counting.file.read = read_waiting;
    sys = &counting;
    is_all_cold = false;
    large = LARGE_GOOD;
    snprintf(dir, sizeof(dir), "/memory/read-%d", ++next);
    struct store_options options = { .dir = dir, .segment_bytes = 4 * MIB + 4 * KIB, .snapshot_bytes = 64 * MIB };
    toy_init(t, 77);
    toy_must_open(t, &options);
    for (size_t i = 0; i < each; i++)
        for (int log = 0; log < logs; log++)
            assert_int_equal(toy_put(t, (uint16_t)log, 1, sizes[toy_below(t, size_count)]).code, 0);
    toy_flush(t);
    store_close(t->store, false);
    toy_must_open(t, &options);
    file_reads = waits = 0;
}

static struct error read_ten(struct toy *t, int log, size_t from, bool wait)
{
    enum { TEN = 10 };
    lsn_t lsns[TEN];
    struct record records[TEN];
    struct error errors[TEN];
    struct arena arena;
    arena_init(&arena, 16 * MIB);
    const struct toy_item *items = t->logs[log].items;
    for (size_t i = 0; i < TEN; i++)
        lsns[i] = items[from + i].lsn;
    struct error e = store_read_some(t->store, lsns, TEN, wait, &arena, records, errors);
    for (size_t i = 0; i < TEN && !failed(e); i++) {
        assert_int_equal(errors[i].code, 0);
        toy_check_record((uint16_t)log, &items[from + i], &records[i]);
    }
    arena_deinit(&arena);
    return e;
}

/* 32 logs in turn: ten of one lie as far apart as those of a group among many, and the next log's lie beside them. */
static void test_neighbours_come_from_memory(void **state)
{
    static const size_t size = 300;
    enum { LOGS = 32, EACH = 40, FILE_BYTES = LOGS * EACH * 400, BLOCKS = FILE_BYTES / (16 * KIB) + 1 };
    (void)state;
    struct toy t;
    open_filled(&t, &size, 1, LOGS, EACH);
    for (size_t from = 0; from < EACH; from += 10)
        for (int log = 0; log < LOGS; log++)
            assert_int_equal(read_ten(&t, log, from, false).code, 0);
    assert_in_range(file_reads, 10, BLOCKS + 2); /* each block once, not each of 1280 records */
    file_reads = 0;
    for (int log = 0; log < LOGS; log++)
        assert_int_equal(read_ten(&t, log, 0, false).code, 0);
    assert_int_equal(file_reads, 0);
    store_close(t.store, false);
    toy_deinit(&t);
}

/* More than is kept, of all sizes, in any order: over the ends of blocks, segments and headers. */
static void test_any_order(void **state)
{
    static const size_t sizes[] = { 0, 1, 15, 16, 17, 300, 301, 1000, 4000, 4096, 5000, 16000, 16384, 20000, 70000 };
    enum { LOGS = 3, EACH = 400, READS = 4000 };
    (void)state;
    struct toy t;
    open_filled(&t, sizes, ARRAY_COUNT(sizes), LOGS, EACH);
    for (int i = 0; i < READS; i++)
        assert_int_equal(
            read_ten(&t, (int)toy_below(&t, LOGS), toy_below(&t, EACH - 10), toy_below(&t, 2) == 0).code, 0);
    assert_true(file_reads > READS); /* it was more than is kept */
    store_close(t.store, false);
    toy_deinit(&t);
}

static void test_cold(void **state)
{
    static const size_t size = 300;
    (void)state;
    struct toy t;
    open_filled(&t, &size, 1, 1, 100);
    is_all_cold = true;
    assert_int_equal(read_ten(&t, 0, 20, false).code, ERR_COLD);
    assert_int_equal(read_ten(&t, 0, 20, true).code, 0);
    file_reads = 0;
    assert_int_equal(read_ten(&t, 0, 20, false).code, 0); /* although the kernel has nothing of it */
    assert_int_equal(file_reads, 0);
    store_close(t.store, false);
    toy_deinit(&t);
}

/* Whoever waits does so for what he asked for only. */
static void test_warm_beside_cold(void **state)
{
    static const size_t size = 300;
    (void)state;
    struct toy t;
    open_filled(&t, &size, 1, 1, 100);
    large = LARGE_COLD;
    assert_int_equal(read_ten(&t, 0, 20, true).code, 0);
    assert_int_equal(waits, 0);
    store_close(t.store, false);
    toy_deinit(&t);
}

static void test_bad_neighbourhood(void **state)
{
    static const size_t size = 300;
    (void)state;
    struct toy t;
    open_filled(&t, &size, 1, 1, 100);
    large = LARGE_FAILS;
    assert_int_equal(read_ten(&t, 0, 20, false).code, 0);
    large = LARGE_FLIPPED;
    assert_int_equal(read_ten(&t, 0, 20, false).code, 0);
    assert_int_equal(read_ten(&t, 0, 20, false).code, 0); /* although what is kept is still bad */
    store_close(t.store, false);
    toy_deinit(&t);
}

/* Reads of blocks that are not to be had take no other block's place but one. */
static void test_failures_leave_the_rest(void **state)
{
    static const size_t size = 4000;
    enum { EACH = 900 }; /* more than 200 blocks */
    (void)state;
    struct toy t;
    open_filled(&t, &size, 1, 1, EACH);
    assert_int_equal(read_ten(&t, 0, 0, false).code, 0);
    large = LARGE_COLD;
    for (size_t from = 10; from + 10 <= EACH; from += 10)
        assert_int_equal(read_ten(&t, 0, from, false).code, 0);
    file_reads = 0;
    assert_int_equal(read_ten(&t, 0, 0, false).code, 0);
    assert_int_equal(file_reads, 0);
    store_close(t.store, false);
    toy_deinit(&t);
}

int main(void)
{
    log_set_level(LOG_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_neighbours_come_from_memory),
        cmocka_unit_test(test_any_order),
        cmocka_unit_test(test_cold),
        cmocka_unit_test(test_warm_beside_cold),
        cmocka_unit_test(test_bad_neighbourhood),
        cmocka_unit_test(test_failures_leave_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

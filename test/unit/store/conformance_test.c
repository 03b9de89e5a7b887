/* conformance_test.c: what every store must give (G1, G3, G4, G8, G10 of store.h), on files in memory and on real ones. */
#include "unit/store/toy.h"
#include "base/log.h"
#include <sys/stat.h>
#include <unistd.h>

static char dir[128];

static void use_memory(void)
{
    static int next;
    sys = &sys_memory;
    snprintf(dir, sizeof(dir), "/memory/store-%d", ++next);
}

static struct store_options options_of(void)
{
    return (struct store_options){ .dir = dir, .segment_bytes = 4 * MIB, .snapshot_bytes = 1 * MIB };
}

/* ---- append, read, come back ----------------------------------------------------------------------------------------------- */

static void test_empty_directory(void **state)
{
    (void)state;
    use_memory();
    struct toy t;
    struct store_options options = options_of();
    toy_init(&t, 1);
    toy_must_open(&t, &options);
    assert_int_equal(t.applied, 0);
    uint64_t epoch = store_epoch(t.store);
    uint8_t secret[32];
    memcpy(secret, store_secret(t.store), sizeof(secret));
    assert_true(store_end(t.store) <= store_durable(t.store));
    store_close(t.store, false);
    for (int i = 1; i < 5; i++) {
        toy_must_open(&t, &options);
        assert_true(store_epoch(t.store) > epoch); /* counted up at each open */
        epoch = store_epoch(t.store);
        assert_memory_equal(store_secret(t.store), secret, sizeof(secret));
        store_close(t.store, false);
    }
    toy_deinit(&t);
}

static const size_t sizes[] = { 0, 1, 15, 16, 17, 31, 32, 255, 4000, 4096, 70000, 262144, 1 * MIB };

static void test_sizes(void **state)
{
    (void)state;
    use_memory();
    struct toy t;
    struct store_options options = options_of();
    toy_init(&t, 2);
    toy_must_open(&t, &options);
    for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
        assert_int_equal(toy_put(&t, (uint16_t)(i % LOG_COUNT), 1 + i % 3, sizes[i]).code, 0);
        toy_read_all(&t); /* before the flush */
        if (i % 2)
            toy_flush(&t);
    }
    toy_flush(&t);
    toy_read_all(&t);
    store_close(t.store, false);
    toy_must_open(&t, &options);
    toy_judge(&t); /* now from the files */
    store_close(t.store, false);
    toy_deinit(&t);
}

static void test_durable_moves_only_with_flush(void **state)
{
    (void)state;
    use_memory();
    struct toy t;
    struct store_options options = options_of();
    toy_init(&t, 3);
    toy_must_open(&t, &options);
    lsn_t previous = 0;
    for (int i = 0; i < 200; i++) {
        assert_int_equal(toy_put(&t, (uint16_t)toy_below(&t, LOG_COUNT), 1, 100).code, 0);
        lsn_t lsn = t.history[t.count - 1].lsn;
        assert_true(lsn > previous);
        assert_true(store_end(t.store) > lsn);
        assert_true(store_durable(t.store) <= lsn);
        previous = lsn;
        if (i % 7 == 0) {
            toy_flush(&t);
            assert_true(store_durable(t.store) > lsn);
        }
    }
    store_close(t.store, false);
    toy_deinit(&t);
}

static void test_unflushed_is_gone_flushed_is_not(void **state)
{
    (void)state;
    use_memory();
    struct toy t;
    struct store_options options = options_of();
    toy_init(&t, 4);
    toy_must_open(&t, &options);
    for (int i = 0; i < 20; i++)
        toy_put(&t, 5, 2, 300);
    toy_flush(&t);
    for (int i = 0; i < 20; i++)
        toy_put(&t, 5, 2, 300);
    store_abandon(t.store);
    toy_must_open(&t, &options);
    assert_int_equal(t.applied, 40);
    toy_judge(&t);
    store_close(t.store, false);
    toy_deinit(&t);
}

static void test_too_large(void **state)
{
    (void)state;
    use_memory();
    struct toy t;
    struct store_options options = options_of();
    options.segment_bytes = 64 * MIB;
    toy_init(&t, 5);
    toy_must_open(&t, &options);
    char *bytes = calloc(1, LOG_BATCH_BYTES_MAX + 1);
    assert_non_null(bytes);
    struct slice part = slice_of(bytes, LOG_BATCH_BYTES_MAX + 1);
    struct record_in r = { .type = TOY_NOTE, .version = 1, .parts = &part, .part_count = 1 };
    assert_int_equal(toy_append(&t, 0, &r, 1, false).code, ERR_TOO_LARGE);
    assert_int_equal(t.count, 0);
    part.size = LOG_RECORD_BYTES_MAX;
    assert_int_equal(toy_append(&t, 0, &r, 1, false).code, 0);
    toy_flush(&t);
    store_close(t.store, false);
    toy_must_open(&t, &options);
    toy_judge(&t);
    assert_int_equal(t.applied, 1);
    store_close(t.store, false);
    free(bytes);
    toy_deinit(&t);
}

/* ---- snapshots --------------------------------------------------------------------------------------------------------------- */

/* One turn of life: mostly puts, some drops, now and then a flush or background work. */
static void live(struct toy *t, int turns, size_t size_max)
{
    for (int i = 0; i < turns; i++) {
        uint16_t log = (uint16_t)toy_below(t, LOG_COUNT);
        t->now_ms += toy_below(t, 3);
        if (t->logs[log].count > 3 && toy_below(t, 2))
            assert_int_equal(toy_drop(t, log, toy_below(t, t->logs[log].count)).code, 0);
        else
            assert_int_equal(toy_put(t, log, 1 + toy_below(t, 4), toy_below(t, size_max)).code, 0);
        if (toy_below(t, 5) == 0)
            toy_flush(t);
        if (toy_below(t, 20) == 0)
            store_step(t->store);
    }
}

static void test_snapshot_and_tail_equal_full_replay(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        use_memory();
        struct toy t;
        struct store_options options = options_of();
        toy_init(&t, seed);
        toy_must_open(&t, &options);
        live(&t, 300, 2000);
        assert_int_equal(store_snapshot_now(t.store).code, 0);
        toy_flush(&t);
        live(&t, 50, 2000);
        toy_flush(&t);
        store_close(t.store, false);
        toy_must_open(&t, &options);
        assert_int_equal(t.restored, LOG_COUNT);
        assert_in_range(t.applied, 1, 400); /* the tail, not everything */
        size_t all = t.count;
        toy_judge(&t); /* digests of the history are those of full replay */
        assert_int_equal(t.count, all);
        store_close(t.store, true);
        toy_must_open(&t, &options);
        assert_int_equal(t.applied, 0); /* a last snapshot leaves nothing to replay */
        toy_judge(&t);
        assert_int_equal(t.count, all);
        store_close(t.store, false);
        toy_deinit(&t);
    }
}

/* ---- threads ------------------------------------------------------------------------------------------------------------------ */

static int durable_calls, warmed;

static void on_durable(void *context)
{
    (void)context;
    __atomic_add_fetch(&durable_calls, 1, __ATOMIC_SEQ_CST);
}

static void on_warm(void *argument)
{
    __atomic_add_fetch(&warmed, *(int *)argument, __ATOMIC_SEQ_CST);
}

/* Waits for another thread by giving it the processor; the test's own bound on time is that of the whole program. */
static void wait_until_durable(struct toy *t, lsn_t lsn)
{
    while (store_durable(t->store) <= lsn)
        usleep(100);
}

static void test_threads_commit(void **state)
{
    (void)state;
    char template[] = "/tmp/millrace-store-XXXXXX";
    assert_non_null(mkdtemp(template));
    sys = &sys_real;
    snprintf(dir, sizeof(dir), "%s/data", template);
    struct toy t;
    struct store_options options = options_of();
    toy_init(&t, 6);
    toy_must_open(&t, &options);
    store_start(t.store);
    store_on_durable(t.store, on_durable, NULL);
    for (int i = 0; i < 300; i++) {
        assert_int_equal(toy_put(&t, (uint16_t)(i % LOG_COUNT), 1, 500).code, 0);
        store_kick(t.store);
        if (i % 10 == 0)
            wait_until_durable(&t, t.history[t.count - 1].lsn);
    }
    wait_until_durable(&t, t.history[t.count - 1].lsn);
    t.acknowledged = t.count;
    assert_true(__atomic_load_n(&durable_calls, __ATOMIC_SEQ_CST) > 0);
    toy_read_all(&t);
    int one = 1;
    lsn_t lsns[3] = { t.logs[0].items[0].lsn, t.logs[1].items[0].lsn, t.logs[2].items[0].lsn };
    store_warm(t.store, lsns, 3, on_warm, &one);
    while (!__atomic_load_n(&warmed, __ATOMIC_SEQ_CST))
        usleep(100);
    store_close(t.store, false);
    toy_must_open(&t, &options);
    toy_judge(&t);
    store_close(t.store, true);
    struct stat st;
    char path[256];
    snprintf(path, sizeof(path), "%s/secret", dir);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(st.st_size, 32);
    char command[256];
    snprintf(command, sizeof(command), "rm -r %s", template);
    assert_int_equal(system(command), 0);
    toy_deinit(&t);
    sys = &sys_memory;
}

/* ---- who may open, and what ---------------------------------------------------------------------------------------------------- */

static void test_second_opener_is_refused(void **state)
{
    (void)state;
    use_memory();
    struct toy a, b;
    struct store_options options = options_of();
    toy_init(&a, 7);
    toy_init(&b, 8);
    toy_must_open(&a, &options);
    assert_int_equal(toy_open(&b, &options).code, ERR_LOCKED);
    assert_true(b.sentence.size > 20);
    assert_int_equal(toy_put(&a, 1, 1, 10).code, 0);
    toy_flush(&a);
    store_close(a.store, false);
    toy_must_open(&b, &options);
    assert_int_equal(b.applied, 1);
    store_close(b.store, false);
    toy_deinit(&a);
    toy_deinit(&b);
}

static void replace_file(const char *name, const char *text)
{
    char path[256];
    struct sys_file *f;
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    const struct iovec part = { (void *)(uintptr_t)text, strlen(text) };
    assert_int_equal(sys->file.open(path, SYS_OPEN_WRITE | SYS_OPEN_CREATE, &f).code, 0);
    assert_int_equal(sys->file.truncate(f, 0).code, 0);
    assert_int_equal(sys->file.write(f, 0, &part, 1).code, 0);
    sys->file.close(f);
}

static void test_foreign_formats_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text;
        uint32_t code;
    } cases[] = {
        { "format", "millrace 2\nlogs 64\nspan 4194304\n", ERR_NEWER_FORMAT },
        { "format", "millrace 1\nlogs 63\nspan 4194304\n", ERR_CORRUPT },
        { "format", "hello\n", ERR_CORRUPT },
        { "format", "", ERR_CORRUPT },
        { "secret", "short", ERR_CORRUPT },
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        use_memory();
        struct toy t;
        struct store_options options = options_of();
        toy_init(&t, 9);
        toy_must_open(&t, &options);
        store_close(t.store, false);
        replace_file(cases[i].name, cases[i].text);
        assert_int_equal(toy_open(&t, &options).code, cases[i].code);
        assert_true(t.sentence.size > 20);
        toy_deinit(&t);
    }
}

/* Records that come with one read are judged one by one. */
static void test_damage_of_one_is_its_own(void **state)
{
    (void)state;
    enum { COUNT = 9, DAMAGED = 4 };
    use_memory();
    struct toy t;
    struct store_options options = options_of();
    toy_init(&t, 10);
    toy_must_open(&t, &options);
    for (uint64_t i = 0; i < COUNT; i++)
        assert_int_equal(toy_put(&t, 5, 1, 100 + 50 * i).code, 0);
    toy_flush(&t);
    store_close(t.store, false);
    toy_must_open(&t, &options); /* from the file from now on */
    lsn_t lsns[COUNT];
    for (size_t i = 0; i < COUNT; i++)
        lsns[i] = t.logs[5].items[i].lsn;

    char path[256];
    struct sys_file *f;
    uint8_t byte;
    size_t got;
    uint64_t at = lsns[DAMAGED] * STORE_RECORD_ALIGN + 80;
    snprintf(path, sizeof(path), "%s/journal-0000000000000000.seg", dir);
    assert_int_equal(sys->file.open(path, SYS_OPEN_WRITE, &f).code, 0);
    assert_int_equal(sys->file.read(f, at, &byte, 1, &got).code, 0);
    byte ^= 1;
    assert_int_equal(sys->file.write(f, at, &(struct iovec){ &byte, 1 }, 1).code, 0);
    sys->file.close(f);

    struct record records[COUNT];
    struct error errors[COUNT];
    struct arena arena;
    arena_init(&arena, 1 * MIB);
    assert_int_equal(store_read_some(t.store, lsns, COUNT, false, &arena, records, errors).code, 0);
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(errors[i].code, i == DAMAGED ? ERR_CORRUPT : 0);
        if (i != DAMAGED)
            toy_check_record(5, &t.logs[5].items[i], &records[i]);
    }
    arena_deinit(&arena);
    store_close(t.store, false);
    toy_deinit(&t);
}

int main(void)
{
    log_set_level(LOG_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty_directory),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_durable_moves_only_with_flush),
        cmocka_unit_test(test_unflushed_is_gone_flushed_is_not),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_snapshot_and_tail_equal_full_replay),
        cmocka_unit_test(test_threads_commit),
        cmocka_unit_test(test_second_opener_is_refused),
        cmocka_unit_test(test_foreign_formats_are_refused),
        cmocka_unit_test(test_damage_of_one_is_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* threads_test.c: the store's own threads on the real clocks. */
#include "unit/store/toy.h"
#include "base/log.h"
#include "sys/crew.h"
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { HOUR_S = 3600, LOOKS = 4, GIVE_UP_S = 60 };

/* In place of libc's: the wall clock an hour ahead of what the kernel's waits go by, as it is when it is set back while one
 * waits. */
int clock_gettime(clockid_t clock, struct timespec *now)
{
    int result = (int)syscall(SYS_clock_gettime, clock, now);
    if (clock == CLOCK_REALTIME)
        now->tv_sec += HOUR_S;
    return result;
}

static void pause_ms(long ms)
{
    const struct timespec pause = { .tv_nsec = ms * 1000 * 1000 };
    nanosleep(&pause, NULL);
}

static void wait_until(bool (*is_so)(void))
{
    const uint64_t give_up_us = sys_real.clock.monotonic_us() + GIVE_UP_S * 1000000ull;
    while (!is_so() && sys_real.clock.monotonic_us() < give_up_us)
        pause_ms(1);
    assert_true(is_so());
}

static _Atomic int looks;

static struct error counting_free_bytes(const char *path, uint64_t *ret_free, uint64_t *ret_total)
{
    atomic_fetch_add(&looks, 1);
    return sys_memory.file.free_bytes(path, ret_free, ret_total);
}

static bool has_looked_again(void)
{
    return atomic_load(&looks) >= LOOKS;
}

/* The disk is looked at again and again, though nobody wakes the background thread. */
static void test_background_work_goes_on_when_the_wall_clock_jumps(void **state)
{
    (void)state;
    static struct sys table;
    table = sys_memory;
    table.clock = sys_real.clock;
    table.file.free_bytes = counting_free_bytes;
    sys = &table;
    const struct store_options options = { .dir = "/memory/threads", .segment_bytes = 4 * MIB };
    struct toy t;
    toy_init(&t, 1);
    toy_must_open(&t, &options);
    store_start(t.store);
    wait_until(has_looked_again);
    store_close(t.store, false);
    toy_deinit(&t);
}

/* ---- a segment ends while the next one is still being filled -------------------------------------------------------------------- */

static _Atomic bool fill_is_held, fill_has_begun;
static _Atomic pid_t appender; /* the thread that is in store_append, or was the last one */

static struct error held_write(struct sys_file *f, uint64_t offset, const struct iovec *parts, int count)
{
    const bool is_large = parts[0].iov_len >= 128 * KIB; /* only the background writes so much at once here */
    while (is_large && atomic_load(&fill_is_held)) {
        atomic_store(&fill_has_begun, true);
        pause_ms(1);
    }
    return sys_memory.file.write(f, offset, parts, count);
}

static bool has_fill_begun(void)
{
    return atomic_load(&fill_has_begun);
}

/* The only thing to sleep on in store_append, while the background is held without the lock, is the next segment. */
static bool is_appender_asleep(void)
{
    char path[64], line[256];
    const pid_t thread = atomic_load(&appender);
    snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)thread);
    FILE *file = thread == gettid() ? NULL : fopen(path, "re");
    if (!file)
        return false;
    const char *name_end = fgets(line, sizeof(line), file) ? strrchr(line, ')') : NULL;
    fclose(file);
    return name_end && name_end[2] == 'S';
}

struct appended {
    struct store *store;
    lsn_t lsn;
    size_t size;
    char byte;
};

static void *append_one(void *argument)
{
    struct appended *a = argument;
    char *bytes = malloc(a->size);
    assert_non_null(bytes);
    memset(bytes, a->byte, a->size);
    const struct slice part = slice_of(bytes, a->size);
    const struct record_in r = { .type = TOY_NOTE, .version = 1, .parts = &part, .part_count = 1 };
    atomic_store(&appender, gettid());
    if (store_append(a->store, 3, 1000, &r, 1, false, &a->lsn).code)
        a->lsn = 0;
    free(bytes);
    return NULL;
}

static void check_one(const struct appended *a)
{
    struct arena arena;
    struct record r;
    arena_init(&arena, 4 * MIB);
    assert_true(a->lsn > 0);
    assert_int_equal(store_read(a->store, a->lsn, true, &arena, &r).code, 0);
    assert_int_equal(r.payload.size, a->size);
    assert_int_equal(r.payload.data[a->size - 1], a->byte);
    arena_deinit(&arena);
}

/* One append does not fit any more and waits for the next segment; meanwhile another, which is smaller, does fit. Both must be
 * on disk after the flush, each in its place. */
static void test_an_append_that_waits_lets_others_in(void **state)
{
    (void)state;
    enum { FIT = 15 }; /* large ones in the first segment, of 1 MiB: not one more */
    static struct sys table;
    table = sys_memory;
    table.file.write = held_write;
    sys = &table;
    const struct store_options options = { .dir = "/memory/turnover", .segment_bytes = 4 * MIB };
    struct toy t;
    toy_init(&t, 2);
    toy_must_open(&t, &options);
    atomic_store(&fill_is_held, true);
    store_start(t.store);
    struct appended before = { .store = t.store, .size = 64 * KIB, .byte = 'a' };
    struct appended large = { .store = t.store, .size = 64 * KIB, .byte = 'b' };
    struct appended small = { .store = t.store, .size = 100, .byte = 'c' };
    for (int i = 0; i < FIT; i++) {
        append_one(&before);
        assert_int_equal(store_flush(t.store).code, 0);
    }
    pthread_t waiting;
    wait_until(has_fill_begun);
    assert_int_equal(pthread_create(&waiting, NULL, append_one, &large), 0);
    wait_until(is_appender_asleep);
    append_one(&small);
    atomic_store(&fill_is_held, false);
    pthread_join(waiting, NULL);
    while (failed(store_flush(t.store))) /* another one is under way */
        pause_ms(1);
    assert_int_equal(store_durable(t.store), store_end(t.store));
    store_close(t.store, false);

    toy_must_open(&t, &options); /* from the files */
    before.store = large.store = small.store = t.store;
    check_one(&before);
    check_one(&small);
    check_one(&large);
    store_close(t.store, false);
    toy_deinit(&t);
}

/* ---- the committer as one of the crew ---------------------------------------------------------------------------------------------- */

enum { STANDS_US = 5000000 };

static _Atomic bool sync_is_held, sync_has_begun;

static struct error held_sync(struct sys_file *f)
{
    while (atomic_load(&sync_is_held)) {
        atomic_store(&sync_has_begun, true);
        pause_ms(1);
    }
    return sys_memory.file.sync(f);
}

static uint64_t standing_us(void)
{
    return STANDS_US;
}

static bool has_sync_begun(void)
{
    return atomic_load(&sync_has_begun);
}

static bool is_fetched_at(struct crew_seat *mine, uint64_t now_us)
{
    uint64_t before = crew_fetched();
    crew_look(mine, now_us);
    crew_look(mine, now_us + CREW_CHECK_US);
    return crew_fetched() > before;
}

/* While it waits for the disk as long as usual it is left alone; longer, and it may be waiting for a core. */
static void test_the_crew_knows_what_the_committer_does(void **state)
{
    (void)state;
    static struct sys table;
    table = sys_memory;
    table.file.sync = held_sync;
    table.clock.monotonic_us = standing_us;
    sys = &table;
    struct crew_seat *mine = crew_join(STANDS_US);
    if (!mine)
        skip();      /* one core */
    crew_rest(mine); /* nobody looks after this one */
    const struct store_options options = { .dir = "/memory/crew", .segment_bytes = 4 * MIB };
    struct toy t;
    toy_init(&t, 3);
    toy_must_open(&t, &options);
    store_start(t.store);
    atomic_store(&sync_is_held, true);
    struct appended one = { .store = t.store, .size = 100, .byte = 'a' };
    append_one(&one);
    store_kick(t.store);
    wait_until(has_sync_begun);
    bool is_left_alone = !is_fetched_at(mine, STANDS_US + CREW_TURN_US);
    bool is_missed = is_fetched_at(mine, STANDS_US + 100 * CREW_TURN_US);
    atomic_store(&sync_is_held, false);
    uint64_t later_us = STANDS_US + 200 * CREW_TURN_US;
    while (store_durable(t.store) < store_end(t.store) || is_fetched_at(mine, later_us += CREW_TURN_US))
        pause_ms(1); /* for ever, if it never says that it rests */
    store_close(t.store, false);
    crew_leave(mine);
    toy_deinit(&t);
    assert_true(is_left_alone);
    assert_true(is_missed);
}

int main(void)
{
    log_set_level(LOG_ERROR + 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_background_work_goes_on_when_the_wall_clock_jumps),
        cmocka_unit_test(test_an_append_that_waits_lets_others_in),
        cmocka_unit_test(test_the_crew_knows_what_the_committer_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

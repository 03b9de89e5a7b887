/* threads_test.c: the store's own threads on the real clocks. */
#include "unit/store/toy.h"
#include "base/log.h"
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

static _Atomic int looks;

static struct error counting_free_bytes(const char *path, uint64_t *ret_free, uint64_t *ret_total)
{
    atomic_fetch_add(&looks, 1);
    return sys_memory.file.free_bytes(path, ret_free, ret_total);
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
    const uint64_t give_up_us = sys->clock.monotonic_us() + GIVE_UP_S * 1000000ull;
    while (atomic_load(&looks) < LOOKS && sys->clock.monotonic_us() < give_up_us) {
        const struct timespec pause = { .tv_nsec = 5 * 1000 * 1000 };
        nanosleep(&pause, NULL);
    }
    assert_true(atomic_load(&looks) >= LOOKS);
    store_close(t.store, false);
    toy_deinit(&t);
}

int main(void)
{
    log_set_level(LOG_ERROR + 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_background_work_goes_on_when_the_wall_clock_jumps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* clock.c: time that leans toward the wall, never back, never still, whatever the wall does. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "api/clock.h"
#include "base/check.h"
#include "sys/sys.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

static _Atomic uint64_t mono_us;
static _Atomic int64_t wall_ahead_ms; /* wall clock - monotonic clock */
static struct sys hand_sys;

static uint64_t hand_monotonic_us(void)
{
    return atomic_load(&mono_us);
}

static int64_t hand_wall_ms(void)
{
    return (int64_t)(atomic_load(&mono_us) / 1000) + atomic_load(&wall_ahead_ms);
}

enum { WALL_AT_START = 1700000 }; /* s */

static int set_up(void **state)
{
    (void)state;
    hand_sys = sys_real;
    hand_sys.clock.monotonic_us = hand_monotonic_us;
    hand_sys.clock.wall_ms = hand_wall_ms;
    sys = &hand_sys;
    atomic_store(&mono_us, 5000000);
    atomic_store(&wall_ahead_ms, WALL_AT_START * 1000ll);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    sys = &sys_real;
    return 0;
}

static void test_start(void **state)
{
    (void)state;
    static const struct {
        int64_t record_less_wall_ms, start_less_wall_ms;
    } rows[] = { { -WALL_AT_START * 1000ll, 0 }, { -1, 0 }, { 0, 0 }, { 1, 1 }, { 3600000, 3600000 } };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        clock_start((uint64_t)(hand_wall_ms() + rows[i].record_less_wall_ms));
        assert_int_equal((int64_t)clock_ms() - hand_wall_ms(), rows[i].start_less_wall_ms);
        assert_int_equal(clock_offset_from_wall_ms(), rows[i].start_less_wall_ms);
    }
}

/* Lets `ms` pass in steps and checks each: not back, and over the whole not slower or faster than the slew allows. */
static void pass(uint64_t ms, uint64_t step_us)
{
    uint64_t from = clock_ms(), last = from, mono_from = atomic_load(&mono_us), still_us = 0;
    while (atomic_load(&mono_us) < mono_from + ms * 1000) {
        atomic_fetch_add(&mono_us, step_us);
        uint64_t now = clock_ms();
        assert_true(now >= last);
        still_us = now == last ? still_us + step_us : 0;
        assert_true(still_us <= 3000); /* of the 2 ms that a step of one and rounding may take */
        last = now;
    }
    uint64_t passed = (atomic_load(&mono_us) - mono_from) / 1000,
             share = passed * CLOCK_SLEW_PERCENT / 100 + CLOCK_STEP_MAX_MS;
    assert_true(last - from <= passed + share);
    assert_true(last - from + share >= passed);
}

/* The wall jumps: the clock follows at its pace and arrives. */
static void test_jumps(void **state)
{
    (void)state;
    static const int64_t jumps_ms[] = { 0, 1, -1, 40, -40, 2000, -2000, 10000, -10000 };
    static const uint64_t steps_us[] = { 100, 1000, 7000, 19999, 20000, 33000 };
    for (size_t i = 0; i < ARRAY_COUNT(jumps_ms); i++) {
        for (size_t k = 0; k < ARRAY_COUNT(steps_us); k++) {
            clock_start(0);
            atomic_fetch_add(&wall_ahead_ms, jumps_ms[i]);
            uint64_t needed_ms = (uint64_t)(jumps_ms[i] < 0 ? -jumps_ms[i] : jumps_ms[i]) * 100 / CLOCK_SLEW_PERCENT;
            pass(needed_ms / 2, steps_us[k] < 3000 ? steps_us[k] : 3000);
            if (jumps_ms[i] > 1000 || jumps_ms[i] < -1000)
                assert_true(clock_offset_from_wall_ms() != 0); /* not at once */
            pass(needed_ms / 2 + needed_ms / 5 + 100, steps_us[k] < 3000 ? steps_us[k] : 3000);
            assert_in_range(clock_offset_from_wall_ms() + 1, 0, 2);
        }
    }
}

/* Nobody looked for an hour, or a day: one look is not a jump away from the monotonic clock. */
static void test_long_sleeps(void **state)
{
    (void)state;
    clock_start(0);
    atomic_fetch_add(&wall_ahead_ms, 3600 * 1000);
    uint64_t before = clock_ms();
    atomic_fetch_add(&mono_us, 3600ull * 1000 * 1000);
    uint64_t after = clock_ms();
    assert_in_range(after - before, 3600 * 1000, 3600 * 1000 + CLOCK_STEP_MAX_MS);
    atomic_fetch_add(&wall_ahead_ms, -7200 * 1000);
    atomic_fetch_add(&mono_us, 24 * 3600ull * 1000 * 1000);
    before = after, after = clock_ms();
    assert_in_range(after - before, 24 * 3600 * 1000 - CLOCK_STEP_MAX_MS, 24 * 3600 * 1000);
}

/* Threads that all look and slew: no thread ever sees time go back. */
enum { LOOKERS = 4, LOOKS = 50000 };
static _Atomic int backs;

static void *look(void *argument)
{
    uint64_t last = 0;
    (void)argument;
    for (int i = 0; i < LOOKS; i++) {
        uint64_t now = clock_ms();
        if (now < last)
            atomic_fetch_add(&backs, 1);
        last = now;
        if (i % 16 == 0)
            atomic_fetch_add(&mono_us, 1000);
    }
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    pthread_t threads[LOOKERS];
    clock_start(0);
    atomic_fetch_add(&wall_ahead_ms, -1000 * 1000);
    atomic_store(&backs, 0);
    for (int i = 0; i < LOOKERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, look, NULL), 0);
    for (int i = 0; i < LOOKERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&backs), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_start, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_jumps, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_long_sleeps, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_threads, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "api/clock.h"
#include "sys/sys.h"
#include <stdatomic.h>

static _Atomic int64_t offset_ms;      /* server time - monotonic time */
static _Atomic uint64_t last_slew_ms;  /* monotonic */
static _Atomic uint64_t last_given_ms; /* the latest time anybody was told */

static uint64_t monotonic_ms(void)
{
    return sys->clock.monotonic_us() / 1000;
}

void clock_start(uint64_t latest_record_ms)
{
    uint64_t mono = monotonic_ms();
    int64_t wall = sys->clock.wall_ms();
    int64_t start = wall > (int64_t)latest_record_ms ? wall : (int64_t)latest_record_ms;
    atomic_store(&offset_ms, start - (int64_t)mono);
    atomic_store(&last_slew_ms, mono);
    atomic_store(&last_given_ms, 0);
}

/* Whoever moves last_slew_ms on moves the offset by that time's share; the shares of two threads add up. */
static void slew(uint64_t mono)
{
    uint64_t last = atomic_load_explicit(&last_slew_ms, memory_order_relaxed);
    if (mono < last + CLOCK_SLEW_EVERY_MS || !atomic_compare_exchange_strong(&last_slew_ms, &last, mono))
        return;
    int64_t want = sys->clock.wall_ms() - (int64_t)mono;
    int64_t step = want - atomic_load(&offset_ms);
    int64_t step_max = (int64_t)(mono - last) * CLOCK_SLEW_PERCENT / 100;
    if (step_max > CLOCK_STEP_MAX_MS)
        step_max = CLOCK_STEP_MAX_MS;
    if (step > step_max)
        step = step_max;
    if (step < -step_max)
        step = -step_max;
    atomic_fetch_add(&offset_ms, step);
}

/* A step back is never more than the time that went by since the last one, but another thread may have looked between
 * the two: then it waits until time has caught up. */
static uint64_t not_before_given(uint64_t now)
{
    uint64_t given = atomic_load_explicit(&last_given_ms, memory_order_relaxed);
    while (now > given)
        if (atomic_compare_exchange_weak_explicit(
                &last_given_ms, &given, now, memory_order_relaxed, memory_order_relaxed))
            return now;
    return given;
}

uint64_t clock_ms(void)
{
    uint64_t mono = monotonic_ms();
    slew(mono);
    return not_before_given((uint64_t)((int64_t)mono + atomic_load_explicit(&offset_ms, memory_order_relaxed)));
}

int64_t clock_offset_from_wall_ms(void)
{
    return (int64_t)clock_ms() - sys->clock.wall_ms();
}

#include "api/clock.h"
#include "sys/sys.h"
#include <stdatomic.h>

enum { SLEW_EVERY_MS = 100 };

static _Atomic int64_t offset_ms;      /* server time - monotonic time */
static _Atomic uint64_t last_slew_ms;  /* monotonic */

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
}

/* One thread at a time moves the offset toward the wall, by a share of the time since the last move. */
static void slew(uint64_t mono)
{
    uint64_t last = atomic_load_explicit(&last_slew_ms, memory_order_relaxed);
    if (mono < last + SLEW_EVERY_MS || !atomic_compare_exchange_strong(&last_slew_ms, &last, mono))
        return;
    int64_t want = sys->clock.wall_ms() - (int64_t)mono;
    int64_t have = atomic_load(&offset_ms);
    int64_t step_max = (int64_t)(mono - last) * CLOCK_SLEW_PERCENT / 100;
    int64_t step = want - have;
    if (step > step_max)
        step = step_max;
    if (step < -step_max)
        step = -step_max;
    atomic_store(&offset_ms, have + step);
}

uint64_t clock_ms(void)
{
    uint64_t mono = monotonic_ms();
    slew(mono);
    return (uint64_t)((int64_t)mono + atomic_load_explicit(&offset_ms, memory_order_relaxed));
}

int64_t clock_offset_from_wall_ms(void)
{
    return (int64_t)clock_ms() - sys->clock.wall_ms();
}

/* spread.c: see spread.h. */
#include "sys/spread.h"
#include "base/check.h"
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

enum {
    LOOK_MS = 10,
    TIE_MS = 100,
    BUSY_MS = 2 /* who had no turn for longer than this is not in the way */
};

struct seat {
    _Alignas(64) _Atomic int core;
    _Atomic uint64_t turn_ms;
    /* its thread's own */
    uint64_t look_ms, tied_until_ms; /* 0: free */
    cpu_set_t allowed, tied;
};

struct spread {
    int count;
    struct seat seats[];
};

struct spread *spread_new(int threads)
{
    cpu_set_t allowed;
    if (threads < 2 || sched_getaffinity(0, sizeof(allowed), &allowed) != 0 || CPU_COUNT(&allowed) < threads)
        return NULL;
    struct spread *s = aligned_alloc(_Alignof(struct spread), sizeof(*s) + (size_t)threads * sizeof(s->seats[0]));
    ASSERT(s);
    s->count = threads;
    for (int i = 0; i < threads; i++)
        s->seats[i] = (struct seat){ .core = -1 };
    return s;
}

void spread_free(struct spread *s)
{
    free(s);
}

/* One of the first `count` threads, but not `index`, has just run there; core < 0: anywhere. */
static bool is_busy(const struct spread *s, int count, int index, int core, uint64_t now_ms)
{
    for (int i = 0; i < count; i++) {
        const struct seat *seat = &s->seats[i];
        int at = atomic_load_explicit(&seat->core, memory_order_relaxed);
        if (i != index && at >= 0 && (core < 0 || at == core) &&
            atomic_load_explicit(&seat->turn_ms, memory_order_relaxed) + BUSY_MS >= now_ms)
            return true;
    }
    return false;
}

static int free_core(const struct spread *s, int index, uint64_t now_ms)
{
    for (int core = 0; core < CPU_SETSIZE; core++)
        if (CPU_ISSET(core, &s->seats[index].allowed) && !is_busy(s, s->count, index, core, now_ms))
            return core;
    return -1;
}

static void tie(struct spread *s, int index, int core, uint64_t now_ms)
{
    struct seat *seat = &s->seats[index];
    if (sched_getaffinity(0, sizeof(seat->allowed), &seat->allowed) != 0)
        return;
    if (is_busy(s, index, index, core, now_ms)) /* the thread with the smaller number stays */
        core = free_core(s, index, now_ms);
    if (core < 0)
        return;
    CPU_ZERO(&seat->tied);
    CPU_SET(core, &seat->tied);
    if (sched_setaffinity(0, sizeof(seat->tied), &seat->tied) != 0)
        return;
    seat->tied_until_ms = now_ms + TIE_MS;
    atomic_store_explicit(&seat->core, core, memory_order_relaxed);
}

/* Unless somebody else has said meanwhile which cores it may use. */
static void untie(struct seat *seat)
{
    cpu_set_t now;
    seat->tied_until_ms = 0;
    if (sched_getaffinity(0, sizeof(now), &now) == 0 && CPU_EQUAL(&now, &seat->tied))
        sched_setaffinity(0, sizeof(seat->allowed), &seat->allowed);
}

void spread_turn(struct spread *s, int index, uint64_t now_ms)
{
    struct seat *seat = &s->seats[index];
    int core = sched_getcpu();
    if (core != atomic_load_explicit(&seat->core, memory_order_relaxed))
        atomic_store_explicit(&seat->core, core, memory_order_relaxed);
    if (now_ms != atomic_load_explicit(&seat->turn_ms, memory_order_relaxed))
        atomic_store_explicit(&seat->turn_ms, now_ms, memory_order_relaxed);
    if (now_ms < seat->look_ms)
        return;
    seat->look_ms = now_ms + LOOK_MS;
    if (!seat->tied_until_ms && is_busy(s, s->count, index, -1, now_ms))
        tie(s, index, core, now_ms);
    else if (seat->tied_until_ms && now_ms >= seat->tied_until_ms)
        untie(seat);
}

/* spread.c: see spread.h. */
#include "sys/spread.h"
#include "base/check.h"
#include "sys/cores.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    LOOK_MS = 10,
    TIE_MS = 100,
    SMOOTH_MS = 80,      /* what a thread does in ten milliseconds says little */
    BUSY_PERMILLE = 300, /* of a core */
    BUSY_MS = 25,        /* so long a thread counts as busy after such a look: it may be waiting for the disk */
    NOWHERE = -1
};

struct seat {
    _Alignas(64) _Atomic int core; /* where it runs, or is tied to */
    _Atomic bool is_tied;
    _Atomic uint64_t busy_until_ms;
    /* its thread's own */
    uint64_t looked_ms, tied_until_ms;
    uint64_t used_us; /* at that look */
    int64_t load_permille;
    cpu_set_t tie;
};

struct spread {
    int count;
    uint64_t (*used_us)(void);
    struct seat seats[];
};

struct spread *spread_new(int threads, uint64_t (*used_us)(void))
{
    cpu_set_t allowed;
    if (threads < 2 || !cores_of(0, &allowed) || CPU_COUNT(&allowed) < threads)
        return NULL;
    struct spread *s = aligned_alloc(_Alignof(struct spread), sizeof(*s) + (size_t)threads * sizeof(s->seats[0]));
    ASSERT(s);
    s->count = threads;
    s->used_us = used_us;
    for (int i = 0; i < threads; i++)
        s->seats[i] = (struct seat){ .core = NOWHERE };
    return s;
}

void spread_free(struct spread *s)
{
    free(s);
}

static bool is_busy(const struct seat *seat, uint64_t now_ms)
{
    return atomic_load_explicit(&seat->busy_until_ms, memory_order_relaxed) > now_ms;
}

static bool is_another_busy(const struct spread *s, int index, uint64_t now_ms)
{
    for (int i = 0; i < s->count; i++)
        if (i != index && is_busy(&s->seats[i], now_ms))
            return true;
    return false;
}

/* Whoever is tied there has it; of two that are free, the one with the smaller number. */
static bool is_taken(const struct spread *s, int index, int core, uint64_t now_ms)
{
    for (int i = 0; i < s->count; i++) {
        const struct seat *seat = &s->seats[i];
        if (i != index && atomic_load_explicit(&seat->core, memory_order_relaxed) == core && is_busy(seat, now_ms) &&
            (i < index || atomic_load_explicit(&seat->is_tied, memory_order_relaxed)))
            return true;
    }
    return false;
}

/* `core`, or the next one after it that is allowed and nobody's; NOWHERE. */
static int core_for(const struct spread *s, int index, int core, const cpu_set_t *allowed, uint64_t now_ms)
{
    for (int i = 0; i < CPU_SETSIZE; i++, core = (core + 1) % CPU_SETSIZE)
        if (CPU_ISSET(core, allowed) && !is_taken(s, index, core, now_ms))
            return core;
    return NOWHERE;
}

static void tie(struct spread *s, int index, int core, uint64_t now_ms)
{
    struct seat *seat = &s->seats[index];
    cpu_set_t allowed, own;
    if (!cores_of(getpid(), &allowed) || !cores_of(0, &own) || !CPU_EQUAL(&allowed, &own))
        return; /* somebody gave this thread cores of its own */
    core = core_for(s, index, core, &allowed, now_ms);
    if (core == NOWHERE)
        return;
    CPU_ZERO(&seat->tie);
    CPU_SET(core, &seat->tie);
    if (sched_setaffinity(0, sizeof(seat->tie), &seat->tie) != 0)
        return;
    seat->tied_until_ms = now_ms + TIE_MS;
    atomic_store_explicit(&seat->core, core, memory_order_relaxed);
    atomic_store_explicit(&seat->is_tied, true, memory_order_relaxed);
}

static void untie(struct seat *seat)
{
    cpu_set_t allowed, own;
    atomic_store_explicit(&seat->is_tied, false, memory_order_relaxed);
    if (!cores_of(getpid(), &allowed) || !cores_of(0, &own))
        return;
    if (!CPU_EQUAL(&own, &seat->tie) && !CPU_EQUAL(&own, &allowed))
        return; /* somebody gave it cores meanwhile */
    cores_release(0, &allowed);
}

/* The share of a core that it has used lately. */
static int64_t load_permille(struct seat *seat, uint64_t used_us, uint64_t now_ms)
{
    int64_t elapsed_ms = (int64_t)(now_ms - seat->looked_ms);
    int64_t latest = (int64_t)(used_us - seat->used_us) / elapsed_ms;
    int64_t weight_ms = elapsed_ms < SMOOTH_MS ? elapsed_ms : SMOOTH_MS;
    seat->load_permille += (latest - seat->load_permille) * weight_ms / SMOOTH_MS;
    seat->looked_ms = now_ms;
    seat->used_us = used_us;
    return seat->load_permille;
}

static void look(struct spread *s, int index, int core, uint64_t now_ms)
{
    struct seat *seat = &s->seats[index];
    bool busy = load_permille(seat, s->used_us(), now_ms) >= BUSY_PERMILLE;
    if (busy)
        atomic_store_explicit(&seat->busy_until_ms, now_ms + BUSY_MS, memory_order_relaxed);
    bool is_tied = atomic_load_explicit(&seat->is_tied, memory_order_relaxed);
    if (is_tied && now_ms >= seat->tied_until_ms)
        untie(seat);
    else if (!is_tied && busy && is_another_busy(s, index, now_ms))
        tie(s, index, core, now_ms);
}

void spread_turn(struct spread *s, int index, uint64_t now_ms)
{
    struct seat *seat = &s->seats[index];
    int core = sched_getcpu();
    if (core < 0)
        return;
    if (core != atomic_load_explicit(&seat->core, memory_order_relaxed))
        atomic_store_explicit(&seat->core, core, memory_order_relaxed);
    if (now_ms >= seat->looked_ms + LOOK_MS)
        look(s, index, core, now_ms);
}

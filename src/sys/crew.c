/* crew.c: see crew.h.
 *
 * A seat's `state` is one word, time and what the member does, so that who looks sees both as of one moment. Everything else
 * in a seat, and every change of another thread's cores, is under the lock: a member cannot leave (and its number go to another
 * thread) while it is being fetched. Who looks and finds the lock taken lets it be. */
#include "sys/crew.h"
#include "sys/cores.h"
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { RESTING, CALLED, WORKING };

struct crew_seat {
    _Alignas(64) _Atomic uint64_t state; /* microseconds << 2, and one of the above */
    /* under the lock */
    pid_t thread; /* 0: nobody's */
    clockid_t used;
    uint64_t asked_state, asked_us, used_us; /* the last question for its processor time */
    /* the member's own */
    unsigned next;
};

static struct {
    struct crew_seat seats[CREW_MAX];
    atomic_uint count; /* seats ever taken */
    atomic_uint_fast64_t fetched;
    pthread_mutex_t lock;
} crew = { .lock = PTHREAD_MUTEX_INITIALIZER };

static uint64_t state_of(uint64_t at_us, unsigned what)
{
    return at_us << 2 | what;
}

static struct crew_seat *free_seat(void)
{
    for (unsigned i = 0; i < CREW_MAX; i++)
        if (crew.seats[i].thread == 0) {
            if (i >= atomic_load_explicit(&crew.count, memory_order_relaxed))
                atomic_store_explicit(&crew.count, i + 1, memory_order_relaxed);
            return &crew.seats[i];
        }
    return NULL;
}

struct crew_seat *crew_join(uint64_t now_us)
{
    cpu_set_t allowed;
    clockid_t used;
    if (!cores_of(0, &allowed) || CPU_COUNT(&allowed) < 2 || pthread_getcpuclockid(pthread_self(), &used) != 0)
        return NULL;
    pthread_mutex_lock(&crew.lock);
    struct crew_seat *seat = free_seat();
    if (seat) {
        seat->thread = (pid_t)syscall(SYS_gettid);
        seat->used = used;
        seat->asked_state = 0;
        crew_begin(seat, now_us);
    }
    pthread_mutex_unlock(&crew.lock);
    return seat;
}

void crew_leave(struct crew_seat *seat)
{
    if (!seat)
        return;
    pthread_mutex_lock(&crew.lock);
    seat->thread = 0;
    crew_rest(seat);
    pthread_mutex_unlock(&crew.lock);
}

void crew_call(struct crew_seat *seat, uint64_t now_us)
{
    if (!seat)
        return;
    uint64_t state = atomic_load_explicit(&seat->state, memory_order_relaxed);
    if ((state & 3) == RESTING)
        atomic_compare_exchange_strong_explicit(
            &seat->state, &state, state_of(now_us, CALLED), memory_order_relaxed, memory_order_relaxed);
}

void crew_begin(struct crew_seat *seat, uint64_t now_us)
{
    if (seat)
        atomic_store_explicit(&seat->state, state_of(now_us, WORKING), memory_order_relaxed);
}

void crew_rest(struct crew_seat *seat)
{
    if (seat)
        atomic_store_explicit(&seat->state, RESTING, memory_order_relaxed);
}

/* Whether it has used less than a quarter of the time since the last question; the first one has no answer. */
static bool is_held_up(struct crew_seat *seat, uint64_t state, uint64_t now_us)
{
    bool is_first = seat->asked_state != state;
    if (!is_first && now_us < seat->asked_us + CREW_CHECK_US)
        return false;
    struct timespec used;
    if (clock_gettime(seat->used, &used) != 0)
        return false;
    uint64_t used_us = (uint64_t)used.tv_sec * 1000000 + (uint64_t)used.tv_nsec / 1000;
    bool is_idle = !is_first && (used_us - seat->used_us) * 4 < now_us - seat->asked_us;
    seat->asked_state = state;
    seat->asked_us = now_us;
    seat->used_us = used_us;
    return is_idle;
}

static void fetch(const struct crew_seat *seat)
{
    cpu_set_t allowed, own, here;
    int core = sched_getcpu();
    if (core < 0 || !cores_of(getpid(), &allowed) || !cores_of(seat->thread, &own) || !CPU_EQUAL(&allowed, &own) ||
        !CPU_ISSET(core, &allowed))
        return;
    CPU_ZERO(&here);
    CPU_SET(core, &here);
    if (sched_setaffinity(seat->thread, sizeof(here), &here) != 0)
        return;
    cores_release(seat->thread, &allowed);
    atomic_fetch_add_explicit(&crew.fetched, 1, memory_order_relaxed);
}

/* It seemed late without the lock. */
static void look_closely(struct crew_seat *seat, uint64_t state, uint64_t now_us)
{
    if (pthread_mutex_trylock(&crew.lock) != 0)
        return;
    bool is_same = seat->thread != 0 && atomic_load_explicit(&seat->state, memory_order_relaxed) == state;
    if (is_same && (state & 3) == WORKING) {
        if (is_held_up(seat, state, now_us))
            fetch(seat);
    } else if (is_same) {
        fetch(seat);
        atomic_compare_exchange_strong_explicit(&seat->state, &state, state_of(now_us, CALLED), memory_order_relaxed,
            memory_order_relaxed); /* the next one as long after this */
    }
    pthread_mutex_unlock(&crew.lock);
}

void crew_look(struct crew_seat *seat, uint64_t now_us)
{
    if (!seat)
        return;
    unsigned count = atomic_load_explicit(&crew.count, memory_order_relaxed);
    for (unsigned i = 0; i < CREW_LOOKS && i < count; i++) {
        seat->next = (seat->next + 1) % count;
        struct crew_seat *other = &crew.seats[seat->next];
        uint64_t state = atomic_load_explicit(&other->state, memory_order_relaxed);
        unsigned patience_us = (state & 3) == CALLED ? CREW_CALLED_US : CREW_TURN_US;
        if (other != seat && (state & 3) != RESTING && now_us >= (state >> 2) + patience_us)
            look_closely(other, state, now_us);
    }
}

uint64_t crew_fetched(void)
{
    return atomic_load_explicit(&crew.fetched, memory_order_relaxed);
}

/* reactor.c: see reactor.h.
 *
 * Sleeping and waking. `attention` says what another thread must do to be heard:
 *
 *      AWAKE ──reactor_wake──> NOTIFIED     the reactor looks at it before it sleeps: no system call
 *      ASLEEP ─reactor_wake──> NOTIFIED     and one write to the eventfd; further wakes find NOTIFIED and do nothing
 *      AWAKE ──about to sleep──> ASLEEP     by compare-and-swap, so that a wake in between is not lost
 *
 * The eventfd is watched edge-triggered and never read: each write is a new edge, and 2^64 wakes do not happen.
 *
 * How many epoll_waits. Under load the poll without time-out that decides whether the reactor is idle finds the next
 * batch, so a batch costs one system call; a reactor that goes to sleep pays two. Without a before_sleep hook nobody
 * asks whether it is idle and the poll is left out.
 */
#include "net/reactor.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include "sys/crew.h"
#include "sys/net.h"
#include "sys/sys.h"

enum { EVENTS_MAX = 256, SLEEP_MS_MAX = 60 * 1000 };

enum { AWAKE, NOTIFIED, ASLEEP };

struct reactor {
    int index;
    int epoll_fd, wake_fd;
    uint64_t now_ms;
    _Atomic(struct crew_seat *) seat; /* of the thread in reactor_run */
    struct reactor_hooks hooks;
    struct heap timers;
    uint64_t timer_tie; /* equal times fire in the order they were set */
    size_t source_count;
    int event_at, event_count; /* the batch being handled; reactor_remove looks into the rest of it */
    struct epoll_event events[EVENTS_MAX];

    /* written by other threads */
    _Alignas(64) _Atomic(struct reactor_post *) posts; /* newest first */
    atomic_int attention;
    atomic_bool is_stopping;
};

static struct crew_seat *seat_of(struct reactor *r)
{
    return atomic_load_explicit(&r->seat, memory_order_relaxed);
}

static void read_clock(struct reactor *r)
{
    uint64_t now_us = sys->clock.monotonic_us();
    r->now_ms = now_us / 1000;
    crew_begin(seat_of(r), now_us);
}

struct error reactor_new(int index, struct reactor **ret_reactor)
{
    struct reactor *r = aligned_alloc(64, (sizeof *r + 63) & ~(size_t)63);
    if (!r)
        return ERROR_OF(ERR_NO_MEMORY);
    *r = (struct reactor){ .index = index, .epoll_fd = -1, .wake_fd = -1 };
    heap_init(&r->timers);
    r->epoll_fd = sys->net->epoll_create(EPOLL_CLOEXEC);
    r->wake_fd = sys->net->event_create(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event event = { .events = EPOLLIN | EPOLLET, .data.ptr = NULL };
    if (r->epoll_fd < 0 || r->wake_fd < 0 || sys->net->epoll_ctl(r->epoll_fd, EPOLL_CTL_ADD, r->wake_fd, &event) < 0) {
        struct error e = ERROR_SYS(ERR_IO, errno);
        reactor_free(r);
        return e;
    }
    read_clock(r);
    *ret_reactor = r;
    return OK;
}

void reactor_free(struct reactor *r)
{
    if (!r)
        return;
    ASSERT(r->source_count == 0);
    if (r->wake_fd >= 0)
        sys->net->close(r->wake_fd);
    if (r->epoll_fd >= 0)
        sys->net->close(r->epoll_fd);
    heap_deinit(&r->timers);
    free(r);
}

void reactor_set_hooks(struct reactor *r, const struct reactor_hooks *hooks)
{
    r->hooks = *hooks;
}

int reactor_index(const struct reactor *r)
{
    return r->index;
}

uint64_t reactor_now_ms(const struct reactor *r)
{
    return r->now_ms;
}

/* == Other threads == */

void reactor_wake(struct reactor *r)
{
    if (atomic_exchange(&r->attention, NOTIFIED) != ASLEEP)
        return;
    int saved_errno = errno; /* a signal handler may be calling */
    crew_call(seat_of(r), sys->clock.monotonic_us());
    while (sys->net->event_signal(r->wake_fd) < 0 && errno == EINTR) {
    }
    errno = saved_errno;
}

void reactor_stop(struct reactor *r)
{
    atomic_store(&r->is_stopping, true);
    reactor_wake(r);
}

void reactor_post(struct reactor *r, struct reactor_post *post)
{
    struct reactor_post *head = atomic_load_explicit(&r->posts, memory_order_relaxed);
    do {
        post->next = head;
    } while (
        !atomic_compare_exchange_weak_explicit(&r->posts, &head, post, memory_order_release, memory_order_relaxed));
    reactor_wake(r);
}

/* What is posted meanwhile, by these too, belongs to the next turn: nobody can keep a turn from ending. */
static void run_posts(struct reactor *r)
{
    if (!atomic_load_explicit(&r->posts, memory_order_relaxed))
        return;
    struct reactor_post *newest = atomic_exchange_explicit(&r->posts, NULL, memory_order_acquire);
    struct reactor_post *oldest = NULL;
    while (newest) {
        struct reactor_post *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    while (oldest) {
        struct reactor_post *next = oldest->next; /* run may free it or post it again */
        oldest->run(oldest);
        oldest = next;
    }
}

/* == Descriptors == */

struct error reactor_add(struct reactor *r, struct reactor_source *source, uint32_t events)
{
    struct epoll_event event = { .events = events, .data.ptr = source };
    if (sys->net->epoll_ctl(r->epoll_fd, EPOLL_CTL_ADD, source->fd, &event) < 0)
        return ERROR_SYS(errno == ENOSPC || errno == ENOMEM ? ERR_NO_MEMORY : ERR_IO, errno);
    source->events = events;
    r->source_count++;
    return OK;
}

void reactor_change(struct reactor *r, struct reactor_source *source, uint32_t events)
{
    if (source->events != events)
        reactor_tell_again(r, source, events);
}

void reactor_tell_again(struct reactor *r, struct reactor_source *source, uint32_t events)
{
    struct epoll_event event = { .events = events, .data.ptr = source };
    int result = sys->net->epoll_ctl(r->epoll_fd, EPOLL_CTL_MOD, source->fd, &event);
    ASSERT(result == 0); /* the descriptor was added, and a change takes no memory */
    source->events = events;
}

void reactor_remove(struct reactor *r, struct reactor_source *source)
{
    int result = sys->net->epoll_ctl(r->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
    ASSERT(result == 0);
    ASSERT(r->source_count > 0);
    r->source_count--;
    for (int at = r->event_at; at < r->event_count; at++)
        if (r->events[at].data.ptr == source)
            r->events[at].data.ptr = NULL;
}

static void run_events(struct reactor *r)
{
    for (r->event_at = 0; r->event_at < r->event_count;) {
        const struct epoll_event *event = &r->events[r->event_at++];
        struct reactor_source *source = event->data.ptr;
        if (source) /* NULL: the eventfd, or removed in this turn */
            source->on_ready(source, event->events);
    }
    r->event_at = r->event_count = 0;
}

/* == Timers == */

void timer_set(struct reactor *r, struct timer *t, uint64_t at_ms)
{
    if (heap_has(&t->node))
        heap_change(&r->timers, &t->node, at_ms);
    else
        heap_insert(&r->timers, &t->node, at_ms, r->timer_tie++);
}

void timer_cancel(struct reactor *r, struct timer *t)
{
    if (heap_has(&t->node))
        heap_remove(&r->timers, &t->node);
}

/* As many as were there at the start: a timer that sets itself into the past runs again in the next turn. */
static void run_timers(struct reactor *r)
{
    for (size_t left = r->timers.count; left > 0; left--) {
        struct heap_node *top = heap_top(&r->timers);
        if (!top || top->key > r->now_ms)
            return;
        heap_remove(&r->timers, top);
        struct timer *t = CONTAINER_OF(top, struct timer, node);
        t->fire(t);
    }
}

static int sleep_ms(const struct reactor *r)
{
    uint64_t until = r->hooks.sleep_until ? r->hooks.sleep_until(r->hooks.context) : UINT64_MAX;
    const struct heap_node *top = heap_top(&r->timers);
    if (top && top->key < until)
        until = top->key;
    /* the turn may have taken long: count from the time it is, not from when the turn began */
    uint64_t now_ms = until == UINT64_MAX ? r->now_ms : sys->clock.monotonic_us() / 1000;
    if (until <= now_ms)
        return 0;
    return until - now_ms < SLEEP_MS_MAX ? (int)(until - now_ms) : SLEEP_MS_MAX;
}

/* == Turns == */

static bool is_notified(const struct reactor *r)
{
    return atomic_load_explicit(&r->attention, memory_order_relaxed) == NOTIFIED;
}

static int wait_events(struct reactor *r, int timeout_ms)
{
    int count = sys->net->epoll_wait(r->epoll_fd, r->events, EVENTS_MAX, timeout_ms);
    ASSERT(count >= 0 || errno == EINTR);
    return count > 0 ? count : 0;
}

static int sleep_for_events(struct reactor *r)
{
    int timeout_ms = sleep_ms(r);
    int expected = AWAKE;
    struct crew_seat *seat = seat_of(r);
    crew_rest(seat);
    if (!atomic_compare_exchange_strong(&r->attention, &expected, ASLEEP))
        timeout_ms = 0; /* notified meanwhile */
    else if (seat)
        crew_look(seat, sys->clock.monotonic_us());
    return wait_events(r, timeout_ms);
}

static bool before_sleep(struct reactor *r, bool is_idle)
{
    return r->hooks.before_sleep && r->hooks.before_sleep(r->hooks.context, is_idle);
}

static int next_events(struct reactor *r)
{
    if (!r->hooks.before_sleep)
        return sleep_for_events(r);
    before_sleep(r, false);
    for (int round = 0; round < 2; round++) {
        int count = wait_events(r, 0);
        if (count > 0 || is_notified(r))
            return count;
        if (!before_sleep(r, true))
            return sleep_for_events(r);
    }
    return wait_events(r, 0); /* busy even when idle: timers and posts get their turn */
}

void reactor_turn(struct reactor *r)
{
    atomic_exchange(&r->attention, AWAKE);
    read_clock(r);
    if (r->hooks.on_turn)
        r->hooks.on_turn(r->hooks.context, r->now_ms);
    run_events(r);
    run_timers(r);
    run_posts(r);
    r->event_count = next_events(r);
}

void reactor_run(struct reactor *r)
{
    struct crew_seat *seat = crew_join(sys->clock.monotonic_us());
    atomic_store_explicit(&r->seat, seat, memory_order_relaxed);
    while (!atomic_load_explicit(&r->is_stopping, memory_order_relaxed))
        reactor_turn(r);
    atomic_store_explicit(&r->seat, NULL, memory_order_relaxed);
    crew_leave(seat);
}

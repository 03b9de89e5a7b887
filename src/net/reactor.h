/* reactor.h: one epoll loop, one thread: descriptors, timers, deferred work, wake-ups from other threads.
 *
 * A turn: wait for events -> handle them -> run due timers -> run deferred work -> before_sleep (flushes, replies).
 * Callbacks always run on the reactor's thread and are never called from inside reactor_add/timer_set (always
 * deferred).
 *
 * A turn ends by asking before_sleep(is_idle = false); then an epoll_wait without time-out looks for the next events. If
 * it finds some, they are the next turn's and before_sleep is not asked again; if not, before_sleep(is_idle = true) may do
 * what was put off (flush), and then the reactor sleeps until an event, a wake, the next timer or hooks.sleep_until. What reactor_post adds during a turn's deferred work
 * runs in the next turn.
 *
 * Thread   everything belongs to the reactor's own thread except reactor_wake, reactor_post and reactor_stop (any
 *          thread).
 * Cost     one epoll_wait a turn under load, two when it goes to sleep; a wake is one eventfd write and only when the
 *          reactor sleeps; nothing is read back.
 */
#ifndef MILLRACE_NET_REACTOR_H
#define MILLRACE_NET_REACTOR_H

#include "base/error.h"
#include "base/heap.h"
#include "base/list.h"

struct reactor;

struct reactor_hooks {
    void *context;
    /* at the start of a turn, after the clock was read */
    void (*on_turn)(void *context, uint64_t now_ms);
    /* after all events of the turn were handled. `is_idle`: an epoll_wait with no time-out found nothing more to do.
     * Returns true if it did something that may have made new work: when idle, the reactor then polls again without
     * sleeping; after a turn it is asked again anyway. */
    bool (*before_sleep)(void *context, bool is_idle);
    /* the latest time (reactor clock, ms) until which the reactor may sleep; UINT64_MAX: no limit */
    uint64_t (*sleep_until)(void *context);
};

struct error reactor_new(int index, struct reactor **ret_reactor);
void reactor_free(struct reactor *r); /* stopped, all descriptors removed */
void reactor_set_hooks(struct reactor *r, const struct reactor_hooks *hooks);
void reactor_run(struct reactor *r);  /* until reactor_stop; its thread is one of the crew (sys/crew.h) meanwhile */
void reactor_turn(struct reactor *r); /* one turn of that, for who turns it himself (the simulator) */
void reactor_stop(struct reactor *r); /* any thread; async-signal-safe */
void reactor_wake(struct reactor *r); /* any thread: another turn begins soon */
int reactor_index(const struct reactor *r);
uint64_t reactor_now_ms(const struct reactor *r); /* monotonic, read once a turn */

/* run(argument) on r's thread, soon; any thread; order of posting is kept. `post` is the caller's until it ran. */
struct reactor_post {
    struct reactor_post *next;
    void (*run)(struct reactor_post *post);
};
void reactor_post(struct reactor *r, struct reactor_post *post);

/* Descriptors: events are EPOLLIN|EPOLLOUT|EPOLLRDHUP bits, told as long as they last; with EPOLLET once each time something
 * arrives, ends, or makes room. */
struct reactor_source {
    int fd;
    uint32_t events;
    void (*on_ready)(struct reactor_source *source, uint32_t events);
};
struct error reactor_add(struct reactor *r, struct reactor_source *source, uint32_t events);
/* no system call if unchanged */
void reactor_change(struct reactor *r, struct reactor_source *source, uint32_t events);
/* like it, and what is there already is told again: one system call, always */
void reactor_tell_again(struct reactor *r, struct reactor_source *source, uint32_t events);
/* no on_ready after it, even in this turn */
void reactor_remove(struct reactor *r, struct reactor_source *source);

struct timer {
    struct heap_node node;
    void (*fire)(struct timer *t);
};
void timer_set(struct reactor *r, struct timer *t, uint64_t at_ms); /* again: moves it */
void timer_cancel(struct reactor *r, struct timer *t);              /* fine if not set */

#endif

/* pool.h: connections, the epoll set that watches them, and the schedule by which requests leave on them.
 *
 *      closed loop:  thread ── pool of its own          fixed rate:  thread ─┐
 *                    thread ── pool of its own                       thread ─┴─ one shared pool
 *
 *      idle ──pool_take──> out (one request under way) ──pool_put_back──> idle
 *                           └──pool_retire──> out of work
 *
 * A shared pool is there so that a thread which waits for a core holds up only what it has in hand. So the lock is held
 * for moments, never while a request is made, sent, received or judged. Who works on a connection holds its claim (conn.h);
 * the epoll set is edge-triggered, and an event for a claimed connection is left to the holder of the claim.
 *
 * One thread is enough to wait for events and for the schedule, and to wake a second one on another core is dear. So one
 * leads, and the others sleep beside the epoll set and come a little later than it would: to find nothing, or what the
 * leader, who has no core or more to do than it can, has left. Who is at work leads.
 *
 * Owner    one thread and no lock (closed loop), or all threads under the lock.
 * Memory   the connections; pool_deinit returns them.
 */
#ifndef BENCH_POOL_H
#define BENCH_POOL_H

#include <pthread.h>

#include "conn.h"
#include "load.h"

struct pool {
    struct load *load;
    bool is_shared; /* fixed rate */
    unsigned workers;
    int epoll_fd;
    struct conn *conns;
    unsigned conn_count;
    uint64_t start_ns;              /* fixed rate: request k is due at start + k * interval */
    double interval_ns;             /* fixed rate */
    _Atomic unsigned left, drained; /* workers that left their loop, and that have ended */

    pthread_mutex_t lock;               /* shared: held for every access to what follows */
    struct conn *idle_head, *idle_tail; /* first in, first out: a fixed rate uses all connections in turn */
    unsigned active;                    /* not yet out of work */
    unsigned outstanding;               /* taken, and neither put back nor retired: requests sent and not answered */
    unsigned opening;                   /* the first request is not yet out */
    unsigned opening_max;
    uint64_t due_count;   /* fixed rate: requests taken from the schedule */
    uint64_t next_due_ns; /* fixed rate: when the next request should leave */
    uint64_t sent_ns;     /* fixed rate: when the schedule was last looked at and something was due */
    unsigned leader;      /* fixed rate: index of the worker that waits in the epoll set */
};

void pool_init(struct pool *p, struct load *l, unsigned conn_count, unsigned workers);
void pool_deinit(struct pool *p);

/* An idle connection and when its request is due; its claim is the caller's. NULL: none is idle, or nothing due by `now`.
 * `is_up`: the worker is at work, so it leads; one that is not leaves what is due to the leader for a while. */
struct conn *pool_take(struct pool *p, unsigned worker, bool is_up, uint64_t now, uint64_t *ret_due_ns);

void pool_put_back(struct pool *p, struct conn *c);
void pool_retire(struct pool *p, struct conn *c); /* there is nothing more for it to do */
void pool_opened(struct pool *p, struct conn *c); /* its first request is out; or it has failed */

/* How long the worker may sleep when no event wakes it, and whether it is the one that events should wake. */
uint64_t pool_wait_ns(struct pool *p, unsigned worker, bool *ret_leads);

bool pool_has_work(struct pool *p);
unsigned pool_outstanding(struct pool *p);
uint64_t pool_behind(struct pool *p, uint64_t now); /* fixed rate: requests due by now and not taken */

#endif

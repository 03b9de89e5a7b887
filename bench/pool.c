/* pool.c: see pool.h. */
#include "pool.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { TURN_NS = 50000000, PACE_NS = 200000, TAKE_OVER_NS = 200000 };

void pool_init(struct pool *p, struct load *l, unsigned conn_count, unsigned workers)
{
    p->load = l;
    p->is_shared = l->rate > 0;
    p->workers = workers;
    p->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    p->conn_count = p->active = conn_count;
    p->opening_max = OPENING_MAX * workers;
    p->conns = must_alloc(conn_count * sizeof *p->conns);
    pthread_mutex_init(&p->lock, NULL);
    for (unsigned at = 0; at < conn_count; at++) {
        conn_init(&p->conns[at], NULL);
        p->conns[at].next_idle = at + 1 < conn_count ? &p->conns[at + 1] : NULL;
    }
    p->idle_head = &p->conns[0];
    p->idle_tail = &p->conns[conn_count - 1];
    if (p->is_shared) {
        p->interval_ns = 1e9 / l->rate;
        p->start_ns = p->next_due_ns = now_ns();
    }
}

void pool_deinit(struct pool *p)
{
    for (unsigned at = 0; at < p->conn_count; at++)
        conn_deinit(&p->conns[at]);
    free(p->conns);
    pthread_mutex_destroy(&p->lock);
    close(p->epoll_fd);
}

static void lock(struct pool *p)
{
    if (p->is_shared)
        pthread_mutex_lock(&p->lock);
}

static void unlock(struct pool *p)
{
    if (p->is_shared)
        pthread_mutex_unlock(&p->lock);
}

/* One that another thread has its hands on (it has just put it back, or sees that the server closed it) is passed over:
 * that thread looks at the schedule when it has let go. */
static struct conn *pop_idle(struct pool *p)
{
    struct conn *before = NULL, *c = p->idle_head;
    while (c && p->is_shared && !conn_claim(c)) {
        before = c;
        c = c->next_idle;
    }
    if (!c)
        return NULL;
    if (before)
        before->next_idle = c->next_idle;
    else
        p->idle_head = c->next_idle;
    if (p->idle_tail == c)
        p->idle_tail = before;
    return c;
}

static bool may_send(const struct pool *p)
{
    return p->idle_head && p->opening < p->opening_max;
}

/* Under the lock, so that once a worker has seen the stop and counted what is behind, none takes anything more. */
static bool is_stopped(const struct pool *p)
{
    return atomic_load_explicit(&p->load->phase, memory_order_relaxed) == PHASE_STOP;
}

/* How much later than the leader the worker comes when nothing wakes it: one after the other. */
static uint64_t lag_ns(const struct pool *p, unsigned worker)
{
    return (uint64_t)TAKE_OVER_NS * ((worker + p->workers - p->leader) % p->workers);
}

struct conn *pool_take(struct pool *p, unsigned worker, bool is_up, uint64_t now, uint64_t *ret_due_ns)
{
    struct conn *c = NULL;
    lock(p);
    if (is_up)
        p->leader = worker;
    if (may_send(p) && !is_stopped(p) && (!p->is_shared || p->next_due_ns + lag_ns(p, worker) <= now)) {
        c = pop_idle(p);
        p->sent_ns = now > p->sent_ns ? now : p->sent_ns;
    }
    if (c) {
        p->outstanding++;
        c->is_opening = c->wire.fd < 0;
        p->opening += c->is_opening;
    }
    if (c && p->is_shared) {
        *ret_due_ns = p->next_due_ns;
        p->next_due_ns = p->start_ns + (uint64_t)((double)++p->due_count * p->interval_ns);
        p->leader = worker;
    }
    unlock(p);
    if (c && !p->is_shared)
        *ret_due_ns = now_ns();
    return c;
}

void pool_put_back(struct pool *p, struct conn *c)
{
    lock(p);
    p->outstanding--;
    c->next_idle = NULL;
    if (p->idle_head)
        p->idle_tail->next_idle = c;
    else
        p->idle_head = c;
    p->idle_tail = c;
    unlock(p);
}

void pool_opened(struct pool *p, struct conn *c)
{
    if (!c->is_opening)
        return;
    c->is_opening = false;
    lock(p);
    p->opening--;
    unlock(p);
}

void pool_retire(struct pool *p, struct conn *c)
{
    pool_opened(p, c);
    lock(p);
    p->outstanding--;
    p->active--;
    unlock(p);
}

uint64_t pool_wait_ns(struct pool *p, unsigned worker, bool *ret_leads)
{
    *ret_leads = true;
    if (!p->is_shared)
        return TURN_NS;
    uint64_t now = now_ns(), until_ns = now + TURN_NS;
    lock(p);
    uint64_t lag = lag_ns(p, worker);
    *ret_leads = lag == 0;
    if (may_send(p)) {
        uint64_t next_ns = p->next_due_ns > p->sent_ns + PACE_NS ? p->next_due_ns : p->sent_ns + PACE_NS;
        until_ns = next_ns + lag < until_ns ? next_ns + lag : until_ns;
    }
    /* the thread that was woken for an answer, or has the rest in hand, may be waiting for its core */
    uint64_t look_ns = now + PACE_NS + (lag ? lag : TAKE_OVER_NS);
    if (p->workers > 1 && p->outstanding > 0 && look_ns < until_ns)
        until_ns = look_ns;
    unlock(p);
    return until_ns > now ? until_ns - now : 0;
}

bool pool_has_work(struct pool *p)
{
    lock(p);
    bool has_work = p->active > 0 || p->outstanding > 0;
    unlock(p);
    return has_work;
}

unsigned pool_outstanding(struct pool *p)
{
    lock(p);
    unsigned outstanding = p->outstanding;
    unlock(p);
    return outstanding;
}

uint64_t pool_behind(struct pool *p, uint64_t now)
{
    lock(p);
    uint64_t next_due_ns = p->next_due_ns;
    unlock(p);
    return p->is_shared && next_due_ns < now ? (uint64_t)((double)(now - next_due_ns) / p->interval_ns) : 0;
}

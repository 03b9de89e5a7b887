/* worker.c: one thread of the load generator: its loop and its counts; see load.h and pool.h.
 *
 * Closed loop: the thread has a pool of connections of its own, and a connection sends its next request as soon as the
 * reply is judged. Fixed rate: request k is due at start + k / rate whatever the server does; when no connection is free it
 * waits, and its latency counts from when it was due. A slow moment of the server is thus charged to every request that
 * should have happened in it.
 * A slow moment of the generator should not be. Where something else takes a core for milliseconds, a thread that was about
 * to run there waits for that core though another idles. So at a fixed rate all threads share one schedule, one epoll set
 * and all connections, and each is tied to a core of its own, so that they do not all wait for the same one. One leads:
 * it waits for replies and for the schedule. The others look now and then whether it has left anything, and take over:
 * a thread that waits for its core holds up only what it has in hand.
 * The schedule gets a thread up once in PACE_NS at most, which then sends all that is due: a timer for each request costs
 * more of a shared core than the request does. What that and a busy core add is in the latency; `late` is how much.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <time.h>

#include "load.h"
#include "operation.h"
#include "pool.h"
#include "workload.h"

enum { EVENTS_MAX = 256, SHARED_EVENTS_MAX = 8 /* in hand at a time, and lost with the core */ };

void worker_init(struct worker *w, struct load *l, struct pool *pool, unsigned index)
{
    w->load = l;
    w->pool = pool;
    w->index = index;
    w->signer = signer_new(l->host_header);
    w->random = l->nonce * 2654435761u + index + 1;
    if (!pool->is_shared)
        for (unsigned at = 0; at < pool->conn_count; at++)
            pool->conns[at].worker = w;
}

static int phase_of(const struct worker *w)
{
    return atomic_load_explicit(&w->load->phase, memory_order_relaxed);
}

static void count_error(struct worker *w, const char *what, const char *detail, size_t detail_size)
{
    w->stats.errors++;
    if (w->stats.first_error[0])
        return;
    int size = detail_size < 240 ? (int)detail_size : 240;
    snprintf(w->stats.first_error, sizeof w->stats.first_error, "%s%.*s", what, size, detail);
}

static void on_failure(struct worker *w, struct conn *c)
{
    const struct operation *op = &operations[c->op];
    pool_opened(w->pool, c);
    count_error(w, "connection failed during ", op->name, strlen(op->name));
    c->busy = false;
    c->received = 0;
    if (c->op == OP_DELETE_BATCH)
        handles_pop(&c->handles, c->batch);
    if (++c->failures > FAILURES_MAX)
        atomic_store(&w->load->fatal, "the server refuses or drops every connection");
    pool_put_back(w->pool, c);
}

static void on_progress(struct worker *w, struct conn *c)
{
    if (!c->is_opening || c->out_done < c->out.size)
        return;
    pool_opened(w->pool, c);
    if (w->load->workload->ready == READY_ON_SENT)
        mark_ready(c);
}

/* Fixed rate: by when it was due, so that what the server holds up is not lost. Closed loop: by when it was answered. */
static bool is_in_window(const struct load *l, const struct conn *c)
{
    if (l->rate <= 0)
        return atomic_load_explicit(&l->phase, memory_order_relaxed) == PHASE_MEASURE;
    uint64_t start_ns = atomic_load_explicit(&l->window_start_ns, memory_order_relaxed);
    uint64_t end_ns = atomic_load_explicit(&l->window_end_ns, memory_order_relaxed);
    return start_ns && c->start_ns >= start_ns && (!end_ns || c->start_ns < end_ns);
}

static void send_request(struct worker *w, struct conn *c, enum op next, uint64_t due_ns)
{
    c->op = next;
    w->body.size = c->out.size = 0;
    operations[next].build(c, &w->body);
    signer_add_request(w->signer, &c->out, operations[next].target, (struct span){ w->body.data, w->body.size });
    c->start_ns = due_ns;
    if (w->load->rate > 0 && is_in_window(w->load, c))
        hist_add(&w->stats.late, now_ns() - due_ns);
    c->busy = true;
    if (conn_send(c) == CONN_FAILED)
        on_failure(w, c);
    else
        on_progress(w, c);
}

static void begin(struct worker *w, struct conn *c, uint64_t due_ns)
{
    enum op next = w->load->workload->next(c);
    if (next != OP_NONE) {
        send_request(w, c, next, due_ns);
        return;
    }
    c->op = OP_NONE;
    mark_ready(c);
    pool_retire(w->pool, c);
}

/* After the stop: what was received and is not meant to be kept is deleted, or the next run finds its groups locked. */
static void settle(struct worker *w, struct conn *c)
{
    enum op last = c->wire.fd >= 0 && w->load->workload->settle ? w->load->workload->settle(c) : OP_NONE;
    if (last == OP_NONE)
        pool_put_back(w->pool, c);
    else
        send_request(w, c, last, now_ns());
}

/* The messages the reply acknowledges, or -1 after counting the error. */
static long judge(struct worker *w, struct conn *c)
{
    char error[ERROR_TEXT_MAX];
    if (c->reply.status != 200) {
        char what[32];
        snprintf(what, sizeof what, "HTTP %d: ", c->reply.status);
        count_error(w, what, c->reply.body.data, c->reply.body.size);
        return -1;
    }
    if (w->load->raw)
        return (long)c->batch;
    long messages = operations[c->op].check(c, c->reply.body, error);
    if (messages < 0)
        count_error(w, operations[c->op].name, error, strlen(error));
    return messages;
}

static void on_reply(struct worker *w, struct conn *c)
{
    struct load *l = w->load;
    uint64_t end_ns = now_ns();
    long messages = judge(w, c);
    c->busy = false;
    c->failures = 0;
    if (c->op == OP_DELETE_BATCH) {
        handles_pop(&c->handles, c->batch);
        c->owed += c->batch;
    }
    if (c->op == OP_SEND_BATCH)
        c->owed -= c->owed < c->batch ? c->owed : c->batch;
    if (c->op == OP_RECEIVE) {
        c->empty_in_a_row = messages > 0 ? 0 : c->empty_in_a_row + 1;
        w->stats.empty_receives += messages == 0;
    }
    if (messages >= 0) {
        w->stats.total_messages[c->op] += (uint64_t)messages;
        if (is_in_window(l, c)) {
            w->stats.requests++;
            w->stats.messages[c->op] += (uint64_t)messages;
            hist_add(&w->stats.latency[c->op], end_ns - c->start_ns);
        }
    }
    if (l->workload->ready == READY_ON_REPLY)
        mark_ready(c);
    if (l->reconnect)
        conn_close(c);
    if (phase_of(w) == PHASE_STOP)
        settle(w, c);
    else if (l->rate > 0 || c->wire.fd < 0)
        pool_put_back(w->pool, c);
    else
        begin(w, c, now_ns());
}

static void look(struct worker *w, struct conn *c)
{
    if (c->wire.fd < 0)
        return;
    enum conn_status status = conn_continue(c);
    if (status == CONN_FAILED) {
        on_failure(w, c);
        return;
    }
    on_progress(w, c);
    if (status == CONN_REPLY)
        on_reply(w, c);
}

/* Works off what happened to a claimed connection meanwhile, until nothing is left. Then it is anybody's. */
static void let_go(struct worker *w, struct conn *c)
{
    unsigned marks;
    while (!conn_let_go(c, &marks)) {
        look(w, c);
        if (marks & CLAIM_ENDS)
            look(w, c);
    }
}

static void on_event(struct worker *w, const struct epoll_event *event)
{
    struct conn *c = event->data.ptr;
    if (!w->pool->is_shared) {
        look(w, c);
        return;
    }
    bool ends = event->events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR);
    if (!conn_mark(c, CLAIM_LOOK | (ends ? CLAIM_ENDS : 0)))
        return;
    c->worker = w;
    let_go(w, c);
}

/* Sends what is due. `is_up`: there were events. Returns whether there was anything to do. */
static bool dispatch(struct worker *w, bool is_up)
{
    uint64_t now = now_ns(), due_ns;
    for (struct conn *c; (c = pool_take(w->pool, w->index, is_up, now, &due_ns)); is_up = true) {
        c->worker = w;
        begin(w, c, due_ns);
        if (w->pool->is_shared)
            let_go(w, c);
    }
    return is_up;
}

/* A worker that does not lead and had nothing to do sleeps beside the epoll set, then looks whether anything was left. */
static int await_events(struct worker *w, bool is_up, struct epoll_event *events, int events_max)
{
    bool leads;
    struct timespec wait = { .tv_nsec = (long)pool_wait_ns(w->pool, w->index, &leads) };
    if (!leads) {
        if (!is_up)
            nanosleep(&wait, NULL);
        wait.tv_nsec = 0;
    }
    int count = epoll_pwait2(w->pool->epoll_fd, events, events_max, &wait, NULL);
    if (count < 0 && errno != EINTR)
        die("epoll_pwait2: %s", strerror(errno));
    return count;
}

/* After the stop: answers still out are awaited, but for long polls, which would answer when their time is over. */
static void drain(struct worker *w, struct epoll_event *events, int events_max)
{
    uint64_t end_ns = now_ns() + (w->load->wait_s > 0 ? 0 : DRAIN_S * NS_PER_S);
    while (pool_outstanding(w->pool) > 0 && now_ns() < end_ns) {
        int count = epoll_wait(w->pool->epoll_fd, events, events_max, w->pool->is_shared ? 1 : 50);
        for (int index = 0; index < count; index++)
            on_event(w, &events[index]);
    }
}

/* What is true of the pool is counted once: by the first worker that leaves its loop, and by the last that ends. */
static void finish(struct worker *w, struct epoll_event *events, int events_max)
{
    struct pool *p = w->pool;
    bool is_stopped = phase_of(w) == PHASE_STOP;
    if (atomic_fetch_add(&p->left, 1) == 0) {
        atomic_fetch_add(&w->load->finished, p->workers);
        w->stats.behind = is_stopped ? pool_behind(p, now_ns()) : 0;
    }
    if (is_stopped)
        drain(w, events, events_max);
    if (atomic_fetch_add(&p->drained, 1) + 1 == p->workers)
        w->stats.unanswered = w->load->wait_s > 0 ? 0 : pool_outstanding(p);
}

/* To the index-th core that the process may use. Where that cannot be had, the thread runs anywhere. */
static void tie_to_core(unsigned index)
{
    cpu_set_t allowed, own;
    if (sched_getaffinity(0, sizeof allowed, &allowed) < 0)
        return;
    unsigned before = index % (unsigned)CPU_COUNT(&allowed), core = 0;
    for (; !CPU_ISSET(core, &allowed) || before > 0; core++)
        before -= CPU_ISSET(core, &allowed) ? 1 : 0;
    CPU_ZERO(&own);
    CPU_SET(core, &own);
    pthread_setaffinity_np(pthread_self(), sizeof own, &own);
}

void *worker_run(void *argument)
{
    struct worker *w = argument;
    struct pool *p = w->pool;
    struct epoll_event events[EVENTS_MAX];
    int events_max = p->is_shared ? SHARED_EVENTS_MAX : EVENTS_MAX;
    prctl(PR_SET_TIMERSLACK, 1000UL, 0, 0, 0); /* 1 us, for the schedule */
    if (p->workers > 1)
        tie_to_core(w->index);
    for (int count = 0; phase_of(w) != PHASE_STOP && pool_has_work(p);) {
        bool is_up = dispatch(w, count > 0);
        count = await_events(w, is_up, events, events_max);
        for (int index = 0; index < count; index++)
            on_event(w, &events[index]);
    }
    finish(w, events, events_max);
    return NULL;
}

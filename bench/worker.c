/* worker.c: one thread of the load generator: its epoll set, its schedule, its counts; see load.h.
 *
 * Closed loop: a connection sends its next request as soon as the reply is judged. Fixed rate: request k of the thread is
 * due at start + k * interval whatever the server does; when no connection is free it waits, and its latency counts from
 * when it was due. A slow moment of the server is thus charged to every request that should have happened in it.
 * A thread gets up for its schedule once in PACE_NS at most and then sends all that is due: a timer for each request
 * costs more of a shared core than the request does. What that and a busy core add is in the latency; `late` is how much.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>

#include "load.h"
#include "operation.h"
#include "workload.h"

enum { EVENTS_MAX = 256, TURN_NS = 50000000, PACE_NS = 200000 };

void worker_init(struct worker *w, struct load *l, unsigned conn_count, unsigned index)
{
    w->load = l;
    w->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    w->signer = signer_new(l->host_header);
    w->conn_count = w->active = conn_count;
    w->random = l->nonce * 2654435761u + index + 1;
    w->conns = must_alloc(conn_count * sizeof *w->conns);
    for (unsigned at = 0; at < conn_count; at++)
        conn_init(&w->conns[at], w);
    if (l->rate > 0) {
        w->interval_ns = (uint64_t)(1e9 * l->connections / (l->rate * conn_count));
        w->next_due_ns = now_ns() + w->interval_ns * index / l->threads;
    }
}

static int phase_of(const struct worker *w)
{
    return atomic_load_explicit(&w->load->phase, memory_order_relaxed);
}

static void push_idle(struct worker *w, struct conn *c)
{
    c->next_idle = NULL;
    if (w->idle_tail)
        w->idle_tail->next_idle = c;
    else
        w->idle_head = c;
    w->idle_tail = c;
}

static struct conn *pop_idle(struct worker *w)
{
    struct conn *c = w->idle_head;
    w->idle_head = c->next_idle;
    if (!w->idle_head)
        w->idle_tail = NULL;
    return c;
}

static void count_error(struct worker *w, const char *what, const char *detail, size_t detail_size)
{
    w->stats.errors++;
    if (w->stats.first_error[0])
        return;
    int size = detail_size < 240 ? (int)detail_size : 240;
    snprintf(w->stats.first_error, sizeof w->stats.first_error, "%s%.*s", what, size, detail);
}

static void settle_opening(struct worker *w, struct conn *c)
{
    if (c->is_opening)
        w->opening--;
    c->is_opening = false;
}

static void on_failure(struct worker *w, struct conn *c)
{
    const struct operation *op = &operations[c->op];
    settle_opening(w, c);
    count_error(w, "connection failed during ", op->name, strlen(op->name));
    w->outstanding--;
    c->busy = false;
    c->received = 0;
    if (c->op == OP_DELETE_BATCH)
        handles_pop(&c->handles, c->batch);
    if (++c->failures > FAILURES_MAX)
        atomic_store(&w->load->fatal, "the server refuses or drops every connection");
    push_idle(w, c);
}

static void on_progress(struct worker *w, struct conn *c)
{
    if (!c->is_opening || c->out_done < c->out.size)
        return;
    settle_opening(w, c);
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
    w->outstanding++;
    if (c->wire.fd < 0) {
        c->is_opening = true;
        w->opening++;
    }
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
    w->active--;
}

/* After the stop: what was received and is not meant to be kept is deleted, or the next run finds its groups locked. */
static void settle(struct worker *w, struct conn *c)
{
    enum op last = c->wire.fd >= 0 && w->load->workload->settle ? w->load->workload->settle(c) : OP_NONE;
    if (last == OP_NONE)
        push_idle(w, c);
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
    w->outstanding--;
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
        push_idle(w, c);
    else
        begin(w, c, now_ns());
}

static void on_event(struct worker *w, struct conn *c)
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

static void dispatch(struct worker *w)
{
    uint64_t now = now_ns();
    bool is_paced = w->load->rate > 0;
    while (w->idle_head && w->opening < OPENING_MAX && phase_of(w) != PHASE_STOP) {
        if (is_paced && w->next_due_ns > now)
            return;
        uint64_t due_ns = is_paced ? w->next_due_ns : now_ns();
        w->next_due_ns += w->interval_ns;
        w->sent_ns = now;
        begin(w, pop_idle(w), due_ns);
    }
}

static struct timespec time_to_wait(const struct worker *w)
{
    uint64_t wait_ns = TURN_NS;
    if (w->load->rate > 0 && w->idle_head && w->opening < OPENING_MAX) {
        uint64_t now = now_ns();
        uint64_t next_ns = w->next_due_ns > w->sent_ns + PACE_NS ? w->next_due_ns : w->sent_ns + PACE_NS;
        uint64_t until_ns = next_ns > now ? next_ns - now : 0;
        wait_ns = until_ns < wait_ns ? until_ns : wait_ns;
    }
    return (struct timespec){ .tv_nsec = (long)wait_ns };
}

/* After the stop: answers still out are awaited, but for long polls, which would answer when their time is over. */
static void drain(struct worker *w, struct epoll_event *events)
{
    uint64_t stopped_ns = now_ns();
    uint64_t end_ns = stopped_ns + (w->load->wait_s > 0 ? 0 : DRAIN_S * NS_PER_S);
    if (w->load->rate > 0 && w->next_due_ns < stopped_ns)
        w->stats.behind = (stopped_ns - w->next_due_ns) / w->interval_ns;
    while (w->outstanding > 0 && now_ns() < end_ns) {
        int count = epoll_wait(w->epoll_fd, events, EVENTS_MAX, 50);
        for (int index = 0; index < count; index++)
            on_event(w, events[index].data.ptr);
    }
    w->stats.unanswered = w->load->wait_s > 0 ? 0 : w->outstanding;
}

void *worker_run(void *argument)
{
    struct worker *w = argument;
    struct epoll_event events[EVENTS_MAX];
    prctl(PR_SET_TIMERSLACK, 1000UL, 0, 0, 0); /* 1 us, for the schedule */
    for (unsigned index = 0; index < w->conn_count; index++)
        push_idle(w, &w->conns[index]);
    while (phase_of(w) != PHASE_STOP && (w->active > 0 || w->outstanding > 0)) {
        dispatch(w);
        struct timespec wait = time_to_wait(w);
        int count = epoll_pwait2(w->epoll_fd, events, EVENTS_MAX, &wait, NULL);
        if (count < 0 && errno != EINTR)
            die("epoll_pwait2: %s", strerror(errno));
        for (int index = 0; index < count; index++)
            on_event(w, events[index].data.ptr);
    }
    atomic_fetch_add(&w->load->finished, 1);
    if (phase_of(w) == PHASE_STOP)
        drain(w, events);
    return NULL;
}

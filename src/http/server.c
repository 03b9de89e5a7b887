/* server.c: threads, start, drain, stop, metrics; see server.h and core.h. */
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

#include "base/log.h"
#include "http/core.h"
#include "sys/thread.h"

enum { STRANGER_SHARE = HTTP_BODY_BUDGET_BYTES / HTTP_STRANGER_BUDGET_BYTES };
enum { DESCRIPTORS_FOR_OTHERS = 500 }; /* files of the store, outbound connections */

/* == Open == */

static void on_resume(struct reactor_post *post);
static void on_drain(struct reactor_post *post);
static void on_stop(struct reactor_post *post);

static size_t default_max_connections(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
        return 1000 * 1000;
    size_t count = (size_t)limit.rlim_cur;
    return count > 2 * DESCRIPTORS_FOR_OTHERS ? count - DESCRIPTORS_FOR_OTHERS : count / 2;
}

static struct error open_thread(struct http_server *h, int index)
{
    struct http_thread *t = &h->threads[index];
    t->server = h;
    t->index = index;
    t->resume_post.run = on_resume;
    t->drain_post.run = on_drain;
    t->stop_post.run = on_stop;
    list_init(&t->conns);
    list_init(&t->resume);
    pool_init(&t->small_inputs, sizeof(struct input) + INPUT_BYTES);
    pool_init(&t->large_inputs, sizeof(struct input) + INPUT_LARGE_BYTES);
    pool_init(&t->outputs, sizeof(struct output) + OUTPUT_ROOM_BYTES);
    return reactor_new(index, &t->reactor);
}

struct error http_server_open(
    const struct http_server_options *options, struct http_server **ret_server, struct slice *ret_sentence)
{
    ASSERT(options->threads > 0 && options->handler.on_request && options->handler.on_gone);
    struct http_server *h = memory_zero(sizeof *h);
    h->handler = options->handler;
    h->max_connections = options->max_connections ? options->max_connections : default_max_connections();
    h->bodies.limit = options->body_budget_bytes ? options->body_budget_bytes : HTTP_BODY_BUDGET_BYTES;
    h->strangers.limit =
        h->bodies.limit / STRANGER_SHARE > HTTP_BODY_BYTES_MAX ? h->bodies.limit / STRANGER_SHARE : HTTP_BODY_BYTES_MAX;
    arena_init(&h->strings, 1 * MIB);
    pthread_mutex_init(&h->conn_lock, NULL);
    pool_init(&h->conns, sizeof(struct conn));
    h->threads = memory_zero(sizeof *h->threads * (size_t)options->threads);
    h->listeners = memory_zero(sizeof *h->listeners * options->listener_count);
    struct error e = OK;
    for (; h->thread_count < options->threads && !failed(e); h->thread_count++) {
        e = open_thread(h, h->thread_count);
        *ret_sentence = SLICE("the kernel gives no epoll or eventfd descriptor");
    }
    for (; h->listener_count < options->listener_count && !failed(e); h->listener_count++) {
        listener_init(&h->listeners[h->listener_count], h);
        e = listener_open(&h->listeners[h->listener_count], &options->listeners[h->listener_count], ret_sentence);
    }
    if (failed(e)) {
        http_server_free(h);
        return e;
    }
    *ret_server = h;
    return OK;
}

void http_server_free(struct http_server *h)
{
    if (!h)
        return;
    http_server_stop(h);
    for (size_t index = 0; index < h->listener_count; index++)
        listener_deinit(&h->listeners[index]);
    for (int index = 0; index < h->thread_count; index++) {
        struct http_thread *t = &h->threads[index];
        pool_deinit(&t->small_inputs);
        pool_deinit(&t->large_inputs);
        pool_deinit(&t->outputs);
        reactor_free(t->reactor);
    }
    pool_deinit(&h->conns);
    pthread_mutex_destroy(&h->conn_lock);
    arena_deinit(&h->strings);
    memory_free(h->listeners);
    memory_free(h->threads);
    memory_free(h);
}

struct reactor *http_server_reactor(struct http_server *h, int index)
{
    ASSERT(index >= 0 && index < h->thread_count);
    return h->threads[index].reactor;
}

void http_server_set_front(struct http_server *h, int index, void *front)
{
    ASSERT(index >= 0 && index < h->thread_count && !h->is_started);
    h->threads[index].front = front;
}

uint16_t http_server_port(const struct http_server *h, size_t listener)
{
    ASSERT(listener < h->listener_count);
    return h->listeners[listener].port;
}

/* == Threads == */

static void on_resume(struct reactor_post *post)
{
    struct http_thread *t = CONTAINER_OF(post, struct http_thread, resume_post);
    t->is_resume_posted = false;
    conn_resume_all(t);
}

static void *run_thread(void *argument)
{
    struct http_thread *t = argument;
    char name[24];
    snprintf(name, sizeof name, "http-%d", t->index);
    sys_thread_begin(name, true);
    reactor_run(t->reactor);
    return NULL;
}

void http_server_start_here(struct http_server *h)
{
    ASSERT(!h->is_started && !h->is_stopped);
    h->is_started = true;
    for (size_t index = 0; index < h->listener_count; index++) {
        struct error e = listener_start(&h->listeners[index]);
        ASSERT(!failed(e)); /* a fresh epoll takes a listening socket */
    }
}

void http_server_start(struct http_server *h)
{
    http_server_start_here(h);
    h->has_threads = true;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are for the thread that waits for them */
    for (int index = 0; index < h->thread_count; index++) {
        struct http_thread *t = &h->threads[index];
        int result = pthread_create(&t->thread, NULL, run_thread, t);
        ASSERT(result == 0);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* == Drain == */

static void close_listeners(struct http_server *h)
{
    for (size_t index = 0; index < h->listener_count; index++)
        listener_close(&h->listeners[index]);
}

static void on_drain(struct reactor_post *post)
{
    struct http_thread *t = CONTAINER_OF(post, struct http_thread, drain_post);
    if (t->index == 0)
        close_listeners(t->server);
    for (struct link *at = t->conns.next, *next; at != &t->conns; at = next) {
        struct conn *c = LIST_ENTRY(at, struct conn, link);
        next = at->next;
        if (c->state == CONN_IDLE && !c->is_blocked && !c->has_unparsed)
            conn_abort(c);
    }
}

void http_server_drain(struct http_server *h)
{
    if (atomic_exchange(&h->is_draining, true))
        return;
    for (int index = 0; index < h->thread_count; index++)
        reactor_post(h->threads[index].reactor, &h->threads[index].drain_post);
}

bool http_server_is_drained(struct http_server *h)
{
    if (atomic_load(&h->open_listeners) > 0)
        return false;
    for (int index = 0; index < h->thread_count; index++)
        if (atomic_load(&h->threads[index].load) > 0)
            return false;
    return true;
}

/* == Stop == */

static void stop_thread(struct http_thread *t)
{
    t->is_stopped = true;
    while (!list_is_empty(&t->conns))
        conn_abort(LIST_ENTRY(t->conns.next, struct conn, link));
    reactor_stop(t->reactor);
}

/* Reactor 0 closes the listeners before it tells the others: what it dealt to them is in their queues by then. */
static void on_stop(struct reactor_post *post)
{
    struct http_thread *t = CONTAINER_OF(post, struct http_thread, stop_post);
    struct http_server *h = t->server;
    if (t->index == 0) {
        close_listeners(h);
        for (int index = 1; index < h->thread_count && h->is_started; index++)
            reactor_post(h->threads[index].reactor, &h->threads[index].stop_post);
    }
    stop_thread(t);
}

void http_server_stop(struct http_server *h)
{
    if (h->is_stopped)
        return;
    h->is_stopped = true;
    if (!h->is_started) { /* it may not have been opened to its end */
        if (h->thread_count > 0)
            close_listeners(h);
        return;
    }
    if (!h->has_threads) {
        close_listeners(h);
        for (int index = 0; index < h->thread_count; index++)
            stop_thread(&h->threads[index]);
        return;
    }
    reactor_post(h->threads[0].reactor, &h->threads[0].stop_post);
    for (int index = 0; index < h->thread_count; index++)
        pthread_join(h->threads[index].thread, NULL);
}

/* == While it runs == */

void http_server_reload_tls(struct http_server *h)
{
    for (size_t index = 0; index < h->listener_count; index++) {
        struct listener *l = &h->listeners[index];
        char reason[TLS_REASON_BYTES] = "";
        if (!l->tls_cert)
            continue;
        if (failed(listener_load_tls(l, reason)))
            log_event(LOG_ERROR, "tls_reload_failed", "port=%u reason=\"%s\"", l->port, reason);
        else
            log_event(LOG_INFO, "tls_reloaded", "port=%u", l->port);
    }
}

void http_server_get_metrics(struct http_server *h, struct http_metrics *ret_metrics)
{
    struct http_metrics m = { .body_bytes_held = atomic_load_explicit(&h->bodies.held, memory_order_relaxed) +
                                                 atomic_load_explicit(&h->strangers.held, memory_order_relaxed),
        .body_budget_bytes = h->bodies.limit };
    for (int index = 0; index < h->thread_count; index++) {
        struct http_thread *t = &h->threads[index];
        m.connections += atomic_load_explicit(&t->load, memory_order_relaxed);
#define SUM(counter) m.counter += atomic_load_explicit(&t->counters.counter, memory_order_relaxed)
        SUM(accepted);
        SUM(refused);
        SUM(requests);
        SUM(bad_requests);
        SUM(bytes_in);
        SUM(bytes_out);
        SUM(timeouts);
#undef SUM
    }
    *ret_metrics = m;
}

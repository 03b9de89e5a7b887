/* listener.c: one listening socket an address, owned by reactor 0, which deals what it accepts to the least loaded
 * reactor; see core.h. One socket, not one a thread with SO_REUSEPORT: that would let two processes share a port by
 * accident, and spread connections blindly.
 */
#include "http/core.h"

#include <stdio.h>
#include <sys/epoll.h>

#include "base/log.h"

enum { SENTENCE_BYTES = 400 };
static char sentence[SENTENCE_BYTES]; /* of the failed start: there is one */

/* == TLS == */

struct error listener_load_tls(struct listener *l, char ret_reason[TLS_REASON_BYTES])
{
    struct tls_context *fresh;
    TRY(tls_context_new(l->tls_cert, l->tls_key, &fresh, ret_reason));
    pthread_mutex_lock(&l->tls_lock);
    struct tls_context *old = l->tls;
    l->tls = fresh;
    pthread_mutex_unlock(&l->tls_lock);
    tls_context_unref(old); /* connections that use it hold it */
    return OK;
}

struct tls_context *listener_tls(struct listener *l)
{
    if (!l->tls_cert)
        return NULL;
    pthread_mutex_lock(&l->tls_lock);
    struct tls_context *context = tls_context_ref(l->tls);
    pthread_mutex_unlock(&l->tls_lock);
    return context;
}

/* == Accepting == */

static struct http_thread *least_loaded(struct http_server *h)
{
    struct http_thread *best = &h->threads[h->next_thread];
    uint32_t best_load = UINT32_MAX;
    for (int index = 0; index < h->thread_count; index++) {
        struct http_thread *t = &h->threads[(h->next_thread + index) % h->thread_count];
        uint32_t load = atomic_load_explicit(&t->load, memory_order_relaxed);
        if (load < best_load) {
            best = t;
            best_load = load;
        }
    }
    h->next_thread = (best->index + 1) % h->thread_count;
    return best;
}

static size_t connection_count(struct http_server *h)
{
    size_t count = 0;
    for (int index = 0; index < h->thread_count; index++)
        count += atomic_load_explicit(&h->threads[index].load, memory_order_relaxed);
    return count;
}

static void on_arrival(struct reactor_post *post)
{
    struct conn *c = CONTAINER_OF(post, struct conn, arrival.post);
    conn_start(c, c->thread);
}

static void deal(struct listener *l, int fd, const union sock_address *peer)
{
    struct http_server *h = l->server;
    struct http_thread *own = &h->threads[0];
    if (connection_count(h) >= h->max_connections) {
        COUNT(own, refused, 1);
        sock_close(fd);
        return;
    }
    COUNT(own, accepted, 1);
    struct conn *c = conn_new(h, fd, peer);
    c->arrival.listener = l;
    c->thread = least_loaded(h);
    atomic_fetch_add_explicit(&c->thread->load, 1, memory_order_relaxed);
    if (c->thread == own) {
        conn_start(c, own);
        return;
    }
    c->arrival.post.run = on_arrival;
    reactor_post(c->thread->reactor, &c->arrival.post);
}

static void on_pause_over(struct timer *timer)
{
    struct listener *l = CONTAINER_OF(timer, struct listener, pause);
    reactor_change(l->server->threads[0].reactor, &l->source, EPOLLIN);
}

static void on_acceptable(struct reactor_source *source, uint32_t events)
{
    (void)events;
    struct listener *l = CONTAINER_OF(source, struct listener, source);
    struct reactor *r = l->server->threads[0].reactor;
    for (int accepted = 0; accepted < ACCEPTS_MAX; accepted++) {
        int fd;
        union sock_address peer;
        struct error e = sock_accept(l->source.fd, &fd, &peer);
        if (e.code == ERR_AGAIN)
            return;
        if (e.code == ERR_FULL) { /* those who wait go on waiting, and the loop does not turn in vain */
            log_event(LOG_WARN, "accept_paused", "errno=%d pause_ms=%d", e.system, ACCEPT_PAUSE_MS);
            reactor_change(r, &l->source, 0);
            timer_set(r, &l->pause, reactor_now_ms(r) + ACCEPT_PAUSE_MS);
            return;
        }
        if (!failed(e))
            deal(l, fd, &peer);
    }
}

/* == Open and close == */

void listener_init(struct listener *l, struct http_server *h)
{
    *l = (struct listener){
        .source = { .fd = -1, .on_ready = on_acceptable },
        .pause = { .fire = on_pause_over },
        .server = h,
    };
    pthread_mutex_init(&l->tls_lock, NULL);
}

void listener_deinit(struct listener *l)
{
    ASSERT(l->source.fd < 0);
    tls_context_unref(l->tls);
    pthread_mutex_destroy(&l->tls_lock);
}

static struct slice say(const char *what, struct slice subject, const char *why)
{
    snprintf(sentence, sizeof sentence, "%s %.*s: %s", what, SLICE_ARG(subject), why);
    return slice_str(sentence);
}

static const char *copy_path(struct http_server *h, const char *path)
{
    return arena_copy(&h->strings, slice_of(path, strlen(path) + 1)).data;
}

struct error listener_open(struct listener *l, const struct http_listener_options *options, struct slice *ret_sentence)
{
    union sock_address address;
    if (!sock_parse_address(options->address, &address)) {
        *ret_sentence = say("not an address to listen on (expected 127.0.0.1:4566 or [::1]:4566)", options->address,
            "host and port are needed");
        return ERROR_OF(ERR_CONFIG);
    }
    if (!options->tls_cert != !options->tls_key) {
        *ret_sentence = say("TLS on", options->address, "a certificate and its key belong together, one is missing");
        return ERROR_OF(ERR_CONFIG);
    }
    if (options->tls_cert) {
        char reason[TLS_REASON_BYTES] = "";
        l->tls_cert = copy_path(l->server, options->tls_cert);
        l->tls_key = copy_path(l->server, options->tls_key);
        struct error e = listener_load_tls(l, reason);
        if (failed(e)) {
            *ret_sentence = say("TLS on", options->address, reason);
            return e;
        }
    }
    struct error e = sock_listen(&address, &l->source.fd, &l->port);
    if (failed(e)) {
        *ret_sentence = say("cannot listen on", options->address, strerror(e.system));
        return e;
    }
    atomic_fetch_add(&l->server->open_listeners, 1);
    return OK;
}

struct error listener_start(struct listener *l)
{
    TRY(reactor_add(l->server->threads[0].reactor, &l->source, EPOLLIN));
    l->is_watched = true;
    return OK;
}

void listener_close(struct listener *l)
{
    if (l->source.fd < 0)
        return;
    struct reactor *r = l->server->threads[0].reactor;
    if (l->is_watched)
        reactor_remove(r, &l->source);
    timer_cancel(r, &l->pause);
    sock_close(l->source.fd);
    l->source.fd = -1;
    l->is_watched = false;
    atomic_fetch_sub(&l->server->open_listeners, 1);
}

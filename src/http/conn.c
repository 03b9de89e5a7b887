/* conn.c: a connection's life: events, time, what to wait for, its end; see core.h.
 *
 * Waiting costs no system call in the common case: a connection stays registered for reading from its first to its last
 * request. That changes only when the socket does not take a reply (then for writing).
 *
 * What arrives at a plain connection is told once (EPOLLET), which spares the kernel a look each turn at connections that
 * have nothing new. A receive that comes back short took everything there was, and what comes later is told again (but at
 * an urgent mark, which no client of HTTP sets: then its deadline ends the connection). One that filled its room leaves
 * `has_unread`, as does what comes while a reply is pending; the end of the client's side leaves `has_ended`. Whoever goes
 * on to wait with one of them asks to be told again. Inside of TLS, where bytes of the socket and bytes of the client are
 * not the same, and while blocked or lingering, readiness is told as long as it lasts; there, a client that sends while its
 * reply is pending is paused.
 *
 * Time costs no heap operation in the common case either: `deadline_ms` is written freely, the timer is only ever moved
 * to an earlier time, and when it fires too early it is set again.
 */
#include "http/core.h"

#include <sys/epoll.h>

#include "base/mutant.h"

enum { READING = EPOLLIN | EPOLLRDHUP };

static void on_ready(struct reactor_source *source, uint32_t events);
static void on_timer(struct timer *timer);

/* == Birth and death == */

struct conn *conn_new(struct http_server *h, int fd, const union sock_address *peer)
{
    pthread_mutex_lock(&h->conn_lock);
    struct conn *c = pool_take(&h->conns);
    pthread_mutex_unlock(&h->conn_lock);
    *c = (struct conn){
        .source = { .fd = fd, .on_ready = on_ready },
        .timer = { .fire = on_timer },
        .state = CONN_IDLE,
        .timed_state = TIMED_NONE,
    };
    bool is_v6 = peer->any.sa_family == AF_INET6;
    c->peer_family = (uint8_t)peer->any.sa_family;
    memcpy(c->peer_bytes, is_v6 ? (const void *)&peer->v6.sin6_addr : (const void *)&peer->v4.sin_addr, is_v6 ? 16 : 4);
    return c;
}

void conn_discard(struct http_server *h, struct conn *c)
{
    sock_close(c->source.fd);
    pthread_mutex_lock(&h->conn_lock);
    pool_give(&h->conns, c);
    pthread_mutex_unlock(&h->conn_lock);
}

static void conn_close(struct conn *c)
{
    struct http_thread *t = c->thread;
    ASSERT(!c->is_running && !c->is_handed);
    if (c->tls) {
        tls_close(c->tls);
        tls_free(c->tls);
    }
    reactor_remove(t->reactor, &c->source);
    timer_cancel(t->reactor, &c->timer);
    list_remove(&c->link);
    if (list_is_linked(&c->resume_link))
        list_remove(&c->resume_link);
    input_release(c);
    output_release(c);
    conn_discard(t->server, c);
    atomic_fetch_sub_explicit(&t->load, 1, memory_order_relaxed);
}

void conn_abort(struct conn *c)
{
    if (c->is_handed) {
        c->is_handed = false;
        c->thread->server->handler.on_gone(&c->stream);
    }
    conn_close(c);
}

static bool is_server_ending(const struct http_thread *t)
{
    return t->is_stopped || atomic_load_explicit(&t->server->is_draining, memory_order_relaxed);
}

void conn_start(struct conn *c, struct http_thread *t)
{
    struct tls_context *context = listener_tls(c->arrival.listener);
    bool is_usable = !is_server_ending(t);
    c->thread = t;
    if (is_usable && context) {
        c->tls = tls_new(context, c->source.fd);
        is_usable = c->tls != NULL;
    }
    tls_context_unref(context);
    if (!is_usable || failed(reactor_add(t->reactor, &c->source, READING | (c->tls ? 0 : EPOLLET)))) {
        tls_free(c->tls);
        conn_discard(t->server, c);
        atomic_fetch_sub_explicit(&t->load, 1, memory_order_relaxed);
        return;
    }
    c->stream.request.is_tls = c->tls != NULL;
    list_push_back(&t->conns, &c->link);
    conn_settle(c);
}

struct http_peer stream_peer(const struct stream *s)
{
    const struct conn *c = CONTAINER_OF(s, const struct conn, stream);
    struct http_peer peer = { .family = c->peer_family };
    memcpy(peer.bytes, c->peer_bytes, sizeof(peer.bytes));
    return peer;
}

struct http_peer http_peer_of(bool is_v6, const uint8_t bytes[16])
{
    struct http_peer peer = { .family = is_v6 ? AF_INET6 : AF_INET };
    memcpy(peer.bytes, bytes, is_v6 ? 16 : 4);
    return peer;
}

struct slice http_peer_format(const struct http_peer *peer, char out[HTTP_PEER_TEXT_BYTES])
{
    union sock_address address = { 0 };
    address.any.sa_family = peer->family;
    if (peer->family == AF_INET6)
        memcpy(&address.v6.sin6_addr, peer->bytes, 16);
    else if (peer->family == AF_INET)
        memcpy(&address.v4.sin_addr, peer->bytes, 4);
    return sock_format_host(&address, out);
}

/* == Reading == */

ssize_t conn_receive(struct conn *c, void *out, size_t size)
{
    if (!c->tls) {
        ssize_t received = sock_receive(c->source.fd, out, size);
        c->has_unread = received == (ssize_t)size;
        return received;
    }
    ssize_t count = tls_receive(c->tls, out, size);
    c->has_more_tls = count > 0 && tls_has_more(c->tls);
    c->receive_wants_out = count == SOCK_AGAIN_OTHER;
    return count;
}

static bool is_reading(const struct conn *c)
{
    return c->state == CONN_IDLE || c->state == CONN_HEAD || c->state == CONN_BODY;
}

static bool can_parse(const struct conn *c)
{
    return c->has_unparsed && (c->state == CONN_IDLE || c->state == CONN_HEAD);
}

/* There is something to read, from the socket or from what was read before. */
static void serve(struct conn *c)
{
    if (!can_parse(c) && !input_read(c)) {
        conn_abort(c);
        return;
    }
    input_run(c);
    conn_settle(c);
}

/* Connections whose bytes are here already: epoll will not tell. */
void conn_resume_all(struct http_thread *t)
{
    struct link list;
    list_init(&list);
    while (!list_is_empty(&t->resume)) {
        struct link *first = t->resume.next;
        list_remove(first);
        list_push_back(&list, first);
    }
    while (!list_is_empty(&list)) { /* those that come back meanwhile wait for the next turn */
        struct conn *c = LIST_ENTRY(list.next, struct conn, resume_link);
        list_remove(&c->resume_link);
        if (!c->is_blocked && is_reading(c) && (can_parse(c) || c->has_more_tls))
            serve(c);
    }
}

static void schedule_resume(struct conn *c)
{
    struct http_thread *t = c->thread;
    if (!list_is_linked(&c->resume_link))
        list_push_back(&t->resume, &c->resume_link);
    if (t->is_resume_posted)
        return;
    t->is_resume_posted = true;
    reactor_post(t->reactor, &t->resume_post);
}

/* == Time == */

static void set_deadline(struct conn *c, uint64_t at_ms)
{
    c->deadline_ms = at_ms;
    if (at_ms != UINT64_MAX && (!heap_has(&c->timer.node) || c->timer.node.key > at_ms))
        timer_set(c->thread->reactor, &c->timer, at_ms);
}

/* How long the present state may last, counted from the state's beginning: each row says what begins it again. */
static void update_deadline(struct conn *c)
{
    uint64_t now_ms = reactor_now_ms(c->thread->reactor);
    uint8_t timed_state = c->is_blocked ? TIMED_BLOCKED : c->state;
    bool is_new = c->timed_state != timed_state;
    bool is_moving = is_new || c->progress_bytes >= HTTP_PROGRESS_BYTES;
    c->timed_state = timed_state;
    if (is_moving)
        c->progress_bytes = 0;
    if (c->is_blocked) { /* so many bytes that went out */
        if (is_moving && !MUTANT(unread_reply_kept))
            set_deadline(c, now_ms + HTTP_WRITE_TIMEOUT_MS);
        return;
    }
    switch (c->state) {
    case CONN_IDLE: /* each reply; a handshake counts as a head */
        if (c->tls && !tls_is_established(c->tls)) {
            if (is_new)
                set_deadline(c, now_ms + HTTP_HEAD_TIMEOUT_MS);
        } else {
            set_deadline(c, now_ms + HTTP_IDLE_TIMEOUT_MS);
        }
        return;
    case CONN_HEAD: /* its first byte */
        if (is_new)
            set_deadline(c, now_ms + HTTP_HEAD_TIMEOUT_MS);
        return;
    case CONN_BODY: /* each read; of a body with memory of its own so many bytes */
        if (is_moving || !c->is_body_external)
            set_deadline(c, now_ms + HTTP_BODY_TIMEOUT_MS);
        return;
    case CONN_LINGERING: /* the last reply */
        if (is_new)
            set_deadline(c, now_ms + HTTP_LINGER_MS);
        return;
    default: /* the handler's time is its own */
        set_deadline(c, UINT64_MAX);
        return;
    }
}

static void on_timer(struct timer *timer)
{
    struct conn *c = CONTAINER_OF(timer, struct conn, timer);
    struct http_thread *t = c->thread;
    if (reactor_now_ms(t->reactor) < c->deadline_ms) {
        set_deadline(c, c->deadline_ms);
        return;
    }
    if (c->is_blocked || c->state == CONN_HEAD || c->state == CONN_BODY)
        COUNT(t, timeouts, 1);
    if (!c->is_blocked && c->state == CONN_HEAD)
        output_refuse(c, 408, "the request did not come to its end in time");
    else if (!c->is_blocked && c->state == CONN_BODY)
        output_refuse(c, 408, "the body of the request did not come in time");
    else {
        conn_abort(c);
        return;
    }
    conn_settle(c);
}

/* == What to do after something was done == */

static bool is_told_once(const struct conn *c)
{
    return !c->tls && !c->is_blocked && c->state != CONN_LINGERING;
}

static void update_interest(struct conn *c)
{
    struct reactor *r = c->thread->reactor;
    if (LIKELY(is_told_once(c))) {
        bool is_again = c->has_ended || (c->has_unread && c->state != CONN_PENDING);
        if (LIKELY(!is_again) || MUTANT(unread_forgotten)) {
            reactor_change(r, &c->source, READING | EPOLLET);
        } else {
            c->has_unread = false;
            reactor_tell_again(r, &c->source, READING | EPOLLET);
        }
        return;
    }
    uint32_t events = READING;
    if (c->state != CONN_PENDING)
        c->is_paused = false;
    if (c->is_blocked) /* an end of the client's side alone does not keep it from taking its reply */
        events = (c->send_wants_in ? EPOLLIN : EPOLLOUT) | (c->state == CONN_PENDING ? EPOLLRDHUP : 0);
    else if (c->is_paused)
        events = EPOLLRDHUP;
    else if (c->receive_wants_out)
        events |= EPOLLOUT;
    reactor_change(r, &c->source, events);
}

/* Everything is sent. False: c is gone. */
static bool end_sending(struct conn *c)
{
    if (!c->lingers) {
        conn_close(c);
        return false;
    }
    if (c->tls)
        tls_close(c->tls);
    sock_end_sending(c->source.fd);
    c->state = CONN_LINGERING;
    c->lingered_bytes = 0;
    return true;
}

void conn_settle(struct conn *c)
{
    c->is_blocked = false;
    if (c->output) {
        switch (output_flush(c)) {
        case OUTPUT_SENT:
            break;
        case OUTPUT_BLOCKED:
            c->is_blocked = true;
            break;
        case OUTPUT_BROKEN:
            conn_abort(c);
            return;
        }
    }
    if (!c->is_blocked && c->state == CONN_CLOSING && !end_sending(c))
        return;
    if (!c->is_blocked && is_reading(c) && (can_parse(c) || c->has_more_tls))
        schedule_resume(c);
    update_deadline(c);
    update_interest(c);
}

/* == Events == */

/* What a client still sends after its last reply is thrown away. */
static void on_lingering(struct conn *c)
{
    char *scratch = pool_take(&c->thread->large_inputs);
    ssize_t count = sock_receive(c->source.fd, scratch, c->thread->large_inputs.block_bytes);
    pool_give(&c->thread->large_inputs, scratch);
    if (count > 0)
        c->lingered_bytes += (size_t)count;
    if (count == SOCK_END || count == SOCK_BROKEN || c->lingered_bytes > HTTP_LINGER_BYTES_MAX)
        conn_close(c);
}

static void on_ready(struct reactor_source *source, uint32_t events)
{
    struct conn *c = CONTAINER_OF(source, struct conn, source);
    if (UNLIKELY(events & (EPOLLERR | EPOLLHUP))) {
        conn_abort(c);
        return;
    }
    if (UNLIKELY(c->state == CONN_PENDING && (events & EPOLLRDHUP))) {
        conn_abort(c); /* see server.h: it looks the same whether it closed or will still listen */
        return;
    }
    if (UNLIKELY(c->is_blocked)) {
        conn_settle(c);
        return;
    }
    if (UNLIKELY(c->state == CONN_LINGERING)) {
        on_lingering(c);
        return;
    }
    c->has_unread = true;
    c->has_ended |= (events & EPOLLRDHUP) != 0;
    if (UNLIKELY(c->state == CONN_PENDING)) {
        c->is_paused = true;
        update_interest(c);
        return;
    }
    serve(c);
}

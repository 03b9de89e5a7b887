/* conn.c: see conn.h. */
#include "conn.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "pool.h"

enum { READ_STEP = 4096, REPLY_MAX = 64 * 1024 * 1024, SOURCE_ADDRESSES = 16 };

void conn_init(struct conn *c, struct worker *w)
{
    memset(c, 0, sizeof *c);
    c->worker = w;
    c->wire.fd = -1;
    c->op = OP_NONE;
}

void conn_deinit(struct conn *c)
{
    conn_close(c);
    buf_free(&c->out);
    buf_free(&c->in);
    handles_pop(&c->handles, c->handles.count);
    free(c->handles.items);
    c->handles = (struct handles){ 0 };
}

/* Many short connections would use up the ports of one source address while old ones linger, so they come from several
 * loopback addresses in turn. */
static void bind_source(int fd, uint64_t number)
{
    int one = 1;
    struct sockaddr_in source = { .sin_family = AF_INET };
    source.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (uint32_t)(number % SOURCE_ADDRESSES));
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&source, sizeof source) < 0)
        die("cannot bind a loopback address: %s", strerror(errno));
}

static enum conn_status open_wire(struct conn *c)
{
    struct load *l = c->worker->load;
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(l->port) };
    inet_pton(AF_INET, l->host, &address.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        die("socket: %s (too many connections for the file limit?)", strerror(errno));
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (l->reconnect && (ntohl(address.sin_addr.s_addr) >> 24) == IN_LOOPBACKNET)
        bind_source(fd, c->worker->stats.opened);
    wire_start(&c->wire, fd, l->tls, 1);
    c->worker->stats.opened++;
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0 && errno != EINPROGRESS) {
        conn_close(c);
        return CONN_FAILED;
    }
    const struct pool *p = c->worker->pool;
    struct epoll_event event = { .events = EPOLLIN | EPOLLOUT, .data.ptr = c };
    if (p->is_shared) /* one thread is woken for an event, and no call is needed to arm it again */
        event.events |= EPOLLRDHUP | EPOLLET;
    c->waits_for_room = true;
    if (epoll_ctl(p->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        die("epoll_ctl: %s", strerror(errno));
    return CONN_MORE;
}

static void want_room(struct conn *c, bool wanted)
{
    if (c->waits_for_room == wanted || c->worker->pool->is_shared)
        return;
    struct epoll_event event = { .events = wanted ? EPOLLIN | EPOLLOUT : EPOLLIN, .data.ptr = c };
    if (epoll_ctl(c->worker->pool->epoll_fd, EPOLL_CTL_MOD, c->wire.fd, &event) < 0)
        die("epoll_ctl: %s", strerror(errno));
    c->waits_for_room = wanted;
}

static enum conn_status push_out(struct conn *c)
{
    while (c->out_done < c->out.size) {
        long count = wire_write(&c->wire, c->out.data + c->out_done, c->out.size - c->out_done);
        if (count == WIRE_WANT_READ || count == WIRE_WANT_WRITE) {
            want_room(c, count == WIRE_WANT_WRITE);
            return CONN_MORE;
        }
        if (count <= 0) {
            conn_close(c);
            return CONN_FAILED;
        }
        c->out_done += (size_t)count;
    }
    want_room(c, false);
    return CONN_MORE;
}

enum conn_status conn_send(struct conn *c)
{
    assert(c->busy && c->out.size > 0);
    c->out_done = 0;
    c->in.size = 0;
    c->reply = (struct reply){ 0 };
    if (c->wire.fd >= 0)
        return push_out(c);
    return open_wire(c); /* the first bytes leave when epoll says that the connection stands */
}

static enum conn_status read_reply(struct conn *c)
{
    for (;;) {
        buf_reserve(&c->in, READ_STEP);
        long count = wire_read(&c->wire, c->in.data + c->in.size, c->in.room - c->in.size);
        if (count == WIRE_WANT_READ)
            return CONN_MORE;
        if (count == WIRE_WANT_WRITE) {
            want_room(c, true);
            return CONN_MORE;
        }
        if (count < 0 || (count == 0 && !c->busy)) {
            conn_close(c);
            return c->busy ? CONN_FAILED : CONN_ENDED;
        }
        c->in.size += (size_t)count;
        enum reply_state state = reply_parse(&c->reply, &c->in, count == 0);
        if (state == REPLY_BAD || c->in.size > REPLY_MAX || !c->busy) {
            conn_close(c);
            return c->busy ? CONN_FAILED : CONN_ENDED;
        }
        if (state == REPLY_DONE) {
            if (c->reply.closes || count == 0)
                conn_close(c);
            return CONN_REPLY;
        }
    }
}

enum conn_status conn_continue(struct conn *c)
{
    if (c->busy && c->out_done < c->out.size) {
        enum conn_status status = push_out(c);
        if (status != CONN_MORE || c->out_done < c->out.size)
            return status;
    }
    return read_reply(c);
}

void conn_close(struct conn *c)
{
    if (c->wire.fd >= 0)
        wire_close(&c->wire); /* leaves the epoll set with it */
    c->waits_for_room = false;
}

bool conn_claim(struct conn *c)
{
    unsigned none = 0;
    return atomic_compare_exchange_strong(&c->claim, &none, CLAIM_HELD);
}

bool conn_mark(struct conn *c, unsigned marks)
{
    return !(atomic_fetch_or(&c->claim, CLAIM_HELD | marks) & CLAIM_HELD);
}

bool conn_let_go(struct conn *c, unsigned *ret_marks)
{
    unsigned held = CLAIM_HELD;
    *ret_marks = 0;
    if (atomic_compare_exchange_strong(&c->claim, &held, 0))
        return true;
    *ret_marks = atomic_exchange(&c->claim, CLAIM_HELD) & ~(unsigned)CLAIM_HELD;
    return false;
}

void handles_push(struct handles *h, struct span handle)
{
    if (h->count == h->room) {
        size_t room = h->room ? h->room * 2 : 16;
        char **items = must_alloc(room * sizeof *items);
        for (size_t index = 0; index < h->count; index++)
            items[index] = h->items[(h->first + index) % h->room];
        free(h->items);
        *h = (struct handles){ .items = items, .room = room, .count = h->count };
    }
    char *copy = must_alloc(handle.size + 1);
    memcpy(copy, handle.data, handle.size);
    h->items[(h->first + h->count++) % h->room] = copy;
}

const char *handles_at(const struct handles *h, size_t index)
{
    assert(index < h->count);
    return h->items[(h->first + index) % h->room];
}

void handles_pop(struct handles *h, size_t count)
{
    assert(count <= h->count);
    for (; count > 0; count--) {
        free(h->items[h->first]);
        h->first = (h->first + 1) % h->room;
        h->count--;
    }
}

/* faulty_net.c: see faulty_net.h. */
#include "support/faulty_net.h"
#include "base/check.h"
#include "support/prng.h"
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

enum { DESCRIPTORS_MAX = 64, FIRST_DESCRIPTOR = 1000, CONNECTIONS_MAX = 64, MARKS_MAX = 32, FIRST_PORT = 4566 };
#define NEVER UINT64_MAX

/* One direction. Positions count from the connection's first byte. */
struct mark {
    uint64_t end, at_us; /* the bytes before `end` are there at that time */
};
struct pipe {
    char *bytes; /* [head, tail) at [0, tail - head) */
    size_t capacity;
    uint64_t head, tail;
    struct mark marks[MARKS_MAX]; /* rising in both; the last one's end is `tail` */
    size_t mark_count;
    uint64_t end_us, reset_us; /* when the reader sees that */
};

struct connection {
    bool is_used, has_client, is_client_closed, is_accepted, is_server_ended;
    int descriptor; /* the server's; -1: none */
    uint16_t port;
    uint64_t number; /* in order of connecting */
    struct pipe to_server, to_client;
    uint64_t accepted_us, taken_us, given_us;
};

enum kind { NONE, LISTENER, STREAM, EPOLL, EVENT };
struct descriptor {
    enum kind kind;
    int connection;
    uint16_t port;
    bool is_signalled;
    bool is_watched;
    struct epoll_event interest;
    /* EPOLLET: what was told of, and whether it is to be told again */
    uint64_t told_bytes;
    bool told_end, told_reset, is_again;
};

static struct {
    struct prng random;
    struct faulty_net_plan plan;
    uint64_t (*now_us)(void);
    struct descriptor descriptors[DESCRIPTORS_MAX];
    struct connection connections[CONNECTIONS_MAX];
    uint64_t next_number;
    bool is_busy;      /* the last epoll_wait was not a sleep */
    uint64_t until_us; /* else: when it would have ended by itself */
} net;

/* ---- chance ------------------------------------------------------------------------------------------------------------ */

static bool happens(uint32_t one_in)
{
    return one_in && prng_one_in(&net.random, one_in);
}

static size_t share_of(size_t size)
{
    return size > 1 && happens(net.plan.part) ? 1 + (size_t)prng_below(&net.random, size) : size;
}

static uint64_t arrival_us(void)
{
    uint64_t late = happens(net.plan.late) ? prng_below(&net.random, net.plan.late_us_max + 1) : 0;
    return net.now_us() + late;
}

static int fail(int error)
{
    errno = error;
    return -1;
}

/* ---- one direction -------------------------------------------------------------------------------------------------------- */

static void pipe_init(struct pipe *p)
{
    *p = (struct pipe){ .end_us = NEVER, .reset_us = NEVER };
}

static void pipe_drop(struct pipe *p) /* what is on the way or unread */
{
    free(p->bytes);
    p->bytes = NULL;
    p->capacity = 0;
    p->head = p->tail;
    p->mark_count = 0;
}

static uint64_t last_us(const struct pipe *p) /* nothing overtakes */
{
    uint64_t at = p->mark_count ? p->marks[p->mark_count - 1].at_us : 0, now_us = arrival_us();
    return at > now_us ? at : now_us;
}

static void pipe_put(struct pipe *p, const void *bytes, size_t size)
{
    size_t used = (size_t)(p->tail - p->head);
    if (used + size > p->capacity) {
        p->capacity = 2 * (used + size);
        p->bytes = realloc(p->bytes, p->capacity);
        ASSERT(p->bytes);
    }
    memcpy(p->bytes + used, bytes, size);
    p->tail += size;
    uint64_t at_us = last_us(p);
    if (p->mark_count == MARKS_MAX || (p->mark_count && p->marks[p->mark_count - 1].at_us == at_us))
        p->mark_count--;
    p->marks[p->mark_count++] = (struct mark){ p->tail, at_us };
}

static bool is_reset(const struct pipe *p)
{
    return p->reset_us <= net.now_us();
}

static size_t here(const struct pipe *p)
{
    uint64_t end = p->head, now_us = net.now_us();
    for (size_t i = 0; i < p->mark_count && p->marks[i].at_us <= now_us; i++)
        end = p->marks[i].end;
    return end > p->head ? (size_t)(end - p->head) : 0;
}

static void pipe_take(struct pipe *p, void *out, size_t size)
{
    memcpy(out, p->bytes, size);
    p->head += size;
    memmove(p->bytes, p->bytes + size, (size_t)(p->tail - p->head));
    size_t gone = 0;
    while (gone < p->mark_count && p->marks[gone].end <= p->head)
        gone++;
    p->mark_count -= gone;
    memmove(p->marks, p->marks + gone, p->mark_count * sizeof(p->marks[0]));
}

static bool is_ended(const struct pipe *p)
{
    return p->end_us <= net.now_us();
}

static void pipe_end(struct pipe *p)
{
    if (p->end_us == NEVER)
        p->end_us = last_us(p);
}

static void pipe_reset(struct pipe *p)
{
    if (p->reset_us == NEVER)
        p->reset_us = last_us(p);
}

static size_t room(const struct pipe *p)
{
    uint64_t used = p->tail - p->head;
    return used < net.plan.window_bytes ? (size_t)(net.plan.window_bytes - used) : 0;
}

/* ---- connections ------------------------------------------------------------------------------------------------------------ */

static struct connection *connection_of(int c)
{
    ASSERT(c >= 0 && c < CONNECTIONS_MAX && net.connections[c].is_used);
    return &net.connections[c];
}

static void forget_if_over(struct connection *c)
{
    bool has_server = c->descriptor >= 0 || (!c->is_accepted && c->port);
    if (c->has_client || has_server)
        return;
    pipe_drop(&c->to_server);
    pipe_drop(&c->to_client);
    c->is_used = false;
}

/* The server lets go of its side, or its listener did before it was accepted. */
static void leave(struct connection *c)
{
    bool is_unread = c->to_server.head < c->to_server.tail || !c->is_accepted;
    c->descriptor = -1;
    c->port = 0;
    if (is_unread)
        pipe_reset(&c->to_client);
    else
        pipe_end(&c->to_client);
    pipe_drop(&c->to_server);
    forget_if_over(c);
}

int faulty_net_connect(uint16_t port)
{
    bool is_heard = false;
    int index = 0;
    for (int i = 0; i < DESCRIPTORS_MAX; i++)
        is_heard |= net.descriptors[i].kind == LISTENER && net.descriptors[i].port == port;
    while (index < CONNECTIONS_MAX && net.connections[index].is_used)
        index++;
    if (!is_heard || index == CONNECTIONS_MAX)
        return -1;
    struct connection *c = &net.connections[index];
    *c = (struct connection){
        .is_used = true, .has_client = true, .descriptor = -1, .port = port, .number = net.next_number++
    };
    pipe_init(&c->to_server);
    pipe_init(&c->to_client);
    return index;
}

size_t faulty_net_send(int index, const void *bytes, size_t size)
{
    struct connection *c = connection_of(index);
    size_t most = room(&c->to_server);
    bool is_over = c->port == 0 || c->is_client_closed || is_reset(&c->to_client) || c->to_server.end_us != NEVER ||
                   c->to_server.reset_us != NEVER;
    if (is_over)
        return 0;
    size = share_of(size < most ? size : most);
    if (size)
        pipe_put(&c->to_server, bytes, size);
    return size;
}

size_t faulty_net_receive(int index, void *out, size_t size)
{
    struct connection *c = connection_of(index);
    if (is_reset(&c->to_client)) {
        pipe_drop(&c->to_client);
        return 0;
    }
    size_t most = here(&c->to_client);
    size = share_of(size < most ? size : most);
    if (size)
        pipe_take(&c->to_client, out, size);
    return size;
}

enum faulty_peer faulty_net_peer(int index)
{
    const struct connection *c = connection_of(index);
    if (is_reset(&c->to_client))
        return FAULTY_PEER_BROKEN;
    return is_ended(&c->to_client) && c->to_client.head == c->to_client.tail ? FAULTY_PEER_ENDED : FAULTY_PEER_OPEN;
}

void faulty_net_end(int index)
{
    pipe_end(&connection_of(index)->to_server);
}

void faulty_net_break(int index)
{
    struct connection *c = connection_of(index);
    pipe_reset(&c->to_server);
    c->to_client.reset_us = net.now_us();
}

void faulty_net_close(int index)
{
    struct connection *c = connection_of(index);
    c->is_client_closed = true;
    if (c->to_client.head < c->to_client.tail)
        pipe_reset(&c->to_server);
    else
        pipe_end(&c->to_server);
    pipe_drop(&c->to_client);
}

void faulty_net_forget(int index)
{
    struct connection *c = connection_of(index);
    if (!c->is_client_closed)
        faulty_net_close(index);
    c->has_client = false;
    forget_if_over(c);
}

struct faulty_net_view faulty_net_view(int index)
{
    const struct connection *c = connection_of(index);
    return (struct faulty_net_view){ .is_accepted = c->is_accepted,
        .is_over = c->port == 0,
        .descriptor = c->descriptor,
        .taken = c->to_server.head,
        .given = c->to_client.tail,
        .accepted_us = c->accepted_us,
        .taken_us = c->taken_us,
        .given_us = c->given_us,
        .unread = c->to_client.tail - c->to_client.head };
}

/* ---- descriptors ---------------------------------------------------------------------------------------------------------------- */

static struct descriptor *descriptor_of(int fd, enum kind kind)
{
    int index = fd - FIRST_DESCRIPTOR;
    ASSERT(index >= 0 && index < DESCRIPTORS_MAX && net.descriptors[index].kind == kind);
    return &net.descriptors[index];
}

static int open_descriptor(enum kind kind)
{
    for (int i = 0; i < DESCRIPTORS_MAX; i++)
        if (net.descriptors[i].kind == NONE) {
            net.descriptors[i] = (struct descriptor){ .kind = kind, .connection = -1 };
            return FIRST_DESCRIPTOR + i;
        }
    return fail(EMFILE);
}

/* The oldest that waits at this port; NULL: none. */
static struct connection *first_waiting(uint16_t port)
{
    struct connection *first = NULL;
    for (int i = 0; i < CONNECTIONS_MAX; i++) {
        struct connection *c = &net.connections[i];
        if (c->is_used && !c->is_accepted && c->port == port && (!first || c->number < first->number))
            first = c;
    }
    return first;
}

static int net_listen(
    const struct sockaddr *address, socklen_t size, int backlog, struct sockaddr *ret_bound, socklen_t *bound_size)
{
    struct sockaddr_in bound;
    (void)backlog;
    ASSERT(size == sizeof(bound) && address->sa_family == AF_INET && *bound_size >= sizeof(bound));
    memcpy(&bound, address, sizeof(bound));
    if (bound.sin_port == 0)
        bound.sin_port = htons(FIRST_PORT);
    int fd = open_descriptor(LISTENER);
    if (fd < 0)
        return fd;
    descriptor_of(fd, LISTENER)->port = ntohs(bound.sin_port);
    memcpy(ret_bound, &bound, sizeof(bound));
    *bound_size = sizeof(bound);
    return fd;
}

static int net_accept(int listen_fd, struct sockaddr *ret_peer, socklen_t *peer_size)
{
    const struct descriptor *d = descriptor_of(listen_fd, LISTENER);
    struct connection *c = first_waiting(d->port);
    const struct sockaddr_in peer = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    if (!c)
        return fail(EAGAIN);
    if (happens(net.plan.accept))
        return fail(EMFILE);
    if (is_reset(&c->to_server)) {
        leave(c);
        return fail(ECONNABORTED);
    }
    int fd = open_descriptor(STREAM);
    if (fd < 0)
        return fd;
    descriptor_of(fd, STREAM)->connection = (int)(c - net.connections);
    c->descriptor = fd;
    c->is_accepted = true;
    c->accepted_us = c->taken_us = c->given_us = net.now_us();
    ASSERT(*peer_size >= sizeof(peer));
    memcpy(ret_peer, &peer, sizeof(peer));
    *peer_size = sizeof(peer);
    return fd;
}

static struct connection *connection_at(int fd)
{
    return &net.connections[descriptor_of(fd, STREAM)->connection];
}

static ssize_t net_receive(int fd, void *out, size_t size, int flags)
{
    struct connection *c = connection_at(fd);
    (void)flags;
    if (happens(net.plan.interrupt))
        return fail(EINTR);
    if (is_reset(&c->to_server))
        return fail(ECONNRESET);
    size_t most = here(&c->to_server);
    if (most == 0)
        return is_ended(&c->to_server) ? 0 : fail(EAGAIN);
    size_t all = size < most ? size : most;
    size = share_of(all);
    pipe_take(&c->to_server, out, size);
    if (size < all) /* as if the rest had come right after */
        descriptor_of(fd, STREAM)->is_again = true;
    c->taken_us = net.now_us();
    return (ssize_t)size;
}

/* What goes to somebody who closed is lost and answered with a reset. */
static ssize_t net_send(int fd, const void *bytes, size_t size, int flags)
{
    struct connection *c = connection_at(fd);
    size_t most = room(&c->to_client);
    (void)flags;
    ASSERT(!c->is_server_ended && size > 0);
    if (happens(net.plan.interrupt))
        return fail(EINTR);
    if (is_reset(&c->to_server))
        return fail(ECONNRESET);
    if (most == 0)
        return fail(EAGAIN);
    size = share_of(size < most ? size : most);
    if (!c->is_client_closed)
        pipe_put(&c->to_client, bytes, size);
    else
        pipe_reset(&c->to_server);
    c->given_us = net.now_us();
    return (ssize_t)size;
}

static ssize_t net_send_parts(int fd, const struct msghdr *message, int flags)
{
    ssize_t total = 0;
    for (size_t i = 0; i < message->msg_iovlen; i++) {
        const struct iovec *part = &message->msg_iov[i];
        ssize_t sent = net_send(fd, part->iov_base, part->iov_len, flags);
        if (sent < 0)
            return total ? total : sent;
        total += sent;
        if ((size_t)sent < part->iov_len)
            break;
    }
    return total;
}

static int net_shutdown(int fd, int how)
{
    struct connection *c = connection_at(fd);
    ASSERT(how == SHUT_WR);
    c->is_server_ended = true;
    pipe_end(&c->to_client);
    return 0;
}

static int net_close(int fd)
{
    int index = fd - FIRST_DESCRIPTOR;
    ASSERT(index >= 0 && index < DESCRIPTORS_MAX && net.descriptors[index].kind != NONE);
    struct descriptor *d = &net.descriptors[index];
    enum kind kind = d->kind;
    d->kind = NONE;
    if (kind == STREAM)
        leave(&net.connections[d->connection]);
    for (struct connection *c; kind == LISTENER && (c = first_waiting(d->port));)
        leave(c);
    return 0;
}

/* ---- readiness --------------------------------------------------------------------------------------------------------------------- */

static uint32_t stream_events(const struct connection *c)
{
    uint32_t events = 0;
    if (is_reset(&c->to_server))
        return EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLERR | EPOLLHUP;
    if (here(&c->to_server))
        events |= EPOLLIN;
    if (is_ended(&c->to_server))
        events |= EPOLLIN | EPOLLRDHUP | (c->is_server_ended ? EPOLLHUP : 0);
    if (room(&c->to_client))
        events |= EPOLLOUT;
    return events;
}

static uint64_t arrived(const struct pipe *p)
{
    return p->head + here(p);
}

/* Edge-triggered, only what arrives: nobody watches like that for room to send. */
static bool is_news(const struct descriptor *d)
{
    const struct pipe *p = &net.connections[d->connection].to_server;
    ASSERT(!(d->interest.events & EPOLLOUT));
    return d->is_again || d->told_bytes != arrived(p) || d->told_end != is_ended(p) || d->told_reset != is_reset(p);
}

static void note_told(struct descriptor *d)
{
    const struct pipe *p = &net.connections[d->connection].to_server;
    d->told_bytes = arrived(p);
    d->told_end = is_ended(p);
    d->told_reset = is_reset(p);
    d->is_again = false;
}

static uint32_t events_of(const struct descriptor *d)
{
    uint32_t events = 0;
    if (d->kind == LISTENER)
        events = first_waiting(d->port) ? EPOLLIN : 0;
    else if (d->kind == STREAM && (!(d->interest.events & EPOLLET) || is_news(d)))
        events = stream_events(&net.connections[d->connection]);
    else if (d->kind == EVENT)
        events = d->is_signalled ? EPOLLIN : 0;
    return d->is_watched && d->kind != NONE ? events & (d->interest.events | EPOLLERR | EPOLLHUP) : 0;
}

static int net_epoll_create(int flags)
{
    (void)flags;
    net.is_busy = true;
    return open_descriptor(EPOLL);
}

static int net_epoll_ctl(int epoll_fd, int operation, int fd, struct epoll_event *event)
{
    int index = fd - FIRST_DESCRIPTOR;
    (void)descriptor_of(epoll_fd, EPOLL);
    ASSERT(index >= 0 && index < DESCRIPTORS_MAX);
    struct descriptor *d = &net.descriptors[index];
    ASSERT(d->kind != NONE && d->kind != EPOLL && d->is_watched == (operation != EPOLL_CTL_ADD));
    d->is_watched = operation != EPOLL_CTL_DEL;
    d->is_again = true;
    if (d->is_watched)
        d->interest = *event;
    return 0;
}

static int net_epoll_wait(int epoll_fd, struct epoll_event *ret_events, int count, int timeout_ms)
{
    int found = 0, first = (int)prng_below(&net.random, DESCRIPTORS_MAX);
    (void)descriptor_of(epoll_fd, EPOLL);
    if (happens(net.plan.interrupt)) {
        net.is_busy = true;
        return fail(EINTR);
    }
    if (happens(net.plan.part))
        count = 1 + (int)prng_below(&net.random, 3);
    for (int i = 0; i < DESCRIPTORS_MAX && found < count; i++) {
        struct descriptor *d = &net.descriptors[(first + i) % DESCRIPTORS_MAX];
        uint32_t events = events_of(d);
        if (!events)
            continue;
        d->is_signalled = false;
        if (d->kind == STREAM)
            note_told(d);
        ret_events[found++] = (struct epoll_event){ .events = events, .data = d->interest.data };
    }
    net.is_busy = found > 0 || timeout_ms == 0;
    net.until_us = timeout_ms < 0 ? NEVER : net.now_us() + (uint64_t)timeout_ms * 1000;
    return found;
}

bool faulty_net_is_due(void)
{
    if (net.is_busy || net.now_us() >= net.until_us)
        return true;
    for (int i = 0; i < DESCRIPTORS_MAX; i++)
        if (events_of(&net.descriptors[i]))
            return true;
    return false;
}

static int net_event_create(unsigned value, int flags)
{
    (void)value;
    (void)flags;
    return open_descriptor(EVENT);
}

static ssize_t net_event_signal(int event_fd)
{
    descriptor_of(event_fd, EVENT)->is_signalled = true;
    return sizeof(uint64_t);
}

/* ---- beginnings and ends -------------------------------------------------------------------------------------------------------------- */

size_t faulty_net_open_descriptors(void)
{
    size_t count = 0;
    for (int i = 0; i < DESCRIPTORS_MAX; i++)
        count += net.descriptors[i].kind != NONE;
    return count;
}

void faulty_net_change(const struct faulty_net_plan *plan)
{
    net.plan = *plan;
}

void faulty_net_reset(uint64_t seed, const struct faulty_net_plan *plan, uint64_t (*now_us)(void))
{
    for (int i = 0; i < CONNECTIONS_MAX; i++) {
        pipe_drop(&net.connections[i].to_server);
        pipe_drop(&net.connections[i].to_client);
    }
    memset(&net, 0, sizeof(net));
    net.random = prng_of(seed ^ 0x6e6574); /* "net" */
    net.plan = *plan;
    net.now_us = now_us;
}

const struct sys_net sys_net_faulty = {
    .listen = net_listen,
    .accept = net_accept,
    .receive = net_receive,
    .send = net_send,
    .send_parts = net_send_parts,
    .shutdown = net_shutdown,
    .close = net_close,
    .epoll_create = net_epoll_create,
    .epoll_ctl = net_epoll_ctl,
    .epoll_wait = net_epoll_wait,
    .event_create = net_event_create,
    .event_signal = net_event_signal,
};

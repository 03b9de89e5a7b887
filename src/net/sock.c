/* sock.c: see sock.h. */
#include "net/sock.h"

#include <arpa/inet.h>
#include <errno.h>

#include "base/text.h"
#include "sys/net.h"
#include "sys/sys.h"

/* == Addresses == */

static bool parse_port(struct slice text, uint16_t *ret_port)
{
    uint64_t port;
    if (text.size > 5 || !text_parse_u64(text, &port) || port > 65535)
        return false;
    *ret_port = (uint16_t)port;
    return true;
}

/* the last ':' that is not inside brackets separates host and port */
static bool split(struct slice text, struct slice *ret_host, struct slice *ret_port, bool *ret_is_v6)
{
    *ret_is_v6 = text.size > 0 && text.data[0] == '[';
    size_t host_end = slice_find(text, *ret_is_v6 ? ']' : ':');
    size_t colon = *ret_is_v6 ? host_end + 1 : host_end;
    if (colon >= text.size || text.data[colon] != ':')
        return false;
    *ret_host = slice_from(slice_head(text, host_end), *ret_is_v6 ? 1 : 0);
    *ret_port = slice_from(text, colon + 1);
    return true;
}

bool sock_parse_address(struct slice text, union sock_address *ret_address)
{
    struct slice host, port_text;
    bool is_v6;
    uint16_t port;
    char name[INET6_ADDRSTRLEN + 1];
    if (!split(text, &host, &port_text, &is_v6) || !parse_port(port_text, &port) || host.size >= sizeof name)
        return false;
    if (slice_find(host, 0) < host.size)
        return false;
    if (!is_v6 && slice_equal(host, SLICE("localhost")))
        host = SLICE("127.0.0.1");
    memcpy(name, host.data, host.size);
    name[host.size] = 0;
    union sock_address a = { 0 };
    if (is_v6) {
        a.v6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(port) };
        if (inet_pton(AF_INET6, name, &a.v6.sin6_addr) != 1)
            return false;
    } else {
        a.v4 = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port) };
        if (inet_pton(AF_INET, name, &a.v4.sin_addr) != 1)
            return false;
    }
    *ret_address = a;
    return true;
}

struct slice sock_format_host(const union sock_address *address, char out[SOCK_ADDRESS_TEXT_BYTES])
{
    const char *text = NULL;
    if (address->any.sa_family == AF_INET)
        text = inet_ntop(AF_INET, &address->v4.sin_addr, out, SOCK_ADDRESS_TEXT_BYTES);
    else if (address->any.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&address->v6.sin6_addr))
        text = inet_ntop(AF_INET, &address->v6.sin6_addr.s6_addr[12], out, SOCK_ADDRESS_TEXT_BYTES);
    else if (address->any.sa_family == AF_INET6)
        text = inet_ntop(AF_INET6, &address->v6.sin6_addr, out, SOCK_ADDRESS_TEXT_BYTES);
    return text ? slice_str(text) : SLICE("");
}

uint16_t sock_address_port(const union sock_address *address)
{
    return ntohs(address->any.sa_family == AF_INET6 ? address->v6.sin6_port : address->v4.sin_port);
}

/* == Listening == */

enum { BACKLOG = 4096 }; /* the kernel cuts it to net.core.somaxconn */

struct error sock_listen(const union sock_address *address, int *ret_fd, uint16_t *ret_port)
{
    bool is_v6 = address->any.sa_family == AF_INET6;
    socklen_t size = is_v6 ? sizeof address->v6 : sizeof address->v4;
    union sock_address bound = { 0 };
    socklen_t bound_size = sizeof bound;
    int fd = sys->net->listen(&address->any, size, BACKLOG, &bound.any, &bound_size);
    if (fd < 0)
        return ERROR_SYS(ERR_IO, errno);
    *ret_fd = fd;
    *ret_port = sock_address_port(&bound);
    return OK;
}

struct error sock_accept(int listen_fd, int *ret_fd, union sock_address *ret_peer)
{
    socklen_t size = sizeof *ret_peer;
    int fd = sys->net->accept(listen_fd, &ret_peer->any, &size);
    if (fd < 0) {
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            return ERROR_OF(ERR_AGAIN);
        bool is_full = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
        return ERROR_SYS(is_full ? ERR_FULL : ERR_CLOSED, errno); /* accept(2): network errors concern that one only */
    }
    *ret_fd = fd;
    return OK;
}

/* == Bytes == */

static ssize_t sock_result(ssize_t count, int error)
{
    if (LIKELY(count >= 0))
        return count;
    return error == EAGAIN || error == EWOULDBLOCK ? SOCK_AGAIN : SOCK_BROKEN;
}

ssize_t sock_receive(int fd, void *out, size_t size)
{
    ssize_t count;
    do {
        count = sys->net->receive(fd, out, size, 0);
    } while (UNLIKELY(count < 0) && errno == EINTR);
    return sock_result(count, errno);
}

ssize_t sock_send(int fd, const void *bytes, size_t size)
{
    ssize_t count;
    do {
        count = sys->net->send(fd, bytes, size, MSG_NOSIGNAL);
    } while (UNLIKELY(count < 0) && errno == EINTR);
    return sock_result(count, errno);
}

ssize_t sock_send_parts(int fd, const struct iovec *parts, int part_count)
{
    struct msghdr message = { .msg_iov = (struct iovec *)parts, .msg_iovlen = (size_t)part_count };
    ssize_t count;
    do {
        count = sys->net->send_parts(fd, &message, MSG_NOSIGNAL);
    } while (UNLIKELY(count < 0) && errno == EINTR);
    return sock_result(count, errno);
}

/* == Ends: what these could tell nobody could use == */

void sock_end_sending(int fd)
{
    sys->net->shutdown(fd, SHUT_WR);
}

void sock_close(int fd)
{
    sys->net->close(fd);
}

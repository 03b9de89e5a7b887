/* sys_net.c: sockets and readiness of the kernel (net.h). */
#include "sys/net.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool make_listening(int fd, const struct sockaddr *address, socklen_t size, int backlog)
{
    int one = 1;
    return setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0 &&
           (address->sa_family != AF_INET6 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) == 0) &&
           bind(fd, address, size) == 0 && listen(fd, backlog) == 0;
}

static int real_listen(
    const struct sockaddr *address, socklen_t size, int backlog, struct sockaddr *ret_bound, socklen_t *bound_size)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (make_listening(fd, address, size, backlog) && getsockname(fd, ret_bound, bound_size) == 0)
        return fd;
    int saved_errno = errno;
    close(fd);
    errno = saved_errno;
    return -1;
}

static int real_accept(int listen_fd, struct sockaddr *ret_peer, socklen_t *peer_size)
{
    int fd = accept4(listen_fd, ret_peer, peer_size, SOCK_NONBLOCK | SOCK_CLOEXEC), one = 1;
    if (fd >= 0)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)); /* can only fail when the peer is gone already */
    return fd;
}

#ifdef SANITIZED /* a sanitizer follows memory and order through the library's calls only */
#define real_receive recv
#define real_send send
#else
/* The C library's recv and send are points of cancellation: in a process with threads each call sets and clears a flag with
 * two locked instructions, 1 % of a small request. Nobody is cancelled here. */
static ssize_t real_receive(int fd, void *out, size_t size, int flags)
{
    return syscall(SYS_recvfrom, fd, out, size, flags, NULL, NULL);
}

static ssize_t real_send(int fd, const void *bytes, size_t size, int flags)
{
    return syscall(SYS_sendto, fd, bytes, size, flags, NULL, 0);
}
#endif

static ssize_t real_event_signal(int event_fd)
{
    uint64_t one = 1;
    return write(event_fd, &one, sizeof(one));
}

const struct sys_net sys_net_real = {
    .listen = real_listen,
    .accept = real_accept,
    .receive = real_receive,
    .send = real_send,
    .send_parts = sendmsg,
    .shutdown = shutdown,
    .close = close,
    .epoll_create = epoll_create1,
    .epoll_ctl = epoll_ctl,
    .epoll_wait = epoll_wait,
    .event_create = eventfd,
    .event_signal = real_event_signal,
};

/* net.h: sockets and readiness as a table (sys->net), in the kernel's own words: -1 and errno, EINTR included.
 *
 * Descriptors are non-blocking and closed on exec. Flags and events are Linux's. Only net/ and http/ call these.
 * Cost     one indirect call: the real table holds the kernel's functions themselves wherever they fit.
 * Thread   any; event_signal also from signal handlers.
 */
#ifndef MILLRACE_SYS_NET_H
#define MILLRACE_SYS_NET_H

#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/types.h>

struct sys_net {
    /* A bound, listening socket with SO_REUSEADDR; an IPv6 one takes IPv6 only. `ret_bound`: where it listens now. */
    int (*listen)(
        const struct sockaddr *address, socklen_t size, int backlog, struct sockaddr *ret_bound, socklen_t *bound_size);
    int (*accept)(int listen_fd, struct sockaddr *ret_peer, socklen_t *peer_size); /* with TCP_NODELAY */
    ssize_t (*receive)(int fd, void *out, size_t size, int flags);
    ssize_t (*send)(int fd, const void *bytes, size_t size, int flags);
    ssize_t (*send_parts)(int fd, const struct msghdr *message, int flags);
    int (*shutdown)(int fd, int how);
    int (*close)(int fd);

    int (*epoll_create)(int flags);
    int (*epoll_ctl)(int epoll_fd, int operation, int fd, struct epoll_event *event);
    int (*epoll_wait)(int epoll_fd, struct epoll_event *ret_events, int count, int timeout_ms);
    int (*event_create)(unsigned value, int flags); /* eventfd */
    ssize_t (*event_signal)(int event_fd);          /* adds one */
};

extern const struct sys_net sys_net_real;

#endif

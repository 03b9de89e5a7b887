/* sock.h: the few socket calls of a server (sys->net): listen, accept, receive and send without blocking and SIGPIPE.
 *
 * Thread   any. Fails: as said at each function; EINTR is handled here.
 */
#ifndef MILLRACE_NET_SOCK_H
#define MILLRACE_NET_SOCK_H

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/error.h"
#include "base/slice.h"

/* what sock_receive, sock_send, tls_receive and tls_send return besides a count of bytes */
enum {
    SOCK_END = 0,         /* the peer will send no more */
    SOCK_AGAIN = -1,      /* wait until readable (receiving) or writable (sending) */
    SOCK_BROKEN = -2,     /* close it */
    SOCK_AGAIN_OTHER = -3 /* TLS only: receiving must wait until writable, sending until readable */
};

enum { SOCK_ADDRESS_TEXT_BYTES = 64 };

union sock_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* "127.0.0.1:4566", "[::1]:4566", "localhost:4566"; numbers only otherwise. False: not an address. */
bool sock_parse_address(struct slice text, union sock_address *ret_address);
/* "127.0.0.1", "::1", and an IPv4 address that came in over IPv6 as IPv4 */
struct slice sock_format_host(const union sock_address *address, char out[SOCK_ADDRESS_TEXT_BYTES]);
uint16_t sock_address_port(const union sock_address *address);

/* Bound, listening, non-blocking; an IPv6 one takes IPv6 only, whatever the system's default, so that 0.0.0.0 and [::]
 * can stand beside each other. No SO_REUSEPORT: a second process is told. ERR_IO with errno. */
struct error sock_listen(const union sock_address *address, int *ret_fd, uint16_t *ret_port);
/* ERR_AGAIN: nobody waits. ERR_CLOSED: that one left already, try the next. ERR_FULL: no descriptors or memory.
 * The descriptor is non-blocking with TCP_NODELAY. */
struct error sock_accept(int listen_fd, int *ret_fd, union sock_address *ret_peer);

ssize_t sock_receive(int fd, void *out, size_t size); /* size > 0 */
ssize_t sock_send(int fd, const void *bytes, size_t size);
ssize_t sock_send_parts(int fd, const struct iovec *parts, int count);
void sock_end_sending(int fd); /* the peer sees the end; receiving goes on */
void sock_close(int fd);

#endif

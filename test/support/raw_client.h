/* raw_client.h: an HTTP client that sends exactly what it is told, for tests. Plain or TLS. Failing calls fail the
 * test. */
#ifndef TEST_SUPPORT_RAW_CLIENT_H
#define TEST_SUPPORT_RAW_CLIENT_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/text.h"

enum { RAW_WAIT_MS = 20 * 1000 }; /* nothing is measured with it: it ends a test that hangs */

/* A call that waits with a limit ends early when its process was paused and goes on (signal(7)). */
#define RAW_AGAIN(call)                                                                                                \
    ({                                                                                                                 \
        ssize_t result_;                                                                                               \
        do {                                                                                                           \
            errno = 0;                                                                                                 \
            result_ = (call);                                                                                          \
        } while (result_ < 0 && errno == EINTR);                                                                       \
        result_;                                                                                                       \
    })

/* Waits until the condition holds; a test that would wait for ever fails. */
#define WAIT_FOR(condition)                                                                                            \
    do {                                                                                                               \
        int left_ = RAW_WAIT_MS;                                                                                       \
        while (!(condition) && --left_ > 0)                                                                            \
            usleep(1000);                                                                                              \
        if (!left_)                                                                                                    \
            fail_msg("never: %s", #condition);                                                                         \
    } while (0)

struct raw {
    int fd;
    SSL *ssl; /* NULL: plain */
    struct buf in;
    size_t taken; /* of in */
};

struct raw_reply {
    int status;
    struct slice head, body; /* in raw.in, until the next read */
};

static inline struct raw raw_connect(uint16_t port, SSL_CTX *tls)
{
    struct raw r = { .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int one = 1;
    setsockopt(r.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    assert_int_equal(connect(r.fd, (struct sockaddr *)&address, sizeof address), 0);
    struct timeval wait = { .tv_sec = RAW_WAIT_MS / 1000 };
    setsockopt(r.fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    setsockopt(r.fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
    buf_init(&r.in);
    if (tls) {
        r.ssl = SSL_new(tls);
        SSL_set_fd(r.ssl, r.fd);
        assert_int_equal(RAW_AGAIN(SSL_connect(r.ssl)), 1);
    }
    return r;
}

static inline void raw_close(struct raw *r)
{
    SSL_free(r->ssl);
    close(r->fd);
    buf_deinit(&r->in);
}

static inline void raw_reset(struct raw *r) /* the other side sees a reset */
{
    struct linger now = { .l_onoff = 1, .l_linger = 0 };
    setsockopt(r->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    raw_close(r);
}

/* False: the connection is broken. */
static inline bool raw_try_send(struct raw *r, struct slice s)
{
    while (s.size > 0) {
        size_t chunk = s.size < 1 << 30 ? s.size : 1 << 30;
        ssize_t count =
            RAW_AGAIN(r->ssl ? SSL_write(r->ssl, s.data, (int)chunk) : send(r->fd, s.data, chunk, MSG_NOSIGNAL));
        if (count <= 0)
            return false;
        s = slice_from(s, (size_t)count);
    }
    return true;
}

static inline void raw_send(struct raw *r, struct slice s)
{
    assert_true(raw_try_send(r, s));
}

#define RAW_SEND(raw, literal) raw_send((raw), SLICE(literal))

/* > 0, 0 at the end (or a reset); a time-out fails the test */
static inline ssize_t raw_fill(struct raw *r)
{
    char *at = buf_reserve(&r->in, 65536);
    ssize_t count = RAW_AGAIN(r->ssl ? SSL_read(r->ssl, at, 65536) : recv(r->fd, at, 65536, 0));
    if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        fail_msg("no answer");
    ERR_clear_error();
    if (count <= 0)
        return 0;
    r->in.size += (size_t)count;
    return count;
}

static inline bool raw_is_ended(struct raw *r) /* and nothing is left to read */
{
    return r->taken == r->in.size && raw_fill(r) == 0;
}

static inline struct slice raw_header(struct slice head, struct slice name)
{
    while (head.size > 0) {
        struct slice line = slice_cut(&head, '\n');
        size_t colon = slice_find(line, ':');
        if (colon < line.size && slice_equal_nocase(slice_head(line, colon), name)) {
            struct slice value = slice_trim(slice_from(line, colon + 1));
            return value.size && value.data[value.size - 1] == '\r' ? slice_trim(slice_head(value, value.size - 1))
                                                                    : value;
        }
    }
    return SLICE_NONE;
}

/* False: the connection ended before a reply. `no_body`: the answer to HEAD. */
static inline bool raw_try_read(struct raw *r, bool no_body, struct raw_reply *ret_reply)
{
    if (r->taken > 1 << 20) {
        memmove(r->in.data, r->in.data + r->taken, r->in.size - r->taken);
        r->in.size -= r->taken;
        r->taken = 0;
    }
    size_t head_size = 0, body_size = 0;
    for (;;) {
        struct slice have = slice_from(buf_slice(&r->in), r->taken);
        const char *blank = have.size ? memmem(have.data, have.size, "\r\n\r\n", 4) : NULL;
        if (blank) {
            head_size = (size_t)(blank - have.data) + 4;
            break;
        }
        if (raw_fill(r) == 0)
            return false;
    }
    struct slice head = slice_of(r->in.data + r->taken, head_size);
    assert_true(slice_starts(head, SLICE("HTTP/1.1 ")));
    int status = atoi(head.data + 9);
    struct slice length = raw_header(head, SLICE("Content-Length"));
    uint64_t value = 0;
    if (!slice_is_none(length))
        assert_true(text_parse_u64(length, &value));
    if (!no_body && status != 204 && status != 304 && status >= 200)
        body_size = (size_t)value;
    while (r->in.size - r->taken < head_size + body_size)
        assert_true(raw_fill(r) > 0);
    *ret_reply = (struct raw_reply){
        .status = status,
        .head = slice_of(r->in.data + r->taken, head_size),
        .body = slice_of(r->in.data + r->taken + head_size, body_size),
    };
    r->taken += head_size + body_size;
    return true;
}

static inline struct raw_reply raw_read(struct raw *r)
{
    struct raw_reply reply = { 0 };
    assert_true(raw_try_read(r, false, &reply));
    return reply;
}

#endif

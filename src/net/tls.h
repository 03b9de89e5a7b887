/* tls.h: TLS 1.2 and 1.3 on a connected, non-blocking socket, server side: the filter between socket and parser.
 *
 *      parser <──tls_receive── records <──sock_receive── socket ──> ... the other way: tls_send
 *
 * The handshake runs by itself inside the first tls_receive calls. There is no renegotiation and no client certificate.
 * ALPN: http/1.1; a client that offers only other protocols is refused with no_application_protocol (RFC 7301).
 * Sessions are resumed by tickets only; their keys belong to the tls_context, so a reload ends old tickets.
 *
 * Owner    a tls belongs to one thread; a tls_context is shared and counted (any thread).
 * Memory   record buffers exist only while bytes are in them: an idle connection holds about 14 KiB.
 * Signals  never SIGPIPE: bytes go through sock_send.
 */
#ifndef MILLRACE_NET_TLS_H
#define MILLRACE_NET_TLS_H

#include "base/error.h"
#include "base/slice.h"
#include "net/sock.h"

struct tls_context;
struct tls;

/* PEM files: a chain, leaf first, and its key. ERR_CONFIG; ret_reason (at most 200 bytes, NUL-terminated) says why. */
enum { TLS_REASON_BYTES = 200 };
struct error tls_context_new(
    const char *cert_path, const char *key_path, struct tls_context **ret_context, char ret_reason[TLS_REASON_BYTES]);
struct tls_context *tls_context_ref(struct tls_context *context);
void tls_context_unref(struct tls_context *context); /* NULL is fine */

/* The descriptor stays the caller's. NULL: no memory. Takes its own reference of the context. */
struct tls *tls_new(struct tls_context *context, int fd);
void tls_free(struct tls *t); /* NULL is fine */

/* Like sock_receive and sock_send, with the same SOCK_ results. After SOCK_AGAIN from tls_send the same bytes must be
 * offered again (they may have moved). */
ssize_t tls_receive(struct tls *t, void *out, size_t size);
ssize_t tls_send(struct tls *t, const void *bytes, size_t size);
/* Bytes came off the socket that tls_receive has not returned: call it until SOCK_AGAIN, epoll will not tell. */
bool tls_has_more(const struct tls *t);
bool tls_is_established(const struct tls *t);
void tls_close(struct tls *t); /* says goodbye (close_notify) if the socket takes it at once */

#endif

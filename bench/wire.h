/* wire.h: a non-blocking byte pipe: a TCP socket, with or without TLS.
 *
 * Owner    the thread whose epoll set holds the descriptor.
 * Memory   an SSL object per TLS wire, freed by wire_close.
 * Fails    WIRE_CLOSED for an orderly end, WIRE_FAILED for everything else; both leave only wire_close to call.
 * Use      the TLS handshake happens inside the first wire_write (client) or wire_read (server).
 */
#ifndef BENCH_WIRE_H
#define BENCH_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include <openssl/ssl.h>

enum wire_status {
    WIRE_CLOSED = 0,
    WIRE_WANT_READ = -1,
    WIRE_WANT_WRITE = -2,
    WIRE_FAILED = -3,
};

struct wire {
    int fd;
    SSL *ssl; /* NULL: plain */
};

/* A client context does not verify the server's certificate: the benchmark talks to its own self-signed one. */
SSL_CTX *wire_client_context(void);
SSL_CTX *wire_server_context(const char *certificate_file, const char *key_file);

void wire_start(struct wire *w, int fd, SSL_CTX *tls, int is_client);

/* A positive count of bytes, or a wire_status. */
long wire_read(struct wire *w, void *data, size_t size);
long wire_write(struct wire *w, const void *data, size_t size);

/* True when bytes already decrypted wait inside, which epoll cannot see. */
int wire_has_more(const struct wire *w);

void wire_close(struct wire *w);

#endif

/* wire.c: see wire.h. */
#include "wire.h"

#include <assert.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>

#include "util.h"

static SSL_CTX *new_context(const SSL_METHOD *method)
{
    SSL_CTX *tls = SSL_CTX_new(method);
    if (!tls)
        die("TLS: no context");
    SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION);
    SSL_CTX_set_mode(
        tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    return tls;
}

SSL_CTX *wire_client_context(void)
{
    SSL_CTX *tls = new_context(TLS_client_method());
    SSL_CTX_set_verify(tls, SSL_VERIFY_NONE, NULL);
    return tls;
}

SSL_CTX *wire_server_context(const char *certificate_file, const char *key_file)
{
    SSL_CTX *tls = new_context(TLS_server_method());
    if (SSL_CTX_use_certificate_chain_file(tls, certificate_file) != 1)
        die("TLS: cannot read the certificate %s", certificate_file);
    if (SSL_CTX_use_PrivateKey_file(tls, key_file, SSL_FILETYPE_PEM) != 1)
        die("TLS: cannot read the key %s", key_file);
    return tls;
}

void wire_start(struct wire *w, int fd, SSL_CTX *tls, int is_client)
{
    w->fd = fd;
    w->ssl = NULL;
    if (!tls)
        return;
    w->ssl = SSL_new(tls);
    if (!w->ssl || SSL_set_fd(w->ssl, fd) != 1)
        die("TLS: no connection object");
    if (is_client)
        SSL_set_connect_state(w->ssl);
    else
        SSL_set_accept_state(w->ssl);
}

static long tls_status(struct wire *w, int result)
{
    int why = SSL_get_error(w->ssl, result);
    ERR_clear_error();
    if (why == SSL_ERROR_WANT_READ)
        return WIRE_WANT_READ;
    if (why == SSL_ERROR_WANT_WRITE)
        return WIRE_WANT_WRITE;
    return why == SSL_ERROR_ZERO_RETURN ? WIRE_CLOSED : WIRE_FAILED;
}

long wire_read(struct wire *w, void *data, size_t size)
{
    assert(w->fd >= 0);
    if (w->ssl) {
        int result = SSL_read(w->ssl, data, (int)size);
        return result > 0 ? result : tls_status(w, result);
    }
    ssize_t count = recv(w->fd, data, size, 0);
    if (count >= 0)
        return count;
    return errno == EAGAIN || errno == EINTR ? WIRE_WANT_READ : WIRE_FAILED;
}

long wire_write(struct wire *w, const void *data, size_t size)
{
    assert(w->fd >= 0 && size > 0);
    if (w->ssl) {
        int result = SSL_write(w->ssl, data, (int)size);
        return result > 0 ? result : tls_status(w, result);
    }
    ssize_t count = send(w->fd, data, size, MSG_NOSIGNAL);
    if (count >= 0)
        return count;
    return errno == EAGAIN || errno == EINTR || errno == ENOTCONN ? WIRE_WANT_WRITE : WIRE_FAILED;
}

int wire_has_more(const struct wire *w)
{
    return w->ssl && SSL_pending(w->ssl) > 0;
}

void wire_close(struct wire *w)
{
    if (w->ssl) {
        SSL_shutdown(w->ssl); /* one close-notify; the answer is not waited for */
        SSL_free(w->ssl);
        ERR_clear_error();
    }
    if (w->fd >= 0)
        close(w->fd);
    w->fd = -1;
    w->ssl = NULL;
}

/* tls.c: see tls.h. With crypto/ the only code that sees OpenSSL. */
#include "net/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>

/* Both types are OpenSSL's own objects under our names: no allocation of ours. */
static SSL_CTX *context_of(struct tls_context *context)
{
    return (SSL_CTX *)context;
}
static SSL *ssl_of(const struct tls *t)
{
    return (SSL *)t;
}

/* == The socket as OpenSSL sees it: its own socket BIO would raise SIGPIPE == */

static int bio_done(BIO *bio, ssize_t count, int retry_flags)
{
    BIO_clear_retry_flags(bio);
    if (count == SOCK_AGAIN)
        BIO_set_flags(bio, retry_flags | BIO_FLAGS_SHOULD_RETRY);
    return count >= 0 ? (int)count : -1;
}

static int bio_fd(BIO *bio)
{
    return (int)(intptr_t)BIO_get_data(bio);
}

static int bio_read(BIO *bio, char *out, int size)
{
    if (size <= 0)
        return 0;
    ssize_t count = sock_receive(bio_fd(bio), out, (size_t)size);
    if (count == SOCK_END)
        BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
    return bio_done(bio, count, BIO_FLAGS_READ);
}

static int bio_write(BIO *bio, const char *bytes, int size)
{
    return size > 0 ? bio_done(bio, sock_send(bio_fd(bio), bytes, (size_t)size), BIO_FLAGS_WRITE) : 0;
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
    (void)number, (void)pointer;
    if (command == BIO_CTRL_EOF)
        return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
    return command == BIO_CTRL_FLUSH || command == BIO_CTRL_DUP; /* nothing is buffered; everything else: not known */
}

static int bio_create(BIO *bio)
{
    BIO_set_init(bio, 1);
    return 1;
}

static BIO_METHOD *socket_method; /* lives as long as the process */

static void make_socket_method(void)
{
    socket_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "millrace socket");
    ASSERT(socket_method);
    BIO_meth_set_read(socket_method, bio_read);
    BIO_meth_set_write(socket_method, bio_write);
    BIO_meth_set_ctrl(socket_method, bio_control);
    BIO_meth_set_create(socket_method, bio_create);
}

/* == Contexts == */

static int select_protocol(SSL *ssl, const unsigned char **ret_name, unsigned char *ret_size,
    const unsigned char *offered, unsigned offered_size, void *context)
{
    static const unsigned char http11[] = "\x08http/1.1";
    (void)ssl, (void)context;
    unsigned char *name;
    if (SSL_select_next_proto(&name, ret_size, http11, sizeof http11 - 1, offered, offered_size) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *ret_name = name;
    return SSL_TLSEXT_ERR_OK;
}

static void describe(const char *what, const char *path, char ret_reason[TLS_REASON_BYTES])
{
    unsigned long code = ERR_peek_error(); /* the first one: the later ones are those of its callers */
    const char *text = ERR_reason_error_string(code);
    if (ERR_SYSTEM_ERROR(code))
        text = strerror(ERR_GET_REASON(code));
    snprintf(ret_reason, TLS_REASON_BYTES, "%s %s: %s", what, path, text ? text : "not usable");
    ERR_clear_error();
}

static bool load_files(SSL_CTX *ctx, const char *cert_path, const char *key_path, char ret_reason[TLS_REASON_BYTES])
{
    if (SSL_CTX_use_certificate_chain_file(ctx, cert_path) != 1) {
        describe("certificate", cert_path, ret_reason);
        return false;
    }
    if (SSL_CTX_use_PrivateKey_file(ctx, key_path, SSL_FILETYPE_PEM) != 1) {
        describe("private key", key_path, ret_reason);
        return false;
    }
    if (SSL_CTX_check_private_key(ctx) != 1) {
        describe("private key does not belong to the certificate:", key_path, ret_reason);
        return false;
    }
    return true;
}

struct error tls_context_new(
    const char *cert_path, const char *key_path, struct tls_context **ret_context, char ret_reason[TLS_REASON_BYTES])
{
    static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;
    if (!CRYPTO_THREAD_run_once(&once, make_socket_method))
        return ERROR_OF(ERR_NO_MEMORY);
    ERR_clear_error();
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    if (!ctx) {
        describe("cannot start", "OpenSSL", ret_reason);
        return ERROR_OF(ERR_NO_MEMORY);
    }
    if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20") != 1) {
        describe("cannot configure", "OpenSSL", ret_reason);
        SSL_CTX_free(ctx);
        return ERROR_OF(ERR_CONFIG);
    }
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(
        ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF); /* tickets need no memory here */
    SSL_CTX_set_read_ahead(ctx, 1);                          /* one recv a record instead of two */
    SSL_CTX_set_alpn_select_cb(ctx, select_protocol, NULL);
    if (!load_files(ctx, cert_path, key_path, ret_reason)) {
        SSL_CTX_free(ctx);
        return ERROR_OF(ERR_CONFIG);
    }
    *ret_context = (struct tls_context *)ctx;
    return OK;
}

struct tls_context *tls_context_ref(struct tls_context *context)
{
    SSL_CTX_up_ref(context_of(context));
    return context;
}

void tls_context_unref(struct tls_context *context)
{
    SSL_CTX_free(context_of(context));
}

/* == Connections == */

struct tls *tls_new(struct tls_context *context, int fd)
{
    SSL *ssl = SSL_new(context_of(context));
    BIO *bio = ssl ? BIO_new(socket_method) : NULL;
    if (!bio) {
        SSL_free(ssl);
        ERR_clear_error();
        return NULL;
    }
    BIO_set_data(bio, (void *)(intptr_t)fd);
    SSL_set_bio(ssl, bio, bio);
    SSL_set_accept_state(ssl);
    return (struct tls *)ssl;
}

void tls_free(struct tls *t)
{
    SSL_free(ssl_of(t));
}

/* The queue is the thread's: SSL_get_error would take what somebody else left there for the failure of this call. */
static void forget_errors(void)
{
    if (UNLIKELY(ERR_peek_error() != 0))
        ERR_clear_error();
}

/* `again`: what the socket would have to be ready for in the caller's own direction */
static ssize_t failure_of(struct tls *t, int result, int again)
{
    int error = SSL_get_error(ssl_of(t), result);
    if (error == again)
        return SOCK_AGAIN;
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
        return SOCK_AGAIN_OTHER;
    forget_errors();
    return error == SSL_ERROR_ZERO_RETURN ? SOCK_END : SOCK_BROKEN;
}

ssize_t tls_receive(struct tls *t, void *out, size_t size)
{
    size_t count = 0;
    forget_errors();
    int result = SSL_read_ex(ssl_of(t), out, size, &count);
    return result == 1 ? (ssize_t)count : failure_of(t, result, SSL_ERROR_WANT_READ);
}

ssize_t tls_send(struct tls *t, const void *bytes, size_t size)
{
    size_t count = 0;
    forget_errors();
    int result = SSL_write_ex(ssl_of(t), bytes, size, &count);
    if (result == 1)
        return (ssize_t)count;
    ssize_t failure = failure_of(t, result, SSL_ERROR_WANT_WRITE);
    return failure == SOCK_END ? SOCK_BROKEN : failure;
}

bool tls_has_more(const struct tls *t)
{
    return SSL_has_pending(ssl_of(t)) == 1;
}

bool tls_is_established(const struct tls *t)
{
    return SSL_is_init_finished(ssl_of(t)) == 1;
}

void tls_close(struct tls *t)
{
    if (tls_is_established(t) && (SSL_get_shutdown(ssl_of(t)) & SSL_SENT_SHUTDOWN) == 0)
        SSL_shutdown(ssl_of(t));
    ERR_clear_error();
}

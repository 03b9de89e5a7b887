/* The TLS filter against OpenSSL's own client over a socket pair; see src/net/tls.h. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/tls.h"
#include "support/certificate.h"

static char directory[] = "/tmp/millrace-tls-XXXXXX";
static char cert_path[64], key_path[64], other_cert_path[64], other_key_path[64], junk_path[64];
static struct tls_context *context;

static int setup_files(void **state)
{
    (void)state;
    if (!mkdtemp(directory))
        return 1;
    snprintf(cert_path, sizeof cert_path, "%s/cert", directory);
    snprintf(key_path, sizeof key_path, "%s/key", directory);
    snprintf(other_cert_path, sizeof other_cert_path, "%s/other-cert", directory);
    snprintf(other_key_path, sizeof other_key_path, "%s/other-key", directory);
    snprintf(junk_path, sizeof junk_path, "%s/junk", directory);
    FILE *junk = fopen(junk_path, "w");
    if (!junk || fputs("-----BEGIN CERTIFICATE-----\nbm90IG9uZQ==\n-----END CERTIFICATE-----\n", junk) < 0 ||
        fclose(junk))
        return 1;
    char reason[TLS_REASON_BYTES] = "";
    if (!certificate_write(cert_path, key_path, "one") || !certificate_write(other_cert_path, other_key_path, "other"))
        return 1;
    return failed(tls_context_new(cert_path, key_path, &context, reason));
}

static int remove_files(void **state)
{
    (void)state;
    tls_context_unref(context);
    unlink(cert_path);
    unlink(key_path);
    unlink(other_cert_path);
    unlink(other_key_path);
    unlink(junk_path);
    return rmdir(directory);
}

/* == A pair: our server side, OpenSSL's client side, both non-blocking == */

struct pair {
    struct tls *server;
    SSL *client;
    int server_fd, client_fd;
};

static void open_pair(struct pair *p, SSL_CTX *client_context)
{
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    *p = (struct pair){ .server_fd = ends[0], .client_fd = ends[1] };
    p->server = tls_new(context, p->server_fd);
    assert_non_null(p->server);
    p->client = SSL_new(client_context);
    SSL_set_fd(p->client, p->client_fd);
}

static void close_pair(struct pair *p)
{
    tls_free(p->server);
    SSL_free(p->client);
    close(p->server_fd);
    if (p->client_fd >= 0)
        close(p->client_fd);
}

/* Until both are through, or one failed. */
static bool shake_hands(struct pair *p)
{
    char byte;
    for (int round = 0; round < 20; round++) {
        int result = SSL_connect(p->client);
        ERR_clear_error();
        ssize_t count = tls_receive(p->server, &byte, 1);
        if (count == SOCK_BROKEN || count == SOCK_END)
            return false;
        assert_true(count == SOCK_AGAIN); /* nobody sent anything yet */
        if (result == 1 && tls_is_established(p->server))
            return true;
    }
    return false;
}

static SSL_CTX *client_context(int version)
{
    SSL_CTX *c = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_min_proto_version(c, version);
    SSL_CTX_set_max_proto_version(c, version);
    SSL_CTX_set_mode(c, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_cipher_list(c, "ALL:@SECLEVEL=0");
    return c;
}

static void versions_are_1_2_and_1_3(void **state)
{
    (void)state;
    static const struct {
        int version;
        bool is_spoken;
    } cases[] = { { TLS1_VERSION, false }, { TLS1_1_VERSION, false }, { TLS1_2_VERSION, true },
        { TLS1_3_VERSION, true } };
    for (size_t index = 0; index < ARRAY_COUNT(cases); index++) {
        SSL_CTX *c = client_context(cases[index].version);
        struct pair p;
        open_pair(&p, c);
        assert_int_equal(shake_hands(&p), cases[index].is_spoken);
        assert_int_equal(ERR_peek_error(), 0); /* nothing left behind for the next connection */
        close_pair(&p);
        SSL_CTX_free(c);
    }
}

static void bytes_arrive_whatever_the_sizes(void **state)
{
    (void)state;
    enum { TOTAL = 300 * 1000 };
    static char sent[TOTAL], received[TOTAL];
    for (size_t index = 0; index < TOTAL; index++)
        sent[index] = (char)(index * 7 + index / 251);
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        SSL_CTX *c = client_context(version);
        struct pair p;
        open_pair(&p, c);
        assert_true(shake_hands(&p));
        size_t written = 0, read_back = 0, at_server = 0, back = 0;
        static char echo[TOTAL];
        bool was_full = false;
        memset(received, 0, sizeof received);
        for (int round = 0; round < 100000 && read_back < TOTAL; round++) {
            size_t size = (size_t)(round * 37 % 40000 + 1), count;
            if (written < TOTAL &&
                SSL_write_ex(p.client, sent + written, size < TOTAL - written ? size : TOTAL - written, &count) == 1)
                written += count;
            do { /* until the socket is empty: tls_has_more */
                size = (size_t)(round * 53 % 5000 + 1);
                ssize_t got = at_server < TOTAL ? tls_receive(p.server, echo + at_server,
                                                      size < TOTAL - at_server ? size : TOTAL - at_server)
                                                : SOCK_AGAIN;
                assert_true(got > 0 || got == SOCK_AGAIN);
                if (got < 0)
                    break;
                at_server += (size_t)got;
            } while (tls_has_more(p.server));
            if (round % 3 == 0 && back < at_server) { /* reads lag behind, so that sending blocks */
                ssize_t put = tls_send(p.server, echo + back, at_server - back);
                assert_true(put > 0 || put == SOCK_AGAIN);
                was_full |= put == SOCK_AGAIN;
                back += put > 0 ? (size_t)put : 0;
            }
            if (round % 400 == 399)
                while (read_back < TOTAL && SSL_read_ex(p.client, received + read_back, TOTAL - read_back, &count) == 1)
                    read_back += count;
            ERR_clear_error();
        }
        assert_int_equal(read_back, TOTAL);
        assert_memory_equal(sent, received, TOTAL);
        assert_true(was_full);
        close_pair(&p);
        SSL_CTX_free(c);
    }
}

static void the_end_is_seen(void **state)
{
    (void)state;
    char byte;
    SSL_CTX *c = client_context(TLS1_3_VERSION);
    struct pair p;
    /* with close_notify; without it, as most clients leave */
    for (int polite = 1; polite >= 0; polite--) {
        open_pair(&p, c);
        assert_true(shake_hands(&p));
        SSL_read(p.client, &byte, 1); /* takes the tickets: closing with bytes unread would be a reset */
        if (polite)
            SSL_shutdown(p.client);
        else
            close(p.client_fd);
        assert_int_equal(tls_receive(p.server, &byte, 1), SOCK_END);
        if (!polite)
            p.client_fd = -1;
        close_pair(&p);
    }
    /* the server leaves: the client sees a goodbye */
    open_pair(&p, c);
    assert_true(shake_hands(&p));
    tls_close(p.server);
    tls_close(p.server); /* once is enough */
    int result = SSL_read(p.client, &byte, 1);
    assert_int_equal(SSL_get_error(p.client, result), SSL_ERROR_ZERO_RETURN);
    close_pair(&p);
    /* plain HTTP on the port */
    open_pair(&p, c);
    assert_int_equal(write(p.client_fd, "GET / HTTP/1.1\r\n\r\n", 18), 18);
    assert_int_equal(tls_receive(p.server, &byte, 1), SOCK_BROKEN);
    close_pair(&p);
    SSL_CTX_free(c);
    assert_int_equal(ERR_peek_error(), 0);
}

static void no_signal_when_the_client_is_gone(void **state)
{
    (void)state;
    static char large[1 << 20];
    SSL_CTX *c = client_context(TLS1_3_VERSION);
    struct pair p;
    open_pair(&p, c);
    assert_true(shake_hands(&p));
    close(p.client_fd);
    p.client_fd = -1;
    assert_int_equal(tls_send(p.server, large, sizeof large), SOCK_BROKEN); /* SIGPIPE would end this program */
    close_pair(&p);
    SSL_CTX_free(c);
}

static void errors_of_others_are_not_taken_for_ours(void **state)
{
    (void)state;
    char byte;
    SSL_CTX *c = client_context(TLS1_3_VERSION);
    struct pair p;
    open_pair(&p, c);
    assert_true(shake_hands(&p));
    ERR_raise(ERR_LIB_USER, ERR_R_INTERNAL_ERROR);
    assert_int_equal(tls_receive(p.server, &byte, 1), SOCK_AGAIN);
    close_pair(&p);
    SSL_CTX_free(c);
}

static void alpn_is_http11_or_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *offer;
        unsigned size;
        bool is_taken;
    } cases[] = {
        { "\x08http/1.1", 9, true },
        { "\x02h2\x08http/1.1", 12, true },
        { "\x02h2", 3, false },
        { "\x08http/1.0", 9, false },
    };
    for (size_t index = 0; index < ARRAY_COUNT(cases); index++) {
        SSL_CTX *c = client_context(TLS1_3_VERSION);
        SSL_CTX_set_alpn_protos(c, (const unsigned char *)cases[index].offer, cases[index].size);
        struct pair p;
        open_pair(&p, c);
        assert_int_equal(shake_hands(&p), cases[index].is_taken);
        const unsigned char *chosen;
        unsigned size;
        SSL_get0_alpn_selected(p.client, &chosen, &size);
        assert_int_equal(size, cases[index].is_taken ? 8 : 0);
        close_pair(&p);
        SSL_CTX_free(c);
        ERR_clear_error();
    }
}

static SSL_SESSION *saved_session;

static int save_session(SSL *ssl, SSL_SESSION *session)
{
    (void)ssl;
    SSL_SESSION_free(saved_session);
    saved_session = session;
    return 1;
}

static void sessions_resume_by_ticket(void **state)
{
    (void)state;
    char byte;
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        SSL_CTX *c = client_context(version);
        SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
        SSL_CTX_sess_set_new_cb(c, save_session);
        struct pair p;
        open_pair(&p, c);
        assert_true(shake_hands(&p));
        SSL_read(p.client, &byte, 1); /* takes the tickets */
        assert_non_null(saved_session);
        SSL_shutdown(p.client); /* else OpenSSL holds the session for broken */
        close_pair(&p);
        open_pair(&p, c);
        SSL_set_session(p.client, saved_session);
        assert_true(shake_hands(&p));
        assert_int_equal(SSL_session_reused(p.client), 1);
        close_pair(&p);
        SSL_SESSION_free(saved_session);
        saved_session = NULL;
        SSL_CTX_free(c);
        ERR_clear_error();
    }
}

static void unusable_files_are_explained(void **state)
{
    (void)state;
    static const struct {
        const char *cert, *key, *said;
    } cases[] = {
        { "/nowhere/cert", key_path, "No such file" },
        { cert_path, "/nowhere/key", "No such file" },
        { junk_path, key_path, "certificate" },
        { cert_path, junk_path, "private key" },
        { cert_path, other_key_path, "mismatch" },
        { other_cert_path, key_path, "mismatch" },
    };
    for (size_t index = 0; index < ARRAY_COUNT(cases); index++) {
        char reason[TLS_REASON_BYTES] = "";
        struct tls_context *made = NULL;
        struct error e = tls_context_new(cases[index].cert, cases[index].key, &made, reason);
        assert_int_equal(e.code, ERR_CONFIG);
        assert_null(made);
        if (!strstr(reason, cases[index].said))
            fail_msg("case %zu: %s", index, reason);
        assert_int_equal(ERR_peek_error(), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_are_1_2_and_1_3),
        cmocka_unit_test(bytes_arrive_whatever_the_sizes),
        cmocka_unit_test(the_end_is_seen),
        cmocka_unit_test(no_signal_when_the_client_is_gone),
        cmocka_unit_test(errors_of_others_are_not_taken_for_ours),
        cmocka_unit_test(alpn_is_http11_or_nothing),
        cmocka_unit_test(sessions_resume_by_ticket),
        cmocka_unit_test(unusable_files_are_explained),
    };
    return cmocka_run_group_tests(tests, setup_files, remove_files);
}

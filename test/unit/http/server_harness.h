/* server_harness.h: what the tests of src/http/server.h share: the server of test/support/http_echo.c under a clock that
 * stands still until the test moves it, plain or with TLS, and a client. */
#ifndef MILLRACE_TEST_HTTP_SERVER_HARNESS_H
#define MILLRACE_TEST_HTTP_SERVER_HARNESS_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#define HTTP_ECHO_NO_MAIN
#include "support/http_echo.c"
#include "support/certificate.h"
#include "support/raw_client.h"

#include "base/log.h"
#include "http/core.h"
#include "sys/sys.h"

static struct http_echo *echo;

static inline struct http_metrics metrics(void)
{
    struct http_metrics m;
    http_server_get_metrics(echo->server, &m);
    return m;
}

/* == Time: it stands still until the test moves it, however slow the machine is == */

static atomic_uint_least64_t now_us;
static struct sys still_sys;

static inline uint64_t still_monotonic_us(void)
{
    return atomic_load(&now_us);
}

static atomic_int posts_run;
static inline void count_post(struct reactor_post *post)
{
    (void)post;
    atomic_fetch_add(&posts_run, 1);
}

/* Every reactor goes through a turn that begins after the call: the first post may still run in the one before. */
static inline void pass_turn(void)
{
    static struct reactor_post post = { .run = count_post };
    for (int index = 0; index < echo->threads; index++)
        for (int round = 0; round < 2; round++) {
            int before = atomic_load(&posts_run);
            reactor_post(http_server_reactor(echo->server, index), &post);
            WAIT_FOR(atomic_load(&posts_run) == before + 1);
        }
}

/* What was sent belongs to the time before; what is due afterwards has happened when this returns. */
static inline void pass_ms(uint64_t ms)
{
    pass_turn();
    atomic_fetch_add(&now_us, ms * 1000);
    pass_turn();
}

/* == Set up == */

static SSL_CTX *client_tls; /* NULL: the tests speak plain */
static char directory[] = "/tmp/millrace-http-XXXXXX", cert_path[64], key_path[64];

static inline int setup_threads(int threads)
{
    bool is_tls = client_tls != NULL;
    atomic_store(&now_us, 3600 * 1000000ull);
    still_sys = sys_real;
    still_sys.clock.monotonic_us = still_monotonic_us;
    sys = &still_sys;
    echo = http_echo_start(&(struct http_echo_options){
        .threads = threads,
        .is_deferring = true,
        .tls_cert = is_tls ? cert_path : NULL,
        .tls_key = is_tls ? key_path : NULL,
    });
    return echo == NULL;
}

static inline int setup_tls(void **state)
{
    (void)state;
    if (!mkdtemp(directory))
        return 1;
    snprintf(cert_path, sizeof cert_path, "%s/cert", directory);
    snprintf(key_path, sizeof key_path, "%s/key", directory);
    client_tls = SSL_CTX_new(TLS_client_method());
    signal(SIGPIPE, SIG_IGN); /* OpenSSL's own client socket raises it; the server does not */
    return !certificate_write(cert_path, key_path, "first");
}

static inline int teardown_tls(void **state)
{
    (void)state;
    SSL_CTX_free(client_tls);
    client_tls = NULL;
    signal(SIGPIPE, SIG_DFL);
    unlink(cert_path);
    unlink(key_path);
    return rmdir(directory);
}

static inline int setup_one(void **state)
{
    (void)state;
    return setup_threads(1);
}

static inline int setup_three(void **state)
{
    (void)state;
    return setup_threads(3);
}

static inline int teardown(void **state)
{
    (void)state;
    http_echo_stop(echo); /* its pools assert that every block and connection came back */
    sys = &sys_real;
    return 0;
}

static inline struct raw connect_client(void)
{
    return raw_connect(http_echo_port(echo), client_tls);
}

static inline void expect_body(struct raw_reply reply, struct slice wanted)
{
    assert_int_equal(reply.status, 200);
    if (!slice_equal(reply.body, wanted))
        fail_msg("body of %zu bytes '%.*s', wanted %zu '%.*s'", reply.body.size, SLICE_ARG(slice_head(reply.body, 100)),
            wanted.size, SLICE_ARG(slice_head(wanted, 100)));
}

static inline void hold_one(struct raw *r)
{
    uint64_t before = http_echo_held(echo);
    RAW_SEND(r, "POST /hold HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello");
    WAIT_FOR(http_echo_held(echo) == before + 1);
}

static inline void release_held(void)
{
    struct raw r = connect_client();
    RAW_SEND(&r, "GET /release HTTP/1.1\r\nHost: h\r\n\r\n");
    raw_read(&r);
    raw_close(&r);
}

#define ONE(name) cmocka_unit_test_setup_teardown(name, setup_one, teardown)
#define THREE(name) cmocka_unit_test_setup_teardown(name, setup_three, teardown)

#endif

/* Who asks behind a proxy: forwarded.h. That a signature is judged by it is shown in test/server. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "api/forwarded.h"
#include "auth/network.h"
#include "base/check.h"
#include "http/http1.h"

static struct http_request request;
static struct header headers[HTTP_HEADERS_MAX];
static char bytes[4096];
static struct network proxies[2];
static struct gateway_options options = { .trusted_proxies = proxies };

static int start(void **state)
{
    (void)state;
    assert_true(network_parse(SLICE("10.0.0.0/8"), &proxies[0]) && network_parse(SLICE("2001:db8::/32"), &proxies[1]));
    options.trusted_proxy_count = 2;
    return 0;
}

/* NULL: it was read */
static const char *read_from(const char *peer, const char *lines, struct forwarded *ret_forwarded)
{
    struct http1_head h;
    struct network n;
    const char *sentence = NULL;
    snprintf(bytes, sizeof(bytes), "GET / HTTP/1.1\r\nHost: inner:4566\r\n%s\r\n", lines);
    memset(&request, 0, sizeof(request));
    http1_head_init(&h, &request, headers);
    assert_int_equal(http1_head_parse(&h, slice_str(bytes)), HTTP1_DONE);
    assert_true(network_parse(slice_str(peer), &n));
    const struct http_peer p = http_peer_of(n.is_v6, n.bytes);
    bool is_good = forwarded_read(&request, &p, &options, ret_forwarded, &sentence);
    assert_int_equal(is_good, sentence == NULL);
    return sentence;
}

static void expect(const char *peer, const char *lines, const char *host, bool is_tls, const char *client)
{
    char text[HTTP_PEER_TEXT_BYTES];
    struct forwarded f;
    const char *sentence = read_from(peer, lines, &f);
    if (sentence)
        fail_msg("%s: %s", lines, sentence);
    if (!slice_equal(f.host, slice_str(host)))
        fail_msg("%s: %.*s", lines, SLICE_ARG(f.host));
    assert_int_equal(f.is_host_told, strcmp(host, "inner:4566") != 0);
    assert_int_equal(f.is_tls, is_tls);
    if (!slice_equal(http_peer_format(&f.peer, text), slice_str(client)))
        fail_msg("%s: %s instead of %s", lines, text, client);
}

#define ALL "X-Forwarded-Host: sqs.example:8443\r\nX-Forwarded-Proto: https\r\nX-Forwarded-For: 192.0.2.1\r\n"

static void test_only_proxies_are_believed(void **state)
{
    (void)state;
    expect("10.0.0.1", ALL, "sqs.example:8443", true, "192.0.2.1");
    expect("2001:db8::1", ALL, "sqs.example:8443", true, "192.0.2.1");
    expect("11.0.0.1", ALL, "inner:4566", false, "11.0.0.1");
    expect("127.0.0.1", ALL "X-Forwarded-Host: two\r\nX-Forwarded-For: rubbish\r\n", "inner:4566", false, "127.0.0.1");
    expect("10.0.0.1", "", "inner:4566", false, "10.0.0.1");
    expect("10.0.0.1", "x-forwarded-proto: HTTP\r\n", "inner:4566", false, "10.0.0.1");
    options.trusted_proxy_count = 0;
    expect("10.0.0.1", ALL, "inner:4566", false, "10.0.0.1");
}

static void test_the_client_is_the_last_that_is_not_trusted(void **state)
{
    static const struct {
        const char *list, *client;
    } rows[] = { { "192.0.2.1, 192.0.2.2", "192.0.2.2" }, { "192.0.2.1, 10.1.1.1", "192.0.2.1" },
        { "rubbish,,192.0.2.9,10.1.1.1 , 10.2.2.2", "192.0.2.9" }, { "10.3.3.3, 10.4.4.4", "10.3.3.3" },
        { "192.0.2.1:4711", "192.0.2.1" }, { "2a00::1", "2a00::1" }, { "[2a00::1]", "2a00::1" },
        { "[2a00::1]:4711", "2a00::1" }, { "2a00::1, 2001:db8::7", "2a00::1" }, { "::ffff:192.0.2.3", "192.0.2.3" },
        { "192.0.2.1\r\nX-Forwarded-For: 192.0.2.2, 10.1.1.1", "192.0.2.2" },
        { "192.0.2.1\r\nX-Forwarded-For: 10.1.1.1", "192.0.2.1" } };
    char lines[256];
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        snprintf(lines, sizeof(lines), "X-Forwarded-For: %s\r\n", rows[i].list);
        expect("10.0.0.1", lines, "inner:4566", false, rows[i].client);
    }
}

static void test_what_is_broken_is_told(void **state)
{
    static const struct {
        const char *lines, *word;
    } rows[] = { { "X-Forwarded-Host: a\r\nX-Forwarded-Host: a\r\n", "several hosts" },
        { "X-Forwarded-Host: a, b\r\n", "several hosts" }, { "X-Forwarded-Host:\r\n", "not a host" },
        { "X-Forwarded-Host: a/b\r\n", "not a host" }, { "X-Forwarded-Host: user@a\r\n", "not a host" },
        { "X-Forwarded-Host: a b\r\n", "not a host" }, { "X-Forwarded-Proto: ftp\r\n", "neither http nor https" },
        { "X-Forwarded-Proto: https, http\r\n", "neither http nor https" }, { "X-Forwarded-Proto:\r\n", "neither" },
        { "X-Forwarded-Proto: http\r\nX-Forwarded-Proto: http\r\n", "neither" },
        { "X-Forwarded-For:\r\n", "not an address" }, { "X-Forwarded-For: unknown\r\n", "not an address" },
        { "X-Forwarded-For: 192.0.2.1,\r\n", "not an address" },
        { "X-Forwarded-For: 192.0.2.0/24\r\n", "not an address" },
        { "X-Forwarded-For: 192.0.2.1:\r\n", "not an address" },
        { "X-Forwarded-For: 192.0.2.1:70000\r\n", "not an address" },
        { "X-Forwarded-For: [2a00::1\r\n", "not an address" }, { "X-Forwarded-For: [2a00::1]x\r\n", "not an address" },
        { "X-Forwarded-For: []\r\n", "not an address" }, { "X-Forwarded-For: ,10.1.1.1\r\n", "not an address" } };
    struct forwarded f;
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        const char *sentence = read_from("10.0.0.1", rows[i].lines, &f);
        if (!sentence || !strstr(sentence, rows[i].word))
            fail_msg("%s: %s", rows[i].lines, sentence ? sentence : "it was read");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_only_proxies_are_believed, start),
        cmocka_unit_test_setup(test_the_client_is_the_last_that_is_not_trusted, start),
        cmocka_unit_test_setup(test_what_is_broken_is_told, start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
